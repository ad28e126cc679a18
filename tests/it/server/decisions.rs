//! Decisions on alerts.
use serde_json::json;

use super::{Setup, line};

const PATH: &str = "/v1/alerts/abcd/status";

fn one_alert() -> Vec<(Vec<u8>, Vec<u8>)> {
    let line = line(0xabcd << 112, "contoso", "Low", 0, &json!({}));
    vec![(cosmoguard::store::keys::alert(0), line)]
}

#[test]
fn a_decision_is_written_down_survives_and_can_be_taken_back_once() {
    let running = Setup { entries: one_alert(), ..Setup::default() }.start();
    let body = r#"{"status":"Dismissed","reason":"the nightly export","verdict":"expected"}"#;
    let told = running.post(PATH, body).json();
    assert_eq!(told["decision"]["by"], "local");
    let undo = told["undo"].as_str().unwrap().to_owned();
    let alert = running.json("/v1/alerts/abcd");
    assert_eq!(alert["summary"]["status"], "Dismissed");
    assert_eq!(alert["alert"]["properties"]["status"], "Dismissed");
    assert_eq!(alert["history"][0]["reason"], "the nightly export");
    assert_eq!(running.json("/v1/alerts?status=Active")["total"], 0);
    let audit = std::fs::read_to_string(running.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("\"verdict\":\"expected\"") && !audit.contains(&undo), "{audit}");
    // Another process over the same directory.
    let copy = Setup { entries: one_alert(), ..Setup::default() };
    std::fs::copy(running.path().join("audit.jsonl"), copy.dir.path().join("audit.jsonl")).unwrap();
    let again = copy.start();
    assert_eq!(again.json("/v1/alerts/abcd")["history"], alert["history"]);
    let path = format!("{PATH}:undo");
    assert_eq!(running.post(&path, r#"{"undo":"guess"}"#).problem(400), "undo");
    let body = json!({ "undo": undo }).to_string();
    let back = running.post(&path, &body).json();
    assert_eq!(back["decision"]["status"], "Active");
    assert_eq!(back["decision"]["undoes"], told["decision"]["number"]);
    assert_eq!(running.json("/v1/alerts/abcd")["summary"]["status"], "Active");
    assert_eq!(running.post(&path, &body).problem(400), "undo");
}

#[test]
fn a_word_takes_nothing_back_once_somebody_else_decided() {
    let running = Setup { entries: one_alert(), ..Setup::default() }.start();
    let first = running.post(PATH, r#"{"status":"InProgress"}"#).json();
    assert_eq!(running.post(PATH, r#"{"status":"Resolved"}"#).status, 200);
    let body = json!({ "undo": first["undo"] }).to_string();
    running.post(&format!("{PATH}:undo"), &body).problem(409);
    assert_eq!(running.json("/v1/alerts/abcd")["summary"]["status"], "Resolved");
}

#[test]
fn what_is_no_decision_names_its_field() {
    let running = Setup { entries: one_alert(), ..Setup::default() }.start();
    let long = json!({"status": "Resolved", "reason": "x".repeat(2001)}).to_string();
    for (body, field) in [
        ("", "body"),
        ("[]", "body"),
        ("{", "body"),
        ("{}", "status"),
        (r#"{"status":"Open"}"#, "status"),
        (r#"{"status":7}"#, "status"),
        (r#"{"status":"Dismissed"}"#, "reason"),
        (r#"{"status":"Dismissed","reason":"  "}"#, "reason"),
        (r#"{"status":"Resolved","verdict":"bad"}"#, "verdict"),
        (r#"{"status":"Resolved","colour":"red"}"#, "colour"),
        (long.as_str(), "reason"),
    ] {
        assert_eq!(running.post(PATH, body).problem(400), field, "{body}");
    }
    running.post(PATH, &" ".repeat(17 << 10)).problem(413);
    running.post("/v1/alerts/ffff/status", r#"{"status":"Resolved"}"#).problem(404);
    assert!(!running.path().join("audit.jsonl").exists());
}

#[test]
fn a_changed_audit_log_is_read_as_far_as_it_can_be() {
    let running = Setup { entries: one_alert(), ..Setup::default() }.start();
    running.post(PATH, r#"{"status":"InProgress"}"#);
    running.post(PATH, r#"{"status":"Resolved"}"#);
    let text = std::fs::read_to_string(running.path().join("audit.jsonl")).unwrap();
    let copy = Setup { entries: one_alert(), ..Setup::default() };
    let changed = text.replacen("\"by\":\"local\"", "\"by\":\"ghost\"", 1);
    std::fs::write(copy.dir.path().join("audit.jsonl"), changed).unwrap();
    assert_eq!(copy.start().json("/v1/alerts/abcd")["summary"]["status"], "Resolved");
}
