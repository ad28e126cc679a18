//! The real binary: exit codes, streams, refusals and hostile input.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::io::Write;

use super::support::{Ran, cli, cli_fed, fixture};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn refusals(dir: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("refused.jsonl")).expect("refusals are kept");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn sample_folder_refuses_only_what_is_broken() {
    let dir = dir();
    let logs = fixture("logs");
    let ran = cli(dir.path(), &["replay", logs.to_str().expect("UTF-8"), "--data-dir", "d"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.out.is_empty());
    let refused = refusals(&dir.path().join("d"));
    let count = |reason: &str| refused.iter().filter(|r| r["reason"] == reason).count();
    // Of the whole folder only the documentation's unescaped quotes.
    assert_eq!((count("bad_json"), refused.len()), (3, 3));
}

#[test]
fn wrong_use_says_what_to_do() {
    let dir = dir();
    std::fs::write(dir.path().join("c.toml"), "xx = 1\n").expect("writable");
    for (args, code, words) in [
        (&["replay", "nowhere"][..], 1, "cannot read nowhere"),
        (&["serve"], 2, "comes in a later version"),
        (&["snapshot", "--x"], 2, "comes in a later version"),
        (&["replay", "--nonsense", "."], 2, "--nonsense"),
        (&["check-config", "--config", "c.toml"], 2, "c.toml:1:1: unknown key `xx`"),
    ] {
        let ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{args:?}");
    }
}

#[test]
fn random_bytes_and_cut_envelopes_do_not_panic() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(200_000)
    .collect();
    for bytes in [noise, b"{\"records\":[{\"time\":\"2026-01-01T00:00:00Z\",\"cat".to_vec()] {
        let dir = dir();
        std::fs::write(dir.path().join("x.json"), bytes).expect("writable");
        let ran = cli(dir.path(), &["replay", "x.json", "--quiet"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        assert!(!refusals(dir.path()).is_empty());
    }
}

#[test]
fn a_line_of_100_mib_is_refused_and_the_next_one_read() {
    let dir = dir();
    let ran: Ran = cli_fed(dir.path(), &["replay", "-", "--quiet"], |input| {
        let block = vec![b'a'; 1 << 20];
        input.write_all(b"{\"time\":\"")?;
        for _ in 0..100 {
            input.write_all(&block)?;
        }
        Write::write_all(input, b"\"}\n{]\n")
    });
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert_eq!(refusals(dir.path()).len(), 2);
}

#[test]
fn demo_on_stdout_is_json_lines_of_all_kinds_and_matches_the_schema() {
    let dir = dir();
    let ran = cli(dir.path(), &["replay", "--demo", "--alerts", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let schema = std::fs::read(fixture("alerts/alert.schema.json")).expect("a schema");
    let schema: serde_json::Value = serde_json::from_slice(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mut kinds = std::collections::BTreeSet::new();
    for line in ran.out.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let faults: Vec<String> = validator.iter_errors(&alert).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{line}");
        kinds.insert(alert["properties"]["alertType"].as_str().expect("a type").to_owned());
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
}

#[test]
fn views_of_a_data_directory() {
    let dir = dir();
    let ran = cli(dir.path(), &["replay", "--demo", "--data-dir", "d", "--quiet"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let alerts = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).expect("alerts");
    let alert: serde_json::Value =
        serde_json::from_str(alerts.lines().next().expect("an alert")).expect("JSON");
    let id = alert["name"].as_str().expect("an id");
    let story = cli(dir.path(), &["explain", &id[..8], "--data-dir", "d"]);
    assert_eq!(story.code, Some(0), "{}", story.err);
    assert!(story.out.contains(&id[..8]), "{}", story.out);
    let none = cli(dir.path(), &["explain", "zzzz", "--data-dir", "d"]);
    assert_eq!(none.code, Some(1), "{}", none.err);
    json(&cli(dir.path(), &["model", "list", "--data-dir", "d", "--json"]));
    json(&cli(dir.path(), &["model", "coverage", "--data-dir", "d", "--json"]));
    let resource = alert["properties"]["compromisedEntity"].as_str().expect("an entity");
    let account = resource.rsplit('/').next().expect("a name").to_lowercase();
    json(&cli(dir.path(), &["model", "show", &account, "--data-dir", "d", "--json"]));
    let at = ["--at", "2026-10-20T03:00Z", "--data-dir", "d", "--json"];
    json(&cli(dir.path(), &[&["why-not", account.as_str()][..], &at].concat()));
}

/// One JSON value, or one a line.
fn json(ran: &Ran) -> Vec<serde_json::Value> {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let values: Result<Vec<_>, _> =
        serde_json::Deserializer::from_str(&ran.out).into_iter().collect();
    let values = values.expect("JSON");
    assert!(!values.is_empty());
    values
}

#[test]
fn one_process_a_data_directory() {
    let dir = dir();
    let held = cosmoguard::store::sled_store::SledStore::open(&dir.path().join("d/state"));
    let ran = cli(dir.path(), &["replay", "--demo", "--data-dir", "d", "--quiet"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("in use by another process"), "{}", ran.err);
    drop(held);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_ends() {
    let dir = dir();
    std::fs::create_dir(dir.path().join("logs")).expect("a folder");
    std::os::unix::fs::symlink("..", dir.path().join("logs/up")).expect("a link");
    std::fs::write(dir.path().join("logs/x.json"), "{]\n").expect("writable");
    let ran = cli(dir.path(), &["replay", "logs", "--quiet"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
}

#[test]
fn hostile_names_never_reach_the_terminal_raw() {
    let dir = dir();
    let exit = "203.0.113.66";
    std::fs::write(dir.path().join("tor.txt"), exit).expect("writable");
    let time = cosmoguard::time::Timestamp(1_789_344_000_000);
    let mut lines = Vec::new();
    for minute in 0..60 {
        let record =
            cosmoguard::simulate::scenario::data_plane("shop", time.plus_ms(minute * 60_000))
                .ip(exit.parse::<std::net::IpAddr>().expect("an address"))
                .agent("evil\u{1b}[31m\u{202e}agent")
                .container("db\u{1b}]0;x\u{7}", "c\u{2066}d");
        lines.extend(record.json());
        lines.push(b'\n');
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    let replay = ["replay", "x.json", "--tor-exits", "tor.txt", "--data-dir", "d"];
    let ran = cli(dir.path(), &replay);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let alerts = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).expect("alerts");
    let alert: serde_json::Value =
        serde_json::from_str(alerts.lines().next().expect("an alert")).expect("JSON");
    let id = alert["name"].as_str().expect("an id");
    let story = cli(dir.path(), &["explain", id, "--data-dir", "d"]);
    let shown = cli(dir.path(), &["model", "show", "shop", "--data-dir", "d"]);
    assert_eq!((story.code, shown.code), (Some(0), Some(0)), "{}{}", story.err, shown.err);
    for text in [ran.out, ran.err, story.out, story.err, shown.out, shown.err] {
        let raw = text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}']);
        assert!(!raw, "{text:?}");
    }
}
