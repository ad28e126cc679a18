//! The commands, on a data directory of the real program.
use std::io::Write;

use cosmoguard::simulate;

use super::*;
use crate::support::{Ran, checkpoints, cli};

/// A folder with a file of made-up logs of 12 days.
pub fn logs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let plan = simulate::plan(fleet(3, 12, 40.0));
    let mut file = std::fs::File::create(dir.path().join("logs")).unwrap();
    for (_, record) in simulate::records(&plan) {
        file.write_all(&record).and_then(|()| file.write_all(b"\n")).unwrap();
    }
    dir
}

/// Runs and expects success.
pub fn good(dir: &Path, args: &[&str]) -> Ran {
    let ran = cli(dir, args);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
    ran
}

fn replay(dir: &Path, data: &str, more: &[&str]) {
    good(dir, &[&["replay", "logs", "--data-dir", data, "--quiet"], more].concat());
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn outcome(dir: &Path, data: &str) -> (Entries, Vec<u8>) {
    let data = dir.join(data);
    (checkpoints(&data), std::fs::read(data.join("alerts.jsonl")).unwrap())
}

#[test]
fn what_is_no_file_is_refused_at_once_and_in_json_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Nobody writes into it: to open it would be to wait.
    let made = std::process::Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(dir.join("folder")).unwrap();
    for (name, words) in
        [("pipe", "regular file"), ("folder", "regular file"), ("missing", "cannot be read")]
    {
        let plain = cli(dir, &["snapshot", "verify", name]);
        assert!(plain.code != Some(0) && plain.out.is_empty(), "{name}");
        assert!(plain.err.contains(words), "{name}: {}", plain.err);
        let ran = cli(dir, &["snapshot", "verify", "--json", name]);
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, &told["file"]), (plain.code, &name.into()));
        assert!(told["error"].as_str().unwrap().contains(words), "{told}");
    }
}

#[test]
fn a_restored_directory_goes_on_as_if_nothing_had_been() {
    let dir = logs();
    let dir = dir.path();
    let middle = fleet(3, 12, 40.0).start.plus_ms(9 * cosmoguard::time::DAY_MS).to_string();
    replay(dir, "d", &["--until", &middle]);
    let ran = good(dir, &["snapshot", "create", "x.cgsnap", "--data-dir", "d"]);
    assert!(ran.out.is_empty() && ran.err.contains("3 accounts"), "{}", ran.err);
    let half = outcome(dir, "d");
    replay(dir, "d", &[]);
    let whole = outcome(dir, "d");
    assert!(half.1.len() < whole.1.len() && whole.1.starts_with(&half.1));

    // Elsewhere, and back in time in the same place.
    for (data, more) in [("e", &[][..]), ("d", &["--keep-old", "--yes"])] {
        let restore = ["snapshot", "restore", "x.cgsnap", "--data-dir", data];
        good(dir, &[&restore, more].concat());
        assert!(outcome(dir, data) == half);
        replay(dir, data, &[]);
        assert!(outcome(dir, data) == whole, "{data}");
    }
    let d = dir.join("d");
    assert_eq!(std::fs::read(d.join("alerts.before-1.jsonl")).unwrap(), whole.1);
    assert!(d.join("state.before-1").is_dir() && !d.join("restore.json").exists());
    let unasked = cli(dir, &["snapshot", "restore", "x.cgsnap", "--data-dir", "d"]);
    assert!(unasked.code == Some(2) && unasked.err.contains("give --yes"), "{}", unasked.err);
    assert!(outcome(dir, "d") == whole);
    let audit = good(dir, &["snapshot", "restore", "x.cgsnap", "--data-dir", "d", "--yes"]);
    assert!(audit.err.contains("alerts.before-2.jsonl"), "{}", audit.err);
    assert!(!d.join("state.before-2").exists());
    let log = std::fs::read_to_string(d.join("audit.jsonl")).unwrap();
    assert_eq!(log.matches("\"stage\":\"done\"").count(), 2, "{log}");
}

#[test]
fn looking_at_a_snapshot() {
    let dir = logs();
    let dir = dir.path();
    replay(dir, "d", &[]);
    let x = "d/snapshots/x.cgsnap";
    let none = good(dir, &["snapshot", "list", "--data-dir", "d"]);
    assert!(none.err.contains("no snapshots in"), "{}", none.err);
    let nowhere = cli(dir, &["snapshot", "list", "--data-dir", "nowhere"]);
    assert!(
        nowhere.code == Some(1) && nowhere.err.contains("no data directory"),
        "{}",
        nowhere.err
    );
    std::fs::create_dir_all(dir.join("d/snapshots")).unwrap();
    let ran = good(dir, &["snapshot", "create", x, "--data-dir", "d", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(made["manifest"]["accounts"], 3);
    let again = cli(dir, &["snapshot", "create", x, "--data-dir", "d"]);
    assert!(again.code == Some(1) && again.err.contains("exists; name another"), "{}", again.err);

    std::fs::write(dir.join("d/snapshots/y.cgsnap"), b"PK\x03\x04").unwrap();
    let list = good(dir, &["snapshot", "list", "--data-dir", "d"]);
    assert!(list.out.contains("x.cgsnap") && list.out.contains("complete"), "{}", list.out);
    assert!(list.out.contains("unusable") && list.err.contains("cut off"), "{}", list.err);
    let whole = good(dir, &["snapshot", "verify", x]);
    assert!(whole.err.contains("is whole"), "{}", whole.err);

    let models = good(dir, &["model", "list", "--data-dir", "d"]);
    let listed = good(dir, &["snapshot", "inspect", x]);
    let first = models.out.lines().nth(1).unwrap();
    assert!(listed.out.contains(first.trim()), "{}\n{}", listed.out, models.out);
    let account = first.split_whitespace().next().unwrap();
    for json in [&[][..], &["--json"]] {
        let show = [&["model", "show", account, "--data-dir", "d"], json].concat();
        let inspect = [&["snapshot", "inspect", x, account], json].concat();
        assert_eq!(good(dir, &show).out, good(dir, &inspect).out);
    }
    let lines = good(dir, &["snapshot", "inspect", x, "--json"]).out;
    assert_eq!(lines.lines().count(), 4);
    let unknown = cli(dir, &["snapshot", "inspect", x, "cosmos-billing"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("nearest is"), "{}", unknown.err);
}

#[test]
fn a_broken_snapshot_or_a_busy_directory_changes_nothing() {
    let dir = logs();
    let dir = dir.path();
    replay(dir, "d", &[]);
    let before = outcome(dir, "d");
    good(dir, &["snapshot", "create", "x.cgsnap", "--data-dir", "d"]);
    let mut bytes = std::fs::read(dir.join("x.cgsnap")).unwrap();
    bytes[3000] ^= 4;
    std::fs::write(dir.join("broken.cgsnap"), bytes).unwrap();
    let restore = |file| cli(dir, &["snapshot", "restore", file, "--data-dir", "d", "--yes"]);
    std::fs::create_dir(dir.join("d/audit.jsonl")).unwrap();
    let ran = restore("x.cgsnap");
    assert!(ran.code == Some(1) && ran.err.contains("the audit log"), "{}", ran.err);
    assert!(!dir.join("d/alerts.before-1.jsonl").exists(), "what cannot be noted is not done");
    std::fs::remove_dir(dir.join("d/audit.jsonl")).unwrap();
    let ran = restore("broken.cgsnap");
    assert!(ran.code == Some(1) && ran.err.contains("is damaged in"), "{}", ran.err);
    let store = cosmoguard::store::sled_store::SledStore::open(&dir.join("d/state")).unwrap();
    let ran = restore("x.cgsnap");
    assert!(ran.code == Some(1) && ran.err.contains("in use by another process"), "{}", ran.err);
    drop(store);
    assert!(outcome(dir, "d") == before);
    assert!(!dir.join("d/state.restoring").exists());
}
