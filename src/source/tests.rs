use std::fs;
use std::io::Write;
use std::path::Path;

use super::*;
use crate::event::RefusalReason;

fn at(minute: i64) -> String {
    Timestamp(1_700_000_000_000 - 1_700_000_000_000 % 3_600_000).plus_ms(minute * 60_000).azure()
}

fn record(minute: i64, name: &str) -> String {
    format!("{{\"time\": \"{}\", \"name\": \"{name}\", \"p\": {{\"x\": [1]}}}}", at(minute))
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

struct Outcome {
    records: Vec<String>,
    refused: Vec<RefusedRecord>,
    frontiers: Vec<Option<Timestamp>>,
}

fn drain(reader: &mut Reader) -> Outcome {
    let mut outcome = Outcome { records: vec![], refused: vec![], frontiers: vec![] };
    while let Some(chunk) = reader.next_chunk().unwrap() {
        for record in &chunk.records {
            outcome.records.push(String::from_utf8(chunk.record(record).to_vec()).unwrap());
            outcome.frontiers.push(chunk.frontier);
        }
        if chunk.records.is_empty() {
            outcome.frontiers.push(chunk.frontier);
        }
        outcome.refused.extend(chunk.refused);
        reader.recycle(chunk.bytes);
    }
    outcome
}

fn read(path: &Path) -> Outcome {
    drain(&mut open(&[path.to_owned()], &Options::default()).unwrap())
}

fn names(records: &[String]) -> Vec<String> {
    let name = |r: &String| r.split("\"name\": \"").nth(1)?.split('"').next().map(str::to_owned);
    records.iter().filter_map(name).collect()
}

#[test]
fn every_form_in_every_wrapping_gives_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<String> = (0..50).map(|i| record(i, &format!("r{i}"))).collect();
    let lines = records.join("\n");
    let forms = [
        lines.clone(),
        records.concat(),
        format!("[{}]", records.join(",\n")),
        format!("{{\"records\": [{}], \"PartitionId\": 1}}\n", records.join(", ")),
    ];
    for (index, form) in forms.iter().enumerate() {
        for text in [form.clone(), form.replace('\n', "\r\n"), format!("\u{feff}{form}\n")] {
            let (head, tail) = text.as_bytes().split_at(text.len() / 3);
            for (name, bytes) in [
                ("plain.json", text.clone().into_bytes()),
                ("a.gz", gzip(text.as_bytes())),
                ("members.gz", [gzip(head), gzip(tail)].concat()),
                ("a.zst", zstandard(text.as_bytes())),
                ("frames.zst", [zstandard(head), zstandard(tail)].concat()),
                ("gzip-by-content.dat", gzip(text.as_bytes())),
            ] {
                let path = folder.path().join(name);
                write(&path, &bytes);
                let outcome = read(&path);
                assert_eq!(outcome.records, records, "form {index} in {name}");
                assert!(outcome.refused.is_empty(), "{:?}", outcome.refused);
            }
        }
    }
}

#[test]
fn a_damaged_stream_keeps_what_came_before_and_the_other_files_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let noise = |i: i64| format!("r{}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64));
    let lines: String = (0..5000).map(|i| record(i, &noise(i)) + "\n").collect();
    for (name, bytes) in [("a.gz", gzip(lines.as_bytes())), ("b.zst", zstandard(lines.as_bytes()))]
    {
        write(&folder.path().join(name), &bytes[..bytes.len() * 9 / 10]);
    }
    write(&folder.path().join("c.json"), record(9000, "whole").as_bytes());
    let outcome = read(folder.path());
    assert!(outcome.records.len() > 1000);
    assert_eq!(names(&outcome.records).last().map(String::as_str), Some("whole"));
    let reasons: Vec<_> = outcome.refused.iter().map(|r| r.refusal.reason).collect();
    assert_eq!(reasons, [RefusalReason::CutOff; 2]);
    for refused in &outcome.refused {
        assert!(refused.refusal.detail.contains("cannot be read on"), "{refused:?}");
        assert!(refused.offset > 0);
    }
}

#[test]
fn files_that_overlap_come_out_in_order_of_time_in_any_number_of_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (files, each) = (30, 20);
    for file in 0..files {
        let lines: Vec<String> = (0..each)
            .map(|i| record(file * 3 + i * 7, &format!("f{file}r{i}")))
            .chain([format!("no record in f{file}")])
            .collect();
        write(&folder.path().join(format!("{file:02}.jsonl")), lines.join("\n").as_bytes());
    }
    let paths = [folder.path().to_owned()];
    let with = |max_open_merge| {
        let mut reader = open(&paths, &Options { max_open_merge, ..Options::default() }).unwrap();
        let mut outcome = drain(&mut reader);
        outcome.refused.sort_by_key(|r| r.file);
        (outcome, reader.runs_spilled())
    };
    let (whole, runs) = with(100);
    assert_eq!(runs, 0);
    assert_eq!(whole.records.len() as i64, files * each);
    assert!(whole.records.is_sorted_by_key(|r| r.split('"').nth(3).unwrap().to_owned()));
    for (bound, at_least) in [(2, 12), (3, 6), (7, 3)] {
        let (passes, runs) = with(bound);
        assert_eq!(passes.records, whole.records, "{bound} open");
        assert_eq!(passes.refused, whole.refused, "{bound} open");
        assert!(runs >= at_least, "{runs} runs with {bound} open");
    }
}

#[test]
fn merged_records_keep_their_place() {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..6 {
        let lines: String = (0..9).map(|i| record(i, &format!("f{file}r{i}")) + "\n").collect();
        write(&folder.path().join(format!("{file}.json")), lines.as_bytes());
    }
    let options = Options { max_open_merge: 2, ..Options::default() };
    let mut reader = open(&[folder.path().to_owned()], &options).unwrap();
    let mut seen = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        for record in &chunk.records {
            let whole = fs::read(reader.files().display(record.file)).unwrap();
            let bytes = chunk.record(record);
            assert_eq!(&whole[record.offset as usize..][..bytes.len()], bytes);
            seen += 1;
        }
    }
    assert_eq!(seen, 54);
    let progress = reader.progress();
    assert_eq!(progress.bytes_read, progress.bytes_total);
    assert_eq!((progress.files_opened, progress.files_total), (6, 6));
}

fn blob(folder: &Path, account: &str, hour: i64, ending: &str) -> std::path::PathBuf {
    let day = &at(hour * 60)[..13];
    let (y, m, d, h) = (&day[..4], &day[5..7], &day[8..10], &day[11..13]);
    folder.join(format!(
        "insights-logs-DataPlaneRequests/resourceId=/SUBSCRIPTIONS/S/{account}/y={y}/m={m}/d={d}/h={h}/m=00/PT1H.json{ending}"
    ))
}

#[test]
fn a_blob_layout_is_read_by_the_hour_with_its_frontier() {
    let folder = tempfile::tempdir().unwrap();
    let start = Timestamp::parse(&at(0)).unwrap();
    // Hours out of order on disk, an account's name sorting against them, three groups an hour.
    for (index, account) in ["E", "D", "C", "B", "A"].iter().enumerate() {
        for hour in [2, 0, 1] {
            let lines: String = (0..3)
                .map(|i| record(hour * 60 + i * 10 + index as i64, &format!("{hour}")) + "\n")
                .collect();
            match index {
                0 => write(&blob(folder.path(), account, hour, ".gz"), &gzip(lines.as_bytes())),
                _ => write(&blob(folder.path(), account, hour, ""), lines.as_bytes()),
            }
        }
    }
    for max_open_blobs in [1, 2, 64] {
        let options = Options { max_open_blobs, ..Options::default() };
        let mut reader = open(&[folder.path().to_owned()], &options).unwrap();
        let outcome = drain(&mut reader);
        let hours: Vec<i64> =
            names(&outcome.records).iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(hours.len(), 45);
        assert!(hours.is_sorted());
        for (hour, frontier) in hours.iter().zip(&outcome.frontiers) {
            assert_eq!(*frontier, Some(start.plus_ms(hour * 3_600_000)));
        }
        assert_eq!(outcome.frontiers.last(), Some(&None), "the last chunk lifts the frontier");
        if max_open_blobs == 64 {
            assert!(outcome.records.is_sorted_by_key(|r| r.split('"').nth(3).unwrap().to_owned()));
        }
        let table = reader.files();
        assert_eq!(table.category(0).as_deref(), Some("dataplanerequests"));
        assert_eq!(table.blob_hour(0), Some(start.hour()));
    }
}

#[test]
fn plain_files_beside_blobs_wait_for_their_hour() {
    let folder = tempfile::tempdir().unwrap();
    for hour in [1, 3] {
        let lines =
            format!("{}\n{}", record(hour * 60 + 10, "blob"), record(hour * 60 + 50, "blob"));
        write(&blob(folder.path(), "A", hour, ""), lines.as_bytes());
    }
    let minutes = [5, 65, 75, 115, 125, 185, 239, 241, 500];
    let lines: String = minutes.iter().map(|m| record(*m, "plain") + "\n").collect();
    write(&folder.path().join("activity.jsonl"), lines.as_bytes());
    let outcome = read(folder.path());
    assert_eq!(outcome.records.len(), minutes.len() + 4);
    assert!(outcome.records.is_sorted_by_key(|r| r.split('"').nth(3).unwrap().to_owned()));
    let start = Timestamp::parse(&at(0)).unwrap();
    let hours: Vec<Option<i64>> =
        outcome.frontiers.iter().map(|f| f.map(|f| f.since(start) / 3_600_000)).collect();
    let (one, three) = (Some(1), Some(3));
    assert_eq!(
        hours,
        [one, one, one, one, one, one, three, three, three, three, three, None, None]
    );
}

#[test]
fn one_big_file_comes_in_bounded_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let count = 2 * CHUNK_RECORDS + 10;
    let lines: String = (0..count).map(|i| record(i as i64, "r") + "\n").collect();
    let path = folder.path().join("big.jsonl");
    write(&path, lines.as_bytes());
    let mut reader = open(&[path], &Options::default()).unwrap();
    let (mut sizes, mut all) = (Vec::new(), String::new());
    while let Some(chunk) = reader.next_chunk().unwrap() {
        sizes.push(chunk.records.len());
        for record in &chunk.records {
            assert_eq!(record.offset as usize, all.len());
            all.push_str(std::str::from_utf8(chunk.record(record)).unwrap());
            all.push('\n');
        }
        reader.recycle(chunk.bytes);
    }
    assert_eq!(sizes, [CHUNK_RECORDS, CHUNK_RECORDS, 10]);
    assert_eq!(all, lines);
    assert_eq!(reader.files().relative(0), "big.jsonl");
    assert_eq!(reader.files().identity(0).map(|i| i.head_len), Some(64 << 10));
}

#[cfg(unix)]
#[test]
fn a_directory_loop_is_named_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a/one.json"), record(0, "one").as_bytes());
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/back")).unwrap();
    let mut reader = open(&[folder.path().to_owned()], &Options::default()).unwrap();
    assert_eq!(reader.warnings().len(), 1);
    assert!(reader.warnings()[0].contains("a directory loop"), "{:?}", reader.warnings());
    assert_eq!(drain(&mut reader).records.len(), 1);
}

#[test]
fn a_file_that_vanishes_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        write(&folder.path().join(name).with_extension("json"), record(0, name).as_bytes());
    }
    let mut reader = open(&[folder.path().to_owned()], &Options::default()).unwrap();
    fs::remove_file(folder.path().join("b.json")).unwrap();
    assert_eq!(names(&drain(&mut reader).records), ["a", "c"]);
    assert_eq!(reader.warnings().len(), 1);
    assert!(reader.warnings()[0].contains("b.json cannot be read"), "{:?}", reader.warnings());
}

#[test]
fn paths_that_lead_nowhere_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let fails =
        |path: &Path| open(&[path.to_owned()], &Options::default()).unwrap_err().to_string();
    assert!(fails(&folder.path().join("missing")).contains("check the path"));
    write(&folder.path().join("notes.md"), b"x");
    assert!(fails(folder.path()).contains("1 other files skipped"));
    assert!(open(&[], &Options::default()).unwrap_err().to_string().contains("no path"));
}

#[test]
fn folders_are_filtered_and_named_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "a.json",
        "B.LOG",
        "labels.json",
        "refused.jsonl",
        "alerts.jsonl",
        "audit.jsonl",
        "recovery.jsonl",
        "alerts.before-1.jsonl",
        "state/mark.json",
        "x.md",
        ".h.json",
        ".git/c.json",
    ] {
        write(&folder.path().join(name), record(0, name).as_bytes());
    }
    let mut reader = open(&[folder.path().to_owned()], &Options::default()).unwrap();
    assert_eq!(reader.skipped(), Skipped { other_ending: 1, own_output: 7, hidden: 2 });
    assert_eq!(names(&drain(&mut reader).records), ["B.LOG", "a.json"]);
    assert_eq!(names(&read(&folder.path().join("x.md")).records), ["x.md"]);
}

#[test]
fn what_is_handed_over_open_is_read_like_a_file() {
    let bytes = gzip(format!("{}\n{{\"time\": ", record(0, "r")).as_bytes());
    let mut reader = Reader::from_read("-", Box::new(std::io::Cursor::new(bytes)));
    let outcome = drain(&mut reader);
    assert_eq!(names(&outcome.records), ["r"]);
    assert_eq!(outcome.refused[0].refusal.reason, RefusalReason::CutOff);
    assert_eq!(reader.files().display(0), "-");
}
