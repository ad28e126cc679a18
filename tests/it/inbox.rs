//! What is handed over in batches raises the alerts that the same records raise from files, once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::path::{Path, PathBuf};

use cosmoguard::source::inbox::{Inbox, Mark, Options};
use cosmoguard::source::{self, Identity};
use cosmoguard::store::sled_store::SledStore;
use cosmoguard::store::sources::Sources;
use cosmoguard::time::Timestamp;

use super::support::{Ran, checkpoints, cli};

const SMALL: Options = Options { segment_bytes: 400_000, bytes_max: 1 << 30 };

/// The records of a simulated fleet in reading order, written as files below `dir` and handed back.
fn simulated(dir: &Path) -> Vec<Vec<u8>> {
    let fleet = ["simulate", "logs", "--seed", "3", "--accounts", "4"];
    let size = ["--days", "36", "--rate", "60"];
    assert_eq!(cli(dir, &[&fleet[..], &size].concat()).code, Some(0));
    let logs = ["insights-activity-logs", "insights-logs-dataplanerequests"];
    let paths = logs.map(|name| dir.join("logs").join(name));
    let mut reader = source::open(&paths, &source::Options::default()).unwrap();
    let mut records = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        records.extend(chunk.records.iter().map(|r| chunk.record(r).to_vec()));
    }
    records
}

fn replay(dir: &Path, paths: &[&str], data_dir: &str) -> Ran {
    let lists = ["--tor-exits", "logs/tor-exits.txt", "--threat-ips", "logs/threat-ips.txt"];
    let ran = cli(dir, &[&["replay"], paths, &lists, &["--data-dir", data_dir]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran
}

fn alerts(dir: &Path, data_dir: &str) -> String {
    std::fs::read_to_string(dir.join(data_dir).join("alerts.jsonl")).unwrap()
}

/// Batches of different forms and sizes.
fn submit(inbox: &Inbox, records: &[Vec<u8>]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (n, batch) in records.chunks(37).enumerate() {
        let body = match n % 3 {
            0 => batch.join(&b'\n'),
            1 => [b"[", batch.join(&b',').as_slice(), b"]"].concat(),
            _ => [b"{\"records\": [", batch.join(&b',').as_slice(), b"]}"].concat(),
        };
        marks.push(inbox.submit(body).unwrap());
    }
    marks
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = folder.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn an_inbox_gives_the_alerts_that_files_give_and_gives_them_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let records = simulated(dir);
    std::fs::write(dir.join("all.jsonl"), records.join(&b'\n')).unwrap();
    let ran = replay(dir, &["all.jsonl"], "files");
    assert!(alerts(dir, "files").lines().count() > 3, "{}", ran.err);

    std::fs::create_dir(dir.join("guard")).unwrap();
    let folder = dir.join("guard/inbox");
    let (inbox, _) = Inbox::open(&folder, SMALL, Timestamp(1)).unwrap();
    // In three parts, so that the open segment is met again when it has grown.
    let ends = [0, records.len() / 3, records.len() / 2, records.len()];
    for end in ends.windows(2) {
        submit(&inbox, &records[end[0]..end[1]]);
        let ran = replay(dir, &["guard/inbox"], "guard");
        let before = format!("{} applied by an earlier run", thousands(end[0]));
        for told in [format!("{} records", thousands(end[1])), before] {
            let first = end[0] == 0 && told.contains("earlier");
            assert!(first || ran.err.contains(&told), "not {told}: {}", ran.err);
        }
    }
    assert!(segments(&folder).len() > 3, "{:?}", segments(&folder));
    let once = alerts(dir, "guard");
    let again = replay(dir, &["guard/inbox"], "guard");
    assert!(again.err.contains("applied by an earlier run"), "{}", again.err);
    assert_eq!(alerts(dir, "guard"), once, "a second reading adds nothing");

    replay(dir, &["guard/inbox"], "whole");
    assert_eq!(alerts(dir, "whole"), alerts(dir, "files"));
    assert_eq!(models(dir, "whole"), models(dir, "files"));
}

/// The models as people see them: they also hold where their records stood.
fn models(dir: &Path, data_dir: &str) -> Vec<String> {
    let show = |key: &[u8]| {
        let name = std::str::from_utf8(key).unwrap().rsplit('/').next().unwrap();
        let ran = cli(dir, &["model", "show", name, "--json", "--data-dir", data_dir]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    };
    checkpoints(&dir.join(data_dir)).iter().map(|(key, _)| show(key)).collect()
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    match digits.len() {
        0..=3 => digits,
        len => format!("{},{}", &digits[..len - 3], &digits[len - 3..]),
    }
}

#[test]
fn what_a_checkpoint_holds_is_given_back_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let records = simulated(dir);
    std::fs::create_dir(dir.join("guard")).unwrap();
    let folder = dir.join("guard/inbox");
    let (inbox, _) = Inbox::open(&folder, SMALL, Timestamp(1)).unwrap();
    submit(&inbox, &records[..records.len() / 2]);
    replay(dir, &["guard/inbox"], "guard");
    let applied = segments(&folder);
    let last = applied.last().unwrap();
    let size = || std::fs::metadata(last).unwrap().len();
    let read = size();
    submit(&inbox, &records[records.len() / 2..]);
    // It may have been full to the last byte.
    let in_part = usize::from(size() > read);
    let all = segments(&folder);
    assert!(applied.len() > 1 && all.len() > applied.len() + 1);

    let release = || {
        let store = SledStore::open(&dir.join("guard/state")).unwrap();
        let register = Sources::load(&store).unwrap();
        let is_applied = &mut |who: &Identity, offset: u64| {
            register.is_applied_through(who.head_len, who.head, offset)
        };
        inbox.release(is_applied).unwrap()
    };
    let released = release();
    assert_eq!(released.segments, applied.len() - in_part, "one that was read in part stays");
    assert_eq!(segments(&folder), all[applied.len() - in_part..]);
    replay(dir, &["guard/inbox"], "guard");
    release();
    assert_eq!(segments(&folder), all[all.len() - 1..], "the newest stays");
    let once = alerts(dir, "guard");
    replay(dir, &["guard/inbox"], "guard");
    assert_eq!(alerts(dir, "guard"), once);
}

#[test]
fn a_damaged_batch_is_named_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let records = simulated(dir);
    let folder = dir.join("inbox");
    let (inbox, _) = Inbox::open(&folder, Options::default(), Timestamp(1)).unwrap();
    let marks = submit(&inbox, &records);
    let hit = marks[marks.len() / 2];
    let segment = segments(&folder).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[hit.offset as usize + 40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let ran = cli(dir, &["replay", "inbox", "--data-dir", "guard"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let told = format!("{} records", thousands(records.len() - 37 + 1));
    assert!(ran.err.contains(&told), "not {told}: {}", ran.err);
    let refused = std::fs::read_to_string(dir.join("guard/refused.jsonl")).unwrap();
    assert_eq!(refused.lines().count(), 1);
    assert!(refused.contains("damaged on the disk, and passed over"), "{refused}");
    assert!(refused.contains(&format!("\"offset\":{}", hit.offset - 16)), "{refused}");
}
