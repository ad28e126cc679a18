//! `report` over the demo fleet: what it says agrees with the alerts that are kept.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use crate::support::cli;

/// Sum of the values of a section's lines.
fn sum(table: &str, section: &str) -> usize {
    let lines = table.lines().filter(|line| line.starts_with(&format!("\"{section}\",")));
    lines.filter_map(|line| line.rsplit(',').next()?.trim_matches('"').parse::<usize>().ok()).sum()
}

#[test]
fn a_report_of_the_demo_fleet_has_every_alert_and_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| cli(dir.path(), &[args, &["--data-dir", "d"]].concat());
    assert_eq!(run(&["replay", "--demo", "--quiet"]).code, Some(0));
    let lines = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).unwrap();
    let id = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["name"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<String> = lines.lines().map(id).collect();
    let last = ids.last().unwrap().clone();
    ids.sort();
    ids.dedup();
    let said = run(&["verdict", &last, "benign-once", "--reason", "=a drill"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rule = ["suppress", "add", "--account", "a*", "--for", "9d", "--reason", "<b>noise</b>"];
    assert_eq!(run(&rule).code, Some(0));
    let span = ["report", "--from", "2020-01-01", "--to", "2040-01-01", "--out", "r"];
    let made = run(&span);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.out.contains(&format!("{} alerts", ids.len())), "{}", made.out);
    let read = |name: &str| std::fs::read_to_string(dir.path().join("r").join(name)).unwrap();
    let (table, alerts, page) = (read("report.csv"), read("alerts.csv"), read("report.html"));
    assert_eq!(sum(&table, "severity"), ids.len());
    assert_eq!(alerts.lines().count(), ids.len() + 1);
    let of_last = alerts.lines().find(|line| line.contains(&last)).unwrap();
    assert!(of_last.ends_with("\"innocent\""), "{of_last}");
    assert!(page.contains("1 innocent") && !page.contains("<b>noise"), "escaped");
    // Nothing happened before the first record.
    let before = ["report", "--from", "2019-01-01", "--to", "2019-02-01", "--out", "q"];
    assert!(run(&before).out.starts_with("0 alerts on 0 accounts"));
    let backwards = ["report", "--from", "2020-01-02", "--to", "2020-01-01", "--out", "p"];
    assert_eq!(run(&backwards).code, Some(1));
}
