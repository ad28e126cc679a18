//! Bytes to events on threads of their own: one reads and splits, several decode and look up
//! addresses, and the chunks come out in the order in which they were read. Every channel is
//! bounded, so a slow consumer slows the reader.
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use tokio::sync::mpsc;

use super::texts::TextReader;
use crate::event::{Body, Decoded, Decoder, Event, QueryRead, Refusal, RefusalReason};
use crate::ids::Text;
use crate::intel::view::{AddressInfo, IntelView};
use crate::source::{Chunk, Progress, Reader, RefusedRecord, SourceError};
use crate::store::sources::FileKey;
use crate::time::{DAY_MS, Timestamp};

/// Addresses whose description a worker remembers.
const ADDRESS_CACHE_MAX: usize = 65_536;

/// First moment that a record may carry: Azure's first year.
const OLDEST: Timestamp = Timestamp(1_262_304_000_000);
/// Records beyond the blob hour by more than this have a broken clock.
const FUTURE_MS: i64 = 2 * DAY_MS;

/// What decoding looks things up in. It may change while the threads run; what is decoded already
/// stays as it is.
#[derive(Debug)]
pub struct Lookups {
    intel: RwLock<Arc<IntelView>>,
    /// Rises with each other view.
    generation: AtomicU64,
    not_after: AtomicI64,
}

impl Lookups {
    /// Addresses are looked up in `intel`; records at or after `not_after` are refused.
    pub fn new(intel: &Arc<IntelView>, not_after: Timestamp) -> Arc<Lookups> {
        Arc::new(Lookups {
            intel: RwLock::new(Arc::clone(intel)),
            generation: AtomicU64::new(0),
            not_after: AtomicI64::new(not_after.0),
        })
    }

    /// Takes another view.
    pub fn set_intel(&self, intel: Arc<IntelView>) {
        *self.intel.write().unwrap_or_else(PoisonError::into_inner) = intel;
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes another bound of time.
    pub fn set_not_after(&self, not_after: Timestamp) {
        self.not_after.store(not_after.0, Ordering::Relaxed);
    }

    fn intel(&self) -> Arc<IntelView> {
        Arc::clone(&self.intel.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A file that a producer began to read: its index in chunks, its name for people, and who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNote {
    /// Index. Another file may have had it in earlier pieces.
    pub index: u32,
    /// Which of several sources it belongs to.
    pub source: u32,
    /// Name.
    pub name: String,
    /// Who it is, and the hash of as many first bytes as it had before; `None` for standard input.
    pub identity: Option<(FileKey, Option<(u32, u128)>)>,
}

/// What a producer hands over.
#[derive(Debug, Default)]
pub struct Piece {
    /// Raw records.
    pub chunk: Chunk,
    /// How far it has come.
    pub progress: Progress,
    /// Files that were begun since the last piece.
    pub files: Vec<FileNote>,
    /// What went wrong with single files since the last piece.
    pub warnings: Vec<String>,
}

/// Takes a piece; false when nobody listens any more.
pub type Deliver<'a> = &'a mut dyn FnMut(Piece) -> bool;

/// Where chunks come from; runs on the reading thread.
pub type Producer = Box<dyn FnOnce(Deliver<'_>) -> Result<(), SourceError> + Send>;

/// A decoded chunk.
#[derive(Debug, Default)]
pub struct DecodedChunk {
    /// Events in stream order, each with what its address is and where it stood.
    pub events: Vec<Located>,
    /// Refused records, by splitter and decoder.
    pub refused: Vec<RefusedRecord>,
    /// Well-formed records of unknown categories, by name.
    pub unknown_categories: BTreeMap<Text, u64>,
    /// Records of resources that are none of ours.
    pub other_resources: u64,
    /// The last record of each file, by index, if it is one of the two before.
    pub skipped: BTreeMap<u32, u64>,
    /// Query texts whose inner JSON was broken; kept raw.
    pub raw_query_texts: u64,
    /// Bound of the watermark while this chunk is read.
    pub frontier: Option<Timestamp>,
    /// How far the reader was.
    pub progress: Progress,
    /// Files that were begun.
    pub files: Vec<FileNote>,
    /// What went wrong with single files.
    pub warnings: Vec<String>,
}

/// An event and its place.
#[derive(Debug)]
pub struct Located {
    /// The event.
    pub event: Event,
    /// What its address is.
    pub address: Arc<AddressInfo>,
    /// Index of its file.
    pub file: u32,
    /// Offset of the record in it.
    pub offset: u64,
    /// Bytes of the record.
    pub len: u32,
    /// What the text of its query says.
    pub query: Option<Arc<QueryRead>>,
}

/// The running threads.
pub struct Pipeline {
    chunks: mpsc::Receiver<(u64, DecodedChunk)>,
    waiting: BTreeMap<u64, DecodedChunk>,
    next: u64,
    reader: Option<thread::JoinHandle<Result<(), SourceError>>>,
}

impl Pipeline {
    /// Starts the threads.
    pub fn start(producer: Producer, lookups: &Arc<Lookups>, threads: usize) -> Pipeline {
        let threads = threads.max(1);
        let (raw_out, raw_in) = sync_channel::<(u64, Piece)>(threads);
        let (out, chunks) = mpsc::channel(threads);
        let raw_in = Arc::new(Mutex::new(raw_in));
        for _ in 0..threads {
            let (raw_in, out, lookups) = (Arc::clone(&raw_in), out.clone(), Arc::clone(lookups));
            thread::spawn(move || decode_all(&raw_in, &out, &lookups));
        }
        let reader = thread::spawn(move || read_all(producer, &raw_out));
        Pipeline { chunks, waiting: BTreeMap::new(), next: 0, reader: Some(reader) }
    }

    /// The next chunk in reading order; `None` at the end.
    ///
    /// # Errors
    /// The source failed as a whole.
    pub async fn next(&mut self) -> Result<Option<DecodedChunk>, SourceError> {
        loop {
            if let Some(chunk) = self.waiting.remove(&self.next) {
                self.next += 1;
                return Ok(Some(chunk));
            }
            match self.chunks.recv().await {
                Some((index, chunk)) => {
                    self.waiting.insert(index, chunk);
                }
                None => return self.finish().map(|()| None),
            }
        }
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        match self.reader.take().map(thread::JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

fn read_all(producer: Producer, raw_out: &SyncSender<(u64, Piece)>) -> Result<(), SourceError> {
    let mut index = 0;
    producer(&mut |piece| {
        let sent = raw_out.send((index, piece)).is_ok();
        index += 1;
        sent
    })
}

fn decode_all(
    raw_in: &Mutex<Receiver<(u64, Piece)>>,
    out: &mpsc::Sender<(u64, DecodedChunk)>,
    lookups: &Lookups,
) {
    let mut worker = Worker {
        decoder: Decoder::new(),
        texts: TextReader::default(),
        intel: lookups.intel(),
        generation: 0,
        addresses: HashMap::new(),
        not_after: Timestamp::MAX,
    };
    loop {
        let next = raw_in.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((index, piece)) = next else { return };
        worker.look_up_in(lookups);
        let decoded = worker.decode(piece);
        if out.blocking_send((index, decoded)).is_err() {
            return;
        }
    }
}

struct Worker {
    decoder: Decoder,
    texts: TextReader,
    intel: Arc<IntelView>,
    generation: u64,
    addresses: HashMap<Option<IpAddr>, Arc<AddressInfo>>,
    not_after: Timestamp,
}

impl Worker {
    fn look_up_in(&mut self, lookups: &Lookups) {
        self.not_after = Timestamp(lookups.not_after.load(Ordering::Relaxed));
        let generation = lookups.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            self.intel = lookups.intel();
            self.addresses.clear();
        }
    }

    fn decode(&mut self, piece: Piece) -> DecodedChunk {
        let Piece { mut chunk, progress, files, warnings } = piece;
        let mut out = DecodedChunk {
            events: Vec::with_capacity(chunk.records.len()),
            refused: std::mem::take(&mut chunk.refused),
            frontier: chunk.frontier,
            progress,
            files,
            warnings,
            ..DecodedChunk::default()
        };
        for record in &chunk.records {
            let bytes = chunk.record(record);
            match self.decoder.decode(bytes) {
                Ok(Decoded::Event(mut event)) => {
                    if let Some(refusal) = self.implausible(event.time, out.frontier) {
                        let (file, offset) = (record.file, record.offset);
                        out.refused.push(RefusedRecord::new(file, offset, refusal, bytes));
                        continue;
                    }
                    let address = self.address(client_ip(&event));
                    let query = self.texts.take(&mut event);
                    out.events.push(Located {
                        event,
                        address,
                        file: record.file,
                        offset: record.offset,
                        len: record.len,
                        query,
                    });
                }
                Ok(Decoded::UnknownCategory(name)) => {
                    *out.unknown_categories.entry(name).or_default() += 1;
                    out.skipped.insert(record.file, record.offset);
                }
                Ok(Decoded::OtherResource) => {
                    out.other_resources += 1;
                    out.skipped.insert(record.file, record.offset);
                }
                Err(refusal) => {
                    out.refused.push(RefusedRecord::new(record.file, record.offset, refusal, bytes))
                }
            }
        }
        out
    }

    /// A clock that cannot be right: before Azure existed, days beyond now, or days beyond the hour
    /// of the blob.
    fn implausible(&self, time: Timestamp, frontier: Option<Timestamp>) -> Option<Refusal> {
        let (reason, detail) = if time < OLDEST {
            (RefusalReason::BadTime, "the time lies before 2010")
        } else if time >= self.not_after {
            (RefusalReason::FutureTime, "the time lies more than two days after now")
        } else if frontier.is_some_and(|hour| time.since(hour) > FUTURE_MS) {
            let detail = "the time lies more than two days after the hour of its blob";
            (RefusalReason::FutureTime, detail)
        } else {
            return None;
        };
        Some(Refusal { reason, at: 0, detail: detail.to_owned() })
    }

    fn address(&mut self, ip: Option<IpAddr>) -> Arc<AddressInfo> {
        if let Some(known) = self.addresses.get(&ip) {
            return Arc::clone(known);
        }
        if self.addresses.len() >= ADDRESS_CACHE_MAX {
            self.addresses.clear();
        }
        let info = Arc::new(self.intel.describe(ip));
        self.addresses.insert(ip, Arc::clone(&info));
        info
    }
}

/// Reads files and folders.
pub fn from_paths(mut reader: Reader) -> Producer {
    Box::new(move |deliver| {
        let mut named = Vec::new();
        let mut warned = 0;
        while let Some(chunk) = reader.next_chunk()? {
            let files = new_files(&reader, &chunk, &mut named);
            let warnings: Vec<String> = reader.warnings().iter().skip(warned).cloned().collect();
            warned += warnings.len();
            if !deliver(Piece { chunk, progress: reader.progress(), files, warnings }) {
                return Ok(());
            }
        }
        // What went wrong behind the last chunk, or without any.
        let warnings = reader.warnings().get(warned..).unwrap_or_default().to_vec();
        if !warnings.is_empty() {
            deliver(Piece { progress: reader.progress(), warnings, ..Piece::default() });
        }
        Ok(())
    })
}

/// Names and identities of the files of `chunk` that were not named yet.
fn new_files(reader: &Reader, chunk: &Chunk, named: &mut Vec<bool>) -> Vec<FileNote> {
    let mut notes = Vec::new();
    let indices = chunk.records.iter().map(|r| r.file).chain(chunk.refused.iter().map(|r| r.file));
    for index in indices {
        let at = index as usize;
        if named.len() <= at {
            named.resize(at + 1, false);
        }
        if std::mem::replace(&mut named[at], true) {
            continue;
        }
        let files = reader.files();
        let identity = files.identity(index).filter(|_| !files.is_stdin(index)).map(|head| {
            let path = files.relative_hash(index);
            (FileKey { path, head_len: head.head_len, head: head.head }, head.as_known)
        });
        notes.push(FileNote { index, source: 0, name: files.display(index), identity });
    }
    notes
}

fn client_ip(event: &Event) -> Option<IpAddr> {
    match &event.body {
        Body::Request(r) => r.client_ip,
        Body::Activity(a) => a.client_ip,
        _ => None,
    }
}
