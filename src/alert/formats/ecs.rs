//! Elastic Common Schema 8.17.
use serde_json::{Map, Value, json};

use super::{PRODUCT, defender, present, scale, tactic_name};
use crate::alert::arm::ArmId;
use crate::alert::kinds::{self, card};
use crate::alert::words::clean;
use crate::alert::{Alert, narrate, properties};

/// The document.
pub fn value(alert: &Alert) -> Value {
    let finding = &alert.finding;
    let card = card(finding.kind);
    let risk = scale(alert.grade.severity, [21, 47, 73]);
    let mut out = json!({
        "@timestamp": alert.generated().to_string(),
        "ecs": {"version": "8.17.0"},
        "message": narrate::description(alert),
        "event": {
            "kind": "alert",
            "category": ["database", "intrusion_detection"],
            "type": ["info"],
            "action": finding.kind.alert_type(),
            "id": alert.id.to_string(),
            "sequence": alert.revision,
            "severity": risk,
            "risk_score": f64::from(risk),
            "reason": narrate::severity_reason(alert),
            "start": finding.start.to_string(),
            "end": finding.end.to_string(),
            "module": PRODUCT,
            "dataset": "cosmoguard.alert",
            "provider": PRODUCT,
        },
        "rule": {
            "id": properties::detector(alert),
            "name": card.display_name,
            "ruleset": "cosmos",
        },
        "threat": {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": [card.tactic], "name": [tactic_name(card)]},
            "technique": {
                "id": kinds::techniques(card),
                "subtechnique": {"id": kinds::sub_techniques(card)},
            },
        },
        "cloud": cloud(alert),
        "labels": {
            "severity": alert.grade.severity.as_str(),
            "severity_basis": alert.grade.basis.as_str(),
            "baseline_state": finding.maturity.state.as_str(),
        },
    });
    if let Some(map) = out.as_object_mut() {
        map.extend(caller(alert));
    }
    out
}

fn cloud(alert: &Alert) -> Value {
    let own = alert.finding.resource_id.as_deref().and_then(ArmId::parse);
    let name = clean(alert.finding.account.name());
    let mut out = json!({
        "provider": "azure",
        "service": {"name": "cosmosdb"},
        "instance": {"id": own.map_or(name.as_str(), |arm| arm.id), "name": name},
    });
    if let (Some(arm), Some(map)) = (own, out.as_object_mut()) {
        map.insert("account".to_owned(), json!({"id": arm.subscription}));
    }
    out
}

/// Fields of the caller, as far as the log has them.
fn caller(alert: &Alert) -> Map<String, Value> {
    let caller = &alert.finding.caller;
    let (mut source, mut related) = (Map::new(), Map::new());
    if let Some(ip) = caller.ip {
        source.insert("ip".to_owned(), json!(ip.to_string()));
        related.insert("ip".to_owned(), json!([ip.to_string()]));
    }
    if let Some(country) = caller.country {
        source.insert("geo".to_owned(), json!({"country_iso_code": country.as_str()}));
    }
    if let Some(asn) = caller.asn {
        let organisation = clean(&caller.organisation);
        source.insert(
            "as".to_owned(),
            json!({"number": asn, "organization": {"name": organisation}}),
        );
    }
    if let Some(bytes) = caller.bytes {
        source.insert("bytes".to_owned(), json!(bytes));
    }
    let mut out = Map::new();
    if !source.is_empty() {
        out.insert("source".to_owned(), Value::Object(source));
    }
    let user = caller.principal.as_ref().map(|p| clean(p.as_str()));
    if user.is_some() || !caller.principal_name.is_empty() {
        let mut fields = Map::new();
        fields.extend(user.iter().map(|id| ("id".to_owned(), json!(id))));
        fields.extend(present(&clean(&caller.principal_name)).map(|n| ("name".to_owned(), n)));
        related.insert("user".to_owned(), fields.values().cloned().collect());
        out.insert("user".to_owned(), Value::Object(fields));
    }
    if let Some(agent) = caller.user_agents.first().and_then(|a| present(&clean(a))) {
        out.insert("user_agent".to_owned(), json!({"original": agent}));
    }
    let hosts: Vec<String> = defender::accounts(alert).map(|(name, _)| name).collect();
    related.insert("hosts".to_owned(), json!(hosts));
    out.insert("related".to_owned(), Value::Object(related));
    out
}
