//! `Microsoft.Security/locations/alerts` 2022-01-01, field by field as Azure's own API prints it.
use serde_json::{Map, Value, json};

use super::PRODUCT;
use crate::alert::arm::ArmId;
use crate::alert::kinds::{self, card};
use crate::alert::words::clean;
use crate::alert::{Alert, kql, narrate, properties};
use crate::detect::CallerFacts;

/// The whole alert.
pub fn value(alert: &Alert) -> Value {
    let name = alert.id.to_string();
    json!({
        "id": path(alert, &name),
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": body(alert),
    })
}

/// The alert's own resource id. The region of an account is not in its logs: `global`. Records of
/// 2017 have no subscription: then the id begins at the provider.
fn path(alert: &Alert, name: &str) -> String {
    let tail = format!("/providers/Microsoft.Security/locations/global/alerts/{name}");
    match alert.finding.resource_id.as_deref().and_then(ArmId::parse) {
        Some(arm) => format!(
            "/subscriptions/{}/resourceGroups/{}{tail}",
            arm.subscription, arm.resource_group
        ),
        None => tail,
    }
}

fn body(alert: &Alert) -> Value {
    let finding = &alert.finding;
    let card = card(finding.kind);
    let generated = alert.generated().azure();
    json!({
        "version": "2022-01-01",
        "alertType": finding.kind.alert_type(),
        "systemAlertId": alert.id.to_string(),
        "productComponentName": "Databases",
        "alertDisplayName": card.display_name,
        "description": narrate::description(alert),
        "severity": alert.grade.severity.as_str(),
        "intent": card.intent,
        "startTimeUtc": finding.start.azure(),
        "endTimeUtc": finding.end.azure(),
        "resourceIdentifiers": resources(alert),
        "remediationSteps": card.remediation,
        "vendorName": PRODUCT,
        "status": if alert.marks.is_silenced() { "Dismissed" } else { "Active" },
        "extendedLinks": links(alert),
        "timeGeneratedUtc": generated,
        "productName": PRODUCT,
        "processingEndTimeUtc": generated,
        "entities": entities(alert),
        "isIncident": false,
        "correlationKey": correlation_key(alert),
        "extendedProperties": extended(alert),
        "compromisedEntity": clean(finding.account.name()),
        "techniques": kinds::techniques(card),
        "subTechniques": kinds::sub_techniques(card),
        "supportingEvidence": evidence_table(alert),
    })
}

/// `extendedProperties` as an object.
pub(super) fn extended(alert: &Alert) -> Map<String, Value> {
    properties::extended(alert).into_iter().map(|(k, v)| (k.to_owned(), Value::from(v))).collect()
}

/// One entry an account: its ARM id, or its bare name where the log has no more.
fn resources(alert: &Alert) -> Vec<Value> {
    accounts(alert)
        .map(|(_, resource)| json!({"azureResourceId": resource, "type": "AzureResource"}))
        .collect()
}

/// Every account concerned: name, and ARM id or name.
pub(super) fn accounts(alert: &Alert) -> impl Iterator<Item = (String, String)> {
    let finding = &alert.finding;
    let own = (finding.account.clone(), finding.resource_id.clone());
    let all = if finding.accounts.is_empty() { vec![own] } else { finding.accounts.clone() };
    all.into_iter().map(|(account, resource)| {
        let name = clean(account.name());
        let id = resource.as_deref().and_then(ArmId::parse).map(|arm| arm.id.to_owned());
        let id = id.unwrap_or_else(|| name.clone());
        (name, id)
    })
}

/// The queries as links; the text itself stands beside, for those who paste.
pub(super) fn links(alert: &Alert) -> Vec<Value> {
    kql::queries(alert)
        .into_iter()
        .map(|query| {
            json!({
                "Category": "query",
                "Label": query.label,
                "Href": query.href(),
                "Type": "webLink",
                "Query": query.text,
            })
        })
        .collect()
}

/// Who and what: the address, the principal, its application, each account.
pub(super) fn entities(alert: &Alert) -> Vec<Value> {
    let caller = &alert.finding.caller;
    let mut out = Vec::new();
    if let Some(ip) = caller.ip {
        let mut entity = Map::new();
        entity.insert("address".to_owned(), json!(ip.to_string()));
        let location = location(caller);
        if !location.is_empty() {
            entity.insert("location".to_owned(), Value::Object(location));
        }
        entity.insert("type".to_owned(), json!("ip"));
        out.push(Value::Object(entity));
    }
    out.extend(principal(caller));
    if !caller.app_id.is_empty() {
        out.push(json!({"appId": clean(&caller.app_id), "type": "cloud-application"}));
    }
    out.extend(accounts(alert).map(|(_, id)| json!({"resourceId": id, "type": "azure-resource"})));
    out
}

fn location(caller: &CallerFacts) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(country) = caller.country {
        out.insert("countryCode".to_owned(), json!(country.as_str().to_ascii_lowercase()));
    }
    if let Some(city) = &caller.city {
        out.insert("city".to_owned(), json!(clean(city)));
    }
    if let Some(asn) = caller.asn {
        out.insert("asn".to_owned(), json!(asn));
    }
    out
}

fn principal(caller: &CallerFacts) -> Option<Value> {
    let id = caller.principal.as_ref().map(|p| clean(p.as_str()));
    if id.is_none() && caller.principal_name.is_empty() {
        return None;
    }
    let mut out = Map::new();
    let full = clean(&caller.principal_name);
    match full.split_once('@') {
        Some((name, suffix)) => {
            out.insert("name".to_owned(), json!(name));
            out.insert("upnSuffix".to_owned(), json!(suffix));
        }
        None if full.is_empty() => {
            out.insert("name".to_owned(), json!(id));
        }
        None => {
            out.insert("name".to_owned(), json!(full));
        }
    }
    if let Some(id) = id {
        out.insert("aadUserId".to_owned(), json!(id));
    }
    out.insert("type".to_owned(), json!("account"));
    Some(Value::Object(out))
}

/// The same for all alerts of one story: its incident, else the principal where there is one, else the caller's
/// address or network on this account.
fn correlation_key(alert: &Alert) -> String {
    if let Some(incident) = &alert.marks.incident {
        return format!("incident:{}", incident.id);
    }
    let (caller, account) = (&alert.finding.caller, clean(&alert.finding.account.key()));
    match (&caller.principal, caller.ip, caller.asn) {
        (Some(id), _, _) => format!("principal:{}", clean(id.as_str())),
        (None, Some(ip), _) => format!("ip:{ip}|account:{account}"),
        (None, None, Some(asn)) => format!("asn:{asn}|account:{account}"),
        (None, None, None) => format!("account:{account}"),
    }
}

/// The observation beside the baseline that it broke.
fn evidence_table(alert: &Alert) -> Value {
    let rows: Vec<Value> = alert
        .finding
        .facets
        .iter()
        .map(|facet| {
            let row = narrate::facet(facet, alert.finding.test.per_day);
            let verdict = if row.broke { "broke" } else { "held" };
            json!([row.name, row.observed, row.usual, row.rarity, verdict])
        })
        .collect();
    let whole = json!([
        "finding",
        narrate::observed(alert),
        narrate::expected(alert),
        crate::alert::words::once_in(alert.grade.nominal_per_day),
        "broke"
    ]);
    json!({
        "type": "tabularEvidences",
        "title": "What was observed, and what is usual here",
        "columns": ["Facet", "Observed", "Usual", "Rarity", "Verdict"],
        "rows": std::iter::once(whole).chain(rows).collect::<Vec<_>>(),
    })
}
