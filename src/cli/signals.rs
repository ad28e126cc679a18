//! Signals whose default is to kill the process.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// A write beyond `ulimit -f` then fails like one to a full disk, and is reported like one.
pub fn outlive_file_size_limit() {
    // Nobody asks for the flag: that the signal is handled at all is what counts. Without a handler
    // the process ends at the limit, with its state at the last checkpoint.
    let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Milliseconds between two looks at what was asked.
const NAP_MS: u64 = 50;

/// What the process was asked by signals.
pub struct Asked {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Asked {
    /// To come to an end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
    /// To read its configuration once more, since the last time.
    pub fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }
}

/// SIGINT and SIGTERM ask to stop, and end the process at once when they come again; SIGHUP asks to
/// reload.
pub fn service() -> std::io::Result<Asked> {
    let asked = Asked { stop: Arc::default(), reload: Arc::default() };
    for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
        // In this order: the first signal finds the flag down, and lifts it.
        flag::register_conditional_shutdown(signal, code, Arc::clone(&asked.stop))?;
        flag::register(signal, Arc::clone(&asked.stop))?;
    }
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGHUP, Arc::clone(&asked.reload))?;
    Ok(asked)
}

/// Waits a little.
pub fn nap() {
    std::thread::sleep(std::time::Duration::from_millis(NAP_MS));
}
