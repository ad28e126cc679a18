//! Elastic Common Schema 8.17.
use serde_json::{Map, Value, json};

use super::super::line::Line;
use super::super::notice::Change;
use super::{first, present, put, scale, status};
use crate::alert::formats::{PRODUCT, tactic_name};
use crate::alert::kinds::card;
use crate::alert::words::visible;
use crate::detect::AlertKind;

/// The document.
pub fn value(line: &Line, change: &Change) -> Value {
    let risk = scale(line, [21, 47, 73]);
    let list = |name: &str| -> Vec<String> { line.list(name).into_iter().map(visible).collect() };
    let tactic = AlertKind::parse(line.kind()).map(card);
    let mut out = json!({
        "@timestamp": line.time("timeGeneratedUtc").to_string(),
        "ecs": {"version": "8.17.0"},
        "message": visible(line.text("description")),
        "event": {
            "kind": "alert",
            "category": ["database", "intrusion_detection"],
            "type": ["info"],
            "action": visible(line.kind()),
            "id": visible(line.id()),
            "sequence": line.revision(),
            "severity": risk,
            "risk_score": f64::from(risk),
            "reason": visible(line.extended("Severity reason")),
            "start": line.time("startTimeUtc").to_string(),
            "end": line.time("endTimeUtc").to_string(),
            "module": PRODUCT,
            "dataset": "cosmoguard.alert",
            "provider": PRODUCT,
        },
        "rule": {
            "id": visible(line.extended("Detector")),
            "name": visible(line.text("alertDisplayName")),
            "ruleset": "cosmos",
        },
        "threat": {
            "framework": "MITRE ATT&CK",
            "tactic": {
                "id": tactic.iter().map(|card| card.tactic.as_str()).collect::<Vec<_>>(),
                "name": tactic.iter().map(|card| tactic_name(card)).collect::<Vec<_>>(),
            },
            "technique": {
                "id": list("techniques"),
                "subtechnique": {"id": list("subTechniques")},
            },
        },
        "cloud": cloud(line),
        "labels": {
            "severity": line.severity().as_str(),
            "severity_basis": visible(line.extended("Severity basis")),
            "baseline_state": visible(line.extended("Baseline state")),
        },
    });
    if let Change::Status { .. } = change {
        let (status, reason) = status(change);
        out["labels"]["status"] = json!(visible(status));
        out["labels"]["status_reason"] = json!(visible(reason));
    }
    if let Some(map) = out.as_object_mut() {
        map.extend(caller(line));
    }
    out
}

fn cloud(line: &Line) -> Value {
    let name = visible(line.account());
    let mut out = json!({
        "provider": "azure",
        "service": {"name": "cosmosdb"},
        "instance": {"id": visible(line.resource()), "name": name},
    });
    if let (Some(id), Some(map)) = (present(line.subscription()), out.as_object_mut()) {
        map.insert("account".to_owned(), json!({"id": id}));
    }
    out
}

/// Fields of the caller, as far as the log has them.
fn caller(line: &Line) -> Map<String, Value> {
    let (mut source, mut related) = (Map::new(), Map::new());
    if let Some(ip) = present(line.extended("Client IP")) {
        related.insert("ip".to_owned(), json!([ip]));
        source.insert("ip".to_owned(), ip);
    }
    if let Some(country) = present(line.extended("Country")) {
        source.insert("geo".to_owned(), json!({"country_iso_code": country}));
    }
    if let Ok(asn) = line.extended("ASN").parse::<u32>() {
        let organisation = visible(line.extended("Organization"));
        let organisation = json!({"number": asn, "organization": {"name": organisation}});
        source.insert("as".to_owned(), organisation);
    }
    if let Ok(bytes) = line.extended("Bytes returned").parse::<u64>() {
        source.insert("bytes".to_owned(), json!(bytes));
    }
    let mut out = Map::new();
    if !source.is_empty() {
        out.insert("source".to_owned(), Value::Object(source));
    }
    let (id, name) = (line.extended("Principal id"), line.extended("Principal"));
    let mut user = Map::new();
    put(&mut user, "id", id);
    put(&mut user, "name", if name == id { "" } else { name });
    if !user.is_empty() {
        related.insert("user".to_owned(), user.values().cloned().collect());
        out.insert("user".to_owned(), Value::Object(user));
    }
    if let Some(agent) = present(first(line.extended("User agent"))) {
        out.insert("user_agent".to_owned(), json!({"original": agent}));
    }
    let hosts: Vec<String> = line.resources().map(|(name, _)| visible(name)).collect();
    related.insert("hosts".to_owned(), json!(hosts));
    out.insert("related".to_owned(), Value::Object(related));
    out
}
