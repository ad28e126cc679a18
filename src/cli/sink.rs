//! `cosmoguard sink list|test|retry`.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::args::{Sink, SinkList, SinkRetry, SinkTest};
use super::common;
use super::style::{out, say, visible};
use super::table::{Align, Table};
use super::{Exit, sample_alerts};
use crate::alert::sinks::lane::RETRY_FILE;
use crate::alert::sinks::queue::{FILE, Queue};
use crate::alert::sinks::sample;
use crate::alert::sinks::settings::SinkSettings;
use crate::config::Config;
use crate::store::layout::DataDir;
use crate::time::{Clock, SystemClock};

/// Runs it.
pub fn run(command: &Sink) -> anyhow::Result<Exit> {
    match command {
        Sink::List(args) => list(args),
        Sink::Test(args) => test(args),
        Sink::Retry(args) => retry(args),
    }
}

/// What a queue on the disk holds.
struct Waiting {
    queued: usize,
    dead_letters: usize,
    why: String,
}

/// Read from a copy: a service that runs goes on writing, and opening a queue may cut it.
fn waiting(folder: &Path) -> anyhow::Result<Option<Waiting>> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let copy = tempfile::tempdir().context("cannot make a temporary folder")?;
    let copied = std::fs::copy(&path, copy.path().join(FILE));
    copied.with_context(|| format!("cannot read {}", path.display()))?;
    let queue = Queue::open(copy.path())?;
    Ok(Some(Waiting {
        queued: queue.waiting(),
        dead_letters: queue.dead_letters(),
        why: queue.last_dead().unwrap_or_default().to_owned(),
    }))
}

fn list(args: &SinkList) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let data_dir = data_dir(&config, args.data_dir.as_deref());
    let columns = [
        ("sink", Align::Left),
        ("kind", Align::Left),
        ("sends to", Align::Left),
        ("queued", Align::Right),
        ("set aside", Align::Right),
        ("why", Align::Left),
    ];
    let (mut table, mut values) = (Table::new(&columns), Vec::new());
    for sink in &config.sinks {
        let name = &sink.common.name;
        let found = match &data_dir {
            Some(dir) => waiting(&DataDir::new(dir).sinks().join(name))?,
            None => None,
        };
        let number = |n: Option<usize>| n.map_or("–".to_owned(), |n| n.to_string());
        table.row(vec![
            name.clone(),
            sink.kind().to_owned(),
            visible(&sink.place()),
            number(found.as_ref().map(|w| w.queued)),
            number(found.as_ref().map(|w| w.dead_letters)),
            visible(found.as_ref().map_or("", |w| w.why.as_str())),
        ]);
        values.push(json!({
            "name": name,
            "kind": sink.kind(),
            "sends_to": sink.place(),
            "queued": found.as_ref().map(|w| w.queued),
            "set_aside": found.as_ref().map(|w| w.dead_letters),
            "why": found.as_ref().map(|w| w.why.clone()),
        }));
    }
    if args.json {
        out(&json!({"sinks": values}).to_string());
    } else if config.sinks.is_empty() {
        say("no sinks are configured; docs/sinks.md shows every kind");
    } else {
        table.lines().iter().for_each(|line| out(line));
    }
    Ok(Exit::Done)
}

fn test(args: &SinkTest) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let sink = find(&config, &args.name)?;
    let now = SystemClock::default().now();
    let Some(notice) = sample::notices(now).into_iter().next() else {
        bail!("this build has no samples");
    };
    sample_alerts::send(sink, &[notice], now)?;
    out(&format!("{}: a sample alert was delivered to {}", args.name, visible(&sink.place())));
    Ok(Exit::Done)
}

fn retry(args: &SinkRetry) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    find(&config, &args.name)?;
    let Some(dir) = data_dir(&config, args.data_dir.as_deref()) else {
        bail!("the queues are in the service's data directory; name it with --data-dir");
    };
    let folder = DataDir::new(&dir).sinks().join(&args.name);
    let Some(found) = waiting(&folder)? else {
        bail!("nothing was ever queued for `{}` in {}", args.name, dir.display());
    };
    if found.dead_letters == 0 {
        out(&format!("{}: nothing is set aside", args.name));
        return Ok(Exit::Done);
    }
    let path = folder.join(RETRY_FILE);
    std::fs::write(&path, b"").with_context(|| format!("cannot write {}", path.display()))?;
    let count = found.dead_letters;
    out(&format!(
        "{}: {count} set aside will be tried again; a service that runs does so within a second",
        args.name
    ));
    Ok(Exit::Done)
}

fn find<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a SinkSettings> {
    let found = config.sinks.iter().find(|sink| sink.common.name == name);
    found.with_context(|| {
        let names: Vec<&str> = config.sinks.iter().map(|s| s.common.name.as_str()).collect();
        match names.as_slice() {
            [] => "no sinks are configured; docs/sinks.md shows every kind".to_owned(),
            names => format!("no sink is called `{name}`; there are {}", names.join(", ")),
        }
    })
}

fn data_dir(config: &Config, flag: Option<&Path>) -> Option<PathBuf> {
    let configured = Some(config.store.data_dir.as_path()).filter(|p| !p.as_os_str().is_empty());
    flag.or(configured).map(Path::to_owned)
}
