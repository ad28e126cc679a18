//! The house holds its own shape: imports go downwards, libraries stay in their rooms, files stay
//! small. Each rule prints what broke it, where, and why it is a rule.
//!
//! Read from the sources, not from the compiler: comments, literals and `#[cfg(test)]` items are
//! blanked, then every `use` tree is unfolded and every written-out path is collected.
#![allow(clippy::expect_used, reason = "a tree that cannot be read fails the test")]
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

mod source_text;

use source_text::{Import, SourceFile, functions};

/// Room → layer; the longest matching entry counts. Upper layers use lower ones and their own.
const LAYERS: &[(&str, u8)] = &[
    // 0: words, clock, bounds, shipped settings
    ("ids", 0),
    ("time", 0),
    ("limits", 0),
    ("profile", 0),
    // 1: what a record means; small numerics
    ("event", 1),
    ("stats", 1),
    // 2: what normal looks like; who an address is; what a query's text says
    ("baseline", 2),
    ("command_text", 2),
    ("cosmos_sql", 2),
    ("intel::view", 2),
    // 3: observations to p-values to severities
    ("detect", 3),
    ("severity", 3),
    // 4: batches in, findings and alerts out
    ("account", 4),
    ("tenant", 4),
    ("fleet", 4),
    ("alert", 4),
    ("router::watermark", 4),
    ("router::digests", 4),
    // 5: bytes in and out
    ("alert::sinks", 5),
    ("evidence", 5),
    ("intel", 5),
    ("simulate", 5),
    ("snapshot", 5),
    ("source", 5),
    ("store", 5),
    ("telemetry", 5),
    // 6: the only rooms that know actix
    ("account::actor", 6),
    ("alert::desk", 6),
    ("fleet::actor", 6),
    ("inquiry", 6),
    ("live", 6),
    ("replay", 6),
    ("router", 6),
    ("tenant::actor", 6),
    // 7: what a person sees
    ("cli", 7),
    ("config", 7),
    ("server", 7),
];

/// Last layer that knows neither the outside world nor chance.
const PURE: u8 = 4;

/// Where something may be imported.
enum Where {
    /// In this layer and above.
    From(u8),
    /// In these modules and what lies below them.
    In(&'static [&'static str]),
    /// In `…::actor` and in these modules and what lies below them.
    ActorsAnd(&'static [&'static str]),
    /// Up to [`PURE`] only in these modules; above it anywhere.
    PureOnlyIn(&'static [&'static str]),
    /// Nowhere.
    Nowhere,
}

/// A library, or a part of one, and the rooms that may know it.
struct Containment {
    /// Path prefixes.
    paths: &'static [&'static str],
    allowed: Where,
    why: &'static str,
}

const CONTAINED: &[Containment] = &[
    Containment {
        paths: &["actix"],
        allowed: Where::ActorsAnd(&["router", "replay", "live", "server", "alert::desk"]),
        why: "the actor library is passively maintained: leaving it must stay a small change",
    },
    Containment {
        paths: &["tokio"],
        allowed: Where::From(5),
        why: "layers 0 to 4 are plain functions",
    },
    Containment {
        paths: &["sled"],
        allowed: Where::In(&["store::sled_store"]),
        why: "the database is one implementation of a trait",
    },
    Containment {
        paths: &["bincode"],
        allowed: Where::In(&["store::codec"]),
        why: "the codec is replaced in one place",
    },
    Containment {
        paths: &["zip"],
        allowed: Where::In(&["snapshot"]),
        why: "the file format of snapshots is one room's business",
    },
    Containment {
        paths: &["statrs", "hdrhistogram"],
        allowed: Where::In(&["stats"]),
        why: "numerics are wrapped and tested in one room",
    },
    Containment {
        paths: &["maxminddb"],
        allowed: Where::In(&["intel::view"]),
        why: "lookups are asked of the view",
    },
    Containment {
        paths: &["tracing"],
        allowed: Where::In(&["telemetry"]),
        why: "what is logged is one struct an occurrence, listed in one room",
    },
    Containment {
        paths: &["clap", "indicatif", "anstyle", "ctrlc", "signal_hook", "tracing_subscriber"],
        allowed: Where::In(&["cli"]),
        why: "terminals are the command line's business",
    },
    Containment {
        paths: &["anyhow"],
        allowed: Where::From(6),
        why: "rooms below say with a type what can go wrong",
    },
    Containment {
        paths: &["serde_json"],
        allowed: Where::PureOnlyIn(&["event", "intel::view", "alert"]),
        why: "JSON ends at the decoder and begins at the alert formats",
    },
    Containment {
        paths: &[
            "std::fs",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::net::ToSocketAddrs",
            "std::os",
            "std::env",
            "std::process",
            "std::thread",
            "rustix",
            "tempfile",
            "walkdir",
        ],
        allowed: Where::From(5),
        why: "layers 0 to 4 do no I/O",
    },
    Containment {
        paths: &["std::time::SystemTime", "std::time::Instant", "jiff"],
        allowed: Where::In(&["time"]),
        why: "only time.rs asks for the time",
    },
    Containment {
        paths: &["cosmoguard::time::SystemClock", "cosmoguard::time::Clock"],
        allowed: Where::From(5),
        why: "layers 0 to 4 know event time only",
    },
    Containment {
        paths: &["rand", "rand_chacha", "rand_distr"],
        allowed: Where::From(5),
        why: "layers 0 to 4 leave nothing to chance",
    },
    Containment {
        paths: &["rand::rng", "rand::random", "rand::thread_rng"],
        allowed: Where::Nowhere,
        why: "chance comes from a seed",
    },
    Containment {
        paths: &["getrandom"],
        allowed: Where::In(&["server::tokens"]),
        why: "only secrets may be what nobody can repeat",
    },
    Containment {
        paths: &["actix_web", "utoipa", "subtle"],
        allowed: Where::In(&["server"]),
        why: "HTTP and its description are the server's business",
    },
    Containment {
        paths: &["rustls", "rustls_pki_types"],
        allowed: Where::In(&["server", "alert::sinks::to::syslog"]),
        why: "who speaks TLS is seen in one place",
    },
    Containment {
        paths: &["std::collections::HashMap", "std::collections::HashSet"],
        allowed: Where::PureOnlyIn(&[
            // Looked up, never iterated.
            "event::interner",
            "router::digests",
        ]),
        why: "iteration order must not reach state or output",
    },
];

/// Longest file without its tests, lines.
const FILE_LINES_MAX: usize = 500;
/// Longest function, lines.
const FUNCTION_LINES_MAX: usize = 70;
/// Longer ones: path (or path and function), and why.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[
    ("src/simulate/stream.rs request", "one record, field by field"),
    ("src/cli/model.rs print", "one page, line by line"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<SourceFile> {
    SourceFile::read_tree(&root().join("src"))
}

fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The entry of [`LAYERS`] that a path inside this crate falls under.
fn room(path: &str) -> Option<(&'static str, u8)> {
    let entries = LAYERS.iter().filter(|(room, _)| is_within(path, room));
    entries.max_by_key(|(room, _)| room.len()).copied()
}

/// Layer of a file; the roots of library and binary lie on top.
fn layer_of(file: &SourceFile) -> u8 {
    room(&file.module).map_or(7, |(_, layer)| layer)
}

fn broken(file: &SourceFile, import: &Import, rule: &str) -> String {
    format!("src/{}:{}: `{}`: {rule}\n", file.path, import.line, import.path)
}

fn report(broken: &str) {
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn every_room_has_a_layer_and_every_layer_its_rooms() {
    let files = sources();
    let mut wrong = String::new();
    for file in &files {
        if !file.module.is_empty() && room(&file.module).is_none() {
            let _ = writeln!(wrong, "src/{}: `{}` is in no layer", file.path, file.module);
        }
    }
    for (room, _) in LAYERS {
        if !files.iter().any(|f| is_within(&f.module, room)) {
            let _ = writeln!(wrong, "the layers name `{room}`, which does not exist");
        }
    }
    report(&wrong);
}

#[test]
fn imports_go_downwards() {
    let mut wrong = String::new();
    for file in &sources() {
        let from = layer_of(file);
        for import in &file.imports {
            let Some(inside) = import.path.strip_prefix("cosmoguard::") else { continue };
            let Some((room, to)) = room(inside) else { continue };
            if to > from {
                let rule = format!("layer {from} must not import `{room}` of layer {to}");
                wrong += &broken(file, import, &rule);
            }
        }
    }
    report(&wrong);
}

#[test]
fn rooms_of_one_layer_do_not_lean_on_each_other() {
    let mut uses: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for file in &sources() {
        let Some((from, layer)) = room(&file.module) else { continue };
        for import in &file.imports {
            let Some(inside) = import.path.strip_prefix("cosmoguard::") else { continue };
            match room(inside) {
                Some((to, same)) if same == layer && to != from => {
                    uses.entry((from, to)).or_insert_with(|| broken(file, import, "one way"));
                }
                _ => {}
            }
        }
    }
    let mut wrong = String::new();
    for ((from, to), there) in &uses {
        if let Some(back) = uses.get(&(to, from)).filter(|_| from < to) {
            let _ = write!(wrong, "`{from}` and `{to}` import each other:\n  {there}  {back}");
        }
    }
    report(&wrong);
}

#[test]
fn telemetry_knows_names_only() {
    let mut wrong = String::new();
    for file in sources().iter().filter(|f| is_within(&f.module, "telemetry")) {
        for import in &file.imports {
            let Some(inside) = import.path.strip_prefix("cosmoguard::") else { continue };
            if !is_within(inside, "ids") && !is_within(inside, "telemetry") {
                wrong +=
                    &broken(file, import, "what is logged is described by plain values and ids");
            }
        }
    }
    report(&wrong);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = String::new();
    for file in &sources() {
        for import in &file.imports {
            for contained in CONTAINED {
                let named = contained.paths.iter().any(|p| is_within(&import.path, p));
                if named && !may_import(file, &contained.allowed) {
                    wrong += &broken(file, import, contained.why);
                }
            }
        }
    }
    report(&wrong);
}

fn may_import(file: &SourceFile, allowed: &Where) -> bool {
    let within = |rooms: &[&str]| rooms.iter().any(|room| is_within(&file.module, room));
    match allowed {
        Where::From(layer) => layer_of(file) >= *layer,
        Where::In(rooms) => within(rooms),
        Where::ActorsAnd(rooms) => file.module.ends_with("::actor") || within(rooms),
        Where::PureOnlyIn(rooms) => layer_of(file) > PURE || within(rooms),
        Where::Nowhere => false,
    }
}

#[test]
fn files_and_functions_stay_small() {
    let mut wrong = String::new();
    let mut reasons: BTreeSet<&str> = LONG_FOR_A_REASON.iter().map(|(what, _)| *what).collect();
    let mut judge = |what: String, lines: usize, most: usize| {
        if lines > most && !reasons.remove(what.as_str()) {
            let _ = writeln!(wrong, "{what} has {lines} lines, more than {most}");
        }
    };
    for file in &sources() {
        judge(format!("src/{}", file.path), file.own_lines, FILE_LINES_MAX);
        for (name, lines) in functions(&file.text) {
            judge(format!("src/{} {name}", file.path), lines, FUNCTION_LINES_MAX);
        }
    }
    for stale in reasons {
        let _ = writeln!(wrong, "{stale} is excused and need not be any more");
    }
    report(&wrong);
}

/// Written in halves, so that this file does not find itself.
const UNWANTED: &[(&str, &str)] = &[
    (concat!("#[ign", "ore"), "every test runs"),
    (concat!("should_", "panic"), "say what is returned instead"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("../sha", "red"), "a path out of the repository"),
    (concat!("TO", "DO:"), "an issue remembers better"),
];

#[test]
fn nothing_unwanted_is_in_the_tree() {
    let mut wrong = String::new();
    for path in texts() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for (unwanted, why) in UNWANTED {
                if line.contains(unwanted) {
                    let shown = path.strip_prefix(root()).unwrap_or(&path).display();
                    let _ = writeln!(wrong, "{shown}:{}: `{unwanted}`: {why}", number + 1);
                }
            }
        }
    }
    report(&wrong);
}

/// Everything in the repository that people wrote, except recorded logs and feeds.
fn texts() -> Vec<PathBuf> {
    const FOLDERS: &[&str] =
        &[".ci", "benches", "docs", "examples", "fuzz", "models", "src", "tests", "tools"];
    let skipped = ["target", "corpus", "artifacts", "fixtures"];
    let mut found = Vec::new();
    for folder in FOLDERS {
        let walk = walkdir::WalkDir::new(root().join(folder)).sort_by_file_name().into_iter();
        let kept = walk.filter_entry(|e| !skipped.iter().any(|s| e.file_name() == *s));
        found.extend(kept.flatten().filter(|e| e.file_type().is_file()).map(|e| e.into_path()));
    }
    let top = fs::read_dir(root()).expect("the repository's root").flatten().map(|e| e.path());
    found.extend(top.filter(|p| has_extension(p, "md") || has_extension(p, "toml")));
    found
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}
