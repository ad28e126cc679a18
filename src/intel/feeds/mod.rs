//! Feeds: one small parser a format, loading and verification.
