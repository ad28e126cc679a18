//! An alert's records as lines of JSON, and their bytes from where the logs lie now.
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::take;
use crate::alert::kept::{Found, Kept, KeptRecord, NotRead};
use crate::source::read_places;

/// Endings of logs that were compressed since, or are compressed no longer.
const PACKINGS: [&str; 2] = [".gz", ".zst"];

/// What a place holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The bytes' hash, or why there are none.
    pub found: Found,
    /// Their redacted form.
    pub shown: Option<String>,
    /// Where they begin in the raw file, if they were copied there.
    pub raw: Option<u64>,
}

/// Where to look for the files.
#[derive(Clone, Copy, Debug)]
pub enum Logs<'a> {
    /// At their recorded names, in one of these folders or here.
    AsNamed(&'a [&'a Path]),
    /// In this folder, or this one file.
    MovedTo(&'a Path),
}

/// How the records of an alert stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that are kept.
    pub records: usize,
    /// Those with a SHA-256.
    pub hashed: usize,
    /// Those whose bytes were copied.
    pub raw: usize,
    /// Those whose source holds other bytes now.
    pub changed: usize,
}

/// Reads every record again, and copies to `raw` the bytes of those that are what was hashed, or
/// that were never hashed before. Each is followed by a line end.
///
/// # Errors
/// `raw` took no bytes.
pub fn reread(
    kept: &Kept,
    logs: &Logs<'_>,
    mut raw: Option<&mut dyn Write>,
) -> io::Result<Vec<Now>> {
    let mut out: Vec<Now> = Vec::with_capacity(kept.records.len());
    let mut length = 0_u64;
    for some in kept.records.chunk_by(|a, b| a.place.source() == b.place.source()) {
        let places: Vec<(u64, u32)> =
            some.iter().map(|r| (r.place.offset(), r.place.len())).collect();
        let Some(path) = some.first().and_then(|r| locate(kept, r, logs)) else {
            out.extend(some.iter().map(|r| Now { found: lost(r), shown: None, raw: None }));
            continue;
        };
        let mut failed = None;
        read_places(&path, None, &places, &mut |n, bytes| {
            let (found, shown) = take::look(bytes);
            let mut now = Now { found, shown, raw: None };
            let as_before = some.get(n).is_some_and(|r| is_as_before(r, found));
            if let (Some(raw), Ok(bytes), true) = (raw.as_deref_mut(), bytes, as_before) {
                match raw.write_all(bytes).and_then(|()| raw.write_all(b"\n")) {
                    Ok(()) => now.raw = Some(length),
                    Err(e) => failed = Some(e),
                }
                length += bytes.len() as u64 + 1;
            }
            out.push(now);
        });
        failed.map_or(Ok(()), Err)?;
    }
    Ok(out)
}

/// What is there is what was hashed, or nothing was.
fn is_as_before(record: &KeptRecord, now: Found) -> bool {
    matches!(record.found, Found::Nothing(_)) || record.found == now
}

/// Why there is no file to read.
fn lost(record: &KeptRecord) -> Found {
    match record.found {
        Found::Nothing(NotRead::Nowhere) => record.found,
        _ => Found::Nothing(NotRead::Missing),
    }
}

/// Where the file of a record lies now: at its recorded name, or below the folder that it was moved
/// to under as much of that name as there is, compressed or not; a file that was named is taken.
fn locate(kept: &Kept, record: &KeptRecord, logs: &Logs<'_>) -> Option<PathBuf> {
    if record.found == Found::Nothing(NotRead::Nowhere) {
        return None;
    }
    let name = Path::new(kept.source(record.place).filter(|name| !name.is_empty())?);
    let moved = match logs {
        Logs::MovedTo(moved) if moved.is_file() => return Some((*moved).to_owned()),
        Logs::MovedTo(moved) => moved,
        Logs::AsNamed(folders) => {
            let found = folders.iter().map(|f| f.join(name)).find(|path| path.is_file());
            return Some(found.unwrap_or_else(|| name.to_owned()));
        }
    };
    let mut rest = name.components();
    loop {
        // A name that begins at the root would leave the folder.
        let below = rest.as_path();
        let inside = below.components().all(|c| matches!(c, Component::Normal(_)));
        if let Some(found) = either_packing(&moved.join(below)).filter(|_| inside) {
            return Some(found);
        }
        rest.next()?;
    }
}

fn either_packing(path: &Path) -> Option<PathBuf> {
    let text = path.to_str()?;
    let mut names = vec![text.to_owned()];
    names.extend(PACKINGS.iter().map(|ending| format!("{text}{ending}")));
    names.extend(PACKINGS.iter().filter_map(|e| text.strip_suffix(e).map(str::to_owned)));
    names.into_iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A line of JSON a record, and how they stand.
pub fn lines(kept: &Kept, now: Option<&[Now]>, raw: bool) -> (String, Counts) {
    let (mut text, mut counts) = (String::new(), Counts::default());
    for (n, (record, shown)) in kept.records.iter().zip(take::shown(kept)).enumerate() {
        let now = now.and_then(|now| now.get(n));
        let (status, sha256) = status(record, now);
        let shown = shown.or_else(|| now.and_then(|now| now.shown.clone()));
        let shown: Value =
            shown.and_then(|line| serde_json::from_str(&line).ok()).unwrap_or(Value::Null);
        let mut line = json!({
            "n": n + 1,
            "role": role(record),
            "time": record.time.azure(),
            "source": kept.source(record.place),
            "sourceNumber": record.place.source(),
            "offset": record.place.offset(),
            "length": record.place.len(),
            "sha256": sha256.map(|sha| crate::snapshot::hex(&sha)),
            "status": status,
            "record": shown,
        });
        if raw && let Some(fields) = line.as_object_mut() {
            fields.insert("raw".to_owned(), raw_place(record, now));
        }
        counts.records += 1;
        counts.hashed += usize::from(sha256.is_some());
        counts.raw += usize::from(now.is_some_and(|now| now.raw.is_some()));
        counts.changed += usize::from(status == CHANGED);
        text.push_str(&line.to_string());
        text.push('\n');
    }
    (text, counts)
}

const CHANGED: &str = "changed since";

fn status(record: &KeptRecord, now: Option<&Now>) -> (&'static str, Option<[u8; 32]>) {
    match (record.found, now.map(|now| now.found)) {
        (Found::Bytes(before), Some(Found::Bytes(now))) if before != now => (CHANGED, Some(before)),
        (Found::Bytes(sha), _) => ("hashed", Some(sha)),
        (Found::Nothing(_), Some(Found::Bytes(sha))) => ("hashed when packed", Some(sha)),
        (Found::Nothing(NotRead::NotTried), Some(Found::Nothing(why))) => (why.as_str(), None),
        (Found::Nothing(why), _) => (why.as_str(), None),
    }
}

fn role(record: &KeptRecord) -> Vec<&'static str> {
    let mut role = Vec::new();
    role.extend(record.first.then_some("first"));
    role.extend(record.last.then_some("last"));
    if role.is_empty() {
        role.push("sample");
    }
    role
}

/// Where its bytes lie in the raw file, or why they do not.
fn raw_place(record: &KeptRecord, now: Option<&Now>) -> Value {
    match now {
        Some(Now { raw: Some(offset), .. }) => {
            json!({"offset": offset, "length": record.place.len()})
        }
        Some(Now { found: Found::Nothing(why), .. }) => json!({"absent": why.as_str()}),
        _ => json!({"absent": "the source holds other bytes there now"}),
    }
}
