//! A service in this process, over a data directory, and what it left.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cosmoguard::account::message::{Context, Published};
use cosmoguard::alert::formats::Format;
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{IntelView, ListKind};
use cosmoguard::live::board::{Board, Status};
use cosmoguard::live::feed::Watch;
use cosmoguard::live::session::{self, Running, Setup, Traffic};
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::replay::pipeline;
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::simulate::{self, Fleet, FleetOptions};
use cosmoguard::source::inbox::{self, Inbox};
use cosmoguard::source::{self, Options};
use cosmoguard::store::StateStore;
use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::layout::DataDir;
use cosmoguard::time::{SystemClock, Timestamp};

use super::super::simulated::{Unwatched, fleet};

/// Longest time that anything is waited for, in steps of 5 ms.
const STEPS_MAX: usize = 24_000;

/// A fleet with an attack of each kind.
pub fn options() -> FleetOptions {
    fleet(4, 12, 30.0)
}

fn intel(fleet: &Fleet) -> IntelView {
    let list =
        |name, kind, text: String| feeds::load_bytes(name, name, kind, text.as_bytes()).unwrap().0;
    IntelView::builder()
        .list(list("tor", ListKind::TorExit, fleet.tor_exits_text()))
        .list(list("threats", ListKind::Threat, fleet.threat_ips_text()))
        .build()
        .unwrap()
}

fn context(fleet: &Fleet) -> Context {
    Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(intel(fleet)),
        published: Published::default(),
    }
}

/// The records of a fleet in order of arrival.
pub fn records(fleet: &Fleet) -> Vec<(Timestamp, Vec<u8>)> {
    simulate::records(fleet).collect()
}

/// An alert as it was told last: kind, account, severity.
pub type Alerts = BTreeMap<String, (String, String, String)>;

/// The alerts of a file. None may be told twice under one revision.
pub fn alerts(path: &Path) -> Alerts {
    let mut told: BTreeMap<(String, u64), (String, String, String)> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let properties = &alert["properties"];
        let revision = text(&properties["extendedProperties"]["Revision"]).parse().unwrap();
        let key = (text(&alert["name"]), revision);
        let what = (
            text(&properties["alertType"]),
            text(&properties["compromisedEntity"]),
            text(&properties["severity"]),
        );
        assert!(told.insert(key.clone(), what).is_none(), "{key:?} is told twice");
    }
    // In order of revision, so that the last one stays.
    told.into_iter().map(|((id, _), what)| (id, what)).collect()
}

/// The alerts of a replay over `paths`.
pub fn replayed(fleet: &Fleet, paths: &[PathBuf], data_dir: &Path) -> Alerts {
    std::fs::create_dir_all(data_dir).unwrap();
    let opened = ladder::open(data_dir, &mut NoSnapshots, Timestamp(0)).unwrap();
    let path = DataDir::new(data_dir).alerts();
    let store: Arc<dyn StateStore> = Arc::clone(&opened.store) as _;
    let mut writer = AlertWriter::resume(&path, Format::Defender, store.as_ref()).unwrap();
    let job = cosmoguard::replay::session::Job {
        producer: pipeline::from_paths(source::open(paths, &Options::default()).unwrap()),
        context: context(fleet),
        store,
        options: RunOptions::default(),
        clock: Arc::new(SystemClock::default()),
    };
    cosmoguard::replay::session::run(job, &mut writer, &mut Unwatched).unwrap();
    alerts(&path)
}

/// A running service.
pub struct Service {
    pub running: Running,
    _opened: ladder::Opened,
    alerts: PathBuf,
}

/// How to start one.
pub struct Start<'a> {
    pub fleet: &'a Fleet,
    pub data_dir: &'a Path,
    pub watch: Vec<PathBuf>,
    pub warm_up: Vec<PathBuf>,
    /// Bytes of a segment of the inbox.
    pub segment_bytes: u64,
    /// Milliseconds without a record after which everything open is told.
    pub quiet_ms: u64,
}

impl Service {
    pub fn start(start: Start<'_>) -> Service {
        let Start { fleet, data_dir, watch, warm_up, segment_bytes, quiet_ms } = start;
        std::fs::create_dir_all(data_dir).unwrap();
        let dir = DataDir::new(data_dir);
        let opened = ladder::open(data_dir, &mut NoSnapshots, Timestamp(0)).unwrap();
        let store: Arc<dyn StateStore> = Arc::clone(&opened.store) as _;
        let bounds = inbox::Options { segment_bytes, ..inbox::Options::default() };
        let (inbox, _) = Inbox::open(&dir.inbox(), bounds, Timestamp(1)).unwrap();
        let history = (!warm_up.is_empty())
            .then(|| pipeline::from_paths(source::open(&warm_up, &Options::default()).unwrap()));
        let setup = Setup {
            context: context(fleet),
            state: Some(dir.state()),
            traffic: Traffic::Watched(Watch {
                paths: watch,
                inbox: Some((Arc::new(inbox), dir.inbox())),
                inbox_bytes: 1 << 30,
                poll_ms: 5,
                chunk_records: 500,
            }),
            warm_up: history,
            writer: AlertWriter::resume(&dir.alerts(), Format::Defender, store.as_ref()).unwrap(),
            store,
            listeners: Vec::new(),
            observer: Box::new(Unwatched),
            options: RunOptions {
                not_after: Timestamp::MAX,
                checkpoint_records: 400,
                checkpoint_ms: 500,
                ..RunOptions::default()
            },
            drain_ms: 20_000,
            look_ms: 10,
            quiet_ms,
            clock: Arc::new(SystemClock::default()),
            board: Arc::new(Board::default()),
        };
        Service { running: session::start(setup), _opened: opened, alerts: dir.alerts() }
    }

    /// Waits until what it shows of itself is as wanted.
    pub fn wait(&self, what: &str, mut wanted: impl FnMut(&Status) -> bool) {
        for _ in 0..STEPS_MAX {
            let status = self.running.board.read();
            if wanted(&status) {
                return;
            }
            assert!(!self.running.is_over(), "{what}: it ended: {:?}", status.failed);
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{what}: {:?}", self.running.board.read());
    }

    /// Waits until so many records came since its start, whatever became of them.
    pub fn wait_records(&self, records: u64) {
        self.wait(&format!("{records} records"), |status| status.counts.records() >= records);
    }

    /// Ends it in good order; what it told.
    pub fn stop(self) -> Alerts {
        let Service { running, _opened, alerts: path } = self;
        running.stop.stop();
        running.join().unwrap();
        alerts(&path)
    }
}

/// Writes records as JSON lines.
pub fn write_lines<'a>(path: &Path, records: impl IntoIterator<Item = &'a Vec<u8>>) {
    use std::io::Write as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut file = std::io::BufWriter::new(file);
    for record in records {
        file.write_all(record).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
}
