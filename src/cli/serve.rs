//! `cosmoguard serve`.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use self::beside::{Beside, FeedKeeper};
use self::screen::{Screen, Watcher};
use super::args::{ColorChoice, Serve};
use super::common::{self, Lists, Opened};
use super::signals::{self, Asked};
use super::style::{Ui, say, visible};
use super::{Exit, evidence, scheduled, summary};
use crate::account::message::{Context, Published};
use crate::alert::formats::Format;
use crate::config::{Config, Resolved};
use crate::intel::view::{IntelView, ListKind};
use crate::live::board::Board;
use crate::live::feed::Watch;
use crate::live::session::{self, Running, Setup, Traffic};
use crate::replay::demo::Demo;
use crate::replay::engine::RunOptions;
use crate::replay::pipeline::{self, Producer};
use crate::replay::writer::AlertWriter;
use crate::source::inbox::{self, Inbox};
use crate::source::{self, Earlier, RefusedLog};
use crate::store::layout::DataDir;
use crate::store::sources::Sources;
use crate::store::{StateStore, keys};
use crate::telemetry::ConfigReloaded;
use crate::time::{Clock, DAY_MS, MINUTE_MS, SystemClock, Timestamp};

mod beside;
mod screen;

/// Milliseconds of the wall clock in which the demo lives an hour.
const DEMO_HOUR_MS: u64 = 1_000;
/// How long the last verdicts and the last checkpoint may take beyond the time to drain,
/// milliseconds; then the process ends without them.
const LAST_WORDS_MS: u64 = 30_000;

/// Milliseconds between two times that the sinks are told how the service stands.
const TELL_EVERY_MS: u64 = 10_000;

/// Runs it.
pub fn run(args: &Serve, color: ColorChoice) -> anyhow::Result<Exit> {
    let resolved = common::configuration(args.config.as_deref())?;
    let config = &resolved.config;
    let asked = signals::service()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ui = Ui::stderr(color);
    let place = Place::of(args, config)?;
    let watched = watched(args, config)?;
    let listen = beside::address(args, config)?;
    let lists = Lists::new(&config.intel, &args.tor_exits, &args.threat_ips)
        .and_kept(&config.intel, Some(&place.dir))?;
    let demo = args.demo.then(|| Demo::endless(config.replay.batch_records));
    let extra = demo.as_ref().map(demo_lists).unwrap_or_default();
    let (intel, _) = common::intel_view(config, &lists, &extra)?;
    let opened = common::open_store(Some(&place.dir), ui)?;
    if demo.is_some() && opened.store.get(&keys::positions())?.is_some() {
        bail!(
            "{} holds what was learnt before, and the demo cannot go on from it; give --data-dir an empty folder",
            visible(&place.dir.display().to_string())
        );
    }
    evidence::note_run(opened.store.as_ref(), &resolved, &lists, clock.now())?;
    let writer = writer(args, config, &place.dir, opened.store.as_ref())?;
    let screen = Screen::new(ui, args.quiet, writer.path(), place.temporary.is_some());
    let traffic = match demo {
        Some(demo) => Traffic::Made(Box::new(demo), DEMO_HOUR_MS),
        None => watch(config, &place.dir, watched, clock.now())?,
    };
    screen.started(&traffic, &place.dir, opened.store.as_ref())?;
    let beside = Beside::prepare(args, config, &place.dir, &opened.store, &clock)?;
    let board = Arc::new(Board::default());
    note_recovery(&opened, &board);
    let setup = Setup {
        context: context(config, intel),
        store: Arc::clone(&opened.store),
        state: Some(DataDir::new(&place.dir).state()),
        warm_up: history(args, config, opened.store.as_ref())?,
        observer: Box::new(watcher(&screen, &place.dir, &board, &clock)),
        listeners: beside.listeners(&screen),
        options: options(args, config, &resolved, &lists, &place, &clock)?,
        drain_ms: config.serve.drain_seconds.saturating_mul(1000),
        look_ms: session::LOOK_MS,
        quiet_ms: quiet_ms(config),
        traffic,
        writer,
        clock: Arc::clone(&clock),
        board,
    };
    let feeds = FeedKeeper::start(config, &place.dir, Arc::clone(&clock))?;
    let running = session::start(setup);
    let answering = match beside.answer(listen, args, &resolved, &running, &place.dir, &clock) {
        Ok(answering) => answering,
        Err(cause) => {
            running.stop.stop();
            return running.join().and(Err(cause));
        }
    };
    let takes = if args.demo { "  (answers; the demo takes no records)" } else { "" };
    screen.note(&format!("listens      http{}{takes}", answering.shown()));
    let dir = place.dir.clone();
    let service =
        Service { args, dir, asked, clock, screen: screen.clone(), running, feeds, next_tell: 0 };
    let ended = service.attend(config.serve.drain_seconds, &answering);
    answering.end();
    ended?;
    screen.ended();
    close(opened, args.quiet);
    Ok(Exit::Done)
}

/// Closes the store, and gives back what its files take too much.
fn close(opened: Opened, quiet: bool) {
    match opened.close() {
        Ok(Some(compacted)) if !quiet => say(&summary::compacted(&compacted)),
        Ok(_) => {}
        Err(cause) => say(&format!(
            "warning: the state could not be written anew, and stays as large as it is: {}",
            visible(&format!("{cause:#}"))
        )),
    }
}

/// Where state is kept.
struct Place {
    dir: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn of(args: &Serve, config: &Config) -> anyhow::Result<Place> {
        if let Some(dir) = &args.data_dir {
            return Ok(Place { dir: dir.clone(), temporary: None });
        }
        if args.demo {
            let temporary = tempfile::Builder::new()
                .prefix("cosmoguard-demo-")
                .tempdir()
                .context("cannot make a temporary directory; give --data-dir an empty folder")?;
            return Ok(Place { dir: temporary.path().to_owned(), temporary: Some(temporary) });
        }
        let dir = config.store.data_dir.clone();
        if dir.as_os_str().is_empty() {
            return Err(crate::config::ConfigError(
                "a service needs a place for what it learns: give --data-dir DIR, or set store.data_dir"
                    .to_owned(),
            )
            .into());
        }
        Ok(Place { dir, temporary: None })
    }
}

/// What is to be watched; all of it must be there.
fn watched(args: &Serve, config: &Config) -> anyhow::Result<Vec<PathBuf>> {
    let all = if args.watch.is_empty() { &config.serve.watch } else { &args.watch };
    for path in all {
        std::fs::metadata(path).with_context(|| {
            format!(
                "cannot watch {}; make the folder, or correct --watch or serve.watch",
                visible(&path.display().to_string())
            )
        })?;
    }
    Ok(all.clone())
}

fn demo_lists(demo: &Demo) -> Vec<(&'static str, ListKind, String)> {
    vec![
        ("demo-tor-exits", ListKind::TorExit, demo.tor_exits()),
        ("demo-threat-ips", ListKind::Threat, demo.threat_ips()),
    ]
}

fn context(config: &Config, intel: IntelView) -> Context {
    Context {
        profile: Arc::new(config.profile.clone()),
        intel: Arc::new(intel),
        published: Published::default(),
    }
}

fn watch(
    config: &Config,
    dir: &Path,
    paths: Vec<PathBuf>,
    now: Timestamp,
) -> anyhow::Result<Traffic> {
    let folder = DataDir::new(dir).inbox();
    let options =
        inbox::Options { bytes_max: config.serve.inbox_bytes, ..inbox::Options::default() };
    let (inbox, _) = Inbox::open(&folder, options, now)?;
    Ok(Traffic::Watched(Watch {
        paths,
        inbox: Some((Arc::new(inbox), folder)),
        inbox_bytes: config.serve.inbox_bytes,
        poll_ms: config.serve.poll_seconds.saturating_mul(1000),
        chunk_records: config.replay.batch_records,
    }))
}

fn history(
    args: &Serve,
    config: &Config,
    store: &dyn StateStore,
) -> anyhow::Result<Option<Producer>> {
    if args.warm_up.is_empty() {
        return Ok(None);
    }
    let options = source::Options {
        chunk_records: config.replay.batch_records.max(1),
        ..source::Options::default()
    };
    let mut reader = source::open(&args.warm_up, &options)?;
    reader.know_heads(Sources::load(store)?.known_heads());
    Ok(Some(pipeline::from_paths(reader)))
}

/// Without a record for as long as the allowed lateness, nothing more is waited for.
fn quiet_ms(config: &Config) -> u64 {
    let minutes = u64::try_from(config.profile.time.lateness_minutes).unwrap_or_default();
    minutes.saturating_mul(MINUTE_MS.unsigned_abs())
}

fn options(
    args: &Serve,
    config: &Config,
    resolved: &Resolved,
    lists: &Lists,
    place: &Place,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<RunOptions> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match (args.threads, config.replay.threads) {
        (Some(threads), _) => usize::from(threads),
        (None, 0) => cores,
        (None, threads) => threads,
    };
    let not_after = if args.demo { Timestamp::MAX } else { clock.now().plus_ms(2 * DAY_MS) };
    let scheduler = scheduled::for_service(resolved, lists, &place.dir, clock)?;
    Ok(RunOptions {
        not_after,
        threads,
        awake_max: config.replay.awake_accounts,
        checkpoint_records: config.replay.checkpoint_records.max(1),
        checkpoint_ms: config.serve.checkpoint_seconds.saturating_mul(1000).max(1),
        after_checkpoint: scheduler
            .filter(|_| !args.demo)
            .as_ref()
            .map(scheduled::after_checkpoint),
        ..RunOptions::default()
    })
}

fn writer(
    args: &Serve,
    config: &Config,
    dir: &Path,
    store: &dyn StateStore,
) -> anyhow::Result<AlertWriter> {
    let name = &config.alerts.format;
    let format = Format::parse(name).with_context(|| format!("unknown alert format `{name}`"))?;
    let path = args.alerts.clone().unwrap_or_else(|| DataDir::new(dir).alerts());
    AlertWriter::resume(&path, format, store)
}

fn watcher(screen: &Screen, dir: &Path, board: &Arc<Board>, clock: &Arc<dyn Clock>) -> Watcher {
    let refused = RefusedLog::new(&DataDir::new(dir).refused(), Earlier::Kept);
    Watcher::new(screen.clone(), refused, Arc::clone(board), Arc::clone(clock))
}

fn note_recovery(opened: &Opened, board: &Board) {
    if let Some(report) = opened.recovery() {
        board.write(|status| {
            status.recovery = Some((report.rung.as_str().to_owned(), report.why.clone()))
        });
    }
}

/// The running service, and whoever asks things of the process.
struct Service<'a> {
    args: &'a Serve,
    dir: PathBuf,
    asked: Asked,
    clock: Arc<dyn Clock>,
    screen: Screen,
    running: Running,
    feeds: FeedKeeper,
    /// When the sinks are told next how the service stands, milliseconds of the monotonic clock.
    next_tell: u64,
}

impl Service<'_> {
    /// Attends to signals until the service has ended.
    fn attend(mut self, drain_seconds: u64, beside: &beside::Answering) -> anyhow::Result<()> {
        let mut deadline = None;
        while !self.running.is_over() {
            signals::nap();
            if self.asked.take_reload() || self.feeds.take_change() {
                self.reload();
            }
            let now = self.clock.monotonic_ms();
            if now >= self.next_tell {
                beside.tell(&self.running.board.read());
                self.next_tell = now.saturating_add(TELL_EVERY_MS);
            }
            if self.asked.stop() && deadline.is_none() {
                self.running.stop.stop();
                self.screen.stopping(drain_seconds);
                let bound = drain_seconds.saturating_mul(1000).saturating_add(LAST_WORDS_MS);
                deadline = Some(self.clock.monotonic_ms().saturating_add(bound));
            }
            if deadline.is_some_and(|at| self.clock.monotonic_ms() >= at) {
                bail!(
                    "the service did not come to an end in time; state is at its last checkpoint"
                );
            }
            self.screen.status(&self.running.board, self.clock.monotonic_ms());
        }
        self.running.join().map(|_| ())
    }

    /// Reads the configuration once more: lists, trusted networks, the detectors' settings.
    fn reload(&self) {
        let done = self.read_again();
        let refused = done.as_ref().err().map(|cause| format!("{cause:#}"));
        ConfigReloaded { refused: refused.as_deref() }.emit();
        if refused.is_none() {
            self.screen.note("configuration reloaded");
        }
    }

    fn read_again(&self) -> anyhow::Result<()> {
        let resolved = common::configuration(self.args.config.as_deref())?;
        let config = &resolved.config;
        let lists = Lists::new(&config.intel, &self.args.tor_exits, &self.args.threat_ips)
            .and_kept(&config.intel, Some(&self.dir))?;
        let demo = self.args.demo.then(|| Demo::endless(config.replay.batch_records));
        let extra = demo.as_ref().map(demo_lists).unwrap_or_default();
        let (intel, _) = common::intel_view(config, &lists, &extra)?;
        let profile = Arc::new(config.profile.clone());
        self.running.desk.reload_blocking(Arc::new(intel), profile)?;
        evidence::note_run(self.running.store.as_ref(), &resolved, &lists, self.clock.now())
    }
}
