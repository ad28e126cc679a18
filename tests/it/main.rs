//! One integration binary: one link, many rooms.
mod architecture;
