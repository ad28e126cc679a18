//! The commands, on a data directory of the real program.
use std::path::Path;

use cosmoguard::ids::AccountId;
use cosmoguard::store::audit;
use cosmoguard::store::layout::DataDir;
use cosmoguard::time::{DAY_MS, MINUTE_MS, Timestamp};

use crate::snapshots::commands::{good, logs};
use crate::support::{checkpoints, cli};

/// Logs of 12 days, a snapshot after 8 of them, and all of it read.
fn past(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("logs")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::create_dir(dir.join("half")).unwrap();
    std::fs::write(dir.join("half/logs"), lines[..lines.len() * 2 / 3].concat()).unwrap();
    good(dir, &["replay", "half/logs", "--data-dir", "d", "--quiet"]);
    good(dir, &["snapshot", "create", "x.cgsnap", "--data-dir", "d"]);
    good(dir, &["replay", "logs", "--data-dir", "d", "--quiet"]);
    let listed = good(dir, &["model", "list", "--data-dir", "d", "--json"]).out;
    let first: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    first["account"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_learnt_between_two_moments_is_told() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    let fleet = good(dir, &["snapshot", "diff", "x.cgsnap", "d"]);
    assert!(
        fleet.out.contains(&account) && fleet.out.contains("3 changed, 0 the same"),
        "{}",
        fleet.out
    );
    let one = good(dir, &["snapshot", "diff", "x.cgsnap", "d", &account]).out;
    assert!(one.contains("records") && one.contains("hourly volume"), "{one}");
    let json = good(dir, &["snapshot", "diff", "x.cgsnap", "d", &account, "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["change"], "changed");
    let moved = json["diff"]["changes"].as_array().unwrap();
    assert!(moved.iter().any(|c| c["change"] == "moved" && c["factors"].is_array()), "{json}");
    let lines = good(dir, &["snapshot", "diff", "x.cgsnap", "d", "--json"]).out;
    assert!(
        lines.lines().count() == 4 && lines.contains(r#"{"sums":{"new":0,"gone":0,"changed":3,"#),
        "{lines}"
    );

    let same = good(dir, &["snapshot", "diff", "x.cgsnap", "x.cgsnap"]).out;
    assert!(same.contains("nothing was learnt between them: 3 accounts"), "{same}");
    let itself = cli(dir, &["snapshot", "diff", "d", "./d/"]);
    assert!(itself.code == Some(1) && itself.err.contains("both are `d`"), "{}", itself.err);
    let back = good(dir, &["snapshot", "diff", "d", "x.cgsnap"]);
    assert!(back.err.contains("is later than"), "{}", back.err);
    let unknown = cli(dir, &["snapshot", "diff", "x.cgsnap", "d", "cosmos-x"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("nearest is"), "{}", unknown.err);
    let other = cli(dir, &["snapshot", "diff", "logs", "d"]);
    assert!(other.err.contains("is not a snapshot"), "{}", other.err);
}

#[test]
fn forgetting_asks_refuses_gaps_and_leaves_a_line_in_the_audit_log() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    let before = checkpoints(&dir.join("d"));
    let from = good(dir, &["snapshot", "inspect", "x.cgsnap", "--json"]).out;
    let manifest: serde_json::Value = serde_json::from_str(from.lines().next().unwrap()).unwrap();
    // The model reaches to the end of its open ten minutes.
    let newest = Timestamp::parse(manifest["event_time"]["newest"].as_str().unwrap()).unwrap();
    let from = newest.plus_ms(20 * MINUTE_MS).to_string();
    let forget = |more: &[&str]| {
        let common = ["model", "forget", &account, "--data-dir", "d", "--snapshot", "x.cgsnap"];
        cli(dir, &[&common, more].concat())
    };
    let span = ["--from", &from, "--until", "2100-01-01"];
    let unasked = forget(&[&span[..], &["--logs", "logs"]].concat());
    assert!(unasked.code == Some(2) && unasked.err.contains("give --yes"), "{}", unasked.err);
    let gaps = forget(&[&span[..], &["--logs", "half/logs", "--yes"]].concat());
    assert!(gaps.code == Some(1) && gaps.err.contains("are not in the logs given"), "{}", gaps.err);
    let nobody = forget(&["--principal", "nobody", "--logs", "logs", "--yes"]);
    assert!(nobody.code == Some(0) && nobody.err.contains("nothing to forget"), "{}", nobody.err);
    let told = forget(&["--principal", "nobody", "--logs", "logs", "--yes", "--json"]).out;
    assert!(told.contains(r#""changed":false"#), "{told}");
    let late =
        forget(&["--from", "2000-01-01", "--until", "2100-01-01", "--logs", "logs", "--yes"]);
    assert!(late.code == Some(1) && late.err.contains("is not before"), "{}", late.err);
    assert!(checkpoints(&dir.join("d")) == before);
    assert!(!dir.join("d/audit.jsonl").exists());

    std::fs::create_dir(dir.join("d/audit.jsonl")).unwrap();
    let unrecorded = forget(&[&span[..], &["--logs", "logs", "--yes"]].concat());
    assert!(unrecorded.code == Some(1) && unrecorded.err.contains("the audit log"));
    assert!(checkpoints(&dir.join("d")) == before, "what cannot be noted is not done");
    std::fs::remove_dir(dir.join("d/audit.jsonl")).unwrap();
    let done = forget(&[&span[..], &["--logs", "logs", "--yes", "--json"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.err);
    let said: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert!(said["done"]["left_out"].as_u64().unwrap() > 0, "{said}");
    let entries = audit::read(&DataDir::new(&dir.join("d"))).unwrap();
    assert_eq!((entries.len(), entries[0].action.as_str()), (1, "model forget"));
    assert_eq!(entries[0].details["what"]["from"], from.as_str());
    let changed = checkpoints(&dir.join("d"));
    let name = AccountId::parse(&account).key();
    let differ = before.iter().zip(&changed).filter(|(a, b)| a != b).map(|(a, _)| &a.0);
    assert!(differ.eq([&format!("a/{name}").into_bytes()]), "no other account changes");

    // From before: restored by hand, or when the state is damaged, it is known again.
    let warned = format!("what was forgotten of 1 account ({account}) is known again");
    std::fs::create_dir(dir.join("d/snapshots")).unwrap();
    std::fs::copy(dir.join("x.cgsnap"), dir.join("d/snapshots/x.cgsnap")).unwrap();
    std::fs::write(dir.join("d/state/db"), b"").unwrap();
    let repaired = good(dir, &["replay", "logs", "--data-dir", "d", "--quiet"]);
    assert!(repaired.err.contains(&warned), "{}", repaired.err);
    let restore = ["snapshot", "restore", "x.cgsnap", "--data-dir", "d", "--yes"];
    let restored = good(dir, &restore);
    assert!(restored.err.contains(&warned), "{}", restored.err);
    good(dir, &["snapshot", "create", "later.cgsnap", "--data-dir", "d"]);
    let later = good(dir, &["snapshot", "restore", "later.cgsnap", "--data-dir", "d", "--yes"]);
    assert!(!later.err.contains("warning"), "{}", later.err);
    let entries = audit::read(&DataDir::new(&dir.join("d"))).unwrap();
    assert!(entries.iter().all(|entry| entry.details["by"].is_string()), "{entries:?}");
}

#[test]
fn reverting_says_what_is_unknown_and_feeding_again_brings_it_back() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    let before = checkpoints(&dir.join("d"));
    let revert = |more: &[&str]| {
        let common =
            ["snapshot", "revert", &account, "--to", "x.cgsnap", "--data-dir", "d", "--yes"];
        good(dir, &[&common, more].concat())
    };
    let same = revert(&["--refeed", "logs"]);
    assert!(same.err.contains("nothing to revert"), "{}", same.err);
    let back = revert(&[]);
    assert!(back.err.contains("it does not know what came from"), "{}", back.err);
    let equal = good(dir, &["snapshot", "diff", "x.cgsnap", "d", &account]).out;
    assert!(equal.contains("nothing was learnt"), "{equal}");
    let lists = ["--refeed", "logs"];
    let again = revert(&lists);
    assert!(again.err.contains("fed, 0 left out"), "{}", again.err);
    assert!(checkpoints(&dir.join("d")) == before);
    let ran = good(dir, &["replay", "logs", "--data-dir", "d", "--quiet"]);
    assert!(ran.out.is_empty() && checkpoints(&dir.join("d")) == before);
    let unknown = cli(
        dir,
        &["snapshot", "revert", "cosmos-x", "--to", "x.cgsnap", "--data-dir", "d", "--yes"],
    );
    assert!(unknown.code == Some(1) && unknown.err.contains("nearest is"), "{}", unknown.err);
}

#[test]
fn a_snapshot_from_before_a_forgetting_is_no_start_for_the_next_one() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    std::fs::create_dir(dir.join("d/snapshots")).unwrap();
    std::fs::rename(dir.join("x.cgsnap"), dir.join("d/snapshots/x.cgsnap")).unwrap();
    let shown = good(dir, &["model", "show", &account, "--data-dir", "d", "--json"]).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let last = Timestamp::parse(shown["last_record"].as_str().unwrap()).unwrap();
    let forget = |from_days: i64, until_days: i64| {
        let [from, until] = [from_days, until_days].map(|d| last.plus_ms(-d * DAY_MS).to_string());
        let asked = ["model", "forget", &account, "--from", &from, "--until", &until];
        good(dir, &[&asked[..], &["--logs", "logs", "--data-dir", "d", "--yes"]].concat()).err
    };
    let first = forget(2, 1);
    assert!(first.contains("is built again from d/snapshots/x.cgsnap"), "{first}");
    let early = forget(9, 8);
    assert!(early.contains("is built again from nothing"), "{early}");
    let late = forget(1, 0);
    assert!(late.contains("is built again from nothing"), "{late}");
    assert!(!late.contains("warning"), "{late}");
}
