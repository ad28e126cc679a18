//! Accounts, snapshots, status and metrics.
use cosmoguard::live::board::Phase;

use super::{Setup, demo};
use crate::support::{cli, fixture};

const ACCOUNT: &str = "cosmos-pricing-prod-001";

#[test]
fn an_account_is_told_as_the_command_line_tells_it() {
    let running = Setup::demo().start();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(cli(dir.path(), &["replay", "--demo", "--quiet", "--data-dir", "d"]).code, Some(0));
    let said = |args: &[&str]| -> serde_json::Value {
        let ran = cli(dir.path(), &[args, &["--data-dir", "d", "--json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.out))
    };
    assert_eq!(running.json(&format!("/v1/accounts/{ACCOUNT}")), said(&["model", "show", ACCOUNT]));
    let upper = ACCOUNT.to_uppercase();
    assert_eq!(running.json(&format!("/v1/accounts/public/{upper}"))["account"], ACCOUNT);
    let at = "2026-10-20T09:00Z";
    assert_eq!(
        running.json(&format!("/v1/accounts/{ACCOUNT}/why-not?at={at}")),
        said(&["why-not", ACCOUNT, "--at", at])
    );
    let coverage = running.json(&format!("/v1/accounts/{ACCOUNT}/coverage"));
    assert_eq!(coverage["blind"], said(&["model", "coverage", ACCOUNT])["blind"]);
    assert_eq!(running.get(&format!("/v1/accounts/{ACCOUNT}/why-not")).problem(400), "at");
    running.get("/v1/accounts/nobody").problem(404);
    running.get(&format!("/v1/accounts/china/{ACCOUNT}")).problem(404);
}

#[test]
fn accounts_come_in_pages_by_name() {
    let running = Setup::demo().start();
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = running.json(&format!("/v1/accounts?limit=3{cursor}"));
        assert_eq!(page["total"], 8);
        let items = page["items"].as_array().unwrap().iter();
        names.extend(items.map(|a| a["account"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(names.len() == 8 && names.is_sorted(), "{names:?}");
    assert_eq!(running.json("/v1/accounts?q=PRICING")["total"], 1);
}

#[test]
fn a_model_that_is_known_is_not_sent_again() {
    let running = Setup::demo().start();
    let path = format!("/v1/accounts/{ACCOUNT}/model");
    let first = running.get(&path);
    assert_eq!(first.status, 200);
    let tag = first.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = running.ask("GET", &path, &[("If-None-Match", &known)], None);
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
    }
    let other = running.ask("GET", &path, &[("If-None-Match", "\"other\"")], None);
    assert_eq!(other.status, 200);
}

#[test]
fn the_series_has_its_hours_and_the_timeline_what_happened() {
    let running = Setup::demo().start();
    let all = running.json(&format!("/v1/accounts/{ACCOUNT}/series"));
    let hours = all["hours"].as_array().unwrap();
    assert!(hours.len() > 24 * 20, "{}", hours.len());
    let day = "from=2026-10-20&to=2026-10-21";
    let some = running.json(&format!("/v1/accounts/{ACCOUNT}/series?{day}"));
    assert_eq!(some["hours"].as_array().unwrap().len(), 24);
    assert!(some["hours"][9]["observed"].as_f64().unwrap() > 0.0);
    let timeline = running.json(&format!("/v1/accounts/{ACCOUNT}/timeline"));
    let items = timeline["items"].as_array().unwrap();
    let alerts = items.iter().filter(|i| i["what"] == "alert").count() as u64;
    let listed = running.json(&format!("/v1/alerts?account={ACCOUNT}"));
    assert_eq!(alerts, listed["total"].as_u64().unwrap());
    assert!(items.iter().any(|i| i["what"] == "keys_first_read"));
}

#[test]
fn a_snapshot_is_taken_listed_and_compared() {
    let running = Setup::demo().start();
    assert_eq!(running.json("/v1/snapshots")["items"].as_array().unwrap().len(), 0);
    let taken = running.post("/v1/snapshots", "");
    assert_eq!(taken.status, 201, "{}", taken.body);
    let taken = taken.json();
    assert_eq!(taken["manifest"]["accounts"], 8);
    let name = taken["name"].as_str().unwrap();
    assert_eq!(running.json("/v1/snapshots")["items"][0], taken);
    let path = format!("/v1/snapshots/diff?a={name}&b=now&account={ACCOUNT}");
    let diff = running.json(&path);
    assert_eq!(diff["changes"].as_array().unwrap().len(), 0, "{diff}");
    for (query, field) in [
        (format!("a={name}&b=now"), "account"),
        (format!("b={name}&account={ACCOUNT}"), "a"),
        (format!("a=../audit.jsonl&b=now&account={ACCOUNT}"), "a"),
        (format!("a=%2Fetc%2Fpasswd&b=now&account={ACCOUNT}"), "a"),
    ] {
        assert_eq!(running.get(&format!("/v1/snapshots/diff?{query}")).problem(400), field);
    }
    running.get(&format!("/v1/snapshots/diff?a={name}&b=now&account=nobody")).problem(404);
    assert!(!demo().is_empty());
}

#[test]
fn it_is_ready_while_it_runs_and_lives_all_the_time() {
    let running = Setup::default().start();
    for (phase, status) in [
        (Phase::Opening, 503),
        (Phase::Warming, 503),
        (Phase::Running, 200),
        (Phase::Draining, 503),
    ] {
        running.shared.board.write(|s| s.phase = phase);
        assert_eq!(running.get("/readyz").status, status, "{phase:?}");
        assert_eq!(running.get("/healthz").status, 200);
        assert_eq!(running.json("/v1/status")["phase"], phase.as_str());
    }
    running.shared.board.write(|s| {
        s.phase = Phase::Running;
        s.failed = Some("the disk at /secret/place is gone".to_owned());
    });
    let answer = running.get("/readyz");
    answer.problem(503);
    assert!(!answer.body.contains("/secret/place"));
}

#[test]
fn every_metric_is_in_the_handbook() {
    let running = Setup::demo().start();
    running.shared.board.write(|status| {
        status.counts.refused.insert("bad_json", 3);
        status.counts.by_category[0] = 7;
        let name = "a \"quoted\"\nfolder\\".to_owned();
        status.sources.push(cosmoguard::live::board::SourceStatus {
            name,
            kind: "folder",
            ..Default::default()
        });
    });
    let text = running.get("/metrics").body;
    let handbook = fixture("../../docs/operating.md");
    let handbook = std::fs::read_to_string(handbook).unwrap();
    let mut names = 0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(handbook.contains(&format!("`{name}`")), "{name} is not in docs/operating.md");
            names += 1;
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with("cosmoguard_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(names > 25, "{names}");
    assert!(text.contains(r#"source="a \"quoted\"\nfolder\\""#), "{text}");
    assert!(text.contains("cosmoguard_records_refused_total{reason=\"bad_json\"} 3"));
}
