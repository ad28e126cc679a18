//! The audit log: what people changed by hand. A JSON line each, chained by hashes: a line that is
//! changed, taken out or put in breaks the chain behind it.
//!
//! What changes state has two entries, one before and one after: a process that is killed in between
//! leaves the first, and whoever opens the directory next adds what came of it ([`unfinished`]).
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Take, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::DataDir;
use crate::time::Timestamp;

/// Longest log, bytes: some 800,000 entries. It is read whole before each is appended.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Longest line: many times the longest entry.
const LINE_BYTES_MAX: u64 = 1 << 20;

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
    /// A folder, a pipe or a device, which might never come to an end.
    #[error(
        "the audit log `{0}` is not a regular file; move it away and run the same command again: a new log is begun"
    )]
    NotAFile(String),
    /// Nothing that this program wrote in years.
    #[error(
        "the audit log `{path}` has {bytes} bytes, more than the {LOG_BYTES_MAX} that are read; move it away, keep it, and run the same command again: a new log is begun"
    )]
    TooLong {
        /// The file.
        path: String,
        /// Its length.
        bytes: u64,
    },
}

impl AuditError {
    fn io(path: &Path) -> impl Fn(io::Error) -> AuditError + Copy {
        move |cause| AuditError::Io { path: path.display().to_string(), cause }
    }
}

fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|b| format!("{b:02x}")).collect()
}

/// Says beforehand that an entry could not be appended: what is not recorded must not be done.
///
/// # Errors
/// The file is there and cannot be read or written.
pub fn probe(dir: &DataDir) -> Result<(), AuditError> {
    let path = dir.audit();
    end(&path)?;
    match OpenOptions::new().append(true).open(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(AuditError::io(&path)(cause)),
        _ => Ok(()),
    }
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
    let entry: Option<Entry> = serde_json::from_slice(&end(&dir.audit())?.last).ok();
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
    let io = AuditError::io(&path);
    // Opening a pipe would wait for its reader.
    Lines::open(&path)?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    // A service and a command may write at once; each line follows the one before.
    file.lock().map_err(io)?;
    let End { count, last, is_torn } = end(&path)?;
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

/// The lines of a log, of which no more than the bounds is read, whatever it is.
struct Lines {
    path: String,
    rest: BufReader<Take<File>>,
    /// Lines read.
    number: u64,
}

impl Lines {
    /// `None` where there is no log.
    fn open(path: &Path) -> Result<Option<Lines>, AuditError> {
        // Asked before it is opened: a pipe would be waited for, a device read without end.
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(AuditError::io(path)(cause)),
        };
        let (name, bytes) = (path.display().to_string(), found.len());
        if !found.is_file() {
            return Err(AuditError::NotAFile(name));
        }
        if bytes > LOG_BYTES_MAX {
            return Err(AuditError::TooLong { path: name, bytes });
        }
        let file = File::open(path).map_err(AuditError::io(path))?;
        Ok(Some(Lines { path: name, rest: BufReader::new(file.take(LOG_BYTES_MAX)), number: 0 }))
    }

    /// Puts the next line into `line`, without its end; tells whether it had one. `None` at the end.
    fn next_into(&mut self, line: &mut Vec<u8>) -> Result<Option<bool>, AuditError> {
        line.clear();
        let read = (&mut self.rest).take(LINE_BYTES_MAX).read_until(b'\n', line);
        let read = read.map_err(|cause| AuditError::Io { path: self.path.clone(), cause })?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && read as u64 == LINE_BYTES_MAX {
            return Err(self.broken("it is longer than any entry"));
        }
        line.pop_if(|last| *last == b'\r');
        Ok(Some(is_whole))
    }

    /// The line that was read last does not fit.
    fn broken(&self, why: &'static str) -> AuditError {
        AuditError::Broken { path: self.path.clone(), line: self.number, why }
    }
}

/// Where the log ends.
#[derive(Default)]
struct End {
    count: u64,
    last: Vec<u8>,
    /// The last line has no end: whoever wrote it was killed.
    is_torn: bool,
}

fn end(path: &Path) -> Result<End, AuditError> {
    let Some(mut lines) = Lines::open(path)? else { return Ok(End::default()) };
    let (mut found, mut line) = (End::default(), Vec::new());
    while let Some(is_whole) = lines.next_into(&mut line)? {
        found.is_torn = !is_whole;
        std::mem::swap(&mut found.last, &mut line);
    }
    found.count = lines.number;
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
    let Some(mut lines) = Lines::open(&dir.audit())? else { return Ok(Checked::default()) };
    let (mut checked, mut before, mut line) = (Checked::default(), Vec::new(), Vec::new());
    while lines.next_into(&mut line)?.is_some() {
        if checked.unchained + 1 == lines.number && is_of_before(&line) {
            checked.unchained = lines.number;
        } else {
            follows(&line, lines.number, &before).map_err(|why| lines.broken(why))?;
        }
        std::mem::swap(&mut before, &mut line);
    }
    checked.entries = lines.number;
    if checked.entries > 0 {
        checked.last = hash(&before);
    }
    Ok(checked)
}

/// An object that carries no hash.
fn is_of_before(line: &[u8]) -> bool {
    let value: Result<serde_json::Value, _> = serde_json::from_slice(line);
    value.is_ok_and(|v| v.is_object() && v.get("previous").is_none())
}

/// The entry of a line, if it is the `number`-th behind `before`.
fn follows(line: &[u8], number: u64, before: &[u8]) -> Result<Entry, &'static str> {
    let entry: Entry = serde_json::from_slice(line).map_err(|_| "it is not an entry")?;
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
    let Some(mut lines) = Lines::open(&dir.audit())? else { return Ok(Vec::new()) };
    let (mut entries, mut before, mut line) = (Vec::new(), Vec::new(), Vec::new());
    while lines.next_into(&mut line)?.is_some() {
        let entry = follows(&line, lines.number, &before).map_err(|why| lines.broken(why))?;
        entries.push(entry);
        std::mem::swap(&mut before, &mut line);
    }
    Ok(entries)
}

/// Every entry that can be read, whether or not the chain holds; lines that are none are passed over.
///
/// # Errors
/// The file cannot be read, or a line of it has no end.
pub fn read_unchecked(dir: &DataDir) -> Result<Vec<Entry>, AuditError> {
    let Some(mut lines) = Lines::open(&dir.audit())? else { return Ok(Vec::new()) };
    let (mut entries, mut line) = (Vec::new(), Vec::new());
    while lines.next_into(&mut line)?.is_some() {
        entries.extend(serde_json::from_slice::<Entry>(&line).ok());
    }
    Ok(entries)
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
        assert!(matches!(probe(&dir), Err(AuditError::NotAFile(_))));
    }

    /// What each way of using the log says.
    fn refusals(dir: &DataDir) -> Vec<AuditError> {
        vec![
            probe(dir).unwrap_err(),
            append(dir, Timestamp(0), "suppress", serde_json::json!({})).unwrap_err(),
            unfinished(dir).unwrap_err(),
            verify(dir).unwrap_err(),
            read(dir).unwrap_err(),
            read_unchecked(dir).unwrap_err(),
        ]
    }

    #[cfg(unix)]
    #[test]
    fn what_has_no_end_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        for device in ["/dev/zero", "/dev/full"] {
            std::os::unix::fs::symlink(device, dir.audit()).unwrap();
            for refusal in refusals(&dir) {
                assert!(matches!(refusal, AuditError::NotAFile(_)), "{device}: {refusal}");
                assert!(refusal.to_string().contains("audit.jsonl` is not a regular file; move"));
            }
            std::fs::remove_file(dir.audit()).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(dir.audit()).status().unwrap();
        assert!(made.success());
        assert!(refusals(&dir).iter().all(|r| matches!(r, AuditError::NotAFile(_))));
    }

    #[test]
    fn a_log_and_a_line_have_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        let file = File::create(dir.audit()).unwrap();
        // A hole, which takes no room on the disk.
        file.set_len(LOG_BYTES_MAX + 1).unwrap();
        for refusal in refusals(&dir) {
            assert!(matches!(refusal, AuditError::TooLong { .. }), "{refusal}");
            assert!(refusal.to_string().contains("audit.jsonl` has 268435457 bytes"), "{refusal}");
        }
        file.set_len(LINE_BYTES_MAX).unwrap();
        for refusal in refusals(&dir) {
            assert!(matches!(refusal, AuditError::Broken { line: 1, .. }), "{refusal}");
        }
        file.set_len(LINE_BYTES_MAX - 1).unwrap();
        append(&dir, Timestamp(0), "suppress", serde_json::json!({})).unwrap();
        let entries = read_unchecked(&dir).unwrap();
        assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), [2]);
    }
}
