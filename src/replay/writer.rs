//! Where alert lines go: a file, standard output, or nowhere; and into the store, so that
//! `explain` finds them.
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::alert::Alert;
use crate::alert::formats::{self, Format};
use crate::store::{StateStore, StoreError, WriteBatch, keys};

/// Why alerts cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The file holds something else.
    #[error("`{0}` exists and does not hold alerts; name another file with --alerts")]
    NotAlerts(PathBuf),
    /// The file system refused.
    #[error("alerts cannot be written to `{path}`: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

enum Sink {
    File(BufWriter<File>, PathBuf),
    Stdout,
    Nowhere,
}

/// Writes alert lines. A line counts as delivered only after [`AlertWriter::sync`].
pub struct AlertWriter {
    sink: Sink,
    format: Format,
    line: Vec<u8>,
    /// Lines not in the store yet, in the shape that `explain` reads.
    unsaved: Vec<Vec<u8>>,
    next_number: u64,
    written: u64,
}

impl AlertWriter {
    /// Nowhere but into the store.
    pub fn nowhere() -> AlertWriter {
        AlertWriter::with(Sink::Nowhere, Format::Defender)
    }
    /// Standard output.
    pub fn stdout(format: Format) -> AlertWriter {
        AlertWriter::with(Sink::Stdout, format)
    }

    /// A fresh file: an older alert file is replaced, anything else is left alone.
    ///
    /// # Errors
    /// The file holds something else, or cannot be written.
    pub fn create(path: &Path, format: Format) -> Result<AlertWriter, WriterError> {
        let io = |cause| WriterError::Io { path: path.to_owned(), cause };
        if path.is_file() && !holds_alerts(path).map_err(io)? {
            return Err(WriterError::NotAlerts(path.to_owned()));
        }
        let file = File::create(path).map_err(io)?;
        Ok(AlertWriter::with(Sink::File(BufWriter::new(file), path.to_owned()), format))
    }

    /// Goes on with a file that `store` knows the delivered length of: what was written after the
    /// last checkpoint, a torn line included, is cut off and will be written again.
    ///
    /// # Errors
    /// The file holds something else, or cannot be written; the store failed.
    pub fn resume(
        path: &Path,
        format: Format,
        store: &dyn StateStore,
    ) -> anyhow::Result<AlertWriter> {
        let delivered = store.get(&keys::delivered(path))?;
        let Some(length) = delivered.and_then(|v| v.try_into().ok()).map(u64::from_be_bytes) else {
            let known = next_number(store)?;
            let kept = if known == 0 { None } else { lines_long(path, known)? };
            let Some(length) = kept else {
                let mut writer = AlertWriter::create(path, format)?;
                writer.next_number = known;
                return Ok(writer);
            };
            return AlertWriter::go_on(path, format, store, length);
        };
        AlertWriter::go_on(path, format, store, length)
    }

    /// Cuts the file at `length` and appends to it.
    fn go_on(
        path: &Path,
        format: Format,
        store: &dyn StateStore,
        length: u64,
    ) -> anyhow::Result<AlertWriter> {
        let io = |cause| WriterError::Io { path: path.to_owned(), cause };
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(io)?;
        let present = file.metadata().map_err(io)?.len();
        file.set_len(present.min(length)).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut writer =
            AlertWriter::with(Sink::File(BufWriter::new(file), path.to_owned()), format);
        writer.next_number = next_number(store)?;
        Ok(writer)
    }

    fn with(sink: Sink, format: Format) -> AlertWriter {
        AlertWriter {
            sink,
            format,
            line: Vec::new(),
            unsaved: Vec::new(),
            next_number: 0,
            written: 0,
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&mut self, alert: &Alert) -> Result<(), WriterError> {
        self.line.clear();
        formats::write_line(alert, self.format, &mut self.line);
        let line = &self.line;
        match &mut self.sink {
            Sink::File(file, path) => {
                file.write_all(line)
                    .map_err(|cause| WriterError::Io { path: path.clone(), cause })?;
            }
            Sink::Stdout => {
                io::stdout()
                    .write_all(line)
                    .map_err(|cause| WriterError::Io { path: "-".into(), cause })?;
            }
            Sink::Nowhere => {}
        }
        self.written += 1;
        let mut stored = Vec::new();
        formats::write_line(alert, Format::Defender, &mut stored);
        self.unsaved.push(stored);
        Ok(())
    }

    /// Flushes and syncs what was written.
    ///
    /// # Errors
    /// The file system refused.
    pub fn sync(&mut self) -> Result<(), WriterError> {
        if let Sink::File(file, path) = &mut self.sink {
            let done = file.flush().and_then(|()| file.get_ref().sync_data());
            done.map_err(|cause| WriterError::Io { path: path.clone(), cause })?;
        }
        Ok(())
    }

    /// Puts new lines and the delivered length into a checkpoint.
    pub fn save(&mut self, batch: &mut WriteBatch) {
        for line in self.unsaved.drain(..) {
            batch.put(keys::alert(self.next_number), line);
            self.next_number += 1;
        }
        if let Sink::File(file, path) = &mut self.sink
            && let Ok(length) = file.stream_position()
        {
            batch.put(keys::delivered(path), length.to_be_bytes().to_vec());
        }
    }

    /// Lines written.
    pub fn written(&self) -> u64 {
        self.written
    }
    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        if let Sink::File(_, path) = &self.sink { Some(path) } else { None }
    }
}

/// Number of the next alert line: one more than the last, so that a lost one in between makes none
/// be overwritten.
fn next_number(store: &dyn StateStore) -> Result<u64, StoreError> {
    let mut next = 0;
    store.scan(keys::ALERT, &mut |key, _| {
        let number = key[keys::ALERT.len()..].try_into().map(u64::from_be_bytes);
        next = number.map_or(next, |n| n.saturating_add(1));
        true
    })?;
    Ok(next)
}

/// Bytes of the first `lines` lines of a file of alerts, or of all if there are fewer; a torn last
/// line does not count. `None` if there is no such file.
///
/// For a store that came from a snapshot, which knows its alerts and no file: what the file holds
/// beyond them is raised again.
fn lines_long(path: &Path, lines: u64) -> anyhow::Result<Option<u64>> {
    let io = |cause| WriterError::Io { path: path.to_owned(), cause };
    if !path.is_file() {
        return Ok(None);
    }
    if !holds_alerts(path).map_err(io)? {
        return Err(WriterError::NotAlerts(path.to_owned()).into());
    }
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let (mut length, mut line) = (0, Vec::new());
    for _ in 0..lines {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(io)?;
        if !line.ends_with(b"\n") {
            break;
        }
        length += line.len() as u64;
    }
    Ok(Some(length))
}

/// Empty, or begins like one of our formats.
fn holds_alerts(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut head)?;
    let text = String::from_utf8_lossy(&head);
    let begins = |p: &str| text.starts_with(p);
    Ok(head.is_empty()
        || begins("CEF:0|")
        || (begins("{") && (text.contains("Microsoft.Security") || text.contains("cosmoguard"))))
}
