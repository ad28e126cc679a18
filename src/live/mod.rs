//! The service that runs for months: sources that never end, verdicts while the hour is open,
//! checkpoints by the clock, and answers to whoever asks.
//!
//! The engine's thread owns everything that changes. What others may see of it is on the [`board`],
//! what they want of it is an [`ask::Ask`], and what it raised is told to a
//! [`crate::replay::writer::Listener`] once it is durable.
pub mod ask;
pub mod board;
pub mod feed;
mod run;
pub mod session;
mod silence;
