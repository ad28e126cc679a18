//! Damaged state: whatever the bytes, reading them is an error or the truth, and never a panic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::sync::LazyLock;

use cosmoguard::replay::engine::RunOptions;
use cosmoguard::store::envelope;
use cosmoguard::store::schema::account;
use proptest::prelude::*;

use crate::simulated::{fleet, run_fleet};

/// Checkpoints of a small fleet.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let ran = run_fleet(fleet(3, 5, 20.0), 1000, RunOptions::default());
    ran.accounts().into_values().collect()
});

/// What opens is a model that is sealed and opened again as the same one.
fn survives(bytes: &[u8]) {
    for sealed in [bytes.to_vec(), envelope::seal(bytes)] {
        if let Ok(model) = account::open(&sealed) {
            let again = account::seal(&model).unwrap();
            let reopened = account::open(&again).unwrap();
            assert_eq!(account::seal(&reopened).unwrap(), again);
        }
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

    /// As if the damage were done before the checksum was made: a broken program, not a broken
    /// disk.
    #[test]
    fn damage_under_a_good_checksum_never_panics(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let mut payload = which.get(&GOOD)[envelope::HEADER_BYTES..].to_vec();
        for damage in &damages {
            if !payload.is_empty() {
                payload = damaged(&payload, damage);
            }
        }
        survives(&payload);
    }
}
