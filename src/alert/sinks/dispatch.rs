//! The handle that the service holds: durable alert lines in, messages out.
//!
//! Planning and queueing happen where a line is handed over, and touch the disk only. Each sink has a
//! thread that sends, so that none of them can hold up detection or another.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::inventory::Inventory;
use super::lane::{Lane, SinkStatus};
use super::notice::{Notice, Silence};
use super::plan::{PlanState, Planner};
use super::settings::{Routes, SinkSettings};
use super::to;
use crate::profile::SeverityProfile;
use crate::store::layout::DataDir;
use crate::store::{StateStore, StoreError, keys};
use crate::time::{Clock, Timestamp};

/// What was planned, in that folder.
const PLAN_FILE: &str = "plan.json";
/// Lines that wait in memory while the disk refuses; more are taken from the store at the next
/// start.
const BACKLOG_MAX: usize = 1024;
/// Milliseconds between two looks at the clock, for digests and for a disk that refused.
const TICK_MS: u64 = 500;
/// No watermark was told.
const NO_WATERMARK: i64 = i64::MIN;

/// What a dispatcher is made of.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    /// The sinks.
    pub sinks: Vec<SinkSettings>,
    /// Who gets what.
    pub routes: Routes,
    /// The kinds' shares of the budgets.
    pub severity: SeverityProfile,
}

/// Why a dispatcher cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The file system refused.
    #[error("sinks cannot use `{path}`: {cause}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A sink cannot be made.
    #[error("sink `{name}`: {why}")]
    Sink {
        /// Its name.
        name: String,
        /// In words.
        why: String,
    },
    /// What was planned cannot be read.
    #[error(
        "`{path}` is damaged: {why}; move it away, and alerts from now on are told as if they were the first"
    )]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What is planned, and what could not be queued yet.
struct Plan {
    planner: Planner,
    path: PathBuf,
    /// Lines that wait for the disk.
    backlog: VecDeque<(u64, String)>,
    /// Messages that were planned and are not in their queues yet.
    unqueued: VecDeque<(String, Notice)>,
    /// Queues that hold what is not synced yet.
    unsynced: Vec<usize>,
    /// The state in memory is newer than that on the disk.
    unsaved: bool,
    /// Lines were left out: the next start takes them from the store.
    behind: bool,
    last_error: Option<(i64, String)>,
}

struct Shared {
    plan: Mutex<Plan>,
    lanes: Vec<Arc<Lane>>,
    clock: Arc<dyn Clock>,
    watermark: AtomicI64,
    stopping: AtomicBool,
}

/// Sends alerts to sinks.
pub struct Dispatcher {
    shared: Arc<Shared>,
}

/// Where durable alert lines are handed over.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// How planning stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanStatus {
    /// Number of the next alert line.
    pub next: Option<u64>,
    /// Lines that wait for the disk.
    pub waiting: usize,
    /// Lines were left out and come at the next start.
    pub behind: bool,
    /// What went wrong last, and when by the wall clock, milliseconds.
    pub last_error: Option<(i64, String)>,
}

impl Dispatcher {
    /// Opens the queues in `data_dir` and starts a thread a sink.
    ///
    /// # Errors
    /// The file system refused, or a sink cannot be made.
    pub fn start(
        settings: &DispatchSettings,
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        inventory: Inventory,
    ) -> Result<Dispatcher, DispatchError> {
        let folder = DataDir::new(data_dir).sinks();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| DispatchError::Io { path, cause }
        };
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        let path = folder.join(PLAN_FILE);
        let state = read_state(&path)?;
        let (mut lanes, mut sinks) = (Vec::new(), Vec::new());
        for sink in &settings.sinks {
            let own = folder.join(&sink.common.name);
            let lane = Lane::open(sink, own.clone(), Arc::clone(&clock)).map_err(io(&own))?;
            lanes.push(Arc::new(lane));
            let built = to::build(sink, Some(&own), settings.routes.group_max);
            let name = sink.common.name.clone();
            sinks.push(built.map_err(|why| DispatchError::Sink { name, why })?);
        }
        let mut planner =
            Planner::new(&settings.sinks, &settings.routes, &settings.severity, inventory, state);
        let unqueued = planner.tick(clock.now()).into();
        let plan = Plan {
            planner,
            path,
            backlog: VecDeque::new(),
            unqueued,
            unsynced: Vec::new(),
            unsaved: false,
            behind: false,
            last_error: None,
        };
        let shared = Arc::new(Shared {
            plan: Mutex::new(plan),
            lanes,
            clock,
            watermark: AtomicI64::new(NO_WATERMARK),
            stopping: AtomicBool::new(false),
        });
        for (at, mut sink) in sinks.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let name = format!("sink-{}", shared.lanes[at].name());
            let work = move || shared.lanes[at].run(sink.as_mut(), &|| shared.watermark());
            std::thread::Builder::new().name(name).spawn(work).map_err(io(&folder))?;
        }
        let ticking = Arc::clone(&shared);
        let tick = move || ticking.tick_until_stopped();
        std::thread::Builder::new().name("sinks".to_owned()).spawn(tick).map_err(io(&folder))?;
        Ok(Dispatcher { shared })
    }

    /// Plans what `store` holds and was not planned: what became durable just before the last end.
    /// The very first time, what is there is history, of which nobody is told. Call it before the
    /// engine writes.
    ///
    /// # Errors
    /// The store failed.
    pub fn catch_up(&self, store: &dyn StateStore) -> Result<u64, StoreError> {
        let next = self.shared.lock().planner.state().next;
        let (mut end, mut planned) = (0, 0);
        let mut visit = |key: &[u8], line: &[u8]| {
            let Ok(number) = key[keys::ALERT.len()..].try_into().map(u64::from_be_bytes) else {
                return true;
            };
            end = number.saturating_add(1);
            if next.is_some_and(|next| number >= next) {
                self.shared.deliver(number, line, usize::MAX);
                planned += 1;
            }
            true
        };
        store.scan(keys::ALERT, &mut visit)?;
        let mut plan = self.shared.lock();
        // A state that was put back has fewer lines: their numbers will be given anew.
        plan.planner.begin_at(end);
        plan.planner.rewind_to(end);
        plan.unsaved = true;
        self.shared.work(&mut plan);
        Ok(planned)
    }

    /// Where durable alert lines are handed over.
    pub fn listener(&self) -> Feed {
        Feed { shared: Arc::clone(&self.shared) }
    }
    /// How many accounts log: the fleet's budget is shared by all of them.
    pub fn set_accounts(&self, accounts: usize) {
        self.shared.lock().planner.set_accounts(accounts);
    }
    /// Everything before this event time is judged; heartbeats say so.
    pub fn set_watermark(&self, watermark: Timestamp) {
        self.shared.watermark.store(watermark.millis(), Ordering::Relaxed);
    }
    /// Tells those who know the alert that its status changed. `line` is its newest line.
    pub fn status_changed(&self, line: &[u8], status: &str, reason: &str) {
        let Ok(text) = std::str::from_utf8(line) else { return };
        let now = self.shared.clock.now();
        let mut plan = self.shared.lock();
        let planned = plan.planner.status(text, status, reason, now);
        plan.unqueued.extend(planned);
        self.shared.work(&mut plan);
    }
    /// How each sink stands.
    pub fn status(&self) -> Vec<SinkStatus> {
        self.shared.lanes.iter().map(|lane| lane.status()).collect()
    }
    /// How planning stands.
    pub fn plan_status(&self) -> PlanStatus {
        let plan = self.shared.lock();
        PlanStatus {
            next: plan.planner.state().next,
            waiting: plan.backlog.len() + plan.unqueued.len(),
            behind: plan.behind,
            last_error: plan.last_error.clone(),
        }
    }
    /// Sends what can be sent at once, for at most `patience`, and ends the threads; the rest stays
    /// queued. Says whether all threads ended in time.
    pub fn stop(&self, patience: Duration) -> bool {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let begun = self.shared.clock.monotonic_ms();
        self.shared.lanes.iter().for_each(|lane| lane.stop());
        let mut all = true;
        for lane in &self.shared.lanes {
            let gone = self.shared.clock.monotonic_ms().saturating_sub(begun);
            all &= lane.wait_finished(patience.saturating_sub(Duration::from_millis(gone)));
        }
        all
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.lanes.iter().for_each(|lane| lane.stop());
    }
}

impl Feed {
    /// Takes the durable alert line of this number. It returns when the line's messages are on the
    /// disk; if the disk refuses, it is tried again by and by.
    pub fn deliver(&self, number: u64, line: &[u8]) {
        self.shared.deliver(number, line, BACKLOG_MAX);
    }

    /// Tells every sink that logs fell silent, or are back.
    pub fn silence(&self, silence: &Silence) {
        let now = self.shared.clock.now();
        let mut plan = self.shared.lock();
        let names = self.shared.lanes.iter().map(|lane| lane.name().to_owned());
        let notices = names.map(|name| (name, Notice::silence(silence.clone(), now)));
        plan.unqueued.extend(notices);
        self.shared.work(&mut plan);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn watermark(&self) -> Option<Timestamp> {
        let ms = self.watermark.load(Ordering::Relaxed);
        (ms != NO_WATERMARK).then_some(Timestamp(ms))
    }

    fn deliver(&self, number: u64, line: &[u8], most: usize) {
        let mut plan = self.lock();
        // A gap would be jumped over for good: from here on the store is asked, at the next start.
        plan.behind |= plan.backlog.len() >= most;
        if !plan.behind {
            plan.backlog.push_back((number, String::from_utf8_lossy(line).trim_end().to_owned()));
        }
        self.work(&mut plan);
    }

    /// Plans, queues, syncs and writes down how far it came, as far as the disk lets it.
    fn work(&self, plan: &mut Plan) {
        if let Err(cause) = self.try_work(plan) {
            plan.last_error = Some((self.clock.now().millis(), cause.to_string()));
        }
    }

    fn try_work(&self, plan: &mut Plan) -> io::Result<()> {
        loop {
            while let Some((name, notice)) = plan.unqueued.front() {
                if let Some(at) = self.lanes.iter().position(|lane| lane.name() == name) {
                    self.lanes[at].put(notice)?;
                    if !plan.unsynced.contains(&at) {
                        plan.unsynced.push(at);
                    }
                }
                plan.unqueued.pop_front();
            }
            let Some((number, line)) = plan.backlog.pop_front() else { break };
            let planned = plan.planner.alert(number, &line, self.clock.now());
            plan.unqueued.extend(planned);
            plan.unsaved = true;
        }
        while let Some(at) = plan.unsynced.last().copied() {
            self.lanes[at].sync()?;
            plan.unsynced.pop();
        }
        if plan.unsaved {
            write_state(&plan.path, plan.planner.state())?;
            plan.unsaved = false;
        }
        Ok(())
    }

    fn tick_until_stopped(&self) {
        while !self.stopping.load(Ordering::Relaxed) {
            let mut plan = self.lock();
            let digests = plan.planner.tick(self.clock.now());
            plan.unsaved |= !digests.is_empty();
            plan.unqueued.extend(digests);
            self.work(&mut plan);
            drop(plan);
            std::thread::sleep(Duration::from_millis(TICK_MS));
        }
    }
}

fn read_state(path: &Path) -> Result<PlanState, DispatchError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| DispatchError::Plan { path: path.to_owned(), why: e.to_string() }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(PlanState::default()),
        Err(cause) => Err(DispatchError::Io { path: path.to_owned(), cause }),
    }
}

/// Whole or not at all.
fn write_state(path: &Path, state: &PlanState) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(state).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
