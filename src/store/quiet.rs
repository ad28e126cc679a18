//! Panics of the database engine, caught and kept off the terminal.
//!
//! sled 0.34 panics on some damaged files. What happened is reported in words; a trace of it would
//! only frighten.
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Part of the path of every source file of the engine.
const ENGINE_SOURCES: &str = "sled-0.34";

thread_local! {
    /// Calls of [`caught`] on this thread that have not returned.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs `work`; a panic in it becomes its message. State that it leaves behind is not to be used
/// any more.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words");
        first_line(text)
    })
}

/// sled prints whole snapshots into its panics.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// Once a process: a hook before the one that is there.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The engine's own threads panic too, and are known by their sources only.
            let engine = info.location().is_some_and(|at| at.file().contains(ENGINE_SOURCES));
            if DEPTH.get() == 0 && !engine {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| -> u32 { panic!("first\nsecond") }), Err("first".to_owned()));
    }
}
