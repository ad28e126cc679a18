//! State of the first schema, as a build once wrote it: it must read as it read then, and be written
//! as it was written. A codec accepts swapped fields in silence; these files do not.
//!
//! Until the schema is frozen, `COSMOGUARD_BLESS=1 cargo test --test it golden` writes
//! `snapshots/golden/v1` anew from a small made-up fleet; the difference is to be read, above all
//! that of the `.expected` files, and belongs into the commit that changes the schema.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use cosmoguard::account::model::AccountModel;
use cosmoguard::alert::kept::{Found, Kept, KeptRecord, NotRead};
use cosmoguard::baseline::prior::Priors;
use cosmoguard::event::Place;
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::snapshot;
use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::run_state::RunState;
use cosmoguard::store::schema::{account, evidence, run};
use cosmoguard::store::{StateStore, WriteBatch, display_ring, keys};
use cosmoguard::time::{MINUTE_MS, Timestamp};

use crate::simulated::{Ran, fleet, run_fleet};
use crate::snapshots::about;

/// Parts of a run's state that have a key of their own.
fn parts() -> [(&'static str, Vec<u8>); 4] {
    [
        ("tenant", keys::tenant()),
        ("desk", keys::desk()),
        ("fleet", keys::fleet()),
        ("positions", keys::positions()),
    ]
}

/// All of the example in one file.
const SNAPSHOT: &str = "fleet.cgsnap";

/// Parts that are written once a day: name and prefix.
const DAILY: [(&str, &[u8]); 2] = [("priors", keys::PRIORS), ("directory", keys::DIRECTORY)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/golden/v1")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; see the head of this test", path.display()))
}

fn lateness_ms() -> i64 {
    Profile::default().time.lateness_minutes * MINUTE_MS
}

/// A week of a small fleet with an attack of each kind, cut off inside an hour.
fn example() -> Ran {
    run_fleet(fleet(3, 7, 30.0), 1000, RunOptions { threads: 1, ..RunOptions::default() })
}

/// What a person can check: the picture that `model show` gives.
fn picture(model: &AccountModel) -> String {
    let detail = model.detail(&Profile::default(), &Priors::default());
    serde_json::to_string_pretty(&detail).unwrap() + "\n"
}

fn run_text(state: &RunState) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "watermark {:#?}", state.watermark);
    let _ = writeln!(text, "last tick {:?}", state.last_tick);
    let _ = writeln!(text, "fingerprints {:?}", state.digests.young());
    let _ = writeln!(text, "tenant sequence {}", state.tenant_sequence);
    let _ = writeln!(text, "accounts that contributed {}", state.fleet.accounts());
    let priors = state.fleet.clone().publish(i64::MAX).unwrap();
    let _ = writeln!(text, "places of the population {:#?}", priors.location);
    let _ = writeln!(text, "volume of the population {:?}", priors.egress);
    for (day, priors) in state.priors.iter() {
        let _ = writeln!(text, "priors of day {day} {:#?}", priors.location);
        let _ = writeln!(text, "priors of day {day} {:?}", priors.egress);
    }
    for (day, directory) in state.directory.iter() {
        let _ = writeln!(text, "directory of day {day} {directory:#?}");
    }
    text
}

/// The readable side of the run's parts, by file name.
fn expectations(state: &RunState) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("tenant.expected.txt".to_owned(), format!("{:#?}\n", state.tenant)),
        ("desk.expected.txt".to_owned(), format!("{:#?}\n", state.desk)),
        ("run.expected.txt".to_owned(), run_text(state)),
    ])
}

/// Writes all golden files anew, once, if that is asked for.
fn bless_if_asked() {
    static BLESSED: LazyLock<()> = LazyLock::new(|| {
        if std::env::var_os("COSMOGUARD_BLESS").is_some_and(|v| v == "1") {
            bless();
        }
    });
    LazyLock::force(&BLESSED);
}

fn bless() {
    let ran = example();
    let to = folder();
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(to.join(name), bytes).unwrap();
    let accounts = ran.accounts();
    // The one that remembers most.
    let sealed = accounts.values().max_by_key(|sealed| sealed.len()).unwrap();
    write("account.bin", sealed);
    write("account.expected.json", picture(&account::open(sealed).unwrap()).as_bytes());
    snapshot::create(ran.store.as_ref(), &to.join(SNAPSHOT), &about(), &mut |_| ()).unwrap();
    write("evidence.bin", &evidence::seal(&kept()).unwrap());
    write("evidence.expected.txt", format!("{:#?}\n", kept()).as_bytes());
    let store = MemoryStore::default();
    let mut batch = WriteBatch::default();
    for (name, key) in parts() {
        let sealed = ran.store.get(&key).unwrap().unwrap();
        write(&format!("{name}.bin"), &sealed);
        batch.put(key, sealed);
    }
    for (name, prefix) in DAILY {
        let stored = ran.stored(prefix);
        let (key, sealed) = stored.last_key_value().unwrap();
        let day = i64::from_be_bytes(key[prefix.len()..].try_into().unwrap());
        write(&format!("{name}-{day}.bin"), sealed);
        batch.put(key.clone(), sealed.clone());
    }
    store.write(batch).unwrap();
    let state = run::load(&store, lateness_ms()).unwrap();
    expectations(&state).iter().for_each(|(name, text)| write(name, text.as_bytes()));
}

/// Records of an alert as they are kept, each in another state.
fn kept() -> Kept {
    let states = NotRead::ALL.into_iter().map(Found::Nothing).chain([Found::Bytes([0xab; 32])]);
    let record = |(n, found)| KeptRecord {
        time: Timestamp(1_790_000_000_000 + n),
        place: Place::new(7, 300 * n as u64, 299),
        first: n == 0,
        last: n == 5,
        found,
    };
    Kept {
        account: "public/contoso".to_owned(),
        start: Timestamp(1_790_000_000_000),
        sources: vec![(7, "logs/PT1H.json".to_owned())],
        records: (0_i64..).zip(states).map(record).collect(),
        redacted: b"packed".to_vec(),
    }
}

/// The golden files, under their keys.
fn golden_store() -> MemoryStore {
    let mut batch = WriteBatch::default();
    for (name, key) in parts() {
        batch.put(key, read(&format!("{name}.bin")));
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some((name, day)) = file.strip_suffix(".bin").and_then(|f| f.split_once('-')) else {
            continue;
        };
        let (_, prefix) = DAILY.into_iter().find(|(daily, _)| *daily == name).unwrap();
        let day: i64 = day.parse().unwrap();
        batch.put([prefix, &day.to_be_bytes()].concat(), read(&file));
    }
    let store = MemoryStore::default();
    store.write(batch).unwrap();
    store
}

#[test]
fn golden_state_reads_and_writes_as_ever() {
    bless_if_asked();
    let sealed = read("account.bin");
    let model = account::open(&sealed).unwrap();
    similar("account.expected.json", &picture(&model));
    assert_eq!(account::seal(&model).unwrap(), sealed, "account.bin is written differently");

    let sealed = read("evidence.bin");
    let kept = evidence::open(&sealed).unwrap();
    similar("evidence.expected.txt", &format!("{kept:#?}\n"));
    assert_eq!(evidence::seal(&kept).unwrap(), sealed, "evidence.bin is written differently");

    let store = golden_store();
    let mut state = run::load(&store, lateness_ms()).unwrap();
    expectations(&state).iter().for_each(|(name, text)| similar(name, text));
    let mut batch = WriteBatch::default();
    run::save(&mut state, &MemoryStore::default(), &mut batch).unwrap();
    assert_eq!(batch.entries.len(), parts().len() + DAILY.len());
    for (key, written) in batch.entries {
        let golden = store.get(&key).unwrap();
        let key = String::from_utf8_lossy(&key);
        assert_eq!(written, golden, "what lies under `{key}` is written differently");
    }
}

/// A file that lay in a drawer: whole, and a run goes on from what it becomes.
#[test]
fn the_golden_snapshot_restores_as_ever() {
    bless_if_asked();
    let (file, dir) = (folder().join(SNAPSHOT), tempfile::tempdir().unwrap());
    let manifest = snapshot::restore(&file, dir.path(), false, &mut |_| ()).unwrap().manifest;
    assert_eq!((manifest.format_version, manifest.schema_version, manifest.accounts), (1, 1, 3));
    let lines = fs::read_to_string(dir.path().join("alerts.jsonl")).unwrap().lines().count();
    assert!(lines > 3 && lines as u64 == manifest.alerts);

    let store = ladder::open(dir.path(), &mut NoSnapshots, Timestamp(0)).unwrap().store;
    let sealed = read("account.bin");
    let id = account::open(&sealed).unwrap().id().clone();
    assert_eq!(store.get(&keys::account(&id)).unwrap(), Some(sealed));
    let golden = golden_store();
    for (name, key) in parts() {
        assert_eq!(store.get(&key).unwrap(), golden.get(&key).unwrap(), "{name}");
    }
    let state = run::load(store.as_ref(), lateness_ms()).unwrap();
    assert_eq!(state.fleet.accounts(), 3);
    let (mut hours, prefix) = (0, keys::rings(&id));
    let mut count = |key: &[u8], day: &[u8]| {
        hours += display_ring::read(i64::from_be_bytes(*key.last_chunk().unwrap()), day).len();
        true
    };
    store.scan(&prefix, &mut count).unwrap();
    assert!(hours > 5 * 24, "{hours}");
}

/// Equal texts, or the first line that is not.
fn similar(name: &str, text: &str) {
    let expected = String::from_utf8(read(name)).unwrap();
    let differs = expected.lines().zip(text.lines()).enumerate().find(|(_, (a, b))| a != b);
    if let Some((line, (expected, found))) = differs {
        panic!("{name}, line {}: expected\n{expected}\nfound\n{found}", line + 1);
    }
    assert_eq!(expected.len(), text.len(), "{name} ends differently");
}

/// Of a longer run: every model, and all that is not an account, through the codec and back.
#[test]
fn everything_a_run_leaves_comes_back_whole_and_is_sealed_alike() {
    let ran = run_fleet(fleet(6, 16, 40.0), 4096, RunOptions::default());
    let accounts = ran.accounts();
    assert_eq!(accounts.len(), 6);
    for (key, sealed) in &accounts {
        let model = account::open(sealed).unwrap();
        assert_eq!(keys::account(model.id()), *key);
        assert_eq!(account::seal(&model).unwrap(), *sealed);
        let again = account::open(&account::seal(&model).unwrap()).unwrap();
        assert_eq!(again, model);
    }
    let mut state = run::load(ran.store.as_ref(), lateness_ms()).unwrap();
    let copy: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let mut batch = WriteBatch::default();
    run::save(&mut state, copy.as_ref(), &mut batch).unwrap();
    for (key, written) in &batch.entries {
        assert_eq!(ran.store.get(key).unwrap(), *written, "{}", String::from_utf8_lossy(key));
    }
    copy.write(batch).unwrap();
    let back = run::load(copy.as_ref(), lateness_ms()).unwrap();
    assert_eq!((&back.tenant, &back.desk, &back.fleet), (&state.tenant, &state.desk, &state.fleet));
    assert_eq!(back.watermark, state.watermark);
    assert_eq!(format!("{:?}", back.priors), format!("{:?}", state.priors));
    assert_eq!(format!("{:?}", back.directory), format!("{:?}", state.directory));
    assert!(state.priors.iter().count() > 10 && state.fleet.accounts() == 6);
}
