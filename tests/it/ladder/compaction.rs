//! A store that is rewritten again and again does not grow without end.
use std::path::Path;

use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::{StateStore, WriteBatch, compact, envelope, keys, swap};
use cosmoguard::time::Timestamp;

fn models(round: u8) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for n in 0..1000_u32 {
        let mut bytes = Vec::with_capacity(10_240);
        let mut state = u64::from(n) << 8 | u64::from(round);
        while bytes.len() < 10_240 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend(state.to_le_bytes());
        }
        let key = format!("{}public/account-{n:05}", String::from_utf8_lossy(keys::ACCOUNT));
        batch.put(key.into_bytes(), envelope::seal(&bytes));
    }
    batch
}

fn contents(store: &dyn StateStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let mut take = |key: &[u8], value: &[u8]| {
        all.push((key.to_vec(), value.to_vec()));
        true
    };
    store.scan(b"", &mut take).unwrap();
    all
}

fn open(dir: &Path) -> ladder::Opened {
    let opened = ladder::open(dir, &mut NoSnapshots, Timestamp(0)).unwrap();
    assert_eq!(opened.recovery, None);
    opened
}

#[test]
fn ten_megabytes_rewritten_thirty_times_are_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    for round in 0..30 {
        opened.store.write(models(round)).unwrap();
        opened.store.flush().unwrap();
    }
    let before = contents(opened.store.as_ref());
    let compacted = compact::close(dir.path(), opened).unwrap().expect("worth it");
    println!("{compacted:?}");
    assert!(compacted.before > 2 * compacted.live, "{compacted:?}");
    assert!(compacted.after <= 2 * compacted.live, "{compacted:?}");
    let opened = open(dir.path());
    assert!(contents(opened.store.as_ref()) == before, "something else is there now");
    // Nothing is done twice.
    assert_eq!(compact::close(dir.path(), opened).unwrap(), None);
    assert!(swap::state(dir.path()).is_dir());
}
