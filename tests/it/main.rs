//! One integration binary: one link, many rooms.
mod actors;
mod architecture;
mod golden_state;
mod simulated;
mod state;
