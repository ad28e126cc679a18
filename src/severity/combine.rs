//! Evidence of several kinds and several days, combined with a bound on false alarms.
//!
//! A day's p-values become e-values by the calibrator `½·p^(−½)` (its expectation under "benign" is
//! at most 1), their weighted mean is an e-value whatever the dependence between kinds, and the
//! CUSUM-like e-detector `M ← max(M, 1)·e` crosses a level c in benign life no more often than once
//! in c days on average. Sources: V. Vovk and R. Wang, "E-values: calibration, combination and
//! applications", Annals of Statistics 49 (2021); J. Shin, A. Ramdas, A. Rinaldo, "E-detectors",
//! New England Journal of Statistics in Data Science (2024).
use crate::detect::Severity;

/// Level at which several findings make a Medium incident: one in 300 benign account-days.
pub const INCIDENT_MEDIUM: f64 = 300.0;
/// Level at which they make a High incident: one in 3,000 benign account-days.
pub const INCIDENT_HIGH: f64 = 3000.0;
/// Smallest p that is believed: keeps products finite, and no tail is known this far out.
const P_MIN: f64 = 1e-12;

/// The e-value of one p-value: `½·p^(−½)`.
pub fn e_value(p: f64) -> f64 {
    let p = if p.is_nan() { 1.0 } else { p.clamp(P_MIN, 1.0) };
    0.5 / p.sqrt()
}

/// The e-value of one day: the weighted mean over kinds. A kind that was not tested (`None`) makes
/// no bet and counts as 1. Weights that are not positive are left out; without any, 1.
pub fn day_e_value(kinds: &[(f64, Option<f64>)]) -> f64 {
    let sound = |w: f64| w.is_finite() && w > 0.0;
    let total: f64 = kinds.iter().map(|k| k.0).filter(|w| sound(*w)).sum();
    if total <= 0.0 {
        return 1.0;
    }
    let bets = kinds.iter().filter(|k| sound(k.0)).map(|(w, p)| w * p.map_or(1.0, e_value));
    bets.sum::<f64>() / total
}

/// Evidence that has gathered on one account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gathered(pub(crate) f64);

impl Default for Gathered {
    fn default() -> Self {
        Gathered(1.0)
    }
}

impl Gathered {
    /// Adds a day: `M ← max(M, 1)·e`. Call it once an account-day, in time order.
    pub fn add_day(&mut self, e: f64) {
        let e = if e.is_finite() { e.max(0.0) } else { 1.0 };
        self.0 = (self.0.max(1.0) * e).min(f64::MAX);
    }
    /// M.
    pub fn level(self) -> f64 {
        self.0
    }
    /// The incident that M amounts to.
    pub fn incident(self) -> Option<Severity> {
        if self.0 >= INCIDENT_HIGH {
            Some(Severity::High)
        } else if self.0 >= INCIDENT_MEDIUM {
            Some(Severity::Medium)
        } else {
            None
        }
    }
    /// Starts afresh, after an incident was raised.
    pub fn clear(&mut self) {
        *self = Gathered::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calibrator_bets_at_most_one_in_expectation() {
        let steps = 1_000_000;
        let mean: f64 =
            (0..steps).map(|i| e_value((f64::from(i) + 0.5) / f64::from(steps))).sum::<f64>()
                / f64::from(steps);
        assert!((0.998..=1.0).contains(&mean), "{mean}");
        assert_eq!(e_value(f64::NAN), 0.5);
        assert!(e_value(0.0).is_finite());
    }

    #[test]
    fn kinds_that_were_not_tested_make_no_bet() {
        assert_eq!(day_e_value(&[]), 1.0);
        assert_eq!(day_e_value(&[(1.0, None), (2.0, None)]), 1.0);
        assert_eq!(day_e_value(&[(1.0, Some(0.25)), (1.0, None)]), 1.0);
        assert_eq!(day_e_value(&[(f64::NAN, Some(1e-9)), (1.0, Some(0.25))]), 1.0);
    }

    #[test]
    fn two_rare_days_make_an_incident_and_ordinary_days_never_do() {
        let mut gathered = Gathered::default();
        gathered.add_day(day_e_value(&[(1.0, Some(1e-4)), (1.0, Some(0.5))]));
        assert_eq!(gathered.incident(), None, "{}", gathered.level());
        gathered.add_day(day_e_value(&[(1.0, Some(1e-4)), (1.0, Some(1e-4))]));
        assert_eq!(gathered.incident(), Some(Severity::Medium), "{}", gathered.level());
        gathered.add_day(50.0);
        assert_eq!(gathered.incident(), Some(Severity::High));
        gathered.clear();
        for _ in 0..10_000 {
            gathered.add_day(day_e_value(&[(1.0, Some(0.5))]));
        }
        assert_eq!(gathered.incident(), None);
        assert!(gathered.level() < 1.0);
    }
}
