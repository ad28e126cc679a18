//! Key-operation settings.
use serde::Deserialize;

/// Settings of the principals baseline, the tenant model and the two key detectors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysProfile {
    /// Half-life of counts and exposure, days.
    pub half_life_days: f64,
}
