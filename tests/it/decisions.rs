//! What people decide, through the engine: marks, lessons, trusted networks and incidents follow
//! from the log and the ledger alone, wherever a process ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosmoguard::alert::rules::{
    Filter, FilterText, Ledger, Rule, Ruling, Subject, Trust, Verdict, What, works_from,
};
use cosmoguard::detect::AlertKind;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::store::decisions::{self, Draft};
use cosmoguard::store::layout::DataDir;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{StateStore, keys};
use cosmoguard::time::{DAY_MS, Timestamp};

use crate::simulated::fleet;
use crate::splits::world::{End, World};
use crate::support::cli;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// What came of a run.
struct Came {
    subjects: Vec<Subject>,
    accounts: Entries,
}

fn options() -> RunOptions {
    RunOptions { threads: 1, checkpoint_records: u64::MAX, ..RunOptions::default() }
}

/// Plays the world in parts, each a process of its own, on a store that holds these decisions.
fn play(world: &World, decided: &[(What, Timestamp)], parts: &[usize], folder: &Path) -> Came {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let (dir, mut ledger) = (DataDir::new(folder), Ledger::default());
    for (what, from) in decided {
        let draft = Draft {
            what: what.clone(),
            from: Some(*from),
            author: "ann".to_owned(),
            reason: "known".to_owned(),
        };
        let times = [*from, Timestamp(0)];
        decisions::record(&dir, store.as_ref(), &mut ledger, draft, times).unwrap();
    }
    let alerts = folder.join(format!("{}.jsonl", parts.len()));
    for part in parts {
        world.play(&alerts, Arc::clone(&store), *part, End::InputEnds, 700, options());
    }
    let mut accounts = Entries::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        accounts.push((key.to_vec(), value.to_vec()));
        true
    };
    store.scan(keys::ACCOUNT, &mut keep).unwrap();
    Came { subjects: decisions::subjects(store.as_ref()).unwrap(), accounts }
}

fn below(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn all(world: &World) -> Vec<usize> {
    vec![world.len()]
}

fn of_account(account: &str) -> Filter {
    let text = FilterText { account: Some(account.to_owned()), ..FilterText::default() };
    Filter::parse(&text).unwrap()
}

fn ids(came: &Came) -> Vec<(String, u32)> {
    came.subjects.iter().map(|s| (s.id.to_string(), s.revision)).collect()
}

#[test]
fn a_rule_hides_nothing_and_marks_the_same_wherever_the_run_is_split() {
    let world = World::of_fleet(false);
    let folder = tempfile::tempdir().unwrap();
    let plain = play(&world, &[], &all(&world), &below(&folder, "a"));
    let account = plain.subjects[0].accounts[0].clone();
    let until = plain.subjects.last().unwrap().raised.plus_ms(30 * DAY_MS);
    let rule = What::Suppress(Rule { filter: of_account(&account), up_to: None, until });
    let decided = [(rule, Timestamp::MIN)];
    let whole = play(&world, &decided, &all(&world), &below(&folder, "b"));
    assert_eq!(ids(&whole), ids(&plain), "every alert is kept");
    let marked: Vec<bool> = whole.subjects.iter().map(|s| !s.silenced_by.is_empty()).collect();
    let fits = |s: &Subject| s.accounts.iter().all(|a| *a == account);
    assert_eq!(marked, whole.subjects.iter().map(fits).collect::<Vec<_>>());
    assert!(marked.contains(&true) && marked.contains(&false), "{marked:?}");
    assert_eq!(whole.accounts, plain.accounts, "a rule teaches nothing");
}

#[test]
fn a_verdict_teaches_at_its_moment_and_a_split_run_learns_the_same() {
    // Old enough to hold back what is new.
    let world = World::of(fleet(4, 18, 20.0), false);
    let folder = tempfile::tempdir().unwrap();
    let plain = play(&world, &[], &all(&world), &below(&folder, "a"));
    let own = |place: &Subject| [keys::ACCOUNT, place.account.as_bytes()].concat();
    let verdict = |place: &Subject, ruling| {
        let from = works_from(place.raised.plus_ms(3_600_000));
        [(What::Verdict(Verdict::of(place, ruling)), from)]
    };
    let model = |came: &Came, place: &Subject| {
        came.accounts.iter().find(|(k, _)| *k == own(place)).unwrap().1.clone()
    };
    // One whose place was held back, so that both verdicts have something to change.
    let places = plain.subjects.iter().filter(|s| s.kind == AlertKind::GeoAnomaly);
    let benign = |place: &Subject| {
        play(&world, &verdict(place, Ruling::Benign), &all(&world), &below(&folder, "b"))
    };
    let held = places.map(|place| (place, benign(place)));
    let mut held = held.filter(|(place, came)| model(came, place) != model(&plain, place));
    let (place, benign) = held.next().expect("a place that is held back");
    let bad = verdict(place, Ruling::Malicious);
    let malicious = play(&world, &bad, &all(&world), &below(&folder, "c"));
    assert_ne!(model(&malicious, place), model(&plain, place));
    assert_ne!(model(&malicious, place), model(&benign, place));
    let halves = [world.len() / 3, world.len() * 2 / 3, world.len()];
    for (ruling, whole) in [(Ruling::Benign, &benign), (Ruling::Malicious, &malicious)] {
        let split = play(&world, &verdict(place, ruling), &halves, &below(&folder, "d"));
        assert_eq!(whole.accounts, split.accounts, "{ruling:?}");
        let others = |came: &Came| {
            let others = came.accounts.iter().filter(|(k, _)| *k != own(place));
            others.cloned().collect::<Entries>()
        };
        assert_eq!(others(whole), others(&plain), "nobody else learns of it");
    }
    let once = verdict(place, Ruling::BenignOnce);
    let once = play(&world, &once, &all(&world), &below(&folder, "e"));
    assert_eq!(once.accounts, plain.accounts, "benign, once teaches nothing");
}

#[test]
fn a_trusted_network_is_no_unusual_place_while_it_is_trusted() {
    let world = World::of_fleet(false);
    let folder = tempfile::tempdir().unwrap();
    let plain = play(&world, &[], &all(&world), &below(&folder, "a"));
    let place =
        plain.subjects.iter().find(|s| s.kind == AlertKind::GeoAnomaly && s.ip.is_some()).unwrap();
    let trust = |until: Timestamp| {
        let ip = place.ip.unwrap().to_string();
        [(What::Trust(Trust::parse(&ip, until).unwrap()), place.start.plus_ms(-30 * DAY_MS))]
    };
    let has = |came: &Came| came.subjects.iter().any(|s| s.id == place.id);
    let trusted = trust(place.end.plus_ms(30 * DAY_MS));
    assert!(!has(&play(&world, &trusted, &all(&world), &below(&folder, "b"))));
    let expired = trust(place.start.plus_ms(-1));
    assert!(has(&play(&world, &expired, &all(&world), &below(&folder, "c"))));
}

#[test]
fn the_demo_fleet_has_an_incident_with_its_timeline() {
    let dir = tempfile::tempdir().unwrap();
    let ran = cli(dir.path(), &["replay", "--demo", "--data-dir", "d", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let text = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |line: &serde_json::Value, name: &str| {
        line["properties"]["extendedProperties"][name].as_str().map(str::to_owned)
    };
    let within: Vec<&serde_json::Value> =
        lines.iter().filter(|line| said(line, "Incident").is_some()).collect();
    assert!(!within.is_empty(), "no incident among {} alerts", lines.len());
    for line in within {
        let incident = said(line, "Incident").unwrap();
        assert_eq!(line["properties"]["correlationKey"], format!("incident:{incident}"));
        let members = said(line, "Incident alerts").unwrap();
        let own = line["name"].as_str().unwrap();
        assert!(members.contains(own), "an alert is part of its own incident");
        for member in members.split(", ") {
            assert!(lines.iter().any(|l| l["name"] == member), "{member} is kept");
        }
    }
}

#[test]
fn rules_verdicts_and_the_audit_log_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| cli(dir.path(), &[args, &["--data-dir", "d"]].concat());
    // Ahead of the first record.
    let add =
        ["suppress", "add", "--kind", "CosmosDB_TorAnomaly", "--for", "400d", "--reason", "drill"];
    let added = run(&add);
    assert_eq!(added.code, Some(0), "{}", added.err);
    assert!(added.out.starts_with("S1 suppress: CosmosDB_TorAnomaly"), "{}", added.out);
    assert!(added.err.contains("reaches beyond one account"), "{}", added.err);
    assert_eq!(run(&["replay", "--demo", "--quiet"]).code, Some(0));
    let listed = run(&["suppress", "list", "--json"]);
    let rule: serde_json::Value = serde_json::from_str(listed.out.trim()).unwrap();
    assert!(rule["hits_90_days"].as_u64().unwrap() > 0, "{}", listed.out);
    let text = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).unwrap();
    let marked = text.lines().filter(|l| l.contains(r#""Suppressed by":"S1""#)).count();
    let tor = text.lines().filter(|l| l.contains(r#""alertType":"CosmosDB_TorAnomaly""#)).count();
    assert!(tor > 0 && marked == tor, "{marked} of {tor}");
    // A verdict on a place says what the account will know, and can be taken back.
    let place = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = line["properties"]["alertType"].as_str().unwrap().to_owned();
        (kind == "CosmosDB_GeoAnomaly").then(|| line["name"].as_str().unwrap().to_owned())
    };
    let verdict = |id: &str, ruling: &str| run(&["verdict", id, ruling, "--reason", "new office"]);
    let learns = "what the account will know";
    let id = text.lines().filter_map(place).find(|id| verdict(id, "benign").err.contains(learns));
    let id = id.expect("a place that is held back");
    let twice = verdict(&id, "malicious");
    assert!(twice.code == Some(1) && twice.err.contains("--undo"), "{}", twice.err);
    // Taken back it is held back again, all in one moment of event time; and so on.
    for _ in 0..2 {
        let undone = run(&["verdict", &id, "--undo", "--reason", "wrong one"]);
        assert!(undone.code == Some(0) && undone.err.contains(learns), "{}", undone.err);
        let again = verdict(&id, "benign");
        assert!(again.code == Some(0) && again.err.contains(learns), "{}", again.err);
    }
    // What is refused changes nothing.
    for bad in [
        &["suppress", "add", "--for", "1d", "--reason", "all"][..],
        &["suppress", "add", "--account", "a", "--for", "9999d", "--reason", "x"],
        &["suppress", "add", "--account", "a", "--for", "1d"],
        &["suppress", "remove", "S9", "--reason", "x"],
        &["trust", "add", "0.0.0.0/0", "--for", "1d", "--reason", "x"],
        &["verdict", "zz", "benign", "--reason", "x"],
    ] {
        assert_eq!(run(bad).code, Some(1), "{bad:?}");
    }
    assert_eq!(run(&["suppress", "remove", "S1", "--reason", "drill is over"]).code, Some(0));
    let sound = run(&["audit", "verify"]);
    assert!(sound.code == Some(0) && sound.out.starts_with("sound: "), "{}", sound.out);
    let path = dir.path().join("d/audit.jsonl");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log.replace("new office", "old office")).unwrap();
    let broken = run(&["audit", "verify"]);
    assert!(
        broken.code == Some(1) && broken.err.contains("does not follow the line before"),
        "{}",
        broken.err
    );
}

#[test]
fn an_expectation_teaches_only_when_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| cli(dir.path(), &[args, &["--data-dir", "d"]].concat());
    let kind = ["--kind", "CosmosDB_GeoAnomaly", "--kind", "CosmosDB_TorAnomaly"];
    let anywhere = ["--address", "0.0.0.0/1", "--address", "128.0.0.0/1"];
    let span = ["--start", "2026-09-14", "--end", "2026-12-01", "--ticket", "CHG-1"];
    let add = [&["expect", "add"][..], &kind, &anywhere, &span, &["--reason", "a move"]].concat();
    let added = run(&add);
    assert_eq!(added.code, Some(0), "{}", added.err);
    assert_eq!(run(&["replay", "--demo", "--quiet"]).code, Some(0));
    let text = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).unwrap();
    let marked = |kind: &str| {
        let own = text.lines().filter(|l| l.contains(r#""Expected by":"E1""#));
        own.filter(|l| l.contains(kind)).count()
    };
    assert!(marked("CosmosDB_GeoAnomaly") > 0 && marked("CosmosDB_TorAnomaly") > 0);
    let learns = "what the account will know";
    let taught = run(&["expect", "teach", "E1", "--reason", "it has moved"]);
    assert!(taught.code == Some(0) && taught.err.contains(learns), "{}", taught.err);
    // Once only, and each of them can be taken back.
    let again = run(&["expect", "teach", "E1", "--reason", "it has moved"]);
    assert!(again.err.contains(" 0 taught") && !again.err.contains(learns), "{}", again.err);
    assert_eq!(run(&["expect", "teach", "S1", "--reason", "x"]).code, Some(1));
}
