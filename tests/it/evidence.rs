//! Alerts know which records they rest on, and these can be handed over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeSet;
use std::sync::Arc;

use cosmoguard::alert::dedup::DeskState;
use cosmoguard::detect::AlertKind;
use cosmoguard::event::{Body, Decoded, Decoder, Event};
use cosmoguard::limits::{CELL_MINUTES, RECORDS_SAMPLED_MAX};
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::simulate::FleetOptions;
use cosmoguard::store::StateStore;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::run;
use cosmoguard::time::MINUTE_MS;

use crate::simulated::fleet;
use crate::splits::world::{End, World};

mod folder;
mod kept;

fn desk_of(world: &World, chunk_records: usize, threads: usize) -> DeskState {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let alerts = folder.path().join("alerts.jsonl");
    let options = RunOptions { threads, ..RunOptions::default() };
    world.play(&alerts, Arc::clone(&store), world.len(), End::InputEnds, chunk_records, options);
    let lateness_ms = Profile::default().time.lateness_minutes * MINUTE_MS;
    run::load(store.as_ref(), lateness_ms).unwrap().desk
}

fn decoded(bytes: &[u8]) -> Event {
    match Decoder::default().decode(bytes) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn the_records_of_every_kind_of_alert_are_of_its_account_and_span() {
    // Volume is told of an account that has been watched for weeks.
    let world = World::of(FleetOptions { warmup_days: 22, ..fleet(6, 31, 150.0) }, false);
    let mut kinds = BTreeSet::new();
    for (key, story) in desk_of(&world, 1000, 2).stories() {
        let (records, (start, end)) = (story.records(), story.span());
        let places = records.places();
        assert!(!places.is_empty(), "{key:?} has no records");
        assert!(places.len() <= RECORDS_SAMPLED_MAX + 2);
        for place in places {
            let source = place.source().unwrap();
            let bytes = world.at(source, place.offset(), place.len()).unwrap();
            let event = decoded(bytes);
            let cell = CELL_MINUTES * MINUTE_MS;
            let inside = event.time >= start.plus_ms(-cell) && event.time <= end.plus_ms(cell);
            assert!(inside, "{key:?}: {} is not in {start} to {end}", event.time);
            if key.kind == AlertKind::MaliciousScript {
                let Body::Activity(activity) = &event.body else { panic!("{event:?}") };
                assert_eq!(activity.principal.as_ref().map(|p| p.as_str()), Some(&*key.dedup));
            } else {
                assert_eq!(event.account.as_ref(), Some(&key.account), "{key:?}");
            }
        }
        kinds.insert(key.kind);
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), AlertKind::ALL);
}

#[test]
fn chunks_and_threads_change_no_record() {
    let world = World::of_fleet(true);
    assert_eq!(desk_of(&world, 1000, 1), desk_of(&world, 77, 3));
}
