//! One integration binary: one link, many rooms.

mod actors;
mod alert_places;
mod architecture;
mod budget;
mod cli;
mod demo;
mod deploy;
mod determinism;
mod evidence;
mod feeds;
mod golden_state;
mod inbox;
mod injections;
mod kill;
mod ladder;
mod mongo;
mod query;
mod rebuild;
mod scenarios;
mod serve;
mod shuffles;
mod simulated;
mod snapshots;
mod splits;
mod state;
mod support;
