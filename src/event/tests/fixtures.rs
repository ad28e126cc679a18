//! Every sample record decodes, or is refused for its true reason.
use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/logs/", $name))
    };
}

/// The records of a file of whole, concatenated or enveloped JSON values.
pub(super) fn records(text: &str) -> Vec<String> {
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        let value = value.expect("valid JSON");
        match value.get("records").and_then(serde_json::Value::as_array) {
            Some(inner) => records.extend(inner.iter().map(ToString::to_string)),
            None => records.push(value.to_string()),
        }
    }
    records
}

/// All sample records that are valid JSON.
pub(in crate::event) fn all() -> Vec<String> {
    [
        fixture!("ibm_guardium_CosmosSampleAuditLog.concatjson"),
        fixture!("ibm_guardium_CosmosSampleAuditLog.envelopes.jsonl"),
        fixture!("ibm_guardium_cosmos_unit_test_records.jsonl"),
        fixture!("msdocs_cosmos_category_samples.repaired.jsonl"),
        fixture!("msdocs_2017_dataplane_envelope.json"),
        fixture!("msdocs_activitylog_eventhub_envelope.json"),
        fixture!("msdocs_activitylog_storage_jsonl.jsonl"),
        fixture!("otel_azurelogs_administrative_valid_1.json"),
        fixture!("made_up_cosmos_key_operations.jsonl"),
        fixture!("made_up_microburst_like_sequence.jsonl"),
        fixture!("made_up_terraform_refresh_sequence.jsonl"),
    ]
    .into_iter()
    .flat_map(records)
    .collect()
}

/// What became of the records of one file.
fn outcome(text: &str) -> (Vec<Event>, DecodeCounters) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for record in records(text) {
        if let Ok(Decoded::Event(event)) = decoder.decode(record.as_bytes()) {
            events.push(event);
        }
    }
    (events, decoder.counters)
}

#[test]
fn captured_envelopes_decode_whole() {
    let (events, counters) = outcome(fixture!("ibm_guardium_CosmosSampleAuditLog.concatjson"));
    assert_eq!((events.len(), counters.records, counters.unknown_keys), (7, 7, 0));
    assert!(events.iter().all(|e| e.account.as_ref().is_some_and(|a| a.name() == "cosmosdev")));
    let (lines, _) = outcome(fixture!("ibm_guardium_CosmosSampleAuditLog.envelopes.jsonl"));
    assert_eq!(lines.len(), 7);
    assert_eq!(counters.by_category[Category::DataPlaneRequests as usize], 3);
    assert_eq!(counters.by_category[Category::QueryRuntimeStatistics as usize], 2);
    assert_eq!(counters.by_category[Category::ControlPlaneRequests as usize], 2);
    assert_eq!((counters.raw_query_texts, counters.bad_addresses, counters.bad_numbers), (0, 0, 0));
}

#[test]
fn captured_unit_test_records_decode_and_the_unknown_category_is_counted_by_name() {
    let (events, counters) = outcome(fixture!("ibm_guardium_cosmos_unit_test_records.jsonl"));
    assert_eq!((events.len(), counters.records), (63, 64));
    // One of them spells its key `resourceIds`, which is read too.
    assert_eq!(counters.refused_total(), 0);
    assert_eq!(counters.unknown_categories.get("Unknown"), Some(&1));
    assert_eq!((counters.unknown_keys, counters.bad_numbers, counters.raw_query_texts), (0, 0, 0));
}

#[test]
fn documented_samples_of_every_category_decode() {
    let (events, counters) = outcome(fixture!("msdocs_cosmos_category_samples.repaired.jsonl"));
    assert_eq!((events.len(), counters.unknown_keys, counters.bad_addresses), (7, 0, 0));
    assert_eq!(counters.refused_total(), 0);
    assert!(events.iter().any(|e| matches!(e.body, Body::Coverage(_))));
    let (events, counters) = outcome(fixture!("msdocs_2017_dataplane_envelope.json"));
    assert_eq!((events.len(), counters.unknown_keys), (1, 0));
}

#[test]
fn samples_printed_with_unescaped_quotes_are_refused_as_bad_json() {
    let mut decoder = Decoder::new();
    let mut valid = 0;
    for line in fixture!("msdocs_cosmos_category_samples.verbatim.txt").lines() {
        match decoder.decode(line.as_bytes()) {
            Ok(_) => valid += 1,
            Err(refusal) => {
                assert_eq!(refusal.reason, RefusalReason::BadJson, "{line}");
                assert!(refusal.at > 0 && refusal.at < line.len());
            }
        }
    }
    assert_eq!((valid, decoder.counters.refused_total()), (4, 3));
}

#[test]
fn activity_samples_decode_or_belong_to_other_resources() {
    for text in [
        fixture!("msdocs_activitylog_eventhub_envelope.json"),
        fixture!("msdocs_activitylog_storage_jsonl.jsonl"),
        fixture!("otel_azurelogs_administrative_valid_1.json"),
    ] {
        let (events, counters) = outcome(text);
        assert_eq!((events.len(), counters.other_resources), (0, 1));
    }
    let (events, counters) = outcome(fixture!("made_up_cosmos_key_operations.jsonl"));
    assert_eq!((events.len(), counters.unknown_keys), (8, 0));
    let (sweep, counters) = outcome(fixture!("made_up_microburst_like_sequence.jsonl"));
    assert_eq!((sweep.len() as u64, counters.other_resources), (counters.records, 0));
    let (refresh, counters) = outcome(fixture!("made_up_terraform_refresh_sequence.jsonl"));
    assert_eq!(refresh.len() as u64, counters.records);
}

#[test]
fn what_a_decoder_remembers_never_changes_what_it_decodes() {
    let mut used = Decoder::new();
    for record in all().iter().chain(all().iter().rev()) {
        assert_eq!(used.decode(record.as_bytes()), decode(record));
    }
}
