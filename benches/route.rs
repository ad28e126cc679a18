//! What it costs to bring events to account actors, beside plain threads with channels that carry
//! the same batches to the same models.
//!
//! Budget: at least 0.8 of the plain threads' rate. The models do nothing here, so that only the
//! way to them is measured.
#![allow(missing_docs, clippy::expect_used)] // criterion's macros; a bench may stop on any failure
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cosmoguard::account::logic::{AccountLogic, AccountState};
use cosmoguard::account::message::{
    Context, EventBatch, Graded, Outcome, Pending, Published, Routed,
};
use cosmoguard::event::{Body, Category, Event, Place};
use cosmoguard::ids::{AccountId, Cloud};
use cosmoguard::intel::view::IntelView;
use cosmoguard::limits::CHUNK_RECORDS;
use cosmoguard::profile::Profile;
use cosmoguard::router::{Factory, Router};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::time::{SystemClock, Timestamp};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ACCOUNTS: usize = 64;
const CHUNKS: usize = 40;
const THREADS: usize = 2;

/// Counts and nothing else.
#[derive(Default)]
struct Counting {
    records: u64,
}

impl AccountLogic for Counting {
    fn apply(&mut self, batch: &EventBatch, _: &Context) -> Outcome {
        self.records += batch.events.len() as u64;
        Outcome { pending: Pending::Nothing, ..Outcome::default() }
    }
    fn tick(&mut self, _: Timestamp, _: &Context) -> Outcome {
        Outcome::default()
    }
    fn judge_open(&self, _: &Context) -> Vec<Graded> {
        Vec::new()
    }
    fn checkpoint(&self) -> Option<Vec<u8>> {
        Some(self.records.to_le_bytes().to_vec())
    }
    fn state(&self) -> AccountState {
        AccountState { records: self.records, ..AccountState::default() }
    }
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(IntelView::empty()),
        published: Published::default(),
    })
}

fn chunks() -> Vec<Vec<Routed>> {
    let ids: Vec<AccountId> =
        (0..ACCOUNTS).map(|n| AccountId::new(&format!("account-{n}"), Cloud::Public)).collect();
    let address = Arc::new(IntelView::empty().describe(None));
    let event = |n: usize| Routed {
        event: Event {
            time: Timestamp(n as i64),
            digest: n as u128,
            account: Some(ids[n % ACCOUNTS].clone()),
            resource_id: None,
            body: Body::Coverage(Category::PartitionKeyStatistics),
        },
        address: Arc::clone(&address),
        watermark: Timestamp(0),
        place: Place::NOWHERE,
        query: None,
    };
    let chunk = |c: usize| (c * CHUNK_RECORDS..(c + 1) * CHUNK_RECORDS).map(event).collect();
    (0..CHUNKS).map(chunk).collect()
}

fn actors(chunks: Vec<Vec<Routed>>) {
    actix::System::new().block_on(async {
        let arbiters: Vec<actix::Arbiter> = (0..THREADS).map(|_| actix::Arbiter::new()).collect();
        let factory: Factory = Arc::new(|_: &AccountId, _: Option<&[u8]>| {
            Box::new(Counting::default()) as Box<dyn AccountLogic>
        });
        let mut router = Router::new(
            arbiters.iter().map(actix::Arbiter::handle).collect(),
            factory,
            Arc::new(MemoryStore::default()),
            Arc::new(SystemClock::default()),
            context(),
        );
        for chunk in chunks {
            router.route(chunk).await.expect("memory stores anything");
        }
        router.drain().await.expect("memory stores anything");
        for arbiter in &arbiters {
            arbiter.stop();
        }
    });
}

fn plain_threads(chunks: Vec<Vec<Routed>>) {
    let context = context();
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (send, receive) = mpsc::sync_channel::<(AccountId, EventBatch)>(16 * ACCOUNTS);
            let context = Arc::clone(&context);
            let work = move || {
                let mut models: BTreeMap<AccountId, Counting> = BTreeMap::new();
                for (account, batch) in receive {
                    models.entry(account).or_default().apply(&batch, &context);
                }
            };
            (send, std::thread::spawn(work))
        })
        .collect();
    let mut places: BTreeMap<AccountId, usize> = BTreeMap::new();
    for chunk in chunks {
        let mut batches: BTreeMap<AccountId, Vec<Routed>> = BTreeMap::new();
        for routed in chunk {
            let account = routed.event.account.clone().expect("made with one");
            batches.entry(account).or_default().push(routed);
        }
        for (account, events) in batches {
            let next = places.len() % THREADS;
            let place = *places.entry(account.clone()).or_insert(next);
            workers[place].0.send((account, EventBatch { events })).expect("it listens");
        }
    }
    for (send, worker) in workers {
        drop(send);
        worker.join().expect("no panic");
    }
}

fn route(c: &mut Criterion) {
    let chunks = chunks();
    let mut group = c.benchmark_group("route");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements((CHUNKS * CHUNK_RECORDS) as u64));
    let fresh = || chunks.clone();
    group.bench_function("actors", |b| b.iter_batched(fresh, actors, BatchSize::PerIteration));
    group.bench_function("plain_threads", |b| {
        b.iter_batched(fresh, plain_threads, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
