//! kill -9 of the real binary at random moments: started again until it ends, it leaves what a run
//! that nobody disturbed leaves.
//!
//! The moments are printed with their seed; `TEST_SEED=N` repeats a seed. Moments are
//! times, so the same seed need not meet the same instruction again; `splits` covers each write
//! one by one.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::support::{checkpoints, cli};

/// Data directories, and kills of each before it may run to its end.
const DIRECTORIES: u64 = 3;
const KILLS: u64 = 8;

/// Many checkpoints, hardly anybody awake, small batches.
const CONFIG: &str = "[replay]\ncheckpoint_records = 60\nawake_accounts = 1\nbatch_records = 200\n";

const REPLAY: [&str; 13] = [
    "replay",
    "logs/insights-activity-logs",
    "logs/insights-logs-dataplanerequests",
    "--quiet",
    "--config",
    "c.toml",
    "--threads",
    "2",
    "--tor-exits",
    "logs/tor-exits.txt",
    "--threat-ips",
    "logs/threat-ips.txt",
    "--data-dir",
];

fn seed() -> u64 {
    let given = std::env::var("TEST_SEED").ok();
    given.map_or_else(
        || std::hash::RandomState::new().build_hasher().finish(),
        |text| text.parse().expect("TEST_SEED is a number"),
    )
}

/// What a data directory holds for people and for the program.
#[derive(PartialEq)]
struct Left {
    alerts: Vec<u8>,
    models: Vec<(Vec<u8>, Vec<u8>)>,
    shown: Vec<String>,
}

fn left(dir: &Path, data_dir: &str) -> Left {
    let models = checkpoints(&dir.join(data_dir));
    let show = |key: &[u8]| {
        let key = std::str::from_utf8(key).expect("UTF-8");
        let account = key.rsplit('/').next().expect("a name");
        let ran = cli(dir, &["model", "show", account, "--json", "--data-dir", data_dir]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    };
    let shown = models.iter().map(|(key, _)| show(key)).collect();
    let alerts = std::fs::read(dir.join(data_dir).join("alerts.jsonl")).expect("alerts");
    Left { alerts, models, shown }
}

/// Starts a replay and kills it after `moment`; true if it had ended by then.
fn killed_after(dir: &Path, data_dir: &str, moment: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cosmoguard"))
        .current_dir(dir)
        .args(REPLAY)
        .arg(data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    thread::sleep(moment);
    // On Unix: SIGKILL.
    child.kill().expect("it can be killed, or has ended");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), None | Some(0)), "it failed by itself: {said}");
    output.status.success()
}

/// A line of which only a part reached the disk.
fn tear(file: &Path, draw: &mut ChaCha8Rng) {
    if draw.next_u32().is_multiple_of(2) && file.exists() {
        let line = br#"{"id":"/subscriptions/00/providers/Microsoft.Security/locations/we"#;
        let length = 1 + draw.next_u32() as usize % line.len();
        let mut file = OpenOptions::new().append(true).open(file).expect("it opens");
        file.write_all(&line[..length]).expect("it takes a line");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "moments are shares of a run's real duration")]
fn killed_at_any_moment_and_started_again_it_leaves_what_an_undisturbed_run_leaves() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    std::fs::write(dir.join("c.toml"), CONFIG).expect("writable");
    let fleet = ["simulate", "--seed", "3", "--accounts", "4", "--days", "36", "--rate", "60"];
    let ran = cli(dir, &[&fleet[..], &["logs"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let began = Instant::now();
    let ran = cli(dir, &[&REPLAY[..], &["calm"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let duration = began.elapsed();
    let calm = left(dir, "calm");
    assert!(calm.alerts.iter().filter(|b| **b == b'\n').count() > 3 && calm.models.len() == 4);

    let seed = seed();
    eprintln!("TEST_SEED={seed}, an undisturbed run takes {duration:?}");
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    for n in 0..DIRECTORIES {
        let data_dir = format!("killed-{n}");
        let mut ended = false;
        for _ in 0..KILLS {
            let share = f64::from(draw.next_u32()) / f64::from(u32::MAX);
            ended = killed_after(dir, &data_dir, duration.mul_f64(share));
            tear(&dir.join(&data_dir).join("alerts.jsonl"), &mut draw);
        }
        let ran = cli(dir, &[&REPLAY[..], &[&data_dir]].concat());
        assert_eq!(ran.code, Some(0), "seed {seed}, {data_dir}, ended {ended}: {}", ran.err);
        let got = left(dir, &data_dir);
        assert!(got.alerts == calm.alerts, "seed {seed}, {data_dir}: the alert file differs");
        assert!(got.models == calm.models, "seed {seed}, {data_dir}: models differ");
        assert!(got.shown == calm.shown, "seed {seed}, {data_dir}: what is shown differs");
    }
}
