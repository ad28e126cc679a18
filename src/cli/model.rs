//! `cosmoguard model list|show|coverage`.
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;

use super::args::{ModelCoverage, ModelList, ModelShow};
use super::style::{out, visible};
use super::table::{self, Align, Table};
use super::{Exit, common, shapes};
use crate::account::model::AccountModel;
use crate::account::view::{self, Brief, Detail, Share};
use crate::alert::sinks::inventory::{Entry, Inventory};
use crate::alert::words;
use crate::ids::AccountId;
use crate::inquiry::fleet;
use crate::store::schema::{account, run};
use crate::store::{StateStore, keys};
use crate::time::Timestamp;

/// `model list`.
pub fn list(args: &ModelList) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let opened = common::existing_store(&args.data.data_dir)?;
    let fleet = fleet::load(opened.store.as_ref(), &profile)?;
    if args.data.json {
        for member in &fleet.members {
            out(&serde_json::to_string(&member.brief)?);
        }
        return Ok(Exit::Done);
    }
    table(fleet.members.iter().map(|m| &m.brief));
    out(&format!("\n  {} accounts: {}", fleet.members.len(), fleet.states()));
    Ok(Exit::Done)
}

/// A line an account.
pub fn table<'a>(briefs: impl Iterator<Item = &'a Brief>) {
    let mut table = Table::new(&[
        ("account", Align::Left),
        ("state", Align::Left),
        ("days", Align::Right),
        ("records", Align::Right),
        ("late", Align::Right),
        ("gaps h", Align::Right),
        ("model", Align::Right),
        ("last record", Align::Left),
    ]);
    for b in briefs {
        table.row(vec![
            visible(&b.account),
            b.state.to_owned(),
            words::number(b.age_days),
            words::count(b.records as f64),
            words::count(b.late_records as f64),
            b.gap_hours.to_string(),
            words::bytes(b.bytes as f64),
            b.last_record.as_deref().map_or_else(|| "-".to_owned(), minutes),
        ]);
    }
    table.lines().iter().for_each(|line| out(line));
}

/// A moment as tables have it.
fn minutes(moment: &str) -> String {
    Timestamp::parse(moment).map_or_else(|| moment.to_owned(), Timestamp::minutes_text)
}

/// The stored model of an account, or an error that helps.
pub fn load(store: &dyn StateStore, name: &str) -> anyhow::Result<AccountModel> {
    let id = AccountId::parse(name);
    if let Some(sealed) = store.get(&keys::account(&id))? {
        return Ok(account::open(&sealed)?);
    }
    let mut known = Vec::new();
    store.scan(keys::ACCOUNT, &mut |key, _| {
        known.push(String::from_utf8_lossy(&key[keys::ACCOUNT.len()..]).into_owned());
        true
    })?;
    Err(unknown(name, known))
}

/// Says that no account has this name, and which of the `known` keys is nearest.
pub fn unknown(name: &str, known: Vec<String>) -> anyhow::Error {
    let short = |k: &str| k.strip_prefix("public/").unwrap_or(k).to_owned();
    let nearest =
        known.iter().map(|k| (strsim::damerau_levenshtein(&short(k), name), short(k))).min();
    match nearest {
        Some((_, near)) => anyhow!(
            "no account `{name}` among {} known; nearest is `{near}`, `cosmoguard model list` lists all",
            known.len()
        ),
        None => anyhow!("no accounts yet; run `cosmoguard replay PATH --data-dir DIR` first"),
    }
}

/// `model show`.
pub fn show(args: &ModelShow) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let opened = common::existing_store(&args.data.data_dir)?;
    let store = opened.store.as_ref();
    let model = load(store, &args.account)?;
    let state = run::load(store, profile.time.lateness_minutes * crate::time::MINUTE_MS)?;
    let priors = state.priors.before(model.now().day());
    let detail = model.detail(&profile, priors);
    if args.data.json {
        out(&serde_json::to_string_pretty(&detail)?);
    } else {
        print(&detail);
    }
    Ok(Exit::Done)
}

fn line(label: &str, text: &str) {
    out(&format!("{label:<16} {text}"));
}

/// One account's learned normal, for people.
pub fn print(d: &Detail) {
    let b = &d.brief;
    out(&format!("{} ({} cloud)", visible(&b.account), d.cloud));
    line(
        "state",
        &format!(
            "{}, {} since the first record, last {}",
            b.state,
            words::days(b.age_days),
            b.last_record.as_deref().unwrap_or("-")
        ),
    );
    line(
        "records",
        &format!(
            "{}, {} late, {} gap hours in four weeks",
            words::count(b.records as f64),
            b.late_records,
            b.gap_hours
        ),
    );
    line("categories", &b.categories.join(", "));
    for m in &d.maturity {
        line("", &format!("{}: {}, {} active days", m.facet, m.state, m.active_days));
    }
    let list = |shares: &[Share]| {
        shares
            .iter()
            .map(|s| format!("{} {}", visible(&s.value), words::percent(s.share)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    line("areas", &list(&d.areas));
    line("networks", &list(&d.networks));
    line("clients", &list(&d.clients));
    let principals: Vec<String> = d
        .key_principals
        .iter()
        .map(|p| {
            format!(
                "{} on {} days, last {}",
                visible(if p.name.is_empty() { &p.principal } else { &p.name }),
                p.days,
                &p.last_seen[..10.min(p.last_seen.len())]
            )
        })
        .collect();
    line("keys read by", if principals.is_empty() { "nobody so far" } else { "" });
    principals.iter().for_each(|p| line("", p));
    let volume = |v: &[Option<f64>; 3]| {
        let at = |q: Option<f64>| q.map_or_else(|| "unknown".to_owned(), words::bytes);
        format!("median {}, 95 % {}, 99 % {}", at(v[0]), at(v[1]), at(v[2]))
    };
    line("an hour", &volume(&d.hourly_volume));
    line("a response", &format!("{} (largest of a minute)", volume(&d.response)));
    if !d.egress_hours.is_empty() {
        out("");
        let mut table = Table::new(&[
            ("hour (UTC)", Align::Left),
            ("usual", Align::Left),
            ("Low from", Align::Right),
        ]);
        for h in &d.egress_hours {
            table.row(vec![
                h.hour.clone(),
                words::byte_range(h.quantiles[0], h.quantiles[2]),
                h.low_from.map_or_else(|| "-".to_owned(), words::bytes),
            ]);
        }
        table.lines().iter().for_each(|l| out(l));
        out("");
    }
    shapes::print(d.queries.as_ref());
    line("memory", &format!("{} in all", words::bytes(b.bytes as f64)));
    for (facet, bytes) in &d.bytes_by_facet {
        line("", &format!("{facet:<12} {}", words::bytes(*bytes as f64)));
    }
}

/// What an account does not send, in lines that a table does not cut.
fn lacking(missing: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (n, words) in missing.iter().enumerate() {
        let comma = if n + 1 < missing.len() { "," } else { "" };
        match lines.last_mut().filter(|line| line.len() + words.len() + 2 <= table::CELL_MAX) {
            Some(line) => line.push_str(&format!(" {words}{comma}")),
            None => lines.push(format!("{words}{comma}")),
        }
    }
    if lines.is_empty() { vec!["sends all".to_owned()] } else { lines }
}

/// `model coverage`.
pub fn coverage(args: &ModelCoverage) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let opened = common::existing_store(&args.data.data_dir)?;
    let store = opened.store.as_ref();
    let fleet::Fleet { mut members, mut untaught, .. } = fleet::load(store, &config.profile)?;
    let silent = silent_of(&config.inventory.file, &members, args.account.as_deref())?;
    if let Some(name) = &args.account {
        let id = AccountId::parse(name);
        untaught.retain(|(account, _)| *account == id);
        // One that could never be sealed has no model.
        if untaught.is_empty() && silent.is_empty() {
            load(store, name)?;
        }
        let wanted = id.to_string();
        members.retain(|m| m.brief.account == wanted);
    }
    if args.data.json {
        for m in &members {
            let line = serde_json::json!({"account": m.brief.account, "categories": m.brief.categories, "blind": m.blind});
            out(&line.to_string());
        }
        for (account, untaught) in &untaught {
            let line =
                serde_json::json!({"account": account.to_string(), "not_learnt": untaught.lines()});
            out(&line.to_string());
        }
        for entry in &silent {
            let line = serde_json::json!({"account": entry.account, "subscription": entry.subscription, "never_logged": true});
            out(&line.to_string());
        }
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[("account", Align::Left), ("does not send", Align::Left)]);
    let mut missing: Vec<view::Blindness> = Vec::new();
    for m in &members {
        let blind = &m.blind;
        let words: Vec<&str> = blind.iter().map(|b| b.missing).collect();
        for (n, lacks) in lacking(&words).into_iter().enumerate() {
            let account = if n == 0 { visible(&m.brief.account) } else { String::new() };
            table.row(vec![account, lacks]);
        }
        missing.extend(blind.iter().filter(|b| !missing.contains(b)).copied().collect::<Vec<_>>());
    }
    table.lines().iter().for_each(|l| out(l));
    for (account, untaught) in &untaught {
        for line in untaught.lines() {
            out(&format!("\n{} did not learn {line}", visible(&account.to_string())));
        }
    }
    for blind in &missing {
        out(&format!(
            "\nwithout {}: {}. Switch it on with\n  {}",
            blind.missing, blind.blind, blind.command
        ));
    }
    for entry in &silent {
        let account = visible(&entry.account);
        out(&format!("\n{account} is in the inventory and never logged: nothing watches it"));
    }
    Ok(Exit::Done)
}

/// Names of accounts of the inventory that no model was learnt of, of which `known` names all.
pub fn never_logged(file: &Path, known: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
    let silent = silent(file, known)?;
    Ok(silent.into_iter().map(|entry| entry.account).collect())
}

fn silent(file: &Path, known: &BTreeSet<String>) -> anyhow::Result<Vec<Entry>> {
    let inventory = Inventory::read(file)?;
    let silent: Vec<Entry> = inventory.never_logged(known).cloned().collect();
    Ok(silent)
}

/// Accounts of the inventory that no model was learnt of; of one account only, if it is named.
fn silent_of(
    file: &Path,
    members: &[fleet::Member],
    only: Option<&str>,
) -> anyhow::Result<Vec<Entry>> {
    let name = |account: &str| AccountId::parse(account).name().to_owned();
    let known: BTreeSet<String> = members.iter().map(|m| name(&m.brief.account)).collect();
    let only = only.map(name);
    let mut silent = silent(file, &known)?;
    silent.retain(|entry| only.as_ref().is_none_or(|only| *only == entry.account));
    Ok(silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_does_not_send_is_never_cut() {
        let missing =
            ["QueryRuntimeStatistics", "text in MongoRequests (piiCommandText)", "Activity log"];
        let lines = lacking(&missing);
        assert_eq!(lines.join(" "), missing.join(", "));
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= table::CELL_MAX));
        assert_eq!(lacking(&[]), ["sends all"]);
    }
}
