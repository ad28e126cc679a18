//! Counts how this parser does on the baselines of Microsoft's .NET client.
//! `git clone https://github.com/Azure/azure-cosmos-dotnet-v3 && cargo run --release --example
//! sql_conformance azure-cosmos-dotnet-v3`
//!
//! Four counts: queries that the client's own parser takes and that it refuses, and queries of its
//! other baselines (translations of LINQ, query plans, what they are rewritten to), those apart which
//! the service called a syntax error. Then how many of the queries that the gateway rewrites have the
//! template of what the client wrote. Each exception is named. The files are read where they are; none of them
//! is part of this project.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a tool
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cosmoguard::cosmos_sql::template::{self, Scratch};
use cosmoguard::cosmos_sql::{SqlError, Workspace, print};

/// Queries by what is expected of them; each query once.
#[derive(Default)]
struct Corpus {
    valid: BTreeSet<String>,
    invalid: BTreeSet<String>,
    others: BTreeSet<String>,
    others_refused: BTreeSet<String>,
    /// What the client wrote, and what the gateway made of it.
    rewritten: BTreeSet<(String, String)>,
    results: BTreeMap<&'static str, usize>,
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: sql_conformance FOLDER, a checkout of Azure/azure-cosmos-dotnet-v3");
        return ExitCode::from(2);
    };
    let mut corpus = Corpus::default();
    for file in baselines(&folder) {
        match std::fs::read_to_string(&file) {
            Ok(text) => corpus.read(&file, &text),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }
    if corpus.valid.is_empty() {
        eprintln!("{}: no baselines of the parser there", folder.display());
        return ExitCode::from(2);
    }
    println!("results of the parser's baselines: {:?}", corpus.results);
    let exceptions = report("valid, parsed", &corpus.valid, true)
        + report("invalid, refused", &corpus.invalid, false)
        + report("others, parsed", &corpus.others, true)
        + report("others, refused", &corpus.others_refused, false);
    report_rewritten(&corpus.rewritten);
    if exceptions == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All `TestBaseline/*.xml` below `folder`, in order.
fn baselines(folder: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    let files = walk.into_iter().filter_map(Result::ok).map(walkdir::DirEntry::into_path);
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .filter(|path| path.iter().any(|part| part == "TestBaseline"))
        .collect()
}

impl Corpus {
    fn read(&mut self, file: &Path, text: &str) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains("SqlParser") {
            self.read_others(text);
            return;
        }
        for result in text.split("<Result>").skip(1) {
            let Some(query) = elements(result, "Query").into_iter().next() else { continue };
            let parsed = !elements(result, "ParsedQuery").is_empty();
            let (set, what) =
                if parsed { (&mut self.valid, "valid") } else { (&mut self.invalid, "invalid") };
            set.insert(query);
            *self.results.entry(what).or_default() += 1;
        }
    }

    /// Placeholders that the client fills in before it sends a query are filled in as it does for
    /// a first page.
    fn read_others(&mut self, text: &str) {
        for result in text.split("<Result>").skip(1) {
            let refused = result.contains(SYNTAX_ERROR);
            let first = |tag| elements(result, tag).into_iter().next();
            if let (Some(client), Some(gateway)) = (first("Query"), first("RewrittenQuery")) {
                let pair = (client, placeholders_filled(&gateway));
                self.rewritten.extend((!pair.1.trim().is_empty()).then_some(pair));
            }
            for tag in ["SqlQuery", "Query", "RewrittenQuery"] {
                let queries = elements(result, tag).into_iter();
                let queries = queries.map(|query| placeholders_filled(query.trim()));
                let set = if refused { &mut self.others_refused } else { &mut self.others };
                set.extend(queries.filter(|query| {
                    query.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
                }));
            }
        }
    }
}

/// The service's code for a syntax error.
const SYNTAX_ERROR: &str = "SC1001";

/// Texts of the elements called `tag`, `CDATA` and entities undone. Enough of XML for these files.
fn elements(text: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
    inner.map(content).collect()
}

fn content(inner: &str) -> String {
    let trimmed = inner.trim();
    if let Some(data) = trimmed.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>"))
    {
        return data.replace("]]]]><![CDATA[>", "]]>");
    }
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(inner.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

fn placeholders_filled(query: &str) -> String {
    let mut filled = String::with_capacity(query.len());
    let mut parts = query.split("{documentdb-formattable");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        filled.push_str("true");
        filled.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    filled
}

/// Prints one count and its exceptions; gives their number.
fn report(what: &str, queries: &BTreeSet<String>, expected: bool) -> usize {
    let mut workspace = Workspace::new();
    let mut exceptions = Vec::new();
    for query in queries {
        let outcome = round_trip(&mut workspace, query);
        if outcome.is_ok() != expected {
            exceptions.push((query, outcome.err().unwrap_or_default()));
        }
    }
    println!("{what}: {} of {}", queries.len() - exceptions.len(), queries.len());
    for (query, error) in &exceptions {
        println!("  {query:?}: {error}");
    }
    exceptions.len()
}

/// Parses, prints, parses again and prints again.
fn round_trip(workspace: &mut Workspace, query: &str) -> Result<(), String> {
    let told = |error: SqlError| error.to_string();
    let once = workspace.parse(query.as_bytes()).map(|query| print(&query)).map_err(told)?;
    let twice = workspace
        .parse(&once)
        .map(|query| print(&query))
        .map_err(|error| format!("printed as {:?}: {error}", String::from_utf8_lossy(&once)))?;
    if once == twice { Ok(()) } else { Err("does not round-trip".to_owned()) }
}

/// Prints how many rewritten queries have the template of their client's. Some cannot: what the
/// gateway takes out is not in its text.
fn report_rewritten(pairs: &BTreeSet<(String, String)>) {
    let mut workspace = Workspace::new();
    let mut scratch = Scratch::new();
    let mut template = |query: &str| {
        let query = workspace.parse(query.as_bytes()).ok()?;
        let shape = template::of(&query, &mut scratch).shape;
        Some((shape, template::text(&query, &mut scratch)))
    };
    let mut differ = Vec::new();
    for (client, gateway) in pairs {
        let (client, gateway) = (template(client), template(gateway));
        if client.as_ref().map(|(shape, _)| shape) != gateway.as_ref().map(|(shape, _)| shape) {
            let text = |template: Option<(u64, String)>| template.map(|(_, text)| text);
            differ.push((text(client), text(gateway)));
        }
    }
    println!("rewritten, same template: {} of {}", pairs.len() - differ.len(), pairs.len());
    for (client, gateway) in differ {
        println!("  {}", client.unwrap_or_default());
        println!("    rewritten: {}", gateway.unwrap_or_default());
    }
}
