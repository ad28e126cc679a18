//! The service says what a replay says over the same records, however they come, and whatever
//! happens to it meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cosmoguard::simulate;
use cosmoguard::time::{DAY_MS, MINUTE_MS, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

mod decided;
mod world;

use self::world::{Alerts, Service, Start, alerts, options, records, replayed, write_lines};

const SEGMENT_BYTES: u64 = 1 << 20;
const NEVER: u64 = u64::MAX;

fn append(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// The replay's, and enough of them to mean something.
fn expected(fleet: &simulate::Fleet, paths: &[PathBuf], data_dir: &Path) -> Alerts {
    let alerts = replayed(fleet, paths, data_dir);
    assert!(alerts.len() >= 5, "{alerts:?}");
    alerts
}

#[test]
fn blobs_that_grow_in_pieces_give_the_alerts_of_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    // Blob by blob: its hour, its path, its records.
    let mut blobs: BTreeMap<(i64, String), Vec<Vec<u8>>> = BTreeMap::new();
    for (n, (arrival, record)) in records(&fleet).into_iter().enumerate() {
        let hour = Timestamp::of_hour(arrival.hour());
        let text = hour.minutes_text();
        let (y, m, d, h) = (&text[..4], &text[5..7], &text[8..10], &text[11..13]);
        let path = format!("r{}/y={y}/m={m}/d={d}/h={h}/m=00/PT1H.json", n % 2);
        blobs.entry((hour.hour(), path)).or_default().push(record);
    }
    let whole = dir.join("whole");
    for ((_, path), records) in &blobs {
        write_lines(&whole.join(path), records);
    }
    let wanted = expected(&fleet, &[whole], &dir.join("calm"));

    let (growing, data_dir) = (dir.join("growing"), dir.join("guard"));
    std::fs::create_dir_all(&growing).unwrap();
    let start = Start {
        fleet: &fleet,
        data_dir: &data_dir,
        watch: vec![growing.clone()],
        warm_up: Vec::new(),
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: NEVER,
    };
    let service = Service::start(start);
    let (mut written, mut hour) = (0, i64::MIN);
    for (n, ((of, path), records)) in blobs.iter().enumerate() {
        if *of != hour {
            // Blobs of an hour are complete before those of the next one begin.
            service.wait_records(written);
            hour = *of;
        }
        let path = growing.join(path);
        let bytes: Vec<u8> = if n % 3 == 0 {
            let all = records.join(&b',');
            [&b"{\"records\":["[..], &all, b"]}"].concat()
        } else {
            records.iter().flat_map(|r| [r.as_slice(), b"\n"].concat()).collect()
        };
        for piece in bytes.chunks(bytes.len().div_ceil(3)) {
            append(&path, piece);
        }
        written += records.len() as u64;
    }
    service.wait_records(written);
    service.wait("a checkpoint", |status| status.checkpointed.is_some());
    assert_eq!(service.running.board.read().counts.records(), written, "none twice");
    assert_eq!(service.stop(), wanted);
}

#[test]
fn batches_that_are_handed_over_are_all_applied_once_and_give_their_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    let records: Vec<Vec<u8>> = records(&fleet).into_iter().map(|(_, r)| r).collect();
    write_lines(&dir.join("whole/a.jsonl"), &records);
    let wanted = expected(&fleet, &[dir.join("whole/a.jsonl")], &dir.join("calm"));
    let data_dir = dir.join("guard");
    let start = || Start {
        fleet: &fleet,
        data_dir: &data_dir,
        watch: Vec::new(),
        warm_up: Vec::new(),
        segment_bytes: 256 << 10,
        quiet_ms: NEVER,
    };
    let service = Service::start(start());
    let inbox = service.running.inbox.clone().unwrap();
    for batch in records.chunks(97) {
        // Of another resource, at the end of a batch: it must not hold back what lies before it.
        let other = br#"{"time":"2026-09-20T00:00:00Z","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V","category":"AuditEvent"}"#;
        let batch = [batch.join(&b'\n').as_slice(), b"\n", other].concat();
        inbox.submit(batch).unwrap();
    }
    service.wait_records((records.len() + records.chunks(97).len()) as u64);
    // What a verdict may still want to read stays for some hours.
    service.wait("released", |status| status.inbox.segments <= 2);
    drop(inbox);
    let told = service.stop();
    assert_eq!(told, wanted);
    // And what is left of it is not applied once more.
    let service = Service::start(start());
    service.wait("read again", |status| {
        let inbox = status.sources.iter().find(|s| s.kind == "inbox");
        inbox.is_some_and(|s| 0 < s.files && s.files <= 2 && s.bytes_behind == 0)
    });
    assert_eq!(service.running.board.read().counts.events, 0);
    assert_eq!(service.stop(), told);
}

#[test]
fn history_warms_up_first_and_its_alerts_are_marked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    let all = records(&fleet);
    let cut = all.len() * 2 / 3;
    let lines = |part: &[(Timestamp, Vec<u8>)], name: &str| {
        let path = dir.join(name).join("a.jsonl");
        write_lines(&path, part.iter().map(|(_, r)| r));
        path
    };
    let wanted = expected(&fleet, &[lines(&all, "whole")], &dir.join("calm"));
    let history = lines(&all[..cut], "history");
    lines(&all[cut..], "live");
    let data_dir = dir.join("guard");
    let service = Service::start(Start {
        fleet: &fleet,
        data_dir: &data_dir,
        watch: vec![dir.join("live")],
        warm_up: vec![history],
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: NEVER,
    });
    service.wait_records(all.len() as u64);
    assert_eq!(service.stop(), wanted);
    let text = std::fs::read_to_string(data_dir.join("alerts.jsonl")).unwrap();
    let marked = text.lines().filter(|line| line.contains(r#""Warm-up":"true""#)).count();
    assert!(0 < marked && marked < text.lines().count(), "{marked}");
    // Those that are marked come first.
    assert!(text.lines().take(marked).all(|line| line.contains(r#""Warm-up":"true""#)));
}

#[test]
fn when_nothing_comes_for_a_while_everything_open_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    let all = records(&fleet);
    let replay = |until: Timestamp, name: &str| {
        let part = &all[..all.partition_point(|(at, _)| *at < until)];
        let path = dir.join(name).join("a.jsonl");
        write_lines(&path, part.iter().map(|(_, r)| r));
        (part.len() as u64, replayed(&fleet, &[path], &dir.join(format!("{name}-calm"))))
    };
    // A minute after a volume's ten minutes, so that they are still open.
    replay(Timestamp::MAX, "whole");
    let text = std::fs::read_to_string(dir.join("whole-calm/alerts.jsonl")).unwrap();
    let decided = text.lines().find_map(|line| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let properties = &alert["properties"];
        let is_volume = properties["alertType"] == "CosmosDB_DataExfiltrationAnomaly";
        is_volume.then(|| Timestamp::parse(properties["timeGeneratedUtc"].as_str().unwrap()))
    });
    let (count, told) = replay(decided.unwrap().unwrap().plus_ms(MINUTE_MS), "part");

    let data_dir = dir.join("guard");
    let service = Service::start(Start {
        fleet: &fleet,
        data_dir: &data_dir,
        watch: vec![dir.join("part")],
        warm_up: Vec::new(),
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: 500,
    });
    service.wait_records(count);
    let path = data_dir.join("alerts.jsonl");
    service.wait("all that a replay tells at its end", |_| alerts(&path) == told);
    assert_eq!(service.stop(), told);
}

#[test]
fn old_records_that_come_once_more_days_later_tell_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    let all = records(&fleet);
    // Beyond the last days, in which a late record may still be told.
    let old = all.partition_point(|(at, _)| *at < fleet.options().end().plus_ms(-3 * DAY_MS));
    let records: Vec<Vec<u8>> = all.into_iter().map(|(_, r)| r).collect();
    let (folder, data_dir) = (dir.join("logs"), dir.join("guard"));
    write_lines(&folder.join("a.jsonl"), &records);
    let service = Service::start(Start {
        fleet: &fleet,
        data_dir: &data_dir,
        watch: vec![folder.clone()],
        warm_up: Vec::new(),
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: NEVER,
    });
    service.wait_records(records.len() as u64);
    service.wait("all is judged", |status| status.checkpointed.is_some());
    let path = data_dir.join("alerts.jsonl");
    let before = alerts(&path);
    // The file by another name is recognised; the records in another file are late copies.
    let events = service.running.board.read().counts.events;
    std::fs::copy(folder.join("a.jsonl"), folder.join("b.jsonl")).unwrap();
    service.wait_records(2 * records.len() as u64);
    assert_eq!(service.running.board.read().counts.events, events);
    write_lines(&folder.join("c.jsonl"), &records[1..old]);
    service.wait_records((2 * records.len() + old - 1) as u64);
    assert!(service.running.board.read().counts.late > 1000);
    let after = service.stop();
    let news: Vec<_> = after.iter().filter(|(id, _)| !before.contains_key(*id)).collect();
    assert!(news.len() <= 1, "besides what was open at the end: {news:?}");
}

fn serve(dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_cosmoguard"))
        .current_dir(dir)
        .args(["serve", "--watch", "logs", "--data-dir", "guard", "--config", "c.toml"])
        .args(["--listen", "127.0.0.1:0"])
        .args(["--tor-exits", "tor-exits.txt", "--threat-ips", "threat-ips.txt"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Logs, lists, and a configuration with many checkpoints.
fn scene(dir: &Path, fleet: &simulate::Fleet) {
    std::fs::write(dir.join("tor-exits.txt"), fleet.tor_exits_text()).unwrap();
    std::fs::write(dir.join("threat-ips.txt"), fleet.threat_ips_text()).unwrap();
    let config = "[replay]\ncheckpoint_records = 300\nbatch_records = 200\n\
                  [serve]\ncheckpoint_seconds = 1\n";
    std::fs::write(dir.join("c.toml"), config).unwrap();
}

#[test]
fn killed_at_any_moment_under_load_it_loses_nothing_and_tells_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    scene(dir, &fleet);
    let records: Vec<Vec<u8>> = records(&fleet).into_iter().map(|(_, r)| r).collect();
    write_lines(&dir.join("whole/a.jsonl"), &records);
    let wanted = expected(&fleet, &[dir.join("whole/a.jsonl")], &dir.join("calm"));

    let given = std::env::var("TEST_SEED").ok();
    let seed = given.map_or_else(
        || std::hash::RandomState::new().build_hasher().finish(),
        |text| text.parse().unwrap(),
    );
    eprintln!("TEST_SEED={seed}");
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let kills = 6;
    for (n, part) in records.chunks(records.len().div_ceil(kills)).enumerate() {
        let path = dir.join("logs/a.jsonl");
        let half = part[0].len() / 2;
        append(&path, &part[0][..half]);
        let mut child = serve(dir);
        thread::sleep(Duration::from_millis(u64::from(draw.next_u32() % 600)));
        append(&path, &[&part[0][half..], b"\n"].concat());
        write_lines(&path, &part[1..]);
        thread::sleep(Duration::from_millis(u64::from(draw.next_u32() % 1_500)));
        // On Unix: SIGKILL.
        child.kill().unwrap();
        let said = child.wait_with_output().unwrap();
        assert_eq!(said.status.code(), None, "{n}: {}", String::from_utf8_lossy(&said.stderr));
    }
    let service = Service::start(Start {
        fleet: &fleet,
        data_dir: &dir.join("guard"),
        watch: vec![dir.join("logs")],
        warm_up: Vec::new(),
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: NEVER,
    });
    service.wait("all is read", |status| {
        let logs = &status.sources.first();
        logs.is_some_and(|s| s.files == 1 && s.bytes_behind == 0 && s.bytes_read > 0)
    });
    assert_eq!(service.stop(), wanted, "seed {seed}");
}

#[test]
fn told_to_stop_it_keeps_what_it_read_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fleet = simulate::plan(options());
    scene(dir, &fleet);
    let records: Vec<Vec<u8>> = records(&fleet).into_iter().map(|(_, r)| r).collect();
    write_lines(&dir.join("logs/a.jsonl"), &records);
    let wanted = expected(&fleet, &[dir.join("logs/a.jsonl")], &dir.join("calm"));
    for _ in 0..3 {
        let child = serve(dir);
        thread::sleep(Duration::from_millis(300));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let said = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(matches!(said.status.code(), Some(0 | 143)), "{:?} {text}", said.status);
        if said.status.code() == Some(0) && text.contains("stopping") {
            assert!(text.contains("everything that was accepted is kept"), "{text}");
        }
    }
    let service = Service::start(Start {
        fleet: &fleet,
        data_dir: &dir.join("guard"),
        watch: vec![dir.join("logs")],
        warm_up: Vec::new(),
        segment_bytes: SEGMENT_BYTES,
        quiet_ms: NEVER,
    });
    service.wait("all is read", |status| {
        status.sources.first().is_some_and(|s| s.files == 1 && s.bytes_behind == 0)
    });
    let got = service.stop();
    let severities = |alerts: &Alerts| alerts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(severities(&got), severities(&wanted));
}
