//! tempo
