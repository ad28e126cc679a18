//! What runs beside the engine: the HTTP API, the sinks, and the keeper of feeds.
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;

use super::super::args::Serve;
use super::super::signals;
use super::super::style::{say, visible};
use super::screen::Screen;
use crate::alert::sinks::dispatch::{DispatchSettings, Dispatcher};
use crate::alert::sinks::inventory::Inventory;
use crate::config::{Config, ConfigError, FeedConfig, Resolved};
use crate::intel::feeds::fetch::Http;
use crate::intel::feeds::kept::{Change, FeedFolder, FeedSource};
use crate::live::board::Status;
use crate::live::session::Running;
use crate::replay::writer::Listener;
use crate::server::book::{self, LiveBook};
use crate::server::{self, ServerHandle, Settings, Shared};
use crate::store::StateStore;
use crate::store::layout::DataDir;
use crate::time::Clock;

/// How long sinks may take to send what waits when the service ends; the rest stays queued.
const LAST_MESSAGES: Duration = Duration::from_secs(5);
/// Milliseconds between two looks at which feeds are due.
const FEEDS_EVERY_MS: u64 = 60_000;

/// Where the API listens.
pub(super) fn address(args: &Serve, config: &Config) -> Result<SocketAddr, ConfigError> {
    let given = args.listen.as_ref().unwrap_or(&config.serve.listen);
    given.parse().map_err(|_| {
        let given = visible(given);
        ConfigError(format!("`{given}` is no address to listen on; write 127.0.0.1:8475"))
    })
}

/// What is there before the engine runs.
pub(super) struct Beside {
    book: Arc<LiveBook>,
    sinks: Option<Arc<Dispatcher>>,
}

impl Beside {
    /// Reads the alerts that are there, and tells the sinks what they missed of them.
    pub(super) fn prepare(
        args: &Serve,
        config: &Config,
        dir: &Path,
        store: &Arc<dyn StateStore>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Beside> {
        let book = Arc::new(LiveBook::open(store.as_ref())?);
        // Nobody is woken for what is made up.
        if args.demo || config.sinks.is_empty() {
            return Ok(Beside { book, sinks: None });
        }
        let file = &config.inventory.file;
        let inventory =
            if file.as_os_str().is_empty() { Inventory::default() } else { Inventory::read(file)? };
        let settings = DispatchSettings {
            sinks: config.sinks.clone(),
            routes: config.routes.clone(),
            severity: config.profile.severity.clone(),
        };
        let sinks = Dispatcher::start(&settings, dir, Arc::clone(clock), inventory)?;
        sinks.catch_up(store.as_ref())?;
        Ok(Beside { book, sinks: Some(Arc::new(sinks)) })
    }

    /// Who is told of each alert.
    pub(super) fn listeners(&self, screen: &Screen) -> Vec<Box<dyn Listener>> {
        let mut all: Vec<Box<dyn Listener>> =
            vec![Box::new(screen.clone()), Box::new(book::Feed(Arc::clone(&self.book)))];
        if let Some(sinks) = &self.sinks {
            all.push(Box::new(sinks.listener()));
        }
        all
    }

    /// Starts the API on what runs.
    pub(super) fn answer(
        self,
        listen: SocketAddr,
        args: &Serve,
        resolved: &Resolved,
        running: &Running,
        dir: &Path,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Answering> {
        let shared = Shared {
            desk: running.desk.clone(),
            board: Arc::clone(&running.board),
            store: Arc::clone(&running.store),
            inbox: running.inbox.clone(),
            book: self.book,
            sinks: self.sinks.clone(),
            data_dir: dir.to_owned(),
            config: Arc::new(resolved.clone()),
            clock: Arc::clone(clock),
        };
        let server = &resolved.config.server;
        let settings = Settings {
            listen,
            insecure_listen: args.insecure_listen,
            server: server.clone(),
            head_patience: server::HEAD_PATIENCE,
        };
        let is_tls = !server.tls.cert.as_os_str().is_empty();
        let server = server::start(shared, &settings)?;
        Ok(Answering { server, sinks: self.sinks, is_tls })
    }
}

/// What runs.
pub(super) struct Answering {
    server: ServerHandle,
    sinks: Option<Arc<Dispatcher>>,
    is_tls: bool,
}

impl Answering {
    /// Its address, behind `http`.
    pub(super) fn shown(&self) -> String {
        format!("{}://{}", if self.is_tls { "s" } else { "" }, self.server.address())
    }

    /// Tells the sinks how the service stands.
    pub(super) fn tell(&self, status: &Status) {
        let Some(sinks) = &self.sinks else { return };
        sinks.set_accounts(status.accounts.0);
        if let Some(watermark) = status.watermark {
            sinks.set_watermark(watermark);
        }
    }

    /// Ends both. What a sink has not sent stays queued.
    pub(super) fn end(self) {
        if let Err(cause) = self.server.stop() {
            say(&format!("warning: {}", visible(&format!("{cause:#}"))));
        }
        if let Some(sinks) = &self.sinks {
            sinks.stop(LAST_MESSAGES);
        }
    }
}

/// Fetches feeds when they are due, on a thread of its own.
pub(super) struct FeedKeeper {
    stop: Arc<AtomicBool>,
    changed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FeedKeeper {
    /// Starts it, if there is any feed.
    pub(super) fn start(
        config: &Config,
        dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<FeedKeeper> {
        let sources: Vec<FeedSource> =
            config.intel.feeds.iter().map(FeedConfig::source).collect::<Result<_, _>>()?;
        let folder = FeedFolder::new(&DataDir::new(dir).intel());
        let (stop, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stopped, change) = (Arc::clone(&stop), Arc::clone(&changed));
        let work = move || {
            let (http, mut next) = (Http::default(), 0);
            while !stopped.load(Ordering::Relaxed) {
                if clock.monotonic_ms() >= next {
                    if turn(&folder, &sources, &http, clock.as_ref()) {
                        change.store(true, Ordering::Relaxed);
                    }
                    next = clock.monotonic_ms().saturating_add(FEEDS_EVERY_MS);
                }
                signals::nap();
            }
        };
        let thread = (!config.intel.feeds.is_empty())
            .then(|| thread::Builder::new().name("feeds".to_owned()).spawn(work))
            .transpose()
            .context("the keeper of feeds cannot be started")?;
        Ok(FeedKeeper { stop, changed, thread })
    }

    /// A list changed since this was last asked.
    pub(super) fn take_change(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }
}

impl Drop for FeedKeeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A fetch under way ends within its own bound; the process need not wait for it.
        drop(self.thread.take());
    }
}

/// Fetches what is due; says whether a list changed.
fn turn(folder: &FeedFolder, sources: &[FeedSource], http: &Http, clock: &dyn Clock) -> bool {
    let mut changed = false;
    for source in sources {
        if !folder.is_due(source, clock.now()) {
            continue;
        }
        match folder.refresh(source, false, false, clock.now(), http) {
            Ok(change) => changed |= change != Change::Unchanged,
            Err(cause) => {
                crate::telemetry::FeedRefused { feed: &source.name, cause: &cause.to_string() }
                    .emit();
            }
        }
    }
    changed
}
