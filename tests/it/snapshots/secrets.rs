//! A snapshot leaves the machine: nothing in it may let anybody in, and no query literal.
use std::fmt::Write as _;

use super::*;
use crate::support::cli;

/// What must not come out again. Upper and lower case, because names are lower-cased.
const MARKERS: [&str; 6] =
    ["sEcReTlItErAl", "sIgNaTuRe77", "tOkEnTeXt88", "aCcOuNtKeY99", "dOcUmEnTiD55", "pArTiTiOn66"];

fn records() -> String {
    let mut text = String::new();
    for minute in 0..59 {
        let [literal, signature, token, key, document, partition] = MARKERS;
        let resource = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/contoso";
        for day in 1..=3 {
            let time = format!("2026-03-{day:02}T10:{minute:02}:00Z");
            let _ = writeln!(
                text,
                r#"{{"time":"{time}","resourceId":"{resource}","category":"QueryRuntimeStatistics","operationName":"QueryRuntimeStatistics","properties":{{"activityId":"{minute}","databasename":"d","collectionname":"c","querytext":"{{\"query\":\"SELECT * FROM c WHERE c.x='{literal}' AND c.n=@p\",\"parameters\":[{{\"name\":\"@p\",\"value\":\"{literal}\"}}]}}","signature":"{signature}","partitionkeyrangeid":"0"}}}}"#
            );
            let _ = writeln!(
                text,
                r#"{{"time":"{time}","resourceId":"{resource}","category":"DataPlaneRequests","operationName":"Read","properties":{{"activityId":"{minute}-{day}","requestResourceType":"Document","requestResourceId":"/dbs/d/colls/c/docs/{document}","statusCode":"200","clientIpAddress":"203.0.113.7","responseLength":"900","userAgent":"app/1","authTokenType":"PrimaryMasterKey","authorization":"type=master&ver=1.0&sig={signature}","token":"{token}","accountKey":"{key}","connectionMode":"Gateway","databaseName":"d","collectionName":"c","partitionId":"{partition}"}}}}"#
            );
        }
    }
    text
}

#[test]
fn neither_secret_nor_query_literal_is_inside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("logs.jsonl"), records()).unwrap();
    let ran = cli(dir.path(), &["replay", "logs.jsonl", "--data-dir", "d", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = cli(dir.path(), &["snapshot", "create", "x.cgsnap", "--data-dir", "d"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let path = dir.path().join("x.cgsnap");
    let entries = damage::entries(&path);
    assert!(entries.iter().any(|(name, _)| name == "accounts/public/contoso.state"));
    let whole = std::fs::read(&path).unwrap();
    let texts =
        entries.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain([("file", &whole)]);
    for (name, bytes) in texts {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        for marker in MARKERS {
            assert!(!text.contains(&marker.to_ascii_lowercase()), "{marker} in {name}");
        }
    }
}

/// What is shown of queries is what is asked, who asks and how much comes back; never a value.
#[test]
fn queries_are_shown_by_their_templates() {
    let dir = tempfile::tempdir().unwrap();
    let lines = records();
    let early: Vec<&str> = lines.lines().filter(|line| line.contains("2026-03-01T")).collect();
    let early = early.join("\n").replace("c.x=", "c.y=");
    std::fs::write(dir.path().join("early.jsonl"), early).unwrap();
    std::fs::write(dir.path().join("logs.jsonl"), lines).unwrap();
    let ok = |args: &[&str]| {
        let ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        ran.out + &ran.err
    };
    for (log, data, file) in [("early.jsonl", "e", "e.cgsnap"), ("logs.jsonl", "d", "d.cgsnap")] {
        ok(&["replay", log, "--data-dir", data, "--quiet"]);
        ok(&["snapshot", "create", file, "--data-dir", data]);
    }
    let shown = |args: &[&str], wanted: &[&str]| {
        for format in [&[][..], &["--json"]] {
            let text = ok(&[args, format].concat());
            for marker in MARKERS {
                let marker = marker.to_ascii_lowercase();
                assert!(!text.to_ascii_lowercase().contains(&marker), "{marker}: {text}");
            }
            for words in wanted {
                assert!(text.contains(words), "{args:?} {format:?}: {words}: {text}");
            }
            let wide = text.lines().find(|line| line.chars().count() > 100);
            let diff = args.contains(&"diff");
            assert!(!format.is_empty() || diff || wide.is_none(), "{wide:?}");
        }
    };
    let query = "SELECT * FROM c WHERE c.x='…' AND c.n=@p";
    shown(&["model", "show", "contoso", "--data-dir", "d"], &[query, "2026-03-01"]);
    shown(&["snapshot", "inspect", "d.cgsnap", "contoso"], &[query, "2026-03-01"]);
    let before = "SELECT * FROM c WHERE c.y='…' AND c.n=@p";
    shown(&["snapshot", "diff", "e.cgsnap", "d.cgsnap", "contoso"], &[query, before]);
    let text = ok(&["snapshot", "diff", "e.cgsnap", "d.cgsnap", "contoso"]);
    let row = |sign: &str| text.lines().any(|l| l.contains("100 % of runs") && l.contains(sign));
    assert!(row("  + ") && row("  - ") && text.contains("a new query"), "{text}");
}
