use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::source::inbox::{Inbox, Options as InboxOptions};

const NOW: Timestamp = Timestamp(4_000_000_000_000);

fn record(minute: u32) -> String {
    format!("{{\"time\":\"2026-11-13T10:{minute:02}:00Z\",\"n\":{minute}}}")
}

fn append(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn tail(folder: &Path) -> Tail {
    let watched = Watched { path: folder.to_owned(), inbox: false };
    Tail::new(vec![watched], Known::default(), Options::default())
}

/// What one look brings: minutes of the records, and notes.
fn look_at(tail: &mut Tail, synced: Mark) -> (Vec<u64>, Vec<Note>) {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    tail.look(NOW, synced);
    while let Some(chunk) = tail.next_chunk().unwrap() {
        notes.extend(tail.notes(&chunk));
        assert!(chunk.refused.is_empty(), "{:?}", chunk.refused);
        for raw in &chunk.records {
            let value: serde_json::Value = serde_json::from_slice(chunk.record(raw)).unwrap();
            found.push(value["n"].as_u64().unwrap());
        }
    }
    (found, notes)
}

fn look(tail: &mut Tail) -> Vec<u64> {
    look_at(tail, Mark::default()).0
}

#[test]
fn a_file_that_grows_in_pieces_gives_each_record_once_and_the_last_one_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let mut tail = tail(dir.path());
    assert!(look(&mut tail).is_empty());
    append(&path, &record(1));
    assert_eq!(look(&mut tail), [1], "whole without the end of its line");
    append(&path, "\n");
    assert!(look(&mut tail).is_empty());
    let next = record(2);
    for piece in next.as_bytes().chunks(7) {
        append(&path, std::str::from_utf8(piece).unwrap());
        if piece.len() == 7 && !next.ends_with(std::str::from_utf8(piece).unwrap()) {
            assert!(look(&mut tail).is_empty());
        }
    }
    assert_eq!(look(&mut tail), [2]);
    append(&path, &format!("\n{}\n{}\n", record(3), record(4)));
    assert_eq!(look(&mut tail), [3, 4]);
    assert!(look(&mut tail).is_empty());
}

#[test]
fn an_envelope_that_stays_open_is_read_as_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("y=2026/m=11/d=13/h=10/m=00/PT1H.json");
    let mut tail = tail(dir.path());
    append(&path, "{\"records\":[");
    assert!(look(&mut tail).is_empty());
    append(&path, &record(1));
    assert_eq!(look(&mut tail), [1]);
    append(&path, &format!(",{},", record(2)));
    assert_eq!(look(&mut tail), [2]);
    append(&path, &format!("{}]}}\n{{\"records\":[{}]}}", record(3), record(4)));
    assert_eq!(look(&mut tail), [3, 4]);
}

#[test]
fn a_renamed_log_is_read_to_its_end_and_the_new_one_from_its_begin() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    let mut tail = tail(dir.path());
    append(&path, &format!("{}\n{}\n", record(1), record(2)));
    assert_eq!(look(&mut tail), [1, 2]);
    append(&path, &format!("{}\n", record(3)));
    fs::rename(&path, dir.path().join("app.log.1")).unwrap();
    append(&path, &format!("{}\n", record(4)));
    assert_eq!(look(&mut tail), [3, 4]);
    // Cut and written anew.
    fs::write(&path, record(5)).unwrap();
    fs::write(&path, format!("{}\n", &record(6)[..])).unwrap();
    let found = look(&mut tail);
    assert!(found.is_empty() || found == [6], "{found:?}");
    fs::write(&path, "").unwrap();
    assert!(look(&mut tail).is_empty());
    append(&path, &format!("{}\n", record(7)));
    assert_eq!(look(&mut tail), [7]);
}

#[test]
fn a_packed_file_is_read_once_when_nobody_writes_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let packed = zstd::encode_all(format!("{}\n", record(1)).as_bytes(), 1).unwrap();
    fs::write(&path, packed).unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut tail = tail(dir.path());
    assert!(tail.look(Timestamp(written + 100), Mark::default()));
    assert_eq!(tail.next_chunk().unwrap(), None, "it may grow");
    assert_eq!(look(&mut tail), [1]);
    assert!(look(&mut tail).is_empty());
}

#[test]
fn a_run_that_comes_later_goes_on_behind_what_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    for (name, head, tail_end) in
        [("a.jsonl", "", "\n"), ("b.json", "{\"records\":[", ","), ("c.json", "[", ",")]
    {
        let path = dir.path().join(name);
        let text = format!("{head}{}{tail_end}{}{tail_end}", record(1), record(2));
        append(&path, &text);
        let second = text.find("\"n\":2").unwrap() - record(2).find("\"n\":2").unwrap();
        let identity = Identity::of(text.as_bytes(), None);
        let known = Known {
            heads: HashMap::new(),
            applied: HashMap::from([((identity.head_len, identity.head), second as u64 + 1)]),
        };
        append(&path, &record(3));
        let known = Known {
            heads: HashMap::from([(
                xxhash_rust::xxh3::xxh3_128(name.as_bytes()),
                (identity.head_len, identity.head),
            )]),
            ..known
        };
        let watched = Watched { path: path.clone(), inbox: false };
        let mut tail = Tail::new(vec![watched], known, Options::default());
        let (found, notes) = look_at(&mut tail, Mark::default());
        assert_eq!(found, [2, 3], "{name}: the last applied one is met again");
        assert_eq!(
            notes[0].identity.as_known,
            Some((identity.head_len, identity.head)),
            "{name} is recognised though it has grown"
        );
    }
}

#[test]
fn an_inbox_is_read_as_far_as_it_is_durable_and_indices_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (inbox, _) = Inbox::open(dir.path(), InboxOptions::default(), NOW).unwrap();
    let watched = Watched { path: dir.path().to_owned(), inbox: true };
    let mut tail = Tail::new(vec![watched], Known::default(), Options::default());
    inbox.submit(record(1).into_bytes()).unwrap();
    let first = inbox.synced();
    inbox.submit(record(2).into_bytes()).unwrap();
    assert_eq!(look_at(&mut tail, first).0, [1]);
    let (found, notes) = look_at(&mut tail, inbox.synced());
    assert_eq!((found, notes.len()), (vec![2], 0));
    drop(inbox);
    // The next one may get the number that the file system had given to this one.
    fs::remove_file(dir.path().join("000000000001.inbox")).unwrap();
    let (inbox, _) = Inbox::open(dir.path(), InboxOptions::default(), NOW).unwrap();
    inbox.submit(record(3).into_bytes()).unwrap();
    let (found, notes) = look_at(&mut tail, inbox.synced());
    assert_eq!((found, notes[0].index), (vec![3], 0), "the index is given to another file");
}

#[test]
fn files_are_merged_by_time_and_blobs_hold_the_watermark() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join("y=2026/m=11/d=13/h=10/m=00/PT1H.json");
    let plain = dir.path().join("p.jsonl");
    append(&blob, &format!("{}\n{}\n", record(2), record(4)));
    append(&plain, &format!("{}\n{}\n{}\n", record(1), record(3), record(5)));
    let mut tail = tail(dir.path());
    assert!(tail.look(NOW, Mark::default()));
    let hour = Timestamp::parse("2026-11-13T10:00:00Z");
    let chunk = tail.next_chunk().unwrap().unwrap();
    assert_eq!((chunk.records.len(), chunk.frontier), (5, hour));
    let order: Vec<u32> = chunk.records.iter().map(|r| r.file).collect();
    assert_eq!(order, [order[0], order[1], order[0], order[1], order[0]]);
    assert_eq!(tail.next_chunk().unwrap(), None);
    // Nothing new of the blob: its hour still holds what is not far ahead.
    append(&plain, &format!("{}\n", record(6)));
    append(&plain, "{\"time\":\"2026-11-13T19:00:00Z\",\"n\":7}\n");
    assert!(tail.look(NOW, Mark::default()));
    assert_eq!(tail.next_chunk().unwrap().unwrap().frontier, hour);
    assert_eq!(tail.next_chunk().unwrap().unwrap().frontier, None);
    assert_eq!(tail.next_chunk().unwrap(), None);
}
