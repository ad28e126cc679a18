//! Signals whose default is to kill the process.
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;

/// A write beyond `ulimit -f` then fails like one to a full disk, and is reported like one.
pub fn outlive_file_size_limit() {
    // Nobody asks for the flag: that the signal is handled at all is what counts. Without a handler
    // the process ends at the limit, with its state at the last checkpoint.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}
