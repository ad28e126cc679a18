//! `cosmoguard intel update`, `add` and `remove`: lists that a data directory keeps.
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::json;

use super::Exit;
use super::args::{IntelAdd, IntelRemove, IntelUpdate};
use super::common;
use super::style::{out, say, visible};
use crate::alert::words;
use crate::config::{Config, ConfigError, FeedConfig};
use crate::intel::feeds::fetch::Http;
use crate::intel::feeds::kept::{Change, FeedFolder, FeedSource, From, RefreshError, kind_word};
use crate::store::layout::DataDir;
use crate::time::{Clock, SystemClock, Timestamp};

/// A list added by hand is not fetched again, so its age says nothing: a year.
const BY_HAND_HOURS: u32 = 366 * 24;

/// Fetches what is due, or what is named.
pub fn update(args: &IntelUpdate) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let dir = data_dir(args.data_dir.as_deref(), &config)?;
    let folder = FeedFolder::new(&DataDir::new(&dir).intel());
    let sources = sources(&config)?;
    if let Some(unknown) = args.names.iter().find(|n| sources.iter().all(|s| s.name != **n)) {
        let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        bail!(
            "no feed `{}` in [[intel.feeds]]; there {}",
            visible(unknown),
            if known.is_empty() {
                "is none".to_owned()
            } else {
                format!("are {}", known.join(", "))
            }
        );
    }
    if sources.is_empty() {
        say(
            "no feed in [[intel.feeds]]; `cosmoguard intel add FILE --kind threat` keeps a list once",
        );
        return Ok(Exit::Done);
    }
    let now = SystemClock::default().now();
    let http = Http::default();
    let mut failed = 0;
    for source in &sources {
        let named = args.names.contains(&source.name);
        if !named && (!args.names.is_empty() || !folder.is_due(source, now)) {
            continue;
        }
        let outcome = folder.refresh(source, false, args.force, now, &http);
        failed += u32::from(outcome.is_err());
        tell(source, &outcome, args.json);
    }
    for source in &sources {
        warn_of_age(&folder, source, now);
    }
    if failed > 0 {
        bail!("{} could not be refreshed", words::plural(f64::from(failed), "feed", "feeds"));
    }
    Ok(Exit::Done)
}

/// Checks a list and keeps it.
pub fn add(args: &IntelAdd) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let dir = data_dir(args.data_dir.as_deref(), &config)?;
    let from = From::parse(&args.from);
    let stem = || {
        let path = Path::new(args.from.split(['?', '#']).next().unwrap_or_default());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        stem.replace(['_', '.', ' '], "-")
    };
    let source = FeedSource {
        name: args.name.clone().unwrap_or_else(stem),
        kind: args.kind.into(),
        from,
        checksum: args.checksum.clone(),
        every_hours: BY_HAND_HOURS,
        stale_after_hours: BY_HAND_HOURS,
    };
    if sources(&config)?.iter().any(|known| known.name == source.name) {
        bail!(
            "[[intel.feeds]] has a feed `{0}` already; choose another --name, or `cosmoguard intel update {0}`",
            source.name
        );
    }
    let folder = FeedFolder::new(&DataDir::new(&dir).intel());
    let now = SystemClock::default().now();
    // What a person gives on purpose may be smaller than what was there.
    let change = folder.refresh(&source, true, true, now, &Http::default());
    if change.is_err() && !folder.list(&source.name).is_file() {
        // Nothing to keep: no word of it stays behind.
        folder.remove(&source.name)?;
    }
    change?;
    let kept = folder.kept(&source.name).map_or(0, |kept| kept.entries);
    say(&format!(
        "{} keeps {} as `{}`, a {} list of {}",
        visible(&dir.display().to_string()),
        visible(&source.from.shown()),
        source.name,
        kind_word(source.kind),
        words::plural(kept as f64, "entry", "entries")
    ));
    Ok(Exit::Done)
}

/// Drops a kept list.
pub fn remove(args: &IntelRemove) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let dir = data_dir(args.data_dir.as_deref(), &config)?;
    let folder = FeedFolder::new(&DataDir::new(&dir).intel());
    if !folder.remove(&args.name)? {
        let kept: Vec<String> = folder.all().into_iter().map(|kept| kept.name).collect();
        bail!(
            "{} keeps no list `{}`; it keeps {}",
            visible(&dir.display().to_string()),
            visible(&args.name),
            if kept.is_empty() { "none".to_owned() } else { kept.join(", ") }
        );
    }
    Ok(Exit::Done)
}

fn data_dir(given: Option<&Path>, config: &Config) -> Result<PathBuf, ConfigError> {
    let configured = Some(&config.store.data_dir).filter(|dir| !dir.as_os_str().is_empty());
    given.map(Path::to_owned).or_else(|| configured.cloned()).ok_or_else(|| {
        ConfigError("lists are kept in a data directory; give --data-dir DIR".to_owned())
    })
}

fn sources(config: &Config) -> Result<Vec<FeedSource>, ConfigError> {
    let sources: Vec<FeedSource> =
        config.intel.feeds.iter().map(FeedConfig::source).collect::<Result<_, _>>()?;
    let mut names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ConfigError(format!("intel.feeds: two feeds are called `{}`", pair[0]))),
        None => Ok(sources),
    }
}

fn tell(source: &FeedSource, outcome: &Result<Change, RefreshError>, as_json: bool) {
    let name = &source.name;
    if as_json {
        let (change, error) = match outcome {
            Ok(Change::Unchanged) => ("unchanged", None),
            Ok(Change::Replaced(..)) => ("replaced", None),
            Err(error) => ("kept", Some(visible(&error.to_string()))),
        };
        out(&json!({"feed": name, "outcome": change, "error": error}).to_string());
        return;
    }
    match outcome {
        Ok(Change::Unchanged) => say(&format!("{name}: unchanged")),
        Ok(Change::Replaced(had, has)) => say(&format!("{name}: {has} entries, {had} before")),
        Err(error) => say(&format!("error: {}", visible(&error.to_string()))),
    }
}

fn warn_of_age(folder: &FeedFolder, source: &FeedSource, now: Timestamp) {
    let kept = folder.kept(&source.name);
    match kept.map(|kept| (kept.is_stale(source, now), kept.age_hours(now))) {
        Some((true, Some(hours))) => say(&format!(
            "warning: {} has had no good contact for {hours} h; its last good list stays in use",
            source.name
        )),
        None | Some((_, None)) => {
            say(&format!("warning: {} was never fetched; nothing is judged by it", source.name));
        }
        Some(_) => {}
    }
}
