//! How many requests are refused as malformed in ten innocent minutes, of one caller to one
//! container: apostrophes, broken reports, a client of the wrong version.
//!
//! The counts of past cells lie in decayed bins that double. P(K ≥ k) mixes the share of cells in
//! k's bin and beyond with a heavy prior tail (1 + k/s)^−e that is worth some cells, so that an
//! account without errors is not infinitely surprised.
use super::observation::BurstObservation;
use crate::baseline::cell::{Cell, EgressClass};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::profile::{BurstProfile, QueriesProfile};
use crate::stats::decay::Landmark;
use crate::time::Timestamp;

/// Bins: none, 1, 2–3, 4–7, … 2^14 and more.
pub const BINS: usize = 16;
/// Days of a burst that wait before they teach.
pub const BURST_DAYS_MAX: usize = 4;

/// Counts of malformed requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorsBaseline {
    pub(crate) landmark: Timestamp,
    /// Cells with queries by the count of their worst caller and container, decayed.
    pub(crate) bins: [f64; BINS],
    /// Days with so surprising a burst that it did not teach, ascending, the newest ones.
    pub(crate) burst_days: Vec<i64>,
    /// Days with queries, and cells with queries, ever.
    pub(crate) days: u32,
    pub(crate) cells: u64,
    pub(crate) first_day: Option<i64>,
    pub(crate) last_day: i64,
}

impl Default for ErrorsBaseline {
    fn default() -> Self {
        ErrorsBaseline {
            landmark: Timestamp(0),
            bins: [0.0; BINS],
            burst_days: Vec::new(),
            days: 0,
            cells: 0,
            first_day: None,
            last_day: i64::MIN,
        }
    }
}

fn bin(count: u64) -> usize {
    (u64::BITS - count.leading_zeros()).min(BINS as u32 - 1) as usize
}

impl ErrorsBaseline {
    /// P(at least `count` malformed requests in ten innocent minutes).
    pub fn p(&self, count: u64, now: Timestamp, profile: &BurstProfile) -> f64 {
        let prior = (1.0 + count as f64 / profile.scale).powf(-profile.exponent);
        let left = Landmark(self.landmark).weight(now, profile.half_life_days).recip();
        let beyond: f64 = self.bins[bin(count)..].iter().sum::<f64>() * left;
        let all: f64 = self.bins.iter().sum::<f64>() * left;
        ((profile.prior_cells * prior + beyond) / (profile.prior_cells + all)).clamp(0.0, 1.0)
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

    /// Ten-minute cells with queries that a day has.
    pub fn cells_per_day(&self) -> f64 {
        // Before a day is over an account may be busy all day.
        let whole = 144.0;
        if self.days < 2 {
            whole
        } else {
            (self.cells as f64 / f64::from(self.days)).clamp(1.0, whole)
        }
    }

    /// The count that a share `q` of past cells did not exceed: the end of its bin.
    fn quantile(&self, q: f64) -> f64 {
        let all: f64 = self.bins.iter().sum();
        let mut sum = 0.0;
        for (i, weight) in self.bins.iter().enumerate() {
            sum += weight;
            if sum >= q * all {
                return if i == 0 { 0.0 } else { ((1_u64 << i) - 1) as f64 };
            }
        }
        0.0
    }

    /// What the malformed requests of a closed cell are against the account's own.
    pub fn assess(
        &self,
        minute: i64,
        cell: &Cell,
        maturity: Maturity,
        profile: &BurstProfile,
    ) -> Vec<BurstObservation> {
        let now = Timestamp::of_minute(minute);
        let Some(queries) = cell.queries.as_deref() else { return Vec::new() };
        let bursts = queries.failures().iter().filter(|f| f.count >= profile.least);
        bursts
            .map(|failure| BurstObservation {
                caller: cell.caller_of(failure.caller).map(|(k, r)| (k.clone(), r.clone())),
                texts: queries.failed_texts(&failure.container).cloned(),
                p: self.p(failure.count, now, profile),
                per_day: self.cells_per_day(),
                usual: [self.quantile(0.5), self.quantile(0.99)],
                failure: failure.clone(),
                maturity,
                late: false,
                now,
            })
            .collect()
    }

    /// Applies a closed cell. A count below `quarantine_p` teaches only once such counts came on
    /// `days` days.
    pub fn learn(
        &mut self,
        minute: i64,
        cell: &Cell,
        (quarantine_p, days): (f64, u32),
        profile: &BurstProfile,
    ) {
        let failures = cell.queries.iter().flat_map(|q| q.failures());
        let count = failures.map(|f| f.count).max().unwrap_or(0);
        if count == 0 && cell.streams[EgressClass::Query as usize].count == 0 {
            return;
        }
        let at = Timestamp::of_minute(minute);
        self.cells = self.cells.saturating_add(1);
        self.first_day.get_or_insert(at.day());
        if at.day() > self.last_day {
            self.days = self.days.saturating_add(1);
            self.last_day = at.day();
        }
        if count > 0 && self.p(count, at, profile) < quarantine_p {
            self.note_burst(at.day());
            if (self.burst_days.len() as u32) < days {
                return;
            }
        }
        let mut landmark = Landmark(self.landmark);
        if self.bins.iter().all(|b| *b == 0.0) {
            landmark = Landmark(at);
        } else if let Some(factor) = landmark.advance(at, profile.half_life_days) {
            self.bins.iter_mut().for_each(|b| *b *= factor);
        }
        self.landmark = landmark.0;
        self.bins[bin(count)] += landmark.weight(at, profile.half_life_days);
    }

    fn note_burst(&mut self, day: i64) {
        if self.burst_days.last() == Some(&day) {
            return;
        }
        self.burst_days.push(day);
        if self.burst_days.len() > BURST_DAYS_MAX {
            self.burst_days.remove(0);
        }
    }
}
