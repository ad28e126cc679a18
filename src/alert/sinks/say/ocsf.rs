//! Open Cybersecurity Schema Framework 1.5.0, Detection Finding (class 2004), profile cloud.
use serde_json::{Map, Value, json};

use super::super::line::Line;
use super::super::notice::Change;
use super::{facets, first, present, put, scale, seen, status};
use crate::alert::formats::{PRODUCT, VERSION, tactic_name};
use crate::alert::kinds::card;
use crate::alert::words::visible;
use crate::detect::AlertKind;

/// The finding: activity 1 Create, 2 Update, 3 Close.
pub fn value(line: &Line, change: &Change) -> Value {
    let (status, reason) = status(change);
    let (status_id, status) = match status {
        "InProgress" => (2, "In Progress"),
        "Dismissed" => (3, "Suppressed"),
        "Resolved" => (4, "Resolved"),
        _ => (1, "New"),
    };
    let (activity, name) = match change {
        Change::Status { .. } if status_id >= 3 => (3, "Close"),
        Change::New if line.revision() <= 1 => (1, "Create"),
        _ => (2, "Update"),
    };
    let steps: Vec<String> = line.list("remediationSteps").into_iter().map(visible).collect();
    let mut out = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "time": line.time("timeGeneratedUtc").millis(),
        "start_time": line.time("startTimeUtc").millis(),
        "end_time": line.time("endTimeUtc").millis(),
        "severity_id": scale(line, [2, 3, 4]),
        "severity": line.severity().as_str(),
        "status_id": status_id,
        "status": status,
        "is_alert": true,
        "message": visible(line.extended("Verdict")),
        "metadata": {
            "version": "1.5.0",
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": VERSION},
            "profiles": ["cloud"],
            "uid": visible(line.id()),
        },
        "cloud": cloud(line),
        "finding_info": info(line),
        "resources": resources(line),
        "evidences": [evidence(line)],
        "anomaly_analyses": [analysis(line)],
        "remediation": {"desc": steps.join(" ")},
        "observables": observables(line),
        "unmapped": seen(&line.value()["properties"]["extendedProperties"]),
    });
    if let Some(map) = out.as_object_mut() {
        put(map, "status_detail", reason);
    }
    out
}

fn cloud(line: &Line) -> Value {
    match line.subscription() {
        "" => json!({"provider": "Azure"}),
        id => json!({
            "provider": "Azure",
            "account": {"uid": visible(id), "type": "Azure Subscription"},
        }),
    }
}

fn info(line: &Line) -> Value {
    let detector = visible(line.extended("Detector"));
    json!({
        "uid": visible(line.id()),
        "title": visible(line.text("alertDisplayName")),
        "desc": visible(line.text("description")),
        "types": [visible(line.kind())],
        "analytic": {"type_id": 3, "uid": detector, "name": detector, "version": VERSION},
        "attacks": attacks(line),
        "first_seen_time": line.time("startTimeUtc").millis(),
        "last_seen_time": line.time("endTimeUtc").millis(),
    })
}

/// From the kind's card: the line has ids only.
fn attacks(line: &Line) -> Vec<Value> {
    let Some(card) = AlertKind::parse(line.kind()).map(card) else { return Vec::new() };
    let attack = |technique: &crate::alert::kinds::Technique| {
        let (base, sub) = technique.names();
        let mut attack = json!({
            "version": "15.1",
            "tactic": {"uid": card.tactic, "name": tactic_name(card)},
            "technique": {"uid": technique.base(), "name": base},
        });
        if let (Some(sub), Some(map)) = (sub, attack.as_object_mut()) {
            map.insert("sub_technique".to_owned(), json!({"uid": technique.id, "name": sub}));
        }
        attack
    };
    card.techniques.iter().map(attack).collect()
}

fn resources(line: &Line) -> Vec<Value> {
    let resource = |(name, id): (&str, &str)| {
        json!({
            "uid": visible(id),
            "name": visible(name),
            "type": "Microsoft.DocumentDB/databaseAccounts",
        })
    };
    line.resources().map(resource).collect()
}

fn evidence(line: &Line) -> Value {
    let (mut out, mut endpoint) = (Map::new(), Map::new());
    put(&mut endpoint, "ip", line.extended("Client IP"));
    let country = present(line.extended("Country"));
    endpoint.extend(country.map(|c| ("location".to_owned(), json!({"country": c}))));
    let asn: Option<u32> = line.extended("ASN").parse().ok();
    endpoint.extend(asn.map(|n| ("autonomous_system".to_owned(), json!({"number": n}))));
    if !endpoint.is_empty() {
        out.insert("src_endpoint".to_owned(), Value::Object(endpoint));
    }
    if let Some(id) = present(line.extended("Principal id")) {
        let name = visible(line.extended("Principal"));
        out.insert("actor".to_owned(), json!({"user": {"uid": id, "name": name}}));
    }
    if let Some(operation) = present(first(line.extended("Operations"))) {
        out.insert("api".to_owned(), json!({"operation": operation}));
    }
    let mut data = Map::new();
    let bytes: Option<u64> = line.extended("Bytes returned").parse().ok();
    data.extend(bytes.map(|n| ("response_bytes".to_owned(), json!(n))));
    let events: u64 = line.extended("Events").parse().unwrap_or(0);
    data.insert("events".to_owned(), json!(events));
    out.insert("data".to_owned(), Value::Object(data));
    Value::Object(out)
}

/// What was observed beside what is usual, facet by facet, the finding itself last.
fn analysis(line: &Line) -> Value {
    let (own, facets): (Vec<_>, Vec<_>) =
        facets(line).into_iter().partition(|row| row[0] == "finding");
    let mut broke: Vec<_> = facets.into_iter().filter(|row| row[4] == "broke").chain(own).collect();
    if broke.is_empty() {
        // The schema asks for one; by a rule nothing broke but what was seen.
        broke.push(["finding", line.extended("Observed"), line.extended("Expected"), "", ""]);
    }
    let part = |at: usize| -> Vec<Value> {
        let observation = |row: &[&str; 5]| {
            json!({
                "observation_parameter": visible(row[0]),
                "observations": [{"value": visible(row[at])}],
            })
        };
        broke.iter().map(observation).collect()
    };
    json!({
        "analysis_targets": [{"name": visible(line.account()), "type": "Cosmos DB account"}],
        "baselines": part(2),
        "anomalies": part(1),
    })
}

fn observables(line: &Line) -> Vec<Value> {
    let of = |name: &str, type_id: u32, kind: &str, value: &str| {
        let value = present(value)?;
        Some(json!({"name": name, "type_id": type_id, "type": kind, "value": value}))
    };
    let ip = of("evidences.src_endpoint.ip", 2, "IP Address", line.extended("Client IP"));
    let user = line.extended("Principal id");
    let user = of("evidences.actor.user.uid", 31, "User Credential ID", user);
    ip.into_iter().chain(user).collect()
}
