//! The standard normal's tails and quantiles, in logarithms, so that a surprise of 1e-400 is
//! still a number.
use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::{erfc, erfc_inv};

/// Below this the direct complement is replaced by its asymptotic series.
const LN_DIRECT_MIN: f64 = -600.0;

/// ln P(Z > u).
pub fn ln_upper_tail(u: f64) -> f64 {
    if u < 30.0 {
        return (0.5 * erfc(u / SQRT_2)).ln();
    }
    // Mills' ratio, Abramowitz and Stegun 26.2.12: relative error below 105/u^8.
    let s = 1.0 / (u * u);
    let series = 1.0 - s * (1.0 - s * (3.0 - s * 15.0));
    -0.5 * u * u - u.ln() - 0.5 * (2.0 * PI).ln() + series.ln()
}

/// The u with ln P(Z > u) = `ln_p`; infinite at the ends, NaN for NaN.
pub fn upper_quantile_ln(ln_p: f64) -> f64 {
    if ln_p >= 0.0 {
        return f64::NEG_INFINITY;
    }
    if ln_p > -1e-3 {
        // p near 1: the lower tail is the accurate one.
        return -upper_quantile_ln((-ln_p.exp_m1()).ln());
    }
    if ln_p > LN_DIRECT_MIN {
        return SQRT_2 * erfc_inv(2.0 * ln_p.exp());
    }
    // Newton on ln Q, whose slope is −u(1 + 1/u² …): two steps from the leading term suffice.
    let mut u = (-2.0 * ln_p - (4.0 * PI * -ln_p).ln()).sqrt();
    for _ in 0..3 {
        u += (ln_upper_tail(u) - ln_p) / (u + 1.0 / u);
    }
    u
}

/// The z with P(Z ≤ z) = `p`.
pub fn quantile(p: f64) -> f64 {
    -upper_quantile_ln(p.ln())
}

/// P(Z ≤ z).
pub fn lower_tail(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

#[cfg(test)]
#[allow(clippy::excessive_precision, clippy::approx_constant)] // tabulated values, as printed
mod tests {
    use super::*;

    /// Solved with mpmath at 40 digits.
    const QUANTILES: [(f64, f64); 11] = [
        (-0.1, -1.3096177994584932),
        (-1.0, 0.33747496376420246),
        (-2.3025850929940457, 1.2815515655446005),
        (-5.0, 2.4709386372615884),
        (-10.0, 3.9139462405318931),
        (-50.0, 9.6748252836123565),
        (-300.0, 24.326438906565587),
        (-700.0, 37.295079632647417),
        (-800.0, 39.884694838256678),
        (-2000.0, 63.165418608783609),
        (-1e5, 447.19789367852505),
    ];

    #[test]
    fn quantiles_agree_with_tabulated_values() {
        for (ln_p, u) in QUANTILES {
            let got = upper_quantile_ln(ln_p);
            assert!((got / u - 1.0).abs() < 1e-10, "{ln_p}: {got} {u}");
        }
        assert!(quantile(0.5).abs() < 1e-12);
        // R: qnorm(0.975), qnorm(0.001)
        assert!((quantile(0.975) - 1.959963984540054).abs() < 1e-12);
        assert!((quantile(0.001) + 3.090232306167813).abs() < 1e-12);
    }

    #[test]
    fn tails_invert_quantiles() {
        for (ln_p, u) in QUANTILES {
            assert!((ln_upper_tail(u) / ln_p - 1.0).abs() < 1e-9, "{ln_p}");
        }
        assert_eq!(upper_quantile_ln(0.0), f64::NEG_INFINITY);
        assert!((lower_tail(1.959963984540054) - 0.975).abs() < 1e-10);
    }
}
