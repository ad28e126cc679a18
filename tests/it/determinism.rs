//! Same in, same bytes out: threads, chunk sizes, sleeping accounts and restarts change nothing.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::collections::BTreeSet;
use std::path::Path;

use cosmoguard::simulate::{self, FleetOptions};
use cosmoguard::time::Timestamp;

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
    assert!(!one.0.is_empty() && !one.1.is_empty());
    assert_eq!(ids(&one.0), ids(&two.0));
    assert!(one.1 == two.1, "models differ");
}

/// What stays of an alert when records come in another order: who, what, how bad.
fn essence(alerts: &str) -> BTreeSet<[String; 4]> {
    let essence = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let of = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let properties = &alert["properties"];
        [
            of(&alert["name"]),
            of(&properties["alertType"]),
            of(&properties["compromisedEntity"]),
            of(&properties["severity"]),
        ]
    };
    alerts.lines().map(essence).collect()
}

#[test]
fn order_within_the_lateness_bound_changes_no_alert() {
    let fleet = simulate::plan(FleetOptions {
        seed: 5,
        accounts: 3,
        days: 36,
        rate: 150.0,
        ..FleetOptions::default()
    });
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("tor.txt"), fleet.tor_exits_text()).expect("writable");
    std::fs::write(dir.path().join("listed.txt"), fleet.threat_ips_text()).expect("writable");
    let records: Vec<(Timestamp, Vec<u8>)> = simulate::records(&fleet)
        .map(|(_, record)| {
            let fields: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
            let time = Timestamp::parse(fields["time"].as_str().expect("a time"));
            (time.expect("a valid time"), record)
        })
        .collect();
    let mut state = 9_u64;
    let mut first = None;
    for shuffle in 0..12 {
        let mut order: Vec<(i64, &[u8])> = Vec::with_capacity(records.len());
        for (time, record) in &records {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Strictly less than the 15 minutes that a record may be late.
            let delay = if shuffle == 0 { 0 } else { (state >> 33) % 899_000 };
            order.push((time.millis() + delay as i64, record));
        }
        order.sort();
        let lines: Vec<u8> =
            order.iter().flat_map(|(_, record)| record.iter().copied().chain([b'\n'])).collect();
        std::fs::write(dir.path().join("x.json"), lines).expect("writable");
        let lists = ["--tor-exits", "tor.txt", "--threat-ips", "listed.txt"];
        let replay = ["replay", "x.json", "--quiet", "--alerts", "-"];
        let ran = cli(dir.path(), &[&replay[..], &lists].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let got = essence(&ran.out);
        assert!(!got.is_empty());
        let expected = first.get_or_insert_with(|| got.clone());
        let odd: Vec<_> = got.symmetric_difference(expected).collect();
        assert!(odd.is_empty(), "shuffle {shuffle}: {odd:#?}");
    }
}
