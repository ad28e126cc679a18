//! A simulated fleet's records as a few files, and a process that reads them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::path::Path;
use std::sync::Arc;

use cosmoguard::account::message::{Context, Published};
use cosmoguard::alert::formats::Format;
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{IntelView, ListKind};
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::replay::pipeline::{FileNote, Piece, Producer};
use cosmoguard::replay::session::{Job, run};
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::simulate::{self, FleetOptions};
use cosmoguard::source::{Chunk, RawRecord, SourceError};
use cosmoguard::store::StateStore;
use cosmoguard::store::sources::{FileKey, HEAD_BYTES};
use cosmoguard::time::{SystemClock, Timestamp};

use crate::simulated::{Unwatched, fleet};

/// Files that the records are spread over, and one of copies.
const FILES: u32 = 3;
/// One record in so many comes twice, the second time right after the first and in another file.
/// (Much later it would depend on the watermark whether it is still recognised, and the watermark
/// on whether the input came to an end in between.)
const COPIED: usize = 5;

#[derive(Clone)]
struct Record {
    time: Timestamp,
    bytes: Vec<u8>,
    file: u32,
    offset: u64,
    frontier: Option<Timestamp>,
}

#[derive(Default)]
struct Stream {
    by_hour: bool,
    ends: [u64; FILES as usize + 1],
    records: Vec<Record>,
}

impl Stream {
    fn push(&mut self, file: u32, time: Timestamp, bytes: Vec<u8>) {
        let end = &mut self.ends[file as usize];
        let offset = *end;
        *end += bytes.len() as u64 + 1;
        let frontier = self.by_hour.then(|| Timestamp::of_hour(time.hour()));
        self.records.push(Record { time, bytes, file, offset, frontier });
    }
}

/// How a process comes to its end after the records that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There are no more for now.
    InputEnds,
    /// It is killed.
    Dies,
}

/// What became of a process.
pub enum Played {
    Ended,
    Died,
}

/// Records in reading order, and the view of addresses that belongs to them.
pub struct World {
    records: Arc<Vec<Record>>,
    intel: Arc<IntelView>,
}

impl World {
    /// Nine days of a small fleet with an attack of each kind. `by_hour`: read like a blob layout,
    /// where the watermark stands still inside an hour.
    pub fn of_fleet(by_hour: bool) -> World {
        World::of(fleet(4, 9, 40.0), by_hour)
    }

    /// A fleet of one's own.
    pub fn of(fleet: FleetOptions, by_hour: bool) -> World {
        let fleet = simulate::plan(fleet);
        let list = |name, kind, text: String| {
            feeds::load_bytes(name, name, kind, text.as_bytes()).unwrap().0
        };
        let intel = IntelView::builder()
            .list(list("tor", ListKind::TorExit, fleet.tor_exits_text()))
            .list(list("threats", ListKind::Threat, fleet.threat_ips_text()))
            .build()
            .unwrap();
        let mut stream = Stream { by_hour, ..Stream::default() };
        for (n, (time, bytes)) in simulate::records(&fleet).enumerate() {
            if n % COPIED == 0 {
                stream.push(FILES, time, bytes.clone());
            }
            stream.push(n as u32 % FILES, time, bytes);
        }
        let records = Arc::new(stream.records);
        World { records, intel: Arc::new(intel) }
    }

    /// The same records, but that the stream breaks off right after `moment`.
    pub fn until(&self, moment: Timestamp) -> World {
        let count = self.records.iter().position(|record| record.time > moment);
        let kept = self.records[..count.unwrap_or(self.len())].to_vec();
        World { records: Arc::new(kept), intel: Arc::clone(&self.intel) }
    }

    /// When it begins.
    pub fn begins(&self) -> Timestamp {
        self.records[0].time
    }

    /// The record that was read at a place of a register that met these files only.
    pub fn at(&self, source: u32, offset: u64, len: u32) -> Option<&[u8]> {
        let found = self.records.iter().find(|r| (r.file, r.offset) == (source, offset))?;
        Some(&*found.bytes).filter(|bytes| bytes.len() == len as usize)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// How many records a share, in 65,536ths, is.
    pub fn share(&self, share: u16) -> usize {
        (self.records.len() * usize::from(share)).div_ceil(usize::from(u16::MAX))
    }

    /// The same records without those that `wanted` refuses; the others stay where they lay.
    pub fn only(&self, wanted: impl Fn(&[u8]) -> bool) -> World {
        let kept: Vec<Record> = self.records.iter().filter(|r| wanted(&r.bytes)).cloned().collect();
        World { records: Arc::new(kept), intel: Arc::clone(&self.intel) }
    }

    /// The first `count` records, to be fed again.
    pub fn logs(&self, count: usize, chunk_records: usize) -> Producer {
        producer(Arc::clone(&self.records), count, End::InputEnds, chunk_records)
    }

    /// What accounts work with.
    pub fn context(&self) -> Context {
        Context {
            profile: Arc::new(Profile::default()),
            intel: Arc::clone(&self.intel),
            published: Published::default(),
        }
    }

    /// One process from its start over the first `count` records, from the first one on as always.
    pub fn play(
        &self,
        alerts: &Path,
        store: Arc<dyn StateStore>,
        count: usize,
        end: End,
        chunk_records: usize,
        options: RunOptions,
    ) -> Played {
        let Ok(mut writer) = AlertWriter::resume(alerts, Format::Defender, store.as_ref()) else {
            return Played::Died;
        };
        let job = Job {
            producer: producer(Arc::clone(&self.records), count, end, chunk_records),
            context: self.context(),
            store,
            options,
            clock: Arc::new(SystemClock::default()),
        };
        match run(job, &mut writer, &mut Unwatched) {
            Ok(_) => Played::Ended,
            Err(_) => Played::Died,
        }
    }
}

fn key(index: u32) -> FileKey {
    let of = u128::from(index);
    FileKey { path: of + 77, head_len: HEAD_BYTES, head: of + 770 }
}

fn notes() -> Vec<FileNote> {
    let note = |index| FileNote {
        source: 0,
        index,
        name: format!("file {index}"),
        identity: Some((key(index), None)),
    };
    (0..=FILES).map(note).collect()
}

fn producer(records: Arc<Vec<Record>>, count: usize, end: End, chunk_records: usize) -> Producer {
    Box::new(move |deliver| {
        // As a reader of blobs: no piece comes without the hour that it lies in.
        let frontier = records.first().and_then(|record| record.frontier);
        let chunk = Chunk { frontier, ..Chunk::default() };
        let mut piece = Piece { files: notes(), chunk, ..Piece::default() };
        for record in &records[..count] {
            let full = piece.chunk.records.len() >= chunk_records;
            if full || piece.chunk.frontier != record.frontier {
                let frontier = record.frontier;
                let next =
                    Piece { chunk: Chunk { frontier, ..Chunk::default() }, ..Piece::default() };
                let before = std::mem::replace(&mut piece, next);
                if !deliver(before) {
                    return Ok(());
                }
            }
            let (start, len) = (piece.chunk.bytes.len() as u32, record.bytes.len() as u32);
            piece.chunk.bytes.extend_from_slice(&record.bytes);
            let (file, offset) = (record.file, record.offset);
            piece.chunk.records.push(RawRecord { start, len, file, offset });
        }
        deliver(piece);
        match end {
            // Nothing more is to come that the watermark would have to wait for.
            End::InputEnds => deliver(Piece::default()),
            End::Dies => return Err(SourceError::NoPath),
        };
        Ok(())
    })
}
