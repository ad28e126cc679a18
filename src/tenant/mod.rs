//! Credential operations across accounts, subscriptions and providers, by principal.
//!
//! `model.rs` is pure: operations in with the watermark stamped on them, findings and midnight
//! directories out. Minute cells hold order-free sets and are applied in time order, as accounts
//! do. Absent: actors, files, clocks.
pub mod habit;
pub mod model;
pub mod observe;
pub mod operation;
#[cfg(test)]
pub(crate) mod tests;
