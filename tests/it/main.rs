//! One integration binary: one link, many rooms.
