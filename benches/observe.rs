//! Events a second that one account's model takes, and what one open cell costs.
//!
//! Budget: 1,000,000 events a second on one core, four times what the whole pipeline has to do: a
//! model must never be what a run waits for.
#![allow(missing_docs, clippy::expect_used)] // criterion's macros; a bench may stop on any failure
use std::sync::Arc;
use std::time::Duration;

use cosmoguard::account::message::{Context, Published, Routed};
use cosmoguard::account::model::AccountModel;
use cosmoguard::event::{Body, Decoded, Decoder, Event, Place};
use cosmoguard::ids::AccountId;
use cosmoguard::intel::view::IntelView;
use cosmoguard::profile::Profile;
use cosmoguard::simulate::{self, FleetOptions};
use cosmoguard::time::MINUTE_MS;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// The busiest account of a small fleet, as the router would hand it over.
fn one_account(context: &Context) -> (AccountId, Vec<Routed>) {
    let options =
        FleetOptions { seed: 5, accounts: 4, days: 6, rate: 2000.0, ..Default::default() };
    let fleet = simulate::plan(options);
    let mut decoder = Decoder::new();
    let mut events: Vec<Event> = Vec::new();
    for (_, record) in simulate::records(&fleet) {
        if let Ok(Decoded::Event(event)) = decoder.decode(&record) {
            events.push(event);
        }
    }
    let mut counts = std::collections::BTreeMap::new();
    for account in events.iter().filter_map(|event| event.account.clone()) {
        *counts.entry(account).or_insert(0_usize) += 1;
    }
    let (id, _) = counts.into_iter().max_by_key(|(_, n)| *n).expect("a fleet has accounts");
    events.retain(|event| event.account.as_ref() == Some(&id));
    let lateness_ms = context.profile.time.lateness_minutes * MINUTE_MS;
    let routed = events.into_iter().map(|event| {
        let ip = match &event.body {
            Body::Request(request) => request.client_ip,
            _ => None,
        };
        let address = Arc::new(context.intel.describe(ip));
        let watermark = event.time.plus_ms(-lateness_ms);
        Routed { watermark, event, address, place: Place::NOWHERE, query: None }
    });
    (id, routed.collect())
}

fn observe(c: &mut Criterion) {
    let context = Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(IntelView::empty()),
        published: Published::default(),
    };
    let (id, events) = one_account(&context);
    let mut group = c.benchmark_group("observe");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("one_account", |b| {
        let fresh = || AccountModel::new(id.clone());
        let run = |mut model: AccountModel| {
            for batch in events.chunks(1000) {
                model.apply(batch, &context);
            }
            model
        };
        b.iter_batched(fresh, run, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
