//! Lines in a file that is put aside when it is large or old.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::super::notice::Notice;
use super::super::say;
use super::super::settings::FileTarget;
use super::super::{SendError, Sent, Sink, Takes};
use crate::time::{HOUR_MS, Timestamp};

/// Lines that are written with one sync.
const LINES_MAX: usize = 256;

/// A file.
pub struct FileSink {
    target: FileTarget,
    /// Remembers when the file was begun; without it age puts nothing aside.
    begun: Option<PathBuf>,
}

impl FileSink {
    /// The sink that `target` describes; `folder` is its own.
    pub fn new(target: &FileTarget, folder: Option<&Path>) -> FileSink {
        FileSink { target: target.clone(), begun: folder.map(|folder| folder.join("begun")) }
    }

    fn write(&self, lines: &[String], now: Timestamp) -> io::Result<()> {
        let path = &self.target.path;
        self.rotate(now)?;
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        if length == 0 {
            self.begin(now)?;
        } else {
            // What a power cut tore stays a line of its own.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        file.sync_data()
    }

    fn begin(&self, now: Timestamp) -> io::Result<()> {
        let Some(path) = &self.begun else { return Ok(()) };
        std::fs::write(path, now.millis().to_string())
    }

    fn is_old(&self, now: Timestamp) -> bool {
        let begun = self.begun.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        let Some(begun) = begun.and_then(|text| text.trim().parse().ok()) else { return false };
        let most = i64::from(self.target.rotate_hours) * HOUR_MS;
        most > 0 && now.since(Timestamp(begun)) >= most
    }

    /// Puts the file aside as `….1`, the one before as `….2`, and so on.
    fn rotate(&self, now: Timestamp) -> io::Result<()> {
        let path = &self.target.path;
        let length = std::fs::metadata(path).map_or(0, |m| m.len());
        if length == 0 || (length < self.target.rotate_bytes && !self.is_old(now)) {
            return Ok(());
        }
        let numbered = |n: u32| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        if self.target.keep == 0 {
            return std::fs::remove_file(path);
        }
        for n in (1..self.target.keep).rev() {
            if numbered(n).exists() {
                std::fs::rename(numbered(n), numbered(n + 1))?;
            }
        }
        std::fs::rename(path, numbered(1))?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Sink for FileSink {
    fn takes(&self) -> Takes {
        Takes::Many(LINES_MAX)
    }
    fn send(&mut self, notices: &[&Notice], now: Timestamp) -> Sent {
        let mut lines = Vec::with_capacity(notices.len());
        let mut refused = None;
        for notice in notices {
            match say::message(notice, self.target.format.0) {
                Ok(line) => lines.push(line),
                Err(why) => {
                    refused = Some(SendError::Refused(why));
                    break;
                }
            }
        }
        let count = lines.len();
        if count > 0
            && let Err(cause) = self.write(&lines, now)
        {
            let why = format!("{} cannot be written: {cause}", self.target.path.display());
            return Sent { delivered: 0, error: Some(SendError::later(why)) };
        }
        Sent { delivered: count, error: refused }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::notice::Heartbeat;
    use super::*;

    #[test]
    fn files_are_put_aside_by_size_and_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out/alerts.jsonl");
        let text =
            format!("path = '{}'\nrotate_bytes = 4096\nrotate_hours = 2\nkeep = 2", path.display());
        let target: FileTarget = toml::from_str(&text).unwrap();
        let mut sink = FileSink::new(&target, Some(folder.path()));
        let notice = Notice::heartbeat("a", Heartbeat::default());
        let size = |n: &str| {
            let path = format!("{}{n}", path.display());
            std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
        };
        let start = Timestamp(1_000_000_000_000);
        assert_eq!(sink.send(&[&notice, &notice], start).delivered, 2);
        assert_eq!((size(""), size(".1")), (2, 0));
        assert_eq!(sink.send(&[&notice], start.plus_ms(2 * HOUR_MS)).error, None);
        assert_eq!((size(""), size(".1")), (1, 2));
        for _ in 0..60 {
            assert_eq!(sink.send(&[&notice], start.plus_ms(2 * HOUR_MS)).delivered, 1);
        }
        assert!(size(".2") > 10 && size(".1") > 10 && size("") > 0, "by size");
        assert_eq!(size(".3"), 0, "two are kept");
    }

    #[test]
    fn a_torn_line_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        std::fs::write(&path, "{\"half").unwrap();
        let target: FileTarget = toml::from_str(&format!("path = '{}'", path.display())).unwrap();
        let notice = Notice::heartbeat("a", Heartbeat::default());
        FileSink::new(&target, None).send(&[&notice], Timestamp(0));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "{\"half"));
        assert!(lines[1].starts_with("{\"type\":\"cosmoguard.heartbeat\""), "{text}");
    }
}
