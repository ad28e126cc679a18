//! One run of the service, from the start of the engine's thread to its end.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::ask::{self, Ask, Desk};
use super::board::{Board, Phase, SourceStatus};
use super::feed::{self, Stop, Watch};
use super::run::{Quiet, Shell};
use crate::account::message::Context;
use crate::fleet::silence::Change;
use crate::replay::demo::Demo;
use crate::replay::engine::{Engine, Observer, RunOptions};
use crate::replay::pipeline::Producer;
use crate::replay::session::{Report, production_factory};
use crate::replay::writer::{AlertWriter, Listener};
use crate::source::inbox::Inbox;
use crate::store::StateStore;
use crate::store::sources::Sources;
use crate::time::Clock;

/// Milliseconds between two looks at what is open.
pub const LOOK_MS: u64 = 1_000;

/// Where records come from.
pub enum Traffic {
    /// What is watched.
    Watched(Watch),
    /// A made-up fleet: its history at once, then an hour of event time in so many milliseconds.
    Made(Box<Demo>, u64),
}

/// What to run.
pub struct Setup {
    /// Settings and lookups.
    pub context: Context,
    /// Where models live.
    pub store: Arc<dyn StateStore>,
    /// Its folder, for its size.
    pub state: Option<PathBuf>,
    /// Where records come from.
    pub traffic: Traffic,
    /// History to replay before.
    pub warm_up: Option<Producer>,
    /// Where alert lines go.
    pub writer: AlertWriter,
    /// Who is told of them.
    pub listeners: Vec<Box<dyn Listener>>,
    /// Who hears of progress and refusals.
    pub observer: Box<dyn Observer + Send>,
    /// How.
    pub options: RunOptions,
    /// How long what is read already may take to be applied when it is to stop, milliseconds.
    pub drain_ms: u64,
    /// Milliseconds between two looks at what is open; usually [`LOOK_MS`].
    pub look_ms: u64,
    /// Milliseconds without a record after which everything open is told, as at the end of a replay;
    /// usually the allowed lateness.
    pub quiet_ms: u64,
    /// Wall clock and monotonic clock.
    pub clock: Arc<dyn Clock>,
    /// What is shown of it; whoever opened the store wrote there what had to be repaired.
    pub board: Arc<Board>,
}

/// A running service.
pub struct Running {
    /// Questions to the engine.
    pub desk: Desk,
    /// What it shows of itself.
    pub board: Arc<Board>,
    /// Where models live.
    pub store: Arc<dyn StateStore>,
    /// Where batches are handed over.
    pub inbox: Option<Arc<Inbox>>,
    /// Ends it.
    pub stop: Stop,
    thread: JoinHandle<anyhow::Result<Report>>,
}

impl Running {
    /// It has ended, by itself or because it was asked to.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Source, store or writer failed.
    pub fn join(self) -> anyhow::Result<Report> {
        match self.thread.join() {
            Ok(report) => report,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Tells several.
struct Everybody(Vec<Box<dyn Listener>>);

impl Listener for Everybody {
    fn delivered(&mut self, number: u64, line: &[u8]) {
        self.0.iter_mut().for_each(|one| one.delivered(number, line));
    }
    fn silence(&mut self, change: &Change) {
        self.0.iter_mut().for_each(|one| one.silence(change));
    }
}

/// Starts the engine's thread.
pub fn start(mut setup: Setup) -> Running {
    let (desk, asks) = ask::desk();
    let (board, store) = (Arc::clone(&setup.board), Arc::clone(&setup.store));
    let stop = Stop::default();
    let inbox = match &setup.traffic {
        Traffic::Watched(watch) => watch.inbox.as_ref().map(|(inbox, _)| Arc::clone(inbox)),
        Traffic::Made(..) => None,
    };
    setup.writer.set_listener(Box::new(Everybody(std::mem::take(&mut setup.listeners))));
    let (stops, shown, taken) = (stop.clone(), Arc::clone(&board), inbox.clone());
    let thread = thread::spawn(move || {
        let ended = actix::System::new().block_on(run(setup, asks, stops, taken));
        if let Err(cause) = &ended {
            let cause = format!("{cause:#}");
            crate::telemetry::ServiceFailed { cause: &cause }.emit();
            shown.write(|status| status.failed = Some(cause));
        }
        ended
    });
    Running { desk, board, store, inbox, stop, thread }
}

async fn run(
    setup: Setup,
    asks: mpsc::Receiver<Ask>,
    stop: Stop,
    inbox: Option<Arc<Inbox>>,
) -> anyhow::Result<Report> {
    let mut engine = Engine::start(
        setup.context.clone(),
        production_factory(),
        Arc::clone(&setup.store),
        Arc::clone(&setup.clock),
        setup.options.clone(),
    )?;
    engine.go_live();
    let (store, clock, board) =
        (Arc::clone(&setup.store), Arc::clone(&setup.clock), Arc::clone(&setup.board));
    let (mut shell, warm_up, traffic) = shell(setup, asks, &stop, inbox);
    shell.silence.seed(store.as_ref())?;
    let (history, live) = match traffic {
        Traffic::Watched(watch) => (warm_up, Live::Watched(watch)),
        Traffic::Made(demo, hour_ms) => {
            board.write(|status| status.sources = vec![made_source()]);
            let history = (*demo).clone().history();
            (Some(history), Live::Made(feed::live_on(*demo, hour_ms, &clock, &stop)))
        }
    };
    if let Some(history) = history {
        warm_up_with(history, &mut engine, &mut shell).await?;
    }
    if !stop.is_asked() {
        let producer = match live {
            Live::Made(producer) => producer,
            Live::Watched(watch) => {
                let known = feed::known(&Sources::load(store.as_ref())?);
                feed::follow(watch, known, &board, &clock, &stop)
            }
        };
        board.write(|status| status.phase = Phase::Running);
        let pipeline = engine.pipeline(producer);
        shell.run(&mut engine, pipeline).await?;
    }
    shell.finish(&mut engine).await?;
    let report = Report {
        counts: engine.counts().clone(),
        router: engine.router().counters(),
        accounts: engine.router().population().0,
        watermark: engine.watermark(),
    };
    engine.stop();
    Ok(report)
}

/// What the loop works with, and what it is to be given.
fn shell(
    setup: Setup,
    asks: mpsc::Receiver<Ask>,
    stop: &Stop,
    inbox: Option<Arc<Inbox>>,
) -> (Shell, Option<Producer>, Traffic) {
    let (inbox_pressing, inbox_source) = match &setup.traffic {
        Traffic::Watched(watch) => (watch.inbox_bytes / 2, watch.paths.len()),
        Traffic::Made(..) => (0, usize::MAX),
    };
    let shell = Shell {
        writer: setup.writer,
        observer: setup.observer,
        board: setup.board,
        asks,
        stop: stop.clone(),
        clock: setup.clock,
        inbox,
        inbox_pressing,
        inbox_source,
        segments: HashMap::new(),
        segment_of: HashMap::new(),
        state: setup.state,
        drain_ms: setup.drain_ms,
        look_ms: setup.look_ms,
        quiet: Quiet::after(setup.quiet_ms),
        follows_clock: matches!(setup.traffic, Traffic::Watched(_)),
        source_of: HashMap::new(),
        silence: super::silence::Keeper::default(),
        next_look: 0,
        next_release: 0,
        next_board: 0,
    };
    (shell, setup.warm_up, setup.traffic)
}

/// Replays history; its alerts are marked.
async fn warm_up_with(
    history: Producer,
    engine: &mut Engine,
    shell: &mut Shell,
) -> anyhow::Result<()> {
    shell.board.write(|status| status.phase = Phase::Warming);
    engine.set_warm_up(true);
    let pipeline = engine.pipeline(history);
    shell.run(engine, pipeline).await?;
    if !shell.stop.is_asked() {
        engine.checkpoint_now(&mut shell.writer).await?;
        shell.checkpointed(engine);
        engine.set_warm_up(false);
    }
    shell.board.write(|status| status.warming = None);
    Ok(())
}

enum Live {
    Watched(Watch),
    Made(Producer),
}

fn made_source() -> SourceStatus {
    SourceStatus { name: "demo".to_owned(), kind: "demo", ..SourceStatus::default() }
}
