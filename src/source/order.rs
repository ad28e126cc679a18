//! The order of reading, and the reader that keeps it.
//!
//! - One file: as it is.
//! - Files: merged by time.
//! - A blob layout: hour by hour, the blobs of an hour in groups that may be open at once, each
//!   group merged by time. The hour of a blob is that of arrival; while it is read the watermark
//!   may not pass its start.
//! - Both: files join the hour in which their records lie. A file's record waits until the hour
//!   of its time is read; records before the first hour come before it, records after the last
//!   hour after it.
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::FileTable;
use super::input;
use super::merge::{Merge, Settled, first_times, hour_of};
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
    /// Runs written to disk so far.
    pub(super) runs: u64,
}

impl Opener {
    /// `None` and a warning if the file is gone or cannot be read.
    pub(super) fn stream(&mut self, file: u32, read_bytes: usize) -> Option<Stream> {
        let path = self.files.path(file);
        let result = match self.given.take() {
            Some(raw) => input::wrap(raw, None, &self.read),
            None => {
                let known = self.known_heads.get(&self.files.relative_hash(file)).copied();
                input::open(&path, known, &self.read)
            }
        };
        match result {
            Ok((input, identity)) => {
                self.opened += 1;
                if let Some(entry) = self.files.entries.get_mut(file as usize) {
                    entry.identity = Some(identity);
                }
                Some(Stream::new(file, input, read_bytes))
            }
            Err(error) => {
                let path = path.display();
                self.left_out += 1;
                self.warnings.push(format!("{path} cannot be read and is left out: {error}"));
                None
            }
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

/// The hour that is being read.
struct Hour {
    hour: i64,
    /// Blobs of it that are not in `merge` yet.
    rest: std::ops::Range<u32>,
    merge: Merge,
}

/// Several files.
struct Ordered {
    plain: Merge,
    plain_count: u32,
    hour: Option<Hour>,
    next_blob: u32,
    group: u32,
    chunk_records: usize,
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
fn descriptors() -> usize {
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
        let first = first_times(plain_count, &mut reader.opener);
        reader.plan = Plan::Ordered(Box::new(Ordered {
            plain: Merge::new(first, options.max_open_merge.min(for_plain)),
            plain_count,
            hour: None,
            next_blob: plain_count,
            group: u32::try_from(blobs_open).unwrap_or(u32::MAX),
            chunk_records: reader.chunk_records,
        }));
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
        let (warnings, read) = (Warnings::default(), Arc::default());
        let known_heads = KnownHeads::new();
        let opener =
            Opener { files, warnings, read, opened: 0, left_out: 0, given, known_heads, runs: 0 };
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
            bytes_read: self.opener.read.load(Ordering::Relaxed),
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

impl Ordered {
    /// Fills `chunk` up to a change of the frontier; true when all is read.
    fn read(&mut self, opener: &mut Opener, chunk: &mut Chunk) -> Result<bool, SourceError> {
        while !chunk.is_full(self.chunk_records) {
            let upcoming = match &self.hour {
                Some(hour) => Some(hour.hour),
                None => opener.files.blob_hour(self.next_blob),
            };
            let frontier = upcoming.map(Timestamp::of_hour);
            if chunk.is_empty() {
                chunk.frontier = frontier;
            } else if chunk.frontier != frontier {
                return Ok(false);
            }
            match (&mut self.hour, frontier) {
                (Some(_), _) => self.in_hour(opener, chunk)?,
                (None, Some(start)) => {
                    // Plain records from before this hour come first.
                    if !self.plain_before(start, opener, chunk)? {
                        self.hour = self.begin_hour(&opener.files);
                    }
                }
                (None, None) => {
                    if !self.plain_before(Timestamp::MAX, opener, chunk)? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn begin_hour(&mut self, files: &FileTable) -> Option<Hour> {
        let (hour, rest) = hour_of(files, self.next_blob)?;
        self.next_blob = rest.end;
        Some(Hour { hour, rest, merge: Merge::default() })
    }

    /// Takes one plain record (or refusal) older than `end`; false if there is none.
    fn plain_before(
        &mut self,
        end: Timestamp,
        opener: &mut Opener,
        chunk: &mut Chunk,
    ) -> Result<bool, SourceError> {
        match self.plain.settle(opener)? {
            Settled::Ready(key) if key < end => self.plain.take(chunk),
            Settled::Refused(refused) => chunk.refused.push(refused),
            Settled::Ready(_) | Settled::Empty => return Ok(false),
        }
        Ok(true)
    }

    /// One record of the hour, from a blob or a plain file; or its next group; or its end.
    fn in_hour(&mut self, opener: &mut Opener, chunk: &mut Chunk) -> Result<(), SourceError> {
        let Some(hour) = &mut self.hour else { return Ok(()) };
        let end = Timestamp::of_hour(hour.hour.saturating_add(1));
        match hour.merge.settle(opener)? {
            Settled::Refused(refused) => chunk.refused.push(refused),
            Settled::Ready(key) => {
                let until = if self.plain_count == 0 { Timestamp::MIN } else { key.min(end) };
                if !self.plain_before(until, opener, chunk)?
                    && let Some(hour) = &mut self.hour
                {
                    hour.merge.take(chunk);
                }
            }
            Settled::Empty if !hour.rest.is_empty() => {
                let next = hour.rest.start.saturating_add(self.group).min(hour.rest.end);
                let group = hour.rest.start..next;
                hour.rest.start = next;
                let keyed = group.len() > 1 || self.plain_count > 0;
                hour.merge = Merge::group(group, keyed);
            }
            Settled::Empty => {
                if !self.plain_before(end, opener, chunk)? {
                    self.hour = None;
                }
            }
        }
        Ok(())
    }
}
