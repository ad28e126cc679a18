//! The real binary: exit codes, streams, refusals and hostile input.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::io::Write;

use super::support::{Ran, cli, cli_fed, fixture};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn refusals(dir: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("refused.jsonl")).expect("refusals are kept");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn sample_folder_refuses_only_what_is_broken() {
    let dir = dir();
    let logs = fixture("logs");
    let ran = cli(dir.path(), &["replay", logs.to_str().expect("UTF-8"), "--data-dir", "d"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.out.is_empty());
    let refused = refusals(&dir.path().join("d"));
    let count = |reason: &str| refused.iter().filter(|r| r["reason"] == reason).count();
    // Of the whole folder only the documentation's unescaped quotes.
    assert_eq!((count("bad_json"), refused.len()), (3, 3));
}

#[test]
fn wrong_use_says_what_to_do() {
    let dir = dir();
    std::fs::write(dir.path().join("c.toml"), "xx = 1\n").expect("writable");
    for (args, code, words) in [
        (&["replay", "nowhere"][..], 1, "cannot read nowhere"),
        (&["serve"], 2, "give --data-dir DIR"),
        (&["serve", "--data-dir", "d", "--watch", "nowhere"], 1, "cannot watch nowhere"),
        (&["report", "--from", "2026-10-01"], 2, "--to <TIME>"),
        (&["evaluate", "--x"], 2, "comes in a later version"),
        (&["replay", "--nonsense", "."], 2, "--nonsense"),
        (&["check-config", "--config", "c.toml"], 2, "c.toml:1:1: unknown key `xx`"),
    ] {
        let ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{args:?}");
    }
}

#[test]
fn random_bytes_and_cut_envelopes_do_not_panic() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(200_000)
    .collect();
    for bytes in [noise, b"{\"records\":[{\"time\":\"2026-01-01T00:00:00Z\",\"cat".to_vec()] {
        let dir = dir();
        std::fs::write(dir.path().join("x.json"), bytes).expect("writable");
        let ran = cli(dir.path(), &["replay", "x.json", "--quiet"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        assert!(!refusals(dir.path()).is_empty());
    }
}

#[test]
fn a_line_of_100_mib_is_refused_and_the_next_one_read() {
    let dir = dir();
    let ran: Ran = cli_fed(dir.path(), &["replay", "-", "--quiet"], |input| {
        let block = vec![b'a'; 1 << 20];
        input.write_all(b"{\"time\":\"")?;
        for _ in 0..100 {
            input.write_all(&block)?;
        }
        Write::write_all(input, b"\"}\n{]\n")
    });
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert_eq!(refusals(dir.path()).len(), 2);
}

#[test]
fn demo_on_stdout_is_json_lines_of_all_kinds_and_matches_the_schema() {
    let dir = dir();
    let ran = cli(dir.path(), &["replay", "--demo", "--alerts", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let schema = std::fs::read(fixture("alerts/alert.schema.json")).expect("a schema");
    let schema: serde_json::Value = serde_json::from_slice(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mut kinds = std::collections::BTreeSet::new();
    for line in ran.out.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let faults: Vec<String> = validator.iter_errors(&alert).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{line}");
        kinds.insert(alert["properties"]["alertType"].as_str().expect("a type").to_owned());
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
}

#[test]
fn views_of_a_data_directory() {
    let dir = dir();
    let ran = cli(dir.path(), &["replay", "--demo", "--data-dir", "d", "--quiet"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let alerts = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).expect("alerts");
    let alert: serde_json::Value =
        serde_json::from_str(alerts.lines().next().expect("an alert")).expect("JSON");
    let id = alert["name"].as_str().expect("an id");
    let models = cli(dir.path(), &["model", "list", "--data-dir", "d", "--json"]);
    let again = cli(dir.path(), &["replay", "--demo", "--data-dir", "d"]);
    assert!(
        again.code == Some(0) && again.err.contains("applied by an earlier run"),
        "{}",
        again.err
    );
    assert_eq!(std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).expect("alerts"), alerts);
    let same = cli(dir.path(), &["model", "list", "--data-dir", "d", "--json"]);
    assert_eq!(same.out, models.out);
    let story = cli(dir.path(), &["explain", &id[..8], "--data-dir", "d"]);
    assert_eq!(story.code, Some(0), "{}", story.err);
    assert!(story.out.contains(&id[..8]), "{}", story.out);
    let none = cli(dir.path(), &["explain", "zzzz", "--data-dir", "d"]);
    assert_eq!(none.code, Some(1), "{}", none.err);
    json(&cli(dir.path(), &["model", "list", "--data-dir", "d", "--json"]));
    json(&cli(dir.path(), &["model", "coverage", "--data-dir", "d", "--json"]));
    let resource = alert["properties"]["compromisedEntity"].as_str().expect("an entity");
    let account = resource.rsplit('/').next().expect("a name").to_lowercase();
    json(&cli(dir.path(), &["model", "show", &account, "--data-dir", "d", "--json"]));
    let at = ["--at", "2026-10-20T03:00Z", "--data-dir", "d", "--json"];
    json(&cli(dir.path(), &[&["why-not", account.as_str()][..], &at].concat()));
}

/// One JSON value, or one a line.
fn json(ran: &Ran) -> Vec<serde_json::Value> {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let values: Result<Vec<_>, _> =
        serde_json::Deserializer::from_str(&ran.out).into_iter().collect();
    let values = values.expect("JSON");
    assert!(!values.is_empty());
    values
}

#[test]
fn one_process_a_data_directory() {
    let dir = dir();
    let held = cosmoguard::store::sled_store::SledStore::open(&dir.path().join("d/state"));
    let ran = cli(dir.path(), &["replay", "--demo", "--data-dir", "d", "--quiet"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("in use by another process"), "{}", ran.err);
    drop(held);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_ends() {
    let dir = dir();
    std::fs::create_dir(dir.path().join("logs")).expect("a folder");
    std::os::unix::fs::symlink("..", dir.path().join("logs/up")).expect("a link");
    std::fs::write(dir.path().join("logs/x.json"), "{]\n").expect("writable");
    let ran = cli(dir.path(), &["replay", "logs", "--quiet"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
}

#[test]
fn hostile_names_never_reach_the_terminal_raw() {
    let dir = dir();
    let exit = "203.0.113.66";
    std::fs::write(dir.path().join("tor.txt"), exit).expect("writable");
    let time = cosmoguard::time::Timestamp(1_789_344_000_000);
    let mut lines = Vec::new();
    for minute in 0..60 {
        let record =
            cosmoguard::simulate::scenario::data_plane("shop", time.plus_ms(minute * 60_000))
                .ip(exit.parse::<std::net::IpAddr>().expect("an address"))
                .agent("evil\u{1b}[31m\u{202e}agent")
                .container("db\u{1b}]0;x\u{7}", "c\u{2066}d");
        lines.extend(record.json());
        lines.push(b'\n');
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    let replay = ["replay", "x.json", "--tor-exits", "tor.txt", "--data-dir", "d"];
    let ran = cli(dir.path(), &replay);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let alerts = std::fs::read_to_string(dir.path().join("d/alerts.jsonl")).expect("alerts");
    let alert: serde_json::Value =
        serde_json::from_str(alerts.lines().next().expect("an alert")).expect("JSON");
    let id = alert["name"].as_str().expect("an id");
    let story = cli(dir.path(), &["explain", id, "--data-dir", "d"]);
    let shown = cli(dir.path(), &["model", "show", "shop", "--data-dir", "d"]);
    assert_eq!((story.code, shown.code), (Some(0), Some(0)), "{}{}", story.err, shown.err);
    for text in [ran.out, ran.err, story.out, story.err, shown.out, shown.err] {
        let raw = text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}']);
        assert!(!raw, "{text:?}");
    }
}

/// An everyday record of `account`, `minute` minutes into the day, as a line.
fn everyday(account: &str, minute: i64) -> Vec<u8> {
    let time = cosmoguard::time::Timestamp(1_789_344_000_000 + minute * 60_000);
    let mut line = cosmoguard::simulate::scenario::data_plane(account, time).json();
    line.push(b'\n');
    line
}

#[cfg(unix)]
#[test]
fn files_that_cannot_be_read_are_named_and_the_rest_is_read() {
    let dir = dir();
    let logs = dir.path().join("logs");
    std::fs::create_dir(&logs).expect("a folder");
    std::fs::write(logs.join("good.json"), everyday("shop", 0)).expect("writable");
    std::fs::write(logs.join("vanishes.json"), everyday("shop", 1)).expect("writable");
    std::os::unix::fs::symlink("nowhere", logs.join("gone.json")).expect("a link");
    let args = ["replay", "-", "logs", "--data-dir", "d", "--threads", "1"];
    let ran = cli_fed(dir.path(), &args, move |input| {
        // More than a pipe holds, and no whole record yet: the folder is listed by now, and its
        // files are not open.
        input.write_all(b"{\"padding\":\"")?;
        input.write_all(&vec![b'a'; 1 << 20])?;
        std::fs::remove_file(logs.join("vanishes.json"))?;
        input.write_all(b"\",")?;
        input.write_all(&everyday("shop", 2)[1..])
    });
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    for name in ["gone.json", "vanishes.json"] {
        let warned = |line: &str| line.contains(name) && line.contains("is left out");
        assert!(ran.err.lines().any(warned), "{name}: {}", ran.err);
    }
    let shown = json(&cli(dir.path(), &["model", "show", "shop", "--data-dir", "d", "--json"]));
    assert!(shown[0].to_string().contains("\"records\":2"), "{}", shown[0]);
}

#[test]
fn a_file_that_breaks_off_costs_what_is_missing() {
    let dir = dir();
    std::fs::create_dir(dir.path().join("logs")).expect("a folder");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    for minute in 0..100 {
        packed.write_all(&everyday("shop", minute)).expect("in memory");
    }
    let mut packed = packed.finish().expect("in memory");
    packed.truncate(packed.len() / 2);
    std::fs::write(dir.path().join("logs/cut.json.gz"), packed).expect("writable");
    std::fs::write(dir.path().join("logs/good.json"), everyday("basket", 0)).expect("writable");
    let ran = cli(dir.path(), &["replay", "logs", "--data-dir", "d"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let refused = refusals(&dir.path().join("d"));
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["reason"], "cut_off");
    let listed = cli(dir.path(), &["model", "list", "--data-dir", "d"]);
    assert!(listed.out.contains("shop") && listed.out.contains("basket"), "{}", listed.out);
}

#[test]
fn every_later_subcommand_says_so() {
    let dir = dir();
    for later in ["evaluate", "backtest"] {
        for args in [&[later][..], &[later, "--help"], &[later, "x", "--y=z"]] {
            let ran = cli(dir.path(), args);
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}: {}", ran.err);
            assert!(ran.err.contains("comes in a later version"), "{args:?}: {}", ran.err);
        }
    }
}

#[test]
fn query_literals_stay_where_they_are() {
    const MARKER: &str = "LITERAL-4711-0815";
    let dir = dir();
    let exit = "203.0.113.66";
    std::fs::write(dir.path().join("tor.txt"), exit).expect("writable");
    let mut lines = Vec::new();
    for minute in 0..60 {
        let time = cosmoguard::time::Timestamp(1_789_344_000_000 + minute * 60_000);
        let request = cosmoguard::simulate::scenario::data_plane("shop", time)
            .ip(exit.parse::<std::net::IpAddr>().expect("an address"))
            .json();
        let mut query: serde_json::Value = serde_json::from_slice(&request).expect("JSON");
        lines.extend(request);
        query["category"] = "QueryRuntimeStatistics".into();
        query["properties"]["querytext"] =
            format!("{{\"query\":\"SELECT * FROM c WHERE c.name = '{MARKER}'\"}}").into();
        lines.extend(format!("\n{query}\n").bytes());
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    for format in ["defender", "ocsf", "ecs", "cef", "securityalert"] {
        let replay = ["replay", "x.json", "--tor-exits", "tor.txt", "--data-dir", format];
        let ran = cli(dir.path(), &[&replay[..], &["--format", format]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let alerts = std::fs::read_to_string(dir.path().join(format).join("alerts.jsonl"));
        let alerts = alerts.expect("alerts");
        assert!(!alerts.is_empty());
        let shown = cli(dir.path(), &["model", "show", "shop", "--data-dir", format, "--json"]);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        for text in [alerts, ran.out, ran.err, shown.out] {
            assert!(!text.contains("4711"), "{format}: {text}");
        }
    }
}

#[test]
fn hostile_principals_are_told_apart_and_told_harmlessly() {
    let dir = dir();
    let names = [
        "eve\u{1b}[2J\u{7}@elsewhere.example",
        "\u{202e}elpmaxe.osotnoc@anna",
        "a\",\"severity\":\"Low\nCEF:0|x|y=\\|",
        "''; drop table alerts --<script>alert(1)</script>{{7*7}}${env:PATH}",
        "%n%s%00/../../etc/passwd",
    ];
    let mut lines = Vec::new();
    for hour in 0..36 * 24_i64 {
        for (nth, name) in names.iter().enumerate() {
            let account = format!("shop{nth}");
            lines.extend(everyday(&account, hour * 60));
            let at = cosmoguard::time::Timestamp(1_789_344_000_000 + hour * 3_600_000 + 60_000);
            let list_keys = "Microsoft.DocumentDB/databaseAccounts/listKeys/action";
            let record = cosmoguard::simulate::scenario::activity(&account, at, list_keys);
            let record = match (hour / 24, hour % 24) {
                (_, 10) => record.user(1, "anna@contoso.example"),
                (35, 12) => record.user(0xbad + nth as u128, name),
                _ => continue,
            };
            lines.extend(record.json());
            lines.push(b'\n');
        }
    }
    std::fs::write(dir.path().join("x.json"), lines).expect("writable");
    for format in ["defender", "ocsf", "ecs", "cef", "securityalert"] {
        let ran = cli(dir.path(), &["replay", "x.json", "--data-dir", format, "--format", format]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let path = dir.path().join(format).join("alerts.jsonl");
        let alerts = std::fs::read_to_string(path).expect("alerts");
        let wrong = |c: char| c.is_control() && c != '\n';
        assert!(!alerts.contains(wrong), "{format}: {alerts:?}");
        if format == "cef" {
            assert!(alerts.lines().all(|line| line.starts_with("CEF:0|cosmoguard|")), "{alerts}");
            continue;
        }
        for line in alerts.lines() {
            let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(alert.is_object());
        }
    }
    let alerts = std::fs::read_to_string(dir.path().join("defender/alerts.jsonl"));
    let alerts = alerts.expect("alerts");
    assert_eq!(alerts.lines().count(), names.len(), "{alerts}");
    for line in alerts.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let id = alert["name"].as_str().expect("an id");
        let story = cli(dir.path(), &["explain", id, "--data-dir", "defender"]);
        assert_eq!(story.code, Some(0), "{}", story.err);
        let raw = story.out.contains(['\u{1b}', '\u{7}', '\u{202e}']);
        assert!(!raw, "{:?}", story.out);
    }
}
