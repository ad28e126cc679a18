//! One stream of bytes: the total, or one operation class.
use super::season::Season;
use super::{Span, UNKNOWN};
use crate::baseline::cell::StreamSums;
use crate::profile::EgressProfile;

/// Closed hours kept: today, the fortnight before (recurrence) and the windows.
pub(crate) const HOURS_KEPT: usize = 15 * 24;
/// Predicted hours kept: the week of the longest window, and tomorrow's.
pub(crate) const PREDICTED_KEPT: usize = 8 * 24;
/// Closed ten-minute cells kept: one hour.
pub(crate) const SLOTS_KEPT: usize = 6;
/// Smallest expectation of an hour, in response sizes: about one response in three weeks, so that
/// an hour that never had traffic can be compared.
const EXPECTED_MIN_SIZES: f64 = 0.002;

/// State of a stream. Rings are indexed by absolute hour or cell modulo their length.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Decayed winsorised bytes.
    pub(crate) season: Season,
    /// Bytes of closed hours; [`UNKNOWN`] where there are no logs.
    pub(crate) observed: [f32; HOURS_KEPT],
    /// Bytes predicted at midnight, never revised.
    pub(crate) expected: [f32; PREDICTED_KEPT],
    /// Bytes of closed ten-minute cells.
    pub(crate) slots: [f32; SLOTS_KEPT],
    /// Bytes of the open ten-minute cell.
    pub(crate) slot_bytes: u64,
    /// Bytes of the open hour.
    pub(crate) hour_bytes: u64,
    /// Σ bytes and Σ bytes² >> 10 since midnight.
    pub(crate) day_bytes: u64,
    /// See `day_bytes`.
    pub(crate) day_squares: u64,
    /// Decayed Σ len and Σ len².
    pub(crate) size_bytes: f64,
    /// See `size_bytes`.
    pub(crate) size_squares: f64,
    /// Size scale A in force today, bytes.
    pub(crate) size: f64,
    /// Decayed observed and expected day behind the level.
    pub(crate) level_observed: f64,
    /// See `level_observed`.
    pub(crate) level_expected: f64,
    /// Level in force today.
    pub(crate) level: f64,
    /// Decayed over-dispersion of 1, 6, 24 hours: of the total, or of the operation against the
    /// rest.
    pub(crate) dispersion: [f64; 3],
}

impl Stream {
    pub(crate) fn new() -> Stream {
        Stream {
            season: Season::new(),
            observed: [UNKNOWN; HOURS_KEPT],
            expected: [0.0; PREDICTED_KEPT],
            slots: [0.0; SLOTS_KEPT],
            slot_bytes: 0,
            hour_bytes: 0,
            day_bytes: 0,
            day_squares: 0,
            size_bytes: 0.0,
            size_squares: 0.0,
            size: 0.0,
            level_observed: 0.0,
            level_expected: 0.0,
            level: 1.0,
            dispersion: [0.0; 3],
        }
    }

    pub(crate) fn add(&mut self, sums: &StreamSums) {
        self.slot_bytes = self.slot_bytes.saturating_add(sums.bytes);
        self.hour_bytes = self.hour_bytes.saturating_add(sums.bytes);
        self.day_bytes = self.day_bytes.saturating_add(sums.bytes);
        self.day_squares = self.day_squares.saturating_add(sums.squares);
    }

    /// Bytes of a closed hour within the last fortnight; `None` where there are no logs.
    pub(crate) fn observed(&self, hour: i64) -> Option<f64> {
        let b = self.observed[hour.rem_euclid(HOURS_KEPT as i64) as usize];
        (b >= 0.0).then_some(f64::from(b))
    }

    pub(crate) fn set_observed(&mut self, hour: i64, bytes: f32) {
        self.observed[hour.rem_euclid(HOURS_KEPT as i64) as usize] = bytes;
    }

    /// Bytes predicted for `hour`.
    pub(crate) fn expected(&self, hour: i64) -> f64 {
        f64::from(self.expected[hour.rem_euclid(PREDICTED_KEPT as i64) as usize])
    }

    /// Σ predicted bytes of a day.
    pub(crate) fn expected_day(&self, day: i64) -> f64 {
        (0..24).map(|h| self.expected(day * 24 + h)).sum()
    }

    /// Predicts the 24 hours of `day` from sums and level.
    pub(crate) fn predict(&mut self, day: i64, logged: &Season, profile: &EgressProfile) {
        let least = EXPECTED_MIN_SIZES * self.size;
        for hour in day * 24..day * 24 + 24 {
            let e = (self.level * self.season.mean(logged, hour, profile)).max(least);
            self.expected[hour.rem_euclid(PREDICTED_KEPT as i64) as usize] = e as f32;
        }
    }

    /// Size scale A = (Σ len² + c·A0)/(Σ len + c), A0 the population's.
    pub(crate) fn refresh_size(&mut self, population: f64, profile: &EgressProfile) {
        let c = profile.size_prior_bytes;
        self.size = (self.size_squares + c * population) / (self.size_bytes + c);
    }

    /// Level g = clip((Lo + 2D)/(Le + 2D)), D the mean day.
    pub(crate) fn refresh_level(&mut self, logged: &Season, profile: &EgressProfile) {
        let held = profile.level_prior_days * 24.0 * self.season.overall(logged);
        let [low, high] = profile.level_bounds;
        let g = (self.level_observed + held) / (self.level_expected + held);
        self.level = if g.is_finite() { g.clamp(low, high) } else { 1.0 };
    }

    /// Over-dispersion of window `w`, shrunk to the population's.
    pub(crate) fn phi(&self, w: usize, days: f64, population: f64, profile: &EgressProfile) -> f64 {
        let k = profile.dispersion_prior_days;
        (self.dispersion[w] + k * population) / (days + k)
    }

    /// Closed hours from `first` to before `end`, without those that have no logs.
    pub(crate) fn span(&self, first: i64, end: i64) -> Span {
        let mut span = Span::default();
        for hour in first..end {
            if let Some(b) = self.observed(hour) {
                span.observed += b;
                span.expected += self.expected(hour);
            }
        }
        span
    }

    /// What `hour` may teach: at most expectation + 3 deviations, or what recurred.
    pub(crate) fn winsorised(&self, hour: i64, phi: f64, profile: &EgressProfile) -> f64 {
        let b = self.observed(hour).unwrap_or(0.0);
        let e = self.expected(hour);
        let deviation = (self.size * e + phi * e * e).sqrt();
        let back = |days: i64| self.observed(hour - days * 24).unwrap_or(0.0);
        let recurring = back(1).min(back(2)).max(back(7).min(back(14)));
        let most =
            (e + profile.winsor_deviations * deviation).max(profile.winsor_recurrence * recurring);
        b.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn flat(bytes: f32) -> Stream {
        let mut s = Stream::new();
        s.observed = [bytes; HOURS_KEPT];
        s.expected = [bytes; PREDICTED_KEPT];
        s.size = 100.0;
        s
    }

    #[test]
    fn the_size_scale_by_hand() {
        let profile = Profile::default().egress;
        let mut s = Stream::new();
        s.size_bytes = 15_000.0;
        s.size_squares = 15_000.0 * 600.0;
        s.refresh_size(2000.0, &profile);
        assert!((s.size - (9e6 + 1e7) / 20_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_single_burst_is_cut_and_a_recurring_batch_is_not() {
        let profile = Profile::default().egress;
        let mut s = flat(1000.0);
        let hour = 20 * 24 + 3;
        s.set_observed(hour, 90_000.0);
        let deviation = (100.0 * 1000.0 + 0.1 * 1e6f64).sqrt();
        let cut = 1000.0 + 3.0 * deviation;
        assert!((s.winsorised(hour, 0.1, &profile) - cut).abs() < 1e-6);
        s.set_observed(hour - 24, 80_000.0);
        assert!((s.winsorised(hour, 0.1, &profile) - cut).abs() < 1e-6, "one day is no habit");
        s.set_observed(hour - 48, 70_000.0);
        assert!((s.winsorised(hour, 0.1, &profile) - 84_000.0).abs() < 1e-2);
    }

    #[test]
    fn gaps_leave_both_sides_of_a_span() {
        let mut s = flat(10.0);
        s.set_observed(101, UNKNOWN);
        assert_eq!(s.span(100, 103), Span { observed: 20.0, expected: 20.0 });
    }

    #[test]
    fn the_level_is_bounded_and_starts_at_one() {
        let profile = Profile::default().egress;
        let mut s = Stream::new();
        let logged = Season::new();
        s.refresh_level(&logged, &profile);
        assert_eq!(s.level, 1.0);
        (s.level_observed, s.level_expected) = (1e6, 1.0);
        s.refresh_level(&logged, &profile);
        assert_eq!(s.level, 2.5);
    }
}
