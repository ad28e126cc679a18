//! `refused.jsonl`: what could not be read, where it was and why.
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::{Refusal, RefusalReason};
use crate::limits::{REFUSED_BYTES_MAX, REFUSED_FILE_BYTES_MAX, REFUSED_KEPT_MAX};

/// One line of the file.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    offset: u64,
    at: usize,
    reason: &'static str,
    detail: &'a str,
    record: &'a str,
}

/// What was refused, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedSummary {
    /// Refused records by reason.
    pub by_reason: BTreeMap<RefusalReason, u64>,
    /// Lines written to the file.
    pub kept: u64,
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Why lines could not be written, if so.
    pub trouble: Option<String>,
}

impl RefusedSummary {
    /// All refused records, kept or not.
    pub fn total(&self) -> u64 {
        self.by_reason.values().sum()
    }
}

/// What becomes of a file that an earlier run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It is gone on with, up to [`REFUSED_FILE_BYTES_MAX`]: this run does not meet its records again.
    Kept,
    /// It is renamed to `….old`: this run reads all from the beginning.
    Renamed,
}

/// Keeps the first refused records in a file and counts all of them. The file comes into being
/// with the first of them. Each line is written whole, and a file that cannot be written does not
/// stop the run: the counts go on and the summary tells.
#[derive(Debug)]
pub struct RefusedLog {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    earlier: Earlier,
    kept_max: u64,
    bytes: u64,
    bytes_max: u64,
    summary: RefusedSummary,
}

impl RefusedLog {
    /// Writes to `path`, once there is something to write.
    pub fn new(path: &Path, earlier: Earlier) -> RefusedLog {
        RefusedLog::with_bounds(path, earlier, REFUSED_KEPT_MAX as u64, REFUSED_FILE_BYTES_MAX)
    }

    fn with_bounds(path: &Path, earlier: Earlier, kept_max: u64, bytes_max: u64) -> RefusedLog {
        let (path, summary) = (path.to_owned(), RefusedSummary::default());
        RefusedLog { path, out: None, earlier, kept_max, bytes: 0, bytes_max, summary }
    }

    /// Opens the file, behind what an earlier run left in it.
    fn open(&mut self) -> io::Result<File> {
        if self.earlier == Earlier::Renamed {
            if self.path.is_file() {
                let mut old = self.path.as_os_str().to_owned();
                old.push(".old");
                std::fs::rename(&self.path, old)?;
            }
            return File::create(&self.path);
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        self.bytes = file.metadata()?.len();
        let mut last = [b'\n'];
        if self.bytes > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            // A line that was cut off stays one by itself.
            file.write_all(b"\n")?;
            self.bytes += 1;
        }
        Ok(file)
    }

    /// Records one refusal: `record` are its first bytes, found at `offset` of `file`.
    pub fn push(&mut self, file: &str, offset: u64, refusal: &Refusal, record: &[u8]) {
        let count = self.summary.by_reason.entry(refusal.reason).or_default();
        *count = count.saturating_add(1);
        if self.summary.kept >= self.kept_max || self.summary.trouble.is_some() {
            return;
        }
        match self.write(file, offset, refusal, record) {
            Ok(()) => self.summary.kept += 1,
            Err(error) => self.trouble(&error),
        }
    }

    fn write(
        &mut self,
        file: &str,
        offset: u64,
        refusal: &Refusal,
        record: &[u8],
    ) -> io::Result<()> {
        let cut = record.get(..record.len().min(REFUSED_BYTES_MAX)).unwrap_or_default();
        let line = Line {
            file,
            offset,
            at: refusal.at,
            reason: refusal.reason.as_str(),
            detail: &refusal.detail,
            record: &String::from_utf8_lossy(cut),
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let out = match &mut self.out {
            Some(out) => out,
            None => {
                let file = self.open()?;
                self.summary.file = Some(self.path.clone());
                self.out.insert(BufWriter::new(file))
            }
        };
        self.bytes += text.len() as u64;
        if self.bytes > self.bytes_max {
            let full = format!(
                "it has {} bytes of earlier runs and this one, move it away",
                self.bytes_max
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, full));
        }
        if out.buffer().len() + text.len() > out.capacity() {
            // So that the file never ends inside a line, whenever the process is killed.
            out.flush()?;
        }
        out.write_all(&text)
    }

    fn trouble(&mut self, error: &io::Error) {
        let path = self.path.display();
        self.summary.trouble.get_or_insert(format!(
            "cannot write {path}: {error}; make room there before the next run"
        ));
    }

    /// Writes out what is buffered, and says what was refused so far.
    pub fn summary(&mut self) -> RefusedSummary {
        if let Some(Err(error)) = self.out.as_mut().map(Write::flush) {
            self.trouble(&error);
        }
        self.summary.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reason: RefusalReason) -> Refusal {
        Refusal { reason, at: 3, detail: "expected a value".into() }
    }

    #[test]
    fn the_file_appears_with_the_first_refusal_and_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.jsonl");
        let mut log = RefusedLog::with_bounds(&path, Earlier::Kept, 2, 1 << 20);
        assert_eq!(log.summary(), RefusedSummary::default());
        assert!(!path.exists());
        for _ in 0..5 {
            log.push("a.json", 7, &refusal(RefusalReason::BadJson), b"{\"a\": \xFF \"b\"}");
        }
        log.push("a.json", 9, &refusal(RefusalReason::TooDeep), b"[");
        let summary = log.summary();
        assert_eq!((summary.total(), summary.kept), (6, 2));
        assert_eq!(summary.by_reason[&RefusalReason::BadJson], 5);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(line["reason"], "bad_json");
        assert_eq!((line["offset"].as_u64(), line["at"].as_u64()), (Some(7), Some(3)));
        assert_eq!(line["record"], "{\"a\": \u{FFFD} \"b\"}");
    }

    #[test]
    fn what_an_earlier_run_refused_is_kept_up_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.jsonl");
        let run = |earlier, bytes_max| {
            let mut log = RefusedLog::with_bounds(&path, earlier, 9, bytes_max);
            log.push("a.json", 7, &refusal(RefusalReason::BadJson), b"{");
            log.summary()
        };
        let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(run(Earlier::Kept, 1000).kept, 1);
        assert_eq!(run(Earlier::Kept, 1000).kept, 1);
        assert_eq!(lines(), 2);
        let torn = std::fs::read_to_string(&path).unwrap() + "{\"file\": ";
        std::fs::write(&path, torn).unwrap();
        assert_eq!(run(Earlier::Kept, 1000).kept, 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|l| l.ends_with('}')).count(), 3, "{text}");
        let full = run(Earlier::Kept, text.len() as u64 + 10);
        assert_eq!((full.kept, full.total(), lines()), (0, 1, 4));
        assert!(full.trouble.is_some_and(|t| t.contains("move it away")));
        assert_eq!(run(Earlier::Renamed, 1000).kept, 1);
        assert_eq!(lines(), 1);
        assert_eq!(std::fs::read_to_string(folder.path().join("refused.jsonl.old")).unwrap(), text);
    }

    #[test]
    fn a_file_that_cannot_be_written_stops_the_keeping_and_not_the_counting() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RefusedLog::new(&folder.path().join("missing/refused.jsonl"), Earlier::Kept);
        for _ in 0..3 {
            log.push("a.json", 0, &refusal(RefusalReason::CutOff), b"{");
        }
        let summary = log.summary();
        assert_eq!((summary.total(), summary.kept), (3, 0));
        assert!(summary.trouble.is_some_and(|t| t.contains("cannot write")));
    }
}
