use std::io::{self, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::source::RefusedRecord;
use crate::source::input::Input;
use crate::source::stream::{Item, Stream};

/// Hands out at most `step` bytes a read.
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.step.min(buf.len()).min(self.bytes.len() - self.at);
        buf[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

type Split = (Vec<(u64, String)>, Vec<RefusedRecord>);

/// Splits `bytes` with windows that grow by `step`.
fn split_by(bytes: &[u8], step: usize) -> Split {
    let input = Box::new(Slow { bytes: bytes.to_vec(), at: 0, step });
    let mut stream = Stream::new(0, Input::Whole(input), step);
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    loop {
        match stream.next() {
            Item::Record { start, len, offset } => {
                let record = &stream.buffer()[start..start + len];
                assert_eq!(record, &bytes[offset as usize..offset as usize + len]);
                records.push((offset, String::from_utf8_lossy(record).into_owned()));
            }
            Item::Refused(refusal) => refused.push(refusal),
            Item::End => return (records, refused),
        }
        assert!(records.len() + refused.len() <= 2 * bytes.len() + 2, "does not end");
    }
}

fn split(text: &str) -> Split {
    let whole = split_by(text.as_bytes(), 1 << 20);
    for step in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(split_by(text.as_bytes(), step), whole, "windows of {step}");
    }
    whole
}

/// Splits `text` into records and reasons.
fn told(text: &str) -> (Vec<String>, Vec<&'static str>) {
    let (records, refused) = split(text);
    let reasons = refused.iter().map(|r| r.refusal.reason.as_str()).collect();
    (records.into_iter().map(|(_, r)| r).collect(), reasons)
}

#[test]
fn every_form_gives_the_same_records() {
    let (a, b) = (r#"{"time":"1","p":{"x":[1,"}{"]}}"#, r#"{"time":"2","q":"\"records\":[{"}"#);
    let pretty = |r: &str| serde_json::to_string_pretty(&serde_json::from_str::<Value>(r).unwrap());
    let (pa, pb) = (pretty(a).unwrap(), pretty(b).unwrap());
    for text in [
        format!("{a}\n{b}\n"),
        format!("{a}\r\n\r\n  {b}"),
        format!("\u{feff}{a}\n{b}\0\0\0"),
        format!("{a}{b}"),
        format!("{a} {b}\n"),
        format!("{pa}\n{pb}\n"),
        format!("{pa}{pb}"),
        format!("[{a},{b}]"),
        format!("[\n{a},\n{b}\n]\n"),
        format!("{{\"records\":[{a},{b}]}}"),
        format!("{{\"Records\" : [ {a} , {b} ] }}\n"),
        format!("{{\"records\":[{a}]}}{{\"records\":[{b}]}}\n{{\"records\":[]}}"),
        format!(
            "{{\"PartitionId\":1,\"x\":{{\"records\":[{{}}]}},\"RECORDS\":[{a},{b}],\"y\":[1]}}"
        ),
        format!("{{\n\"records\": [\n{pa},\n{pb}\n],\n\"z\": \"]}}\"\n}}\n"),
        format!("[{{\"records\":[{a}]}},{{\"records\":[{b}],\"k\":[{{}}]}}]"),
        format!("{a}\n{{\"records\":[]}}\n{b}\n"),
    ] {
        let (records, reasons) = told(&text);
        let values: Vec<Value> = records.iter().map(|r| serde_json::from_str(r).unwrap()).collect();
        assert_eq!(values, [a, b].map(|r| serde_json::from_str::<Value>(r).unwrap()), "{text}");
        assert!(reasons.is_empty(), "{text}: {reasons:?}");
        let (crlf, none) = told(&text.replace('\n', "\r\n"));
        assert_eq!((crlf.len(), none.len()), (2, 0), "{text} with CRLF");
    }
}

#[test]
fn a_broken_record_does_not_take_its_neighbours_along() {
    let good = r#"{"time":"1","p":{"x":"y"}}"#;
    for broken in [
        r#"{"time":"2","q":"{"query":"SELECT"}"}"#,
        r#"{"time":"2","q":"x"y"}"#,
        r#"{"time":"2","q":[1}"#,
        r#"{"time":"2" "q":1}"#,
        r#"{time:2}"#,
    ] {
        for text in [
            format!("{{\"records\":[{good},{broken},{good}]}}\n{good}\n"),
            format!("{{\"records\":[\n  {good},\n  {broken},\n  {good}\n]}}\n{good}\n"),
            format!("[{good},{broken},{good}]\n{good}\n"),
        ] {
            let (records, reasons) = told(&text);
            assert_eq!(records, [good; 3], "{text}");
            assert_eq!(reasons, ["bad_json"], "{text}");
        }
    }
    // Arrays of objects inside the broken record look like the envelope's own elements.
    for broken in [
        r#"{"claims":[{"a":1},{"b":2}],"q":"x"y"}"#,
        r#"{"q":"x"y","claims":[{"a":1},{"b":2}],"r":{"s":1}}"#,
    ] {
        for text in [
            format!("{{\"records\":[{good},{broken},{good}]}}\n{good}\n"),
            format!("{{\"records\":[{good},{broken},{good}],\"x\":[1]}}\n{good}\n"),
        ] {
            let (records, reasons) = told(&text);
            assert_eq!(records.iter().filter(|r| *r == good).count(), 3, "{text}: {records:?}");
            assert!(reasons.contains(&"bad_json"));
        }
    }
    // A line that ends early, in a string or out of one.
    for cut in [
        r#"{"time":"2","q":"x"#,
        r#"{"time":"2","q":{"#,
        r#"{"time":"2","q":{"a":1}"#,
        r#"{"time":"2","q":[1,"#,
    ] {
        let (records, reasons) = told(&format!("{good}\n{cut}\n{good}\n{good}\n"));
        assert_eq!((records.len(), reasons), (3, vec!["bad_json"]), "{cut}");
    }
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let good = r#"{"time":"1"}"#;
    let (records, refused) = split(&format!("{good}\nTime,Category\n1,2\n{good}\n"));
    assert_eq!(records.len(), 2);
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].offset, refused[0].refusal.reason), (13, RefusalReason::BadJson));
    assert_eq!(refused[0].sample, b"Time,Category");

    let (records, reasons) = told(&format!("{{\"records\":[null,{good},\"a,b\",17,{good}]}}"));
    assert_eq!((records.len(), reasons.len()), (2, 3));

    let (records, reasons) = told(&format!("{{\"records\":[{good},{good}"));
    assert_eq!((records.len(), reasons), (2, vec!["cut_off"]));
    let (records, reasons) = told(&format!("{{\"records\":[{good},{{\"time\":\"2"));
    assert_eq!((records.len(), reasons), (1, vec!["cut_off"]));
    let (records, reasons) = told(&format!("{good}\n{{\"time\":\"2\",\"p\":{{"));
    assert_eq!((records.len(), reasons), (1, vec!["cut_off"]));

    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let (records, reasons) = told(&format!("[{good},\n{deep},\n{good}]\n{good}\n"));
    assert_eq!((records.len(), reasons), (3, vec!["too_deep"]));

    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (records, refused) = split_by(&utf16, 1);
    assert!(records.is_empty());
    assert!(refused[0].refusal.detail.contains("UTF-16"), "{refused:?}");
}

/// A line of `len` bytes between two records, made while it is read.
struct Giant {
    head: &'static [u8],
    len: u64,
    tail: &'static [u8],
}

impl Giant {
    fn read(self) -> Box<dyn Read + Send> {
        Box::new(self.head.chain(io::repeat(b'x').take(self.len)).chain(self.tail))
    }
}

#[test]
fn a_giant_line_is_refused_without_being_held() {
    for head in [&b"{\"time\":\"1\"}\n{\"q\":\""[..], b"{\"time\":\"1\"}\nxx"] {
        let input = Giant { head, len: 100 << 20, tail: b"\"}\n{\"time\":\"2\"}\n" }.read();
        let mut stream = Stream::new(0, Input::Whole(input), 1 << 20);
        let (mut records, mut reasons, mut most) = (Vec::new(), Vec::new(), 0);
        loop {
            match stream.next() {
                Item::Record { offset, .. } => records.push(offset),
                Item::Refused(refused) => {
                    assert!(refused.sample.len() <= REFUSED_BYTES_MAX);
                    reasons.push(refused.refusal.reason);
                }
                Item::End => break,
            }
            most = most.max(stream.capacity());
        }
        assert_eq!((records.len(), reasons.len()), (2, 1));
        assert!(records[1] > 100 << 20);
        assert!(most <= 4 * RECORD_BYTES_MAX, "{most} bytes held");
    }
}

#[test]
fn an_envelope_of_any_size_streams() {
    let record = br#"{"time":"2026-01-01T00:00:00Z","p":{"a":"bcd"}},"#.repeat(100_000);
    let mut bytes = b"{\"records\":[".to_vec();
    bytes.extend_from_slice(&record);
    bytes.extend_from_slice(b"{}]}");
    let mut stream = Stream::new(0, Input::Whole(Box::new(io::Cursor::new(bytes))), 64 << 10);
    let mut count = 0;
    while let Item::Record { .. } = stream.next() {
        count += 1;
        assert!(stream.capacity() <= 1 << 20);
    }
    assert_eq!(count, 100_001);
}

#[test]
fn a_record_at_the_limit_passes_and_one_over_it_does_not() {
    let sized = |len: usize| format!("{{\"q\":\"{}\"}}", "x".repeat(len - 8));
    for (len, expected) in [(RECORD_BYTES_MAX, (2, 0)), (RECORD_BYTES_MAX + 1, (1, 1))] {
        let text = format!("{}\n{{}}\n", sized(len));
        for step in [64 << 10, 1 << 20, 3 << 20, 16 << 20] {
            let (records, refused) = split_by(text.as_bytes(), step);
            assert_eq!((records.len(), refused.len()), expected, "windows of {step}");
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,8}",
        Just("\"records\":[{".to_owned()),
        Just("}{".to_owned()),
        Just("},\n{\"a\":\"".to_owned()),
        Just("\\".to_owned()),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop_oneof![text(), Just("records".to_owned())], inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn record() -> impl Strategy<Value = Value> {
    prop::collection::vec((text(), value()), 0..4).prop_map(|pairs| {
        Value::Object(pairs.into_iter().map(|(key, value)| (format!("k{key}"), value)).collect())
    })
}

/// Some records in one of the forms, with the records.
fn form() -> impl Strategy<Value = (String, Vec<Value>)> {
    (prop::collection::vec(record(), 0..4), 0..7_u8, any::<bool>(), value()).prop_map(
        |(records, form, pretty, extra)| {
            let show = |value: &Value| {
                if pretty { format!("{value:#}") } else { value.to_string() }
            };
            let each: Vec<String> = records.iter().map(show).collect();
            let text = match form {
                0 => each.join("\n"),
                1 => each.concat(),
                2 => format!("[{}]", each.join(" ,\n")),
                3 => show(&json!({ "records": records })),
                4 => show(&json!({ "extra": extra, "Records": records, "more": extra })),
                5 => show(&json!([{ "records": records, "x": [extra] }])),
                _ => each.join(" "),
            };
            (text, records)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_concatenation_of_forms_splits_back(
        forms in prop::collection::vec((form(), prop_oneof![Just(""), Just(" "), Just("\n"), Just("\r\n\r\n")]), 0..5),
        step in 1..200_usize,
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for ((form, records), between) in forms {
            text.push_str(&form);
            text.push_str(between);
            expected.extend(records);
        }
        for step in [step, 1 << 20] {
            let (records, refused) = split_by(text.as_bytes(), step);
            prop_assert!(refused.is_empty(), "{refused:?} in {text}");
            let values: Vec<Value> =
                records.iter().map(|(_, r)| serde_json::from_str(r).unwrap()).collect();
            prop_assert_eq!(&values, &expected, "{}", text);
        }
    }

    #[test]
    fn arbitrary_bytes_end_and_do_not_depend_on_the_windows(
        bytes in prop::collection::vec(
            prop_oneof![
                4 => prop::sample::select(&b"{}[]\",:\\\n \r\0aA1\xEF\xBB\xBF"[..]).prop_map(|b| vec![b]),
                1 => any::<u8>().prop_map(|b| vec![b]),
                1 => Just(b"\"records\":[".to_vec()),
                1 => Just(b"{\"a\":\"b\"}".to_vec()),
            ],
            0..80,
        ),
        step in 1..40_usize,
    ) {
        let bytes = bytes.concat();
        let whole = split_by(&bytes, 1 << 20);
        prop_assert_eq!(split_by(&bytes, step), whole);
    }
}
