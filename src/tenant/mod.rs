//! Credential operations across accounts, subscriptions and providers, by principal.
//!
//! [`model`] is pure: operations in with the watermark stamped on them, findings and midnight
//! directories out. Minute cells hold order-free sets and are applied in time order, as accounts
//! do. [`actor`] is its thin shell.
pub mod actor;
pub mod habit;
pub mod model;
pub mod observe;
pub mod operation;
#[cfg(test)]
pub(crate) mod tests;
