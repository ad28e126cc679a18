//! State of other builds: an older one's is lifted, a newer one's is refused by name and left alone.
use cosmoguard::store::codec::{self, History, Payload};
use cosmoguard::store::envelope::{self, EnvelopeError};
use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::sled_store::SledStore;
use serde::{Deserialize, Serialize};

use super::commands::good;
use super::damage::{entries, manifest, sign, write};
use super::*;
use crate::support::cli;

const LIMIT: usize = 100;
const CUP: &[u8] = b"x/cup";

/// What some earlier build kept under [`CUP`].
#[derive(Serialize, Deserialize)]
struct CupV1 {
    sips: u32,
}

/// What a later build keeps there.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CupV2 {
    sips: u64,
    sugar: Option<u8>,
}

impl History for CupV2 {
    const VERSION: u16 = 2;
    fn from_older(version: u16, payload: Payload<'_>) -> Result<CupV2, EnvelopeError> {
        match version {
            1 => payload.read().map(|CupV1 { sips }| CupV2 { sips: sips.into(), sugar: None }),
            found => Err(EnvelopeError::FutureVersion { found, newest: Self::VERSION }),
        }
    }
}

/// The fleet with a cup.
fn with_cup(sealed: &[u8]) -> MemoryStore {
    let store = MemoryStore::default();
    let all = everything(FLEET.store.as_ref());
    let all: Vec<(&[u8], &[u8])> = all.iter().map(|(key, value)| (&**key, &**value)).collect();
    put(&store, &all);
    put(&store, &[(CUP, sealed)]);
    store
}

#[test]
fn a_snapshot_of_a_build_before_restores_and_what_changed_since_is_lifted() {
    let (kept, path) = snapshot_of(&with_cup(&codec::encode(&CupV1 { sips: 3 }, LIMIT).unwrap()));
    // As written by a program that had neither today's schema nor what manifests say today.
    let mut all = entries(&path);
    manifest(&mut all, |m| {
        m["program_version"] = "0.0.7".into();
        m["schema_version"] = 0.into();
    });
    sign(&mut all);
    write(&path, &all);
    snapshot::verify(&path).unwrap();
    let dir = kept.path().join("d");
    snapshot::restore(&path, &dir, false, &mut |_| ()).unwrap();
    let store = SledStore::open(&dir.join("state")).unwrap();
    let accounts = FLEET.accounts();
    assert!(accounts.iter().all(|(key, sealed)| store.get(key).unwrap().as_ref() == Some(sealed)));

    // The build that has the second version reads it, and writes its own from then on.
    let lifted: CupV2 = codec::decode_any(&store.get(CUP).unwrap().unwrap(), LIMIT).unwrap();
    assert_eq!(lifted, CupV2 { sips: 3, sugar: None });
    put(&store, &[(CUP, &codec::encode_newest(&lifted, LIMIT).unwrap())]);
    store.flush().unwrap();
    let again: CupV2 = codec::decode_any(&store.get(CUP).unwrap().unwrap(), LIMIT).unwrap();
    assert_eq!(again, lifted);
    drop(store);

    // This build has not: it says so, repairs nothing, and a snapshot is the way back.
    let refused = ladder::open(&dir, &mut NoSnapshots, Timestamp(0)).unwrap_err().to_string();
    let words = "what lies under `x/cup`: it is schema 2, this build reads up to 1";
    assert!(refused.contains(words), "{refused}");
    snapshot::restore(&path, &dir, false, &mut |_| ()).unwrap();
    ladder::open(&dir, &mut NoSnapshots, Timestamp(0)).unwrap();
}

#[test]
fn a_directory_of_a_newer_build_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_kept, path) = snapshot_of(FLEET.store.as_ref());
    let file = path.display().to_string();
    let (account, _) = FLEET.accounts().pop_last().unwrap();
    for (n, key) in [account, keys::desk(), keys::priors(30_000)].into_iter().enumerate() {
        let data = format!("d{n}");
        good(dir, &["snapshot", "restore", &file, "--data-dir", &data]);
        let state = dir.join(&data).join("state");
        let write = |store: &SledStore| {
            put(store, &[(&key, &envelope::seal_as(2, b"of later"))]);
            store.flush().unwrap();
        };
        write(&SledStore::open(&state).unwrap());
        let before = everything(&SledStore::open(&state).unwrap());
        std::fs::write(dir.join("logs"), "").unwrap();
        for args in [&["replay", "logs"][..], &["model", "list"]] {
            let ran = cli(dir, &[args, &["--data-dir", &data]].concat());
            assert_eq!(ran.code, Some(1), "{}", ran.err);
            assert!(ran.err.contains("it is schema 2, this build reads up to 1"), "{}", ran.err);
            assert!(!ran.err.contains("repairs"), "{}", ran.err);
        }
        assert!(everything(&SledStore::open(&state).unwrap()) == before);
        assert!(!dir.join(&data).join("recovery.jsonl").exists());
    }
}
