//! What a person sees of the service: what it watches, one line an alert, and how it is.
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::super::style::{Role, Ui, say, visible};
use crate::alert::words;
use crate::live::board::{Board, Phase, Status};
use crate::live::session::Traffic;
use crate::replay::engine::Observer;
use crate::replay::summary::Counts;
use crate::replay::writer::Listener;
use crate::source::{Progress, RefusedLog, RefusedRecord};
use crate::store::StateStore;
use crate::store::schema::run;
use crate::time::{Clock, Timestamp};

/// Milliseconds between two lines on how it is, where there is no terminal; on one the line changes
/// every second.
const LINE_EVERY_MS: u64 = 60_000;
const CHANGE_EVERY_MS: u64 = 1_000;

struct Inner {
    ui: Ui,
    quiet: bool,
    /// The alert file, for `explain`.
    alerts: Option<PathBuf>,
    /// It goes away with the process.
    temporary: bool,
    bar: Mutex<Option<ProgressBar>>,
    next_status: AtomicU64,
    stopping: AtomicBool,
}

/// Standard error.
#[derive(Clone)]
pub(super) struct Screen(Arc<Inner>);

impl Screen {
    pub(super) fn new(ui: Ui, quiet: bool, alerts: Option<&Path>, temporary: bool) -> Screen {
        let bar = (ui.terminal && !quiet).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Screen(Arc::new(Inner {
            ui,
            quiet,
            alerts: alerts.map(Path::to_owned),
            temporary,
            bar: Mutex::new(bar),
            next_status: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    /// A line above the line on how it is.
    pub(super) fn note(&self, line: &str) {
        if self.0.quiet {
            return;
        }
        match &*self.bar() {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.0.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is about to run.
    pub(super) fn started(
        &self,
        traffic: &Traffic,
        dir: &Path,
        store: &dyn StateStore,
    ) -> anyhow::Result<()> {
        let ui = self.0.ui;
        let at = run::summary(store)?.watermark;
        let state = match at {
            Timestamp::MIN => "new, learns from its first record".to_owned(),
            at => format!("goes on at {}", at.minutes_text()),
        };
        self.note(&ui.paint(Role::Strong, "cosmoguard serve"));
        match traffic {
            Traffic::Made(..) => {
                self.note("  demo      a made-up fleet: a month of history, then an hour a second");
            }
            Traffic::Watched(watch) => {
                for path in &watch.paths {
                    self.note(&format!("  watches   {}", visible(&path.display().to_string())));
                }
                if let Some((_, folder)) = &watch.inbox {
                    self.note(&format!("  inbox     {}", visible(&folder.display().to_string())));
                }
            }
        }
        let gone = if self.0.temporary { ", removed at the end" } else { "" };
        self.note(&format!("  data      {}{gone}", visible(&dir.display().to_string())));
        if let Some(alerts) = &self.0.alerts {
            self.note(&format!("  alerts    {}", visible(&alerts.display().to_string())));
        }
        self.note(&format!("  state     {state}"));
        self.note(&ui.paint(Role::Dim, "  Ctrl-C ends it in good order"));
        Ok(())
    }

    pub(super) fn stopping(&self, drain_seconds: u64) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.note(&format!(
            "stopping: what is read is applied and kept, {drain_seconds} s at most; Ctrl-C again ends at once"
        ));
    }

    pub(super) fn ended(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
        self.note("stopped, everything that was accepted is kept");
    }

    /// How it is, now and then.
    pub(super) fn status(&self, board: &Board, now: u64) {
        let every = if self.bar().is_some() { CHANGE_EVERY_MS } else { LINE_EVERY_MS };
        let next = self.0.next_status.load(Ordering::Relaxed);
        if self.0.quiet || now < next {
            return;
        }
        self.0.next_status.store(now.saturating_add(every), Ordering::Relaxed);
        let status = board.read();
        if next == 0 && self.bar().is_none() && status.phase != Phase::Warming {
            return;
        }
        let line = status_line(&status);
        match &*self.bar() {
            Some(bar) => bar.set_message(line),
            None => say(&line),
        }
    }
}

fn status_line(status: &Status) -> String {
    let mut parts = vec![status.phase.as_str().to_owned()];
    if let Some((share, left)) = status.warming {
        parts.push(format!("{:.0} %, {}:{:02} left", share * 100.0, left / 60, left % 60));
    }
    if let Some(newest) = status.newest {
        parts.push(format!("at {}", newest.minutes_text()));
    }
    let records = status.counts.records() as f64;
    parts.push(format!("{} records", words::count(records)));
    parts.push(words::plural(status.accounts.0 as f64, "account", "accounts"));
    let letters = super::super::summary::alert_letters(&status.counts);
    parts.push(if letters.is_empty() {
        "no alerts".to_owned()
    } else {
        format!("alerts {letters}")
    });
    let refused = status.counts.refused_total();
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    let behind: u64 = status.sources.iter().map(|s| s.bytes_behind).sum();
    if behind > 0 {
        parts.push(format!("{} to read", words::bytes(behind as f64)));
    }
    for source in &status.sources {
        if let Some((_, error)) = &source.last_error {
            parts.push(format!("{}: {}", visible(&source.name), visible(error)));
        }
    }
    parts.join(" · ")
}

impl Listener for Screen {
    fn delivered(&mut self, _: u64, line: &[u8]) {
        if self.0.quiet {
            return;
        }
        let Ok(alert) = serde_json::from_slice::<Value>(line) else { return };
        self.note(&alert_line(self.0.ui, &alert, self.0.alerts.as_deref()));
    }
}

/// `M 2026-11-13 03:12  contoso-orders  Access from a Tor exit node   cosmoguard explain 7f3a91c2 …`.
fn alert_line(ui: Ui, alert: &Value, file: Option<&Path>) -> String {
    let properties = &alert["properties"];
    let text = |value: &Value| visible(value.as_str().unwrap_or_default());
    let severity = text(&properties["severity"]);
    let (role, letter) = match severity.as_str() {
        "High" => (Role::High, "H High  "),
        "Medium" => (Role::Medium, "M Medium"),
        _ => (Role::Low, "L Low   "),
    };
    let at = Timestamp::parse(properties["timeGeneratedUtc"].as_str().unwrap_or_default());
    let at = at.map(Timestamp::minutes_text).unwrap_or_default();
    let extended = &properties["extendedProperties"];
    let revision = text(&extended["Revision"]);
    let revised = if revision == "1" { String::new() } else { format!(" (revision {revision})") };
    let history = if extended["Warm-up"] == "true" { " (history)" } else { "" };
    let id: String = text(&alert["name"]).chars().take(8).collect();
    let place = file.map_or_else(String::new, |f| format!(" --alerts {}", f.display()));
    let hint = ui.paint(Role::Dim, &format!("cosmoguard explain {id}{}", visible(&place)));
    format!(
        "{}  {at}  {}  {}{revised}{history}    {hint}",
        ui.paint(role, letter),
        ui.paint(Role::Accent, &text(&properties["compromisedEntity"])),
        text(&properties["alertDisplayName"]),
    )
}

/// Hears of progress and refusals.
pub(super) struct Watcher {
    screen: Screen,
    refused: RefusedLog,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    began: u64,
}

impl Watcher {
    pub(super) fn new(
        screen: Screen,
        refused: RefusedLog,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Watcher {
        let began = clock.monotonic_ms();
        Watcher { screen, refused, board, clock, began }
    }
}

impl Observer for Watcher {
    fn progress(&mut self, _: &Counts, progress: &Progress, _: Timestamp) {
        if self.board.phase() != Phase::Warming || progress.bytes_total == 0 {
            return;
        }
        let (read, total) = (progress.bytes_read as f64, progress.bytes_total as f64);
        let share = (read / total).clamp(0.0, 1.0);
        let took = self.clock.monotonic_ms().saturating_sub(self.began) as f64 / 1000.0;
        let left = if share > 0.0 { took * (1.0 - share) / share } else { 0.0 };
        self.board.write(|status| status.warming = Some((share, left as u64)));
    }
    fn refused(&mut self, file: &str, record: &RefusedRecord) {
        self.refused.push(file, record.offset, &record.refusal, &record.sample);
    }
    fn warning(&mut self, warning: &str) {
        self.screen.note(&format!("warning: {}", visible(warning)));
    }
    fn stop(&self) -> bool {
        false
    }
}
