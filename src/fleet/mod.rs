//! Population priors at event-time midnights: pure [`model`], thin [`actor`].
pub mod actor;
pub mod model;
mod packed;
