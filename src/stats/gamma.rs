//! The Gamma distribution's upper tail and quantiles, in logarithms.
use statrs::function::gamma::{checked_gamma_lr, ln_gamma};

use super::normal;

/// Iterations after which the continued fraction has converged for every shape used here.
const FRACTION_STEPS_MAX: usize = 500;

/// ln Q(a, x) = ln P(X > x) for X ~ Gamma(shape a, scale 1). 0 for x ≤ 0; NaN if a is not
/// positive and finite. Exact far below the smallest f64: beyond the mean the continued fraction
/// of Q (Abramowitz and Stegun 6.5.31) is taken with its leading factor left in logarithms.
pub fn ln_upper_tail(shape: f64, x: f64) -> f64 {
    if !(shape > 0.0 && shape.is_finite()) || x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 0.0;
    }
    if x < shape + 1.0 {
        let lower = checked_gamma_lr(shape, x).unwrap_or(1.0);
        return (-lower.min(1.0)).ln_1p();
    }
    if x.is_infinite() {
        return f64::NEG_INFINITY;
    }
    shape * x.ln() - x - ln_gamma(shape) + fraction(shape, x).ln()
}

/// Lentz's evaluation of Γ(a, x) e^x x^(−a) for x ≥ a + 1.
fn fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..FRACTION_STEPS_MAX {
        let an = -(i as f64) * (i as f64 - a);
        b += 2.0;
        d = an * d + b;
        d = 1.0 / if d.abs() < TINY { TINY } else { d };
        c = b + an / c;
        if c.abs() < TINY {
            c = TINY;
        }
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// The surprise of `x` in normal units: the u with P(Z > u) = P(X > x).
pub fn upper_tail_score(shape: f64, x: f64) -> f64 {
    normal::upper_quantile_ln(ln_upper_tail(shape, x))
}

/// The x with P(X > x) = P(Z > u), X ~ Gamma(shape, 1): quantiles in normal units, to about 1e-6
/// in u: bands and thresholds need no more.
pub fn quantile_of_score(shape: f64, u: f64) -> f64 {
    if !(shape > 0.0 && shape.is_finite()) || u.is_nan() {
        return f64::NAN;
    }
    secant(shape, u).unwrap_or_else(|| bisection(shape, u))
}

/// Secant steps in the cube root of x, in which the normal score is nearly straight (Wilson and
/// Hilferty 1931); `None` where it is not (small shapes, far lower tails).
fn secant(shape: f64, u: f64) -> Option<f64> {
    let mut slope = 3.0 * shape.sqrt();
    let mut y = 1.0 - 1.0 / (9.0 * shape) + u / slope;
    let (mut last_y, mut last_error) = (f64::NAN, f64::NAN);
    for _ in 0..8 {
        if y.is_nan() || y <= 0.02 {
            return None;
        }
        let x = shape * y * y * y;
        let error = upper_tail_score(shape, x) - u;
        if error.abs() < 1e-6 {
            return Some(x);
        }
        if y != last_y && last_error.is_finite() {
            slope = (error - last_error) / (y - last_y);
        }
        (last_y, last_error) = (y, error);
        y -= error / slope;
    }
    None
}

/// Bisection on ln x.
fn bisection(shape: f64, u: f64) -> f64 {
    let ln_p = normal::ln_upper_tail(u);
    let start = shape.max(1e-300).ln();
    let (mut low, mut high) = (start, start);
    let mut width = 0.5;
    while ln_upper_tail(shape, low.exp()) < ln_p && low > -690.0 {
        low -= width;
        width *= 2.0;
    }
    width = 0.5;
    while ln_upper_tail(shape, high.exp()) > ln_p && high < 690.0 {
        high += width;
        width *= 2.0;
    }
    while high - low > 1e-7 {
        let mid = 0.5 * (low + high);
        if ln_upper_tail(shape, mid.exp()) > ln_p { low = mid } else { high = mid }
    }
    (0.5 * (low + high)).exp()
}

/// P(X ≥ k) for X ~ Poisson(mean).
pub fn poisson_upper_tail(mean: f64, at_least: u64) -> f64 {
    if at_least == 0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    // P(X ≥ k) = P(k, mean), the regularised lower incomplete gamma.
    checked_gamma_lr(at_least as f64, mean).unwrap_or(f64::NAN)
}

/// Exact bounds of the mean of a Poisson law that gave `observed`, at two-sided `confidence`
/// (Garwood 1936). The lower one is 0 for none observed.
pub fn poisson_bounds(observed: u64, confidence: f64) -> [f64; 2] {
    let half = (1.0 - confidence) / 2.0;
    let n = observed as f64;
    let lower =
        if observed == 0 { 0.0 } else { quantile_of_score(n, normal::quantile(half)).max(0.0) };
    [lower, quantile_of_score(n + 1.0, normal::quantile(1.0 - half))]
}

#[cfg(test)]
#[allow(clippy::excessive_precision, clippy::approx_constant)] // tabulated values, as printed
mod tests {
    use super::*;

    /// Computed with mpmath at 40 digits.
    #[test]
    fn the_tail_agrees_with_tabulated_values() {
        for (a, x, ln_q) in [
            (0.5, 0.1, -0.42354632347596574),
            (0.5, 3.0, -4.2470847467855897),
            (1.0, 1.0, -1.0),
            (2.5, 2.5, -0.87735807223433287),
            (2.5, 10.0, -6.6848273004769754),
            (10.0, 5.0, -0.032345580729534871),
            (10.0, 30.0, -11.852356955071915),
            (50.0, 60.0, -2.4721087206353381),
            (50.0, 120.0, -29.463088537235264),
            (0.01, 1.0, -6.111945638793726),
            (0.01, 0.0001, -2.4915005066656472),
            (5.0, 800.0, -776.43460067492359),
            (0.3, 2000.0, -2006.4167794805587),
            (50.0, 1500.0, -1286.1847560848298),
            (1000.0, 1100.0, -6.8501250144362653),
            (1000.0, 900.0, -0.00055005351741434473),
        ] {
            let got = ln_upper_tail(a, x);
            assert!((got / ln_q - 1.0).abs() < 1e-9, "Q({a}, {x}): {got} {ln_q}");
        }
    }

    #[test]
    fn the_ends_are_defined() {
        assert_eq!(ln_upper_tail(2.0, 0.0), 0.0);
        assert_eq!(ln_upper_tail(2.0, f64::INFINITY), f64::NEG_INFINITY);
        assert!(ln_upper_tail(0.0, 1.0).is_nan());
        assert!(ln_upper_tail(f64::INFINITY, 1.0).is_nan());
    }

    #[test]
    fn quantiles_invert_scores() {
        for shape in [0.01, 0.3, 1.0, 7.0, 50.0] {
            for u in [-1.5, 0.0, 1.6, 4.0, 12.0] {
                let x = quantile_of_score(shape, u);
                if x > 1e-250 {
                    let back = upper_tail_score(shape, x);
                    assert!((back - u).abs() < 1e-4, "{shape} {u} {x} {back}");
                }
            }
        }
    }

    /// R: ppois(k − 1, m, lower.tail = FALSE); computed with mpmath.
    #[test]
    fn poisson_agrees_with_tabulated_values() {
        for (m, k, p) in [
            (1.0, 1, 0.63212055882855768),
            (1.0, 5, 0.0036598468273437123),
            (0.001, 2, 4.996667916333403e-7),
            (30.0, 50, 0.00051889146254803429),
            (100.0, 80, 0.98254867748372457),
            (0.5, 20, 2.4354654299253143e-25),
        ] {
            let got = poisson_upper_tail(m, k);
            assert!((got / p - 1.0).abs() < 1e-10, "{m} {k}: {got} {p}");
        }
        assert_eq!(poisson_upper_tail(3.0, 0), 1.0);
        assert_eq!(poisson_upper_tail(0.0, 1), 0.0);
    }

    #[test]
    fn poisson_bounds_are_those_of_the_tables() {
        // Garwood's table at 95 %.
        for (observed, [low, high]) in
            [(0, [0.0, 3.689]), (1, [0.0253, 5.572]), (10, [4.795, 18.39]), (30, [20.24, 42.83])]
        {
            let [a, b] = poisson_bounds(observed, 0.95);
            assert!((a - low).abs() < 0.01 && (b - high).abs() < 0.01, "{observed}: {a} {b}");
        }
    }
}
