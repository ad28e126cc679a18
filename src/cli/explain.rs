//! `cosmoguard explain`.
use std::io::BufRead;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::Exit;
use super::args::{ColorChoice, Explain};
use super::common;
use super::style::{Role, Ui, out};
use crate::alert::explain::{self, Glyphs, Lookup};
use crate::detect::Severity;
use crate::store::keys;

/// Runs it.
pub fn run(args: &Explain, color: ColorChoice) -> anyhow::Result<Exit> {
    if args.alert_id.is_empty() {
        bail!("no alert id; give the first digits of one");
    }
    let lines = lines(args)?;
    let view = match explain::find(lines.iter().map(String::as_str), &args.alert_id) {
        Lookup::One(view) => view,
        Lookup::Several(ids) => bail!(
            "`{}` fits {} alerts: {}; give more digits",
            args.alert_id,
            ids.len(),
            ids.join(", ")
        ),
        Lookup::None => bail!("no alert begins with `{}` in {}", args.alert_id, place(args)),
        Lookup::Broken(cause) => bail!("the alert in {} cannot be told: {cause}", place(args)),
    };
    if args.json {
        // The newest line of the id that was found.
        let newest = lines.iter().rev().find(|line| line.contains(&view.id));
        out(newest.map_or("", |line| line.trim_end()));
        return Ok(Exit::Done);
    }
    let ui = Ui::stdout(color);
    let glyphs = if ui.unicode { Glyphs::Unicode } else { Glyphs::Ascii };
    for line in explain::render(&view, glyphs) {
        let painted: String =
            line.0.iter().map(|span| ui.paint(role(span.role), &span.text)).collect();
        out(painted.trim_end());
    }
    Ok(Exit::Done)
}

fn place(args: &Explain) -> String {
    args.alerts.as_ref().or(args.data_dir.as_ref()).unwrap_or(&fallback()).display().to_string()
}

/// Where `replay` writes without a data directory.
fn fallback() -> PathBuf {
    PathBuf::from("alerts.jsonl")
}

/// Alert lines of the file if it is named, else of the data directory.
fn lines(args: &Explain) -> anyhow::Result<Vec<String>> {
    if let (None, Some(dir)) = (&args.alerts, &args.data_dir) {
        let opened = common::existing_store(dir)?;
        let mut lines = Vec::new();
        opened.store.scan(keys::ALERT, &mut |_, line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            true
        })?;
        return Ok(lines);
    }
    let path = args.alerts.clone().unwrap_or_else(fallback);
    let file = std::fs::File::open(&path).with_context(|| {
        format!(
            "cannot read {}; name the file with --alerts, or the models with --data-dir",
            path.display()
        )
    })?;
    // Bytes that are no text make a line that is none of ours, and is passed over.
    let lines = std::io::BufReader::new(file).split(b'\n');
    let text = |line: std::io::Result<Vec<u8>>| {
        line.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let lines: Result<Vec<String>, _> = lines.map(text).collect();
    lines.with_context(|| format!("cannot read {}", path.display()))
}

fn role(role: explain::Role) -> Role {
    match role {
        explain::Role::Plain => Role::Plain,
        explain::Role::Severity(Severity::High) => Role::High,
        explain::Role::Severity(Severity::Medium) => Role::Medium,
        explain::Role::Severity(Severity::Low) => Role::Low,
        explain::Role::Title | explain::Role::Broke => Role::Strong,
        explain::Role::Label => Role::Accent,
        explain::Role::Dim => Role::Dim,
    }
}
