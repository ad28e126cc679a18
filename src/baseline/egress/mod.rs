//! How much data leaves the account, and how much is expected to: four streams of bytes (total,
//! queries, point reads, feeds) with a seasonal expectation and a level; windows of 1, 6 and 24
//! hours, a cumulative sum for drips, each operation class against the others, and the share of
//! new networks.
//!
//! Cells are added minute by minute; every ten minutes an observation is taken; hours close with
//! a status; all learning happens once, at event-time midnight, from the day's 24 closed hours.
//! Integer sums up to there, f64 in a fixed order at midnight: same in, same out.
mod band;
mod callers;
mod learn;
mod networks;
mod observation;
mod observe;
pub mod prior;
mod season;
mod stream;
#[cfg(test)]
mod tests;

pub use band::{BandModel, HourBand};
pub use networks::NetworkKey;
pub use observation::{EgressObservation, HourPoint, NewNetwork, TestReading, TopCaller};
pub use observe::WINDOW_HOURS;
pub use prior::{EgressContribution, EgressPrior};

pub(crate) use callers::{CELLS_PLACED, Callers, HeavyCaller};
pub(crate) use networks::{Candidate, Client, Known, Networks};
pub(crate) use season::Season;
pub(crate) use stream::{HOURS_KEPT, SLOTS_KEPT, Stream};

use prior::{SCALED, TESTS};

use crate::baseline::cell::Cell;
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::baseline::prior::Priors;
use crate::baseline::tempo::HourStatus;
use crate::profile::EgressProfile;
use crate::stats::histogram::DecayedHistogram;
use crate::time::{DAY_MS, Timestamp};

/// Marks an hour without logs in a ring of bytes.
pub(crate) const UNKNOWN: f32 = -1.0;
/// Streams: the total and the three operation classes.
pub(crate) const STREAMS: usize = 4;
/// Days of daily maxima kept.
pub(crate) const MAXIMA_KEPT: usize = 32;
/// Fixed point of a kept daily maximum.
pub(crate) const MAXIMUM_UNIT: f64 = 512.0;

/// Observed and expected bytes over some hours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// Bytes seen.
    pub observed: f64,
    /// Bytes predicted.
    pub expected: f64,
}

/// A new network's bytes in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// Which network.
    pub key: NetworkKey,
    /// Bytes it took.
    pub bytes: u64,
    /// Minute in which it was first seen.
    pub first_minute: i64,
}

/// The story that the last hit opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenStory {
    /// Last counted hit.
    pub(crate) last_hit: Timestamp,
    /// Largest excess reported, bytes.
    pub(crate) excess: f64,
    /// Hash of the caller reported (0 = none).
    pub(crate) caller: u64,
    /// How often the story was told anew.
    pub(crate) generation: u32,
    /// It was told as a new network's.
    pub(crate) new_network: bool,
}

/// Running maxima of the open day.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    /// Largest score of each test before materiality: what teaches the account's own scale.
    pub(crate) plain: [f64; SCALED],
    /// Smallest combined p so far.
    pub(crate) p: f64,
    /// Smallest p of the new-network tests alone so far.
    pub(crate) p_new: f64,
    /// Observations were taken.
    pub(crate) judged: bool,
    /// Cells were added.
    pub(crate) active: bool,
}

impl Today {
    pub(crate) fn new() -> Today {
        Today { plain: [0.0; SCALED], p: 1.0, p_new: 1.0, judged: false, active: false }
    }
}

/// The cumulative sum of clipped hourly deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drip {
    /// The sum.
    pub(crate) q: f64,
    /// Hours since it left zero, and what was seen and expected in them.
    pub(crate) hours: u32,
    /// See `hours`.
    pub(crate) span: Span,
}

/// Learned volume of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct EgressBaseline {
    /// Total, queries, point reads, feeds.
    pub(crate) streams: Box<[Stream; STREAMS]>,
    /// Decayed logged hours.
    pub(crate) logged: Box<Season>,
    /// Change-feed lane: bytes since midnight, and of the open hour's last 24 closed ones.
    pub(crate) feed_hour: u64,
    /// See `feed_hour`; ring by absolute hour.
    pub(crate) feed_hours: [u64; 24],
    /// First minute with a cell.
    pub(crate) first_minute: Option<i64>,
    /// Open ten-minute cell and hour (since the epoch).
    pub(crate) open_slot: i64,
    /// See `open_slot`.
    pub(crate) open_hour: i64,
    /// Last day that taught, and last day predicted.
    pub(crate) learned_day: i64,
    /// See `learned_day`.
    pub(crate) predicted_day: i64,
    /// Days with cells.
    pub(crate) active_days: u32,
    /// Decayed days behind the over-dispersion.
    pub(crate) dispersion_days: f64,
    /// Daily maxima by test, ring by count, in 1/512.
    pub(crate) maxima: [[u16; MAXIMA_KEPT]; SCALED],
    /// Days of maxima ever kept.
    pub(crate) maxima_days: u32,
    /// Median and spread in force today.
    pub(crate) scale: [[f64; 2]; SCALED],
    /// The open day.
    pub(crate) today: Today,
    /// The cumulative sum.
    pub(crate) drip: Drip,
    /// The open story.
    pub(crate) story: Option<OpenStory>,
    /// Networks, principals, clients.
    pub(crate) networks: Networks,
    /// Heavy callers.
    pub(crate) callers: Callers,
    /// Largest response of each minute with data, bytes.
    pub(crate) responses: DecayedHistogram,
    /// Bytes of each logged hour, KiB.
    pub(crate) volumes: DecayedHistogram,
}

impl Default for EgressBaseline {
    fn default() -> Self {
        Self::new()
    }
}

impl EgressBaseline {
    /// Nothing known.
    pub fn new() -> Self {
        EgressBaseline {
            streams: Box::new(std::array::from_fn(|_| Stream::new())),
            logged: Box::new(Season::new()),
            feed_hour: 0,
            feed_hours: [0; 24],
            first_minute: None,
            open_slot: i64::MIN,
            open_hour: i64::MIN,
            learned_day: i64::MIN,
            predicted_day: i64::MIN,
            active_days: 0,
            dispersion_days: 0.0,
            maxima: [[0; MAXIMA_KEPT]; SCALED],
            maxima_days: 0,
            scale: [[0.0, 1.0]; SCALED],
            today: Today::new(),
            drip: Drip::default(),
            story: None,
            networks: Networks::default(),
            callers: Callers::default(),
            // Responses below 1 KiB need not be told apart: extremes are what is asked for.
            responses: DecayedHistogram::new(1024),
            volumes: DecayedHistogram::new(1),
        }
    }

    /// Adds a closed minute; minutes ascend.
    pub fn add_cell(&mut self, minute: i64, cell: &Cell, profile: &EgressProfile) {
        let first = *self.first_minute.get_or_insert(minute);
        self.open(minute);
        self.today.active = true;
        self.streams[0].add(&cell.total());
        for (stream, sums) in self.streams[1..].iter_mut().zip(&cell.streams) {
            stream.add(sums);
        }
        self.feed_hour = self.feed_hour.saturating_add(cell.change_feed.bytes);
        self.add_callers(minute, cell, first, profile);
    }

    fn add_callers(&mut self, minute: i64, cell: &Cell, first: i64, profile: &EgressProfile) {
        let learning = ((minute - first) as f64) < profile.judged_after_days * 1440.0;
        let day = minute.div_euclid(1440) as i32;
        self.callers.fade(minute);
        let mut largest = 0;
        for (key, row) in cell.callers() {
            if row.bytes == 0 || key.internal {
                continue;
            }
            largest = largest.max(row.bytes_max);
            self.networks.add(&key.network, minute, row.bytes, learning);
            self.networks.see_client(callers::credential_hash(&key.credential), day);
            self.networks.see_client(callers::family_hash(&key.family), day);
            self.callers.add(minute, key, row);
        }
        if largest > 0 {
            let at = Timestamp::of_minute(minute);
            self.responses.record(at, largest, profile.half_life_days);
        }
    }

    /// Moves the open ten-minute cell and hour to those of `minute`. Hours left without a status
    /// count as logged.
    fn open(&mut self, minute: i64) {
        let (slot, hour) = (minute.div_euclid(10), minute.div_euclid(60));
        if self.open_slot == i64::MIN {
            (self.open_slot, self.open_hour) = (slot, hour);
        }
        if hour > self.open_hour {
            self.leave_hour(hour, HourStatus::Logged);
        }
        self.leave_slot(slot);
    }

    /// Closes the open ten-minute cell if `slot` is a later one.
    fn leave_slot(&mut self, slot: i64) {
        if slot <= self.open_slot {
            return;
        }
        for stream in self.streams.iter_mut() {
            let kept = SLOTS_KEPT as i64;
            stream.slots[self.open_slot.rem_euclid(kept) as usize] = stream.slot_bytes as f32;
            stream.slot_bytes = 0;
            for skipped in (self.open_slot + 1).max(slot - kept)..slot {
                stream.slots[skipped.rem_euclid(kept) as usize] = 0.0;
            }
        }
        self.networks.advance(self.open_slot, slot);
        self.open_slot = slot;
    }

    /// Closes the open hour with `status` and opens `next`; hours between are unknown.
    fn leave_hour(&mut self, next: i64, status: HourStatus) {
        self.leave_slot(next * 6);
        for stream in self.streams.iter_mut() {
            let bytes = if status == HourStatus::Gap { UNKNOWN } else { stream.hour_bytes as f32 };
            stream.set_observed(self.open_hour, bytes);
            stream.hour_bytes = 0;
            for skipped in (self.open_hour + 1).max(next - HOURS_KEPT as i64)..next {
                stream.set_observed(skipped, UNKNOWN);
            }
        }
        self.feed_hours[self.open_hour.rem_euclid(24) as usize] = self.feed_hour;
        self.feed_hour = 0;
        self.callers.advance(self.open_hour, next);
        self.open_hour = next;
    }

    /// Closes `hour`: its bytes enter the rings, and the cumulative sum takes its step. Hours
    /// ascend; one that is skipped is unknown.
    pub fn close_hour(
        &mut self,
        hour: i64,
        status: HourStatus,
        priors: &Priors,
        profile: &EgressProfile,
    ) {
        if self.first_minute.is_none() || hour < self.open_hour {
            return;
        }
        if hour > self.open_hour {
            self.leave_hour(hour, HourStatus::Logged);
        }
        self.ensure_predicted(hour.div_euclid(24), priors, profile);
        self.leave_hour(hour + 1, status);
        let Some(observed) = self.streams[0].observed(hour) else { return };
        let at = Timestamp::of_hour(hour);
        self.volumes.record(at, (observed / 1024.0) as u64, profile.half_life_days);
        if self.judged(at.plus_ms(crate::time::HOUR_MS), profile) {
            self.drip_step(hour, observed, profile);
        }
    }

    /// Q ← max(0, Q + clip(z) − slack), z the hour's deviation.
    fn drip_step(&mut self, hour: i64, observed: f64, profile: &EgressProfile) {
        let total = &self.streams[0];
        let expected = total.expected(hour);
        let variance = total.size * expected + profile.drip_dispersion * expected * expected;
        let [low, high] = profile.drip_clip;
        let z = if variance > 0.0 { (observed - expected) / variance.sqrt() } else { 0.0 };
        let q = self.drip.q + z.clamp(low, high) - profile.drip_slack;
        if q <= 0.0 {
            self.drip = Drip::default();
            return;
        }
        self.drip.q = q;
        self.drip.hours = self.drip.hours.saturating_add(1);
        self.drip.span.observed += observed;
        self.drip.span.expected += expected;
    }

    /// Predicts `day` unless that was done at its midnight.
    pub(crate) fn ensure_predicted(&mut self, day: i64, priors: &Priors, profile: &EgressProfile) {
        if self.predicted_day >= day {
            return;
        }
        for stream in self.streams.iter_mut() {
            stream.refresh_size(f64::from(priors.egress.size), profile);
            stream.predict(day, &self.logged, profile);
        }
        self.predicted_day = day;
    }

    /// An alert of this account was raised at `at`: the cumulative sum starts again. With the
    /// observation behind it, where it was an egress finding, only windows that begin after it
    /// count from here on.
    pub fn alerted(
        &mut self,
        at: Timestamp,
        observation: Option<&EgressObservation>,
        profile: &EgressProfile,
    ) {
        self.drip = Drip::default();
        let Some(o) = observation else { return };
        let open = self.story.filter(|s| s.generation == o.generation && !o.escalates);
        let caller = o.top.as_ref().map_or(0, |t| t.hash);
        self.story = Some(OpenStory {
            last_hit: at,
            excess: open.map_or(0.0, |s| s.excess).max(o.excess()),
            caller: open.map_or(caller, |s| s.caller),
            generation: o.generation,
            new_network: o.is_new_network(profile) || open.is_some_and(|s| s.new_network),
        });
    }

    /// Volume is judged at `now`: the account is old enough.
    pub(crate) fn judged(&self, now: Timestamp, profile: &EgressProfile) -> bool {
        self.age_days(now) >= profile.judged_after_days
    }

    fn age_days(&self, now: Timestamp) -> f64 {
        self.first_minute
            .map_or(0.0, |m| now.since(Timestamp::of_minute(m)).max(0) as f64 / DAY_MS as f64)
    }

    /// Bytes that stand for the account's day: the expected ones, or a few responses where
    /// nothing is expected.
    pub(crate) fn day_scale(&self, day: i64, profile: &EgressProfile) -> f64 {
        let total = &self.streams[0];
        total.expected_day(day).max(profile.idle_responses * total.size)
    }

    /// State and age at `now`.
    pub fn maturity(&self, now: Timestamp, profile: &EgressProfile) -> Maturity {
        let age_days = self.age_days(now);
        let state = if age_days < profile.judged_after_days {
            MaturityState::Learning
        } else if self.gap_share() > profile.degraded_gap_share {
            MaturityState::Degraded
        } else if age_days < profile.mature_after_days {
            MaturityState::Provisional
        } else {
            MaturityState::Mature
        };
        let active_days = self.active_days + u32::from(self.today.active);
        Maturity { state, age_days, active_days }
    }

    /// Share of the last week's closed hours without logs.
    fn gap_share(&self) -> f64 {
        let Some(first) = self.first_minute else { return 0.0 };
        let from = (self.open_hour - 168).max(first.div_euclid(60));
        let hours = (self.open_hour - from).max(1);
        let gaps = (from..self.open_hour).filter(|h| self.streams[0].observed(*h).is_none());
        gaps.count() as f64 / hours as f64
    }

    /// Bytes of a closed hour within the last fortnight; `None` where there are no logs.
    pub fn observed_hour(&self, hour: i64) -> Option<f64> {
        self.streams[0].observed(hour)
    }

    /// Quantile of the account's hourly volume, bytes; `None` before the first hour.
    pub fn hourly_volume(&self, q: f64) -> Option<f64> {
        self.volumes.quantile(q).map(|kib| kib as f64 * 1024.0)
    }

    /// Quantile of the largest response of a minute, bytes; `None` before the first response.
    pub fn largest_response(&self, q: f64) -> Option<f64> {
        self.responses.quantile(q).map(|b| b as f64)
    }

    /// Bytes of the change feed in the last 24 closed hours.
    pub fn change_feed_day(&self) -> u64 {
        self.feed_hours.iter().fold(0, |sum, h| sum.saturating_add(*h))
    }

    /// Most heap bytes.
    pub const HEAP_MAX: usize = STREAMS * size_of::<Stream>()
        + size_of::<Season>()
        + Networks::HEAP_MAX
        + Callers::HEAP_MAX
        + 2 * DecayedHistogram::HEAP_MAX;

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        STREAMS * size_of::<Stream>()
            + size_of::<Season>()
            + self.networks.heap_bytes()
            + self.callers.heap_bytes()
            + self.responses.heap_bytes()
            + self.volumes.heap_bytes()
    }
}

/// Keeps a daily maximum in two bytes.
pub(crate) fn fixed(maximum: f64) -> u16 {
    (maximum * MAXIMUM_UNIT).round().clamp(0.0, f64::from(u16::MAX)) as u16
}

const _: () = assert!(TESTS == 10 && SCALED == 7);
