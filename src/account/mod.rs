//! One account: a pure [`model`] (batch in, findings out) and its thin actix shell ([`actor`]).
pub mod actor;
mod close;
pub mod diff;
pub mod left_out;
pub mod lessons;
pub mod logic;
pub mod message;
pub mod model;
mod queries;
pub mod shapes;
pub mod verdict;
pub mod view;
