//! The built-in demo: a made-up fleet, generated while it is read; no files.
use super::pipeline::{Deliver, FileNote, Piece, Producer};
use crate::simulate::{self, Fleet};
use crate::source::{Chunk, Progress, RawRecord, SourceError};
use crate::store::sources::FileKey;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Its name in the register of what was read.
const NAME: &str = "made up by --demo";
/// First records that identify it, as the first bytes of a file do.
const HEAD_RECORDS: usize = 64;
/// Days of history of a demo that lives on, and days that it lives.
const HISTORY_DAYS: u32 = 33;
const LIFE_DAYS: u32 = 730;
/// Event time between two pieces of a life, milliseconds.
const PIECE_MS: i64 = HOUR_MS / 10;

/// A planned demo fleet.
#[derive(Clone)]
pub struct Demo {
    fleet: Fleet,
    chunk_records: usize,
}

impl Demo {
    /// Plans it.
    pub fn new(chunk_records: usize) -> Demo {
        Demo { fleet: simulate::plan(simulate::demo()), chunk_records }
    }
    /// Plans one that goes on for two years, with attacks from its second month on.
    pub fn endless(chunk_records: usize) -> Demo {
        let options = simulate::FleetOptions {
            days: HISTORY_DAYS + LIFE_DAYS,
            warmup_days: HISTORY_DAYS,
            ..simulate::demo()
        };
        Demo { fleet: simulate::plan(options), chunk_records }
    }
    /// When the history ends and the life begins.
    fn begins(&self) -> Timestamp {
        self.fleet.options().start.plus_ms(i64::from(HISTORY_DAYS) * DAY_MS)
    }
    /// Its Tor exits, as a list.
    pub fn tor_exits(&self) -> String {
        self.fleet.tor_exits_text()
    }
    /// Its listed addresses, as a list.
    pub fn threat_ips(&self) -> String {
        self.fleet.threat_ips_text()
    }
    /// By what it is recognised: the same one again adds nothing, another build's is another one.
    pub fn key(&self) -> FileKey {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(env!("CARGO_PKG_VERSION").as_bytes());
        hash.update(format!("{:?}", self.fleet.options()).as_bytes());
        simulate::records(&self.fleet).take(HEAD_RECORDS).for_each(|(_, r)| hash.update(&r));
        FileKey::made(hash.digest128())
    }
    /// Generates its records in arrival order.
    pub fn producer(self) -> Producer {
        let note = FileNote {
            index: 0,
            source: 0,
            name: NAME.to_owned(),
            identity: Some((self.key(), None)),
        };
        Box::new(move |deliver| self.deliver_until(Timestamp::MAX, vec![note], deliver))
    }
    /// The history of one that goes on.
    pub fn history(self) -> Producer {
        let begins = self.begins();
        Box::new(move |deliver| self.deliver_until(begins, Vec::new(), deliver))
    }
    /// What comes after its history: `deliver` is told when each piece comes, and says whether it
    /// is to go on.
    pub fn live(self, deliver: &mut dyn FnMut(Timestamp, Piece) -> bool) {
        let mut piece = Piece::default();
        let (mut offset, mut until) = (0, self.begins());
        for (arrival, record) in simulate::records_since(&self.fleet, self.begins()) {
            if arrival >= until {
                if !deliver(until, std::mem::take(&mut piece)) {
                    return;
                }
                until = Timestamp(arrival.millis().div_euclid(PIECE_MS) * PIECE_MS + PIECE_MS);
            }
            push(&mut piece.chunk, &record, offset);
            offset += record.len() as u64 + 1;
        }
        deliver(until, piece);
    }
    fn deliver_until(
        &self,
        end: Timestamp,
        files: Vec<FileNote>,
        deliver: Deliver<'_>,
    ) -> Result<(), SourceError> {
        let options = self.fleet.options();
        let (first, last) = (options.start.millis(), options.end().min(end).millis());
        let mut piece = Piece { files, ..Piece::default() };
        let mut offset = 0;
        for (arrival, record) in simulate::records(&self.fleet) {
            if arrival >= end {
                break;
            }
            push(&mut piece.chunk, &record, offset);
            offset += record.len() as u64 + 1;
            if piece.chunk.records.len() >= self.chunk_records {
                // How far event time has come stands for how far the reading is.
                let done = (arrival.millis() - first).clamp(0, last - first) as u64;
                piece.progress = Progress {
                    bytes_total: (last - first) as u64,
                    bytes_read: done,
                    ..Progress::default()
                };
                if !deliver(std::mem::take(&mut piece)) {
                    return Ok(());
                }
            }
        }
        deliver(piece);
        Ok(())
    }
}

fn push(chunk: &mut Chunk, record: &[u8], offset: u64) {
    let (start, len) = (chunk.bytes.len() as u32, record.len() as u32);
    chunk.bytes.extend_from_slice(record);
    chunk.records.push(RawRecord { start, len, file: 0, offset });
}
