//! An attack and its innocent look-alike, in pairs.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cosmoguard::detect::Severity;
use cosmoguard::simulate::scenario::data_plane;
use cosmoguard::time::{MINUTE_MS, Timestamp};

use folder::{Expected, Scenario};

use super::support::cli;

mod folder;

const START: Timestamp = Timestamp(1_789_344_000_000);
const EXIT: &str = "203.0.113.66";

/// Alert types that an hour of requests from a Tor exit with `status` raises; `listed` is what the
/// list of exits holds.
fn tor_hour(status: u16, listed: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("tor.txt"), listed).expect("writable");
    let mut lines = Vec::new();
    for minute in 0..60 {
        let record = data_plane("shop", START.plus_ms(minute * MINUTE_MS))
            .ip(EXIT.parse::<IpAddr>().expect("an address"))
            .status(status);
        lines.extend(record.json());
        lines.push(b'\n');
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    let replay = ["replay", "x.json", "--tor-exits", "tor.txt", "--alerts", "-", "--quiet"];
    let ran = cli(dir.path(), &replay);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let kind = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        alert["properties"]["alertType"].as_str().expect("a type").to_owned()
    };
    ran.out.lines().map(kind).collect()
}

#[test]
fn data_read_through_tor_alerts_and_the_same_reads_from_elsewhere_do_not() {
    let raised = tor_hour(200, EXIT);
    assert!(raised.iter().any(|kind| kind.contains("Tor")), "{raised:?}");
    assert_eq!(tor_hour(200, "198.51.100.7"), Vec::<String>::new());
}

/// Every alert line: kind, account, severity.
fn raised(folder: &Path, scenario: &Scenario) -> Vec<(String, String, Severity)> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut lines = scenario.records(folder).join(&b'\n');
    lines.push(b'\n');
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    let mut args = ["replay", "x.json", "--alerts", "-", "--quiet"].map(str::to_owned).to_vec();
    for (flag, list) in [("--tor-exits", &scenario.tor), ("--threat-ips", &scenario.threats)] {
        if let Some(list) = list {
            args.extend([flag.to_owned(), folder.join(list).display().to_string()]);
        }
    }
    let ran = cli(dir.path(), &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}: {}", folder.display(), ran.err);
    let alert = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| alert["properties"][name].as_str().expect("text").to_owned();
        let entity = text("compromisedEntity");
        let account = entity.rsplit('/').next().expect("a name").to_lowercase();
        let severity = Severity::parse(&text("severity")).expect("a severity");
        (text("alertType"), account, severity)
    };
    ran.out.lines().map(alert).collect()
}

/// What was raised and not expected, or expected and not raised.
fn differences(raised: &[(String, String, Severity)], expected: &[Expected]) -> Vec<String> {
    let mut differences = Vec::new();
    for (kind, account, severity) in raised {
        let fits = |e: &Expected| e.kind == *kind && e.account == *account && e.max() >= *severity;
        if !expected.iter().any(fits) {
            differences.push(format!("raised: {kind} on {account}, {}", severity.as_str()));
        }
    }
    for e in expected {
        let highest = raised
            .iter()
            .filter(|(kind, account, _)| *kind == e.kind && *account == e.account)
            .map(|(_, _, severity)| *severity)
            .max();
        if highest.is_none_or(|highest| highest < e.min()) {
            differences.push(format!("missed: {} on {}, at least {}", e.kind, e.account, e.min));
        }
    }
    differences
}

#[test]
fn every_attack_alerts_and_its_innocent_look_alike_does_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let mut failures = Vec::new();
    for folder in &folders {
        let (scenario, expected) = Scenario::read(folder);
        let other = Scenario::read(&root.join(&scenario.pair));
        assert!(
            expected.is_empty() != other.1.is_empty() && root.join(&other.0.pair) == *folder,
            "{}: a pair is an attack and its look-alike, each naming the other",
            folder.display()
        );
        let raised = raised(folder, &scenario);
        for difference in differences(&raised, &expected) {
            failures.push(format!("{} ({}): {difference}", folder.display(), scenario.title));
        }
    }
    assert!(!folders.is_empty() && failures.is_empty(), "{}", failures.join("\n"));
}
