//! `QueryRuntimeStatistics`: the text of a query, once a physical partition. Its agent and
//! address are the gateway's, so the caller comes from the joined request.
use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::event::decoder::Context;
use crate::event::fields::{Field, Fields};
use crate::event::record::too_deep;
use crate::event::scalar::cut;
use crate::event::{QueryRun, QueryText};
use crate::ids::Text;
use crate::limits;

/// One query on one partition.
pub(super) fn decode(cx: &mut Context<'_>, fields: &Fields<'_>) -> QueryRun {
    QueryRun {
        activity_id: fields.get(Field::ActivityId).guid(),
        database: cx.tables.text(fields.words(Field::DatabaseName).as_deref()),
        container: cx.tables.text(fields.words(Field::CollectionName).as_deref()),
        rows: cx.tolerated(fields.get(Field::RowsReturned).whole()),
        signature: cx.tolerated(fields.get(Field::Signature).signed()),
        shape_signature: cx.tolerated(fields.get(Field::ShapeSignature).signed()),
        text: text(cx, fields.text(Field::QueryText)),
    }
}

/// The query inside the JSON inside the string; the string itself where that JSON is broken.
fn text(cx: &mut Context<'_>, raw: Option<&str>) -> QueryText {
    let Some(raw) = raw else { return QueryText::Absent };
    match inner_query(raw) {
        Some(query) => QueryText::Parsed(Text::from(cut(&query, limits::QUERY_TEXT_BYTES_MAX))),
        None => {
            cx.counters.raw_query_texts += 1;
            QueryText::Raw(Text::from(cut(raw, limits::QUERY_TEXT_BYTES_MAX)))
        }
    }
}

fn inner_query(raw: &str) -> Option<Cow<'_, str>> {
    if too_deep(raw.as_bytes()).is_some() {
        return None;
    }
    let mut input = serde_json::Deserializer::from_str(raw);
    let query = input.deserialize_map(QueryVisitor).ok()?;
    input.end().ok()?;
    query
}

/// Finds `query` in `{"query": …, "parameters": […]}`. Parameters are never read.
struct QueryVisitor;

impl<'de> Visitor<'de> for QueryVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut query = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key.eq_ignore_ascii_case("query") {
                query = Some(map.next_value_seed(TextSeed)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(query)
    }
}

/// A string, borrowed where it can be (`Cow`'s own implementation always copies).
struct TextSeed;

impl<'de> serde::de::DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_json_is_parsed_whatever_its_parameters() {
        for (raw, expected) in [
            (r#"{"query":"SELECT * FROM c","parameters":[]}"#, Some("SELECT * FROM c")),
            (
                r#"{"query":"SELECT \"a\"" ,"parameters":[{"name":"@x","value":{"y":[1]}}]}"#,
                Some("SELECT \"a\""),
            ),
            (r#"{"parameters":[],"QUERY":"q"}"#, Some("q")),
            (r#"{"parameters":[]}"#, None),
            (r#"{"query":1}"#, None),
            (r#"{"query":"a\'b"}"#, None),
            (r#"{"query":"a"} x"#, None),
            ("SELECT * FROM c", None),
        ] {
            assert_eq!(inner_query(raw).as_deref(), expected, "{raw}");
        }
        let deep =
            format!(r#"{{"query":"q","parameters":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(inner_query(&deep), None);
    }
}
