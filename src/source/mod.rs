//! Where bytes come from: files, folders, the Azure blob layout and standard input become chunks
//! of raw records in the order in which they are to be decoded.
//!
//! - `split` finds record boundaries, `stream` runs it over one (decompressed) file,
//! - `merge` takes the files' records in order of time, `order` reads a blob layout by the hour,
//! - `paths` lists what there is to read, `files` remembers it, `refused` keeps what was refused,
//! - `tail` reads what is written while it runs, `growing` is where a file goes on,
//! - `inbox` keeps what is handed over rather than found, until it is applied,
//! - `places` reads single records once more.
//!
//! Everything streams. Memory is bounded by the number of files open, never by their sizes.
pub mod count;
mod files;
mod growing;
pub mod inbox;
mod input;
mod merge;
mod order;
mod ordered;
mod paths;
mod places;
mod refused;
mod scan;
mod seek;
mod spill;
pub mod split;
mod stream;
pub mod tail;
mod time_hint;

use std::collections::HashMap;
use std::path::PathBuf;

use crate::event::Refusal;
use crate::limits::{
    BLOB_FILES_OPEN_MAX, CHUNK_BYTES, CHUNK_RECORDS, MERGE_FILES_OPEN_MAX, REFUSED_BYTES_MAX,
};
use crate::time::Timestamp;

pub use files::{FileTable, Identity};
pub use order::Reader;
pub use paths::Skipped;
pub use places::{Unreadable, read_places};
pub use refused::{Earlier, RefusedLog, RefusedSummary};

/// One raw record: a slice of its chunk, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// First byte in [`Chunk::bytes`].
    pub start: u32,
    /// Length, bytes.
    pub len: u32,
    /// Index in the [`FileTable`].
    pub file: u32,
    /// Offset of the record in its file, after decompression.
    pub offset: u64,
}

/// Something that the splitter itself refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Index in the [`FileTable`].
    pub file: u32,
    /// Offset in the file, after decompression.
    pub offset: u64,
    /// Why.
    pub refusal: Refusal,
    /// Its first bytes, at most [`REFUSED_BYTES_MAX`].
    pub sample: Vec<u8>,
}

impl RefusedRecord {
    /// Keeps the first bytes of `record`.
    pub fn new(file: u32, offset: u64, refusal: Refusal, record: &[u8]) -> RefusedRecord {
        let sample = record[..record.len().min(REFUSED_BYTES_MAX)].to_vec();
        RefusedRecord { file, offset, refusal, sample }
    }
}

/// Raw records in reading order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The one buffer that the records lie in.
    pub bytes: Vec<u8>,
    /// The records.
    pub records: Vec<RawRecord>,
    /// What was refused on the way.
    pub refused: Vec<RefusedRecord>,
    /// While an hour of a blob layout is read: its start. No event newer than this counts for the
    /// watermark, since files of the same hour are still to come. `None`: the watermark is free.
    pub frontier: Option<Timestamp>,
}

impl Chunk {
    /// The bytes of one of its records; empty if `record` is not one of them.
    pub fn record(&self, record: &RawRecord) -> &[u8] {
        let start = record.start as usize;
        self.bytes.get(start..start.saturating_add(record.len as usize)).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.refused.is_empty()
    }

    fn push(&mut self, bytes: &[u8], file: u32, offset: u64) {
        // A chunk holds at most CHUNK_BYTES and one record more: far below 4 GiB.
        let (start, len) = (self.bytes.len() as u32, bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
        self.records.push(RawRecord { start, len, file, offset });
    }

    fn is_full(&self, records_max: usize) -> bool {
        self.records.len() + self.refused.len() >= records_max
            || self.bytes.len() >= CHUNK_BYTES
            || self.refused.len() >= CHUNK_BYTES / REFUSED_BYTES_MAX
    }
}

/// How far the reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on disk of all files; what comes from standard input is not known beforehand.
    pub bytes_total: u64,
    /// Bytes read from disk, before decompression.
    pub bytes_read: u64,
    /// Files listed.
    pub files_total: u64,
    /// Files opened so far.
    pub files_opened: u64,
    /// Files that could not be read and were left out.
    pub files_left_out: u64,
}

/// How many bytes a file had when it was met before, by [`FileTable::relative_hash`].
pub type KnownHeads = HashMap<u128, u32>;

/// Bounds of reading. They change how often data passes through the disk, never what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Files of a blob layout open at once.
    pub max_open_blobs: usize,
    /// Files open at once in a merge; the limit of open files of the process lowers it further.
    pub max_open_merge: usize,
    /// Records of one chunk.
    pub chunk_records: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_open_blobs: BLOB_FILES_OPEN_MAX,
            max_open_merge: MERGE_FILES_OPEN_MAX,
            chunk_records: CHUNK_RECORDS,
        }
    }
}

/// Why nothing (more) can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A path given by the user leads nowhere.
    #[error("cannot read {}: {error}; check the path, or give - to read standard input", path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The paths hold nothing to read.
    #[error(
        "no log files in {paths} ({skipped} other files skipped); log files end in .json, .jsonl, \
         .ndjson, .log, .txt, .concatjson, .inbox, .gz or .zst, and a file given by name is always read"
    )]
    Nothing {
        /// The paths as given.
        paths: String,
        /// Files that were passed over.
        skipped: u64,
    },
    /// No path was given.
    #[error("no path given; name a file, a folder, or - for standard input")]
    NoPath,
    /// More files than can be numbered.
    #[error("more than 4 billion files; read the folder in parts")]
    TooManyFiles,
    /// The disk space for merging ran out, or temporary files cannot be made.
    #[error("cannot use a temporary file in {}: {error}; set TMPDIR to a folder with free space", std::env::temp_dir().display())]
    Spill {
        /// What the system says.
        error: std::io::Error,
    },
}

/// Opens `paths`: files, folders of any depth, or `-` for standard input.
///
/// # Errors
/// A path that does not exist, or nothing to read in them.
pub fn open(paths: &[PathBuf], options: &Options) -> Result<Reader, SourceError> {
    Reader::open(paths, options)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
