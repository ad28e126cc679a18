//! The order of reading, and the reader that keeps it.
//!
//! - One file: as it is.
//! - Files: merged by time. The segments of an inbox are one file, read in the order in which
//!   batches came.
//! - A blob layout: hour by hour, the blobs of an hour in groups that may be open at once, each
//!   group merged by time. The hour of a blob is that of arrival; while it is read the watermark
//!   may not pass its start.
//! - Both: files join the hour in which their records lie. A file's record waits until the hour
//!   of its time is read; records before the first hour come before it, records after the last
//!   hour after it.
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::FileTable;
use super::growing::{Growing, Stopped};
use super::input;
use super::merge::{Merge, first_times};
use super::ordered::{Ordered, by_hour};
use super::paths::{Listing, Skipped, Warnings, is_stdin, list};
use super::stream::{Item, READ_LARGE, READ_SMALL, Stream};
use super::time_hint::time_hint;
use super::{Chunk, KnownHeads, Options, Progress, RawRecord, SourceError};
use crate::limits::{CHUNK_BYTES, CHUNK_RECORDS};
use crate::time::Timestamp;

/// Descriptors left for everything else that the process has open.
const DESCRIPTORS_SPARE: u64 = 64;
/// How far into a file its first record is looked for; a file without one that early comes first.
const FIRST_RECORD_WITHIN: u64 = 1 << 20;

/// Opens files for the merges, and keeps account of them.
pub(super) struct Opener {
    pub(super) files: FileTable,
    pub(super) warnings: Warnings,
    read: Arc<AtomicU64>,
    opened: u64,
    left_out: u64,
    /// Input that was handed over open, in place of file 0.
    given: Option<Box<dyn Read + Send>>,
    known_heads: KnownHeads,
    /// Files are read while they grow.
    pub(super) growing: Option<Growing>,
    /// The file that each goes on in.
    pub(super) follows: HashMap<u32, u32>,
    /// Runs written to disk so far.
    pub(super) runs: u64,
}

impl Opener {
    pub(super) fn new(files: FileTable) -> Opener {
        Opener {
            files,
            warnings: Warnings::default(),
            read: Arc::default(),
            opened: 0,
            left_out: 0,
            given: None,
            known_heads: KnownHeads::new(),
            growing: None,
            follows: HashMap::new(),
            runs: 0,
        }
    }

    /// Bytes read from disk so far, before decompression.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// `None` and a warning if the file is gone or cannot be read.
    pub(super) fn stream(&mut self, file: u32, read_bytes: usize) -> Option<Stream> {
        let path = self.files.path(file);
        let whole = |(input, identity)| (Stream::new(file, input, read_bytes), identity);
        let result = match (&mut self.growing, self.given.take()) {
            (Some(growing), _) => growing.open(file, &path, read_bytes, &self.read),
            (None, Some(raw)) => input::wrap(raw, None, &self.read).map(whole),
            (None, None) => {
                let known = self.known_heads.get(&self.files.relative_hash(file)).copied();
                input::open(&path, known, &self.read).map(whole)
            }
        };
        match result {
            Ok((stream, identity)) => {
                self.opened += 1;
                if let Some(entry) = self.files.entries.get_mut(file as usize) {
                    entry.identity = Some(identity);
                }
                Some(stream)
            }
            // Somebody still writes to it: at another time.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(error) => {
                let path = path.display();
                self.left_out += 1;
                self.warnings.push(format!("{path} cannot be read and is left out: {error}"));
                None
            }
        }
    }

    /// A file was read to the end of what is there.
    pub(super) fn stopped(&mut self, stream: Stream) {
        if let Some(growing) = &mut self.growing {
            let file = stream.file;
            let (place, trouble) = stream.stopped();
            growing.stopped.push(Stopped { file, place, trouble });
        }
    }

    /// The time of a file's first record. Standard input and pipes cannot be read twice.
    pub(super) fn first_time(&self, file: u32) -> Option<Timestamp> {
        let path = self.files.path(file);
        if is_stdin(&path) || !std::fs::metadata(&path).is_ok_and(|m| m.is_file()) {
            return None;
        }
        // A file that cannot be opened now is reported when its turn comes.
        let (input, _) = input::open(&path, None, &Arc::default()).ok()?;
        let mut stream = Stream::new(file, input.within(FIRST_RECORD_WITHIN), READ_SMALL);
        loop {
            match stream.next() {
                Item::Record { start, len, .. } => {
                    return time_hint(stream.buffer().get(start..start + len)?);
                }
                Item::Refused(_) => {}
                Item::End => return None,
            }
        }
    }
}

enum Plan {
    /// The one file, not opened yet.
    First,
    Single(Box<Stream>),
    Ordered(Box<Ordered>),
    Done,
}

/// Reads chunks of raw records. See the module's head for their order.
pub struct Reader {
    opener: Opener,
    plan: Plan,
    skipped: Skipped,
    bytes_total: u64,
    chunk_records: usize,
    spare: Vec<u8>,
    /// Frontier of the last chunk.
    frontier: Option<Timestamp>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// Descriptors that reading may use.
pub(super) fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let usable = limit.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_SPARE);
    usize::try_from(usable).unwrap_or(usize::MAX)
}

impl Reader {
    pub(super) fn open(paths: &[PathBuf], options: &Options) -> Result<Reader, SourceError> {
        let Listing { files, skipped, warnings } = list(paths)?;
        let count = files.len() as u32;
        let plain_count = files.entries.partition_point(|entry| entry.hour.is_none()) as u32;
        let mut reader = Reader::with(files, None);
        reader.chunk_records = options.chunk_records.max(1);
        reader.skipped = skipped;
        reader.opener.warnings = warnings;
        if count == 1 && plain_count == 1 {
            reader.plan = Plan::First;
            return Ok(reader);
        }
        let blobs_open = options.max_open_blobs.min(descriptors()).max(1);
        let for_plain = if plain_count == count {
            descriptors()
        } else {
            descriptors().saturating_sub(blobs_open)
        };
        let (first, follows) = reader.opener.files.chained(0..plain_count);
        reader.opener.follows = follows;
        let first = first_times(first, &reader.opener);
        let plain = Merge::new(first, options.max_open_merge.min(for_plain));
        let hours = by_hour(&reader.opener.files, plain_count..count);
        let ordered = Ordered::new(plain, plain_count > 0, hours, blobs_open, reader.chunk_records);
        reader.plan = Plan::Ordered(Box::new(ordered));
        Ok(reader)
    }

    /// Reads from `input`, which is called `name` in messages.
    pub fn from_read(name: &str, input: Box<dyn Read + Send>) -> Reader {
        let mut reader = Reader::with(FileTable::single(name), Some(input));
        reader.plan = Plan::First;
        reader
    }

    /// Says which files an earlier run met when they were shorter than 64 KiB; before the first
    /// chunk.
    pub fn know_heads(&mut self, known: KnownHeads) {
        self.opener.known_heads = known;
    }

    fn with(files: FileTable, given: Option<Box<dyn Read + Send>>) -> Reader {
        let bytes_total = files.entries.iter().map(|entry| entry.size).sum();
        let mut opener = Opener::new(files);
        opener.given = given;
        let (skipped, spare) = (Skipped::default(), Vec::new());
        Reader {
            opener,
            plan: Plan::Done,
            skipped,
            bytes_total,
            chunk_records: CHUNK_RECORDS,
            spare,
            frontier: None,
        }
    }

    fn single(&mut self) -> Plan {
        let stream = self.opener.stream(0, READ_LARGE);
        stream.map_or(Plan::Done, |stream| Plan::Single(Box::new(stream)))
    }

    /// The next records; `None` when all is read. A chunk without records only lifts the frontier.
    ///
    /// # Errors
    /// Only when temporary files for merging cannot be written or read; trouble with the logs
    /// themselves is in [`Chunk::refused`] and [`Reader::warnings`].
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let mut chunk = Chunk { bytes: std::mem::take(&mut self.spare), ..Chunk::default() };
        chunk.bytes.clear();
        if matches!(self.plan, Plan::First) {
            self.plan = self.single();
        }
        match &mut self.plan {
            Plan::Single(stream) => {
                if read_single(stream, &mut chunk, self.chunk_records) {
                    self.plan = Plan::Done;
                }
            }
            Plan::Ordered(ordered) => {
                if ordered.read(&mut self.opener, &mut chunk)? {
                    self.plan = Plan::Done;
                }
            }
            Plan::First | Plan::Done => {}
        }
        let lifts = self.frontier.is_some() && chunk.frontier.is_none();
        self.frontier = chunk.frontier;
        Ok((!chunk.is_empty() || lifts).then_some(chunk))
    }

    /// How far the reading is.
    pub fn progress(&self) -> Progress {
        Progress {
            bytes_total: self.bytes_total,
            bytes_read: self.opener.bytes_read(),
            files_total: self.opener.files.len() as u64,
            files_opened: self.opener.opened,
            files_left_out: self.opener.left_out,
        }
    }

    /// The files, by the index that records carry.
    pub fn files(&self) -> &FileTable {
        &self.opener.files
    }

    /// Files of the folders that are not read.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// What went wrong without stopping the reading: loops, files that vanished. Of many the
    /// first hundred; [`Reader::warnings_more`] counts the rest.
    pub fn warnings(&self) -> &[String] {
        &self.opener.warnings.kept
    }

    /// Warnings that were not kept.
    pub fn warnings_more(&self) -> u64 {
        self.opener.warnings.more
    }

    /// Runs that a merge had to write to temporary files, because too many files overlap.
    pub fn runs_spilled(&self) -> u64 {
        self.opener.runs
    }

    /// Gives the buffer of a finished chunk back.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() > self.spare.capacity() && bytes.capacity() <= 2 * CHUNK_BYTES {
            self.spare = bytes;
        }
    }
}

/// Fills `chunk` without copying records; true at the end of the file.
fn read_single(stream: &mut Stream, chunk: &mut Chunk, records_max: usize) -> bool {
    let ended = loop {
        match stream.next() {
            Item::Record { start, len, offset } => {
                stream.keep();
                let (start, len) = (start as u32, len as u32);
                chunk.records.push(RawRecord { start, len, file: stream.file, offset });
            }
            Item::Refused(refused) => chunk.refused.push(refused),
            Item::End => break true,
        }
        if chunk.is_full(records_max) || stream.kept() >= CHUNK_BYTES {
            break false;
        }
    };
    chunk.bytes = stream.hand_over(std::mem::take(&mut chunk.bytes));
    ended
}
