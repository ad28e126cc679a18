//! Key operations across accounts, subscriptions and providers, by principal: pure [`model`], thin
//! [`actor`].
pub mod actor;
pub mod model;
