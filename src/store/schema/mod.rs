//! Persisted forms, apart from the models they mirror. V1 is frozen at the first tagged release.
pub mod listed;
pub mod location;
pub mod location_prior;
pub mod tempo;
