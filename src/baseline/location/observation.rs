//! What reading the baseline says of a place.
use super::category::{Category, Novelty, Visit};
use crate::baseline::cell::{CallerKey, CallerRow};
use crate::intel::view::Country;

/// One test: a place that is new or rare, on the first minute of a day that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceObservation {
    /// What is new or rare.
    pub category: Category,
    /// The kind of novelty; `None` for a place that is known but rare.
    pub novelty: Option<Novelty>,
    /// P(a day of innocent life shows something at least this odd at this level).
    pub p: f64,
    /// Tests a day at this surprise: `p · per_day` is the expected number of findings a day that
    /// are at least this surprising, over all levels and lanes.
    pub per_day: f64,
    /// For a known place: days since it was last seen.
    pub last_seen_days: Option<f64>,
    /// Decayed days with this kind of novelty (N) and exposure in days (E).
    pub history: (f64, f64),
    /// It was told on an earlier day and waits in quarantine for a verdict.
    pub returning: bool,
    /// The network was never seen on this account.
    pub unseen_network: bool,
    /// The client family was never seen on this account.
    pub unseen_client: bool,
    /// The key kind was never used on this account.
    pub unseen_key: bool,
    /// The actor was never seen on this account.
    pub unseen_actor: bool,
    /// Two places too far apart for the time between.
    pub travel: Option<TravelEvidence>,
    /// Usual areas, networks and clients with their shares of days.
    pub usual_areas: Vec<(String, f64)>,
    /// See `usual_areas`.
    pub usual_networks: Vec<(String, f64)>,
    /// See `usual_areas`.
    pub usual_clients: Vec<(String, f64)>,
    /// Days since the account was first seen.
    pub watched_days: f64,
    /// The minute, since the epoch.
    pub minute: i64,
    /// The most surprising caller.
    pub caller: CallerKey,
    /// Its place.
    pub visit: Visit,
    /// What all callers of this category did in the minute.
    pub row: CallerRow,
}

/// Another country of the same principal shortly before.
#[derive(Clone, Debug, PartialEq)]
pub struct TravelEvidence {
    /// The other country.
    pub from: Country,
    /// Minutes between.
    pub minutes: i64,
}
