//! A small made-up fleet, run through everything into a store in memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::sync::Arc;

use cosmoguard::account::message::{Context, Published};
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{IntelView, ListKind};
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::{Observer, RunOptions};
use cosmoguard::replay::pipeline::{Piece, Producer};
use cosmoguard::replay::session::{Job, Report, run};
use cosmoguard::replay::summary::Counts;
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::simulate::{self, FleetOptions};
use cosmoguard::source::{Chunk, Progress, RawRecord, RefusedRecord};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{StateStore, keys};
use cosmoguard::time::{SystemClock, Timestamp};

/// Nobody watches, and nothing may be refused or warned of.
pub struct Unwatched;

impl Observer for Unwatched {
    fn progress(&mut self, _: &Counts, _: &Progress, _: Timestamp) {}
    fn refused(&mut self, _: &str, record: &RefusedRecord) {
        panic!("a simulated record was refused: {:?}", record.refusal);
    }
    fn warning(&mut self, warning: &str) {
        panic!("{warning}");
    }
    fn stop(&self) -> bool {
        false
    }
}

/// What came of a run.
pub struct Ran {
    pub store: Arc<dyn StateStore>,
    pub report: Report,
}

impl Ran {
    /// Everything stored under a prefix.
    pub fn stored(&self, prefix: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut entries = BTreeMap::new();
        let mut take = |key: &[u8], value: &[u8]| {
            entries.insert(key.to_vec(), value.to_vec());
            true
        };
        self.store.scan(prefix, &mut take).unwrap();
        entries
    }
    /// The stored accounts.
    pub fn accounts(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.stored(keys::ACCOUNT)
    }
}

/// A fleet with an attack of each kind.
pub fn fleet(accounts: usize, days: u32, rate: f64) -> FleetOptions {
    FleetOptions {
        seed: 11,
        accounts,
        days,
        warmup_days: days / 3,
        spacing_days: 1,
        showcase: true,
        rate,
        ..FleetOptions::default()
    }
}

/// Runs a fleet's records in chunks of `chunk_records`.
pub fn run_fleet(fleet: FleetOptions, chunk_records: usize, options: RunOptions) -> Ran {
    run_pieces(fleet, chunk_records, false, options)
}

/// Runs a fleet as a blob layout is read: no minute of an hour closes before the hour is over.
pub fn run_fleet_by_hour(fleet: FleetOptions, chunk_records: usize, options: RunOptions) -> Ran {
    run_pieces(fleet, chunk_records, true, options)
}

fn run_pieces(
    fleet: FleetOptions,
    chunk_records: usize,
    by_hour: bool,
    options: RunOptions,
) -> Ran {
    let fleet = simulate::plan(fleet);
    let list =
        |name, kind, text: String| feeds::load_bytes(name, name, kind, text.as_bytes()).unwrap().0;
    let intel = IntelView::builder()
        .list(list("tor", ListKind::TorExit, fleet.tor_exits_text()))
        .list(list("threats", ListKind::Threat, fleet.threat_ips_text()))
        .build()
        .unwrap();
    let context = Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(intel),
        published: Published::default(),
    };
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let job = Job {
        producer: producer(fleet, chunk_records, by_hour),
        context,
        store: Arc::clone(&store),
        options,
        clock: Arc::new(SystemClock::default()),
    };
    let report = run(job, &mut AlertWriter::nowhere(), &mut Unwatched).unwrap();
    Ran { store, report }
}

fn producer(fleet: simulate::Fleet, chunk_records: usize, by_hour: bool) -> Producer {
    Box::new(move |deliver| {
        let mut chunk = Chunk::default();
        let mut offset = 0;
        for (time, record) in simulate::records(&fleet) {
            let frontier = by_hour.then(|| Timestamp::of_hour(time.hour()));
            if chunk.frontier != frontier {
                let chunk = std::mem::replace(&mut chunk, Chunk { frontier, ..Chunk::default() });
                if !deliver(Piece { chunk, ..Piece::default() }) {
                    return Ok(());
                }
            }
            let (start, len) = (chunk.bytes.len() as u32, record.len() as u32);
            chunk.bytes.extend_from_slice(&record);
            chunk.records.push(RawRecord { start, len, file: 0, offset });
            offset += u64::from(len) + 1;
            if chunk.records.len() >= chunk_records {
                let chunk = std::mem::replace(&mut chunk, Chunk { frontier, ..Chunk::default() });
                if !deliver(Piece { chunk, ..Piece::default() }) {
                    return Ok(());
                }
            }
        }
        deliver(Piece { chunk, ..Piece::default() });
        Ok(())
    })
}
