//! Open Cybersecurity Schema Framework 1.5.0, Detection Finding (class 2004), profile cloud.
use serde_json::{Map, Value, json};

use super::{PRODUCT, VERSION, defender, scale, tactic_name};
use crate::alert::arm::ArmId;
use crate::alert::kinds::{KindCard, card};
use crate::alert::words::clean;
use crate::alert::{Alert, narrate, properties};

/// The finding. A higher revision is activity 2, Update.
pub fn value(alert: &Alert) -> Value {
    let finding = &alert.finding;
    let card = card(finding.kind);
    let (activity, name) = if alert.revision > 1 { (2, "Update") } else { (1, "Create") };
    json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "time": alert.generated().millis(),
        "start_time": finding.start.millis(),
        "end_time": finding.end.millis(),
        "severity_id": scale(alert.grade.severity, [2, 3, 4]),
        "severity": alert.grade.severity.as_str(),
        "status_id": 1,
        "status": "New",
        "is_alert": true,
        "message": narrate::verdict(alert),
        "count": alert.findings,
        "metadata": {
            "version": "1.5.0",
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": VERSION},
            "profiles": ["cloud"],
            "uid": alert.id.to_string(),
        },
        "cloud": cloud(alert),
        "finding_info": info(alert, card),
        "resources": resources(alert),
        "evidences": [evidence(alert)],
        "anomaly_analyses": [analysis(alert)],
        "remediation": {"desc": card.remediation.join(" ")},
        "observables": observables(alert),
        "unmapped": defender::extended(alert),
    })
}

fn cloud(alert: &Alert) -> Value {
    match alert.finding.resource_id.as_deref().and_then(ArmId::parse) {
        Some(arm) => json!({
            "provider": "Azure",
            "account": {"uid": arm.subscription, "type": "Azure Subscription"},
        }),
        None => json!({"provider": "Azure"}),
    }
}

fn info(alert: &Alert, card: &KindCard) -> Value {
    let detector = properties::detector(alert);
    let attacks: Vec<Value> = card
        .techniques
        .iter()
        .map(|technique| {
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
        })
        .collect();
    json!({
        "uid": alert.id.to_string(),
        "title": card.display_name,
        "desc": narrate::description(alert),
        "types": [alert.finding.kind.alert_type()],
        "analytic": {"type_id": 3, "uid": detector, "name": detector, "version": VERSION},
        "attacks": attacks,
        "first_seen_time": alert.finding.start.millis(),
        "last_seen_time": alert.finding.end.millis(),
        "created_time": alert.opened.millis(),
    })
}

fn resources(alert: &Alert) -> Vec<Value> {
    defender::accounts(alert)
        .map(|(name, id)| {
            json!({"uid": id, "name": name, "type": "Microsoft.DocumentDB/databaseAccounts"})
        })
        .collect()
}

fn evidence(alert: &Alert) -> Value {
    let caller = &alert.finding.caller;
    let (mut out, mut endpoint) = (Map::new(), Map::new());
    endpoint.extend(caller.ip.map(|ip| ("ip".to_owned(), json!(ip.to_string()))));
    endpoint
        .extend(caller.country.map(|c| ("location".to_owned(), json!({"country": c.as_str()}))));
    endpoint.extend(caller.asn.map(|asn| ("autonomous_system".to_owned(), json!({"number": asn}))));
    if !endpoint.is_empty() {
        out.insert("src_endpoint".to_owned(), Value::Object(endpoint));
    }
    if let Some(id) = &caller.principal {
        let name = clean(&caller.principal_name);
        out.insert("actor".to_owned(), json!({"user": {"uid": clean(id.as_str()), "name": name}}));
    }
    if let Some(operation) = caller.operations.first() {
        out.insert("api".to_owned(), json!({"operation": clean(operation)}));
    }
    let mut data = Map::new();
    data.extend(caller.bytes.map(|b| ("response_bytes".to_owned(), json!(b))));
    data.insert("events".to_owned(), json!(caller.events));
    out.insert("data".to_owned(), Value::Object(data));
    Value::Object(out)
}

/// What was observed beside what is usual, facet by facet.
fn analysis(alert: &Alert) -> Value {
    let broke = alert.finding.facets.iter().filter(|f| f.broke);
    let rows: Vec<_> = broke.map(|f| narrate::facet(f, alert.finding.test.per_day)).collect();
    let part = |value: &dyn Fn(&narrate::FacetWords) -> String| -> Vec<Value> {
        rows.iter()
            .map(|row| {
                json!({
                    "observation_parameter": row.name,
                    "observations": [{"value": value(row)}],
                })
            })
            .chain(std::iter::once(json!({
                "observation_parameter": "finding",
                "observations": [{"value": value(&narrate::FacetWords {
                    name: String::new(),
                    observed: narrate::observed(alert),
                    usual: narrate::expected(alert),
                    rarity: String::new(),
                    broke: true,
                })}],
            })))
            .collect()
    };
    json!({
        "analysis_targets": [
            {"name": clean(alert.finding.account.name()), "type": "Cosmos DB account"},
        ],
        "baselines": part(&|row| row.usual.clone()),
        "anomalies": part(&|row| row.observed.clone()),
    })
}

fn observables(alert: &Alert) -> Vec<Value> {
    let caller = &alert.finding.caller;
    let mut out = Vec::new();
    if let Some(ip) = caller.ip {
        out.push(json!({
            "name": "evidences.src_endpoint.ip",
            "type_id": 2,
            "type": "IP Address",
            "value": ip.to_string(),
        }));
    }
    if let Some(id) = &caller.principal {
        out.push(json!({
            "name": "evidences.actor.user.uid",
            "type_id": 31,
            "type": "User Credential ID",
            "value": clean(id.as_str()),
        }));
    }
    out
}
