//! `cosmoguard replay`.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;

use super::args::{ColorChoice, Replay};
use super::common::{self, Lists, Opened};
use super::progress::Progress;
use super::style::{Ui, say, visible};
use super::{Exit, evidence, scheduled, summary};
use crate::account::message::{Context, Published};
use crate::alert::formats::Format;
use crate::config::Config;
use crate::intel::view::ListKind;
use crate::replay::demo;
use crate::replay::engine::{Observer, RunOptions};
use crate::replay::pipeline::{self, Producer};
use crate::replay::scheduled::Scheduler;
use crate::replay::session::{self, Job, Report};
use crate::replay::summary::Counts;
use crate::replay::writer::AlertWriter;
use crate::source::{self, Earlier, Progress as SourceProgress, Reader, RefusedLog, RefusedRecord};
use crate::store::layout::DataDir;
use crate::store::sources::Sources;
use crate::store::{StateStore, StoreError, keys};
use crate::time::{Clock, DAY_MS, SystemClock, Timestamp};

/// Runs it.
pub fn run(args: Replay, color: ColorChoice) -> anyhow::Result<Exit> {
    let mut resolved = common::configuration(args.config.as_deref())?;
    if let Some(minutes) = args.lateness {
        resolved.set_lateness(minutes);
    }
    let config = resolved.config.clone();
    if !span_is_sound(&args) {
        return Ok(Exit::Usage);
    }
    let ui = Ui::stderr(color);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let data_dir = data_dir(&args, &config);
    let lists = Lists::new(&config.intel, &args.tor_exits, &args.threat_ips)
        .and_kept(&config.intel, data_dir.as_deref())?;
    let (records, extra) = records(&args, &config)?;
    let (intel, _) = common::intel_view(&config, &lists, &extra)?;
    let scheduler = scheduled::scheduler(&resolved, &lists, data_dir.as_deref(), &clock)?;
    let opened = common::open_store(data_dir.as_deref(), ui)?;
    if let Some(dir) = data_dir.as_deref() {
        if let Records::Made(demo) = &records {
            may_go_on(demo, opened.store.as_ref(), dir)?;
        }
        evidence::note_run(opened.store.as_ref(), &resolved, &lists, clock.now())?;
    }
    let mut writer = writer(&args, &config, data_dir.as_deref(), &opened)?;
    let refused_path = refused_path(data_dir.as_deref(), writer.path());
    let mut watcher = Watcher {
        progress: Progress::start(ui, "replay", args.quiet, Arc::clone(&clock)),
        refused: RefusedLog::new(
            &refused_path,
            if data_dir.is_some() { Earlier::Kept } else { Earlier::Renamed },
        ),
        interrupted: interrupt_flag(),
        left_out: 0,
        quiet: args.quiet,
    };
    let job = Job {
        producer: records.producer(opened.store.as_ref())?,
        context: Context {
            profile: Arc::new(config.profile.clone()),
            intel: Arc::new(intel),
            published: Published::default(),
        },
        store: Arc::clone(&opened.store),
        options: options(&args, &config, clock.now(), scheduler.as_ref()),
        clock,
    };
    let report = session::run(job, &mut writer, &mut watcher)?;
    let interrupted = watcher.stop();
    let elapsed_ms = watcher.progress.finish();
    scheduled::tell(scheduler.and_then(|s| s.take_if_due(opened.store.as_ref())));
    let refused = watcher.refused.summary();
    if !args.quiet {
        let shown = summary::Shown {
            report: &report,
            elapsed_ms,
            refused: &refused,
            alerts: args.alerts.as_deref().or(writer.path()),
            format: writer.format(),
            data_dir: data_dir.as_deref(),
            profile: &config.profile,
        };
        summary::print(ui, &shown, opened.store.as_ref())?;
    }
    close(opened, args.quiet);
    ending(&report, interrupted, watcher.left_out, refused.total() > 0)
}

/// The demo goes on in what it began, and in nothing else: its records are older than most logs, and
/// would all be late.
fn may_go_on(demo: &demo::Demo, store: &dyn StateStore, dir: &Path) -> anyhow::Result<()> {
    if store.get(&keys::positions())?.is_some() && !Sources::load(store)?.knows(&demo.key()) {
        bail!(
            "{} holds what was learnt of something else before, and the demo cannot go on from it; give --data-dir an empty folder",
            visible(&dir.display().to_string())
        );
    }
    Ok(())
}

/// How a run ends that came to its end.
fn ending(
    report: &Report,
    interrupted: bool,
    left_out: u64,
    refused: bool,
) -> anyhow::Result<Exit> {
    if interrupted {
        bail!("interrupted; what was read until {} is applied", report.watermark);
    }
    if left_out > 0 && report.counts.records() == 0 {
        bail!("nothing could be read: {left_out} files are left out; see the warnings above");
    }
    if left_out > 0 {
        say(&format!("warning: {left_out} files could not be read and are left out"));
    }
    Ok(if refused || left_out > 0 { Exit::SomeRefused } else { Exit::Done })
}

/// Where state is kept; `None` for a temporary store.
fn data_dir(args: &Replay, config: &Config) -> Option<PathBuf> {
    let configured = || Some(config.store.data_dir.clone()).filter(|d| !d.as_os_str().is_empty());
    args.data_dir.clone().or_else(configured)
}

/// Says so if the span asked for is empty.
fn span_is_sound(args: &Replay) -> bool {
    let empty = args.from.zip(args.until).is_some_and(|(from, until)| from >= until);
    if empty {
        say("error: --from must lie before --until");
    }
    !empty
}

/// Closes the store, and gives back what its files take too much. The run is done and kept whether
/// that succeeds or not.
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

/// Lists in memory: name, kind, text.
type ExtraLists = Vec<(&'static str, ListKind, String)>;

fn records(args: &Replay, config: &Config) -> anyhow::Result<(Records, ExtraLists)> {
    let options = source::Options {
        chunk_records: config.replay.batch_records.max(1),
        ..source::Options::default()
    };
    if args.demo {
        let demo = demo::Demo::new(options.chunk_records);
        let lists = vec![
            ("demo-tor-exits", ListKind::TorExit, demo.tor_exits()),
            ("demo-threat-ips", ListKind::Threat, demo.threat_ips()),
        ];
        return Ok((Records::Made(Box::new(demo)), lists));
    }
    let reader = source::open(&args.paths, &options)?;
    Ok((Records::Read(Box::new(reader)), Vec::new()))
}

/// Where records come from, before it is known what an earlier run applied.
enum Records {
    Made(Box<demo::Demo>),
    Read(Box<Reader>),
}

impl Records {
    fn producer(self, store: &dyn StateStore) -> Result<Producer, StoreError> {
        match self {
            Records::Made(demo) => Ok(demo.producer()),
            Records::Read(mut reader) => {
                reader.know_heads(Sources::load(store)?.known_heads());
                Ok(pipeline::from_paths(*reader))
            }
        }
    }
}

fn options(
    args: &Replay,
    config: &Config,
    now: Timestamp,
    scheduler: Option<&Arc<Scheduler>>,
) -> RunOptions {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match (args.threads, config.replay.threads) {
        (Some(threads), _) => usize::from(threads),
        (None, 0) => cores,
        (None, threads) => threads,
    };
    RunOptions {
        from: args.from.unwrap_or(Timestamp::MIN),
        until: args.until.unwrap_or(Timestamp::MAX),
        not_after: if args.demo { Timestamp::MAX } else { now.plus_ms(2 * DAY_MS) },
        alerts_from: args.alerts_from.unwrap_or(Timestamp::MIN),
        threads,
        awake_max: config.replay.awake_accounts,
        checkpoint_records: config.replay.checkpoint_records.max(1),
        checkpoint_ms: config.replay.checkpoint_seconds.saturating_mul(1000).max(1),
        after_checkpoint: scheduler.map(scheduled::after_checkpoint),
    }
}

fn writer(
    args: &Replay,
    config: &Config,
    data_dir: Option<&Path>,
    opened: &Opened,
) -> anyhow::Result<AlertWriter> {
    let name = args.format.as_deref().unwrap_or(&config.alerts.format);
    let Some(format) = Format::parse(name) else {
        return Err(crate::config::ConfigError(format!(
            "unknown alert format `{name}`; known are defender, ocsf, ecs, cef, securityalert"
        ))
        .into());
    };
    let path = match (&args.alerts, data_dir) {
        (Some(path), _) if path.as_os_str() == "-" => return Ok(AlertWriter::stdout(format)),
        (Some(path), _) => path.clone(),
        (None, Some(dir)) => DataDir::new(dir).alerts(),
        (None, None) => PathBuf::from("alerts.jsonl"),
    };
    Ok(match data_dir {
        Some(_) => AlertWriter::resume(&path, format, opened.store.as_ref())?,
        None => AlertWriter::create(&path, format)?,
    })
}

/// Beside the models, else beside the alerts, else here.
fn refused_path(data_dir: Option<&Path>, alerts: Option<&Path>) -> PathBuf {
    let dir = data_dir.or_else(|| alerts.and_then(Path::parent)).unwrap_or(Path::new(""));
    DataDir::new(dir).refused()
}

/// Set by Ctrl-C: the run ends at the next chunk, in good order.
fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    // Without a handler Ctrl-C still ends the process, only less tidily.
    let _ = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    flag
}

struct Watcher {
    progress: Progress,
    refused: RefusedLog,
    interrupted: Arc<AtomicBool>,
    left_out: u64,
    quiet: bool,
}

impl Observer for Watcher {
    fn progress(&mut self, counts: &Counts, progress: &SourceProgress, at: Timestamp) {
        self.left_out = progress.files_left_out;
        let alerts = summary::alert_letters(counts);
        self.progress.update(
            progress.bytes_read,
            progress.bytes_total,
            counts.records(),
            at,
            &alerts,
        );
    }
    fn refused(&mut self, file: &str, record: &RefusedRecord) {
        self.refused.push(file, record.offset, &record.refusal, &record.sample);
    }
    fn warning(&mut self, warning: &str) {
        if !self.quiet {
            say(&format!("warning: {}", visible(warning)));
        }
    }
    fn stop(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }
}
