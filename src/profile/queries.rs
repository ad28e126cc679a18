//! `[queries]`: shapes of queries, and requests that were refused as malformed.
use std::collections::BTreeMap;

use serde::Deserialize;

/// Settings of the injection detectors and of the facet they read. Every value says its unit and
/// its why in `models/default/profile.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // said beside the values
pub struct QueriesProfile {
    pub half_life_days: f64,
    /// Gamma prior [shape, exposure days] on new shapes a day.
    pub arrival: [f64; 2],
    pub unseen_shapes: f64,
    pub unseen_days: f64,
    pub mature_days: i64,
    pub mature_active_days: u32,
    pub quarantine_p: f64,
    pub quarantine_days: u32,
    /// P(sign | a benign query that is new to the account), by name.
    pub signs: BTreeMap<String, f64>,
    pub further_sign: f64,
    pub p_floor: f64,
    pub decisive: f64,
    pub decisive_together: f64,
    pub beyond_history: f64,
    pub beyond_factor: f64,
    pub burst: BurstProfile,
}

/// `[queries.burst]`: malformed requests in ten minutes, an hour, a day; what is given three times is
/// given for each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // said beside the values
pub struct BurstProfile {
    pub least: u64,
    pub half_life_days: f64,
    /// Prior tail (1 + k/scale)^−exponent, worth so many spans.
    pub scale: [f64; 3],
    pub exponent: f64,
    pub prior_spans: [f64; 3],
    pub distinct_places: [usize; 3],
    pub attack_signs: u32,
    pub distinct_lengths: usize,
    /// P(… | an innocent burst).
    pub p_places: f64,
    pub p_signs: [f64; 3],
    pub p_insertion: [f64; 3],
    pub p_lengths: f64,
    /// Distinct lengths that are as many as are kept.
    pub many_lengths: usize,
    /// P(so many | an innocent burst).
    pub p_many_lengths: [f64; 3],
}
