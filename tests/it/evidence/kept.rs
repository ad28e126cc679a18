//! Records are kept with every alert, whatever the desk remembers.
use cosmoguard::alert::AlertId;
use cosmoguard::alert::kept::{Found, Kept, NotRead};
use cosmoguard::evidence::take;
use cosmoguard::store::keys;

use super::*;
use crate::simulated::run_fleet;

/// Ids of the stored alert lines.
fn alerts(lines: impl Iterator<Item = Vec<u8>>) -> BTreeSet<AlertId> {
    let id = |line: Vec<u8>| {
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        AlertId::parse(line["name"].as_str().unwrap()).unwrap()
    };
    lines.map(id).collect()
}

#[test]
fn alerts_that_the_desk_forgot_between_two_checkpoints_have_theirs() {
    let ran = run_fleet(fleet(3, 30, 30.0), 1000, RunOptions::default());
    let known = alerts(ran.stored(keys::ALERT).into_values());
    let kept: BTreeSet<AlertId> = ran
        .stored(keys::EVIDENCE)
        .into_keys()
        .map(|key| AlertId(u128::from_be_bytes(key[keys::EVIDENCE.len()..].try_into().unwrap())))
        .collect();
    assert_eq!(kept, known);
    let desk = run::load(ran.store.as_ref(), 0).unwrap().desk;
    assert!(desk.stories().count() < known.len(), "nothing was forgotten");
    for id in kept {
        // Nothing of a made-up stream can be read again: there are no places to keep.
        assert_eq!(take::kept(ran.store.as_ref(), id).unwrap().unwrap().records, []);
    }
}

fn all_kept(store: &dyn StateStore) -> Vec<Kept> {
    let mut ids = Vec::new();
    store
        .scan(keys::EVIDENCE, &mut |key, _| {
            ids.push(AlertId(u128::from_be_bytes(key[2..].try_into().unwrap())));
            true
        })
        .unwrap();
    ids.into_iter().map(|id| take::kept(store, id).unwrap().unwrap()).collect()
}

#[test]
fn a_file_that_is_gone_by_the_checkpoint_leaves_its_places_and_the_reason() {
    let world = World::of_fleet(false);
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let alerts = folder.path().join("alerts.jsonl");
    let end = End::InputEnds;
    world.play(&alerts, Arc::clone(&store), world.len(), end, 1000, RunOptions::default());
    let kept = all_kept(store.as_ref());
    assert!(kept.len() > 3);
    for kept in kept {
        assert!(!kept.records.is_empty() && kept.redacted.is_empty());
        assert_eq!(kept.records.iter().filter(|r| r.first).count(), 1);
        assert_eq!(kept.records.iter().filter(|r| r.last).count(), 1);
        for record in &kept.records {
            assert_eq!(record.found, Found::Nothing(NotRead::Missing));
            assert!(kept.source(record.place).is_some_and(|name| !name.is_empty()));
        }
    }
}
