//! The folder for an incident file, made by the real binary.
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use cosmoguard::store::audit;
use cosmoguard::store::layout::DataDir;

use crate::support::{Ran, cli, cli_fed};

/// What must not come out of the redacted forms.
const MARKERS: [&str; 7] = [
    "sEcReTlItErAl",
    "sIgNaTuRe77",
    "tOkEnTeXt88",
    "aCcOuNtKeY99",
    "dOcUmEnTiD55",
    "pArTiTiOn66",
    "uNkNoWn44",
];
const TOR: &str = "203.0.113.7";

/// Records of one hour of `day`, from `ip`.
fn hour(day: u32, ip: &str) -> String {
    let [literal, signature, token, key, document, partition, unknown] = MARKERS;
    let resource = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/contoso";
    let mut text = String::new();
    for minute in 0..59 {
        let _ = writeln!(
            text,
            r#"{{"time":"2026-03-{day:02}T10:{minute:02}:00Z","resourceId":"{resource}","category":"DataPlaneRequests","operationName":"Query","{unknown}":"{unknown}","properties":{{"activityId":"{day}-{minute}","requestResourceType":"Document","requestResourceId":"/dbs/d/colls/c/docs/{document}","statusCode":"200","clientIpAddress":"{ip}","responseLength":"900","userAgent":"app/1","authTokenType":"PrimaryMasterKey","authorization":"type=master&ver=1.0&sig={signature}","token":"{token}","accountKey":"{key}","connectionMode":"Gateway","databaseName":"d","collectionName":"c","partitionId":"{partition}","querytext":"{{\"query\":\"SELECT * FROM c WHERE c.x='{literal}' AND c.n=@p\",\"parameters\":[{{\"name\":\"@p\",\"value\":\"{literal}\"}}]}}"}}}}"#
        );
    }
    text
}

/// A folder with logs of two days, the second one of a Tor exit.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        std::fs::write(dir.path().join("tor.txt"), format!("{TOR}\n")).unwrap();
        let scene = Scene { dir };
        scene.write("logs/day1.json", hour(1, "198.51.100.4").as_bytes());
        scene.write("logs/day2.json", hour(2, TOR).as_bytes());
        scene
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }
    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
    fn run(&self, args: &[&str]) -> Ran {
        cli(self.dir.path(), args)
    }
    fn done(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        ran
    }
    fn replay(&self, paths: &[&str]) {
        let flags = ["--tor-exits", "tor.txt", "--data-dir", "g", "--quiet"];
        self.done(&[&["replay"], paths, &flags].concat());
    }
    /// Id of the only alert in a data directory.
    fn id(&self, data_dir: &str) -> String {
        let lines = String::from_utf8(self.read(&format!("{data_dir}/alerts.jsonl"))).unwrap();
        let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        line["name"].as_str().unwrap().to_owned()
    }
    fn pack(&self, out: &str, more: &[&str]) -> Ran {
        let id = self.id("g");
        self.done(&[&["evidence", &id[..8], out, "--data-dir", "g"], more].concat())
    }
    fn records(&self, out: &str) -> Vec<Value> {
        let text = String::from_utf8(self.read(&format!("{out}/records.jsonl"))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    fn statuses(&self, out: &str) -> Vec<String> {
        let mut all: Vec<String> =
            self.records(out).iter().map(|r| r["status"].as_str().unwrap().to_owned()).collect();
        all.dedup();
        all
    }
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes that a record's line names in `text`.
fn at<'a>(text: &'a [u8], record: &Value, of: &Value) -> &'a [u8] {
    let (offset, length) = (of["offset"].as_u64().unwrap(), record["length"].as_u64().unwrap());
    &text[offset as usize..][..length as usize]
}

/// Every record has the SHA-256 of the bytes that `text` holds at its place.
fn hashes_are_of(records: &[Value], text: &[u8]) {
    assert!((3..=22).contains(&records.len()));
    for record in records {
        assert_eq!(record["sha256"], sum(at(text, record, record)), "{record}");
        assert_eq!(record["status"], "hashed");
    }
    for end in ["first", "last"] {
        let with = |r: &&Value| r["role"].as_array().unwrap().contains(&Value::from(end));
        assert_eq!(records.iter().filter(with).count(), 1, "{end}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn hashes_are_those_of_the_bytes_and_nothing_secret_is_inside() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    let ran = scene.pack("out", &[]);
    assert!(ran.out.is_empty() && ran.err.contains("hashed"), "{}", ran.err);
    let records = scene.records("out");
    hashes_are_of(&records, &scene.read("logs/day2.json"));
    for record in &records {
        let shown = &record["record"];
        assert_eq!(shown["properties"]["clientIpAddress"], TOR);
        assert_eq!(shown["properties"]["querytext"], "SELECT * FROM c WHERE c.x=? AND c.n=@p");
        assert_eq!(record["source"], "logs/day2.json");
    }
    scene.done(&["snapshot", "create", "x.cgsnap", "--data-dir", "g"]);
    let state = crate::support::stored(&scene.path("g"));
    let stored = state.into_iter().map(|(key, value)| (format!("{key:?}"), value));
    let packed = files(&scene.path("out"))
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()));
    for (name, bytes) in stored.chain(packed) {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        for marker in MARKERS {
            assert!(!text.contains(&marker.to_ascii_lowercase()), "{marker} in {name}");
        }
    }
    assert!(!scene.path("g/audit.jsonl").exists(), "only raw records are audited");
    scene.done(&["evidence", "verify", "out"]);
    assert_eq!(scene.pack("again", &[]).code, Some(0));
    assert_eq!(scene.read("out/records.jsonl"), scene.read("again/records.jsonl"));
}

#[test]
fn the_commands_in_the_folder_bring_the_alert_about_once_more() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    scene.pack("out", &[]);
    let script = String::from_utf8(scene.read("out/replay.sh")).unwrap();
    let line = script.lines().find(|line| line.starts_with("cosmoguard replay")).unwrap();
    let line = line.replace("\"$here/config.toml\"", "out/config.toml").replace("\"$out\"", "h");
    let args: Vec<&str> = line.split(" || ").next().unwrap().split(' ').skip(1).collect();
    scene.done(&args);
    assert_eq!(scene.read("h/alerts.jsonl"), scene.read("g/alerts.jsonl"));
    let feeds: Value = serde_json::from_slice(&scene.read("out/feeds.json")).unwrap();
    assert_eq!(feeds["entries"][0]["feed"], "tor");
    let lists = feeds["lists"].as_array().unwrap();
    let tor = lists.iter().find(|list| list["name"] == "tor.txt").unwrap();
    assert_eq!(tor["sha256"], sum(&scene.read("tor.txt")));
}

#[test]
fn raw_records_are_byte_exact_and_audited() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    scene.pack("out", &["--raw"]);
    let (log, raw) = (scene.read("logs/day2.json"), scene.read("out/records.raw.jsonl"));
    let records = scene.records("out");
    hashes_are_of(&records, &log);
    for record in &records {
        assert_eq!(at(&raw, record, &record["raw"]), at(&log, record, record));
    }
    let entries = audit::read(&DataDir::new(&scene.path("g"))).unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.action, "evidence --raw");
    assert_eq!(entry.details["alert"], scene.id("g"));
    assert_eq!(entry.details["raw_records"], records.len());
    assert_eq!(entry.details["manifest_sha256"], sum(&scene.read("out/MANIFEST.sha256")));
    let verified = scene.done(&["evidence", "verify", "out", "--json"]);
    let verified: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(verified["raw_records"], records.len());
    assert_eq!(verified["whole"], true);
}

#[test]
fn packed_logs_are_hashed_as_what_is_in_them() {
    let scene = Scene::new();
    let text = scene.read("logs/day2.json");
    scene.write("logs/day2.json.gz", &gzip(&text));
    std::fs::remove_file(scene.path("logs/day2.json")).unwrap();
    scene.replay(&["logs"]);
    scene.pack("out", &["--raw"]);
    let records = scene.records("out");
    hashes_are_of(&records, &text);
    assert!(records.iter().all(|r| r["raw"]["offset"].is_u64()));
    scene.done(&["evidence", "verify", "out"]);
}

#[test]
fn logs_that_moved_are_found_and_others_are_not_taken_for_them() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    let text = scene.read("logs/day2.json");
    std::fs::rename(scene.path("logs"), scene.path("archive")).unwrap();
    scene.pack("gone", &["--raw"]);
    assert_eq!(scene.statuses("gone"), ["hashed"]);
    assert!(scene.read("gone/records.raw.jsonl").is_empty());
    assert_eq!(scene.records("gone")[0]["raw"]["absent"], "file missing");
    assert!(scene.records("gone")[0]["record"]["properties"].is_object());
    let copied = |out: &str| scene.records(out).iter().all(|r| r["raw"]["offset"].is_u64());
    for (out, source) in [("a", "archive"), ("b", "archive/day2.json"), ("c", ".")] {
        scene.pack(out, &["--raw", "--source", source]);
        // The name below `.` is `logs/day2.json`, which is nowhere, and `day2.json` is not there.
        assert_eq!(copied(out), out != "c", "{source}");
    }
    // Compressed since: the bytes inside are the same.
    std::fs::create_dir(scene.path("packed")).unwrap();
    scene.write("packed/day2.json.gz", &gzip(&text));
    scene.pack("d", &["--raw", "--source", "packed"]);
    assert!(copied("d"));
    // Other bytes at the same places are not written as if they were right.
    let other = String::from_utf8(text).unwrap().replace(TOR, "203.0.113.8");
    scene.write("archive/day2.json", other.as_bytes());
    let ran = scene.pack("e", &["--raw", "--source", "archive"]);
    assert!(ran.err.contains("not what they were"), "{}", ran.err);
    assert_eq!(scene.statuses("e"), ["changed since"]);
    assert!(scene.read("e/records.raw.jsonl").is_empty());
    scene.done(&["evidence", "verify", "e"]);
    let ran =
        scene.run(&["evidence", &scene.id("g"), "f", "--data-dir", "g", "--source", "nowhere"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("--source"), "{}", ran.err);
}

#[test]
fn what_came_from_standard_input_is_listed_as_not_addressable() {
    let scene = Scene::new();
    let text = hour(2, TOR);
    let args = ["replay", "-", "--tor-exits", "tor.txt", "--data-dir", "g", "--quiet"];
    let ran = cli_fed(scene.dir.path(), &args, move |to| to.write_all(text.as_bytes()));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = scene.pack("out", &["--raw"]);
    assert!(ran.err.contains("could not be copied"), "{}", ran.err);
    assert_eq!(scene.statuses("out"), ["not addressable"]);
    assert!(scene.records("out").iter().all(|r| r["sha256"].is_null() && r["record"].is_null()));
    let script = String::from_utf8(scene.read("out/replay.sh")).unwrap();
    assert!(script.contains("standard input"));
    scene.done(&["evidence", "verify", "out"]);
}

#[test]
fn a_second_run_and_a_restored_snapshot_hand_over_the_same() {
    let scene = Scene::new();
    scene.replay(&["logs/day1.json"]);
    std::fs::create_dir(scene.path("g/snapshots")).unwrap();
    scene.done(&["snapshot", "create", "g/snapshots/day1.cgsnap", "--data-dir", "g"]);
    let day2 = scene.read("logs/day2.json");
    let half = day2.len() / 2;
    let half = half + day2[half..].iter().position(|b| *b == b'\n').unwrap() + 1;
    scene.write("logs/day2.json", &day2[..half]);
    scene.replay(&["logs/day2.json"]);
    scene.pack("early", &[]);
    // The story goes on in a second run, over the file that has grown.
    scene.write("logs/day2.json", &day2);
    scene.replay(&["logs/day2.json"]);
    scene.pack("whole", &[]);
    hashes_are_of(&scene.records("whole"), &day2);
    assert_ne!(scene.read("early/records.jsonl"), scene.read("whole/records.jsonl"));
    let args = ["snapshot", "inspect", "g/snapshots/day1.cgsnap", "contoso", "--json"];
    let inspected = scene.done(&args).out;
    assert_eq!(String::from_utf8(scene.read("whole/model-before.json")).unwrap(), inspected);

    scene.done(&["snapshot", "create", "x.cgsnap", "--data-dir", "g"]);
    scene.done(&["snapshot", "restore", "x.cgsnap", "--data-dir", "h"]);
    std::fs::remove_dir_all(scene.path("logs")).unwrap();
    scene.done(&["evidence", &scene.id("g"), "restored", "--data-dir", "h"]);
    assert!(!scene.path("restored/model-before.json").exists());
    for same in ["records.jsonl", "alert.jsonl", "replay.sh", "config.toml", "feeds.json"] {
        let read = |out: &str| scene.read(&format!("{out}/{same}"));
        assert_eq!(read("restored"), read("whole"), "{same}");
    }
}

#[test]
fn whatever_is_done_to_the_folder_is_noticed_and_named() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    scene.pack("out", &["--raw"]);
    let fails = |names: &str| {
        let ran = scene.run(&["evidence", "verify", "out"]);
        assert_eq!(ran.code, Some(1), "{names}");
        assert!(ran.err.contains(names), "{names}: {}", ran.err);
    };
    for path in files(&scene.path("out")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let before = std::fs::read(&path).unwrap();
        let mut bytes = before.clone();
        bytes[0] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        // Of the list its first line is another sum now.
        fails(if name == "MANIFEST.sha256" { "README.txt: it was changed" } else { &name });
        std::fs::write(&path, &before[..before.len() - 1]).unwrap();
        if name != "MANIFEST.sha256" {
            fails(&format!("{name}: it was changed"));
        }
        std::fs::remove_file(&path).unwrap();
        fails(&name);
        std::fs::write(&path, &before).unwrap();
        scene.done(&["evidence", "verify", "out"]);
    }
    scene.write("out/extra.txt", b"x");
    fails("extra.txt: it is not in MANIFEST.sha256");
    std::fs::remove_file(scene.path("out/extra.txt")).unwrap();
    std::fs::create_dir(scene.path("out/more")).unwrap();
    fails("more: it is no plain file");
    std::fs::remove_dir(scene.path("out/more")).unwrap();

    // Whoever makes the list anew is told by the hashes that were taken with the alert.
    let mut raw = scene.read("out/records.raw.jsonl");
    let before = sum(&raw);
    raw[20] ^= 1;
    scene.write("out/records.raw.jsonl", &raw);
    let manifest = String::from_utf8(scene.read("out/MANIFEST.sha256")).unwrap();
    assert!(manifest.contains(&before));
    scene.write("out/MANIFEST.sha256", manifest.replace(&before, &sum(&raw)).as_bytes());
    fails("records.raw.jsonl: record 1 (logs/day2.json at");

    // A list without a file that every folder has, and one that cannot be read.
    std::fs::remove_file(scene.path("out/alert.jsonl")).unwrap();
    let shorter: String =
        manifest.lines().filter(|l| !l.contains("alert.jsonl")).map(|l| format!("{l}\n")).collect();
    scene.write("out/MANIFEST.sha256", shorter.as_bytes());
    fails("alert.jsonl: MANIFEST.sha256 does not name it");
    std::fs::remove_file(scene.path("out/MANIFEST.sha256")).unwrap();
    std::fs::create_dir(scene.path("out/MANIFEST.sha256")).unwrap();
    fails("holds no MANIFEST.sha256");
}

#[test]
fn wrong_use_names_the_next_step() {
    let scene = Scene::new();
    scene.replay(&["logs"]);
    let id = scene.id("g");
    scene.write("file", b"");
    for (args, words) in [
        (["evidence", "zzzz", "out", "--data-dir", "g"], "`name` of each line of g/alerts.jsonl"),
        (["evidence", "", "out", "--data-dir", "g"], "no alert id"),
        (["evidence", &id, "logs", "--data-dir", "g"], "not an empty folder; name another one"),
        (["evidence", &id, "file", "--data-dir", "g"], "not an empty folder; name another one"),
        (["evidence", &id, "out", "--data-dir", "none"], "fill it with `cosmoguard replay"),
        (["evidence", "verify", "logs", "--color", "never"], "holds no MANIFEST.sha256"),
    ] {
        let ran = scene.run(&args);
        assert_eq!(ran.code, Some(1), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert!(!scene.path("out").exists(), "nothing half-made is left");
    }
    let left = std::fs::read_dir(scene.dir.path()).unwrap();
    assert!(left.flatten().all(|e| !e.file_name().to_string_lossy().starts_with('.')));
    std::fs::create_dir(scene.path("empty")).unwrap();
    scene.pack("empty", &[]);
    scene.done(&["evidence", "verify", "empty"]);
}
