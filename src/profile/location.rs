//! Place settings.
use serde::Deserialize;

/// Settings of the location baseline and detector, and of the Tor and listed-address rules.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationProfile {
    /// Half-life of counts and exposure, days.
    pub half_life_days: f64,
}
