//! The audit log: what people changed by hand. A JSON line each, chained by hashes: a line that is
//! changed, taken out or put in breaks the chain behind it.
//!
//! What changes state has two entries, one before and one after: a process that is killed in between
//! leaves the first, and whoever opens the directory next adds what came of it ([`unfinished`]).
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::DataDir;
use crate::time::Timestamp;

/// Where what an entry tells of stood when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is about to be done.
    Begun,
    /// It was done.
    Done,
    /// Whoever began it came to no end; `details.took_effect` says what was found later.
    Interrupted,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises by one, from 1.
    pub number: u64,
    /// When, by the wall clock, RFC 3339.
    pub time: String,
    /// `snapshot restore`, `model forget` ….
    pub action: String,
    /// Absent: it is done with this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// What was asked for and what came of it. No secrets.
    pub details: serde_json::Value,
    /// SHA-256 of the line before, hexadecimal; of nothing for the first.
    pub previous: String,
}

impl Entry {
    /// What it tells of changed something.
    pub fn took_effect(&self) -> bool {
        match self.stage {
            None | Some(Stage::Done) => true,
            Some(Stage::Begun) => false,
            // Unknown counts: better told twice than not.
            Some(Stage::Interrupted) => {
                self.details.get("took_effect").and_then(serde_json::Value::as_bool) != Some(false)
            }
        }
    }
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system refused.
    #[error("the audit log `{path}` cannot be used: {cause}{}", super::next_step(cause))]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A line is not what was written, or one is missing before it.
    #[error("the audit log `{path}` was changed at or before line {line}: {why}")]
    Broken {
        /// The file.
        path: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
}

fn hash(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// Says beforehand that an entry could not be appended: what is not recorded must not be done.
///
/// # Errors
/// The file is there and cannot be read or written.
pub fn probe(dir: &DataDir) -> Result<(), AuditError> {
    let path = dir.audit();
    let opened = end(&path).and_then(|_| match OpenOptions::new().append(true).open(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    });
    opened.map_err(|cause| AuditError::Io { path: path.display().to_string(), cause })
}

/// Appends an entry and makes it durable.
///
/// # Errors
/// The file cannot be read or written.
pub fn append(
    dir: &DataDir,
    now: Timestamp,
    action: &str,
    details: serde_json::Value,
) -> Result<Entry, AuditError> {
    put(dir, now, action, None, details)
}

/// Appends the entry that says how far an action is.
///
/// # Errors
/// The file cannot be read or written.
pub fn append_stage(
    dir: &DataDir,
    now: Timestamp,
    action: &str,
    stage: Stage,
    details: serde_json::Value,
) -> Result<Entry, AuditError> {
    put(dir, now, action, Some(stage), details)
}

/// The last entry, if what it tells of was begun and is not said to have ended.
///
/// # Errors
/// The file cannot be read.
pub fn unfinished(dir: &DataDir) -> Result<Option<Entry>, AuditError> {
    let path = dir.audit();
    let End { last, .. } =
        end(&path).map_err(|cause| AuditError::Io { path: path.display().to_string(), cause })?;
    let entry: Option<Entry> = serde_json::from_str(&last).ok();
    Ok(entry.filter(|entry| entry.stage == Some(Stage::Begun)))
}

fn put(
    dir: &DataDir,
    now: Timestamp,
    action: &str,
    stage: Option<Stage>,
    details: serde_json::Value,
) -> Result<Entry, AuditError> {
    let path = dir.audit();
    let io = |cause| AuditError::Io { path: path.display().to_string(), cause };
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    // A service and a command may write at once; each line follows the one before.
    file.lock().map_err(io)?;
    let End { count, last, is_torn } = end(&path).map_err(io)?;
    let entry = Entry {
        number: count + 1,
        time: now.azure(),
        action: action.to_owned(),
        stage,
        details,
        previous: hash(&last),
    };
    // A line without its end stays one by itself: this entry is not to be lost with it.
    let mut line = if is_torn { vec![b'\n'] } else { Vec::new() };
    serde_json::to_writer(&mut line, &entry).map_err(|e| io(e.into()))?;
    line.push(b'\n');
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(io)?;
    Ok(entry)
}

/// Where the log ends.
#[derive(Default)]
struct End {
    count: u64,
    last: String,
    /// The last line has no end: whoever wrote it was killed.
    is_torn: bool,
}

fn end(path: &Path) -> io::Result<End> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(End::default()),
        Err(e) => return Err(e),
    };
    let (mut file, mut found, mut line) = (BufReader::new(file), End::default(), String::new());
    while file.read_line(&mut line)? > 0 {
        found.count += 1;
        found.is_torn = !line.ends_with('\n');
        found.last = line.trim_end_matches(['\r', '\n']).to_owned();
        line.clear();
    }
    Ok(found)
}

/// What was found of a log whose chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Lines.
    pub entries: u64,
    /// Of these, lines at the beginning that carry no hash: nothing can be said of them but that the
    /// last of them is the one that was there when the chain began.
    pub unchained: u64,
    /// SHA-256 of the last line, hexadecimal; empty for an empty log. Whoever can write the file can
    /// write all of it anew; who has kept this elsewhere sees it.
    pub last: String,
}

/// Checks the chain. Lines of before there was one are accepted at the beginning, and nowhere else.
///
/// # Errors
/// The file cannot be read, or was changed: the first line that does not fit is named.
pub fn verify(dir: &DataDir) -> Result<Checked, AuditError> {
    let path = dir.audit();
    let name = path.display().to_string();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Checked::default()),
        Err(cause) => return Err(AuditError::Io { path: name, cause }),
    };
    let (mut checked, mut before) = (Checked::default(), String::new());
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|cause| AuditError::Io { path: name.clone(), cause })?;
        if checked.unchained + 1 == number && is_of_before(&line) {
            checked.unchained = number;
        } else if let Err(why) = follows(&line, number, &before) {
            return Err(AuditError::Broken { path: name, line: number, why });
        }
        checked.entries = number;
        before = line;
    }
    if checked.entries > 0 {
        checked.last = hash(&before);
    }
    Ok(checked)
}

/// An object that carries no hash.
fn is_of_before(line: &str) -> bool {
    let value: Result<serde_json::Value, _> = serde_json::from_str(line);
    value.is_ok_and(|v| v.is_object() && v.get("previous").is_none())
}

/// The entry of a line, if it is the `number`-th behind `before`.
fn follows(line: &str, number: u64, before: &str) -> Result<Entry, &'static str> {
    let entry: Entry = serde_json::from_str(line).map_err(|_| "it is not an entry")?;
    if entry.number != number {
        return Err("its number is not the next one");
    }
    if entry.previous != hash(before) {
        return Err("it does not follow the line before");
    }
    Ok(entry)
}

/// Reads the whole log and checks its chain.
///
/// # Errors
/// The file cannot be read, or was changed.
pub fn read(dir: &DataDir) -> Result<Vec<Entry>, AuditError> {
    let path = dir.audit();
    let name = path.display().to_string();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(AuditError::Io { path: name, cause }),
    };
    let (mut entries, mut before) = (Vec::new(), String::new());
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|cause| AuditError::Io { path: name.clone(), cause })?;
        let broken = |why| AuditError::Broken { path: name.clone(), line: number, why };
        entries.push(follows(&line, number, &before).map_err(broken)?);
        before = line;
    }
    Ok(entries)
}

/// Every entry that can be read, whether or not the chain holds; lines that are none are passed over.
///
/// # Errors
/// The file cannot be read.
pub fn read_unchecked(dir: &DataDir) -> Result<Vec<Entry>, AuditError> {
    let path = dir.audit();
    match std::fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(AuditError::Io { path: path.display().to_string(), cause }),
        Ok(bytes) => {
            let lines = bytes.split(|b| *b == b'\n');
            Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_chained_and_a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        assert_eq!(read(&dir).unwrap(), []);
        for n in 0..3 {
            let details = serde_json::json!({ "account": format!("a{n}") });
            append(&dir, Timestamp(n), "model forget", details).unwrap();
        }
        let entries = read(&dir).unwrap();
        assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2, 3]);
        let text = std::fs::read_to_string(dir.audit()).unwrap();
        for changed in [
            text.replace("a1", "b1"),
            text.lines().skip(1).map(|l| format!("{l}\n")).collect(),
            text.replacen("\"number\":2", "\"number\":7", 1),
            text.replacen('{', "", 1),
        ] {
            std::fs::write(dir.audit(), changed).unwrap();
            assert!(matches!(read(&dir), Err(AuditError::Broken { .. })));
        }
    }

    #[test]
    fn the_first_line_that_does_not_fit_is_named_and_old_ones_are_a_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        assert_eq!(verify(&dir).unwrap(), Checked::default());
        let old = "{\"time\":\"2026-01-01T00:00:00Z\",\"action\":\"model forget\"}\n";
        std::fs::write(dir.audit(), old).unwrap();
        for n in 0..3 {
            append(&dir, Timestamp(n), "suppress", serde_json::json!({ "n": n })).unwrap();
        }
        let sound = verify(&dir).unwrap();
        assert_eq!((sound.entries, sound.unchained, sound.last.len()), (4, 1, 64));
        let text = std::fs::read_to_string(dir.audit()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let cases = [
            (text.replace("\"n\":1", "\"n\":9"), 4),
            (format!("{old}{text}"), 3),
            (text.replace("model forget", "model forgot"), 2),
            ([lines[0], lines[1], lines[3]].join("\n"), 3),
            ([lines[0], lines[1], old.trim_end(), lines[2]].join("\n"), 3),
        ];
        for (changed, line) in cases {
            std::fs::write(dir.audit(), changed).unwrap();
            let broken = verify(&dir).unwrap_err();
            assert!(matches!(broken, AuditError::Broken { line: l, .. } if l == line), "{broken}");
        }
    }

    #[test]
    fn a_torn_line_takes_no_entry_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        append(&dir, Timestamp(1), "model forget", serde_json::json!({})).unwrap();
        let text = std::fs::read_to_string(dir.audit()).unwrap() + "{\"number\":2,\"ti";
        std::fs::write(dir.audit(), text).unwrap();
        let entry = append(&dir, Timestamp(3), "model forget", serde_json::json!({})).unwrap();
        let text = std::fs::read_to_string(dir.audit()).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(serde_json::from_str::<Entry>(last).unwrap(), entry);
        assert!(matches!(read(&dir), Err(AuditError::Broken { line: 2, .. })));
    }

    #[test]
    fn what_was_begun_is_found_until_it_is_said_to_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        assert_eq!(unfinished(&dir).unwrap(), None);
        append(&dir, Timestamp(0), "evidence --raw", serde_json::json!({})).unwrap();
        assert_eq!(unfinished(&dir).unwrap(), None);
        let stage = |stage, details| {
            append_stage(&dir, Timestamp(1), "model forget", stage, details).unwrap()
        };
        let begun = stage(Stage::Begun, serde_json::json!({"account": "a"}));
        assert_eq!(unfinished(&dir).unwrap().as_ref(), Some(&begun));
        assert!(!begun.took_effect());
        let ended = stage(Stage::Interrupted, serde_json::json!({"took_effect": false}));
        assert_eq!(unfinished(&dir).unwrap(), None);
        assert!(!ended.took_effect());
        assert!(stage(Stage::Interrupted, serde_json::json!({"took_effect": null})).took_effect());
        assert!(stage(Stage::Done, serde_json::json!({})).took_effect());
        assert_eq!(read(&dir).unwrap().len(), 5);
    }

    #[test]
    fn what_cannot_be_appended_to_is_found_before() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        probe(&dir).unwrap();
        assert!(!dir.audit().exists(), "asking leaves nothing");
        std::fs::create_dir(dir.audit()).unwrap();
        assert!(matches!(probe(&dir), Err(AuditError::Io { .. })));
    }
}
