//! How odd several independent properties are together, exactly.
//!
//! Each property either breaks (with a known probability under "benign") or holds. The statistic
//! is the product of the probabilities of those that broke; its tail is the total probability of
//! all outcomes whose product is no larger. Enumerating the outcomes keeps the discreteness that
//! Fisher's method (R. A. Fisher, *Statistical Methods for Research Workers*, 1925) gives away:
//! a property that held costs nothing.

/// Properties beyond this many are ignored: the enumeration has two to this power outcomes.
pub const PROPERTIES_MAX: usize = 10;

/// P(product of broken probabilities ≤ the observed one) for independent properties, each given
/// as (probability of breaking, whether it broke). 1 where nothing broke.
///
/// `others` is the tail of everything else that takes part in the product: it must return
/// P(other product ≤ x), and `observed` is the other product that was seen (1 with
/// `|x| if x >= 1.0 { 1.0 } else { 0.0 }` where there is nothing else).
pub fn product_tail(properties: &[(f64, bool)], observed: f64, others: impl Fn(f64) -> f64) -> f64 {
    let properties = &properties[..properties.len().min(PROPERTIES_MAX)];
    let log = |q: f64| q.clamp(f64::MIN_POSITIVE, 1.0).ln();
    let seen: f64 = properties.iter().filter(|(_, broke)| *broke).map(|(q, _)| log(*q)).sum();
    // A hair of slack, so that an outcome equal to the observed one counts whatever the order
    // of the sums was.
    let seen = seen + log(observed) + 1e-9;
    let mut total = 0.0;
    for outcome in 0..1_u32 << properties.len() {
        let (mut product, mut weight) = (0.0, 1.0);
        for (bit, (q, _)) in properties.iter().enumerate() {
            if outcome & (1 << bit) == 0 {
                weight *= 1.0 - q.clamp(0.0, 1.0);
            } else {
                product += log(*q);
                weight *= q.clamp(0.0, 1.0);
            }
        }
        if weight > 0.0 {
            total += weight * others((seen - product).exp().min(1.0)).clamp(0.0, 1.0);
        }
    }
    total.min(1.0)
}

/// [`product_tail`] of the properties alone.
pub fn broken_tail(properties: &[(f64, bool)]) -> f64 {
    product_tail(properties, 1.0, |x| if x >= 1.0 { 1.0 } else { 0.0 })
}

/// Tail of a product of two: one with a continuous p-value (P(p ≤ x) ≤ x) and one that counts, given as
/// the probabilities of its values 0, 1, 2 … (what is missing to 1 lies beyond the last).
pub fn counted_tail(masses: &[f64], x: f64) -> f64 {
    let mut at_least = 1.0_f64;
    let mut total = 0.0;
    for mass in masses {
        if at_least <= f64::MIN_POSITIVE {
            break;
        }
        total += mass * (x / at_least).min(1.0);
        at_least = (at_least - mass).max(0.0);
    }
    (total + at_least).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_broken_is_no_surprise_and_one_is_its_own_probability() {
        assert_eq!(broken_tail(&[]), 1.0);
        assert!((broken_tail(&[(0.1, false), (0.02, false)]) - 1.0).abs() < 1e-12);
        assert!((broken_tail(&[(0.01, true)]) - 0.01).abs() < 1e-12);
        // 0.01 broke; the other, at 0.005, would have been odder still.
        let two = broken_tail(&[(0.01, true), (0.005, false)]);
        assert!((two - (0.01 + 0.99 * 0.005)).abs() < 1e-12, "{two}");
    }

    #[test]
    fn two_broken_are_far_odder_than_one() {
        let one = broken_tail(&[(0.01, true), (0.02, false), (0.3, false)]);
        let two = broken_tail(&[(0.01, true), (0.02, true), (0.3, false)]);
        assert!(two < one / 20.0, "{one} {two}");
    }

    #[test]
    fn a_count_of_nothing_leaves_the_other_tail_nearly_alone() {
        let masses = [0.94, 0.047, 0.009, 0.003];
        let p = counted_tail(&masses, 0.001);
        assert!(p > 0.001 && p < 0.005, "{p}");
    }

    proptest! {
        #[test]
        fn the_tail_is_a_valid_p_value(
            qs in prop::collection::vec(0.001_f64..0.9, 1..6),
            level in 0.0001_f64..1.0,
        ) {
            // P(tail ≤ level) ≤ level, over all outcomes.
            let mut mass = 0.0;
            for outcome in 0..1_u32 << qs.len() {
                let properties: Vec<(f64, bool)> =
                    qs.iter().enumerate().map(|(i, q)| (*q, outcome & (1 << i) != 0)).collect();
                if broken_tail(&properties) <= level {
                    mass += properties
                        .iter()
                        .map(|(q, broke)| if *broke { *q } else { 1.0 - q })
                        .product::<f64>();
                }
            }
            prop_assert!(mass <= level * (1.0 + 1e-6), "{mass} > {level}");
        }
    }
}
