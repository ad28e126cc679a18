//! A durable alert line said in the words of its reader. The queue holds the line as it was
//! written; what leaves is made from it when it is sent, so that neither a restart nor a change of a
//! sink's format loses anything.
//!
//! [`crate::alert::formats`] says the same of a fresh alert; a test holds both together.
use serde_json::{Map, Value, json};

use super::line::Line;
use super::notice::{Change, Digest, Event, Heartbeat, Notice};
use crate::alert::formats::{Format, PRODUCT, VERSION};
use crate::alert::words::{number, plural, visible};
use crate::time::Timestamp;

mod cef;
mod ecs;
mod ocsf;
mod row;
pub mod slack;
pub mod teams;

/// The whole message in `format`, one line without its end. An alert whose line cannot be read is
/// an error: it is not sent as something else.
///
/// # Errors
/// In words.
pub fn message(notice: &Notice, format: Format) -> Result<String, String> {
    match &notice.event {
        Event::Alert { change, line } => {
            let read = Line::parse(line).ok_or("the queued line is no alert")?;
            Ok(alert(&read, line, change, format))
        }
        Event::Digest(_) | Event::Heartbeat(_) | Event::Silence(_) => Ok(word(notice, format)),
    }
}

/// An alert in `format`.
fn alert(line: &Line, text: &str, change: &Change, format: Format) -> String {
    match format {
        Format::Defender => defender(line, text, change),
        Format::Ocsf => ocsf::value(line, change).to_string(),
        Format::Ecs => ecs::value(line, change).to_string(),
        Format::Cef => cef::alert(line, change),
        Format::SecurityAlert => row::value(line, change).to_string(),
    }
}

/// The line as it was written; only a change of status is a change.
fn defender(line: &Line, text: &str, change: &Change) -> String {
    let mut value = seen(line.value());
    let Change::Status { status, reason } = change else {
        let untouched = value == *line.value();
        return if untouched { text.trim_end().to_owned() } else { value.to_string() };
    };
    value["properties"]["status"] = json!(status);
    if !reason.is_empty() {
        value["properties"]["extendedProperties"]["Status reason"] = json!(reason);
    }
    value.to_string()
}

/// `value` with nothing in its texts that would be obeyed instead of seen. Lines are written so;
/// what is read back from a disk is not believed. Line breaks stay: the ready queries have them, and
/// in JSON they are no breaks.
fn seen(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let lines: Vec<String> = text.split('\n').map(visible).collect();
            Value::from(lines.join("\n"))
        }
        Value::Array(items) => items.iter().map(seen).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (visible(key), seen(value))).collect(),
        other => other.clone(),
    }
}

/// The status that an alert has after `change`.
fn status(change: &Change) -> (&str, &str) {
    match change {
        Change::Status { status, reason } => (status, reason),
        _ => ("Active", ""),
    }
}

/// Numbers for Low, Medium and High.
fn scale<T: Copy>(line: &Line, values: [T; 3]) -> T {
    values[line.severity() as usize]
}

/// `value` unless it is empty.
fn present(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| Value::from(visible(value)))
}

/// Puts `value` under `key` unless it is empty.
fn put(out: &mut Map<String, Value>, key: &str, value: &str) {
    out.extend(present(value).map(|value| (key.to_owned(), value)));
}

/// First of a list that was joined for people.
fn first(list: &str) -> &str {
    list.split(", ").next().unwrap_or_default()
}

/// Rows of `supportingEvidence`: facet, observed, usual, rarity, verdict.
fn facets(line: &Line) -> Vec<[&str; 5]> {
    let rows = line.value()["properties"]["supportingEvidence"]["rows"].as_array();
    // Rows of another shape are not ours.
    let sound = |row: &&Value| row.as_array().is_some_and(|cells| cells.len() == 5);
    let sound = rows.into_iter().flatten().filter(sound);
    sound.map(|row| [0, 1, 2, 3, 4].map(|at| row[at].as_str().unwrap_or_default())).collect()
}

/// What is not an alert, in `format`.
fn word(notice: &Notice, format: Format) -> String {
    let (text, kind) = (sentence(notice), format!("{PRODUCT}.{}", notice.word()));
    let at = Timestamp(notice.at);
    match format {
        Format::Cef => cef::word(&kind, &text, at),
        Format::Ecs => json!({
            "@timestamp": at.to_string(),
            "ecs": {"version": "8.17.0"},
            "message": text,
            "event": {"kind": "state", "module": PRODUCT, "dataset": kind, "id": notice.key},
            "observer": {"product": PRODUCT, "vendor": PRODUCT, "version": VERSION},
        })
        .to_string(),
        Format::SecurityAlert => row::word(&kind, &text, notice).to_string(),
        Format::Defender | Format::Ocsf => {
            let detail = match &notice.event {
                Event::Digest(digest) => serde_json::to_value(digest),
                Event::Heartbeat(beat) => serde_json::to_value(beat),
                Event::Silence(silence) => serde_json::to_value(silence),
                Event::Alert { .. } => Ok(Value::Null),
            };
            json!({
                "type": kind,
                "id": notice.key,
                "time": at.to_string(),
                "message": text,
                "detail": detail.unwrap_or_default(),
            })
            .to_string()
        }
    }
}

/// A message in one sentence.
pub fn sentence(notice: &Notice) -> String {
    match &notice.event {
        Event::Alert { change, line } => match Line::parse(line) {
            Some(line) => title(&line, change),
            None => "an alert that cannot be read".to_owned(),
        },
        Event::Digest(digest) => digest_sentence(digest),
        Event::Heartbeat(beat) => heartbeat_sentence(beat),
        Event::Silence(silence) => visible(&silence.description),
    }
}

/// `[High] Access from a Tor exit node on contoso-orders`.
fn title(line: &Line, change: &Change) -> String {
    let what = visible(line.text("alertDisplayName"));
    let account = crate::alert::words::clean(line.account());
    let severity = line.severity().as_str();
    match change {
        Change::New => format!("[{severity}] {what} on {account}"),
        Change::Update => format!("[{severity}, update] {what} on {account}"),
        Change::Status { status, .. } => {
            format!("[{severity}, {}] {what} on {account}", visible(status))
        }
    }
}

fn digest_sentence(digest: &Digest) -> String {
    let all = digest.pushed + digest.held_back;
    let counts = |map: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<String> = map.iter().map(|(k, n)| format!("{n} {}", visible(k))).collect();
        parts.join(", ")
    };
    let span = format!(
        "{} to {}",
        Timestamp(digest.from).minutes_text(),
        Timestamp(digest.until).minutes_text()
    );
    if all == 0 {
        return format!("{span}: no alerts");
    }
    format!(
        "{span}: {}, {} pushed at once, {} held back by the fleet's budget. {}. By kind: {}",
        plural(all as f64, "alert", "alerts"),
        digest.pushed,
        digest.held_back,
        counts(&digest.severities),
        counts(&digest.kinds),
    )
}

fn heartbeat_sentence(beat: &Heartbeat) -> String {
    let time = |ms: Option<i64>| ms.map_or("never".to_owned(), |ms| Timestamp(ms).to_string());
    format!(
        "alive; judged up to {}; last delivery {}{}; {} waiting, {} set aside",
        time(beat.watermark),
        time(beat.last_at),
        if beat.last.is_empty() { String::new() } else { format!(" ({})", visible(&beat.last)) },
        number(beat.queued as f64),
        number(beat.dead_letters as f64),
    )
}

#[cfg(test)]
mod tests;
