//! Same in, same bytes out: threads, chunk sizes, sleeping accounts and restarts change nothing.
use std::collections::BTreeSet;
use std::path::Path;

use super::support::{checkpoints, cli};

/// The alert file and all sealed account models.
type Outcome = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn demo(threads: &str, replay: &str) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let config = format!("[replay]\n{replay}\n");
    std::fs::write(dir.path().join("c.toml"), config).expect("writable");
    let args = ["replay", "--demo", "--quiet", "--data-dir", "d", "--config", "c.toml"];
    let ran = cli(dir.path(), &[&args[..], &["--threads", threads]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    outcome(&dir.path().join("d"))
}

fn outcome(data_dir: &Path) -> Outcome {
    let alerts = std::fs::read(data_dir.join("alerts.jsonl")).expect("alerts");
    (alerts, checkpoints(data_dir))
}

#[test]
fn threads_chunks_and_sleep_change_nothing() {
    let expected = demo("1", "batch_records = 4096");
    assert!(!expected.0.is_empty());
    assert_eq!(expected.1.len(), 8);
    for (threads, replay) in [
        ("2", "batch_records = 7"),
        ("1", "batch_records = 16384"),
        ("2", "batch_records = 16384"),
        ("2", "batch_records = 4096\nawake_accounts = 2"),
    ] {
        let got = demo(threads, replay);
        assert!(got.0 == expected.0, "alerts differ: {threads} threads, {replay}");
        assert!(got.1 == expected.1, "models differ: {threads} threads, {replay}");
    }
}

fn ids(alerts: &[u8]) -> BTreeSet<String> {
    let text = std::str::from_utf8(alerts).expect("UTF-8");
    let id = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        alert["name"].as_str().expect("a name").to_owned()
    };
    text.lines().map(id).collect()
}

#[test]
fn a_run_in_two_parts_ends_where_one_run_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str]| {
        let ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    };
    run(&["simulate", "--seed", "3", "--accounts", "4", "--days", "36", "--rate", "200", "logs"]);
    // The fleet's address lists lie beside the logs; they are no logs.
    let replay = [
        &["replay", "--quiet", "--tor-exits", "logs/tor-exits.txt"][..],
        &["--threat-ips", "logs/threat-ips.txt", "logs/insights-activity-logs"],
        &["logs/insights-logs-dataplanerequests", "logs/insights-logs-queryruntimestatistics"],
    ]
    .concat();
    run(&[&replay[..], &["--data-dir", "one"]].concat());
    run(&[&replay[..], &["--data-dir", "two", "--until", "2026-10-10T13:20Z"]].concat());
    run(&[&replay[..], &["--data-dir", "two"]].concat());
    let (one, two) = (outcome(&dir.path().join("one")), outcome(&dir.path().join("two")));
    assert!(!one.1.is_empty());
    assert_eq!(ids(&one.0), ids(&two.0));
    assert!(one.1 == two.1, "models differ");
}
