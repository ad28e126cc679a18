//! JSON in memory to alert lines in a file, beside a loop that only decodes the same bytes.
//!
//! Budget: at least half of the decode-only rate measured in the same run, and 250,000 records a
//! second on one core (`taskset -c 0`).
#![allow(missing_docs, clippy::expect_used)] // criterion's macros; a bench may stop on any failure
use std::sync::Arc;
use std::time::{Duration, Instant};

use cosmoguard::account::message::{Context, Published};
use cosmoguard::alert::formats::Format;
use cosmoguard::event::Decoder;
use cosmoguard::intel::view::IntelView;
use cosmoguard::profile::Profile;
use cosmoguard::replay::demo::Demo;
use cosmoguard::replay::engine::{Observer, RunOptions};
use cosmoguard::replay::pipeline::Piece;
use cosmoguard::replay::session::{self, Job, Report};
use cosmoguard::replay::summary::Counts;
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::source::{Chunk, Progress, RefusedRecord};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::time::{SystemClock, Timestamp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &Counts, _: &Progress, _: Timestamp) {}
    fn refused(&mut self, _: &str, _: &RefusedRecord) {}
    fn warning(&mut self, _: &str) {}
    fn stop(&self) -> bool {
        false
    }
}

fn chunks() -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let producer = Demo::new(cosmoguard::limits::CHUNK_RECORDS).producer();
    producer(&mut |piece| {
        chunks.push(piece.chunk);
        true
    })
    .expect("a made-up fleet needs no source");
    chunks
}

fn decode_only(chunks: &[Chunk]) -> usize {
    let mut decoder = Decoder::new();
    let records = chunks.iter().flat_map(|c| c.records.iter().map(|r| c.record(r)));
    records.filter(|bytes| decoder.decode(bytes).is_ok()).count()
}

fn whole(chunks: Arc<Vec<Chunk>>) -> Report {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut writer = AlertWriter::create(&dir.path().join("alerts.jsonl"), Format::Defender)
        .expect("a fresh file");
    let job = Job {
        producer: Box::new(move |deliver| {
            for chunk in chunks.iter() {
                if !deliver(Piece { chunk: chunk.clone(), ..Piece::default() }) {
                    break;
                }
            }
            Ok(())
        }),
        context: Context {
            profile: Arc::new(Profile::default()),
            intel: Arc::new(IntelView::empty()),
            published: Published::default(),
        },
        store: Arc::new(MemoryStore::default()),
        options: RunOptions { threads: 1, ..RunOptions::default() },
        clock: Arc::new(SystemClock::default()),
    };
    session::run(job, &mut writer, &mut Silent).expect("the run ends well")
}

#[allow(clippy::disallowed_methods)] // a benchmark measures the wall clock
fn pipeline(c: &mut Criterion) {
    let chunks = Arc::new(chunks());
    let records: usize = chunks.iter().map(|c| c.records.len()).sum();
    let began = Instant::now();
    decode_only(&chunks);
    let decoding = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let report = whole(Arc::clone(&chunks));
    let all = began.elapsed().as_secs_f64();
    eprintln!(
        "{records} records: decode only {:.0}/s, whole {:.0}/s, ratio {:.2}, largest model {} bytes",
        records as f64 / decoding,
        records as f64 / all,
        decoding / all,
        report.router.bytes_max,
    );
    let mut group = c.benchmark_group("pipeline");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(records as u64));
    group.bench_function("decode_only", |b| b.iter(|| decode_only(&chunks)));
    group.bench_function("whole", |b| b.iter(|| whole(Arc::clone(&chunks))));
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
