use serde_json::Value;

use super::*;
use crate::alert::testing::{self, alert, hostile};
use crate::detect::AlertKind;

const SCHEMA: &str = include_str!("../../../tests/fixtures/alerts/alert.schema.json");
const OFFICIAL: &str =
    include_str!("../../../tests/fixtures/alerts/official_example_2022-01-01.json");

fn line(alert: &Alert, format: Format) -> String {
    let mut out = Vec::new();
    write_line(alert, format, &mut out);
    String::from_utf8(out).unwrap()
}

fn json(alert: &Alert, format: Format) -> Value {
    serde_json::from_str(&line(alert, format)).unwrap()
}

fn assert_valid(schema: &Value, alert: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(alert).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// No number that is none (JSON's `null`), no character that a terminal or reader would obey.
/// Kusto queries have lines; nothing else does.
fn assert_harmless(at: &str, value: &Value) {
    match value {
        Value::Null => panic!("{at} is null"),
        Value::String(text) => {
            assert!(!text.contains("NaN") && !text.contains("inf "), "{at}");
            for c in text.chars() {
                let line_of_query = c == '\n' && at.ends_with("/Query");
                assert!(line_of_query || !c.is_control(), "{at} holds {:?}", c);
                assert!(!['\u{202e}', '\u{2028}', '\u{9b}'].contains(&c), "{at} holds {c:?}");
            }
        }
        Value::Array(items) => items.iter().for_each(|v| assert_harmless(at, v)),
        Value::Object(map) => {
            map.iter().for_each(|(k, v)| assert_harmless(&format!("{at}/{k}"), v))
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn the_shape_is_the_contracts_and_azures_own() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let shared = &schema["definitions"]["azure"];
    assert_valid(shared, &serde_json::from_str(OFFICIAL).unwrap());
    for kind in AlertKind::ALL {
        assert_valid(&schema, &json(&alert(kind), Format::Defender));
        assert_valid(&schema, &json(&hostile(kind), Format::Defender));
    }
}

#[test]
fn keys_stand_in_azures_order() {
    let ours = json(&alert(AlertKind::DataExfiltration), Format::Defender);
    let official: Value = serde_json::from_str(OFFICIAL).unwrap();
    let keys = |v: &Value| -> Vec<String> {
        v["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let expected: Vec<String> = keys(&official).into_iter().filter(|k| k != "alertUri").collect();
    assert_eq!(keys(&ours), expected);
}

#[test]
fn the_caller_the_accounts_and_the_times_are_there() {
    let volume = json(&alert(AlertKind::DataExfiltration), Format::Defender);
    let body = &volume["properties"];
    assert_eq!(body["startTimeUtc"], "2026-11-14T02:00:00.0000000Z");
    assert_eq!(body["endTimeUtc"], "2026-11-14T02:14:08.1230000Z");
    assert_eq!(body["timeGeneratedUtc"], "2026-11-14T02:15:00.0000000Z");
    assert_eq!(body["resourceIdentifiers"][0]["azureResourceId"], testing::ARM_ID);
    assert_eq!(body["extendedProperties"]["Key kind"], "PrimaryMaster");
    assert_eq!(body["extendedProperties"]["Tail probability"], "0.00105");
    let name = volume["name"].as_str().unwrap();
    assert_eq!(
        volume["id"],
        format!(
            "/subscriptions/00000000-0000-0000-0000-00000000c0de/resourceGroups/rg-data/providers\
             /Microsoft.Security/locations/global/alerts/{name}"
        )
    );
    let tor = json(&alert(AlertKind::TorAnomaly), Format::Defender);
    assert_eq!(tor["properties"]["extendedProperties"]["Address class"], "tor");
    let sweep = json(&alert(AlertKind::MaliciousScript), Format::Defender);
    let body = &sweep["properties"];
    assert_eq!(body["resourceIdentifiers"][0]["azureResourceId"], "contoso-hr");
    assert_eq!(body["resourceIdentifiers"].as_array().map(Vec::len), Some(2));
    assert_eq!(body["extendedProperties"]["Tail probability"], "2.43e-6");
    let types: Vec<&str> =
        body["entities"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ip", "account", "cloud-application", "azure-resource", "azure-resource"]);
}

#[test]
fn frozen_evidence_is_small() {
    let volume = json(&alert(AlertKind::DataExfiltration), Format::Defender);
    let frozen = volume["properties"]["extendedProperties"]["Evidence"].as_str().unwrap();
    assert!(frozen.len() < 6 << 10, "{} bytes", frozen.len());
    let frozen: Value = serde_json::from_str(frozen).unwrap();
    assert_eq!(frozen["hours"]["observed"].as_array().map(Vec::len), Some(72));
    assert_eq!(frozen["hours"]["observed"][66], Value::Null);
    let unit = frozen["hours"]["unit"].as_f64().unwrap();
    assert_eq!(frozen["hours"]["observed"][71].as_f64().map(|v| v * unit), Some(1.84e9));
}

#[test]
fn hostile_text_stays_inside_every_format() {
    for kind in AlertKind::ALL {
        for format in Format::ALL {
            let text = line(&hostile(kind), format);
            assert_eq!(text.matches('\n').count(), 1, "{kind:?} {format:?} is not one line");
            let value = match format {
                Format::Cef => Value::from(text.trim_end_matches('\n')),
                _ => serde_json::from_str(&text).unwrap(),
            };
            assert_harmless(&format!("{kind:?} {format:?}"), &value);
            assert!(text.len() < 64 << 10, "{kind:?} {format:?} {}", text.len());
        }
    }
}

#[test]
fn cef_fields_cannot_be_left() {
    let text = line(&hostile(AlertKind::TorAnomaly), Format::Cef);
    let mut bars = 0;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '|' if bars < 7 => bars += 1,
            _ => {}
        }
    }
    assert_eq!(bars, 7);
    let plain = line(&alert(AlertKind::DataExfiltration), Format::Cef);
    assert!(
        plain.starts_with(&format!(
            "CEF:0|cosmoguard|cosmoguard|{VERSION}|CosmosDB_DataExfiltrationAnomaly|Unusual volume \
             of data extracted|6|rt=1794622500000 start="
        )),
        "{plain}"
    );
    assert!(plain.contains(" dhost=contoso-orders.documents.azure.com "), "{plain}");
    assert!(plain.contains(" out=3400000 "), "{plain}");
}

#[test]
fn the_other_json_formats_say_the_same() {
    let alert = alert(AlertKind::DataExfiltration);
    let id = alert.id.to_string();
    let ocsf = json(&alert, Format::Ocsf);
    assert_eq!(
        (&ocsf["class_uid"], &ocsf["type_uid"]),
        (&Value::from(2004), &Value::from(200_401))
    );
    assert_eq!(
        (&ocsf["finding_info"]["uid"], &ocsf["severity_id"]),
        (&Value::from(&*id), &Value::from(3))
    );
    assert_eq!(ocsf["finding_info"]["attacks"][0]["sub_technique"]["name"], "Databases");
    let ecs = json(&alert, Format::Ecs);
    assert_eq!(
        (&ecs["event"]["id"], &ecs["source"]["as"]["number"]),
        (&Value::from(&*id), &Value::from(64500))
    );
    let row = json(&alert, Format::SecurityAlert);
    assert_eq!(row["AlertSeverity"], "Medium");
    let entities: Value = serde_json::from_str(row["Entities"].as_str().unwrap()).unwrap();
    assert_eq!(entities[0]["Location"]["CountryCode"], "sg");
    assert_eq!(entities[0]["$id"], "1");
}

#[test]
fn the_same_alert_is_the_same_bytes() {
    for kind in AlertKind::ALL {
        for format in Format::ALL {
            assert_eq!(line(&alert(kind), format), line(&alert(kind), format));
        }
    }
    assert!(Format::ALL.into_iter().all(|f| Format::parse(f.as_str()) == Some(f)));
    assert_eq!(Format::parse("xml"), None);
}
