//! What `deploy/` holds is at least read: formats, names of categories, and the commands that it
//! gives to the binary.
#![allow(clippy::expect_used, reason = "a file that cannot be read fails the test")]
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use cosmoguard::event::Category;
use cosmoguard::limits::INBOX_BATCH_BYTES_MAX;
use serde_json::Value;

use super::support::cli;

fn deployed(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn is_known(category: &str) -> bool {
    category == "Administrative" || Category::ALL.iter().any(|known| known.as_str() == category)
}

/// Every flag of a command is one that the binary knows.
fn is_understood(command: &str) {
    let args: Vec<&str> = command.split_whitespace().skip(1).chain(["--help"]).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let ran = cli(dir.path(), &args);
    assert_eq!(ran.code, Some(0), "{command}: {}", ran.err);
    assert!(ran.out.contains("Usage:"), "{command}: {}", ran.out);
}

/// `[section]` and `key=value` lines; a line that ends in `\` goes on.
fn unit(name: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut sections: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut section = String::new();
    for (number, line) in deployed(name).replace("\\\n", "").lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(named) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = named.to_owned();
            continue;
        }
        let (key, value) =
            line.split_once('=').unwrap_or_else(|| panic!("{name}:{}: {line}", number + 1));
        sections.entry(section.clone()).or_default().push((key.to_owned(), value.to_owned()));
    }
    sections
}

fn value<'a>(
    unit: &'a BTreeMap<String, Vec<(String, String)>>,
    section: &str,
    key: &str,
) -> &'a str {
    let pairs = unit.get(section).unwrap_or_else(|| panic!("no [{section}]"));
    let found = pairs.iter().find(|(name, _)| name == key);
    &found.unwrap_or_else(|| panic!("no {key} in [{section}]")).1
}

#[test]
fn the_unit_starts_the_service_and_leaves_it_time_to_stop() {
    let unit = unit("systemd/cosmoguard.service");
    is_understood(value(&unit, "Service", "ExecStart"));
    assert_eq!(value(&unit, "Service", "KillSignal"), "SIGTERM");
    let patience: u64 = value(&unit, "Service", "TimeoutStopSec").parse().expect("seconds");
    let settings = cosmoguard::config::resolve(None, &[]).expect("the shipped settings").config;
    assert!(patience > settings.serve.drain_seconds, "systemd kills it while it drains");
    assert_eq!(value(&unit, "Service", "NoNewPrivileges"), "yes");
    assert_eq!(value(&unit, "Service", "ProtectSystem"), "strict");
    assert_eq!(value(&unit, "Service", "CapabilityBoundingSet"), "");
    assert!(value(&unit, "Service", "ExecReload").contains("-HUP"));
    // Wrong use is no reason to try again.
    assert_eq!(value(&unit, "Service", "RestartPreventExitStatus"), "2");
}

#[test]
fn the_sync_runs_from_a_timer() {
    let service = unit("systemd/cosmoguard-blob-sync.service");
    assert_eq!(value(&service, "Service", "Type"), "oneshot");
    assert!(value(&service, "Service", "ExecStart").ends_with("/blob-sync.sh"));
    let timer = unit("systemd/cosmoguard-blob-sync.timer");
    assert_eq!(value(&timer, "Install", "WantedBy"), "timers.target");
    value(&timer, "Timer", "OnUnitInactiveSec");
}

/// With a stand-in for rclone that lists two containers and writes down what it is asked for.
#[test]
fn the_sync_copies_each_container_of_logs() {
    let dir = tempfile::tempdir().expect("a directory");
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let asked = dir.path().join("asked");
    let stand_in = format!(
        "#!/bin/sh\nif [ \"$1\" = lsf ]; then printf 'insights-activity-logs/\\ninsights-logs-x/\\n'; exit 0; fi\necho \"$@\" >> '{}'\n",
        asked.display()
    );
    std::fs::write(bin.join("rclone"), stand_in).expect("written");
    let made = Command::new("chmod").arg("+x").arg(bin.join("rclone")).status().expect("chmod");
    assert!(made.success());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/bridges/blob-sync.sh");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let sync = |with: &str| {
        Command::new("sh")
            .arg(&script)
            .env_clear()
            .envs([("PATH", path.as_str()), ("SYNC_FROM", "logs:"), ("SYNC_WITH", with)])
            .env("SYNC_TO", dir.path().join("to"))
            .output()
            .expect("sh starts")
    };
    let ran = sync("rclone");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let asked = std::fs::read_to_string(asked).expect("asked for something");
    for container in ["insights-activity-logs", "insights-logs-x"] {
        assert!(asked.contains(&format!("copy logs:/{container} ")), "{asked}");
    }
    assert!(!asked.contains("sync") && !asked.contains("delete"), "it deletes nothing: {asked}");
    let ran = sync("ftp");
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("'ftp'"));
}

#[test]
fn the_bridge_keeps_what_is_not_accepted() {
    let text = deployed("bridges/vector-eventhubs.toml");
    let config: toml::Table = text.parse().expect("TOML");
    let source = &config["sources"]["eventhubs"];
    assert_eq!(source["type"].as_str(), Some("kafka"));
    assert!(source["bootstrap_servers"].as_str().expect("text").ends_with(":9093"));
    let sink = &config["sinks"]["cosmoguard"];
    assert_eq!(sink["inputs"][0].as_str(), Some("eventhubs"));
    assert!(sink["uri"].as_str().expect("text").ends_with("/v1/events"));
    assert_eq!(sink["acknowledgements"]["enabled"].as_bool(), Some(true));
    assert_eq!(sink["buffer"]["when_full"].as_str(), Some("block"));
    let most = sink["batch"]["max_bytes"].as_integer().expect("a number");
    assert!(usize::try_from(most).expect("positive") <= INBOX_BATCH_BYTES_MAX);
    // Secrets come from the environment.
    for secret in [&sink["auth"]["token"], &source["sasl"]["password"]] {
        assert!(secret.as_str().expect("text").starts_with("${"), "{secret}");
    }
    is_understood("cosmoguard token create vector --role sender");
}

/// Brackets outside of strings and comments close in order; strings close on their line.
fn is_balanced(name: &str, text: &str) {
    let mut open = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut in_string = false;
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' if in_string => drop(characters.next()),
                '\'' => in_string = !in_string,
                '/' if !in_string && characters.peek() == Some(&'/') => break,
                '{' | '[' | '(' if !in_string => open.push(c),
                '}' | ']' | ')' if !in_string => {
                    let pair = match c {
                        '}' => '{',
                        ']' => '[',
                        _ => '(',
                    };
                    assert_eq!(open.pop(), Some(pair), "{name}:{}: {line}", number + 1);
                }
                _ => {}
            }
        }
        assert!(!in_string, "{name}:{}: {line}", number + 1);
    }
    assert!(open.is_empty(), "{name}: {open:?} stays open");
}

#[test]
fn the_templates_name_categories_that_are_read() {
    let mut named = 0;
    for name in ["diagnostics.bicep", "activity-log.bicep", "policy.bicep"] {
        let text = deployed(&format!("azure/{name}"));
        is_balanced(name, &text);
        assert!(text.lines().any(|l| l.starts_with("targetScope = ")), "{name}");
        assert!(text.contains("Microsoft.Insights/diagnosticSettings"), "{name}");
        for word in
            text.split('\'').filter(|w| w.ends_with("Requests") || w.ends_with("Statistics"))
        {
            assert!(is_known(word), "{name}: {word}");
            named += 1;
        }
    }
    assert!(named >= 8, "{named}");
    let template: Value =
        serde_json::from_str(&deployed("azure/policy-template.json")).expect("JSON");
    let variables = template["variables"].as_object().expect("variables");
    for setting in variables.values().flat_map(|list| list.as_array().expect("a list")) {
        let category = setting["category"].as_str().expect("a category");
        assert!(is_known(category) || category == "[parameters('requestCategory')]", "{category}");
    }
    // What the policy hands over is what the template takes.
    let policy = deployed("azure/policy.bicep");
    for parameter in template["parameters"].as_object().expect("parameters").keys() {
        assert!(policy.contains(&format!("{parameter}: {{ value: ")), "{parameter}");
    }
}

#[test]
fn the_image_runs_the_service_as_nobody() {
    const KNOWN: [&str; 10] = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    ];
    let text = deployed("Dockerfile");
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line}")))
        .collect();
    let last = |word: &str| lines.iter().rev().find(|(w, _)| *w == word).map(|(_, rest)| *rest);
    for (word, _) in &lines {
        assert!(KNOWN.contains(word), "{word}");
    }
    assert_eq!(last("USER"), Some("nonroot:nonroot"));
    assert_eq!(last("STOPSIGNAL"), Some("SIGTERM"));
    let list = |word| -> Vec<String> {
        serde_json::from_str(last(word).expect("there is one")).expect("a list of texts")
    };
    let command = [list("ENTRYPOINT"), list("CMD")].concat();
    assert_eq!(command[0], "/usr/bin/cosmoguard");
    is_understood(&command.join(" "));
    for line in text.lines().filter(|l| l.contains("cosmoguard serve")) {
        let (_, command) = line.split_once("cosmoguard serve").expect("it is there");
        is_understood(&format!("cosmoguard serve {command}"));
    }
}
