//! A row of Log Analytics' `SecurityAlert` table: nested fields are JSON in strings.
use serde_json::{Value, json};

use super::{PRODUCT, defender};
use crate::alert::kinds::{self, card};
use crate::alert::words::clean;
use crate::alert::{Alert, narrate};

/// The row.
pub fn value(alert: &Alert) -> Value {
    let finding = &alert.finding;
    let card = card(finding.kind);
    let generated = alert.generated().to_string();
    let entities: Vec<Value> = defender::entities(alert).iter().enumerate().map(numbered).collect();
    let resource =
        defender::accounts(alert).find(|(name, _)| *name == clean(finding.account.name()));
    json!({
        "TimeGenerated": generated,
        "AlertName": card.display_name,
        "AlertSeverity": alert.grade.severity.as_str(),
        "AlertType": finding.kind.alert_type(),
        "CompromisedEntity": clean(finding.account.name()),
        "Description": narrate::description(alert),
        "DisplayName": card.display_name,
        "StartTime": finding.start.to_string(),
        "EndTime": finding.end.to_string(),
        "ProcessingEndTime": generated,
        "Entities": Value::from(entities).to_string(),
        "ExtendedProperties": Value::Object(defender::extended(alert)).to_string(),
        "ExtendedLinks": Value::from(defender::links(alert)).to_string(),
        "IsIncident": false,
        "ProductName": PRODUCT,
        "ProductComponentName": "Databases",
        "ProviderName": PRODUCT,
        "VendorName": PRODUCT,
        "VendorOriginalId": alert.id.to_string(),
        "SystemAlertId": alert.id.to_string(),
        "RemediationSteps": Value::from(card.remediation.clone()).to_string(),
        "ResourceId": resource.map(|(_, id)| id).unwrap_or_default(),
        "Status": "New",
        "Tactics": card.intent,
        "Techniques": Value::from(kinds::techniques(card)).to_string(),
        "SubTechniques": Value::from(kinds::sub_techniques(card)).to_string(),
    })
}

/// The table's spelling of an entity: a number and capitalised keys.
fn numbered((at, entity): (usize, &Value)) -> Value {
    let mut out = serde_json::Map::new();
    out.insert("$id".to_owned(), json!((at + 1).to_string()));
    for (key, value) in entity.as_object().into_iter().flatten() {
        let value = match value.as_object() {
            Some(inner) => inner.iter().map(|(k, v)| (capital(k), v.clone())).collect(),
            None => value.clone(),
        };
        out.insert(capital(key), value);
    }
    Value::Object(out)
}

fn capital(key: &str) -> String {
    let mut chars = key.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}
