//! Display rings come and go with their accounts.
use cosmoguard::store::display_ring;
use cosmoguard::store::sled_store::SledStore;

use super::*;

fn rings(store: &dyn StateStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rings = everything(store);
    rings.retain(|key, _| key.starts_with(keys::RING));
    rings
}

/// Restores the snapshot at `path` over whatever is in `dir`; what the store holds then.
fn restored(path: &Path, dir: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    snapshot::restore(path, dir, false, &mut |_| ()).unwrap();
    rings(&SledStore::open(&dir.join("state")).unwrap())
}

#[test]
fn a_restore_brings_back_every_hour_and_no_ring_of_an_account_that_is_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = FLEET.store.as_ref();
    let (_all, all) = snapshot_of(store);
    let back = restored(&all, dir.path());
    assert_eq!(back, rings(store));
    let hours = back.iter().map(|(key, day)| {
        display_ring::read(i64::from_be_bytes(*key.last_chunk().unwrap()), day).len()
    });
    assert!(hours.sum::<usize>() > 3 * 24 * 6);

    // The same fleet before one of its accounts came.
    let gone = Archive::open(&all).unwrap().accounts().remove(1);
    let fewer = MemoryStore::default();
    Archive::open(&all).unwrap().load_all(&fewer, &mut |_| ()).unwrap();
    let mut batch = WriteBatch::default();
    batch.delete(keys::account(&gone));
    display_ring::forget(&fewer, &gone, &mut batch).unwrap();
    fewer.write(batch).unwrap();
    let (_fewer, path) = snapshot_of(&fewer);
    let left = restored(&path, dir.path());
    assert!(!left.is_empty() && left.keys().all(|key| !key.starts_with(&keys::rings(&gone))));
    assert_eq!(left, rings(&fewer));
}
