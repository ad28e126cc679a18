//! A decayed quantile histogram over [`hdrhistogram`].
//!
//! HdrHistogram has integer counts and no decay: an observation is recorded `round(1024·w)` times
//! into u64 counters, w its forward-decay weight, and all counts shrink by the landmark's own
//! factor when it moves. Values are clipped at 2^40 and recorded with the plain call: the
//! saturating one clamps to the current size when auto-resize is on.
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use super::decay::Landmark;
use crate::time::Timestamp;

/// Largest value recorded.
pub const VALUE_MAX: u64 = 1 << 40;
/// Recordings per unit of weight.
const UNIT: f64 = 1024.0;

/// Quantiles of a decayed stream of integers, to one significant digit (within 6 %).
#[derive(Clone, Debug, PartialEq)]
pub struct DecayedHistogram {
    histogram: Histogram<u64>,
    landmark: Landmark,
}

impl DecayedHistogram {
    /// Empty. `lowest` is the smallest value told apart from 0.
    pub fn new(lowest: u64) -> DecayedHistogram {
        DecayedHistogram { histogram: empty(lowest), landmark: Landmark(Timestamp::MIN) }
    }

    /// Records `value` observed at `at`.
    pub fn record(&mut self, at: Timestamp, value: u64, half_life_days: f64) {
        if self.histogram.is_empty() {
            self.landmark = Landmark(at);
        }
        if let Some(factor) = self.landmark.advance(at, half_life_days) {
            self.rescale(factor);
        }
        let times = (UNIT * self.landmark.weight(at, half_life_days)).round() as u64;
        // Cannot fail: the value is inside what auto-resize covers.
        let _ = self.histogram.record_n(value.min(VALUE_MAX), times);
    }

    fn rescale(&mut self, factor: f64) {
        let mut scaled = empty(self.histogram.low());
        for v in self.histogram.iter_recorded() {
            let count = (v.count_at_value() as f64 * factor).round() as u64;
            if count > 0 {
                let _ = scaled.record_n(v.value_iterated_to().min(VALUE_MAX), count);
            }
        }
        self.histogram = scaled;
    }

    /// The value at quantile `q` (0 to 1); `None` while empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        (!self.histogram.is_empty()).then(|| self.histogram.value_at_quantile(q.clamp(0.0, 1.0)))
    }

    /// Share of the weight at or below `value`; 0 while empty.
    pub fn share_at_or_below(&self, value: u64) -> f64 {
        if self.histogram.is_empty() { 0.0 } else { self.histogram.quantile_below(value) }
    }

    /// The landmark, for persistence.
    pub fn landmark(&self) -> Timestamp {
        self.landmark.0
    }

    /// HdrHistogram's V2 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing into memory cannot fail; an empty result is refused on reading.
        let _ = V2Serializer::new().serialize(&self.histogram, &mut bytes);
        bytes
    }

    /// From V2 bytes and landmark; `None` if they are not a histogram of this kind. Auto-resize is
    /// not part of the bytes and is switched on again.
    pub fn from_bytes(mut bytes: &[u8], landmark: Timestamp) -> Option<DecayedHistogram> {
        let mut histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes).ok()?;
        if histogram.sigfig() != 1 || !bytes.is_empty() {
            return None;
        }
        histogram.auto(true);
        Some(DecayedHistogram { histogram, landmark: Landmark(landmark) })
    }

    /// Most heap bytes: one significant digit up to the largest value.
    pub const HEAP_MAX: usize = 4864;

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.histogram.distinct_values() * size_of::<u64>()
    }
}

/// An empty one-digit histogram that grows as needed.
fn empty(lowest: u64) -> Histogram<u64> {
    let lowest = lowest.clamp(1, VALUE_MAX / 4);
    #[allow(clippy::expect_used)] // 1 ≤ low, 2·low ≤ high and one digit are what the crate asks
    let mut h = Histogram::new_with_bounds(lowest, lowest * 2, 1).expect("bounds are valid");
    h.auto(true);
    h
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY_MS;

    fn day(d: i64) -> Timestamp {
        Timestamp(d * DAY_MS)
    }

    #[test]
    fn quantiles_are_within_a_digit() {
        let mut h = DecayedHistogram::new(1);
        for v in 1..=10_000 {
            h.record(day(0), v, 14.0);
        }
        for (q, want) in [(0.05, 500.0), (0.5, 5_000.0), (0.95, 9_500.0)] {
            let got = h.quantile(q).unwrap() as f64;
            assert!((got / want - 1.0f64).abs() < 0.07, "{q}: {got}");
        }
        assert!((h.share_at_or_below(5_000) - 0.5).abs() < 0.04);
    }

    #[test]
    fn old_values_fade() {
        let mut h = DecayedHistogram::new(1);
        for _ in 0..100 {
            h.record(day(0), 1_000, 14.0);
            h.record(day(140), 10, 14.0);
        }
        assert!(h.quantile(0.95).unwrap() < 20);
        // Past thirty half-lives the counts are rescaled.
        h.record(day(14 * 31), 500, 14.0);
        assert!(h.quantile(0.5).unwrap() >= 500);
    }

    #[test]
    fn extremes_do_not_fail() {
        let mut h = DecayedHistogram::new(64);
        assert_eq!(h.quantile(0.5), None);
        h.record(day(0), 0, 14.0);
        h.record(day(0), u64::MAX, 14.0);
        assert!(h.quantile(1.0).unwrap() >= VALUE_MAX);
        assert!(h.heap_bytes() <= DecayedHistogram::HEAP_MAX, "{}", h.heap_bytes());
    }

    #[test]
    fn bytes_come_back_equal_and_still_grow() {
        let mut h = DecayedHistogram::new(64);
        for v in [0, 70, 4_000, 1_000_000] {
            h.record(day(3), v, 14.0);
        }
        let mut back = DecayedHistogram::from_bytes(&h.to_bytes(), h.landmark()).unwrap();
        assert_eq!(back, h);
        assert_eq!(back.to_bytes(), h.to_bytes());
        h.record(day(4), 1 << 35, 14.0);
        back.record(day(4), 1 << 35, 14.0);
        assert_eq!(back, h);
        assert!(DecayedHistogram::from_bytes(b"junk", day(0)).is_none());
        assert!(DecayedHistogram::from_bytes(&[], day(0)).is_none());
    }
}
