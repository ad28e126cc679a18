//! Keys read by a stranger, the key used from where it never was, and then volume: one story, and
//! its innocent twin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set its scene fails"
)]
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use cosmoguard::alert::book::{ALL, AlertBook};
use cosmoguard::detect::Severity;
use cosmoguard::simulate::scenario::{activity, data_plane};
use cosmoguard::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use serde_json::Value;

use crate::support::cli;

const START: Timestamp = Timestamp(1_789_344_000_000);
const DAYS: i64 = 36;
const LIST: &str = "listKeys";
const STRANGER: (u128, u128) = (0xbad, 0xbad1);
const PIPELINE: (u128, u128) = (5, 50);
const OWN: Ipv4Addr = Ipv4Addr::new(20, 50, 2, 10);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(171, 244, 9, 20);

/// Records, with what puts them in order.
type Records = Vec<(Timestamp, Vec<u8>)>;

/// Five weeks of life, with a pipeline that rotates the keys every week.
fn life() -> Records {
    let mut records = Records::new();
    for n in 0..DAYS * 144 {
        let at = START.plus_ms(n * 10 * MINUTE_MS + 17 * (n % 97));
        let bytes = 2_000 + (n as u64 * 7_919) % 38_000;
        let ip = Ipv4Addr::new(20, 50, 2, 10 + (n % 3) as u8);
        records.push((at, data_plane("shop", at).ip(ip).bytes(bytes).json()));
    }
    for week in 0..5 {
        rotate(&mut records, START.plus_ms((week * 7 + 1) * DAY_MS + 3 * HOUR_MS));
    }
    records
}

fn rotate(records: &mut Records, at: Timestamp) {
    for (n, operation) in ["regenerateKey", LIST].into_iter().enumerate() {
        let at = at.plus_ms(n as i64 * MINUTE_MS);
        let (object, app) = PIPELINE;
        let record = activity("shop", at, operation).managed_identity(object, app);
        records.push((at, record.ip(Ipv4Addr::new(13, 80, 44, 9)).json()));
    }
}

/// A key is used, first a little and then for a lot of data.
fn use_key(records: &mut Records, from: Timestamp, ip: Ipv4Addr, key: &str, bytes: u64) {
    for n in 0..90 {
        let at = from.plus_ms(n * MINUTE_MS);
        let bytes = if n < 15 { 3_000 } else { bytes };
        records.push((at, data_plane("shop", at).ip(ip).key(key).bytes(bytes).json()));
    }
}

/// The alert lines that come of it.
fn raised(mut records: Records) -> Vec<Value> {
    records.sort();
    let dir = tempfile::tempdir().expect("a directory");
    let mut lines = Vec::new();
    for (_, record) in records {
        lines.extend(record);
        lines.push(b'\n');
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    let ran = cli(dir.path(), &["replay", "x.json", "--alerts", "-", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn said<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line["properties"]["extendedProperties"][name].as_str()
}

#[test]
fn a_key_that_is_read_used_elsewhere_and_emptied_through_is_one_high_story() {
    let mut records = life();
    let night = START.plus_ms(DAYS * DAY_MS + HOUR_MS);
    let (object, app) = STRANGER;
    let listing = activity("shop", night, LIST).service_principal(object, app);
    records.push((night, listing.ip(FOREIGN).json()));
    let used = night.plus_ms(13 * MINUTE_MS);
    use_key(&mut records, used, FOREIGN, "SecondaryMasterKey", 4_000_000);
    let lines = raised(records);
    let kinds: BTreeSet<&str> =
        lines.iter().filter_map(|l| l["properties"]["alertType"].as_str()).collect();
    let told: Vec<String> =
        lines.iter().map(|l| format!("{:?}", said(l, "Incident timeline"))).collect();
    let high: Vec<&Value> =
        lines.iter().filter(|line| said(line, "Incident severity") == Some("High")).collect();
    assert!(!high.is_empty(), "{kinds:?} {told:?}");
    let incidents: BTreeSet<&str> =
        lines.iter().filter_map(|line| said(line, "Incident")).collect();
    assert_eq!(incidents.len(), 1, "one incident");
    let last = high.last().unwrap();
    let members: BTreeSet<&str> = said(last, "Incident alerts").unwrap().split(", ").collect();
    assert!(members.len() >= 3, "{members:?}");
    // The book has them under one key, those too that were told before there was an incident.
    let mut book = AlertBook::default();
    for (n, line) in lines.iter().enumerate() {
        book.add(n as u64, line.to_string().as_bytes());
    }
    let key = last["properties"]["correlationKey"].as_str().unwrap();
    let stories = book.stories(false, 10, ALL);
    let story = stories.iter().find(|story| story.key == key).expect("the story");
    let in_it: BTreeSet<String> = story.alerts.iter().map(ToString::to_string).collect();
    assert_eq!(in_it, members.iter().map(|id| (*id).to_owned()).collect());
    assert_eq!(story.severity, Severity::High);
}

#[test]
fn a_pipeline_that_rotates_and_then_uses_the_key_is_no_incident() {
    let mut records = life();
    let night = START.plus_ms(DAYS * DAY_MS + 3 * HOUR_MS);
    rotate(&mut records, night);
    use_key(&mut records, night.plus_ms(13 * MINUTE_MS), OWN, "SecondaryMasterKey", 30_000);
    let lines = raised(records);
    let incidents: Vec<&str> = lines.iter().filter_map(|line| said(line, "Incident")).collect();
    assert!(incidents.is_empty(), "{incidents:?}");
    assert!(lines.iter().all(|line| line["properties"]["severity"] != "High"), "{lines:?}");
}
