//! Which scheduled snapshots stay: grandfather, father, son. Pure: names and times in, names out.
//!
//! Only names that the schedule itself gives are known here. Whatever else lies in the folder
//! belongs to a person, and is neither counted nor touched.
use std::collections::BTreeSet;

use super::EXTENSION;
use crate::time::Timestamp;

/// What the name of a scheduled snapshot begins with.
pub(super) const PREFIX: &str = "auto-";

/// How many stay. What one rule keeps counts for the others too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The newest ones; the newest of all stays even at 0.
    pub last: usize,
    /// The newest of a UTC day, of so many days that have one.
    pub daily: usize,
    /// The newest of a week (from Monday, UTC), of so many weeks that have one.
    pub weekly: usize,
}

/// The name of a scheduled snapshot taken at `at`: `auto-20261124T133000Z.cgsnap`.
pub fn name(at: Timestamp) -> String {
    let seconds: String = at.azure().chars().take(19).filter(|c| !"-:".contains(*c)).collect();
    format!("{PREFIX}{seconds}Z.{EXTENSION}")
}

/// When a scheduled snapshot was taken; `None` for any other name.
pub fn taken_at(file_name: &str) -> Option<Timestamp> {
    let stem = file_name.strip_suffix(EXTENSION)?.strip_suffix("Z.")?;
    let (date, time) = stem.strip_prefix(PREFIX)?.split_once('T')?;
    let part = |text: &'_ str, at: usize, len: usize| text.get(at..at + len).map(str::to_owned);
    let (year, month, day) = (part(date, 0, 4)?, part(date, 4, 2)?, part(date, 6, 2)?);
    let (hour, minute, second) = (part(time, 0, 2)?, part(time, 2, 2)?, part(time, 4, 2)?);
    let at = Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))?;
    (name(at) == file_name).then_some(at)
}

/// Those of `names` that are to be deleted at `now`, ascending. Never the newest; nothing that is
/// dated later than now either, because then one of two clocks is wrong.
pub fn expired<'a>(names: &[&'a str], keep: Keep, now: Timestamp) -> Vec<&'a str> {
    let mut taken: Vec<(Timestamp, &str)> = names
        .iter()
        .filter_map(|n| Some((taken_at(n)?, *n)))
        .filter(|(at, _)| *at <= now)
        .collect();
    taken.sort_unstable_by(|a, b| b.cmp(a));
    let newest_of_each = |count: usize, period: &dyn Fn(Timestamp) -> i64| {
        let mut seen = BTreeSet::new();
        let first = |at: &Timestamp| seen.len() < count && seen.insert(period(*at));
        let times = taken.iter().map(|(at, _)| *at);
        // Newest first, so the first of a period is its newest.
        let mut first = first;
        times.filter(|at| first(at)).collect::<BTreeSet<Timestamp>>()
    };
    let daily = newest_of_each(keep.daily, &Timestamp::day);
    let weekly = newest_of_each(keep.weekly, &week);
    let mut gone: Vec<&str> = taken
        .iter()
        .skip(keep.last.max(1))
        .filter(|(at, _)| !daily.contains(at) && !weekly.contains(at))
        .map(|(_, name)| *name)
        .collect();
    gone.reverse();
    gone
}

/// Weeks since the one of 1970-01-01, a Thursday.
fn week(at: Timestamp) -> i64 {
    (at.day() + 3).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::DAY_MS;

    const HOUR_MS: i64 = 3_600_000;
    /// A Monday.
    const START: Timestamp = Timestamp(1_790_553_600_000);

    #[test]
    fn a_name_says_when_and_no_other_name_is_ours() {
        let at = Timestamp::parse("2026-11-24T13:30:05Z").unwrap();
        assert_eq!(name(at), "auto-20261124T133005Z.cgsnap");
        assert_eq!(taken_at(&name(at)), Some(at));
        assert_eq!(taken_at(&name(at.plus_ms(999))), Some(at), "seconds are enough");
        for other in [
            "",
            "before-upgrade.cgsnap",
            "auto.cgsnap",
            "auto-.cgsnap",
            "auto-20261124T133005Z.cgsnap.bak",
            "auto-20261124T133005.cgsnap",
            "auto-20261324T133005Z.cgsnap",
            "auto-20261124T133005Z-mine.cgsnap",
            "auto-2026112aT133005Z.cgsnap",
            "auto-20261124T1330055Z.cgsnap",
            "auto-2026é124T133005Z.cgsnap",
            "Auto-20261124T133005Z.cgsnap",
            "x/auto-20261124T133005Z.cgsnap",
        ] {
            assert_eq!(taken_at(other), None, "{other}");
        }
    }

    /// Runs the schedule for `days`, each time with one snapshot more.
    fn after(days: i64, hours: i64, keep: Keep) -> Vec<Timestamp> {
        let mut kept: Vec<Timestamp> = Vec::new();
        for hour in (0..days * 24).step_by(hours as usize) {
            let now = START.plus_ms(hour * HOUR_MS);
            kept.push(now);
            let names: Vec<String> = kept.iter().map(|at| name(*at)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let gone = expired(&names, keep, now);
            kept.retain(|at| !gone.contains(&name(*at).as_str()));
        }
        kept
    }

    #[test]
    fn a_year_of_them_leaves_hours_days_and_weeks() {
        let keep = Keep { last: 3, daily: 7, weekly: 4 };
        let kept = after(364, 6, keep);
        let end = START.plus_ms(364 * DAY_MS - 6 * HOUR_MS);
        let ages: Vec<i64> = kept.iter().rev().map(|at| end.since(*at) / HOUR_MS).collect();
        // The day ends at 18:00 and the week on Sunday, so each newest one is a day's last.
        assert_eq!(ages, [0, 6, 12, 24, 48, 72, 96, 120, 144, 168, 336, 504]);
    }

    #[test]
    fn only_the_newest_stays_if_nothing_is_asked_for() {
        assert_eq!(after(3, 1, Keep { last: 0, daily: 0, weekly: 0 }).len(), 1);
    }

    proptest! {
        #[test]
        fn the_newest_stays_counts_hold_and_a_second_time_changes_nothing(
            hours in prop::collection::btree_set(0i64..5000, 0..120),
            (last, daily, weekly) in (0usize..6, 0usize..9, 0usize..6),
            now in 0i64..6000,
        ) {
            let (keep, now) = (Keep { last, daily, weekly }, START.plus_ms(now * HOUR_MS));
            let mut names: Vec<String> =
                hours.iter().map(|h| name(START.plus_ms(h * HOUR_MS))).collect();
            names.extend(["mine.cgsnap".to_owned(), "auto-mine.cgsnap".to_owned()]);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let gone = expired(&names, keep, now);
            let kept: Vec<&str> = names.iter().filter(|n| !gone.contains(n)).copied().collect();

            prop_assert!(gone.iter().all(|n| taken_at(n).is_some_and(|at| at <= now)));
            let past = |names: &[&str]| {
                let mut times: Vec<_> = names.iter().filter_map(|n| taken_at(n)).collect();
                times.retain(|at| *at <= now);
                times.sort_unstable();
                times
            };
            let (before, after) = (past(&names), past(&kept));
            prop_assert_eq!(before.last(), after.last());
            let least = before.len().min(last.max(1));
            prop_assert_eq!(&before[before.len() - least..], &after[after.len() - least..]);
            prop_assert!(after.len() <= last.max(1) + daily + weekly);
            // Of every day and week that counts, the newest is there.
            for (count, period) in [(daily, Timestamp::day as fn(Timestamp) -> i64), (weekly, week)] {
                let periods: BTreeSet<i64> = before.iter().map(|at| period(*at)).collect();
                for of in periods.iter().rev().take(count) {
                    let newest = before.iter().filter(|at| period(**at) == *of).max();
                    prop_assert!(after.contains(newest.unwrap()));
                }
            }
            prop_assert!(expired(&kept, keep, now).is_empty());
        }
    }
}
