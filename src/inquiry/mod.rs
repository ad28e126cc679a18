//! What people ask of a store, answered the same by the command line and by the API: the fleet and
//! what it lacks, why an account was silent, and what there is to report.
pub mod fleet;
pub mod hour;
pub mod report;
pub mod status;
