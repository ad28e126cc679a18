//! Bodies that are JSON objects, read field by field, so that a refusal names the field.
use serde_json::{Map, Value};

use super::shown;
use crate::server::problem::{FieldError, Problem};
use crate::time::Timestamp;

/// The fields of a JSON object, each of them known.
pub(crate) fn object(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let wrong = |message: String| Problem::field("body", message);
    let value: Value = serde_json::from_slice(body).map_err(|e| wrong(format!("not JSON: {e}")))?;
    let Value::Object(fields) = value else { return Err(wrong("not a JSON object".into())) };
    let unknown: Vec<FieldError> = fields
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| FieldError {
            field: shown(name),
            message: format!("not known; known are {}", known.join(", ")),
        })
        .collect();
    let Some(first) = unknown.first() else { return Ok(fields) };
    let mut problem = Problem::field(&first.field, first.message.clone());
    problem.errors = unknown;
    Err(problem)
}

/// A text; `None` where it is not given.
pub(crate) fn text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::field(name, "not a text")),
    }
}

/// A text that must be given.
pub(crate) fn needed<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    why: &str,
) -> Result<&'a str, Problem> {
    let given = text(fields, name)?.filter(|text| !text.trim().is_empty());
    given.ok_or_else(|| Problem::field(name, format!("it is missing; {why}")))
}

/// A moment that must be given.
pub(crate) fn moment(
    fields: &Map<String, Value>,
    name: &str,
    why: &str,
) -> Result<Timestamp, Problem> {
    let text = needed(fields, name, why)?;
    let wrong = "not a time; write 2026-11-13T03:00Z (UTC)";
    Timestamp::parse(text).ok_or_else(|| Problem::field(name, wrong))
}

/// A number of bytes; `None` where it is not given.
pub(crate) fn bytes(fields: &Map<String, Value>, name: &str) -> Result<Option<u64>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|n| *n > 0) {
            Some(n) => Ok(Some(n)),
            None => Err(Problem::field(name, "not a whole number of bytes above 0")),
        },
    }
}
