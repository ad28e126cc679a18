//! A restore that is interrupted anywhere leaves the old state or the new one.
use std::fs;

use super::commands::good;
use super::*;
use crate::support::{checkpoints, cli};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// A directory whose restore of `new` over `old` was interrupted after `steps` renames.
fn interrupted(dir: &Path, old: &Path, new: &Path, steps: usize) -> PathBuf {
    let d = dir.join(format!("at-{steps}"));
    copy(old, &d);
    let at = |name: &str| d.join(name);
    copy(&new.join("state"), &at("state.restoring"));
    fs::copy(new.join("alerts.jsonl"), at("alerts.jsonl.restoring")).unwrap();
    let journal = r#"{"snapshot":"x.cgsnap","number":1,"keep_old":false}"#;
    fs::write(at("restore.json"), journal).unwrap();
    let renames = [
        ("state", "state.before-1"),
        ("state.restoring", "state"),
        ("alerts.jsonl", "alerts.before-1.jsonl"),
        ("alerts.jsonl.restoring", "alerts.jsonl"),
    ];
    for (from, to) in &renames[..steps] {
        fs::rename(at(from), at(to)).unwrap();
    }
    d
}

#[test]
fn after_the_new_state_is_whole_it_is_finished_by_the_next_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_kept, path) = snapshot_of(FLEET.store.as_ref());
    let (old, new) = (dir.join("old"), dir.join("new"));
    let empty = snapshot_of(&MemoryStore::default());
    snapshot::restore(&empty.1, &old, false, &mut |_| ()).unwrap();
    fs::write(old.join("alerts.jsonl"), "{\"old\":1}\n").unwrap();
    snapshot::restore(&path, &new, false, &mut |_| ()).unwrap();
    let wanted = checkpoints(&new);
    assert_eq!(wanted.len(), 3);
    for steps in 0..=4 {
        let d = interrupted(dir, &old, &new, steps);
        let name = d.display().to_string();
        let ran = good(dir, &["model", "list", "--data-dir", &name]);
        assert!(
            ran.err.contains("restore of x.cgsnap had been interrupted and is now finished"),
            "{}",
            ran.err
        );
        assert!(checkpoints(&d) == wanted, "{steps}");
        assert_eq!(
            fs::read(d.join("alerts.jsonl")).unwrap(),
            fs::read(new.join("alerts.jsonl")).unwrap()
        );
        assert_eq!(fs::read_to_string(d.join("alerts.before-1.jsonl")).unwrap(), "{\"old\":1}\n");
        let left: Vec<_> = fs::read_dir(&d).unwrap().map(|e| e.unwrap().file_name()).collect();
        // State, alerts, the old alerts, and the lock of the directory.
        assert_eq!(left.len(), 4, "{left:?}");
        let again = good(dir, &["model", "list", "--data-dir", &name]);
        assert!(again.err.is_empty(), "{}", again.err);
    }
}

#[test]
fn before_that_nothing_is_touched_and_the_remains_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_kept, path) = snapshot_of(FLEET.store.as_ref());
    let file = path.display().to_string();
    good(dir, &["snapshot", "restore", &file, "--data-dir", "d", "--yes"]);
    let before = checkpoints(&dir.join("d"));
    fs::create_dir(dir.join("d/state.restoring")).unwrap();
    fs::write(dir.join("d/state.restoring/db"), "half").unwrap();
    fs::write(dir.join("d/alerts.jsonl.restoring"), "half").unwrap();
    let ran = cli(dir, &["model", "list", "--data-dir", "d"]);
    assert!(
        ran.code == Some(0) && ran.err.contains("interrupted before it changed anything"),
        "{}",
        ran.err
    );
    assert!(checkpoints(&dir.join("d")) == before);
    good(dir, &["snapshot", "restore", &file, "--data-dir", "d", "--yes"]);
    assert!(
        !dir.join("d/state.restoring").exists() && !dir.join("d/alerts.jsonl.restoring").exists()
    );
}
