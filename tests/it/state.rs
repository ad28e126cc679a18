//! Damaged state: whatever the bytes, reading them is an error or the truth, and never a panic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::sync::LazyLock;

use cosmoguard::replay::engine::RunOptions;
use cosmoguard::store::census::Census;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::{account, due, run};
use cosmoguard::store::{StateStore, WriteBatch, envelope, keys};
use proptest::prelude::*;

use crate::simulated::{fleet, run_fleet};

/// Checkpoints of a small fleet.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let ran = run_fleet(fleet(3, 5, 20.0), 1000, RunOptions::default());
    ran.accounts().into_values().collect()
});

/// Everything else that such a fleet leaves behind an envelope.
static PARTS: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let ran = run_fleet(fleet(3, 5, 20.0), 1000, RunOptions::default());
    let run = |(key, value): &(Vec<u8>, Vec<u8>)| {
        !key.starts_with(keys::ACCOUNT) && envelope::header(value).is_some()
    };
    let parts: Vec<_> = ran.stored(b"").into_iter().filter(run).collect();
    assert!(parts.len() >= 4);
    parts
});

/// What lies in an envelope.
fn opened(sealed: &[u8]) -> Vec<u8> {
    envelope::open(sealed, run::PART_BYTES_MAX).unwrap().1.into_owned()
}

/// What opens is a model that is sealed and opened again as the same one.
fn survives(bytes: &[u8]) {
    for sealed in [bytes.to_vec(), envelope::seal(bytes)] {
        if let Ok(model) = account::open(&sealed) {
            let again = account::seal(&model).unwrap();
            let reopened = account::open(&again).unwrap();
            assert_eq!(account::seal(&reopened).unwrap(), again);
        }
        let _ = Census::open(&sealed);
        for key in keys::of_every_kind() {
            survives_under(key, &sealed);
        }
    }
}

/// The same under the key of a run's part: what is read can be written and read again.
fn survives_under(key: Vec<u8>, sealed: &[u8]) {
    let store = MemoryStore::default();
    let mut batch = WriteBatch::default();
    batch.put(key, sealed.to_vec());
    store.write(batch).unwrap();
    let _ = due::load(&store);
    if let Ok(mut state) = run::load(&store, 0) {
        let (empty, mut batch) = (MemoryStore::default(), WriteBatch::default());
        run::save(&mut state, &empty, &mut batch).unwrap();
        empty.write(batch).unwrap();
        run::load(&empty, 0).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Longer(Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        index().prop_map(Damage::Cut),
        prop::collection::vec(any::<u8>(), 1..9).prop_map(Damage::Longer),
        (index(), index()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

fn damaged(good: &[u8], damage: &Damage) -> Vec<u8> {
    let mut bytes = good.to_vec();
    match damage {
        Damage::Flip(at, bit) => bytes[at.index(good.len())] ^= 1 << bit,
        Damage::Cut(at) => bytes.truncate(at.index(good.len())),
        Damage::Longer(more) => bytes.extend(more),
        Damage::Swap(a, b) => bytes.swap(a.index(good.len()), b.index(good.len())),
    }
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn damage_is_noticed(which in any::<prop::sample::Index>(), damage in damage()) {
        let good = which.get(&GOOD);
        let bytes = damaged(good, &damage);
        prop_assert!(bytes == *good || account::open(&bytes).is_err());
    }

    /// Of every kind of value that a run keeps, damaged before its checksum was made.
    #[test]
    fn damage_under_a_good_checksum_of_any_part_never_panics(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let (key, good) = which.get(PARTS.as_slice());
        let mut payload = opened(good);
        for damage in &damages {
            if !payload.is_empty() {
                payload = damaged(&payload, damage);
            }
        }
        survives_under(key.clone(), &envelope::seal(&payload));
    }

    /// As if the damage were done before the checksum was made: a broken program, not a broken
    /// disk.
    #[test]
    fn damage_under_a_good_checksum_never_panics(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let good: &Vec<u8> = which.get(&GOOD);
        let mut payload = opened(good);
        for damage in &damages {
            if !payload.is_empty() {
                payload = damaged(&payload, damage);
            }
        }
        survives(&payload);
    }
}
