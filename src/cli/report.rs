//! `cosmoguard report`.
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::json;

use super::style::out;
use super::{Exit, args, common, model};
use crate::alert::report::{self, Report, Span};
use crate::inquiry;
use crate::store::layout::DataDir;
use crate::time::{Clock, SystemClock};

/// Runs it.
pub fn run(args: &args::Report) -> anyhow::Result<Exit> {
    let span = Span { from: args.from, to: args.to };
    if span.to <= span.from {
        bail!("the span ends before it begins; give --to a later time than --from");
    }
    let config = common::configuration(args.config.as_deref())?.config;
    let opened = common::existing_store(&args.data.data_dir)?;
    let (store, dir) = (opened.store.as_ref(), DataDir::new(&args.data.data_dir));
    let made = SystemClock::default().now();
    let mut facts = inquiry::report::gather(store, &dir, &config.profile, span, made)?;
    let known: BTreeSet<String> = inquiry::fleet::names(store)?;
    facts.never_logged = model::never_logged(&config.inventory.file, &known)?;
    let report = Report::of(facts);
    let folder = &args.out;
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, text) in [
        ("report.html", report::html(&report)),
        ("report.csv", report::csv(&report)),
        ("alerts.csv", report::alerts_csv(&report)),
    ] {
        put(folder, name, &text)?;
    }
    if args.data.json {
        let files = ["report.html", "report.csv", "alerts.csv"].map(|name| folder.join(name));
        out(&json!({ "alerts": report.alerts(), "files": files }).to_string());
    } else {
        out(&format!(
            "{} alerts on {} accounts; {}",
            report.alerts(),
            report.facts.accounts,
            folder.join("report.html").display()
        ));
    }
    Ok(Exit::Done)
}

/// Writes a file whole: under another name first.
fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", folder.join(name).display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(folder.join(name)).with_context(cannot)?;
    Ok(())
}
