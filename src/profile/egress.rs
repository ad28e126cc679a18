//! Volume settings.
use serde::Deserialize;

/// Settings of the egress baseline and detector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressProfile {
    /// Half-life of the seasonal sums, days.
    pub half_life_days: f64,
}
