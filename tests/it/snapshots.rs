//! Snapshots: what goes in comes out, whatever is done to the file is noticed, and a data directory
//! is replaced whole or not at all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cosmoguard::account::model::AccountModel;
use cosmoguard::ids::{AccountId, Cloud};
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::snapshot::{self, About, Archive, IntelVersion};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::account;
use cosmoguard::store::{StateStore, WriteBatch, keys};
use cosmoguard::time::Timestamp;

use crate::simulated::{Ran, fleet, run_fleet};

pub mod commands;
mod damage;
mod interrupted;
mod rings;
mod scheduled;
mod secrets;
mod versions;

/// A week of three accounts with attacks.
static FLEET: LazyLock<Ran> =
    LazyLock::new(|| run_fleet(fleet(3, 9, 30.0), 1000, RunOptions::default()));

pub fn about() -> About {
    About {
        created: Timestamp(1_790_000_000_000),
        program_version: "0.1.0".to_owned(),
        config_sha256: "ab".repeat(32),
        intel: vec![IntelVersion { name: "tor.txt".to_owned(), sha256: "cd".repeat(32) }],
    }
}

/// A folder and a snapshot of `store` in it.
fn snapshot_of(store: &dyn StateStore) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.cgsnap");
    snapshot::create(store, &path, &about(), &mut |_| ()).unwrap();
    (dir, path)
}

fn everything(store: &dyn StateStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    store
        .scan(b"", &mut |key, value| {
            all.insert(key.to_vec(), value.to_vec());
            true
        })
        .unwrap();
    all
}

fn loaded(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let store = MemoryStore::default();
    Archive::open(path).unwrap().load_all(&store, &mut |_| ()).unwrap();
    everything(&store)
}

#[test]
fn what_goes_in_comes_out_and_the_same_state_is_the_same_file() {
    let store = FLEET.store.as_ref();
    let (dir, path) = snapshot_of(store);
    let verified = snapshot::verify(&path).unwrap();
    assert_eq!(verified.manifest.accounts, 3);
    assert!(verified.manifest.alerts > 3);
    assert!(verified.manifest.event_time.newest.is_some());
    assert_eq!(loaded(&path), everything(store));

    let again = dir.path().join("again.cgsnap");
    let mut told = 0;
    snapshot::create(store, &again, &about(), &mut |n| told = n).unwrap();
    assert_eq!(told, 3);
    assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap());
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "nothing temporary is left");
}

#[test]
fn one_account_is_read_without_the_rest() {
    let (_dir, path) = snapshot_of(FLEET.store.as_ref());
    let mut archive = Archive::open(&path).unwrap();
    let accounts = archive.accounts();
    let known: Vec<Vec<u8>> = accounts.iter().map(keys::account).collect();
    assert!(known.iter().eq(FLEET.accounts().keys()));
    for id in &accounts {
        let sealed = archive.account(id).unwrap().unwrap();
        assert_eq!(Some(&sealed), FLEET.accounts().get(&keys::account(id)));
        let rings: BTreeMap<_, _> = archive.rings(id).unwrap().into_iter().collect();
        assert!(!rings.is_empty());
        assert_eq!(rings, FLEET.stored(&keys::rings(id)));
    }
    assert_eq!(archive.account(&AccountId::new("nobody", Cloud::Public)).unwrap(), None);
    let run = MemoryStore::default();
    archive.load_run(&run).unwrap();
    let run = everything(&run);
    assert!(run.contains_key(&keys::desk()) && run.contains_key(&keys::positions()));
    assert!(run.keys().all(|key| !b"ahl".contains(&key[0])));
}

fn put(store: &dyn StateStore, entries: &[(&[u8], &[u8])]) {
    let mut batch = WriteBatch::default();
    entries.iter().for_each(|(key, value)| batch.put(key.to_vec(), value.to_vec()));
    store.write(batch).unwrap();
}

fn sealed(name: &str) -> (Vec<u8>, Vec<u8>) {
    let id = AccountId::parse(name);
    (keys::account(&id), account::seal(&AccountModel::new(id)).unwrap())
}

#[test]
fn what_was_staged_counts_if_it_belongs_to_the_checkpoint() {
    let (key, new) = FLEET.accounts().pop_first().unwrap();
    let name = std::str::from_utf8(&key[keys::ACCOUNT.len()..]).unwrap();
    let (id, (_, old)) = (AccountId::parse(name), sealed(name));
    let (_, other) = sealed("b");
    assert_ne!(old, new);
    for good in [true, false] {
        let store = MemoryStore::default();
        put(&store, &[(&key, &old), (&keys::staged(&id), &new), (b"w/public/b", &other)]);
        put(&store, &[(b"s/delivered/x", b"8 bytes.")]);
        if good {
            put(&store, &[(&keys::staged_good(), b"")]);
        }
        let (_dir, path) = snapshot_of(&store);
        snapshot::verify(&path).unwrap();
        let back = loaded(&path);
        assert_eq!(back.get(&key), Some(if good { &new } else { &old }));
        assert_eq!(back.len(), if good { 2 } else { 1 });
    }
}

#[test]
fn keys_of_any_kind_are_carried_along() {
    let store = MemoryStore::default();
    let long = vec![7; 5 << 20];
    let odd: &[(&[u8], &[u8])] = &[
        (b"\0", b"nul"),
        (b"x", b"short"),
        (b"x/1", &long),
        (b"x/2", &long),
        (b"x/3", &long),
        (b"xy", b""),
        (b"z/\xff\xfe", b"not text"),
    ];
    put(&store, odd);
    let (_dir, path) = snapshot_of(&store);
    snapshot::verify(&path).unwrap();
    assert_eq!(loaded(&path), everything(&store));
}

#[test]
fn hostile_account_names_stay_in_their_folders() {
    let store = MemoryStore::default();
    let names = ["../../etc/passwd", "", ".", "CON", "a\0b", "a", "ä\u{202e}", &"long".repeat(200)];
    for name in names {
        let id = AccountId::from_lowercase(name.into(), Cloud::UsGov);
        let ring = a_day();
        put(&store, &[(&keys::ring(&id, 3), &ring), (&keys::ring(&id, 4), &ring)]);
    }
    let (_dir, path) = snapshot_of(&store);
    snapshot::verify(&path).unwrap();
    assert_eq!(loaded(&path), everything(&store));
    for (name, _) in damage::entries(&path) {
        assert!(name.is_ascii() && !name.contains("..") && !name.starts_with('/'), "{name}");
    }
}

/// A ring's day with one hour.
fn a_day() -> Vec<u8> {
    let stored = FLEET.stored(keys::RING);
    stored.into_values().next().unwrap()
}

#[test]
fn more_accounts_than_an_old_zip_can_count() {
    let store = MemoryStore::default();
    let ring = a_day();
    let mut batch = WriteBatch::default();
    for n in 0..66_000 {
        let (key, value) = sealed(&format!("account-{n:06}"));
        batch.put(key, value);
    }
    store.write(batch).unwrap();
    let last = AccountId::new("account-065999", Cloud::Public);
    put(&store, &[(&keys::ring(&last, 1), &ring)]);
    let (_dir, path) = snapshot_of(&store);
    let verified = snapshot::verify(&path).unwrap();
    assert_eq!((verified.manifest.accounts, verified.entries), (66_000, 66_004));
    let mut archive = Archive::open(&path).unwrap();
    assert_eq!(archive.accounts().len(), 66_000);
    assert_eq!(archive.account(&last).unwrap(), store.get(&keys::account(&last)).unwrap());
    assert_eq!(loaded(&path), everything(&store));
}
