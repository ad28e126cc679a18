//! Several p-values to one, without assuming that they are independent.

/// Weighted Bonferroni: min over k of p_k / w_k, at most 1, with the index that decided (the
/// first of equals; 0 for no tests). Valid under any dependence when the weights sum to at most 1.
pub fn weighted_bonferroni(p_and_weight: &[(f64, f64)]) -> (f64, usize) {
    let (mut best, mut index) = (1.0, 0);
    for (i, &(p, weight)) in p_and_weight.iter().enumerate() {
        let bound = if weight > 0.0 { p / weight } else { f64::INFINITY };
        if bound < best {
            (best, index) = (bound, i);
        }
    }
    (best, index)
}

/// Simes: min over j of n·p_(j)/j, p_(j) the j-th smallest of n. Never more than Bonferroni's n·p_(1),
/// and as little as the largest where all are alike. Valid where the p-values depend positively, as
/// tests of counts do of which one holds the other (Sarkar, "Some probability inequalities for ordered
/// MTP2 random variables", 1998). May exceed 1 where rates are given instead.
pub fn simes(p: &mut [f64]) -> f64 {
    let n = p.len() as f64;
    p.sort_by(f64::total_cmp);
    let bounds = p.iter().enumerate().map(|(j, p)| n * p / (j + 1) as f64);
    bounds.fold(f64::INFINITY, f64::min)
}

/// An e-value from a p-value: ½·p^(−½), whose mean is 1 under the null (Vovk and Wang,
/// "E-values: calibration, combination and applications", 2021, κ = ½).
pub fn e_value(p: f64) -> f64 {
    0.5 / p.clamp(f64::MIN_POSITIVE, 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_weighted_p_decides() {
        let (p, k) = weighted_bonferroni(&[(0.02, 0.5), (0.005, 0.25), (0.5, 0.25)]);
        assert_eq!((p, k), (0.02, 1));
        assert_eq!(weighted_bonferroni(&[(0.9, 0.5), (0.9, 0.5)]), (1.0, 0));
        assert_eq!(weighted_bonferroni(&[(0.0, 0.0)]), (1.0, 0));
        assert_eq!(weighted_bonferroni(&[]), (1.0, 0));
    }

    #[test]
    fn simes_pays_for_what_was_looked_at_and_not_for_what_agrees() {
        assert_eq!(simes(&mut [0.9, 0.01, 0.8]), 0.03);
        assert_eq!(simes(&mut [0.02, 0.9, 0.01]), 0.03);
        assert_eq!(simes(&mut [0.02, 0.02, 0.02]), 0.02);
        assert_eq!(simes(&mut []), f64::INFINITY);
    }

    /// The worst ten minutes, the worst hour and the whole of innocent days, some of which are bad
    /// throughout: their p-values by rank, combined.
    #[test]
    fn simes_holds_its_level_on_counts_of_nested_spans() {
        use rand::{RngExt, SeedableRng};
        const DAYS: usize = 20_000;
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut heavy = |exponent: f64| rng.random::<f64>().powf(-1.0 / exponent);
        let mut counts = [const { Vec::new() }; 3];
        for _ in 0..DAYS {
            let day = heavy(2.5);
            let mut worst = [0.0_f64; 3];
            for _ in 0..24 {
                let hour = day * heavy(3.0);
                let mut sum = 0.0;
                for _ in 0..6 {
                    let cell = (hour * heavy(3.0) - 1.0).floor();
                    worst[0] = worst[0].max(cell);
                    sum += cell;
                }
                worst[1] = worst[1].max(sum);
                worst[2] += sum;
            }
            (0..3).for_each(|span| counts[span].push(worst[span]));
        }
        let sorted = counts.clone().map(|mut c| {
            c.sort_by(f64::total_cmp);
            c
        });
        let p = |span: usize, day: usize| {
            let below = sorted[span].partition_point(|c| *c < counts[span][day]);
            (DAYS - below) as f64 / DAYS as f64
        };
        let combined: Vec<f64> =
            (0..DAYS).map(|day| simes(&mut [p(0, day), p(1, day), p(2, day)])).collect();
        for level in [0.005, 0.02, 0.1] {
            let share = combined.iter().filter(|p| **p <= level).count() as f64 / DAYS as f64;
            assert!(share <= level, "{share} of days at {level}");
            // Bonferroni would take a third of it where one span says all, and here takes less than
            // three quarters.
            assert!(share > 0.6 * level, "{share} of days at {level}");
        }
    }

    #[test]
    fn the_e_value_integrates_to_one() {
        // Σ over a fine midpoint grid of p in (0, 1).
        let n = 1_000_000;
        let mean: f64 = (0..n).map(|i| e_value((f64::from(i) + 0.5) / f64::from(n))).sum::<f64>()
            / f64::from(n);
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        assert!((e_value(1e-4) - 50.0).abs() < 1e-12);
    }
}
