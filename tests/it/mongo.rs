//! Commands of the Mongo API, from the log to the alert: attacks by operator and their innocent twins.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::path::Path;

use cosmoguard::time::{DAY_MS, MINUTE_MS, Timestamp};
use serde_json::{Value, json};

use super::support::cli;

const START: Timestamp = Timestamp(1_789_344_000_000);
const DAYS: i64 = 20;
const LOGIN: &str = r#"{"user":"ann","pass":"s3cret"}"#;
const SEARCH: &str = r#"{"deleted":{"$ne":null},"at":{"$gt":{"$date":"2026-01-01T00:00:00Z"}}}"#;

/// One command as `MongoRequests` logs it, with an activity id that is none.
fn record(at: Timestamp, operation: &str, ip: &str, text: Option<&str>) -> String {
    let mut properties = json!({
        "activityId": "823cae64-0000-0000-0000-000000000000",
        "opCode": "MongoOpCode_OP_QUERY",
        "errorCode": "0",
        "requestCharge": "3.0",
        "databaseName": "shop",
        "collectionName": "users",
        "authorizationTokenType": "PrimaryMasterKey",
        "address": ip,
        "region": "West Europe",
        "requestLength": "266",
        "responseLength": "3640",
        "userAgent": "mongo-java-driver/4.1",
    });
    if let Some(text) = text {
        properties["piiCommandText"] = Value::from(text);
    }
    let resource = "/SUBSCRIPTIONS/00000000-0000-0000-0000-00000000C0DE/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/SHOP";
    json!({"time": at.to_string(), "resourceId": resource, "category": "MongoRequests",
           "operationName": operation, "properties": properties})
    .to_string()
}

fn find(filter: &str) -> String {
    format!(r#"{{"find":"users","filter":{filter},"limit":1,"$db":"shop","lsid":{{"id":"x"}}}}"#)
}

/// Every half hour the commands of `usual`, for weeks, and then `text` once.
fn write(folder: &Path, usual: &[&str], text: &str) {
    let mut lines = String::new();
    for at in (0..DAYS * DAY_MS).step_by(30 * MINUTE_MS as usize) {
        for (i, filter) in usual.iter().enumerate() {
            let at = START.plus_ms(at + i as i64 * 1000);
            lines += &record(at, "find", "20.50.1.10", Some(&find(filter)));
            lines.push('\n');
        }
    }
    let at = START.plus_ms(DAYS * DAY_MS + 60_000);
    lines += &record(at, "find", "20.50.1.10", Some(text));
    lines.push('\n');
    lines += &record(at.plus_ms(60 * MINUTE_MS), "find", "20.50.1.10", Some(&find(usual[0])));
    lines.push('\n');
    std::fs::write(folder.join("x.json"), lines).expect("writable");
}

/// The alerts that `text` raises after weeks of `usual`.
fn raised(usual: &[&str], text: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), usual, text);
    alerts(dir.path())
}

fn alerts(folder: &Path) -> Vec<Value> {
    let ran = cli(folder, &["replay", "x.json", "--alerts", "-", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.out.contains("s3cret") && !ran.out.contains("eVil"), "{}", ran.out);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn kinds(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|a| a["properties"]["alertType"].as_str().expect("a type")).collect()
}

const INJECTION: &str = "CosmosDB_SqlInjection.DataExfiltration";

#[test]
fn an_operator_in_the_place_of_a_value_alerts_and_says_where() {
    for put in [
        r#"{"user":"ann","pass":{"$ne":null}}"#,
        r#"{"user":{"$gt":""},"pass":{"$gt":""}}"#,
        r#"{"user":"ann","pass":{"$regex":"^eVil"}}"#,
    ] {
        let alerts = raised(&[LOGIN, SEARCH], &find(put));
        assert_eq!(kinds(&alerts), [INJECTION], "{put}");
        let properties = &alerts[0]["properties"]["extendedProperties"];
        let text = alerts[0].to_string();
        assert!(
            text.contains("an operator stands where the account's commands have a value"),
            "{text}"
        );
        assert!(text.contains(">>"), "{text}");
        assert_eq!(properties["Client IP"], "20.50.1.10", "{text}");
        assert_eq!(properties["Detector"], "injection");
    }
}

#[test]
fn applications_that_use_operators_are_left_alone() {
    let usual = r#"{"user":"ann","pass":{"$ne":null}}"#;
    for (usual, text) in [
        // It always asks so.
        (&[usual, SEARCH][..], usual),
        // A new search by what it searches by already, by a choice, by a range.
        (&[LOGIN, SEARCH], r#"{"user":"ann","at":{"$gt":{"$date":"2026-02-02T00:00:00Z"}}}"#),
        (&[LOGIN, SEARCH], r#"{"user":{"$in":["ann","bob"]},"pass":"x"}"#),
        (&[r#"{"at":5}"#, SEARCH], r#"{"at":{"$gte":1,"$lt":9}}"#),
        // Values that look like operators, and another type of value.
        (&[LOGIN, SEARCH], r#"{"user":"{\"$ne\":null}","pass":null}"#),
    ] {
        assert_eq!(kinds(&raised(usual, &find(text))), [""; 0], "{text}");
    }
}

#[test]
fn code_for_the_server_alerts_unless_the_account_always_sends_it() {
    let code = r#"{"user":"ann","$where":"this.eVil || sleep(5000)"}"#;
    assert_eq!(kinds(&raised(&[LOGIN, SEARCH], &find(code))), [INJECTION]);
    assert_eq!(kinds(&raised(&[code, LOGIN], &find(code))), [""; 0]);
    // What is no command is not judged.
    assert_eq!(kinds(&raised(&[LOGIN, SEARCH], "db.users.find({$where: 'eVil'})")), [""; 0]);
}

/// What failed commands say is not read, logged or not: the alert may not say that the log lacks it.
#[test]
fn a_burst_of_failing_commands_does_not_say_that_the_log_has_no_text() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), &[LOGIN, SEARCH], &find(LOGIN));
    let file = dir.path().join("x.json");
    let mut lines = std::fs::read_to_string(&file).expect("readable");
    let begin = START.plus_ms(DAYS * DAY_MS + 3 * 60 * MINUTE_MS);
    for n in 0..200_i64 {
        let filter = format!(r#"{{"user":{{"$eVil{n}":1}},"pass":"x"}}"#);
        let line = record(begin.plus_ms(n * 2500), "find", "20.50.1.10", Some(&find(&filter)));
        // BadValue.
        let line = line.replace(r#""errorCode":"0""#, r#""errorCode":"2""#);
        let length = format!(r#""requestLength":"{}""#, 266 + n % 23);
        lines += &line.replace(r#""requestLength":"266""#, &length);
        lines.push('\n');
    }
    lines += &record(begin.plus_ms(120 * MINUTE_MS), "find", "20.50.1.10", Some(&find(LOGIN)));
    std::fs::write(&file, lines).expect("writable");
    let alerts = alerts(dir.path());
    assert_eq!(kinds(&alerts), ["CosmosDB_SqlInjection.FailedFuzzingAttempt"], "{alerts:#?}");
    let properties = &alerts[0]["properties"];
    assert_eq!(properties["severity"], "Low");
    let told = properties["description"].as_str().expect("text");
    assert!(told.contains("What failed commands of this API say is not judged"), "{told}");
    let text = alerts[0].to_string();
    assert!(!text.contains("holds no text") && !text.contains("which the log"), "{text}");
}

#[test]
fn coverage_says_what_mongo_lacks() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = record(START, "find", "20.50.1.10", None) + "\n";
    std::fs::write(dir.path().join("x.json"), line).expect("writable");
    let coverage = |data: &str, texts: bool| {
        let ran = cli(dir.path(), &["replay", "x.json", "--data-dir", data, "--quiet"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let ran = cli(dir.path(), &["model", "coverage", "--data-dir", data]);
        assert!(!ran.out.contains("QueryRuntimeStatistics"), "{}", ran.out);
        assert_eq!(ran.out.contains("piiCommandText"), !texts, "{}", ran.out);
        assert_eq!(ran.out.contains("enableFullTextQuery"), !texts, "{}", ran.out);
    };
    coverage("without", false);
    write(dir.path(), &[LOGIN], &find(LOGIN));
    coverage("with", true);
}
