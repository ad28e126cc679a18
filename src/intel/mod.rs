//! Who an address is: immutable lookups ([`view`], pure) and feeds ([`feeds`], reads files).
pub mod feeds;
pub mod view;
