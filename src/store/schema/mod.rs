//! Persisted forms, apart from the models they mirror. V1 is frozen at the first tagged release.
pub mod principals;
pub mod tenant;
pub mod words;
