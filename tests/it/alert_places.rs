//! Where alerts go that is no ordinary file, and what is said where they cannot be written.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
#![cfg(unix)]
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use super::support::{Ran, cli};

/// A small folder of logs with an attack in it.
fn scene() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let args =
        ["simulate", "--seed", "3", "--accounts", "2", "--days", "36", "--rate", "30", "logs"];
    let ran = cli(dir.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    dir
}

fn replay(dir: &Path, more: &[&str]) -> Ran {
    let threats = ["--tor-exits", "logs/tor-exits.txt", "--threat-ips", "logs/threat-ips.txt"];
    let logs = ["logs/insights-activity-logs", "logs/insights-logs-dataplanerequests"];
    cli(dir, &[&["replay"], &threats[..], &logs, more].concat())
}

/// How many lines there are, each of them JSON.
fn lines(text: &str) -> usize {
    text.lines().for_each(|line| {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    });
    text.lines().count()
}

#[test]
fn devices_and_pipes_take_alerts_and_nothing_is_left_beside_them() {
    let scene = scene();
    let dir = scene.path();
    let plain = replay(dir, &["--alerts", "-"]);
    let expected = lines(&plain.out);
    assert!(expected > 2, "{}", plain.err);
    for place in ["/dev/null", "/dev/stdout"] {
        for more in [&["--alerts", place][..], &["--alerts", place, "--data-dir", &place[5..]]] {
            let ran = replay(dir, more);
            assert_eq!(ran.code, Some(0), "{more:?}: {}", ran.err);
            let shown = if place == "/dev/stdout" { expected } else { 0 };
            assert_eq!(lines(&ran.out), shown, "{more:?}: {}", ran.err);
        }
    }
    assert!(!Path::new("/dev/refused.jsonl").exists() && !Path::new("/dev/stdout.old").exists());
    let again = replay(dir, &["--alerts", "/dev/stdout", "--data-dir", "stdout"]);
    assert_eq!((again.code, lines(&again.out)), (Some(0), 0), "{}", again.err);
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        std::fs::File::open(pipe).and_then(|mut p| p.read_to_string(&mut text)).map(|_| text)
    });
    let ran = replay(dir, &["--alerts", "pipe"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(lines(&reading.join().expect("a reader").expect("alerts")), expected);
}

#[test]
fn what_cannot_be_written_is_said_with_what_to_do() {
    let scene = scene();
    let dir = scene.path();
    for (place, words) in [
        ("/dev/full", "No space left on device"),
        ("/dev/full", "make room and run the same command again"),
        ("logs", "is a folder; name a file in it"),
        ("nowhere/alerts.jsonl", "create the folder, or name another file with --alerts"),
        ("logs/tor-exits.txt", "does not hold alerts; name another file"),
    ] {
        let data_dir = place.replace('/', "_") + ".d";
        for more in [&["--alerts", place][..], &["--alerts", place, "--data-dir", &data_dir]] {
            let ran = replay(dir, more);
            assert_eq!(ran.code, Some(1), "{more:?}: {}", ran.err);
            assert!(ran.err.contains(words) && ran.err.contains(place), "{more:?}: {}", ran.err);
        }
    }
}
