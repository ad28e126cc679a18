//! However a stream is split by the death of the process, by errors of the store, by power cuts, by
//! snapshots that are restored elsewhere, by clean ends, by sleep, batches, threads and checkpoints,
//! the alerts and every stored byte are those of one run from end to end.
//!
//! Deaths are those of kill -9: what was written to the store stays, what was not is gone, and the
//! alert file ends in the middle of a line.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use cosmoguard::replay::engine::RunOptions;
use cosmoguard::snapshot;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::sled_store::SledStore;
use cosmoguard::store::{StateStore, StoreError, Visit, WriteBatch, keys};
use cosmoguard::time::Timestamp;
use proptest::prelude::*;

use faulty::Faulty;
use world::{End, Played, World};

use crate::simulated::fleet;
use crate::snapshots::about;

mod faulty;
pub mod world;

/// A store that dies with its process: after so many writes every further call fails.
struct Mortal {
    inner: Arc<dyn StateStore>,
    writes_left: AtomicU64,
}

impl Mortal {
    fn alive(&self, cost: u64) -> Result<(), StoreError> {
        let spend = |left: u64| left.checked_sub(cost).filter(|after| cost > 0 || *after > 0);
        match self.writes_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend) {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Engine {
                place: "memory".to_owned(),
                action: "reached",
                cause: "the process died".to_owned(),
            }),
        }
    }
}

impl StateStore for Mortal {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.alive(0)?;
        self.inner.get(key)
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.alive(1)?;
        self.inner.write(batch)
    }
    fn scan(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.alive(0)?;
        self.inner.scan(prefix, visit)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.alive(0)?;
        self.inner.flush()
    }
}

/// How one process ends.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Killed once it has written so often to the store: while accounts fall asleep, before,
    /// inside or after a checkpoint.
    DiesAtWrite(u64),
    /// Killed after this share (in 65,536ths) of the records.
    DiesAtRecord(u16),
    /// A call of the store fails, and what else this process wrote since its last flush is lost up
    /// to a share.
    Fails { call: u64, lost: u16 },
    /// No process: a snapshot is made and restored into an empty directory.
    Restored,
    /// The input ends there for now; alerts of what is open come out.
    Ends(u16),
}

/// How one process works.
#[derive(Clone, Copy, Debug)]
struct How {
    threads: usize,
    chunk: usize,
    awake: usize,
    checkpoint: u64,
}

impl How {
    fn options(self) -> RunOptions {
        RunOptions {
            threads: self.threads,
            awake_max: self.awake,
            checkpoint_records: self.checkpoint,
            ..RunOptions::default()
        }
    }
}

/// At ease: one thread, nobody sleeps before his time, no checkpoint before the end.
const CALM: How = How { threads: 1, chunk: 700, awake: 1000, checkpoint: u64::MAX };

fn how() -> impl Strategy<Value = How> {
    let checkpoint = prop_oneof![Just(1_u64), 20..400_u64, Just(u64::MAX)];
    (1..4_usize, 1..900_usize, 0..4_usize, checkpoint)
        .prop_map(|(threads, chunk, awake, checkpoint)| How { threads, chunk, awake, checkpoint })
}

fn death() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => (0..500_u64).prop_map(Part::DiesAtWrite),
        1 => any::<u16>().prop_map(Part::DiesAtRecord),
        2 => (0..1500_u64, any::<u16>()).prop_map(|(call, lost)| Part::Fails { call, lost }),
        1 => Just(Part::Restored),
    ]
}

fn death_or_end() -> impl Strategy<Value = Part> {
    prop_oneof![1 => death(), 1 => any::<u16>().prop_map(Part::Ends)]
}

/// The alert file and every stored value of one run from end to end.
type Outcome = (Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>);

/// Streams as files merged by time and as a blob layout read by the hour, each with its outcome.
/// They break off inside an attack, so that early verdicts are due at their ends.
static STREAMS: LazyLock<[(World, Outcome); 2]> = LazyLock::new(|| {
    [false, true].map(|by_hour| {
        let whole = World::of_fleet(by_hour);
        let file = play(&whole, &[], CALM).0;
        let ends = alerts(&file).into_iter().map(|a| time(&a["properties"]["endTimeUtc"]));
        let world = whole.until(ends.max().unwrap());
        let outcome = play(&world, &[], CALM);
        assert!(alerts(&outcome.0).len() > 3, "a comparison of nothing");
        (world, outcome)
    })
});

/// The lines of an alert file.
fn alerts(file: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn time(value: &serde_json::Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

/// A data directory: alerts in a file, state in memory or, after a restore, on the disk.
struct Place {
    dir: tempfile::TempDir,
    store: Arc<dyn StateStore>,
}

impl Place {
    fn empty() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), store: Arc::new(MemoryStore::default()) }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("alerts.jsonl")
    }

    /// What a snapshot of it becomes in an empty directory.
    fn restored(&self) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = self.dir.path().join("x.cgsnap");
        snapshot::create(self.store.as_ref(), &snapshot, &about(), &mut |_| ()).unwrap();
        snapshot::restore(&snapshot, dir.path(), false, &mut |_| ()).unwrap();
        let store = Arc::new(SledStore::open(&dir.path().join("state")).unwrap());
        Place { dir, store }
    }

    /// One process, however it ends.
    fn part(&self, world: &World, part: Part, how: How) {
        let run = |store: Arc<dyn StateStore>, records, end| {
            world.play(&self.file(), store, records, end, how.chunk, how.options())
        };
        let all = world.len();
        let played = match part {
            Part::Restored => return,
            Part::DiesAtWrite(writes) => {
                let inner = Arc::clone(&self.store);
                let mortal = Mortal { inner, writes_left: writes.into() };
                run(Arc::new(mortal), all, End::InputEnds)
            }
            Part::Fails { call, lost } => {
                let faulty = Arc::new(Faulty::new(Arc::clone(&self.store), call));
                let played = run(Arc::clone(&faulty) as _, all, End::InputEnds);
                let met = faulty.calls() > call;
                assert_eq!(
                    met,
                    matches!(played, Played::Died),
                    "call {call} of {}",
                    faulty.calls()
                );
                faulty.cut_power(lost);
                played
            }
            Part::DiesAtRecord(share) => {
                run(Arc::clone(&self.store), world.share(share), End::Dies)
            }
            Part::Ends(share) => run(Arc::clone(&self.store), world.share(share), End::InputEnds),
        };
        if matches!(played, Played::Died) {
            tear(&self.file());
        }
    }
}

/// Runs process after process over the same data directory, the last one to the end.
fn play(world: &World, parts: &[(Part, How)], last: How) -> Outcome {
    let mut place = Place::empty();
    for (part, how) in parts {
        if matches!(part, Part::Restored) {
            place = place.restored();
        } else {
            place.part(world, *part, *how);
        }
    }
    let store = Arc::clone(&place.store);
    let file = place.file();
    let played = world.play(&file, store, world.len(), End::InputEnds, last.chunk, last.options());
    assert!(matches!(played, Played::Ended));
    (std::fs::read(&file).unwrap(), stored(place.store.as_ref()))
}

/// The beginning of a line that never came to its end.
fn tear(file: &Path) {
    let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
    file.write_all(br#"{"id":"/subscriptions/00/providers/Microsoft.Security/loc"#).unwrap();
}

/// Everything in a store but the lengths of alert files, which go by their paths, and fingerprints
/// of recent records, which are stored in pieces from checkpoint to checkpoint.
fn stored(store: &dyn StateStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut entries = BTreeMap::new();
    let mut take = |key: &[u8], value: &[u8]| {
        if !key.starts_with(b"s/delivered/") && !key.starts_with(keys::DIGESTS) {
            entries.insert(key.to_vec(), value.to_vec());
        }
        true
    };
    store.scan(b"", &mut take).unwrap();
    entries
}

/// Keys whose values differ or that only one side has, printable.
fn differing(a: &BTreeMap<Vec<u8>, Vec<u8>>, b: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let keys: BTreeSet<&Vec<u8>> = a.keys().chain(b.keys()).collect();
    let odd = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    odd.map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

/// Alerts by id, with the highest severity that was printed.
fn told(file: &[u8]) -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alert in alerts(file) {
        let of = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let first = told
            .entry(of(&alert["name"]))
            .or_default()
            .insert(of(&alert["properties"]["severity"]));
        assert!(first, "an alert was printed twice with the same severity: {alert}");
    }
    told
}

/// What two runs must agree on when one of them came to an end in between. Early verdicts make
/// the desk remember the lines that it printed, and keep their records; and while a blob hour is half read an end lets the
/// watermark go on, so that fingerprints are forgotten at other moments.
fn models(stored: &BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rest = stored.clone();
    let run = [keys::desk(), keys::positions()];
    let told = |key: &[u8]| key.starts_with(keys::ALERT) || key.starts_with(keys::EVIDENCE);
    rest.retain(|key, _| !run.contains(key) && !told(key));
    rest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn deaths_change_not_a_byte(
        by_hour in any::<bool>(),
        parts in prop::collection::vec((death(), how()), 0..4),
        last in how(),
    ) {
        let (world, expected) = &STREAMS[usize::from(by_hour)];
        let got = play(world, &parts, last);
        prop_assert_eq!(differing(&got.1, &expected.1), Vec::<String>::new());
        prop_assert!(got.0 == expected.0, "the alert file differs");
    }

    #[test]
    fn ends_in_between_change_no_model_and_lose_no_alert(
        by_hour in any::<bool>(),
        parts in prop::collection::vec((death_or_end(), how()), 1..4),
        last in how(),
    ) {
        let (world, expected) = &STREAMS[usize::from(by_hour)];
        let got = play(world, &parts, last);
        // An end inside a blob hour lets the watermark go on: what comes later in that hour and lies
        // more than the lateness behind is late then, and is learnt as such.
        let inside_an_hour = by_hour && parts.iter().any(|(part, _)| matches!(part, Part::Ends(_)));
        let differs = differing(&models(&got.1), &models(&expected.1));
        prop_assert!(inside_an_hour || differs.is_empty(), "{:?}", differs);
        let (got, expected) = (told(&got.0), told(&expected.0));
        for (id, severities) in &expected {
            prop_assert!(got.get(id).is_some_and(|s| s.is_superset(severities)), "{} lost", id);
        }
    }
}

/// Who dies inside an hour has not read it for nothing.
#[test]
fn a_long_hour_has_checkpoints() {
    for (whole, _) in STREAMS.iter() {
        let hour = whole.until(Timestamp::of_hour(whole.begins().hour() + 1).plus_ms(-1));
        assert!(hour.len() > 8, "{} records", hour.len());
        let how = How { chunk: 1, checkpoint: 4, ..CALM };
        let place = Place::empty();
        place.part(&hour, Part::DiesAtRecord(u16::MAX / 2), how);
        assert!(place.store.get(&keys::positions()).unwrap().is_some(), "nothing was kept");
        let (got, expected) =
            (play(&hour, &[(Part::DiesAtRecord(u16::MAX / 2), how)], CALM), play(&hour, &[], CALM));
        assert_eq!(differing(&got.1, &expected.1), Vec::<String>::new());
    }
}

#[test]
fn the_same_input_again_adds_nothing() {
    for (world, once) in STREAMS.iter() {
        let again =
            play(world, &[(Part::Ends(u16::MAX), CALM), (Part::Ends(u16::MAX), CALM)], CALM);
        assert_eq!(differing(&again.1, &once.1), Vec::<String>::new());
        assert!(again.0 == once.0, "the alert file differs");
    }
}

/// Whichever call of the store fails first, and however much of what was not flushed goes with it.
#[test]
fn any_call_may_fail() {
    let world = World::of(fleet(2, 4, 30.0), false);
    let how = How { threads: 1, chunk: 70, awake: 0, checkpoint: 60 };
    let expected = play(&world, &[], how);
    assert!(!alerts(&expected.0).is_empty(), "a comparison of nothing");
    let calls = {
        let place = Place::empty();
        let counting = Arc::new(Faulty::new(Arc::clone(&place.store), u64::MAX));
        let store: Arc<dyn StateStore> = Arc::clone(&counting) as _;
        world.play(&place.file(), store, world.len(), End::InputEnds, how.chunk, how.options());
        counting.calls()
    };
    println!("{} records, {calls} calls", world.len());
    for call in 0..calls {
        // None of it, all of it, and shares in between.
        let lost = [0, u16::MAX, (call * 7919) as u16][call as usize % 3];
        let got = play(&world, &[(Part::Fails { call, lost }, how)], how);
        let differs = differing(&got.1, &expected.1);
        assert_eq!(differs, Vec::<String>::new(), "call {call}, {lost}/65536 lost");
        assert!(got.0 == expected.0, "call {call}, {lost}/65536 lost: the alert file differs");
    }
}

#[test]
fn a_snapshot_that_is_restored_elsewhere_goes_on_to_the_same_end() {
    for (world, whole) in STREAMS.iter() {
        for share in [0, 20_000, 45_000, u16::MAX] {
            let how = How { awake: 1, checkpoint: 100, ..CALM };
            let parts = [(Part::DiesAtRecord(share), how), (Part::Restored, how)];
            let got = play(world, &parts, CALM);
            assert_eq!(differing(&got.1, &whole.1), Vec::<String>::new(), "{share}/65536");
            assert!(got.0 == whole.0, "{share}/65536: the alert file differs");
        }
    }
}
