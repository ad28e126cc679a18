//! `cosmoguard audit`.
use super::Exit;
use super::args::{Audit, AuditShow, AuditVerify};
use super::style::{out, say, visible};
use super::table::{Align, Table};
use crate::store::audit::{self, Checked, Entry, Stage};
use crate::store::layout::DataDir;

/// Runs it.
pub fn run(command: &Audit) -> anyhow::Result<Exit> {
    match command {
        Audit::Show(args) => show(args),
        Audit::Verify(args) => verify(args),
    }
}

fn show(args: &AuditShow) -> anyhow::Result<Exit> {
    let dir = DataDir::new(&args.data.data_dir);
    let entries = audit::read(&dir)?;
    let skipped = args.last.map_or(0, |last| entries.len().saturating_sub(last));
    if args.data.json {
        for entry in entries.iter().skip(skipped) {
            out(&serde_json::to_string(entry)?);
        }
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("number", Align::Right),
        ("time", Align::Left),
        ("action", Align::Left),
        ("stage", Align::Left),
        ("who", Align::Left),
        ("about", Align::Left),
    ]);
    for entry in entries.iter().skip(skipped) {
        table.row(row(entry));
    }
    table.lines().iter().for_each(|line| out(line));
    if skipped > 0 {
        say(&format!("{skipped} earlier entries: without --last"));
    }
    Ok(Exit::Done)
}

fn row(entry: &Entry) -> Vec<String> {
    let stage = match entry.stage {
        None | Some(Stage::Done) => "done",
        Some(Stage::Begun) => "begun",
        Some(Stage::Interrupted) => "interrupted",
    };
    let said = |path: &str| entry.details.pointer(path).and_then(serde_json::Value::as_str);
    let first = |paths: &[&str]| paths.iter().find_map(|path| said(path)).map(visible);
    vec![
        entry.number.to_string(),
        visible(&entry.time),
        visible(&entry.action),
        stage.to_owned(),
        first(&["/is/author", "/by", "/user"]).unwrap_or_default(),
        first(&["/is/about", "/why", "/account", "/snapshot"]).unwrap_or_default(),
    ]
}

fn verify(args: &AuditVerify) -> anyhow::Result<Exit> {
    let Checked { entries, unchained, last } = audit::verify(&DataDir::new(&args.data.data_dir))?;
    if args.data.json {
        let line = serde_json::json!({
            "sound": true, "entries": entries, "without_chain": unchained, "last_sha256": last,
        });
        out(&line.to_string());
        return Ok(Exit::Done);
    }
    out(&format!("sound: {entries} entries, each follows the one before"));
    if unchained > 0 {
        out(&format!(
            "the first {unchained} are of before there was a chain: they cannot be checked"
        ));
    }
    if entries > 0 {
        // Whoever can write the file can write it whole anew: a copy of this elsewhere shows it.
        out(&format!("SHA-256 of the last line: {last}"));
    }
    Ok(Exit::Done)
}
