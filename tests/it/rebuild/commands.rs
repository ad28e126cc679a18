//! The commands, on a data directory of the real program.
use std::path::Path;

use cosmoguard::ids::AccountId;
use cosmoguard::store::audit::{self, Stage};
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
    assert!(
        nobody.code == Some(1) && nobody.err.contains("no principal `nobody`"),
        "{}",
        nobody.err
    );
    assert!(
        nobody.err.contains("nearest of ") && nobody.err.contains("known: `"),
        "{}",
        nobody.err
    );
    let later = ["--from", "2099-01-01", "--until", "2100-01-01"];
    let nothing = forget(&[&later[..], &["--logs", "logs", "--yes"]].concat());
    assert!(
        nothing.code == Some(0) && nothing.err.contains("nothing to forget"),
        "{}",
        nothing.err
    );
    let told = forget(&[&later[..], &["--logs", "logs", "--yes", "--json"]].concat()).out;
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
    let stages = [Some(Stage::Begun), Some(Stage::Done)];
    assert!(entries.iter().map(|e| e.stage).eq(stages), "{entries:?}");
    assert!(entries.iter().all(|e| e.action == "model forget"), "{entries:?}");
    assert!(entries.iter().all(|e| e.details["what"]["from"] == from.as_str()), "{entries:?}");
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

/// The log as a process leaves it that is killed after it has noted what it is about to do.
fn without_its_end(data_dir: &Path) {
    let log = data_dir.join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(log, lines[..lines.len() - 1].concat()).unwrap();
}

fn last_entry(data_dir: &Path) -> audit::Entry {
    audit::read(&DataDir::new(data_dir)).unwrap().pop().unwrap()
}

fn copy(dir: &Path, from: &str, to: &str) {
    let copied = std::process::Command::new("cp").args(["-r", from, to]).current_dir(dir).status();
    assert!(copied.unwrap().success());
}

#[test]
fn what_is_killed_before_it_is_noted_as_done_is_noted_by_the_next_command() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    copy(dir, "d", "untouched");
    let revert = ["snapshot", "revert", &account, "--to", "x.cgsnap", "--data-dir", "d", "--yes"];
    let restore = ["snapshot", "restore", "x.cgsnap", "--data-dir", "d", "--yes"];
    for (args, action) in [(&revert[..], "snapshot revert"), (&restore[..], "snapshot restore")] {
        std::fs::remove_dir_all(dir.join("d")).unwrap();
        copy(dir, "untouched", "d");
        good(dir, args);
        without_its_end(&dir.join("d"));
        assert_eq!(last_entry(&dir.join("d")).stage, Some(Stage::Begun));
        // Killed before: the state of before, and what the restore had written aside.
        std::fs::remove_dir_all(dir.join("e")).ok();
        copy(dir, "untouched", "e");
        std::fs::copy(dir.join("d/audit.jsonl"), dir.join("e/audit.jsonl")).unwrap();
        if action == "snapshot restore" {
            copy(dir, "untouched/state", "e/state.restoring");
        }
        let cases = [("d", true, "it had taken effect"), ("e", false, "it had changed nothing")];
        for (data_dir, took_effect, word) in cases {
            let ran = good(dir, &["model", "list", "--data-dir", data_dir]);
            assert!(ran.err.contains(word) && ran.err.contains(action), "{}", ran.err);
            let entry = last_entry(&dir.join(data_dir));
            assert_eq!(entry.stage, Some(Stage::Interrupted), "{entry:?}");
            assert_eq!((entry.number, &entry.details["took_effect"]), (2, &took_effect.into()));
            assert_eq!(entry.action, action);
            let again = good(dir, &["model", "list", "--data-dir", data_dir]);
            assert!(!again.err.contains("killed"), "{}", again.err);
        }
    }
}

#[test]
fn settings_that_differ_from_those_it_was_learnt_with_are_named() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    let revert = |more: &[&str]| {
        let common = ["snapshot", "revert", &account, "--to", "x.cgsnap", "--data-dir", "d"];
        cli(dir, &[&common[..], &["--yes", "--refeed", "logs"], more].concat())
    };
    let late = revert(&["--lateness", "45m"]);
    assert_eq!(late.code, Some(1), "{}", late.err);
    let said = "learnt with 15 minutes of lateness, and the model would be built with 45";
    assert!(late.err.contains(said) && late.err.contains("--lateness 15m"), "{}", late.err);
    std::fs::write(dir.join("c.toml"), "[profile.location]\nhalf_life_days = 80.0\n").unwrap();
    let other = revert(&["--config", "c.toml"]);
    assert!(
        other.err.contains("warning: profile.location.half_life_days is 80.0 now, and was 90.0"),
        "{}",
        other.err
    );
    // The flag counts as a setting: a state that was learnt with it is built again with it.
    good(dir, &["replay", "logs", "--data-dir", "f", "--quiet", "--lateness", "45m"]);
    good(dir, &["snapshot", "create", "f.cgsnap", "--data-dir", "f"]);
    let revert = |more: &[&str]| {
        let common = ["snapshot", "revert", &account, "--to", "f.cgsnap", "--data-dir", "f"];
        cli(dir, &[&common[..], &["--yes", "--refeed", "logs"], more].concat())
    };
    assert!(revert(&[]).err.contains("give --lateness 45m"));
    let same = revert(&["--lateness", "45m"]);
    assert!(same.code == Some(0) && same.err.contains("nothing to revert"), "{}", same.err);
}

#[test]
fn an_account_that_was_forgotten_wholly_has_no_dates() {
    let dir = logs();
    let dir = dir.path();
    let account = past(dir);
    let all = ["--from", "2000-01-01", "--until", "2100-01-01", "--logs", "logs", "--yes"];
    let forget = ["model", "forget", &account, "--data-dir", "d"];
    let ran = good(dir, &[&forget, &all[..]].concat());
    assert!(!ran.out.contains("1970") && !ran.err.contains("1970"), "{}{}", ran.out, ran.err);
    for (args, json) in [
        (&["model", "list", "--data-dir", "d"][..], false),
        (&["model", "list", "--data-dir", "d", "--json"], true),
        (&["model", "show", &account, "--data-dir", "d"], false),
        (&["model", "show", &account, "--data-dir", "d", "--json"], true),
        (&["snapshot", "diff", "x.cgsnap", "d", &account], false),
        (&["snapshot", "diff", "x.cgsnap", "d", &account, "--json"], true),
        (&["why-not", &account, "--at", "2026-10-03T13:20Z", "--data-dir", "d"], false),
    ] {
        let ran = good(dir, args);
        assert!(!ran.out.contains("1970"), "{args:?}: {}", ran.out);
        let none = if json { "null" } else { "-" };
        assert!(ran.out.contains(none), "{args:?}: {}", ran.out);
    }
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
