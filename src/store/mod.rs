//! store

pub mod schema;
