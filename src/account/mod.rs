//! One account: a pure [`model`] (batch in, findings out) and its thin actix shell ([`actor`]).
pub mod actor;
pub mod message;
pub mod model;
