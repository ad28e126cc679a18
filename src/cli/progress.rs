//! Progress of long work: a bar on a terminal, else a line every ten seconds.
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::style::{Ui, say};
use crate::time::{Clock, Timestamp};

/// Milliseconds between two lines where there is no terminal.
const LINE_EVERY_MS: u64 = 10_000;

/// Shows how far a piece of work is.
pub struct Progress {
    bar: Option<ProgressBar>,
    clock: Arc<dyn Clock>,
    started: u64,
    last_line: u64,
    quiet: bool,
}

impl Progress {
    /// Starts.
    pub fn start(ui: Ui, verb: &'static str, quiet: bool, clock: Arc<dyn Clock>) -> Progress {
        let bar = (ui.terminal && !quiet).then(|| {
            let bar = ProgressBar::new(0);
            let chars = if ui.unicode { "━╸─" } else { "=>-" };
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix} {bar:30} {percent:>3} %  {bytes} of {total_bytes}  {msg}",
            ) {
                bar.set_style(style.progress_chars(chars));
            }
            bar.set_prefix(verb);
            bar
        });
        let started = clock.monotonic_ms();
        Progress { bar, clock, started, last_line: started, quiet }
    }

    /// Says that `done` of `total` bytes, `records` in all, are done, and that event time is at `at`.
    pub fn update(&mut self, done: u64, total: u64, records: u64, at: Timestamp, alerts: &str) {
        let now = self.clock.monotonic_ms();
        let rate = rate(records, now.saturating_sub(self.started));
        let left = left(done, total, now.saturating_sub(self.started));
        let when = if at == Timestamp::MIN {
            String::new()
        } else {
            format!("at {}  ", at.minutes_text())
        };
        let message = format!("{when}{rate} rec/s  {left}  {alerts}");
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(done));
            bar.set_position(done);
            bar.set_message(message);
        } else if !self.quiet && now.saturating_sub(self.last_line) >= LINE_EVERY_MS {
            self.last_line = now;
            let percent =
                (done * 100).checked_div(total).map_or_else(String::new, |p| format!("{p} %  "));
            say(&format!("{percent}{message}"));
        }
    }

    /// Ends; returns the milliseconds it took.
    pub fn finish(self) -> u64 {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.clock.monotonic_ms().saturating_sub(self.started)
    }
}

/// Counts things done, where their number is not known before.
pub struct Counter {
    bar: Option<ProgressBar>,
    what: &'static str,
    clock: Arc<dyn Clock>,
    last_line: u64,
}

/// Things done between two looks at the clock.
const LOOK_EVERY: u64 = 256;

impl Counter {
    /// Starts to count `what`.
    pub fn start(ui: Ui, what: &'static str, clock: Arc<dyn Clock>) -> Counter {
        let bar = ui.terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{human_pos} {msg}") {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar
        });
        let last_line = clock.monotonic_ms();
        Counter { bar, what, clock, last_line }
    }
    /// Says that `done` are done.
    pub fn update(&mut self, done: u64) {
        if !done.is_multiple_of(LOOK_EVERY) {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let now = self.clock.monotonic_ms();
        if now.saturating_sub(self.last_line) >= LINE_EVERY_MS {
            self.last_line = now;
            say(&format!("{done} {}", self.what));
        }
    }
    /// Ends.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `412k`, `1.2M` records a second.
pub fn rate(records: u64, elapsed_ms: u64) -> String {
    let per_second = records as f64 * 1000.0 / elapsed_ms.max(1) as f64;
    if per_second >= 1e6 {
        format!("{:.1}M", per_second / 1e6)
    } else if per_second >= 1e4 {
        format!("{:.0}k", per_second / 1e3)
    } else {
        format!("{per_second:.0}")
    }
}

fn left(done: u64, total: u64, elapsed_ms: u64) -> String {
    if done == 0 || total <= done {
        return String::new();
    }
    let seconds = (elapsed_ms as f64 / done as f64 * (total - done) as f64 / 1000.0) as u64;
    format!("{}:{:02} left", seconds / 60, seconds % 60)
}
