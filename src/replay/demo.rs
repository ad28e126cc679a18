//! The built-in demo: a made-up fleet, generated while it is read; no files.
use super::pipeline::{FileNote, Piece, Producer};
use crate::simulate::{self, Fleet};
use crate::source::{Chunk, Progress, RawRecord};
use crate::store::sources::FileKey;

/// Its name in the register of what was read.
const NAME: &str = "made up by --demo";
/// First records that identify it, as the first bytes of a file do.
const HEAD_RECORDS: usize = 64;

/// A planned demo fleet.
pub struct Demo {
    fleet: Fleet,
    chunk_records: usize,
}

impl Demo {
    /// Plans it.
    pub fn new(chunk_records: usize) -> Demo {
        Demo { fleet: simulate::plan(simulate::demo()), chunk_records }
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
        Box::new(move |deliver| {
            let options = self.fleet.options();
            let (first, last) = (options.start.millis(), options.end().millis());
            let note =
                FileNote { index: 0, name: NAME.to_owned(), identity: Some((self.key(), None)) };
            let mut piece = Piece { files: vec![note], ..Piece::default() };
            let mut offset = 0;
            for (arrival, record) in simulate::records(&self.fleet) {
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
        })
    }
}

fn push(chunk: &mut Chunk, record: &[u8], offset: u64) {
    let (start, len) = (chunk.bytes.len() as u32, record.len() as u32);
    chunk.bytes.extend_from_slice(record);
    chunk.records.push(RawRecord { start, len, file: 0, offset });
}
