//! store
pub mod schema;
