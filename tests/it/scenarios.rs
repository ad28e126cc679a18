//! An attack and its innocent look-alike, in pairs.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::net::IpAddr;

use cosmoguard::simulate::scenario::data_plane;
use cosmoguard::time::{MINUTE_MS, Timestamp};

use super::support::cli;

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
