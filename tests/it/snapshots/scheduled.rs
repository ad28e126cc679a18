//! Scheduled snapshots of a replay: taken when switched on and due, harmless when they fail.
use std::path::Path;

use super::commands::logs;
use crate::support::{Ran, cli};

const ON: &str = "[snapshots]\nin_replay = true\n";

fn replay(dir: &Path, config: &str) -> Ran {
    std::fs::write(dir.join("c.toml"), config).unwrap();
    let ran = cli(dir, &["replay", "logs", "--data-dir", "guard", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran
}

fn taken(dir: &Path) -> Vec<String> {
    let Ok(entries) = dir.join("guard/snapshots").read_dir() else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_replay_takes_one_at_its_end_when_it_is_switched_on_and_due() {
    let dir = logs();
    let dir = dir.path();
    replay(dir, "");
    assert!(taken(dir).is_empty(), "off unless switched on");
    replay(dir, ON);
    let [name] = &taken(dir)[..] else { panic!("{:?}", taken(dir)) };
    assert!(name.starts_with("auto-20"), "{name}");
    let path = format!("guard/snapshots/{name}");
    let verified = cli(dir, &["snapshot", "verify", &path]);
    assert_eq!(verified.code, Some(0), "{}", verified.err);
    let accounts = |ran: Ran| ran.out.lines().count();
    let kept = accounts(cli(dir, &["model", "list", "--data-dir", "guard"]));
    let restored = cli(dir, &["snapshot", "restore", &path, "--data-dir", "copy"]);
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    assert_eq!(accounts(cli(dir, &["model", "list", "--data-dir", "copy"])), kept);

    replay(dir, ON);
    assert_eq!(taken(dir).len(), 1, "not due for a day");
    // An old one, and a person's own.
    let old = "auto-20200101T000000Z.cgsnap";
    std::fs::rename(dir.join(&path), dir.join("guard/snapshots").join(old)).unwrap();
    std::fs::copy(dir.join("guard/snapshots").join(old), dir.join("guard/snapshots/mine.cgsnap"))
        .unwrap();
    let one = format!("{ON}keep_last = 1\nkeep_daily = 0\nkeep_weekly = 0\n");
    replay(dir, &one);
    let [new, mine] = &taken(dir)[..] else { panic!("{:?}", taken(dir)) };
    assert!(new != old && new.starts_with("auto-20"), "{new}");
    assert_eq!(mine, "mine.cgsnap");
}

#[test]
fn one_that_fails_is_a_warning_and_the_run_is_kept() {
    let dir = logs();
    let dir = dir.path();
    std::fs::create_dir(dir.join("guard")).unwrap();
    std::fs::write(dir.join("guard/snapshots"), "a file is in the way").unwrap();
    let ran = replay(dir, ON);
    assert!(ran.err.contains("warning: no scheduled snapshot was taken"), "{}", ran.err);
    assert!(ran.err.contains("guard/snapshots"), "{}", ran.err);
    let list = cli(dir, &["model", "list", "--data-dir", "guard"]);
    assert_eq!(list.code, Some(0), "{}", list.err);
    assert!(list.out.lines().count() > 2, "{}", list.out);
}
