//! History through the live path: source → decode → router → accounts → desk → file, in event time.
//!
//! The engine owns the order of things. It stamps each record with the watermark, holds a tick
//! whenever the watermark crosses an hour (accounts speak to tenant, fleet and desk only then, in
//! sorted order), publishes priors and directories at midnights, and writes checkpoints in one
//! atomic batch. Threads and batch sizes change nothing of what comes out.
mod alert_file;
pub mod demo;
pub mod engine;
pub mod pipeline;
mod pushed;
pub mod rebuild;
pub mod rings;
pub mod scheduled;
pub mod session;
pub mod snapshots;
pub mod summary;
mod texts;
pub mod ticks;
pub mod writer;
