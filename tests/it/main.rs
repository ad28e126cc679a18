//! One integration binary: one link, many rooms.
mod architecture;
mod cli;
mod determinism;
mod scenarios;
mod support;
