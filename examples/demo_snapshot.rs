//! Builds `snapshots/demo/demo.cgsnap`: what was learnt of the made-up fleet that `replay --demo`
//! reads, so that a first start has something to show.
//! `cargo run --example demo_snapshot -- snapshots/demo/demo.cgsnap`
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use cosmoguard::account::message::{Context, Published};
use cosmoguard::alert::formats::Format;
use cosmoguard::config;
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{IntelView, ListKind, base_manifest};
use cosmoguard::limits::CHUNK_RECORDS;
use cosmoguard::replay::demo::Demo;
use cosmoguard::replay::engine::{Observer, RunOptions};
use cosmoguard::replay::session::{self, Job};
use cosmoguard::replay::summary::Counts;
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::simulate;
use cosmoguard::snapshot::{self, About, IntelVersion, Manifest, hex};
use cosmoguard::source::{Progress, RefusedRecord};
use cosmoguard::store::StateStore;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::time::{SystemClock, Timestamp};
use sha2::{Digest, Sha256};

#[allow(dead_code, reason = "the test that builds it again has a main of its own")]
fn main() -> anyhow::Result<()> {
    let out = std::env::args_os().nth(1).context("name the file to write")?;
    let manifest = build(Path::new(&out))?;
    eprintln!("{} accounts, {} alerts", manifest.accounts, manifest.alerts);
    Ok(())
}

/// Writes the snapshot to `out`. Twice is the same bytes: it is dated by the end of its logs.
pub fn build(out: &Path) -> anyhow::Result<Manifest> {
    let resolved = config::resolve(None, &[])?;
    let demo = Demo::new(CHUNK_RECORDS);
    let lists = [
        ("demo-tor-exits", ListKind::TorExit, demo.tor_exits()),
        ("demo-threat-ips", ListKind::Threat, demo.threat_ips()),
    ];
    let base = base_manifest()?;
    let mut versions =
        vec![IntelVersion { name: format!("built-in {}", base.date), sha256: base.sha256 }];
    let mut intel = IntelView::builder();
    for (name, kind, text) in &lists {
        intel = intel.list(feeds::load_bytes(name, name, *kind, text.as_bytes())?.0);
        let sha256 = hex(&Sha256::digest(text));
        versions.push(IntelVersion { name: (*name).to_owned(), sha256 });
    }
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let folder = tempfile::tempdir()?;
    let alerts = folder.path().join("alerts.jsonl");
    let mut writer = AlertWriter::resume(&alerts, Format::Defender, store.as_ref())?;
    let job = Job {
        producer: demo.producer(),
        context: Context {
            profile: Arc::new(resolved.config.profile.clone()),
            intel: Arc::new(intel.build()?),
            published: Published::default(),
        },
        store: Arc::clone(&store),
        options: RunOptions::default(),
        clock: Arc::new(SystemClock::default()),
    };
    session::run(job, &mut writer, &mut Unwatched)?;
    let mut settings = Sha256::new();
    for (key, value, _) in &resolved.values {
        settings.update(format!("{key} = {value}\n"));
    }
    let about = About {
        created: simulate::demo().end(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        config_sha256: hex(&settings.finalize()),
        intel: versions,
    };
    Ok(snapshot::create(store.as_ref(), out, &about, &mut |_| ())?)
}

struct Unwatched;

impl Observer for Unwatched {
    fn progress(&mut self, _: &Counts, _: &Progress, _: Timestamp) {}
    fn refused(&mut self, _: &str, _: &RefusedRecord) {}
    fn warning(&mut self, _: &str) {}
    fn stop(&self) -> bool {
        false
    }
}
