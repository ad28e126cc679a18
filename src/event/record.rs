//! From bytes to a record's values by meaning: one pass, no tree, no copy where no escape is.
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::event::fields::{Field, Fields, Level, Spelling, lookup};
use crate::event::identity::{Place, Who, WhoSeed};
use crate::event::scalar::ScalarSeed;
use crate::event::{Refusal, RefusalReason};
use crate::limits;

/// A parsed record of any shape.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    /// Scalars by meaning.
    pub(super) fields: Fields<'a>,
    /// Who acted; only in the Activity log.
    pub(super) who: Option<Box<Who>>,
    /// The record has an `identity`, whatever its type.
    pub(super) has_identity: bool,
    /// The record has an `authorization`.
    pub(super) has_authorization: bool,
    /// Keys that nobody has seen yet.
    pub(super) unknown_keys: u64,
}

impl<'a> Record<'a> {
    /// Parses one JSON object and nothing after it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Record<'a>, Refusal> {
        let text = checked(bytes)?;
        let mut record = Record::default();
        let mut input = serde_json::Deserializer::from_str(text);
        ObjectSeed { record: &mut record, level: Level::Record }
            .deserialize(&mut input)
            .and_then(|()| input.end())
            .map_err(|error| refusal(text, &error))?;
        Ok(record)
    }

    /// Reads a property bag that was itself written as a JSON string. Broken ones say nothing.
    fn absorb_properties(&mut self, json: &str) {
        if too_deep(json.as_bytes()).is_some() {
            return;
        }
        let mut inner = Record::default();
        let mut input = serde_json::Deserializer::from_str(json);
        let seed = ObjectSeed { record: &mut inner, level: Level::Properties };
        if seed.deserialize(&mut input).is_ok() {
            self.unknown_keys += inner.unknown_keys;
            self.fields.absorb(inner.fields);
        }
    }
}

/// The bytes as text, if they keep the limits that hold before anything is parsed.
fn checked(bytes: &[u8]) -> Result<&str, Refusal> {
    let refuse = |reason, at, detail: &str| Refusal { reason, at, detail: detail.to_owned() };
    if bytes.len() > limits::RECORD_BYTES_MAX {
        let detail =
            format!("record of {} bytes, the limit is {}", bytes.len(), limits::RECORD_BYTES_MAX);
        return Err(refuse(RefusalReason::TooLong, limits::RECORD_BYTES_MAX, &detail));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character is incomplete: the input ended there.
        Err(e) if e.error_len().is_none() => {
            return Err(refuse(
                RefusalReason::CutOff,
                e.valid_up_to(),
                "record ends inside a character",
            ));
        }
        Err(e) => {
            return Err(refuse(RefusalReason::BadJson, e.valid_up_to(), "record is not UTF-8"));
        }
    };
    if let Some(at) = too_deep(bytes) {
        let detail = format!("nested deeper than {} levels", limits::JSON_DEPTH_MAX);
        return Err(refuse(RefusalReason::TooDeep, at, &detail));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(refuse(RefusalReason::BadJson, 0, "record is empty"));
    }
    Ok(text)
}

/// Where nesting exceeds the limit. A record with few brackets, as all real ones are, cannot be
/// too deep, and counting brackets is many times cheaper than following them.
pub(super) fn too_deep(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'{', b'[', bytes).nth(limits::JSON_DEPTH_MAX)?;
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits::JSON_DEPTH_MAX {
            return Some(at);
        }
    }
    None
}

/// Why parsing stopped. Only wording that cannot hold a value of the record is passed on: the
/// parser's own syntax messages are fixed, its type messages are not.
fn refusal(text: &str, error: &serde_json::Error) -> Refusal {
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let at = (line_start + error.column()).min(text.len());
    let (reason, detail) = match error.classify() {
        serde_json::error::Category::Eof => {
            (RefusalReason::CutOff, "record ends before its object does".to_owned())
        }
        serde_json::error::Category::Syntax => {
            let message = error.to_string();
            let place = message.find(" at line ").unwrap_or(message.len());
            (RefusalReason::BadJson, message.get(..place).unwrap_or("not JSON").to_owned())
        }
        _ => (RefusalReason::BadJson, "record is not a JSON object".to_owned()),
    };
    Refusal { reason, at, detail }
}

/// Reads an object into a record: the record itself, or its property bag.
struct ObjectSeed<'r, 'de> {
    record: &'r mut Record<'de>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let ObjectSeed { record, level } = self;
        while let Some(key) = map.next_key_seed(KeySeed(level))? {
            match key {
                None => {
                    record.unknown_keys += 1;
                    map.next_value::<IgnoredAny>()?;
                }
                Some((Field::Unused, _)) => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some((Field::Properties, _)) => map.next_value_seed(PropertiesSeed(record))?,
                Some((field, spelling)) => match place(field) {
                    None => {
                        let value = map.next_value_seed(ScalarSeed)?;
                        record.fields.set(field, spelling, value);
                    }
                    Some(place) => {
                        record.has_identity |= field == Field::Identity;
                        record.has_authorization |= field == Field::Authorization;
                        let who = record.who.get_or_insert_default();
                        map.next_value_seed(WhoSeed { who, place })?;
                    }
                },
            }
        }
        Ok(())
    }
}

/// The part of an identity that a field holds.
fn place(field: Field) -> Option<Place> {
    match field {
        Field::Identity => Some(Place::Identity),
        Field::Authorization => Some(Place::Authorization),
        Field::Claims => Some(Place::Claims),
        Field::HttpRequest => Some(Place::HttpRequest),
        _ => None,
    }
}

struct KeySeed(Level);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<(Field, Spelling)>;
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<(Field, Spelling)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(lookup(key, self.0))
    }
}

/// `properties`: an object, an object in a string, or nothing of interest.
struct PropertiesSeed<'r, 'de>(&'r mut Record<'de>);

impl<'de> DeserializeSeed<'de> for PropertiesSeed<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PropertiesSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        ObjectSeed { record: self.0, level: Level::Properties }.visit_map(map)
    }
    fn visit_str<E: Error>(self, json: &str) -> Result<(), E> {
        self.0.absorb_properties(json);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Refusal {
        Record::parse(bytes).map(|_| ()).expect_err("must be refused")
    }

    #[test]
    fn each_kind_of_damage_has_its_reason_and_place() {
        for (bytes, reason, at) in [
            (&b"{\"a\":1} x"[..], RefusalReason::BadJson, 9),
            (b"[1,2]", RefusalReason::BadJson, 0),
            (b"\"text\"", RefusalReason::BadJson, 6),
            (b"", RefusalReason::BadJson, 0),
            (b"  \r\n", RefusalReason::BadJson, 0),
            (b"{\"a\":\n nope}", RefusalReason::BadJson, 9),
            (b"{\"a\":\"\xff\"}", RefusalReason::BadJson, 6),
            (b"{\"a\":\"\xe2\x82", RefusalReason::CutOff, 6),
            (b"{\"a\":\"tex", RefusalReason::CutOff, 9),
            (b"{\"a\":{\"b\":", RefusalReason::CutOff, 10),
            (b"{\"time\":1e999}", RefusalReason::BadJson, 13),
        ] {
            let refusal = refused(bytes);
            assert_eq!(refusal.reason, reason, "{}", String::from_utf8_lossy(bytes));
            assert!(refusal.at.abs_diff(at) <= 1, "{refusal:?} expected at {at}");
        }
    }

    #[test]
    fn a_refusal_never_holds_a_value_of_the_record() {
        for bytes in
            [&b"\"hunter2\""[..], b"{\"hunter2\":hunter2}", b"{\"time\":\"hunter2\" \"x\"}"]
        {
            assert!(!refused(bytes).detail.contains("hunter2"));
        }
    }

    #[test]
    fn depth_is_limited_where_values_are_skipped_too() {
        let deep = |n: usize| format!("{{\"x\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        assert!(Record::parse(deep(limits::JSON_DEPTH_MAX - 1).as_bytes()).is_ok());
        let refusal = refused(deep(limits::JSON_DEPTH_MAX).as_bytes());
        assert_eq!(refusal.reason, RefusalReason::TooDeep);
        let hostile = format!("{{\"identity\":{}", "{\"a\":".repeat(200_000));
        assert_eq!(refused(hostile.as_bytes()).reason, RefusalReason::TooDeep);
        let brackets_in_text = format!("{{\"x\":\"{}\"}}", "\\\"[".repeat(1000));
        assert!(Record::parse(brackets_in_text.as_bytes()).is_ok());
    }

    #[test]
    fn length_is_limited() {
        let long = vec![b' '; limits::RECORD_BYTES_MAX + 1];
        assert_eq!(refused(&long).reason, RefusalReason::TooLong);
    }

    #[test]
    fn properties_may_be_an_object_a_string_or_anything() {
        for json in [
            r#"{"properties":{"statusCode":"200","zzz":[1]}}"#,
            r#"{"properties":"{\"statusCode\":\"200\",\"zzz\":{}}"}"#,
            r#"{"Properties":{"STATUSCODE":200,"zzz":null}}"#,
            r#"{"statusCode_s":"200","zzz":1}"#,
        ] {
            let record = Record::parse(json.as_bytes()).expect("parses");
            assert_eq!(record.fields.get(Field::StatusCode).status(), Ok(Some(200)), "{json}");
            assert_eq!(record.unknown_keys, 1, "{json}");
        }
        for json in [
            r#"{"properties":"{broken"}"#,
            r#"{"properties":null}"#,
            r#"{"properties":[1]}"#,
            r#"{"properties":-1}"#,
            r#"{"properties":1.5}"#,
            r#"{"properties":true}"#,
        ] {
            assert!(Record::parse(json.as_bytes()).is_ok(), "{json}");
        }
    }

    #[test]
    fn the_last_of_repeated_keys_wins_and_suffixes_coalesce() {
        let value = |json: &str| {
            let record = Record::parse(json.as_bytes()).expect("parses");
            record.fields.text(Field::ActivityId).map(str::to_owned)
        };
        assert_eq!(value(r#"{"activityId":"a","activityId":"b"}"#).as_deref(), Some("b"));
        for json in [
            r#"{"activityId_g":"a","activityId_s":"b"}"#,
            r#"{"activityId_s":"b","activityId_g":"a"}"#,
            r#"{"activityId_g":"","activityId_s":"a"}"#,
            r#"{"activityId_s":"a","activityId_g":""}"#,
        ] {
            assert_eq!(value(json).as_deref(), Some("a"), "{json}");
        }
    }

    #[test]
    fn escapes_in_keys_and_values_are_read() {
        let json = r#"{"resource\u0049d":"\/subscriptions\/s"}"#;
        let record = Record::parse(json.as_bytes()).expect("parses");
        assert_eq!(record.fields.text(Field::ResourceId), Some("/subscriptions/s"));
    }
}
