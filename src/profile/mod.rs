//! The shipped settings: every half-life, floor, budget and maturity rule, read once from
//! `models/default/profile.toml` (embedded) and overridable by configuration. Pure data: one
//! file a section, each field with its unit. The why of every value stands in the TOML.
use serde::Deserialize;

mod egress;
mod keys;
mod location;
mod queries;
mod severity;

pub use egress::EgressProfile;
pub use keys::{BetaPrior, GammaPrior, KeysProfile, PropertyPriors, SweepPriors, SweepProfile};
pub use location::{ListedProfile, LocationProfile, NoveltyProfile};
pub use queries::{BurstProfile, QueriesProfile};
pub use severity::{Budgets, KindSeverity, SeverityMode, SeverityProfile};

/// The embedded default, exactly as shipped.
pub const DEFAULT_TOML: &str = include_str!("../../models/default/profile.toml");

/// All settings that the pure rooms need.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Event time: lateness, passivation.
    pub time: TimeProfile,
    /// Places.
    pub location: LocationProfile,
    /// Volume.
    pub egress: EgressProfile,
    /// Key operations, principals, sweeps.
    pub keys: KeysProfile,
    /// Shapes of queries, malformed requests.
    pub queries: QueriesProfile,
    /// Budgets, floors, caps.
    pub severity: SeverityProfile,
}

/// Event-time settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeProfile {
    /// Allowed lateness, minutes: a cell closes this long after its end.
    pub lateness_minutes: i64,
    /// An alert closes after this many quiet hours.
    pub alert_quiet_hours: i64,
    /// The same key alerts again after this many days even without a rise.
    pub alert_again_days: i64,
}

impl Default for Profile {
    fn default() -> Self {
        #[allow(clippy::expect_used)] // the embedded file is parsed by a test in this room
        toml::from_str(DEFAULT_TOML).expect("the embedded profile is valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_profile_parses() {
        let profile: Result<Profile, _> = toml::from_str(DEFAULT_TOML);
        assert!(profile.is_ok(), "{:?}", profile.err());
    }
}
