//! What people ask of a store, answered the same by the command line and by the API: the fleet and
//! what it lacks, and why an account was silent.
pub mod fleet;
pub mod hour;
