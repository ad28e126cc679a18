//! `query`: one line of JSON for each line, whatever stands in it.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]

use serde_json::Value;

use super::support::{Ran, cli, cli_fed};

const LITERAL: &str = "Zz4711";

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn judged(input: impl Into<Vec<u8>>, args: &[&str]) -> Vec<Value> {
    let input = input.into();
    let args = [&["query", "-"], args].concat();
    let ran = cli_fed(dir().path(), &args, move |to| to.write_all(&input));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.out.contains("4711"), "a literal is in the output: {}", ran.out);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn names(of: &Value) -> Vec<&str> {
    let all = of.as_array().expect("a list").iter();
    all.map(|sign| sign["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_query_is_raw_or_a_json_string_or_an_object() {
    let query = format!("SELECT * FROM c WHERE c.n = \"{LITERAL}\" OR 1=1");
    let quoted = serde_json::to_string(&query).expect("JSON");
    let object = serde_json::json!({"query": query, "parameters": []});
    let said = judged(format!("{query}\r\n{quoted}\n{object}"), &[]);
    assert_eq!(said.len(), 3);
    for one in &said {
        assert_eq!(one, &said[0]);
        assert_eq!(one["parses"], true);
        assert!(names(&one["evidence"]).contains(&"always-true-under-or"), "{one}");
        let all = one["evidence"].as_array().expect("a list");
        let true_one = all.iter().find(|sign| sign["name"] == "always-true-under-or");
        let span = &true_one.expect("it is there")["span"];
        let (begin, end) = (span[0].as_u64().expect("a place"), span[1].as_u64().expect("a place"));
        assert_eq!(query.get(begin as usize..end as usize), Some("1=1"));
        assert_eq!(one["shape"].as_str().map(str::len), Some(16));
        assert!(one["template"].as_str().is_some_and(|t| t.contains("'…'")), "{one}");
    }
}

#[test]
fn an_object_may_be_in_a_json_string_and_a_mark_before_it_is_passed_over() {
    let object = serde_json::json!({"query": "SELECT 1", "parameters": []}).to_string();
    let quoted = serde_json::to_string(&object).expect("JSON");
    let said = judged(format!("\u{feff}SELECT 1\n{object}\n{quoted}\n"), &[]);
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|one| one == &said[0] && one["parses"] == true), "{said:?}");
    for input in [&b"\xff\xfeS\0E\0\n\0"[..], b"\xfe\xff\0S\0E", b"S\0E\0L\0"] {
        let ran = cli_fed(dir().path(), &["query", "-"], move |to| to.write_all(input));
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        assert!(ran.err.contains("UTF-16") && ran.err.contains("UTF-8 first"), "{}", ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
    }
}

#[test]
fn names_that_may_be_data_are_blanked() {
    let queries = "SELECT * FROM c WHERE c.m['john@secret.com'].v = 1 AND c['4711']=2 AND {'pw-4711':1}.x=1\n\
                   SELECT VALUE {'pw-4711': c.x, a: 1} FROM c";
    let said = judged(queries, &[]);
    let template = said[0]["template"].as_str().expect("a template");
    assert!(template.contains("c.m['…'].v") && template.contains("{'…': #}"), "{template}");
    assert!(!template.contains("john"), "{template}");
    for one in &said {
        // With values in the places of literals it is a query again.
        let again = one["template"].as_str().expect("a template").replace('#', "1");
        assert_eq!(judged(again.clone(), &[])[0]["parses"], true, "{again}");
    }
}

#[test]
fn what_is_not_looked_at_is_not_called_invalid() {
    let long = format!("SELECT * FROM c WHERE c.n = '{}'", "x".repeat(1 << 20));
    let many = format!("SELECT * FROM c WHERE c.n IN (1{})", ",1".repeat(140_000));
    let deep = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    for one in judged(format!("{long}\n{many}\n{deep}\n"), &[]) {
        assert_eq!(one["parses"], Value::Null, "{one}");
        assert!(one["error"]["reason"].as_str().is_some_and(|r| r.starts_with("not looked at: ")));
    }
}

#[test]
fn columns_count_characters() {
    let said = judged("SELECT 'é€' + ^", &[]);
    assert_eq!((&said[0]["error"]["column"], &said[0]["error"]["byte"]), (&15.into(), &17.into()));
}

#[test]
fn what_is_no_query_is_said_where_and_why() {
    let said = judged(
        format!("SELECT * FROM c WHERE c.n = '{LITERAL}'' AND\n\n{{\"query\": 5}}\nSELECT"),
        &[],
    );
    assert_eq!(said.len(), 4, "a blank line is a line");
    for one in &said {
        assert_eq!(one["parses"], false);
        assert!(one["error"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{one}");
        assert_eq!((&one["shape"], &one["template"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(said[0]["error"]["line"], 1);
    assert_eq!(said[0]["error"]["column"], said[0]["error"]["byte"].as_u64().map_or(0, |b| b + 1));
}

#[test]
fn huge_lines_and_bytes_that_are_no_text_are_one_line_each() {
    let mut input = b"SELECT * FROM c WHERE c.n = '\xff\xfe'\n".to_vec();
    input.extend(b"SELECT ");
    input.extend(std::iter::repeat_n(b'a', 6 << 20));
    input.extend(b"\nSELECT * FROM c\n\xff\x00\xc3\n");
    let said = judged(input, &[]);
    let parses: Vec<bool> = said.iter().map(|one| one["parses"] == true).collect();
    assert_eq!(parses, [true, false, true, false]);
    assert!(judged("", &[]).is_empty());
}

#[test]
fn a_template_tells_what_was_put_in() {
    let template = "SELECT * FROM c WHERE c.n = 'a' AND c.owner = 'b'";
    let queries = format!(
        "SELECT * FROM c WHERE c.n = '{LITERAL}' AND c.owner = 'b'\n\
         SELECT * FROM c WHERE c.n = '{LITERAL}' OR c.m != 'a' AND c.owner = 'b'\n\
         SELECT * FROM c WHERE c.n = '{LITERAL}' --' AND c.owner = 'b'\n\
         SELECT * FROM c WHERE c.n = '{LITERAL}' AND c.m = 'a' AND c.owner = 'b'\n"
    );
    let said = judged(queries, &["--template", template]);
    let evidence: Vec<Vec<&str>> = said.iter().map(|one| names(&one["evidence"])).collect();
    assert!(evidence[0].is_empty() && evidence[3].is_empty(), "{evidence:?}");
    assert!(evidence[1].contains(&"insertion"), "{evidence:?}");
    assert!(evidence[2].contains(&"insertion") && evidence[2].contains(&"lost-condition"));
    let lost = said[2]["evidence"].as_array().expect("a list");
    let lost = lost.iter().find(|sign| sign["name"] == "lost-condition").expect("it is there");
    assert!(lost["span"][0].as_u64() < lost["span"][1].as_u64(), "{lost}");
}

#[test]
fn wrong_use_ends_with_a_reason() {
    let dir = dir();
    for (args, words) in [
        (&["query", "-", "--template", "SELECT 'Zz4711"][..], "--template is no query"),
        (&["query", "nowhere.txt"], "nowhere.txt cannot be opened"),
        (&["query", "."], "is a folder"),
    ] {
        let ran: Ran = cli(dir.path(), args);
        assert_eq!(ran.code, Some(1), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{args:?}: {}", ran.err);
        assert!(!ran.err.contains("4711"), "{}", ran.err);
    }
    assert_eq!(cli(dir.path(), &["query"]).code, Some(2));
    let file = dir.path().join("q.txt");
    std::fs::write(file, "SELECT * FROM c\n").expect("writable");
    let ran = cli(dir.path(), &["query", "q.txt"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 1), "{}", ran.err);
}
