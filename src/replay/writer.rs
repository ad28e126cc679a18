//! Where alert lines go: a file, standard output, or nowhere; and into the store, so that
//! `explain` finds them.
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::alert_file;
use crate::alert::Alert;
use crate::alert::formats::{self, Format};
use crate::fleet::silence::Change;
use crate::store::{StateStore, WriteBatch, keys};

/// Why alerts cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The file holds something else.
    #[error("`{0}` exists and does not hold alerts; name another file with --alerts")]
    NotAlerts(PathBuf),
    /// The name is a folder's.
    #[error("`{0}` is a folder; name a file in it with --alerts")]
    IsFolder(PathBuf),
    /// The file system refused.
    #[error("alerts cannot be written to `{path}`: {cause}; {}", next_step(cause))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// Is told of alert lines once they are durable: in the file, and in the store under their number.
pub trait Listener: Send {
    /// A line in the shape of [`Format::Defender`], without its end, and its number.
    fn delivered(&mut self, number: u64, line: &[u8]);
    /// Logs fell silent, or are back.
    fn silence(&mut self, change: &Change) {
        let _ = change;
    }
}

/// What whoever runs it can do about it.
fn next_step(cause: &io::Error) -> &'static str {
    use io::ErrorKind;
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
            "make room and run the same command again: with --data-dir it goes on where it was"
        }
        ErrorKind::BrokenPipe => {
            "whoever read it is gone: start it and run the same command again, with --data-dir it goes on where it was"
        }
        ErrorKind::NotFound => "create the folder, or name another file with --alerts",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "allow writing there, or name another file with --alerts"
        }
        _ => "put that right or name another file with --alerts, and run the same command again",
    }
}

enum Sink {
    File(BufWriter<File>, PathBuf),
    /// A device or a pipe: it has no length, and nothing that is in it can be cut or found again.
    Stream(BufWriter<File>, PathBuf),
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
    /// Lines in the store's next batch, that nobody was told of.
    untold: Vec<(u64, Vec<u8>)>,
    listener: Option<Box<dyn Listener>>,
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

    /// A fresh file: an older alert file becomes `….old`, anything else is left alone.
    ///
    /// # Errors
    /// The file holds something else, or cannot be written.
    pub fn create(path: &Path, format: Format) -> Result<AlertWriter, WriterError> {
        let io = |cause| WriterError::Io { path: path.to_owned(), cause };
        if alert_file::is_stream(path)? {
            return AlertWriter::stream(path, format);
        }
        if alert_file::holds_lines(path)? {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            std::fs::rename(path, &old).map_err(io)?;
        }
        AlertWriter::at(path, format, 0)
    }

    /// Goes on with a file: what was written after the last checkpoint, a torn line included, is
    /// cut off and will be written again; lines that the store knows as delivered and that the
    /// file lost at its end are put back; lines that the store knows nothing of stay.
    ///
    /// # Errors
    /// The file holds something else, or cannot be written; the store failed.
    pub fn resume(
        path: &Path,
        format: Format,
        store: &dyn StateStore,
    ) -> anyhow::Result<AlertWriter> {
        let known = alert_file::next_number(store)?;
        if alert_file::is_stream(path)? {
            let mut writer = AlertWriter::stream(path, format)?;
            writer.next_number = known;
            return Ok(writer);
        }
        let delivered = store.get(&keys::delivered(path))?;
        let delivered = delivered.and_then(|v| v.try_into().ok()).map(u64::from_be_bytes);
        let alert_file::Plan { length, missing } =
            alert_file::plan(path, format, store, delivered, known)?;
        if delivered.is_none() && length == 0 {
            // Before the file is there: whatever is found in it later is this store's.
            let mut batch = WriteBatch::default();
            batch.put(keys::delivered(path), 0_u64.to_be_bytes().to_vec());
            store.write(batch)?;
            store.flush()?;
        }
        let mut writer = AlertWriter::at(path, format, length)?;
        writer.next_number = known;
        for number in missing {
            let line = store.get(&keys::alert(number))?.unwrap_or_default();
            writer.put(line.trim_ascii_end())?;
            writer.put(b"\n")?;
        }
        // Before the first line: what a run writes that dies before its first checkpoint is cut off
        // like what comes after any other.
        let mut batch = WriteBatch::default();
        writer.sync()?;
        writer.save(&mut batch);
        store.write(batch)?;
        store.flush()?;
        Ok(writer)
    }

    /// Cuts the file at `length` and appends to it.
    fn at(path: &Path, format: Format, length: u64) -> Result<AlertWriter, WriterError> {
        let io = |cause| WriterError::Io { path: path.to_owned(), cause };
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(io)?;
        file.set_len(length).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        // So that a file which is new survives a power cut.
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all()).map_err(io)?;
        Ok(AlertWriter::with(Sink::File(BufWriter::new(file), path.to_owned()), format))
    }

    /// Opens what is no file: a device, a pipe (as soon as somebody reads it), standard output by
    /// its name. What was written and not in a checkpoint yet when a run died comes again.
    fn stream(path: &Path, format: Format) -> Result<AlertWriter, WriterError> {
        let opened = OpenOptions::new().append(true).open(path);
        let file = opened.map_err(|cause| WriterError::Io { path: path.to_owned(), cause })?;
        Ok(AlertWriter::with(Sink::Stream(BufWriter::new(file), path.to_owned()), format))
    }

    fn with(sink: Sink, format: Format) -> AlertWriter {
        AlertWriter {
            sink,
            format,
            line: Vec::new(),
            unsaved: Vec::new(),
            untold: Vec::new(),
            listener: None,
            next_number: 0,
            written: 0,
        }
    }

    /// Who is told of lines from now on.
    pub fn set_listener(&mut self, listener: Box<dyn Listener>) {
        self.listener = Some(listener);
    }

    /// Tells the listener that logs fell silent, or are back.
    pub fn tell_silence(&mut self, change: &Change) {
        if let Some(listener) = &mut self.listener {
            listener.silence(change);
        }
    }

    /// There are lines that no batch holds.
    pub fn has_news(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// The batches of [`AlertWriter::save`] are in the store, and durable.
    pub fn saved(&mut self) {
        for (number, line) in self.untold.drain(..) {
            if let Some(listener) = &mut self.listener {
                listener.delivered(number, line.trim_ascii_end());
            }
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&mut self, alert: &Alert) -> Result<(), WriterError> {
        self.line.clear();
        formats::write_line(alert, self.format, &mut self.line);
        let line = std::mem::take(&mut self.line);
        self.put(&line)?;
        self.line = line;
        self.written += 1;
        let mut stored = Vec::new();
        formats::write_line(alert, Format::Defender, &mut stored);
        self.unsaved.push(stored);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriterError> {
        let done = match &mut self.sink {
            Sink::File(file, _) | Sink::Stream(file, _) => file.write_all(bytes),
            Sink::Stdout => io::stdout().write_all(bytes),
            Sink::Nowhere => Ok(()),
        };
        done.map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> WriterError {
        let path = match &self.sink {
            Sink::File(_, path) | Sink::Stream(_, path) => path.clone(),
            Sink::Stdout | Sink::Nowhere => "-".into(),
        };
        WriterError::Io { path, cause }
    }

    /// Flushes and syncs what was written.
    ///
    /// # Errors
    /// The file system refused.
    pub fn sync(&mut self) -> Result<(), WriterError> {
        let done = match &mut self.sink {
            Sink::File(file, _) => file.flush().and_then(|()| file.get_ref().sync_data()),
            Sink::Stream(file, _) => file.flush(),
            Sink::Stdout | Sink::Nowhere => Ok(()),
        };
        done.map_err(|cause| self.failed(cause))
    }

    /// Puts new lines and the delivered length into a checkpoint.
    pub fn save(&mut self, batch: &mut WriteBatch) {
        for line in self.unsaved.drain(..) {
            if self.listener.is_some() {
                self.untold.push((self.next_number, line.clone()));
            }
            batch.put(keys::alert(self.next_number), line);
            self.next_number += 1;
        }
        if let Sink::File(file, path) = &mut self.sink
            && let Ok(length) = file.stream_position()
        {
            batch.put(keys::delivered(path), length.to_be_bytes().to_vec());
        }
    }

    /// Shape of its lines.
    pub fn format(&self) -> Format {
        self.format
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
