//! `cosmoguard query`.
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::args::Query;
use super::style::out;
use super::{Exit, common};
use crate::cosmos_sql::{Inspection, Reader, Seen};
use crate::detect::injection;
use crate::limits;
use crate::profile::QueriesProfile;

/// Runs it.
pub fn run(args: &Query) -> anyhow::Result<Exit> {
    let profile = common::configuration(args.config.as_deref())?.config.profile.queries;
    let mut reader = Reader::default();
    let known = match &args.template {
        Some(template) => {
            let known = reader.inspect(template.as_bytes());
            if let Some(error) = known.error {
                bail!("--template is no query: {error}");
            }
            Some(known)
        }
        None => None,
    };
    let mut input = open(&args.file)?;
    skip_mark(&mut input).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let mut line = Vec::new();
    loop {
        line.clear();
        // Escapes of JSON make a text six times as long at most; what is longer is refused as such.
        let most = 8 * limits::QUERY_TEXT_BYTES_MAX as u64;
        let read = input.by_ref().take(most).read_until(b'\n', &mut line);
        if read.with_context(|| format!("{} cannot be read", args.file.display()))? == 0 {
            return Ok(Exit::Done);
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == most {
            skip_line(&mut input)?;
        }
        let text = text_of(line.strip_suffix(b"\n").unwrap_or(&line));
        let inspection = reader.inspect(&text);
        out(&judged(&text, &inspection, known.as_ref(), &profile).to_string());
    }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = std::fs::File::open(file)
        .with_context(|| format!("{} cannot be opened", file.display()))?;
    if opened.metadata().is_ok_and(|m| m.is_dir()) {
        bail!("{} is a folder; give a file with one query a line, or `-`", file.display());
    }
    Ok(Box::new(BufReader::new(opened)))
}

/// Passes over the mark that says UTF-8; of other encodings nothing can be read.
fn skip_mark(input: &mut dyn BufRead) -> anyhow::Result<()> {
    let start = input.fill_buf()?;
    if start.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    } else if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=0x7f, 0, ..] | [1..=0x7f, 0, ..] =
        start
    {
        bail!("the text is UTF-16; convert it to UTF-8 first, as with `iconv -f UTF-16 -t UTF-8`");
    }
    Ok(())
}

fn skip_line(input: &mut dyn BufRead) -> anyhow::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|b| *b == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        input.consume(used);
        if end.is_some() || used == 0 {
            return Ok(());
        }
    }
}

/// The query of a line: as it stands, an object's `query`, or either of them as a JSON string, which
/// is how Azure keeps the object.
fn text_of(line: &[u8]) -> Vec<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.trim_ascii_start().first() == Some(&b'"')
        && let Ok(text) = serde_json::from_slice::<String>(line)
    {
        return query_of(text.as_bytes()).unwrap_or(text.into_bytes());
    }
    query_of(line).unwrap_or_else(|| line.to_vec())
}

/// The `query` of an object.
fn query_of(text: &[u8]) -> Option<Vec<u8>> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let Ok(Value::Object(map)) = serde_json::from_slice(text) else { return None };
    map.get("query")?.as_str().map(|query| query.as_bytes().to_vec())
}

fn judged(
    text: &[u8],
    inspection: &Inspection,
    known: Option<&Inspection>,
    profile: &QueriesProfile,
) -> Value {
    let seen: Vec<Seen> = match known {
        Some(known) => inspection.against(known),
        None => inspection.seen.clone(),
    };
    let (evidence, hints) = injection::weighed(&seen, profile);
    let parses = inspection.error.is_none();
    let looked_at = inspection.error.is_none_or(|error| !error.is_beyond_limits());
    let error = inspection.error.map(|error| {
        let (line, column) = error.line_column(text);
        let said = error.to_string();
        let reason = said.split_once(": ").map_or(said.as_str(), |(_, reason)| reason);
        json!({"byte": error.at, "line": line, "column": column, "reason": reason})
    });
    let hash = |hash: u64| parses.then(|| format!("{hash:016x}"));
    json!({
        "parses": looked_at.then_some(parses),
        "error": error,
        "shape": hash(inspection.shape),
        "skeleton": hash(inspection.skeleton),
        "template": parses.then_some(&inspection.template),
        "evidence": signs(&evidence, profile),
        "hints": signs(&hints, profile),
    })
}

fn signs(seen: &[Seen], profile: &QueriesProfile) -> Vec<Value> {
    let one = |(sign, span): &Seen| {
        json!({
            "name": sign.as_str(),
            "span": [span.start, span.end],
            "innocent_share": injection::share(*sign, profile),
        })
    };
    seen.iter().map(one).collect()
}
