//! Feeds: one small pure parser a format, loading and verification.
//!
//! A feed is believed whole or refused whole: a line that does not fit its format means that the
//! file is something else (an error page, a cut download), and half of such a list would be worse
//! than yesterday's. What is dropped from a sound feed is counted: private and reserved ranges,
//! networks too wide to mean anything, and indicators that are revoked or say something that an
//! address alone cannot answer.
//!
//! Documentation ranges (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32) are kept:
//! no packet comes from them in the wild, and drills and examples use them.
//!
//! Validity is event time. Where a feed has dates they decide; a feed without dates is valid for
//! all time. A file's own modification time is never used.
mod abusech;
mod collect;
mod detect;
pub mod fetch;
pub mod kept;
mod load;
mod onionoo;
mod plain;
mod spamhaus;
mod status;
mod stix;
mod stix_pattern;
mod tor_exit_addresses;

pub use collect::{Dropped, ParseError, Parsed};
pub use detect::{FeedFormat, detect_format};
pub use load::{FeedError, FeedStore, load_bytes, load_file, parse, try_every_format};
pub use status::FeedStatus;

#[cfg(test)]
mod tests;
