//! Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: "Forward decay: a practical time decay
//! model for streaming systems", ICDE 2009).
//!
//! An observation at t weighs 2^((t − L)/τ) against a landmark L; what is read at `now` is the
//! sum times 2^(−(now − L)/τ). Late observations simply weigh less, so that order does not matter
//! beyond rounding. The landmark moves when the exponent passes [`EXPONENT_MAX`].
use crate::time::{DAY_MS, Timestamp};

/// Largest exponent of two before the landmark moves: 2^30 leaves an f64 sum 23 bits of room and
/// a u64 of 1024-fold weights 23 bits.
pub const EXPONENT_MAX: f64 = 30.0;

/// What is left of a weight after `elapsed_ms` with a half-life of `half_life_days`.
pub fn retention(elapsed_ms: i64, half_life_days: f64) -> f64 {
    (-(elapsed_ms as f64) / (half_life_days * DAY_MS as f64)).exp2()
}

/// The landmark of a collection of decayed sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmark(pub Timestamp);

impl Landmark {
    /// Weight of an observation at `at`.
    pub fn weight(self, at: Timestamp, half_life_days: f64) -> f64 {
        retention(at.since(self.0).saturating_neg(), half_life_days)
    }
    /// Moves to `at` when the exponent has passed [`EXPONENT_MAX`]; returns the factor by which
    /// every sum of the collection has to be multiplied then.
    pub fn advance(&mut self, at: Timestamp, half_life_days: f64) -> Option<f64> {
        let elapsed = at.since(self.0);
        if elapsed as f64 <= EXPONENT_MAX * half_life_days * DAY_MS as f64 {
            return None;
        }
        self.0 = at;
        Some(retention(elapsed, half_life_days))
    }
}

/// One decayed sum or count. The half-life is a setting, not state: pass the same one always.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decayed {
    pub(crate) landmark: Timestamp,
    pub(crate) sum: f64,
}

impl Decayed {
    /// Adds `amount` observed at `at`.
    pub fn add(&mut self, at: Timestamp, amount: f64, half_life_days: f64) {
        if self.sum == 0.0 {
            self.landmark = at;
        }
        let mut landmark = Landmark(self.landmark);
        if let Some(factor) = landmark.advance(at, half_life_days) {
            self.sum *= factor;
            self.landmark = landmark.0;
        }
        self.sum += amount * landmark.weight(at, half_life_days);
    }
    /// What the sum is worth at `now`.
    pub fn value(&self, now: Timestamp, half_life_days: f64) -> f64 {
        self.sum * retention(now.since(self.landmark), half_life_days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(d: f64) -> Timestamp {
        Timestamp((d * DAY_MS as f64) as i64)
    }

    #[test]
    fn a_half_life_halves() {
        let mut d = Decayed::default();
        d.add(day(0.0), 8.0, 14.0);
        assert!((d.value(day(14.0), 14.0) - 4.0).abs() < 1e-12);
        assert!((d.value(day(42.0), 14.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn arrival_order_does_not_matter_and_a_moved_landmark_is_invisible() {
        let observations = [(0.0, 3.0), (500.0, 2.0), (480.0, 5.0), (501.0, 1.0)];
        let (mut forward, mut backward) = (Decayed::default(), Decayed::default());
        for (t, x) in observations {
            forward.add(day(t), x, 10.0);
        }
        for (t, x) in observations.iter().rev() {
            backward.add(day(*t), *x, 10.0);
        }
        let direct: f64 =
            observations.iter().map(|(t, x)| x * (-(505.0 - t) / 10.0f64).exp2()).sum();
        for d in [forward, backward] {
            assert!((d.value(day(505.0), 10.0) / direct - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_landmark_moves_past_thirty_half_lives() {
        let mut l = Landmark(day(0.0));
        assert_eq!(l.advance(day(30.0), 1.0), None);
        let factor = l.advance(day(31.0), 1.0).unwrap();
        assert!((factor - (-31.0f64).exp2()).abs() < 1e-24);
        assert_eq!(l, Landmark(day(31.0)));
        assert_eq!(l.weight(day(33.0), 1.0), 4.0);
    }
}
