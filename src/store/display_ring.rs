//! The display ring: what an account's hours looked like, on disk and never in the actor. A day
//! is 24 records of 21 bytes: state, five f16 of ln(1 + bytes), ten surprise codes.
use half::f16;

use crate::account::message::{HourRecord, SURPRISE_LANES};
use crate::baseline::tempo::HourStatus;

/// Bytes of one hour.
pub const HOUR_BYTES: usize = 1 + 5 * 2 + SURPRISE_LANES;
/// Bytes of one day.
pub const DAY_BYTES: usize = 24 * HOUR_BYTES;
/// Days kept.
pub const DAYS_KEPT: i64 = 28;

fn squeeze(bytes: f64) -> [u8; 2] {
    f16::from_f64(if bytes.is_nan() { f64::NAN } else { bytes.max(0.0).ln_1p() }).to_le_bytes()
}

fn widen(bytes: [u8; 2]) -> f64 {
    f16::from_le_bytes(bytes).to_f64().exp_m1()
}

/// Puts `record` into its day (24 slots; absent hours have state 0).
pub fn put(day: &mut Vec<u8>, record: &HourRecord) {
    day.resize(DAY_BYTES, 0);
    let slot = record.hour.rem_euclid(24) as usize * HOUR_BYTES;
    let Some(to) = day.get_mut(slot..slot + HOUR_BYTES) else { return };
    to[0] = match record.status {
        HourStatus::Logged => 1,
        HourStatus::Silent => 2,
        HourStatus::Gap => 3,
    };
    let values = [
        record.observed,
        record.quantiles[0],
        record.quantiles[1],
        record.quantiles[2],
        record.low_from,
    ];
    for (i, value) in values.into_iter().enumerate() {
        to[1 + 2 * i..3 + 2 * i].copy_from_slice(&squeeze(value));
    }
    to[11..].copy_from_slice(&record.surprise);
}

/// Reads the hours of `day` (days since the epoch) back; damaged lengths give nothing.
pub fn read(day: i64, bytes: &[u8]) -> Vec<HourRecord> {
    if bytes.len() != DAY_BYTES {
        return Vec::new();
    }
    let mut hours = Vec::with_capacity(24);
    for (slot, raw) in bytes.chunks_exact(HOUR_BYTES).enumerate() {
        let status = match raw[0] {
            1 => HourStatus::Logged,
            2 => HourStatus::Silent,
            3 => HourStatus::Gap,
            _ => continue,
        };
        let value = |i: usize| widen([raw[1 + 2 * i], raw[2 + 2 * i]]);
        let mut surprise = [0; SURPRISE_LANES];
        surprise.copy_from_slice(&raw[11..]);
        hours.push(HourRecord {
            hour: day * 24 + slot as i64,
            status,
            observed: value(0),
            quantiles: [value(1), value(2), value(3)],
            low_from: value(4),
            surprise,
        });
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_back_within_half_precision() {
        let record = HourRecord {
            hour: 48 + 5,
            status: HourStatus::Logged,
            observed: 1.84e9,
            quantiles: [21e6, 50e6, 96e6],
            low_from: f64::NAN,
            surprise: [7; SURPRISE_LANES],
        };
        let mut day = Vec::new();
        put(&mut day, &record);
        let back = read(2, &day);
        assert_eq!(back.len(), 1);
        assert_eq!(
            (back[0].hour, back[0].status, back[0].surprise),
            (53, HourStatus::Logged, [7; SURPRISE_LANES])
        );
        assert!((back[0].observed / record.observed - 1.0).abs() < 0.02);
        assert!(back[0].low_from.is_nan());
        assert!(read(2, &day[1..]).is_empty());
    }
}
