//! Records a second of the decoder alone.
//!
//! Budget: 500,000 data-plane records of 1.1 KB a second on one core, twice what the whole
//! pipeline has to do.
#![allow(missing_docs, clippy::expect_used)] // criterion's macros; a bench may stop on a bad fixture
use std::hint::black_box;
use std::time::Duration;

use cosmoguard::event::Decoder;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SAMPLES: &str =
    include_str!("../tests/fixtures/logs/msdocs_cosmos_category_samples.repaired.jsonl");
const ACTIVITY: &str =
    include_str!("../tests/fixtures/logs/msdocs_activitylog_storage_jsonl.jsonl");

fn sample(category: &str) -> Vec<u8> {
    let line = SAMPLES.lines().find(|line| line.contains(category));
    line.expect("the fixture has this category").as_bytes().to_vec()
}

fn decode(c: &mut Criterion) {
    let activity = ACTIVITY.lines().next().expect("the fixture has a line").as_bytes().to_vec();
    let records = [
        ("data_plane", sample("DataPlaneRequests")),
        ("query", sample("QueryRuntimeStatistics")),
        ("activity", activity),
    ];
    let mut group = c.benchmark_group("decode");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(1));
    for (name, record) in &records {
        let mut decoder = Decoder::new();
        assert!(decoder.decode(record).is_ok(), "{name} must decode");
        group.bench_function(*name, |b| b.iter(|| decoder.decode(black_box(record)).is_ok()));
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
