//! Arbitrary bytes as an account's checkpoint and under every key of a run, as they are and as the
//! payload of an envelope whose checksum is right: an error, or a value that is written and read
//! again as the same one. Never a panic. `tests/it/state.rs` runs the same body as property tests.
#![no_main]

use cosmoguard::store::census::Census;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::{account, due, run};
use cosmoguard::store::{StateStore, WriteBatch, envelope, keys};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for sealed in [bytes.to_vec(), envelope::seal(bytes)] {
        if let Ok(model) = account::open(&sealed) {
            let again = account::seal(&model).expect("what was read can be written");
            let reopened = account::open(&again).expect("what was written can be read");
            assert_eq!(account::seal(&reopened).expect("and again"), again);
        }
        let _ = Census::open(&sealed);
        for key in keys::of_every_kind() {
            let store = MemoryStore::default();
            let mut batch = WriteBatch::default();
            batch.put(key, sealed.clone());
            store.write(batch).expect("memory takes it");
            let _ = due::load(&store);
            if let Ok(mut state) = run::load(&store, 0) {
                let mut batch = WriteBatch::default();
                let empty = MemoryStore::default();
                run::save(&mut state, &empty, &mut batch).expect("what was read can be written");
                empty.write(batch).expect("memory takes it");
                run::load(&empty, 0).expect("what was written can be read");
            }
        }
    }
});
