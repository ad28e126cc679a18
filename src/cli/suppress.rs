//! `cosmoguard suppress`.
use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::json;

use super::Exit;
use super::args::{Suppress, SuppressAdd, SuppressSimulate};
use super::decide::{self, Desk};
use super::style::{out, visible};
use crate::alert::rules::{Rule, Simulation, What, simulate};
use crate::detect::Severity;
use crate::store::decisions;
use crate::time::Timestamp;

/// Accounts and ids that a simulation prints; the rest is counted.
const SHOWN_MAX: usize = 10;

/// Runs it.
pub fn run(command: &Suppress) -> anyhow::Result<Exit> {
    match command {
        Suppress::Add(args) => add(args),
        Suppress::List(args) => decide::list(args, 'S'),
        Suppress::Remove(args) => decide::remove(args),
        Suppress::Simulate(args) => try_out(args),
    }
}

fn severity(up_to: Option<&str>) -> anyhow::Result<Option<Severity>> {
    let Some(word) = up_to else { return Ok(None) };
    match Severity::parse(word) {
        Some(severity) => Ok(Some(severity)),
        None => bail!("`{}` is no severity; write Low, Medium or High", visible(word)),
    }
}

fn add(args: &SuppressAdd) -> anyhow::Result<Exit> {
    let (filter, up_to) = (decide::filter(&args.which)?, severity(args.up_to.as_deref())?);
    let mut desk = Desk::open(&args.data.data_dir)?;
    let until = decide::until(&args.until, &args.why, desk.now);
    let rule = Rule { filter, up_to, until };
    let would = simulate(&rule, &decisions::subjects(desk.store())?);
    desk.take(What::Suppress(rule), &args.why, args.data.json)?;
    if !args.data.json {
        out(&format!(
            "of {} alerts that are kept it would have silenced {}",
            would.of, would.alerts
        ));
    }
    Ok(Exit::Done)
}

fn try_out(args: &SuppressSimulate) -> anyhow::Result<Exit> {
    let rule = Rule {
        filter: decide::filter(&args.which)?,
        up_to: severity(args.up_to.as_deref())?,
        until: Timestamp::MAX,
    };
    let desk = Desk::look(&args.data.data_dir)?;
    let would = simulate(&rule, &decisions::subjects(desk.store())?);
    if args.data.json {
        let Simulation { of, alerts, kinds, severities, accounts, ids } = &would;
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let line = json!({
            "of": of, "alerts": alerts, "kinds": kinds, "severities": severities,
            "accounts": accounts, "ids": ids,
        });
        out(&line.to_string());
        return Ok(Exit::Done);
    }
    out(&format!("{} of {} alerts that are kept would have been silent", would.alerts, would.of));
    counted("severity", &would.severities);
    counted("kind", &would.kinds);
    counted("account", &would.accounts);
    let ids = would.ids.iter().take(SHOWN_MAX).map(|id| id.to_string());
    out(&format!(
        "  {:<10}{}",
        "newest",
        ids.map(|id| id[..8].to_owned()).collect::<Vec<_>>().join(" ")
    ));
    Ok(Exit::Done)
}

/// A line of counts, largest first.
fn counted(label: &str, counts: &BTreeMap<String, u64>) {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown = counts.iter().take(SHOWN_MAX).map(|(name, n)| format!("{} {n}", visible(name)));
    let more = counts.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    out(&format!("  {label:<10}{}{more}", shown.collect::<Vec<_>>().join(", ")));
}
