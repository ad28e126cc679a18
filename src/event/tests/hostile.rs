//! Arbitrary bytes and damaged real records never panic, and every answer keeps its promises.
use proptest::prelude::*;

use super::*;
use crate::limits;

/// What holds for any bytes whatever; the fuzz target calls the same two functions.
fn holds_for_any_bytes(bytes: &[u8]) {
    let mut decoder = Decoder::new();
    let first = decoder.decode(bytes);
    assert_eq!(first, decoder.decode(bytes), "decoding must not depend on what came before");
    match first {
        Ok(Decoded::Event(event)) => {
            if let Body::Request(request) = &event.body {
                assert!(request.user_agent.len() <= limits::USER_AGENT_BYTES_MAX);
                assert!(request.database.len() <= limits::STRING_BYTES_MAX);
                assert!(request.count == 1 || request.activity_id.is_none());
            }
            let nameless = event.account.is_some_and(|account| account.name().is_empty());
            assert!(!nameless);
        }
        Ok(_) => {}
        Err(refusal) => assert!(refusal.at <= bytes.len() && refusal.detail.is_ascii()),
    }
    let _ = time_hint(bytes);
    assert_eq!(decoder.counters.records, 2);
}

fn real_record() -> impl Strategy<Value = String> {
    proptest::sample::select(super::fixtures::all())
}

/// A JSON value of some depth, as text.
fn json_value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        ".{0,12}".prop_map(|s| serde_json::json!(s).to_string()),
        Just(r#""<empty>""#.to_owned()),
        Just(r#""{\"evidence\":{\"role\":1},\"query\":\"x\"}""#.to_owned()),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::vec(("[a-z]{1,6}|value|claims|evidence", inner), 0..4).prop_map(
                |v| {
                    let items: Vec<_> = v.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", items.join(","))
                }
            ),
        ]
    })
}

/// Paths of all scalars and structures in a record: replaced one at a time below.
fn replace_nth(value: &mut serde_json::Value, nth: &mut usize, with: &serde_json::Value) {
    if *nth == 0 {
        *value = with.clone();
        *nth = usize::MAX;
        return;
    }
    *nth -= 1;
    match value {
        serde_json::Value::Object(map) => {
            map.values_mut().for_each(|inner| {
                if *nth != usize::MAX {
                    replace_nth(inner, nth, with);
                }
            });
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|inner| {
                if *nth != usize::MAX {
                    replace_nth(inner, nth, with);
                }
            });
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds_for_any_bytes(&bytes);
    }

    #[test]
    fn damaged_real_records_never_panic(
        record in real_record(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = record.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        holds_for_any_bytes(&bytes);
    }

    #[test]
    fn any_value_may_stand_anywhere(
        record in real_record(),
        at in 0usize..70,
        with in json_value(),
    ) {
        let mut record: serde_json::Value = serde_json::from_str(&record).expect("valid JSON");
        let with = serde_json::from_str(&with).expect("valid JSON");
        let mut nth = at;
        replace_nth(&mut record, &mut nth, &with);
        holds_for_any_bytes(record.to_string().as_bytes());
    }

    #[test]
    fn a_record_cut_short_is_cut_off(record in real_record(), end in any::<prop::sample::Index>()) {
        let end = end.index(record.len());
        let refusal = Decoder::new().decode(&record.as_bytes()[..end]).expect_err("cut short");
        let expected = if end == 0 { RefusalReason::BadJson } else { RefusalReason::CutOff };
        prop_assert_eq!(refusal.reason, expected);
    }

    #[test]
    fn key_order_does_not_matter(record in real_record(), seed in any::<u64>()) {
        let value: serde_json::Value = serde_json::from_str(&record).expect("valid JSON");
        let shuffled = shuffle(&value, seed).to_string();
        let (a, b) = (decode(&record), decode(&shuffled));
        match (a, b) {
            (Ok(Decoded::Event(a)), Ok(Decoded::Event(b))) => {
                prop_assert_eq!((a.time, a.account, a.resource_id, a.body), (b.time, b.account, b.resource_id, b.body));
            }
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}

/// The same value with the keys of every object in another order.
fn shuffle(value: &serde_json::Value, seed: u64) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), seed));
            keys.into_iter().map(|(k, v)| (k.clone(), shuffle(v, seed))).collect()
        }
        other => other.clone(),
    }
}
