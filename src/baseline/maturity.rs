//! How much to trust a baseline.

/// State of a baseline; caps severity until mature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MaturityState {
    /// Too young to judge by itself: the prior speaks.
    Learning,
    /// Usable, capped at Low for a single finding.
    Provisional,
    /// Trusted.
    Mature,
    /// Trusted, but its input is filtered, sampled or has gaps.
    Degraded,
}

impl MaturityState {
    /// Lower-case word of the alert contract.
    pub fn as_str(self) -> &'static str {
        match self {
            MaturityState::Learning => "learning",
            MaturityState::Provisional => "provisional",
            MaturityState::Mature => "mature",
            MaturityState::Degraded => "degraded",
        }
    }
}

/// State and age of one facet's baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Maturity {
    /// The state.
    pub state: MaturityState,
    /// Days since the facet's first observation.
    pub age_days: f64,
    /// Days with observations.
    pub active_days: u32,
}
