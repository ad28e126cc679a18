//! The account's rhythm: how many requests an hour of the day brings, which silences are believed
//! and which are gaps in the logs, and which log categories arrive.
//!
//! A gap is unknown, not zero: exposure counts only hours with logs. An hour without a record is a
//! *gap* if the account's own rhythm makes the silence improbable (P < [`GAP_P`], over the whole
//! run of silent hours), else it is *silent*, a believed zero. P(0) of an hour is the larger of
//! the Poisson e^−μ and the share of such hours that were silent before: requests come in
//! bursts, so that a nightly job which did not run is no gap.
use crate::baseline::cell::Cell;
use crate::event::Category;
use crate::stats::decay::{Decayed, Landmark};
use crate::time::{HOUR_MS, Timestamp};

/// Half-life of the rhythm, days: four weeks see every weekday four times.
const HALF_LIFE_DAYS: f64 = 28.0;
/// A run of silent hours with a smaller probability is a gap (e^−7 of a Poisson account).
pub const GAP_P: f64 = 1e-3;
/// Days before the rhythm is used.
const MATURE_HOURS: i64 = 72;
/// Before that an account is dense, and its silence a gap, if it had records in nearly all hours
/// of a whole day and so many requests an hour.
const DENSE_AFTER_HOURS: i64 = 24;
const DENSE_REQUESTS_PER_HOUR: f64 = 7.0;
const DENSE_SHARE: f64 = 0.9;
/// Pseudo-hours that draw an hour's share of silence towards the account's overall one.
const SHRINK_HOURS: f64 = 2.0;
/// How much a gap teaches silence: a rhythm that changed for good is learned in the end.
const GAP_TEACHES: f64 = 0.1;
/// From so many silent hours on, decayed, an hour of the day is known to be silent at times.
const SILENT_BEFORE_HOURS: f64 = 0.5;
/// Days over which gap hours are counted.
pub const GAP_DAYS: i64 = 28;
/// Hours of the day, weekdays and weekends apart.
const SLOTS: usize = 48;
/// Categories whose last record is remembered.
const CATEGORIES: usize = Category::ALL.len();

/// What is known of one hour of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HourStatus {
    /// It has records.
    Logged,
    /// None, and that is believed: zero.
    Silent,
    /// None, and that is not believed: unknown.
    Gap,
}

/// Decayed sums of one hour of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Requests.
    pub(crate) requests: f64,
    /// Hours with records.
    pub(crate) logged: f64,
    /// Hours believed silent.
    pub(crate) silent: f64,
}

/// Rhythm and coverage of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct TempoBaseline {
    pub(crate) landmark: Timestamp,
    /// By hour of the UTC day, weekdays then weekends.
    pub(crate) slots: Vec<Slot>,
    /// First and last closed hour, since the epoch.
    pub(crate) first_hour: Option<i64>,
    pub(crate) last_hour: i64,
    /// The run of silent hours up to `last_hour`: ln P of those that were never silent before,
    /// and of the least likely of the others; 0 after a record.
    pub(crate) silence_new_ln_p: f64,
    pub(crate) silence_known_ln_p: f64,
    /// Days with records, and the last one.
    pub(crate) active_days: u32,
    pub(crate) last_active_day: i64,
    /// Gap hours by day, ascending, of the last [`GAP_DAYS`] days.
    pub(crate) gaps: Vec<(i64, u8)>,
    /// First record's minute, if any.
    pub(crate) first_minute: Option<i64>,
    /// Last record's minute by [`Category`]; `None` where never seen.
    pub(crate) categories: [Option<i64>; CATEGORIES],
    /// Requests and throttled requests, decayed.
    pub(crate) requests: Decayed,
    pub(crate) throttled: Decayed,
    /// Requests ever.
    pub(crate) total_requests: u64,
}

impl Default for TempoBaseline {
    fn default() -> Self {
        TempoBaseline {
            landmark: Timestamp(0),
            slots: vec![Slot::default(); SLOTS],
            first_hour: None,
            last_hour: 0,
            silence_new_ln_p: 0.0,
            silence_known_ln_p: 0.0,
            active_days: 0,
            last_active_day: i64::MIN,
            gaps: Vec::new(),
            first_minute: None,
            categories: [None; CATEGORIES],
            requests: Decayed::default(),
            throttled: Decayed::default(),
            total_requests: 0,
        }
    }
}

impl TempoBaseline {
    /// Empty.
    pub fn new() -> TempoBaseline {
        TempoBaseline::default()
    }

    /// Applies a closed minute (or a late cell): coverage, totals, active days.
    pub fn learn(&mut self, minute: i64, cell: &Cell) {
        let at = Timestamp::of_minute(minute);
        for category in Category::ALL {
            if cell.categories & category.bit() != 0 {
                let last = &mut self.categories[category as usize];
                *last = (*last).max(Some(minute));
            }
        }
        if cell.categories == 0 && cell.requests == 0 {
            return;
        }
        self.first_minute = Some(self.first_minute.map_or(minute, |first| first.min(minute)));
        if at.day() > self.last_active_day {
            self.active_days = self.active_days.saturating_add(1);
            self.last_active_day = at.day();
        }
        self.total_requests = self.total_requests.saturating_add(cell.requests);
        self.requests.add(at, cell.requests as f64, HALF_LIFE_DAYS);
        self.throttled.add(at, cell.throttled as f64, HALF_LIFE_DAYS);
    }

    /// Closes an hour with `requests` records and says what it was. Hours are closed in order,
    /// each once; hours that were skipped while the account slept are closed with 0. An hour
    /// that was closed before is left as it is.
    pub fn close_hour(&mut self, hour: i64, requests: u64) -> HourStatus {
        if self.first_hour.is_some() && hour <= self.last_hour {
            return if requests > 0 { HourStatus::Logged } else { HourStatus::Silent };
        }
        if self.first_hour.is_none() {
            if requests == 0 {
                return HourStatus::Silent;
            }
            self.landmark = Timestamp::of_hour(hour);
            self.first_hour = Some(hour);
        }
        self.last_hour = hour;
        if requests > 0 {
            (self.silence_new_ln_p, self.silence_known_ln_p) = (0.0, 0.0);
            self.teach(hour, |slot, weight| {
                slot.requests += weight * requests as f64;
                slot.logged += weight;
            });
            return HourStatus::Logged;
        }
        let gap = self.lengthen_silence(hour) < GAP_P.ln();
        let lesson = if gap { GAP_TEACHES } else { 1.0 };
        self.teach(hour, |slot, weight| slot.silent += weight * lesson);
        if !gap {
            return HourStatus::Silent;
        }
        self.count_gap(Timestamp::of_hour(hour).day());
        HourStatus::Gap
    }

    /// ln P of the run of silent hours that now includes `hour`. Hours that were silent before
    /// are silent together (nights, weekends): the least likely one stands for them all. Hours
    /// that never were are independent evidence.
    fn lengthen_silence(&mut self, hour: i64) -> f64 {
        let ln_p = self.silence_probability(hour).max(f64::MIN_POSITIVE).ln();
        let silent = self.slots.get(slot_of(hour)).map_or(0.0, |s| s.silent / self.unit(hour));
        if silent >= SILENT_BEFORE_HOURS {
            self.silence_known_ln_p = self.silence_known_ln_p.min(ln_p);
        } else {
            self.silence_new_ln_p += ln_p;
        }
        self.silence_new_ln_p + self.silence_known_ln_p
    }

    fn teach(&mut self, hour: i64, add: impl FnOnce(&mut Slot, f64)) {
        let at = Timestamp::of_hour(hour);
        let mut landmark = Landmark(self.landmark);
        if let Some(factor) = landmark.advance(at, HALF_LIFE_DAYS) {
            for slot in &mut self.slots {
                slot.requests *= factor;
                slot.logged *= factor;
                slot.silent *= factor;
            }
            self.landmark = landmark.0;
        }
        let weight = landmark.weight(at, HALF_LIFE_DAYS);
        if let Some(slot) = self.slots.get_mut(slot_of(hour)) {
            add(slot, weight);
        }
    }

    fn count_gap(&mut self, day: i64) {
        match self.gaps.last_mut() {
            Some((last, hours)) if *last == day => *hours = hours.saturating_add(1),
            _ => self.gaps.push((day, 1)),
        }
        self.gaps.retain(|(d, _)| *d > day.saturating_sub(GAP_DAYS));
    }

    /// P(no record in `hour`), from the hours like it so far.
    fn silence_probability(&self, hour: i64) -> f64 {
        let sum = |f: fn(&Slot) -> f64| self.slots.iter().map(f).sum::<f64>();
        let unit = self.unit(hour);
        let (logged, silent) = (sum(|s| s.logged) / unit, sum(|s| s.silent) / unit);
        let first = self.first_hour.unwrap_or(hour);
        let age = hour.saturating_sub(first);
        if age < MATURE_HOURS {
            let mean = sum(|s| s.requests) / unit / age.max(1) as f64;
            let dense = age >= DENSE_AFTER_HOURS
                && logged >= DENSE_SHARE * age as f64
                && mean >= DENSE_REQUESTS_PER_HOUR;
            return if dense { GAP_P / 2.0 } else { 1.0 };
        }
        let Some(slot) = self.slots.get(slot_of(hour)) else { return 1.0 };
        let hours = (slot.logged + slot.silent) / unit;
        if hours < 0.5 {
            return 1.0;
        }
        let overall = (silent + 0.5) / (logged + silent + 1.0);
        let share = (slot.silent / unit + SHRINK_HOURS * overall) / (hours + SHRINK_HOURS);
        let mean = slot.requests / unit / hours;
        (-mean).exp().max(share).min(1.0)
    }

    /// The weight of an observation of now: divides decayed sums into counts of hours.
    fn unit(&self, hour: i64) -> f64 {
        Landmark(self.landmark)
            .weight(Timestamp::of_hour(hour), HALF_LIFE_DAYS)
            .max(f64::MIN_POSITIVE)
    }

    /// Mean requests in an hour like `hour`, gaps left out; `None` before there was one.
    pub fn expected_requests(&self, hour: i64) -> Option<f64> {
        let slot = self.slots.get(slot_of(hour))?;
        let hours = slot.logged + slot.silent;
        (hours > 0.0).then(|| slot.requests / hours)
    }

    /// Share of the account's requests by hour of the UTC day.
    pub fn hour_shares(&self) -> [f64; 24] {
        let mut shares = [0.0; 24];
        for (i, slot) in self.slots.iter().enumerate() {
            shares[i % 24] += slot.requests;
        }
        let total: f64 = shares.iter().sum();
        if total > 0.0 {
            shares.iter_mut().for_each(|s| *s /= total);
        }
        shares
    }

    /// When the first record arrived.
    pub fn first_seen(&self) -> Option<Timestamp> {
        self.first_minute.map(Timestamp::of_minute)
    }

    /// Days with records.
    pub fn active_days(&self) -> u32 {
        self.active_days
    }

    /// Requests so far.
    pub fn total_requests(&self) -> u64 {
        self.total_requests
    }

    /// Every category with the minute of its last record, in the order of [`Category::ALL`].
    pub fn coverage(&self) -> impl Iterator<Item = (Category, Option<Timestamp>)> + '_ {
        Category::ALL
            .into_iter()
            .map(|c| (c, self.categories[c as usize].map(Timestamp::of_minute)))
    }

    /// Gap hours in the last [`GAP_DAYS`] days before `now`.
    pub fn gap_hours(&self, now: Timestamp) -> u32 {
        self.gaps
            .iter()
            .filter(|(day, _)| *day > now.day().saturating_sub(GAP_DAYS))
            .map(|(_, hours)| u32::from(*hours))
            .sum()
    }

    /// Share of requests that were throttled lately.
    pub fn throttled_share(&self) -> f64 {
        // Both decay alike, but from landmarks of their own.
        let now = Timestamp::of_hour(self.last_hour.saturating_add(1));
        let requests = self.requests.value(now, HALF_LIFE_DAYS);
        if requests > 0.0 { self.throttled.value(now, HALF_LIFE_DAYS) / requests } else { 0.0 }
    }

    /// Hours since the last record of any category, as of `now`.
    pub fn silent_hours(&self, now: Timestamp) -> Option<f64> {
        let last = self.categories.iter().flatten().max()?;
        Some((now.since(Timestamp::of_minute(*last)) as f64 / HOUR_MS as f64).max(0.0))
    }

    /// Most heap bytes: gaps grow by doubling.
    pub const HEAP_MAX: usize = SLOTS * size_of::<Slot>()
        + (GAP_DAYS as usize + 1).next_power_of_two() * size_of::<(i64, u8)>();

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.gaps.capacity() * size_of::<(i64, u8)>()
    }
}

fn slot_of(hour: i64) -> usize {
    let at = Timestamp::of_hour(hour);
    at.hour_of_day() + if at.weekday() >= 5 { 24 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, 00:00 UTC.
    const MONDAY: i64 = 24 * 19_723 + 4 * 24 - 3 * 24 - 24;

    #[test]
    fn the_start_is_a_monday() {
        assert_eq!(Timestamp::of_hour(MONDAY).hour_of_week(), 0);
    }

    fn run(
        tempo: &mut TempoBaseline,
        hours: i64,
        requests: impl Fn(i64) -> u64,
    ) -> Vec<HourStatus> {
        let start = tempo.first_hour.map_or(MONDAY, |_| tempo.last_hour + 1);
        (start..start + hours).map(|h| tempo.close_hour(h, requests(h))).collect()
    }

    #[test]
    fn a_dense_account_that_stops_has_a_gap_and_an_hour_later_still() {
        let mut tempo = TempoBaseline::new();
        assert!(run(&mut tempo, 14 * 24, |_| 5000).iter().all(|s| *s == HourStatus::Logged));
        let silence = run(&mut tempo, 6, |_| 0);
        assert_eq!(silence[5], HourStatus::Gap, "{silence:?}");
        assert!(silence[..2].contains(&HourStatus::Gap), "{silence:?}");
        assert_eq!(run(&mut tempo, 1, |_| 1), [HourStatus::Logged]);
        assert!(tempo.gap_hours(Timestamp::of_hour(tempo.last_hour)) >= 5);
    }

    #[test]
    fn nights_weekends_and_quiet_accounts_are_believed() {
        let office = |h: i64| {
            let at = Timestamp::of_hour(h);
            if at.weekday() < 5 && (8..18).contains(&at.hour_of_day()) { 400 } else { 0 }
        };
        let mut tempo = TempoBaseline::new();
        let hours = run(&mut tempo, 8 * 7 * 24, office);
        let gaps: Vec<usize> = (72..hours.len()).filter(|h| hours[*h] == HourStatus::Gap).collect();
        assert!(gaps.is_empty(), "{gaps:?}");
        let expected = tempo.expected_requests(MONDAY + 9).unwrap();
        assert!((expected - 400.0).abs() < 1e-6);
        let mut quiet = TempoBaseline::new();
        let hours = run(&mut quiet, 28 * 24, |h| u64::from(h % 30 == 0));
        assert!(!hours.contains(&HourStatus::Gap));
    }

    #[test]
    fn a_weekly_job_that_does_not_run_every_day_is_no_gap() {
        let weekly = |h: i64| {
            let at = Timestamp::of_hour(h);
            if at.weekday() == 0 && at.hour_of_day() == 3 { 1_000_000 } else { 20 }
        };
        let mut tempo = TempoBaseline::new();
        run(&mut tempo, 28 * 24, weekly);
        let idle = |h: i64| if Timestamp::of_hour(h).hour_of_day() == 3 { 0 } else { 20 };
        // The job's hour is silent on Tuesdays: twenty requests an hour elsewhere do not say that
        // this hour must have any.
        let mut seen = 0;
        for _ in 0..3 {
            seen += run(&mut tempo, 24, idle).iter().filter(|s| **s == HourStatus::Gap).count();
        }
        assert!(seen <= 2, "{seen}");
    }

    #[test]
    fn a_young_account_is_judged_by_its_density() {
        let mut dense = TempoBaseline::new();
        run(&mut dense, 24, |_| 100);
        assert_eq!(run(&mut dense, 1, |_| 0), [HourStatus::Gap]);
        let mut sparse = TempoBaseline::new();
        run(&mut sparse, 24, |h| (h % 3 == 0) as u64 * 100);
        assert_eq!(run(&mut sparse, 1, |_| 0), [HourStatus::Silent]);
        assert_eq!(TempoBaseline::new().close_hour(5, 0), HourStatus::Silent);
    }

    #[test]
    fn a_changed_rhythm_is_learned_in_the_end() {
        let mut tempo = TempoBaseline::new();
        run(&mut tempo, 28 * 24, |_| 1000);
        let days_only = |h: i64| if Timestamp::of_hour(h).hour_of_day() < 6 { 0 } else { 1000 };
        let hours = run(&mut tempo, 120 * 24, days_only);
        let gaps = |range: std::ops::Range<usize>| {
            hours[range].iter().filter(|s| **s == HourStatus::Gap).count()
        };
        assert!(gaps(0..24 * 7) > 20);
        assert_eq!(gaps(90 * 24..120 * 24), 0);
    }

    #[test]
    fn coverage_names_what_arrives() {
        let mut tempo = TempoBaseline::new();
        let categories = Category::DataPlaneRequests.bit() | Category::Activity.bit();
        let cell = Cell { categories, requests: 100, throttled: 25, ..Cell::default() };
        tempo.learn(MONDAY * 60 + 7, &cell);
        tempo.close_hour(MONDAY, 100);
        let seen: Vec<Category> =
            tempo.coverage().filter(|(_, last)| last.is_some()).map(|(c, _)| c).collect();
        assert_eq!(seen, [Category::DataPlaneRequests, Category::Activity]);
        assert_eq!(tempo.throttled_share(), 0.25);
        assert_eq!((tempo.active_days(), tempo.total_requests()), (1, 100));
        assert_eq!(tempo.silent_hours(Timestamp::of_minute(MONDAY * 60 + 67)), Some(1.0));
        assert!(tempo.heap_bytes() < 2048);
    }
}
