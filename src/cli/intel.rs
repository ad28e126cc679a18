//! `cosmoguard intel status`.
use std::path::Path;

use serde_json::json;

use super::Exit;
use super::args::IntelStatus;
use super::common::{self, Lists};
use super::style::{out, visible};
use super::table::{Align, Table};
use crate::alert::words;
use crate::config::{Config, FeedConfig};
use crate::intel::feeds::FeedStatus;
use crate::intel::feeds::kept::{FeedFolder, FeedSource, Kept};
use crate::intel::view;
use crate::store::layout::DataDir;
use crate::time::{Clock, DAY_MS, HOUR_MS, SystemClock, Timestamp};

/// Runs it.
pub fn status(args: &IntelStatus) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let data_dir = args
        .data_dir
        .clone()
        .or_else(|| Some(config.store.data_dir.clone()).filter(|dir| !dir.as_os_str().is_empty()));
    let lists = Lists::new(&config.intel, &args.tor_exits, &args.threat_ips)
        .and_kept(&config.intel, data_dir.as_deref())?;
    let (_, feeds) = common::intel_view(&config, &lists, &[])?;
    let base = view::base_manifest()?;
    let now = SystemClock::default().now();
    let kept = kept(&config, data_dir.as_deref())?;
    if args.json {
        let kept: Vec<_> =
            kept.iter().map(|(source, kept)| kept_json(source, kept.as_ref(), now)).collect();
        let feeds: Vec<_> = feeds.iter().map(|f| feed_json(f, now)).collect();
        let databases: Vec<_> =
            config.intel.databases.iter().map(|d| d.display().to_string()).collect();
        out(&json!({"base": base, "databases": databases, "feeds": feeds, "kept": kept})
            .to_string());
        return Ok(Exit::Done);
    }
    let ranges = words::count((base.ranges_v4 + base.ranges_v6) as f64);
    out(&format!("address data   built in, of {}, {ranges} ranges", base.date));
    for source in &base.sources {
        out(&format!(
            "               {} {}, {}, {}",
            source.package, source.version, source.licence, source.attribution
        ));
    }
    for database in &config.intel.databases {
        out(&format!("               {} answers first", database.display()));
    }
    for (source, kept) in &kept {
        out(&kept_line(source, kept.as_ref(), now));
    }
    if feeds.is_empty() {
        out(
            "feeds          none; give lists with --tor-exits FILE and --threat-ips FILE, or in [intel] of a configuration file",
        );
        return Ok(Exit::Done);
    }
    out("");
    let mut table = Table::new(&[
        ("feed", Align::Left),
        ("kind", Align::Left),
        ("format", Align::Left),
        ("entries", Align::Right),
        ("dropped", Align::Right),
        ("newest", Align::Right),
        ("state", Align::Left),
    ]);
    for feed in &feeds {
        table.row(vec![
            visible(&feed.name),
            feed.kind.as_str().to_owned(),
            feed.format.map_or("unread", |f| f.as_str()).to_owned(),
            feed.entries.to_string(),
            feed.dropped.total().to_string(),
            feed.age_ms(now).map_or_else(|| "no dates".to_owned(), age),
            feed.last_error.as_ref().map_or_else(|| "good".to_owned(), |e| visible(e)),
        ]);
    }
    table.lines().iter().for_each(|line| out(line));
    Ok(Exit::Done)
}

/// Feeds of the configuration, each with what the data directory knows of it.
fn kept(
    config: &Config,
    data_dir: Option<&Path>,
) -> anyhow::Result<Vec<(FeedSource, Option<Kept>)>> {
    let folder = data_dir.map(|dir| FeedFolder::new(&DataDir::new(dir).intel()));
    let sources = config.intel.feeds.iter().map(FeedConfig::source);
    let known = |source: FeedSource| {
        let kept = folder.as_ref().and_then(|folder| folder.kept(&source.name));
        (source, kept)
    };
    Ok(sources.map(|source| source.map(known)).collect::<Result<_, _>>()?)
}

fn kept_line(source: &FeedSource, kept: Option<&Kept>, now: Timestamp) -> String {
    let from = visible(&source.from.shown());
    let (state, error) = match kept {
        None => ("never fetched; `cosmoguard intel update`".to_owned(), None),
        Some(kept) => {
            let age = kept.fetched.map_or_else(|| "never".to_owned(), |at| age(now.since(at)));
            let stale = if kept.is_stale(source, now) { ", OLD" } else { "" };
            (format!("last good contact {age}{stale}"), kept.error.as_deref())
        }
    };
    let error = error.map_or_else(String::new, |e| format!("\n               {}", visible(e)));
    format!("fetched        {} from {from}: {state}{error}", source.name)
}

fn kept_json(source: &FeedSource, kept: Option<&Kept>, now: Timestamp) -> serde_json::Value {
    json!({
        "name": source.name,
        "from": source.from.shown(),
        "last_good_contact": kept.and_then(|k| k.fetched).map(|at| at.to_string()),
        "changed": kept.and_then(|k| k.changed).map(|at| at.to_string()),
        "sha256": kept.and_then(|k| k.sha256.clone()),
        "is_stale": kept.is_none_or(|k| k.is_stale(source, now)),
        "last_error": kept.and_then(|k| k.error.clone()),
    })
}

fn age(ms: i64) -> String {
    if ms < 2 * DAY_MS {
        format!("{} h old", ms.max(0) / HOUR_MS)
    } else {
        format!("{} d old", ms / DAY_MS)
    }
}

fn feed_json(feed: &FeedStatus, now: Timestamp) -> serde_json::Value {
    let d = &feed.dropped;
    json!({
        "name": &*feed.name,
        "kind": feed.kind.as_str(),
        "format": feed.format.map(|f| f.as_str()),
        "entries": feed.entries,
        "dropped": {"private": d.private, "reserved": d.reserved, "too_wide": d.too_wide, "revoked": d.revoked, "unsupported": d.unsupported},
        "age_hours": feed.age_ms(now).map(|ms| ms / HOUR_MS),
        "last_error": feed.last_error,
    })
}
