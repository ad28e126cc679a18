//! How many requests of an account are refused as malformed in ten innocent minutes, an hour, a day:
//! apostrophes, broken reports, a client of the wrong version. Whoever sends them: a campaign comes
//! from several addresses, and slowly.
//!
//! The counts of past spans lie in decayed bins that double. P(K ≥ k) mixes the share of spans in
//! k's bin and beyond with a heavy prior tail (1 + k/s)^−e that is worth some spans, so that an
//! account without errors is not infinitely surprised.
use super::observation::BurstObservation;
use super::refused::{DAY_HOURS, HourRefused, Refused};
use crate::baseline::cell::{Cell, EgressClass};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::profile::{BurstProfile, QueriesProfile};
use crate::stats::decay::Landmark;
use crate::time::Timestamp;

/// Bins: none, 1, 2–3, 4–7, … 2^14 and more.
pub const BINS: usize = 16;
/// Days of a burst that wait before they teach.
pub const BURST_DAYS_MAX: usize = 4;
/// Spans over which refused requests are counted.
pub const SPANS: usize = 3;

/// Over how long refused requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A cell.
    TenMinutes,
    /// A clock hour.
    Hour,
    /// Twenty-four clock hours; a calendar day where it teaches.
    Day,
}

impl Span {
    /// Shortest first.
    pub const ALL: [Span; SPANS] = [Span::TenMinutes, Span::Hour, Span::Day];

    /// To be read after "within".
    pub fn as_str(self) -> &'static str {
        match self {
            Span::TenMinutes => "10 minutes",
            Span::Hour => "the hour",
            Span::Day => "24 hours",
        }
    }
}

/// Probing that goes on: bursts that follow each other are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The hour in which it was first told.
    pub(crate) hour: i64,
    /// When it was last seen.
    pub(crate) last: Timestamp,
}

/// Counts of malformed requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorsBaseline {
    pub(crate) landmark: Timestamp,
    /// Spans with queries by their count, decayed.
    pub(crate) bins: [[f64; BINS]; SPANS],
    /// Days with so surprising a burst that it did not teach, ascending, the newest ones.
    pub(crate) burst_days: Vec<i64>,
    /// Days with queries, hours and cells with queries, ever.
    pub(crate) days: u32,
    pub(crate) hours: u64,
    pub(crate) cells: u64,
    pub(crate) first_day: Option<i64>,
    pub(crate) last_day: i64,
    /// The newest hour with queries.
    pub(crate) last_hour: i64,
    /// Hours of the last day and of the current one with refused requests, ascending.
    pub(crate) recent: Vec<HourRefused>,
    /// The newest campaign.
    pub(crate) campaign: Option<Campaign>,
}

impl Default for ErrorsBaseline {
    fn default() -> Self {
        ErrorsBaseline {
            landmark: Timestamp(0),
            bins: [[0.0; BINS]; SPANS],
            burst_days: Vec::new(),
            days: 0,
            hours: 0,
            cells: 0,
            first_day: None,
            last_day: i64::MIN,
            last_hour: i64::MIN,
            recent: Vec::new(),
            campaign: None,
        }
    }
}

fn bin(count: u64) -> usize {
    (u64::BITS - count.leading_zeros()).min(BINS as u32 - 1) as usize
}

impl ErrorsBaseline {
    /// P(at least `count` malformed requests in an innocent span of this length).
    pub fn p(&self, span: Span, count: u64, now: Timestamp, profile: &BurstProfile) -> f64 {
        let at = span as usize;
        let prior = (1.0 + count as f64 / profile.scale[at]).powf(-profile.exponent);
        let left = Landmark(self.landmark).weight(now, profile.half_life_days).recip();
        let bins = &self.bins[at];
        let beyond: f64 = bins[bin(count)..].iter().sum::<f64>() * left;
        let all: f64 = bins.iter().sum::<f64>() * left;
        let worth = profile.prior_spans[at];
        ((worth * prior + beyond) / (worth + all)).clamp(0.0, 1.0)
    }

    /// How far it can be trusted at `now`.
    pub fn maturity(&self, now: Timestamp, profile: &QueriesProfile) -> Maturity {
        let age_days = self.first_day.map_or(0, |first| (now.day() - first).max(0)) as f64;
        let enough = self.days >= profile.mature_active_days;
        let state = match age_days / profile.mature_days as f64 {
            part if part >= 1.0 && enough => MaturityState::Mature,
            part if part >= 0.5 => MaturityState::Provisional,
            _ => MaturityState::Learning,
        };
        Maturity { state, age_days, active_days: self.days }
    }

    /// Tests of a span that a day has: spans with queries.
    fn per_day(&self, span: Span) -> f64 {
        // Before a day is over an account may be busy all day.
        let (spans, whole) = match span {
            Span::TenMinutes => (self.cells, 144.0),
            Span::Hour => (self.hours, 24.0),
            // One a calendar day, and as much again because the last 24 hours move on by the hour.
            Span::Day => return 2.0,
        };
        if self.days < 2 { whole } else { (spans as f64 / f64::from(self.days)).clamp(1.0, whole) }
    }

    /// The count that a share `q` of past spans did not exceed: the end of its bin.
    fn quantile(&self, span: Span, q: f64) -> f64 {
        let bins = &self.bins[span as usize];
        let all: f64 = bins.iter().sum();
        let mut sum = 0.0;
        for (i, weight) in bins.iter().enumerate() {
            sum += weight;
            if sum >= q * all {
                return if i == 0 { 0.0 } else { ((1_u64 << i) - 1) as f64 };
            }
        }
        0.0
    }

    /// What the malformed requests of a closed cell, and of the hour and the day that end with it,
    /// are against the account's own. Of a `late` cell, only its own.
    pub fn assess(
        &self,
        minute: i64,
        cell: &Cell,
        late: bool,
        profile: &QueriesProfile,
    ) -> Vec<BurstObservation> {
        let now = Timestamp::of_minute(minute);
        let Some(queries) = cell.queries.as_deref().filter(|q| q.malformed > 0) else {
            return Vec::new();
        };
        let hour = now.hour();
        let own = Refused::of(cell, queries);
        let top = queries.failures().iter().max_by_key(|f| (f.count, f.key)).cloned();
        let caller = top.as_ref().and_then(|f| cell.caller_of(f.caller));
        let spans = Span::ALL.into_iter().filter(|span| !late || *span == Span::TenMinutes);
        let observed = spans.map(|span| {
            let from = match span {
                Span::TenMinutes => i64::MAX,
                Span::Hour => hour,
                Span::Day => hour - DAY_HOURS + 1,
            };
            let mut refused = own.clone();
            let before = self.recent.iter().filter(|h| h.hour >= from && h.hour <= hour);
            before.for_each(|h| refused.merge(&h.refused));
            BurstObservation {
                span,
                caller: caller.map(|(k, r)| (k.clone(), r.clone())),
                here: queries.failures().to_vec(),
                p: self.p(span, refused.count, now, &profile.burst),
                per_day: self.per_day(span),
                usual: [self.quantile(span, 0.5), self.quantile(span, 0.99)],
                refused,
                maturity: self.maturity(now, profile),
                late,
                now,
            }
        });
        observed.filter(|o| o.refused.count >= profile.burst.least && !o.here.is_empty()).collect()
    }

    /// Applies a closed cell. A count below `quarantine_p` teaches only once such counts came on
    /// `days` days.
    pub fn learn(&mut self, minute: i64, cell: &Cell, rules: (f64, u32), profile: &BurstProfile) {
        let queries = cell.queries.as_deref();
        let count = queries.map_or(0, |q| q.malformed);
        if count == 0 && cell.streams[EgressClass::Query as usize].count == 0 {
            return;
        }
        let at = Timestamp::of_minute(minute);
        let hour = at.hour();
        self.roll(hour, at, rules, profile);
        self.cells = self.cells.saturating_add(1);
        self.teach(Span::TenMinutes, count, (at, hour.div_euclid(24)), rules, profile);
        if let Some(queries) = queries.filter(|q| q.malformed > 0) {
            let refused = Refused::of(cell, queries);
            match self.recent.last_mut().filter(|h| h.hour == hour) {
                Some(last) => last.refused.merge(&refused),
                None => self.recent.push(HourRefused { hour, refused }),
            }
        }
    }

    /// Ends the hour and the day before `hour`, the first one with queries after them.
    fn roll(&mut self, hour: i64, at: Timestamp, rules: (f64, u32), profile: &BurstProfile) {
        if hour <= self.last_hour {
            return;
        }
        let (day, before) = (hour.div_euclid(24), self.last_hour);
        if before != i64::MIN {
            let sum = |from: i64, until: i64| {
                let hours = self.recent.iter().filter(|h| h.hour >= from && h.hour <= until);
                hours.fold(0_u64, |sum, h| sum.saturating_add(h.refused.count))
            };
            let last_day = self.last_day;
            let of_hour = sum(before, before);
            let of_day = sum(last_day.saturating_mul(24), before);
            self.teach(Span::Hour, of_hour, (at, last_day), rules, profile);
            if day > last_day {
                self.teach(Span::Day, of_day, (at, last_day), rules, profile);
            }
        }
        self.hours = self.hours.saturating_add(1);
        self.last_hour = hour;
        self.first_day.get_or_insert(day);
        if day > self.last_day {
            self.days = self.days.saturating_add(1);
            self.last_day = day;
        }
        self.recent.retain(|h| h.hour > hour - DAY_HOURS);
    }

    fn teach(
        &mut self,
        span: Span,
        count: u64,
        (at, day): (Timestamp, i64),
        (quarantine_p, days): (f64, u32),
        profile: &BurstProfile,
    ) {
        if count > 0 && self.p(span, count, at, profile) < quarantine_p {
            self.note_burst(day);
            if (self.burst_days.len() as u32) < days {
                return;
            }
        }
        let mut landmark = Landmark(self.landmark);
        if self.bins.iter().flatten().all(|b| *b == 0.0) {
            landmark = Landmark(at);
        } else if let Some(factor) = landmark.advance(at, profile.half_life_days) {
            self.bins.iter_mut().flatten().for_each(|b| *b *= factor);
        }
        self.landmark = landmark.0;
        self.bins[span as usize][bin(count)] += landmark.weight(at, profile.half_life_days);
    }

    /// The campaign that a burst of this time belongs to, by its first hour: the newest one, unless
    /// that was quiet for `quiet_ms`.
    pub fn campaign_of(&self, at: Timestamp, quiet_ms: i64) -> i64 {
        match self.campaign {
            Some(c) if at.since(c.last) < quiet_ms => c.hour,
            _ => at.hour(),
        }
    }

    /// A burst was told.
    pub fn note_campaign(&mut self, hour: i64, at: Timestamp) {
        let last = self.campaign.map_or(at, |c| c.last.max(at));
        self.campaign = Some(Campaign { hour, last });
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.burst_days.capacity() * size_of::<i64>()
            + self.recent.capacity() * size_of::<HourRefused>()
            + self.recent.iter().map(|h| h.refused.heap_bytes()).sum::<usize>()
    }

    /// Most heap bytes. A vector that grows doubles, to less than twice what it holds at most.
    pub const HEAP_MAX: usize = 2 * BURST_DAYS_MAX * size_of::<i64>()
        + 2 * DAY_HOURS as usize * size_of::<HourRefused>()
        + DAY_HOURS as usize * Refused::HEAP_MAX;

    fn note_burst(&mut self, day: i64) {
        if self.burst_days.last() >= Some(&day) {
            return;
        }
        self.burst_days.push(day);
        if self.burst_days.len() > BURST_DAYS_MAX {
            self.burst_days.remove(0);
        }
    }
}
