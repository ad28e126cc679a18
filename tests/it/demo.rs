//! The fleet that a first start can look at: it restores, has something to show, and is what the
//! committed command builds. Models are compared by account and alert, not byte by byte: each change
//! of what a model keeps changes them all, and a compressor of another version changes the file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::path::{Path, PathBuf};

use cosmoguard::snapshot::{self, Archive, FORMAT_VERSION};
use cosmoguard::store::envelope::SCHEMA_VERSION;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{StateStore, keys};

use super::support::cli;

#[path = "../../examples/demo_snapshot.rs"]
mod demo_snapshot;

const BUILD: &str =
    "build it again: cargo run --example demo_snapshot -- snapshots/demo/demo.cgsnap";

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/demo/demo.cgsnap")
}

/// Id and severity of each alert line.
fn alerts(path: &Path) -> Vec<(String, String)> {
    let store = MemoryStore::default();
    Archive::open(path).unwrap().load_all(&store, &mut |_| ()).unwrap();
    let mut found = Vec::new();
    let mut note = |_: &[u8], line: &[u8]| {
        let alert: serde_json::Value = serde_json::from_slice(line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        found.push((text(&alert["name"]), text(&alert["properties"]["severity"])));
        true
    };
    store.scan(keys::ALERT, &mut note).unwrap();
    found
}

#[test]
fn the_demo_is_what_its_command_builds() {
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("built.cgsnap");
    let manifest = demo_snapshot::build(&built).unwrap();
    let old = snapshot::verify(&committed()).unwrap().manifest;
    assert_eq!((old.format_version, old.schema_version), (FORMAT_VERSION, SCHEMA_VERSION));
    assert_eq!(old.program_version, env!("CARGO_PKG_VERSION"), "{BUILD}");
    assert_eq!(old.event_time, manifest.event_time, "{BUILD}");
    assert_eq!(old.created, manifest.created, "{BUILD}");
    let accounts = |path: &Path| Archive::open(path).unwrap().accounts();
    assert_eq!(accounts(&committed()), accounts(&built), "{BUILD}");
    assert_eq!(alerts(&committed()), alerts(&built), "{BUILD}");
    let bytes = std::fs::metadata(committed()).unwrap().len();
    assert!(bytes < 400_000, "{bytes} bytes are no small demo");
}

#[test]
fn a_first_start_restores_it_and_has_something_to_show() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let demo = committed();
    let done = |args: &[&str]| {
        let ran = cli(dir, args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        ran.out
    };
    done(&["snapshot", "restore", demo.to_str().unwrap(), "--data-dir", "demo-guard"]);
    let list = done(&["model", "list", "--data-dir", "demo-guard"]);
    let accounts: Vec<&str> = list
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| n.starts_with("cosmos-"))
        .collect();
    assert_eq!(accounts.len(), 8, "{list}");
    let model = done(&["model", "show", accounts[0], "--data-dir", "demo-guard"]);
    assert!(model.contains(accounts[0]) && model.lines().count() > 10, "{model}");
    let alerts = alerts(&demo);
    let (id, severity) = alerts.iter().find(|(_, severity)| severity == "High").unwrap();
    let told = done(&["explain", id, "--data-dir", "demo-guard"]);
    assert!(told.contains(severity.as_str()) && told.lines().count() > 10, "{told}");
}
