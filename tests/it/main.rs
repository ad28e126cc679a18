//! One integration binary: one link, many rooms.

mod actors;
mod architecture;
<<<<<<< HEAD
mod cli;
mod determinism;
mod scenarios;
mod simulated;
mod support;
=======
mod golden_state;
mod simulated;
mod state;
>>>>>>> actors
