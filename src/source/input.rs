//! Opens one file: counts what is read from disk, and decompresses by content, not by name.
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::Identity;
use super::inbox::frame::{HEADER_BYTES, VERSION, version};
use super::inbox::segment::{Part, SegmentReader};
use super::paths::is_stdin;

/// First bytes that identify a file.
pub(super) const HEAD_BYTES: u64 = 64 << 10;
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes of a file, decompressed.
pub(super) enum Input {
    /// One stream.
    Whole(Box<dyn Read + Send>),
    /// A segment of an inbox: batches that have nothing to do with each other.
    Inbox(Box<SegmentReader>),
}

impl Input {
    /// Goes to what comes behind the end of the bytes.
    pub(super) fn next_part(&mut self) -> Part {
        match self {
            Input::Whole(_) => Part::End,
            Input::Inbox(segment) => segment.next_part(),
        }
    }

    /// At most about as many bytes.
    pub(super) fn within(self, bytes: u64) -> Input {
        match self {
            Input::Whole(input) => Input::Whole(Box::new(input.take(bytes))),
            // Its size is bounded, and a batch is whole or nothing.
            segment @ Input::Inbox(_) => segment,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Whole(input) => input.read(buf),
            Input::Inbox(segment) => segment.read(buf),
        }
    }
}

/// Counts what passes.
struct Counting<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Adds the bytes that are read of `raw` to `count`.
pub(super) fn counted(raw: Box<dyn Read + Send>, count: &Arc<AtomicU64>) -> Box<dyn Read + Send> {
    Box::new(Counting { inner: raw, count: Arc::clone(count) })
}

/// Opens `path`, which had `known` bytes in its head before; bytes read from disk are added to
/// `count`.
pub(super) fn open(
    path: &Path,
    known: Option<u32>,
    count: &Arc<AtomicU64>,
) -> io::Result<(Input, Identity)> {
    if is_stdin(path) {
        return wrap(Box::new(io::stdin()), None, count);
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    wrap(Box::new(file), known, count)
}

/// Puts counting and decompression around `raw`.
pub(super) fn wrap(
    raw: Box<dyn Read + Send>,
    known: Option<u32>,
    count: &Arc<AtomicU64>,
) -> io::Result<(Input, Identity)> {
    let mut raw = Counting { inner: raw, count: Arc::clone(count) };
    let mut head = Vec::new();
    raw.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    if let Some(version) = version(&head) {
        return segment(version, head, Box::new(raw));
    }
    let identity = Identity::of(&head, known);
    let packing = Packing::of(&head);
    let whole = Cursor::new(head).chain(raw);
    let input: Box<dyn Read + Send> = match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(
            BUFFER_BYTES,
            whole,
        ))),
        Packing::Zstd => {
            let buffered = BufReader::with_capacity(BUFFER_BYTES, whole);
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?)
        }
        Packing::Plain => Box::new(whole),
    };
    Ok((Input::Whole(input), identity))
}

/// A segment of an inbox that begins with `head`. Its own head says which one it is, so that it
/// stays the same one whatever follows.
fn segment(found: u16, head: Vec<u8>, rest: Box<dyn Read + Send>) -> io::Result<(Input, Identity)> {
    if found == 0 || found > VERSION {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "it is an inbox of version {found}, this build reads up to {VERSION}; use a newer \
                 cosmoguard"
            ),
        ));
    }
    let identity = Identity::of(head.get(..HEADER_BYTES).unwrap_or(&head), None);
    let segment = SegmentReader::new(Box::new(Cursor::new(head).chain(rest)));
    Ok((Input::Inbox(Box::new(segment)), identity))
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes.
    pub(super) fn of(head: &[u8]) -> Packing {
        match [0, 1, 2, 3].map(|i| head.get(i).copied().unwrap_or_default()) {
            [0x1F, 0x8B, _, _] => Packing::Gzip,
            // A frame, or a skippable frame before the first one.
            [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Packing::Zstd,
            _ => Packing::Plain,
        }
    }
}
