//! An empirical survival curve with a generalised Pareto tail.
//!
//! 64 knots hold the values at which P(V ≥ v) falls to 10^(−3i/63): from 1 to .001, so that the
//! operating points of the tests lie inside. Between knots ln P is linear in v. Beyond the last knot the tail is generalised Pareto with shape ξ = .15 and
//! scale = mean excess × (1 − ξ), so that its mean excess is the observed one.

/// Knots of a curve.
pub const KNOTS: usize = 64;
/// Shape of the tail: heavier than exponential, all moments up to the sixth.
pub const XI: f64 = 0.15;

/// Decades of survival that the knots cover.
pub const DECADES: f64 = 3.0;

/// A survival curve.
#[derive(Clone, Debug, PartialEq)]
pub struct TailCurve {
    /// Values at falling survival, ascending (ties are atoms).
    pub(crate) knots: [f32; KNOTS],
    /// Mean excess over the last knot of what lies beyond it.
    pub(crate) mean_excess: f32,
}

/// ln of the survival at knot `i`.
fn ln_survival(i: usize) -> f64 {
    -DECADES * std::f64::consts::LN_10 * i as f64 / (KNOTS - 1) as f64
}

impl TailCurve {
    /// From knots and mean excess; `None` unless finite and ascending.
    pub fn new(knots: [f32; KNOTS], mean_excess: f32) -> Option<TailCurve> {
        let ascending = knots.windows(2).all(|w| w[0] <= w[1]);
        let finite = knots.iter().all(|k| k.is_finite()) && mean_excess.is_finite();
        (ascending && finite && mean_excess > 0.0).then_some(TailCurve { knots, mean_excess })
    }

    /// The empirical curve of a sample; `None` if it is empty or not finite.
    pub fn fit(sample: &[f64]) -> Option<TailCurve> {
        let mut sorted: Vec<f64> = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        if n == 0 {
            return None;
        }
        let mut knots = [0.0; KNOTS];
        for (i, knot) in knots.iter_mut().enumerate() {
            let above = ln_survival(i).exp() * n as f64;
            let at = n.saturating_sub(above.round().max(1.0) as usize);
            *knot = sorted[at.min(n - 1)] as f32;
        }
        let last = f64::from(knots[KNOTS - 1]);
        let beyond: Vec<f64> =
            sorted[n - (n / 1000).max(1)..].iter().map(|v| (v - last).max(0.0)).collect();
        let mean = beyond.iter().sum::<f64>() / beyond.len() as f64;
        TailCurve::new(knots, mean.max(1e-3) as f32)
    }

    /// Mean excess beyond the last knot.
    pub fn mean_excess(&self) -> f64 {
        f64::from(self.mean_excess)
    }

    fn scale(&self) -> f64 {
        f64::from(self.mean_excess) * (1.0 - XI)
    }

    /// P(V ≥ v).
    pub fn survival(&self, v: f64) -> f64 {
        let knot = |i: usize| f64::from(self.knots[i]);
        if v.is_nan() || v <= knot(0) {
            return 1.0;
        }
        let above = self.knots.partition_point(|k| f64::from(*k) < v);
        if above == KNOTS {
            let z = 1.0 + XI * (v - knot(KNOTS - 1)) / self.scale();
            return (ln_survival(KNOTS - 1) - z.ln() / XI).exp();
        }
        let (v0, v1) = (knot(above - 1), knot(above));
        let part = (v - v0) / (v1 - v0);
        (ln_survival(above - 1) * (1.0 - part) + ln_survival(above) * part).exp()
    }

    /// The v with P(V ≥ v) = `p`, the largest where the curve has an atom.
    pub fn value_at(&self, p: f64) -> f64 {
        let ln_p = p.clamp(f64::MIN_POSITIVE, 1.0).ln();
        let last = ln_survival(KNOTS - 1);
        if ln_p <= last {
            let z = ((last - ln_p) * XI).exp();
            return f64::from(self.knots[KNOTS - 1]) + self.scale() * (z - 1.0) / XI;
        }
        let place = ln_p / last * (KNOTS - 1) as f64;
        let i = (place as usize).min(KNOTS - 2);
        let (v0, v1) = (f64::from(self.knots[i]), f64::from(self.knots[i + 1]));
        v0 + (v1 - v0) * (place - i as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential() -> TailCurve {
        let mut knots = [0.0; KNOTS];
        for (i, k) in knots.iter_mut().enumerate() {
            *k = -ln_survival(i) as f32;
        }
        TailCurve::new(knots, 1.0).unwrap()
    }

    #[test]
    fn inside_the_knots_it_interpolates() {
        let c = exponential();
        for v in [0.0, 0.3, 1.0, 4.0] {
            assert!((c.survival(v) / (-v).exp() - 1.0).abs() < 1e-5, "{v}");
        }
        assert_eq!(c.survival(-3.0), 1.0);
        assert!((c.value_at(0.3) + 0.3f64.ln()).abs() < 1e-5);
    }

    #[test]
    fn beyond_them_it_is_generalised_pareto() {
        let c = exponential();
        let last = -ln_survival(KNOTS - 1);
        // .001 (1 + .15·2/.85)^(−1/.15), by hand
        let by_hand = 0.001 * (1.0 + 0.3 / 0.85f64).powf(-1.0 / 0.15);
        assert!((c.survival(last + 2.0) / by_hand - 1.0).abs() < 1e-5);
        for p in [1e-3, 1e-6, 0.05] {
            assert!((c.survival(c.value_at(p)) / p - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn an_atom_at_the_bottom_is_certain_and_anything_above_it_is_not() {
        let mut sample = vec![0.0; 900];
        sample.extend((1..=100).map(|i| 5.0 + f64::from(i) / 100.0));
        let c = TailCurve::fit(&sample).unwrap();
        assert_eq!(c.survival(0.0), 1.0);
        assert!(c.survival(0.1) < 0.13 && c.survival(4.9) > 0.09);
        assert!(c.survival(5.99) < 0.02);
    }

    #[test]
    fn a_fit_returns_the_quantiles_of_its_sample() {
        let sample: Vec<f64> = (1..=10_000).map(|i| f64::from(i) / 10_000.0).collect();
        let c = TailCurve::fit(&sample).unwrap();
        assert!((c.survival(0.5) - 0.5).abs() < 0.01);
        assert!((c.survival(0.95) - 0.05).abs() < 0.003);
        assert!(TailCurve::fit(&[]).is_none());
        assert!(TailCurve::fit(&[f64::NAN]).is_none());
    }
}
