//! Whatever a log holds, every sink's reader gets one whole message that obeys its format.
use std::time::Duration;

use cosmoguard::detect::AlertKind;
use serde_json::Value;

use super::grammar::{cef, syslog};
use super::receivers::{Collector, Http};
use super::{lines, open_routes, renumbered, sink, start};
use crate::support::fixture;

/// Leaves every format that does not hold it: separators, escapes, controls, terminals, markup,
/// mentions, directions.
const HOSTILE: &str = "a|b\\c=d\"]\r\n<13>1 - - - - - x\u{1b}[31m\u{9b}31m\u{0}\u{202e}cod\u{2066}\u{200b}\
    <!channel> <@U1> *b* _i_ `c` [l](https://evil.example) <at>x</at> <script>x</script> {{x}} $(x) CEF:0|a src=6.6.6.6";

/// The line with hostile text wherever text is free.
fn hostile(line: &str) -> String {
    const KEPT: &[&str] = &[
        "severity",
        "systemAlertId",
        "alertType",
        "startTimeUtc",
        "endTimeUtc",
        "timeGeneratedUtc",
        "Revision",
        "Nominal false alerts per account-day",
    ];
    fn spoil(value: &mut Value, key: &str) {
        match value {
            Value::String(text) if !KEPT.contains(&key) => *text = format!("{HOSTILE}{text}"),
            Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, key)),
            Value::Object(map) => map.iter_mut().for_each(|(key, item)| spoil(item, key)),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(line).unwrap();
    spoil(&mut value["properties"], "");
    value.to_string()
}

fn assert_harmless(text: &str) {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    assert!(!text.chars().any(obeyed), "{text:?}");
}

/// All texts in a document, keys too; JSON may hold texts of several lines.
fn assert_harmless_within(value: &Value) {
    match value {
        Value::String(text) => text.split('\n').for_each(assert_harmless),
        Value::Array(items) => items.iter().for_each(assert_harmless_within),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            assert_harmless(key);
            assert_harmless_within(value);
        }),
        _ => {}
    }
}

fn assert_fits(schema: &str, value: &Value) {
    let path = fixture(&format!("alerts/{schema}"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_harmless_within(value);
}

fn assert_cef(text: &str) {
    let read = cef(text);
    let kinds = AlertKind::ALL.map(AlertKind::alert_type);
    assert!(kinds.contains(&read.header[3].as_str()), "{}", read.header[3]);
    let keys: Vec<&str> = read.extension.iter().map(|(key, _)| key.as_str()).collect();
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "no key came out of a value: {keys:?}");
    let known = ["src", "externalId", "cs3", "cs3Label", "dhost"];
    assert!(keys.iter().any(|key| known.contains(key)));
    read.extension.iter().for_each(|(_, value)| assert_harmless(value));
}

/// Sends all kinds, plain and hostile, through `sink`; the receiver judges.
fn send_all(settings: &str) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings.replace("FOLDER", folder.path().to_str().unwrap());
    let dispatcher = start(vec![sink(&settings)], open_routes(), &folder.path().join("data"));
    let mut feed = Vec::new();
    for (n, line) in lines().iter().enumerate() {
        feed.push(line.clone());
        feed.push(renumbered(&hostile(line), 1000 + n as u32, 1));
    }
    let listener = dispatcher.listener();
    feed.iter().enumerate().for_each(|(n, line)| listener.deliver(n as u64, line.as_bytes()));
    let first = feed.first().unwrap();
    dispatcher.status_changed(first.as_bytes(), "Resolved", HOSTILE);
    let status = super::wait_until(&dispatcher, |s| s[0].queued == 0);
    assert_eq!((status[0].dead_letters, &status[0].last_error), (0, &None));
    assert!(dispatcher.stop(Duration::from_secs(20)));
    if settings.contains("kind = \"file\"") {
        let text = std::fs::read_to_string(folder.path().join("out")).unwrap();
        assert_eq!(text.lines().count(), 17);
        text.lines().for_each(|line| judge(&settings, line));
    }
}

fn judge(settings: &str, text: &str) {
    let value = || serde_json::from_str::<Value>(text).unwrap();
    if settings.contains("format = \"cef\"") {
        assert_cef(text);
    } else if settings.contains("format = \"ocsf\"") {
        assert_fits("schemas/ocsf_2004.schema.json", &value());
        let kinds = &value()["anomaly_analyses"][0]["anomalies"];
        assert!(kinds.as_array().is_some_and(|a| !a.is_empty()));
    } else if settings.contains("format = \"ecs\"") {
        assert_fits("schemas/ecs.schema.json", &value());
    } else if settings.contains("format = \"securityalert\"") {
        assert_fits("schemas/security_alert_rows.schema.json", &Value::from(vec![value()]));
    } else {
        assert_harmless_within(&value());
    }
}

#[test]
fn files_hold_one_sound_line_an_alert_in_every_format() {
    for format in ["defender", "ocsf", "ecs", "cef", "securityalert"] {
        send_all(&format!(
            "name = \"f\"\nkind = \"file\"\npath = \"FOLDER/out\"\nformat = \"{format}\""
        ));
    }
}

#[test]
fn webhooks_get_one_sound_body_an_alert_in_every_format() {
    for format in ["defender", "ocsf", "ecs", "cef", "securityalert"] {
        let http = Http::ok();
        let settings = format!(
            "name = \"w\"\nkind = \"webhook\"\nurl = \"{}\"\nallow_private = true\nformat = \"{format}\"",
            http.url()
        );
        send_all(&settings);
        let seen = http.seen();
        assert_eq!(seen.len(), 17);
        for request in seen {
            judge(&settings, std::str::from_utf8(&request.body).unwrap());
            request.headers.iter().for_each(|(_, value)| assert_harmless(value));
        }
    }
}

#[test]
fn syslog_is_sound_by_every_transport() {
    let authorities = fixture("tls/ca.pem").display().to_string();
    for (transport, collector, more) in [
        ("udp", Collector::udp(), String::new()),
        ("tcp", Collector::tcp(), String::new()),
        ("tls", Collector::tls(), format!("ca_file = '{authorities}'")),
    ] {
        // More than some datagrams at a time would be lost on the way.
        let formats: &[&str] = if transport == "udp" { &["cef"] } else { &["cef", "ocsf"] };
        for format in formats {
            let before = collector.seen().len();
            let settings = format!(
                "name = \"s\"\nkind = \"syslog\"\naddress = \"localhost:{}\"\ntransport = \"{transport}\"\nformat = \"{format}\"\nhostname = \"guard1\"\n{more}",
                collector.port
            );
            send_all(&settings);
            for _ in 0..500 {
                if collector.seen().len() == before + 17 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let seen = collector.seen();
            assert_eq!(seen.len(), before + 17, "{transport} {format}");
            for text in &seen[before..] {
                let read = syslog(text);
                assert_eq!((read.id.as_str(), read.priority / 8), ("ALERT", 20));
                assert_harmless(text);
                judge(&settings, &read.message);
                let key = read.data.iter().find(|(name, _)| name == "key");
                assert!(key.is_some_and(|(_, value)| value.len() > 32), "{:?}", read.data);
            }
        }
    }
}

#[test]
fn chats_get_messages_that_obey_nothing_in_them() {
    for (kind, schema) in [("slack", "slack"), ("teams", "teams")] {
        let http = Http::ok();
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("url");
        std::fs::write(&secret, http.url()).unwrap();
        send_all(&format!(
            "name = \"c\"\nkind = \"{kind}\"\nurl = 'file:{}'\nallow_private = true",
            secret.display()
        ));
        let seen = http.seen();
        assert!(!seen.is_empty() && seen.len() <= 17);
        for request in seen {
            let text = std::str::from_utf8(&request.body).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_fits(&format!("schemas/{schema}.schema.json"), &value);
            if kind == "teams" {
                assert!(text.len() < 28 << 10, "{} bytes", text.len());
            } else {
                assert!(!text.contains("<!") && !text.contains("<@") && !text.contains("<script"));
            }
        }
    }
}

#[test]
fn rows_are_rows() {
    let http = Http::ok();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "t0ken").unwrap();
    send_all(&format!(
        "name = \"l\"\nkind = \"log-analytics\"\nendpoint = \"http://127.0.0.1:{}\"\nrule_id = \"dcr-1\"\nstream = \"Custom-Alerts\"\ntoken = 'file:{}'\nallow_private = true",
        http.port,
        token.display()
    ));
    let mut rows = 0;
    for request in http.seen() {
        let mut text = String::new();
        let mut unpacked = flate2::read::GzDecoder::new(request.body.as_slice());
        std::io::Read::read_to_string(&mut unpacked, &mut text).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_fits("schemas/security_alert_rows.schema.json", &value);
        rows += value.as_array().unwrap().len();
    }
    assert_eq!(rows, 17);
}
