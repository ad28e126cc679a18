//! One integration binary: one link, many rooms.

mod actors;
mod architecture;
mod cli;
mod determinism;
mod scenarios;
mod simulated;
mod support;
