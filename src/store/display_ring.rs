//! The display ring: what an account's hours looked like, on disk and never in the actor.
//!
//! A day is a format byte, 24 hours of 12 bytes, and 5 bytes for each test that was odd or had a
//! finding. An hour is a word (two bits of status, one bit for each lane that was tested, one for
//! query text) and five f16 of ln(1 + bytes). Most tests are ordinary, so only of the others is kept
//! more: hour, lane, code of p, and what came of its findings (two bytes). New and malformed queries
//! and their signs stand in two more such entries, in hours that had some. 28 days are 8.1 KB, and
//! in a simulated fleet about one kilobyte more.
use half::f16;

use super::{StateStore, StoreError, WriteBatch, keys};
use crate::account::message::{HourRecord, SURPRISE_LANES};
use crate::account::verdict::{HourQueries, Nearest};
use crate::baseline::tempo::HourStatus;
use crate::ids::AccountId;

/// Days kept.
pub const DAYS_KEPT: i64 = 28;
/// Rarest p-values above this are kept as ordinary.
pub const ODD_FROM_P: f64 = 0.1;

/// First byte of a day.
const FORMAT: u8 = 2;
/// Hours of a day.
const HOURS: usize = 24;
/// Bytes of one hour.
const HOUR_BYTES: usize = 2 + 5 * 2;
/// Bytes before the odd tests.
const FIXED_BYTES: usize = 1 + HOURS * HOUR_BYTES;
/// Code of [`ODD_FROM_P`], and of what is ordinary; see `account::message::surprise_code`.
const ODD: u8 = 16;
const ORDINARY: u8 = 1;
/// The lanes' bits lie above those of the status.
const STATUS_BITS: usize = 2;

/// In place of a lane: new and malformed queries, and their signs.
const COUNTS: u8 = 0x40;
const SIGNS: u8 = 0x41;
/// The bit that says that query text was logged.
const TEXT_BIT: u16 = 1 << 15;
const _: () = assert!(STATUS_BITS + SURPRISE_LANES <= 15, "the lanes' bits leave room for text");

/// A test of which more is kept: hour of the day, lane, code of p, what came of it; or what an hour
/// had of queries.
type OddTest = [u8; 5];

fn squeeze(bytes: f64) -> [u8; 2] {
    f16::from_f64(if bytes.is_nan() { f64::NAN } else { bytes.max(0.0).ln_1p() }).to_le_bytes()
}

fn widen(bytes: [u8; 2]) -> f64 {
    f16::from_le_bytes(bytes).to_f64().exp_m1()
}

fn lane_bit(lane: usize) -> u16 {
    1 << (STATUS_BITS + lane)
}

/// The hours and odd tests of a day; `None` for what [`put`] did not write.
fn parts(day: &[u8]) -> Option<(&[u8], Vec<OddTest>)> {
    let (fixed, rest) = day.split_at_checked(FIXED_BYTES)?;
    let (format, hours) = fixed.split_first()?;
    let (odd, over) = rest.as_chunks::<5>();
    let known = |[hour, lane, code, fate, _]: &OddTest| {
        let test = usize::from(*lane) < SURPRISE_LANES && (*code >= ODD || *fate > 0);
        usize::from(*hour) < HOURS && (test || [COUNTS, SIGNS].contains(lane))
    };
    let ascending = odd.is_sorted_by(|a, b| a[..2] < b[..2]);
    let good = *format == FORMAT && over.is_empty() && ascending && odd.iter().all(known);
    good.then(|| (hours, odd.to_vec()))
}

/// Puts `record` into its day, in place of what the day had of that hour.
pub fn put(day: &mut Vec<u8>, record: &HourRecord) {
    let mut odd = match parts(day) {
        Some((_, odd)) => odd,
        None => {
            day.clear();
            day.push(FORMAT);
            Vec::new()
        }
    };
    day.resize(FIXED_BYTES, 0);
    let hour = record.hour.rem_euclid(HOURS as i64) as u8;
    let from = 1 + usize::from(hour) * HOUR_BYTES;
    let Some(to) = day.get_mut(from..from + HOUR_BYTES) else { return };
    let mut word: u16 = match record.status {
        HourStatus::Logged => 1,
        HourStatus::Silent => 2,
        HourStatus::Gap => 3,
    };
    odd.retain(|[of, ..]| *of != hour);
    for (lane, code) in record.surprise.into_iter().enumerate().filter(|(_, code)| *code > 0) {
        word |= lane_bit(lane);
        let [fate, per_day] = record.nearest.get(lane).map_or([0; 2], |nearest| nearest.bytes());
        if code >= ODD || fate > 0 {
            odd.push([hour, lane as u8, code, fate, per_day]);
        }
    }
    let HourQueries { texts, new, malformed, signs } = record.queries;
    word |= if texts { TEXT_BIT } else { 0 };
    if new > 0 || malformed > 0 {
        odd.push([hour, COUNTS, new, malformed, 0]);
    }
    if signs > 0 {
        let [a, b, c, _] = signs.to_le_bytes();
        odd.push([hour, SIGNS, a, b, c]);
    }
    odd.sort_unstable();
    let [q05, q50, q95] = record.quantiles;
    to[..2].copy_from_slice(&word.to_le_bytes());
    for (i, value) in [record.observed, q05, q50, q95, record.low_from].into_iter().enumerate() {
        to[2 + 2 * i..4 + 2 * i].copy_from_slice(&squeeze(value));
    }
    day.extend_from_slice(odd.as_flattened());
}

/// Reads the hours of `day` (days since the epoch) back; what is no day gives nothing. Tests that
/// were not rarer than [`ODD_FROM_P`] come back as ordinary.
pub fn read(day: i64, bytes: &[u8]) -> Vec<HourRecord> {
    let Some((slots, odd)) = parts(bytes) else { return Vec::new() };
    let mut hours = Vec::with_capacity(HOURS);
    for (slot, raw) in slots.chunks_exact(HOUR_BYTES).enumerate() {
        let word = u16::from_le_bytes([raw[0], raw[1]]);
        let status = match word & 3 {
            1 => HourStatus::Logged,
            2 => HourStatus::Silent,
            3 => HourStatus::Gap,
            _ => continue,
        };
        let value = |i: usize| widen([raw[2 + 2 * i], raw[3 + 2 * i]]);
        let mut surprise: [u8; SURPRISE_LANES] =
            std::array::from_fn(|lane| if word & lane_bit(lane) == 0 { 0 } else { ORDINARY });
        let mut nearest = [Nearest::default(); SURPRISE_LANES];
        let mut queries = HourQueries { texts: word & TEXT_BIT != 0, ..HourQueries::default() };
        for [_, lane, a, b, c] in odd.iter().filter(|[hour, ..]| usize::from(*hour) == slot) {
            match *lane {
                COUNTS => (queries.new, queries.malformed) = (*a, *b),
                SIGNS => queries.signs = u32::from_le_bytes([*a, *b, *c, 0]),
                lane => {
                    surprise[usize::from(lane)] = (*a).max(ORDINARY);
                    nearest[usize::from(lane)] = Nearest::of_bytes([*b, *c]);
                }
            }
        }
        hours.push(HourRecord {
            // A day comes from a key, and a key may be anything.
            hour: day.saturating_mul(HOURS as i64).saturating_add(slot as i64),
            status,
            observed: value(0),
            quantiles: [value(1), value(2), value(3)],
            low_from: value(4),
            surprise,
            nearest,
            queries,
        });
    }
    hours
}

/// Drops the whole ring of an account that is dropped itself.
///
/// # Errors
/// The store failed.
pub fn forget(
    store: &dyn StateStore,
    account: &AccountId,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    store.scan(&keys::rings(account), &mut |key, _| {
        batch.delete(key.to_vec());
        true
    })
}

/// Visits the rings of all accounts, by account and then by day.
///
/// # Errors
/// The store failed.
pub fn each(
    store: &dyn StateStore,
    visit: &mut dyn FnMut(&AccountId, i64, &[u8]),
) -> Result<(), StoreError> {
    store.scan(keys::RING, &mut |key, bytes| {
        if let Some((account, day)) = of_key(key) {
            visit(&account, day, bytes);
        }
        true
    })
}

/// The account and the day that the key of a ring names.
fn of_key(key: &[u8]) -> Option<(AccountId, i64)> {
    let (name, day) = key.split_at_checked(key.len().checked_sub(size_of::<i64>())?)?;
    let account = keys::named(name.strip_suffix(b"\0")?, keys::RING)?;
    Some((account, i64::from_be_bytes(day.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::message::surprise_code;
    use crate::account::verdict::{Fate, Hold};
    use crate::detect::Severity;
    use proptest::prelude::*;

    fn record(hour: i64, surprise: [u8; SURPRISE_LANES]) -> HourRecord {
        HourRecord {
            hour,
            status: HourStatus::Logged,
            observed: 1.84e9,
            quantiles: [21e6, 50e6, 96e6],
            low_from: f64::NAN,
            surprise,
            nearest: Default::default(),
            queries: Default::default(),
        }
    }

    #[test]
    fn rings_are_visited_by_account_and_day() {
        let store = crate::store::memory::MemoryStore::default();
        let mut batch = WriteBatch::default();
        for (name, day) in [("b", 3), ("a", 20_000), ("a", 2)] {
            batch.put(keys::ring(&AccountId::parse(name), day), vec![1]);
        }
        store.write(batch).unwrap();
        let mut seen = Vec::new();
        each(&store, &mut |account, day, _| seen.push((account.to_string(), day))).unwrap();
        let all = [("a", 2), ("a", 20_000), ("b", 3)];
        assert_eq!(seen, all.map(|(name, day)| (name.to_owned(), day)));
    }

    #[test]
    fn a_day_reads_back_within_half_precision() {
        let record = record(48 + 5, [7; SURPRISE_LANES]);
        let mut day = Vec::new();
        put(&mut day, &record);
        assert_eq!(day.len(), 1 + 24 * 12);
        let back = read(2, &day);
        assert_eq!(back.len(), 1);
        assert_eq!((back[0].hour, back[0].status), (53, HourStatus::Logged));
        assert_eq!(back[0].surprise, [ORDINARY; SURPRISE_LANES]);
        assert!((back[0].observed / record.observed - 1.0).abs() < 0.02);
        assert!(back[0].low_from.is_nan());
        assert!(read(2, &day[1..]).is_empty());
    }

    #[test]
    fn odd_tests_keep_their_p_and_an_hour_that_closes_again_replaces_itself() {
        assert_eq!(surprise_code(ODD_FROM_P), ODD);
        let mut day = Vec::new();
        let mut surprise = [0; SURPRISE_LANES];
        (surprise[3], surprise[7], surprise[9]) = (ODD, 255, ODD - 1);
        put(&mut day, &record(7, surprise));
        put(&mut day, &record(2, surprise));
        assert_eq!(day.len(), FIXED_BYTES + 4 * 5);
        let back = read(0, &day);
        assert_eq!(back.iter().map(|r| r.hour).collect::<Vec<_>>(), [2, 7]);
        surprise[9] = ORDINARY;
        assert_eq!((back[0].surprise, back[1].surprise), (surprise, surprise));
        put(&mut day, &record(7, [0; SURPRISE_LANES]));
        let back = read(0, &day);
        assert_eq!((back[0].surprise, back[1].surprise), (surprise, [0; SURPRISE_LANES]));
    }

    #[test]
    fn what_came_of_findings_and_queries_reads_back() {
        let mut hour = record(5, [ORDINARY; SURPRISE_LANES]);
        let silent = Fate::Silent(Severity::Medium, Hold::NotMature);
        hour.nearest[2] = Nearest { fate: silent, per_day: 41 };
        hour.queries = HourQueries { texts: true, new: 16, malformed: 80, signs: 0x10_0402 };
        let mut day = Vec::new();
        put(&mut day, &record(4, [0; SURPRISE_LANES]));
        put(&mut day, &hour);
        let back = read(0, &day);
        assert_eq!((back[1].nearest, back[1].queries), (hour.nearest, hour.queries));
        assert_eq!(back[0].queries, HourQueries::default());
        put(&mut day, &record(5, [0; SURPRISE_LANES]));
        assert_eq!(day.len(), FIXED_BYTES);
    }

    #[test]
    fn the_bytes_of_a_day_are_what_they_were() {
        let mut surprise = [0; SURPRISE_LANES];
        (surprise[0], surprise[4]) = (40, ORDINARY);
        let mut day = Vec::new();
        put(&mut day, &record(1, surprise));
        assert_eq!((day[0], &day[1..13], &day[25..289]), (2, &[0; 12][..], &[0; 264][..]));
        assert_eq!(day[13..25], [0x45, 0, 0x55, 0x4d, 0x37, 0x4c, 0x6f, 0x4c, 0x98, 0x4c, 0, 0x7e]);
        assert_eq!(day[289..], [1, 0, 40, 0, 0]);
    }

    #[test]
    fn what_is_no_day_is_begun_anew() {
        let mut good = Vec::new();
        put(&mut good, &record(3, [0; SURPRISE_LANES]));
        for odd in [[24, 0, ODD, 0, 0], [0, SURPRISE_LANES as u8, ODD, 0, 0], [0, 0, ODD - 1, 0, 0]]
        {
            let mut day = [&good[..], &odd].concat();
            assert!(read(0, &day).is_empty(), "{odd:?}");
            put(&mut day, &record(3, [0; SURPRISE_LANES]));
            assert_eq!(day, good);
        }
        let unsorted = [&good[..], &[4, 0, ODD, 0, 0], &[3, 0, ODD, 0, 0]].concat();
        assert!(read(0, &unsorted).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_day_or_none(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            hour in any::<i64>(),
            surprise in any::<[u8; SURPRISE_LANES]>(),
        ) {
            for mut day in [bytes.clone(), [&[FORMAT], &bytes[..]].concat()] {
                read(1, &day);
                put(&mut day, &record(hour, surprise));
                let at = hour.rem_euclid(24);
                let back = read(0, &day);
                let odd = |code: u8| if code >= ODD { code } else { code.min(ORDINARY) };
                let back = back.iter().find(|r| r.hour == at).map(|r| r.surprise);
                prop_assert_eq!(back, Some(surprise.map(odd)));
            }
        }
    }
}
