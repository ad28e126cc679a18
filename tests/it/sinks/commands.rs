//! `sink`, `sample-alerts` and `check-config`, as a person runs them.
use serde_json::Value;

use super::grammar::cef;
use super::receivers::{Collector, Http};
use crate::support::cli;

#[test]
fn samples_are_printed_in_every_format_and_say_that_they_are_samples() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["defender", "ocsf", "ecs", "cef", "securityalert"] {
        let ran = cli(folder.path(), &["sample-alerts", "--format", format]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{format}");
        assert_eq!(ran.out.lines().count(), 8);
        for line in ran.out.lines() {
            assert!(line.contains("[SAMPLE] "), "{line}");
            match format {
                "cef" => drop(cef(line)),
                _ => drop(serde_json::from_str::<Value>(line).unwrap()),
            }
        }
    }
    let ran = cli(folder.path(), &["sample-alerts", "--alerts", "s.jsonl"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(cli(folder.path(), &["sample-alerts", "--alerts", "s.jsonl"]).code, Some(1));
    assert_eq!(cli(folder.path(), &["sample-alerts", "--format", "xml"]).code, Some(2));
    let explained = std::fs::read_to_string(folder.path().join("s.jsonl")).unwrap();
    assert_eq!(explained.lines().count(), 8);
}

#[test]
fn sinks_are_listed_tried_out_and_sent_samples() {
    let folder = tempfile::tempdir().unwrap();
    let (http, collector) = (Http::ok(), Collector::tcp());
    let config = format!(
        "[[sinks]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"{}\"\nallow_private = true\n\
         [[sinks]]\nname = \"siem\"\nkind = \"syslog\"\naddress = \"127.0.0.1:{}\"\ntransport = \"tcp\"\n\
         [[sinks]]\nname = \"down\"\nkind = \"slack\"\nurl = \"env:COSMOGUARD_TEST_NOT_SET\"\n\
         [[routes.rules]]\nsinks = [\"soc\"]\nmin_severity = \"High\"\n",
        http.url(),
        collector.port
    );
    std::fs::write(folder.path().join("c.toml"), config).unwrap();
    let run = |args: &[&str]| cli(folder.path(), &[args, &["--config", "c.toml"]].concat());
    let ran = run(&["sink", "list"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("soc") && ran.out.contains("tcp:127.0.0.1"), "{}", ran.out);
    assert!(!ran.out.contains("/in"), "a path may be a secret: {}", ran.out);
    let listed: Value = serde_json::from_str(&run(&["sink", "list", "--json"]).out).unwrap();
    assert_eq!(listed["sinks"][2]["sends_to"], "env:COSMOGUARD_TEST_NOT_SET");
    let ran = run(&["sink", "test", "soc"]);
    assert_eq!((ran.code, http.seen().len()), (Some(0), 1), "{}", ran.err);
    let ran = run(&["sink", "test", "down"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("env:COSMOGUARD_TEST_NOT_SET is not set"), "{}", ran.err);
    assert!(run(&["sink", "test", "nobody"]).err.contains("there are soc, siem, down"));
    let ran = run(&["sample-alerts", "--send"]);
    assert_eq!(ran.code, Some(1), "one of three failed");
    assert!(
        ran.out.contains("soc: 8 delivered") && ran.out.contains("siem: 8 delivered"),
        "{}",
        ran.out
    );
    assert_eq!(http.seen().len(), 9);
    let ran = run(&["sink", "retry", "soc", "--data-dir", "data"]);
    assert!(ran.err.contains("nothing was ever queued"), "{}", ran.err);
    let ran = run(&["check-config"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("sinks = [{"), "{}", ran.out);
}

#[test]
fn a_configuration_that_cannot_send_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (text, why) in [
        ("[[sinks]]\nname = \"a\"\nkind = \"file\"\n", "path"),
        ("[[sinks]]\nname = \"a\"\nkind = \"file\"\npath = \"x\"\nfoo = 1\n", "foo"),
        (
            "[[sinks]]\nname = \"a\"\nkind = \"slack\"\nurl = \"https://hooks.example/s3cret\"\n",
            "env:NAME",
        ),
        ("[[routes.rules]]\nsinks = [\"a\"]\n", "names `a`, which is no sink"),
        ("[[routes.rules]]\nsinks = [\"a\"]\nmin_severity = \"Huge\"\n", "min_severity"),
        ("[routes]\ndigest_hour = 24\n", "23 or less"),
        ("[routes]\nfalse_alerts_per_week = -1.0\n", "0 or more"),
    ] {
        std::fs::write(folder.path().join("c.toml"), text).unwrap();
        let ran = cli(folder.path(), &["check-config", "--config", "c.toml"]);
        assert_eq!(ran.code, Some(2), "{text}: {}", ran.err);
        assert!(ran.err.contains("c.toml:") && ran.err.contains(why), "{text}: {}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}

#[test]
fn accounts_of_the_inventory_that_never_logged_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let ran = cli(folder.path(), &["replay", "--demo", "--data-dir", "data", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let listed = cli(folder.path(), &["model", "list", "--data-dir", "data", "--json"]).out;
    let known: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let known = known["account"].as_str().unwrap();
    let export = format!("name,subscriptionId\n{known},s1\nForgotten-Db,s2\n");
    std::fs::write(folder.path().join("accounts.csv"), export).unwrap();
    let config = "[inventory]\nfile = \"accounts.csv\"\n";
    std::fs::write(folder.path().join("c.toml"), config).unwrap();
    let run = |more: &[&str]| {
        let args = ["model", "coverage", "--data-dir", "data", "--config", "c.toml"];
        let ran = cli(folder.path(), &[&args[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    };
    let told = "forgotten-db is in the inventory and never logged";
    assert!(run(&[]).contains(told) && run(&["forgotten-db"]).contains(told));
    assert!(!run(&[known]).contains("never logged"));
    let lines = run(&["--json"]);
    assert_eq!(lines.matches("\"never_logged\":true").count(), 1, "{lines}");
}
