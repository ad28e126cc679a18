//! The negative binomial's upper tail: counts whose Poisson rate is itself uncertain.
use statrs::function::beta::checked_beta_reg;

/// P(X ≥ k) where X | λ ~ Poisson(λ·exposure) and λ ~ Gamma(shape, rate): the predictive of a
/// count after conjugate learning (shape = a0 + events seen, rate = b0 + exposure seen).
///
/// 1 for k = 0; 0 for no exposure; never below the smallest positive f64 otherwise.
pub fn predictive_upper_tail(shape: f64, rate: f64, exposure: f64, at_least: u64) -> f64 {
    let odds = exposure.max(0.0) / rate.max(f64::MIN_POSITIVE);
    upper_tail(shape, odds / (1.0 + odds), at_least)
}

/// P(X ≥ k) for a negative binomial of real `shape` r and per-trial probability q of a further
/// count (R's `prob` is 1 − q): I_q(k, r), the regularised incomplete beta.
pub fn upper_tail(shape: f64, q: f64, at_least: u64) -> f64 {
    if at_least == 0 {
        return 1.0;
    }
    if q.is_nan() || q <= 0.0 || shape.is_nan() || shape <= 0.0 {
        return 0.0;
    }
    if q >= 1.0 {
        return 1.0;
    }
    let p = checked_beta_reg(at_least as f64, shape, q).unwrap_or(f64::NAN);
    // The beta's own cancellation near an end may leave a zero or a hair below it.
    p.clamp(f64::MIN_POSITIVE, 1.0)
}

#[cfg(test)]
#[allow(clippy::excessive_precision, clippy::approx_constant)] // tabulated values, as printed
mod tests {
    use super::*;

    /// scipy.stats.nbinom.sf(k − 1, r, 1 − q), mpmath betainc at 40 digits.
    #[test]
    fn agrees_with_tabulated_values() {
        for (r, q, k, p) in [
            (1.0, 0.5, 3, 0.125),
            (2.5, 0.7, 4, 0.64780241409323279),
            (0.02, 0.1, 1, 0.002104991704136802),
            (10.0, 0.2, 12, 0.00019406575165767637),
            (0.5, 0.95, 60, 0.013292852696159409),
            (3.0, 0.001, 5, 2.0965015000000093e-14),
            (100.0, 0.5, 150, 0.00074058306656412747),
        ] {
            let got = upper_tail(r, q, k);
            assert!((got / p - 1.0).abs() < 1e-10, "{r} {q} {k}: {got} {p}");
        }
    }

    #[test]
    fn the_predictive_is_the_hazard_for_one_event() {
        let p = predictive_upper_tail(0.25, 85.0, 1.0, 1);
        let hazard = crate::stats::hazard::HazardPrior { a0: 0.25, b0: 85.0 }.p_day(0.0, 0.0);
        assert!((p / hazard - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_ends_are_defined() {
        assert_eq!(upper_tail(1.0, 0.5, 0), 1.0);
        assert_eq!(predictive_upper_tail(1.0, 1.0, 0.0, 3), 0.0);
        assert!(upper_tail(1.0, 0.5, u64::MAX) > 0.0);
    }
}
