//! Persisted forms, apart from the models they mirror. V1 is frozen at the first tagged release.
pub mod account;
pub mod cell;
pub mod desk;
pub mod due;
pub mod egress;
pub mod egress_prior;
pub mod evidence;
pub mod left_out;
pub mod listed;
pub mod location;
pub mod location_prior;
pub mod principals;
pub mod run;
pub mod sources;
pub mod tempo;
pub mod tenant;
pub mod words;
