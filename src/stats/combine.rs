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
    fn the_e_value_integrates_to_one() {
        // Σ over a fine midpoint grid of p in (0, 1).
        let n = 1_000_000;
        let mean: f64 = (0..n).map(|i| e_value((f64::from(i) + 0.5) / f64::from(n))).sum::<f64>()
            / f64::from(n);
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        assert!((e_value(1e-4) - 50.0).abs() < 1e-12);
    }
}
