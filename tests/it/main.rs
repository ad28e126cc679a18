//! One integration binary: one link, many rooms.
mod actors;
mod architecture;
mod simulated;
