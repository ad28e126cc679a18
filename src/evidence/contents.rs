//! The texts of a folder of evidence.
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::records::Counts;
use crate::snapshot::{About, hex};
use crate::store::envelope;
use crate::store::run_log::Run;

/// All revisions of the alert.
pub const ALERT: &str = "alert.jsonl";
/// Its records, redacted.
pub const RECORDS: &str = "records.jsonl";
/// Its records, byte for byte.
pub const RAW: &str = "records.raw.jsonl";
/// The account's model before.
pub const MODEL: &str = "model-before.json";
/// Entries of lists.
pub const FEEDS: &str = "feeds.json";
/// Settings in effect.
pub const CONFIG: &str = "config.toml";
/// Versions.
pub const VERSIONS: &str = "versions.json";
/// How to get the alert once more.
pub const REPLAY: &str = "replay.sh";
/// What is what.
pub const README: &str = "README.txt";

/// What an alert says of the lists that its address is on.
const INTEL: [(&str, &str); 5] = [
    ("feed", "Intel feed"),
    ("entry", "Intel entry"),
    ("since", "Intel since"),
    ("until", "Intel until"),
    ("confidence", "Intel confidence"),
];
/// Flags of `replay` that name where something goes: a reproduction goes elsewhere.
const FLAGS_OF_PLACE: [&str; 4] = ["--data-dir", "--alerts", "--config", "--color"];

/// What is known of how the alert came about.
pub struct Origin<'a> {
    /// This build, the settings and the lists of now.
    pub about: &'a About,
    /// Runs that taught the state, by number.
    pub runs: &'a [(u64, Run)],
}

impl Origin<'_> {
    /// Runs that are not kept any more.
    fn lost_runs(&self) -> u64 {
        self.runs.first().map_or(0, |(number, _)| number.saturating_sub(1))
    }

    /// Name of the settings of a run: the last one's are `config.toml`.
    fn config_name(&self, run: &Run, number: u64) -> String {
        match self.runs.last() {
            Some((_, last)) if last.config != run.config => format!("config.run-{number}.toml"),
            _ => CONFIG.to_owned(),
        }
    }

    /// The settings in effect, by file name; `now` where no run is noted.
    pub fn configs(&self, now: &str) -> Vec<(String, String)> {
        let mut configs = vec![(
            CONFIG.to_owned(),
            self.runs.last().map_or_else(|| now.to_owned(), |(_, last)| last.config.clone()),
        )];
        for (number, run) in self.runs {
            let name = self.config_name(run, *number);
            if name != CONFIG {
                configs.push((name, run.config.clone()));
            }
        }
        configs
    }

    /// `feeds.json`: entries that the revisions name, and the lists that the runs used.
    pub fn feeds(&self, revisions: &[Value]) -> String {
        let mut entries: Vec<Value> = Vec::new();
        for revision in revisions {
            let extended = revision.pointer("/properties/extendedProperties");
            let said = |name| extended.and_then(|e| e.get(name)).cloned();
            if said("Intel feed").is_none() {
                continue;
            }
            let entry: serde_json::Map<String, Value> = INTEL
                .iter()
                .filter_map(|(short, name)| Some(((*short).to_owned(), said(name)?)))
                .collect();
            if !entries.contains(&Value::Object(entry.clone())) {
                entries.push(Value::Object(entry));
            }
        }
        let now = self.about.intel.iter().map(|list| (list.name.clone(), list.sha256.clone()));
        let lists = match self.runs.last() {
            Some((_, run)) => run.lists.clone(),
            None => now.collect(),
        };
        let source = if self.runs.is_empty() { "settings of now" } else { "last run" };
        pretty(&json!({"entries": entries, "lists": named(&lists), "listsFrom": source}))
    }

    /// `versions.json`.
    pub fn versions(&self) -> String {
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|(number, run)| {
                json!({
                    "number": number,
                    "started": run.started.azure(),
                    "cosmoguard": run.version,
                    "command": run.command,
                    "folder": run.folder,
                    "config": self.config_name(run, *number),
                    "configSha256": hex(&Sha256::digest(run.config.as_bytes())),
                    "lists": named(&run.lists),
                })
            })
            .collect();
        pretty(&json!({
            "packed": self.about.created.azure(),
            "cosmoguard": self.about.program_version,
            "stateSchema": envelope::SCHEMA_VERSION,
            "runs": runs,
            "runsNotKept": self.lost_runs(),
        }))
    }

    /// `replay.sh`.
    pub fn replay(&self, id: &str) -> String {
        let mut text = format!(
            "#!/bin/sh\n\
             # Alert {id} once more: the runs that taught this state, into a directory of their own.\n\
             #   sh {REPLAY} [DIR]\n\
             # The logs and lists must lie where they lay; elsewhere, change the paths below.\n\
             set -eu\n\
             here=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd)\n\
             out=${{1:-reproduced}}\n\
             mkdir -p \"$out\"\n\
             out=$(CDPATH= cd -- \"$out\" && pwd)\n"
        );
        if self.lost_runs() > 0 {
            let _ = writeln!(
                text,
                "# {} earlier runs are not noted any more: what they taught is missing here.",
                self.lost_runs()
            );
        }
        if self.runs.is_empty() {
            text.push_str("# No run is noted in this state. By hand:\n#   cosmoguard replay PATH --config \"$here/config.toml\" --data-dir \"$out\"\n");
        }
        for (number, run) in self.runs {
            let config = self.config_name(run, *number);
            let _ = write!(
                text,
                "\n# run {number}, {}, cosmoguard {}\ncd {}\n",
                run.started.azure(),
                line(&run.version),
                quoted(&run.folder)
            );
            if run.command.iter().any(|arg| arg == "-") {
                text.push_str("# It read standard input: give the same records once more.\n");
            }
            let command: Vec<String> = movable(&run.command).map(|arg| quoted(arg)).collect();
            let _ = writeln!(
                text,
                "cosmoguard {} --config \"$here/{config}\" --data-dir \"$out\" || [ $? -eq 3 ]",
                command.join(" ")
            );
        }
        let _ = write!(text, "\ncosmoguard explain {id} --data-dir \"$out\"\n");
        text
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn named(lists: &[(String, String)]) -> Vec<Value> {
    lists.iter().map(|(name, sha256)| json!({"name": name, "sha256": sha256})).collect()
}

/// Fit for a comment of one line.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:+,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A command without what names places of its own output and settings.
fn movable(command: &[String]) -> impl Iterator<Item = &String> {
    let mut value_follows = false;
    command.iter().filter(move |arg| {
        if std::mem::take(&mut value_follows) {
            return false;
        }
        let name = arg.split('=').next().unwrap_or_default();
        let of_place = FLAGS_OF_PLACE.contains(&name);
        value_follows = of_place && !arg.contains('=');
        !of_place
    })
}

/// What the README tells besides what is always the same.
pub struct Facts {
    /// The alert's id.
    pub id: String,
    /// Title, severity, account, span.
    pub headline: Vec<(&'static str, String)>,
    /// How its records stand.
    pub counts: Counts,
    /// Why there is no model, or which it is.
    pub model: String,
    /// Raw records were asked for.
    pub raw: bool,
    /// Changes by hand that the audit log names: a replay does not repeat them.
    pub by_hand: usize,
}

/// `README.txt`.
pub fn readme(facts: &Facts) -> String {
    let Facts { id, counts, .. } = facts;
    let mut text = format!("Evidence of alert {id}\n\n");
    for (label, value) in &facts.headline {
        let _ = writeln!(text, "{label:<10} {}", line(value));
    }
    let _ = write!(
        text,
        "\n\
         {ALERT}\n  every revision of the alert, oldest first, as it was raised\n\
         {RECORDS}\n  the first and the last record it rests on and an even sample of up to 20 between, redacted:\n  \
         source, offset and length in the decompressed bytes, SHA-256 of exactly these bytes.\n  \
         {} records, {} of them hashed. `status` says what is known of each:\n  \
         `hashed` (when the alert was stored), `hashed when packed` (only now), `changed since` (the source\n  \
         holds other bytes now), `file missing`, `another file`, `file too short`, `not read`, or\n  \
         `not addressable` (from standard input or made up: there is nowhere to read it again).\n",
        counts.records, counts.hashed
    );
    if counts.records == 0 {
        text.push_str("  No record of this alert has a place: it was read from standard input, made up,\n  or stored by a build that kept none.\n");
    }
    if facts.raw {
        let _ = write!(
            text,
            "{RAW}\n  {} of the records byte for byte, each followed by a line end; `raw` in {RECORDS} says where\n  \
             each begins. SENSITIVE: as they came, query text and ids included. {} whose source has changed\n  are not among them.\n",
            counts.raw, counts.changed
        );
    }
    let _ = write!(
        text,
        "{MODEL}\n  {}\n\
         {FEEDS}\n  list entries that the alert names, and which editions of the lists were in use\n\
         {CONFIG}\n  the settings in effect (secrets by reference only); config.run-N.toml where an earlier run had others\n\
         {VERSIONS}\n  program, state and the runs that taught it\n\
         {REPLAY}\n  the commands that bring the alert about once more\n",
        facts.model
    );
    if facts.by_hand > 0 {
        let _ = writeln!(
            text,
            "  The state was also changed by hand ({} entries of its audit log): these are not repeated.",
            facts.by_hand
        );
    }
    text.push_str(
        "MANIFEST.sha256\n  checksums of all of these\n\n\
         Check it with `cosmoguard evidence verify FOLDER`, or in the folder with `sha256sum -c MANIFEST.sha256`.\n\
         Whoever can write here can make the list anew: note the SHA-256 of MANIFEST.sha256 elsewhere.\n",
    );
    text
}
