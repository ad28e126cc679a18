//! The HTTP API over a real socket: who may ask, what is answered, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cosmoguard::ids::AccountId;
use cosmoguard::live::ask::{self, Ask};
use cosmoguard::live::board::{Board, Phase};
use cosmoguard::server::book::{Feed, LiveBook};
use cosmoguard::server::{self, ServerHandle, Settings, Shared};
use cosmoguard::source::inbox::{Inbox, Options};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{self, StateStore, WriteBatch, keys};
use cosmoguard::time::{SystemClock, Timestamp};
use serde_json::{Value, json};

use super::support::{cli, stored};

mod accounts;
mod alerts;
mod decisions;
mod events;
mod gate;
mod hostile;
mod limits;
mod rules;
mod stream;
mod tls;

/// What the demo leaves, as entries of a store.
fn demo() -> &'static [(Vec<u8>, Vec<u8>)] {
    static DEMO: OnceLock<Vec<(Vec<u8>, Vec<u8>)>> = OnceLock::new();
    DEMO.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let ran = cli(dir.path(), &["replay", "--demo", "--quiet", "--data-dir", "data"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        stored(&dir.path().join("data"))
    })
}

/// An alert line with what the book reads.
fn line(id: u128, account: &str, severity: &str, minute: i64, more: &Value) -> Vec<u8> {
    let at = Timestamp(1_800_000_000_000).plus_ms(minute * 60_000).azure();
    let mut extended = json!({
        "Revision": "1", "Verdict": "something was read", "Severity basis": "measured",
        "Nominal false alerts per account-day": "0.002", "Evidence": "{\"v\":1}",
        "Account key": AccountId::parse(account).key(), "Story key": "country NL",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        extended[name] = value.clone();
    }
    let story = format!("ip:203.0.113.9|account:{}", AccountId::parse(account).key());
    json!({
        "id": format!("/x/{id:032x}"), "name": format!("{id:032x}"), "type": "Microsoft.Security/Locations/alerts",
        "properties": {
            "alertType": "CosmosDB_GeoAnomaly", "alertDisplayName": "Access from an unusual location",
            "severity": severity, "compromisedEntity": account, "startTimeUtc": at, "endTimeUtc": at,
            "timeGeneratedUtc": at, "status": "Active", "correlationKey": story,
            "resourceIdentifiers": [{"azureResourceId": account, "type": "AzureResource"}],
            "extendedProperties": extended,
        },
    })
    .to_string()
    .into_bytes()
}

struct Running {
    server: Option<ServerHandle>,
    shared: Shared,
    dir: tempfile::TempDir,
    base: String,
}

/// How a server is set up.
struct Setup {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    environment: Vec<(String, String)>,
    inbox_bytes: u64,
    patience: Duration,
    dir: tempfile::TempDir,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            entries: Vec::new(),
            // Tests ask faster than anybody should.
            environment: vec![("COSMOGUARD_SERVER__BURST".to_owned(), "100000".to_owned())],
            inbox_bytes: 1 << 26,
            patience: server::HEAD_PATIENCE,
            dir: tempfile::tempdir().unwrap(),
        }
    }
}

impl Setup {
    fn demo() -> Setup {
        Setup { entries: demo().to_vec(), ..Setup::default() }
    }
    fn set(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((format!("COSMOGUARD_SERVER__{name}"), value.to_owned()));
        self
    }
    fn start(self) -> Running {
        let Setup { entries, environment, inbox_bytes, patience, dir } = self;
        let config = cosmoguard::config::resolve(None, &environment).unwrap();
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        let mut batch = WriteBatch::default();
        entries.into_iter().for_each(|(key, value)| batch.put(key, value));
        store.write(batch).unwrap();
        let (desk, mut asked) = ask::desk();
        {
            let store = Arc::clone(&store);
            // It ends with the last desk.
            std::thread::spawn(move || {
                while let Some(ask) = asked.blocking_recv() {
                    match ask {
                        Ask::Model { account, reply } => {
                            let sealed = store.get(&keys::account(&account));
                            let _ = reply.send(sealed.map_err(Into::into));
                        }
                        Ask::Checkpoint { reply } => drop(reply.send(Ok(()))),
                        Ask::Decide { wish, reply } => {
                            let ledger = store::decisions::load(store.as_ref()).unwrap();
                            let from = store::decisions::now(store.as_ref()).unwrap();
                            let (taken, refused) = wish.record(&ledger, from);
                            let _ = reply.send(refused.map(|()| taken));
                        }
                        Ask::Profile { reply, .. } | Ask::Intel { reply, .. } => {
                            let _ = reply.send(());
                        }
                    }
                }
            });
        }
        let board = Arc::new(Board::default());
        board.write(|status| status.phase = Phase::Running);
        let options = Options { bytes_max: inbox_bytes, ..Options::default() };
        let (inbox, _) = Inbox::open(&dir.path().join("inbox"), options, Timestamp(7)).unwrap();
        let shared = Shared {
            desk,
            board,
            book: Arc::new(LiveBook::open(store.as_ref()).unwrap()),
            store,
            // As in the demo, where there is no room for any.
            inbox: (inbox_bytes > 0).then(|| Arc::new(inbox)),
            data_dir: dir.path().to_owned(),
            clock: Arc::new(SystemClock::default()),
            sinks: None,
            config: Arc::new(config),
        };
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            insecure_listen: false,
            server: shared.config.config.server.clone(),
            head_patience: patience,
        };
        let server = server::start(shared.clone(), &settings).unwrap();
        let base = format!("http://{}", server.address());
        Running { server: Some(server), shared, dir, base }
    }
}

impl Running {
    fn path(&self) -> &Path {
        self.dir.path()
    }
    /// The engine delivers a line.
    fn deliver(&self, number: u64, line: &[u8]) {
        use cosmoguard::replay::writer::Listener as _;
        let mut batch = WriteBatch::default();
        batch.put(keys::alert(number), [line, b"\n"].concat());
        self.shared.store.write(batch).unwrap();
        Feed(Arc::clone(&self.shared.book)).delivered(number, line);
    }
    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None)
    }
    /// An answer that must be 200 and JSON.
    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }
    fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[], Some(body.as_bytes()))
    }
    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let uri = format!("{}{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => agent.run(request.body(body).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap();
        let headers = answer.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_vec().unwrap();
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().unwrap();
        }
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
    /// A refusal with this status, told as such; its first field.
    fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["errors"][0]["field"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn the_description_is_the_one_in_the_repository() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let text = server::openapi::text();
    if std::env::var_os("COSMOGUARD_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "COSMOGUARD_BLESS=1 writes docs/openapi.json anew");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"].as_object().unwrap().len() >= 25);
    let running = Setup::default().start();
    assert_eq!(running.json("/openapi.json"), document);
}
