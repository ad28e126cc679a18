//! One integration binary: one link, many rooms.

mod actors;
mod architecture;
mod budget;
mod cli;
mod decisions;
mod demo;
mod determinism;
mod evidence;
mod golden_state;
mod inbox;
mod injections;
mod kill;
mod ladder;
mod mongo;
mod query;
mod rebuild;
mod scenarios;
mod shuffles;
mod simulated;
mod snapshots;
mod splits;
mod state;
mod support;
