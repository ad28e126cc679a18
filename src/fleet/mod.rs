//! Population priors at event-time midnights: pure [`model`], thin [`actor`]; and who of the fleet fell
//! [`silence`].
pub mod actor;
pub mod model;
mod packed;
pub mod silence;
