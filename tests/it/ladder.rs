//! Stores that are really damaged: each opens again, says what it lost, and after the same logs were
//! replayed has raised the same alerts as one that never came to harm.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cosmoguard::ids::{AccountId, Cloud};
use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::sled_store::SledStore;
use cosmoguard::store::{StateStore, WriteBatch, keys};
use cosmoguard::time::Timestamp;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::support::{Ran, cli};

mod compaction;
mod gone;

/// Logs, and the data directory of a run over them that was not harmed: it has a snapshot of two
/// thirds of the way.
struct Scene {
    dir: tempfile::TempDir,
    alerts: BTreeSet<[String; 4]>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    };
    run(&["simulate", "--seed", "3", "--accounts", "4", "--days", "36", "--rate", "60", "logs"]);
    run(&[&replay("d")[..], &["--until", "2026-10-03T13:20Z"]].concat());
    fs::create_dir(dir.path().join("d/snapshots")).unwrap();
    run(&["snapshot", "create", "d/snapshots/early.cgsnap", "--data-dir", "d"]);
    run(&replay("d"));
    let alerts = essence(&dir.path().join("d"));
    assert!(alerts.len() > 3, "{alerts:?}");
    Scene { dir, alerts }
});

fn replay(data_dir: &str) -> Vec<&str> {
    let mut args = vec!["replay", "--tor-exits", "logs/tor-exits.txt", "--threat-ips"];
    args.extend(["logs/threat-ips.txt", "logs/insights-activity-logs"]);
    args.extend(["logs/insights-logs-dataplanerequests", "--data-dir", data_dir]);
    args
}

/// What stays of an alert whatever the order of records: who, what, how bad.
fn essence(data_dir: &Path) -> BTreeSet<[String; 4]> {
    let essence = |line: &str| {
        let alert: Value = serde_json::from_str(line).expect("JSON");
        let of = |value: &Value| value.as_str().expect("text").to_owned();
        let properties = &alert["properties"];
        [
            of(&alert["name"]),
            of(&properties["alertType"]),
            of(&properties["compromisedEntity"]),
            of(&properties["severity"]),
        ]
    };
    fs::read_to_string(data_dir.join("alerts.jsonl")).unwrap().lines().map(essence).collect()
}

/// No revision of an alert stands in the file twice.
fn nothing_twice(data_dir: &Path) {
    let mut seen = BTreeSet::new();
    for line in fs::read_to_string(data_dir.join("alerts.jsonl")).unwrap().lines() {
        let alert: Value = serde_json::from_str(line).expect("JSON");
        let revision = &alert["properties"]["extendedProperties"]["Revision"];
        assert!(!revision.is_null(), "{line}");
        assert!(seen.insert(format!("{} {revision}", alert["name"])), "twice: {line}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A data directory of its own, beside the same logs.
struct Patient {
    dir: tempfile::TempDir,
}

impl Patient {
    fn new(snapshots: bool) -> Patient {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(SCENE.dir.path().join("logs"), dir.path().join("logs")).unwrap();
        copy(&SCENE.dir.path().join("d"), &dir.path().join("d"));
        if !snapshots {
            fs::remove_dir_all(dir.path().join("d/snapshots")).unwrap();
        }
        Patient { dir }
    }
    fn data(&self) -> PathBuf {
        self.dir.path().join("d")
    }
    fn state(&self) -> PathBuf {
        self.dir.path().join("d/state")
    }
    fn db(&self) -> PathBuf {
        self.state().join("db")
    }
    fn run(&self, args: &[&str]) -> Ran {
        cli(self.dir.path(), args)
    }
    fn report(&self) -> Option<Value> {
        let text = fs::read_to_string(self.data().join("recovery.jsonl")).ok()?;
        serde_json::from_str(text.lines().last()?).ok()
    }
    /// Replays everything: the alerts are those of the run that was not harmed.
    fn heals(&self, what: &str) -> Ran {
        let ran = self.run(&replay("d"));
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.err);
        assert_eq!(essence(&self.data()), SCENE.alerts, "{what}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{what}: {}", ran.err);
        nothing_twice(&self.data());
        let ran_again = self.run(&["model", "list", "--data-dir", "d"]);
        assert_eq!(ran_again.code, Some(0), "{what}: {}", ran_again.err);
        ran
    }
}

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Bytes of a file up to the last that is not zero: how much of its end was never written turns on
/// how the engine laid it out.
fn written(path: &Path) -> u64 {
    let content = fs::read(path).unwrap();
    content.iter().rposition(|b| *b != 0).map_or(0, |at| at as u64 + 1)
}

/// Zeroes the last `bytes` of what is written of a file (its end is zeroes already).
fn zero_tail(path: &Path, bytes: usize) {
    let end = written(path) as usize;
    let mut content = fs::read(path).unwrap();
    content[end.saturating_sub(bytes)..end].fill(0);
    fs::write(path, content).unwrap();
}

fn flip(path: &Path, rng: &mut impl Rng) -> u64 {
    let mut content = fs::read(path).unwrap();
    let end = content.iter().rposition(|b| *b != 0).map_or(1, |at| at + 1);
    let at = rng.random_range(0..end);
    content[at] ^= 1 << rng.random_range(0..8);
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&content[at..=at]).unwrap();
    at as u64
}

#[test]
fn a_sound_store_opens_without_a_word() {
    let patient = Patient::new(true);
    let ran = patient.heals("nothing");
    assert!(!ran.err.contains("damaged"), "{}", ran.err);
    assert_eq!(patient.report(), None);
}

#[test]
fn an_emptied_index_is_built_again_and_nothing_is_lost() {
    let patient = Patient::new(true);
    for entry in fs::read_dir(patient.state()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("snap.") {
            cut(&entry.path(), 0);
        }
    }
    let list = patient.run(&["model", "list", "--data-dir", "d"]);
    assert_eq!(list.code, Some(1), "reading does not repair: {}", list.out);
    assert!(list.err.contains("cosmoguard replay PATH --data-dir d"), "{}", list.err);
    assert_eq!(patient.report(), None);
    let ran = patient.heals("emptied snap");
    let report = patient.report().unwrap();
    assert_eq!(report["rung"], "rebuilt", "{report}");
    assert!(ran.err.contains("state was damaged"), "{}", ran.err);
    assert!(patient.data().join("state.damaged-1/db").exists());
}

#[test]
fn a_deleted_or_zeroed_database_gives_way_to_a_snapshot_or_to_nothing() {
    for snapshots in [true, false] {
        for gone in [true, false] {
            let what = format!("snapshots {snapshots}, deleted {gone}");
            let patient = Patient::new(snapshots);
            if gone {
                fs::remove_file(patient.db()).unwrap();
            } else {
                fs::write(patient.db(), vec![0; 1 << 20]).unwrap();
            }
            let ran = patient.heals(&what);
            let report = patient.report().unwrap();
            assert_eq!(report["rung"], if snapshots { "snapshot" } else { "empty" }, "{report}");
            if snapshots {
                assert_eq!(report["accounts"].as_array().unwrap().len(), 4, "{report}");
            } else {
                assert!(report["accounts_unnamed"].as_u64() >= Some(4), "{report}");
                assert!(ran.err.contains("replay all logs"), "{}", ran.err);
            }
            assert!(patient.data().join("alerts.before-1.jsonl").exists());
        }
    }
}

#[test]
fn a_log_that_lost_its_end_is_noticed() {
    // Between 80 and 99 % lie those that open as an earlier state.
    for share in [1, 2, 20, 50, 80, 85, 90, 93, 96, 99] {
        let patient = Patient::new(share % 2 == 0);
        cut(&patient.db(), written(&patient.db()) * share / 100);
        patient.heals(&format!("cut to {share} %"));
        assert!(patient.report().is_some() || share == 99, "cut to {share} %");
    }
    for bytes in [100, 10_000, 300_000] {
        let patient = Patient::new(true);
        zero_tail(&patient.db(), bytes);
        patient.heals(&format!("{bytes} bytes zeroed"));
    }
}

/// Whatever byte is hit, opening ends in a store; what reads whole is what was written.
#[test]
fn flipped_bytes_anywhere_end_in_a_store() {
    let seed = 20_261_124;
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rungs = BTreeSet::new();
    for round in 0..40 {
        let patient = Patient::new(false);
        let at: Vec<u64> = (0..=round % 3).map(|_| flip(&patient.db(), &mut rng)).collect();
        let opened = ladder::open(&patient.data(), &mut NoSnapshots, Timestamp(0));
        let opened = opened.unwrap_or_else(|e| panic!("seed {seed} round {round} at {at:?}: {e}"));
        let rung = opened.recovery.as_ref().map_or("sound", |r| r.rung.as_str());
        rungs.insert(rung);
        drop(opened);
        if round % 10 == 0 {
            patient.heals(&format!("seed {seed} round {round} at {at:?}: {rung}"));
        } else {
            ladder::open_sound(&patient.data()).unwrap();
        }
    }
    println!("{rungs:?}");
    assert!(rungs.len() > 1, "{rungs:?}");
}

/// One damaged value in a store that is well: that account alone pays.
#[test]
fn one_damaged_account_is_named_and_the_others_are_kept() {
    for snapshots in [true, false] {
        let patient = Patient::new(snapshots);
        let (key, others) = {
            let store = SledStore::open(&patient.state()).unwrap();
            let mut all = Vec::new();
            let mut take = |key: &[u8], value: &[u8]| {
                all.push((key.to_vec(), value.to_vec()));
                true
            };
            store.scan(keys::ACCOUNT, &mut take).unwrap();
            let (key, mut value) = all.remove(1);
            let at = value.len() / 2;
            value[at] ^= 1;
            let mut batch = WriteBatch::default();
            batch.put(key.clone(), value);
            store.write(batch).unwrap();
            store.flush().unwrap();
            (key, all)
        };
        let name = String::from_utf8(key[keys::ACCOUNT.len()..].to_vec()).unwrap();
        let list = patient.run(&["model", "list", "--data-dir", "d"]);
        assert_eq!(list.code, Some(1), "{}", list.out);
        assert!(list.err.contains(&name), "{}", list.err);
        let ran = patient.run(&replay("d"));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let report = patient.report().unwrap();
        assert_eq!(report["rung"], "kept", "{report}");
        let lost = report["accounts"].as_array().unwrap();
        assert_eq!(lost.len(), 1, "{report}");
        assert_eq!(lost[0]["account"], name.as_str());
        assert_eq!(lost[0]["fate"], if snapshots { "older" } else { "afresh" });
        assert_eq!(lost[0]["since"].is_string(), snapshots, "{report}");
        assert!(lost[0]["until"].is_string(), "{report}");
        let store = ladder::open_sound(&patient.data()).unwrap().store;
        for (key, value) in others {
            assert_eq!(store.get(&key).unwrap(), Some(value));
        }
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        // Its hours go with it where nothing of it is left.
        assert_eq!(has_ring(store.as_ref(), &name), snapshots);
        // Its next findings are not taken for ones that were seen.
        let id = AccountId::new(name.split_once('/').unwrap().1, Cloud::Public);
        let seen = cosmoguard::store::schema::run::desk(store.as_ref()).unwrap();
        if let Some(last) = seen.last_seen(&id) {
            let sealed = store.get(&key).unwrap().expect("kept");
            let model = cosmoguard::store::schema::account::open(&sealed).unwrap();
            assert!(model.state().sequence >= last, "{} < {last}", model.state().sequence);
        }
    }
}

fn has_ring(store: &dyn StateStore, name: &str) -> bool {
    let (mut found, id) = (false, AccountId::parse(name));
    let mut meet = |_: &[u8], _: &[u8]| {
        found = true;
        false
    };
    store.scan(&keys::rings(&id), &mut meet).unwrap();
    found
}

fn shell(patient: &Patient, script: &str) -> std::process::Output {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).current_dir(patient.dir.path()).output().unwrap()
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_the_state_as_it_was() {
    let patient = Patient::new(true);
    fs::remove_dir_all(patient.data()).unwrap();
    let binary = env!("CARGO_BIN_EXE_cosmoguard");
    let args = replay("d").join(" ");
    fs::write(patient.dir.path().join("c.toml"), "[replay]\ncheckpoint_records = 2000\n").unwrap();
    let mut met = 0;
    for blocks in [900, 1300, 2100] {
        let script = format!("ulimit -f {blocks}; exec {binary} {args} --config c.toml");
        let out = shell(&patient, &script);
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(!err.contains("panicked"), "{blocks}: {err}");
        assert!(matches!(out.status.code(), Some(0 | 1)), "{blocks}: {:?} {err}", out.status);
        if out.status.code() == Some(1) {
            met += 1;
            assert!(err.contains("make room"), "{blocks}: {err}");
        }
    }
    assert!(met > 0, "the limit is never met");
    patient.heals("after a full disk");
}

#[test]
fn a_directory_that_cannot_be_written_is_said_to_be_so() {
    let patient = Patient::new(true);
    let (binary, args) = (env!("CARGO_BIN_EXE_cosmoguard"), replay("d").join(" "));
    // Tests may run as root, whom no permission stops; setpriv makes nobody of him.
    let script = format!(
        r#"[ "$(id -u)" = 0 ] && nobody="setpriv --reuid=65534 --clear-groups"; exec $nobody {binary} {args}"#
    );
    let allow = |rights: &str, paths: &str| {
        assert!(shell(&patient, &format!("chmod {rights} {paths}")).status.success());
    };
    // Others may look everywhere; the logs lie in a folder of their own.
    allow("755", &format!(". {}", SCENE.dir.path().display()));
    for open in ["", "d", "d d/lock"] {
        allow("-R a-w", "d");
        if !open.is_empty() {
            allow("a+w", open);
        }
        let before = contents(&patient);
        let out = shell(&patient, &script);
        let err = String::from_utf8_lossy(&out.stderr);
        if err.contains("setpriv") {
            println!("not tested here: {err}");
            break;
        }
        assert_eq!(out.status.code(), Some(1), "{err}");
        assert!(err.contains("state in `d") && err.contains("Permission denied"), "{err}");
        assert_eq!(patient.report(), None);
        assert!(contents(&patient) == before, "`{open}` open: something was changed");
    }
    allow("-R u+w", "d");
    patient.heals("writable again");
}

/// Names and bytes of all files of the state.
fn contents(patient: &Patient) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(patient.state()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let patient = Patient::new(true);
    let held = ladder::open_sound(&patient.data()).unwrap();
    for args in [&replay("d")[..], &["model", "list", "--data-dir", "d"]] {
        let ran = patient.run(args);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains("in use by another process"), "{}", ran.err);
    }
    drop(held);
    patient.heals("let go");
}
