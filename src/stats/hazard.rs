//! Hazard of something new: how often does this account meet a category it never met?
//!
//! λ ~ Gamma(a0, b0) events a day; after N events in E days of exposure λ | data ~
//! Gamma(a0 + N, b0 + E). The chance of at least one in the next day is the Gamma–Poisson
//! (negative binomial) predictive 1 − ((b0+E)/(b0+E+1))^(a0+N).

/// A Gamma prior on events a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HazardPrior {
    /// Shape: events' worth of evidence.
    pub a0: f64,
    /// Rate: days' worth of evidence.
    pub b0: f64,
}

impl HazardPrior {
    /// P(at least one event in a day | N events in E days, both possibly decayed).
    pub fn p_day(self, events: f64, exposure_days: f64) -> f64 {
        self.p_within(events, exposure_days, 1.0)
    }
    /// P(at least one event in `days` | N events in E days). Stable for any exposure: computed
    /// through `expm1` and `ln_1p`.
    pub fn p_within(self, events: f64, exposure_days: f64, days: f64) -> f64 {
        let shape = (self.a0 + events.max(0.0)).max(0.0);
        let rate = (self.b0 + exposure_days.max(0.0)).max(f64::MIN_POSITIVE);
        -(-shape * (days.max(0.0) / rate).ln_1p()).exp_m1()
    }
    /// Mean events a day | data.
    pub fn mean(self, events: f64, exposure_days: f64) -> f64 {
        (self.a0 + events.max(0.0)) / (self.b0 + exposure_days.max(0.0)).max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
#[allow(clippy::excessive_precision, clippy::approx_constant)] // tabulated values, as printed
mod tests {
    use super::*;

    /// Computed with mpmath at 40 digits.
    #[test]
    fn agrees_with_tabulated_values() {
        for (a0, b0, n, e, p) in [
            (0.25, 25.0, 0.0, 0.0, 0.0097572642574346258),
            (0.25, 25.0, 3.0, 60.0, 0.037298736005026288),
            (0.02, 30.0, 0.0, 90.0, 0.00016596228303029164),
            (0.25, 25.0, 40.0, 130.0, 0.22805605044318448),
            (0.25, 25.0, 0.0, 1e9, 2.4999999359375016e-10),
        ] {
            let got = HazardPrior { a0, b0 }.p_day(n, e);
            assert!((got / p - 1.0).abs() < 1e-13, "{got} {p}");
        }
    }

    #[test]
    fn quiet_exposure_lowers_it_and_events_raise_it() {
        let h = HazardPrior { a0: 0.25, b0: 25.0 };
        assert!(h.p_day(0.0, 50.0) < h.p_day(0.0, 0.0));
        assert!(h.p_day(5.0, 50.0) > h.p_day(1.0, 50.0));
        assert!(h.p_within(1.0, 50.0, 7.0) > h.p_day(1.0, 50.0));
        assert_eq!(h.p_within(1.0, 50.0, 0.0), 0.0);
    }
}
