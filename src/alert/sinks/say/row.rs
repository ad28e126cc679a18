//! A row of Log Analytics' `SecurityAlert` table: nested fields are JSON in strings.
use serde_json::{Map, Value, json};

use super::super::line::Line;
use super::super::notice::{Change, Notice};
use super::{seen, status};
use crate::alert::formats::PRODUCT;
use crate::alert::words::visible;
use crate::time::Timestamp;

/// The row.
pub fn value(line: &Line, change: &Change) -> Value {
    let properties = seen(&line.value()["properties"]);
    let text = |name: &str| visible(line.text(name));
    let generated = line.time("timeGeneratedUtc").to_string();
    let entities = properties["entities"].as_array();
    let entities: Vec<Value> = entities.into_iter().flatten().enumerate().map(numbered).collect();
    let (status, reason) = match status(change) {
        ("Active", reason) => ("New", reason),
        other => other,
    };
    let mut extended = properties["extendedProperties"].clone();
    if !reason.is_empty() {
        extended["Status reason"] = json!(visible(reason));
    }
    json!({
        "TimeGenerated": generated,
        "AlertName": text("alertDisplayName"),
        "AlertSeverity": line.severity().as_str(),
        "AlertType": visible(line.kind()),
        "CompromisedEntity": visible(line.account()),
        "Description": text("description"),
        "DisplayName": text("alertDisplayName"),
        "StartTime": line.time("startTimeUtc").to_string(),
        "EndTime": line.time("endTimeUtc").to_string(),
        "ProcessingEndTime": generated,
        "Entities": Value::from(entities).to_string(),
        "ExtendedProperties": extended.to_string(),
        "ExtendedLinks": properties["extendedLinks"].to_string(),
        "IsIncident": false,
        "ProductName": PRODUCT,
        "ProductComponentName": "Databases",
        "ProviderName": PRODUCT,
        "VendorName": PRODUCT,
        "VendorOriginalId": visible(line.id()),
        "SystemAlertId": visible(line.id()),
        "RemediationSteps": properties["remediationSteps"].to_string(),
        "ResourceId": visible(line.resource()),
        "Status": visible(status),
        "Tactics": text("intent"),
        "Techniques": properties["techniques"].to_string(),
        "SubTechniques": properties["subTechniques"].to_string(),
    })
}

/// A row about what is no alert.
pub fn word(kind: &str, text: &str, notice: &Notice) -> Value {
    let at = Timestamp(notice.at).to_string();
    json!({
        "TimeGenerated": at,
        "AlertName": kind,
        "AlertSeverity": "Informational",
        "AlertType": kind,
        "Description": text,
        "DisplayName": kind,
        "StartTime": at,
        "EndTime": at,
        "IsIncident": false,
        "ProductName": PRODUCT,
        "ProviderName": PRODUCT,
        "VendorName": PRODUCT,
        "SystemAlertId": notice.key,
        "Status": "New",
    })
}

/// The table's spelling of an entity: a number and capitalised keys.
fn numbered((at, entity): (usize, &Value)) -> Value {
    let mut out = Map::new();
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
