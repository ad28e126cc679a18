//! Where this account is used from, by whom and with what.
//!
//! Only *authenticated* requests of callers other than the service itself teach or are tested:
//! what was refused is context. Everything counts in days: a million requests from one address
//! are one observation of a place.
//!
//! A place has three levels: area (a country, Azure, or the private network), network
//! (country and AS, Azure country, or private subnet), and combination (site, actor, client).
//! A day's visit is judged at the first level at which it is new, so that one place raises at most
//! one test a day; that it brings a client never seen, and the lane of its credential, decide
//! which of the hazards in [`category::Novelty`] it belongs to. These events exclude each other,
//! each has its own Gamma–Poisson hazard, and their sum is the nominal rate of findings.
//!
//! Bounds: [`AREAS_MAX`] areas, [`NETWORKS_MAX`] networks, [`COMBINATIONS_MAX`] combinations,
//! [`FAMILIES_MAX`] client families; the eviction order is that of [`SeenSet`].
mod assess;
#[cfg(test)]
mod calibration;
pub mod category;
mod learn;
mod lesson;
mod observation;
mod prior;
mod seen;
#[cfg(test)]
pub(crate) mod tests;

pub use assess::PlaceContext;
pub use lesson::KEPT_OUT_MAX;
pub use observation::{PlaceObservation, TravelEvidence};
pub use prior::{LocationContribution, LocationPrior};
pub use seen::{Seen, SeenSet};

use crate::baseline::cell::CallerKey;
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::Country;
use crate::profile::LocationProfile;
use crate::stats::decay::Decayed;
use crate::time::{DAY_MS, Timestamp};
use category::{Area, Category, Combination, NetworkKey, Visit};

/// Areas kept: more countries than any benign account was seen to use at once.
pub const AREAS_MAX: usize = 40;
/// Networks kept.
pub const NETWORKS_MAX: usize = 64;
/// Combinations kept.
pub const COMBINATIONS_MAX: usize = 64;
/// Client families kept.
pub const FAMILIES_MAX: usize = 32;
/// Observations in quarantine; beyond it the longest unseen one is forgotten.
pub const QUARANTINE_MAX: usize = 8;
/// Distinct visits kept with a quarantined observation.
pub const QUARANTINE_VISITS_MAX: usize = 3;
/// Categories remembered as judged today; beyond it the least surprising one may be asked again.
pub const JUDGED_MAX: usize = 20;
/// Principals whose last country is remembered, for travel.
pub const TRAVELLERS_MAX: usize = 16;

/// Decayed days with something new of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoveltyCount {
    /// [`category::Novelty::index`].
    pub(crate) index: u8,
    /// What taught.
    pub(crate) taught: Decayed,
    /// What was met, quarantined or not.
    pub(crate) met: Decayed,
}

/// A category that was judged today.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Which.
    pub(crate) category: Category,
    /// Kind of novelty by index; `None` for a known but rare place.
    pub(crate) novelty: Option<u8>,
    /// The p it got, before travel.
    pub(crate) p: f64,
    /// It went to quarantine.
    pub(crate) quarantined: bool,
}

/// A surprising observation that does not teach yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// What was surprising.
    pub(crate) category: Category,
    /// Kind of novelty by index.
    pub(crate) novelty: Option<u8>,
    /// First and last day it was seen.
    pub(crate) first_day: i64,
    pub(crate) last_day: i64,
    /// Distinct days.
    pub(crate) days: u32,
    /// The places that a release will teach, ascending.
    pub(crate) visits: Vec<Visit>,
    /// A person said that it was an attack: never released.
    pub(crate) kept_out: bool,
}

/// Where a principal was last.
#[derive(Clone, Debug, PartialEq)]
pub struct Traveller {
    /// Who.
    pub(crate) principal: PrincipalId,
    /// Where.
    pub(crate) country: Country,
    /// When, minutes since the epoch.
    pub(crate) minute: i64,
}

/// The learned places of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationBaseline {
    pub(crate) areas: SeenSet<Area, AREAS_MAX>,
    pub(crate) networks: SeenSet<NetworkKey, NETWORKS_MAX>,
    pub(crate) combinations: SeenSet<Combination, COMBINATIONS_MAX>,
    pub(crate) families: SeenSet<Text, FAMILIES_MAX>,
    /// Key kinds seen, a bit each.
    pub(crate) key_kinds: u8,
    /// By kind of novelty, ascending by index.
    pub(crate) novelty: Vec<NoveltyCount>,
    /// Days with logs, decayed.
    pub(crate) exposure: Decayed,
    /// Day of the first taught visit.
    pub(crate) first_day: Option<i64>,
    /// Days with a taught visit, and the last one.
    pub(crate) active_days: u32,
    pub(crate) last_active_day: i64,
    /// Days with a taught private visit, and the last one.
    pub(crate) private_days: u32,
    pub(crate) last_private_day: i64,
    /// A public visit has taught.
    pub(crate) public_seen: bool,
    /// The day that `judged` belongs to.
    pub(crate) judged_day: i64,
    pub(crate) judged: Vec<Judged>,
    /// Oldest first.
    pub(crate) quarantine: Vec<Quarantined>,
    /// Ascending by principal.
    pub(crate) travellers: Vec<Traveller>,
    /// Last day with a finding of another kind on this account.
    pub(crate) other_finding_day: Option<i64>,
}

/// What of a visit is known to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the levels of a place
pub struct Known {
    pub area: bool,
    pub network: bool,
    pub client: bool,
}

impl LocationBaseline {
    /// Empty.
    pub fn new() -> LocationBaseline {
        LocationBaseline::default()
    }

    /// `day` belongs to the start set: what is met on the first active days is not news.
    fn in_burn_in(&self, day: i64, profile: &LocationProfile) -> bool {
        let burn_in = profile.burn_in_active_days;
        self.active_days < burn_in || (self.active_days == burn_in && day <= self.last_active_day)
    }

    /// Reached privately only, for long enough to say so.
    pub fn is_private(&self, profile: &LocationProfile) -> bool {
        !self.public_seen && self.private_days >= profile.private_days
    }

    /// Trust in this baseline.
    pub fn maturity(&self, now: Timestamp, profile: &LocationProfile) -> Maturity {
        let age_days = self.first_day.map_or(0.0, |first| {
            (now.since(Timestamp::of_day(first)) as f64 / DAY_MS as f64).max(0.0)
        });
        let state = if age_days >= f64::from(profile.mature_days)
            && self.active_days >= profile.mature_active_days
        {
            MaturityState::Mature
        } else if self.active_days > profile.burn_in_active_days {
            MaturityState::Provisional
        } else {
            MaturityState::Learning
        };
        Maturity { state, age_days, active_days: self.active_days }
    }

    /// What of a visit is known.
    pub fn knows(&self, visit: &Visit) -> Known {
        Known {
            area: self.areas.contains(&visit.area),
            network: visit.network.is_none_or(|n| self.networks.contains(&n)),
            client: self.families.contains(&visit.combination.family),
        }
    }

    /// The caller's area, network and client are all known here since before `day`. What was met on
    /// the day itself is left out, so that the answer does not turn on how much of it is learnt.
    pub fn was_familiar(&self, key: &CallerKey, day: i64) -> bool {
        Visit::of(key).is_some_and(|visit| {
            let network = visit.network.is_none_or(|n| self.networks.contained(&n, day));
            let family = &visit.combination.family;
            network
                && self.areas.contained(&visit.area, day)
                && self.families.contained(family, day)
        })
    }

    /// Known areas with their share of days, largest first.
    pub fn usual_areas(&self, now: Timestamp, half_life_days: f64) -> Vec<(String, f64)> {
        named(self.areas.shares(now, half_life_days, SHARES_SHOWN))
    }

    /// Known networks with their share of days, largest first.
    pub fn usual_networks(&self, now: Timestamp, half_life_days: f64) -> Vec<(String, f64)> {
        named(self.networks.shares(now, half_life_days, SHARES_SHOWN))
    }

    /// Known client families with their share of days, largest first.
    pub fn usual_clients(&self, now: Timestamp, half_life_days: f64) -> Vec<(String, f64)> {
        named(self.families.shares(now, half_life_days, SHARES_SHOWN))
    }

    /// Entries held: areas, networks, combinations, client families, quarantined observations.
    pub fn sizes(&self) -> [usize; 5] {
        [
            self.areas.len(),
            self.networks.len(),
            self.combinations.len(),
            self.families.len(),
            self.quarantine.len(),
        ]
    }

    /// Most heap bytes, at one over the bound where room is made after the newcomer came.
    pub const HEAP_MAX: usize = SeenSet::<Area, AREAS_MAX>::HEAP_MAX
        + SeenSet::<NetworkKey, NETWORKS_MAX>::HEAP_MAX
        + SeenSet::<Combination, COMBINATIONS_MAX>::HEAP_MAX
        + SeenSet::<Text, FAMILIES_MAX>::HEAP_MAX
        + category::NOVELTIES * size_of::<NoveltyCount>()
        + (JUDGED_MAX + 1) * size_of::<Judged>()
        + (QUARANTINE_MAX + 1)
            * (size_of::<Quarantined>() + QUARANTINE_VISITS_MAX * size_of::<Visit>())
        + (TRAVELLERS_MAX + 1) * size_of::<Traveller>();

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        self.areas.heap_bytes()
            + self.networks.heap_bytes()
            + self.combinations.heap_bytes()
            + self.families.heap_bytes()
            + self.novelty.capacity() * size_of::<NoveltyCount>()
            + self.judged.capacity() * size_of::<Judged>()
            + self.quarantine.capacity() * size_of::<Quarantined>()
            + self
                .quarantine
                .iter()
                .map(|q| q.visits.capacity() * size_of::<Visit>())
                .sum::<usize>()
            + self.travellers.capacity() * size_of::<Traveller>()
    }
}

/// Shares shown as usual.
const SHARES_SHOWN: usize = 5;

fn named<K: std::fmt::Display>(shares: Vec<(&K, f64)>) -> Vec<(String, f64)> {
    shares.into_iter().map(|(k, share)| (k.to_string(), share)).collect()
}
