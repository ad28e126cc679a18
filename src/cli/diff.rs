//! `cosmoguard snapshot diff`, and the table of what one account learnt.
use std::cmp::Ordering;
use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::args::SnapshotDiff;
use super::common::Opened;
use super::style::{out, say, visible};
use super::table::{Align, Table};
use super::{Exit, common, model, shapes};
use crate::account::diff::{Change, Diff, Item, Knowledge, MOVED_FACTOR, QUERY};
use crate::alert::words;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::snapshot::Archive;
use crate::store::keys;
use crate::store::memory::MemoryStore;
use crate::store::schema::{account, run};
use crate::time::{MINUTE_MS, Timestamp};

/// One of the two.
struct Side {
    name: String,
    from: From,
    priors: ByDay<Priors>,
    newest: Timestamp,
}

enum From {
    Snapshot(Box<Archive>),
    Directory(Box<Opened>),
}

impl Side {
    fn open(path: &Path, profile: &Profile) -> anyhow::Result<Side> {
        let lateness_ms = profile.time.lateness_minutes * MINUTE_MS;
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        let (from, state) = if path.is_dir() {
            let opened = common::existing_store(path)?;
            let state = run::load(opened.store.as_ref(), lateness_ms)?;
            (From::Directory(Box::new(opened)), state)
        } else {
            let mut archive = Archive::open(path)?;
            let store = MemoryStore::default();
            archive.load_run(&store)?;
            (From::Snapshot(Box::new(archive)), run::load(&store, lateness_ms)?)
        };
        let (priors, newest) = (state.priors, state.watermark.newest());
        Ok(Side { name: visible(&name), from, priors, newest })
    }

    /// Names, ascending: of a fleet nothing else is held.
    fn accounts(&self) -> anyhow::Result<Vec<AccountId>> {
        let opened = match &self.from {
            From::Snapshot(archive) => return Ok(archive.accounts()),
            From::Directory(opened) => opened,
        };
        let mut ids = Vec::new();
        opened.store.scan(keys::ACCOUNT, &mut |key, _| {
            ids.extend(keys::named(key, keys::ACCOUNT));
            true
        })?;
        ids.sort();
        Ok(ids)
    }

    fn sealed(&mut self, id: &AccountId) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(match &mut self.from {
            From::Snapshot(archive) => archive.account(id)?,
            From::Directory(opened) => opened.store.get(&keys::account(id))?,
        })
    }

    fn knowledge(&self, sealed: &[u8], profile: &Profile) -> anyhow::Result<Knowledge> {
        let model = account::open(sealed)?;
        Ok(model.knowledge(profile, self.priors.before(model.now().day())))
    }
}

/// Runs it.
pub fn run(args: &SnapshotDiff) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if args.a.is_dir() && real(&args.a) == real(&args.b) {
        bail!(
            "both are `{}` as it is now; name a snapshot for one of them",
            visible(&args.a.display().to_string())
        );
    }
    let mut a = Side::open(&args.a, &profile)?;
    let mut b = Side::open(&args.b, &profile)?;
    if a.name == b.name {
        (a.name, b.name) = (format!("{} (a)", a.name), format!("{} (b)", b.name));
    }
    if a.newest > b.newest {
        say(&format!(
            "warning: {} is later than {}: what is called new was forgotten",
            a.name, b.name
        ));
    }
    match &args.account {
        Some(name) => one(&mut a, &mut b, name, &profile, args.json),
        None => fleet(&mut a, &mut b, &profile, args),
    }
}

fn one(
    a: &mut Side,
    b: &mut Side,
    name: &str,
    profile: &Profile,
    json: bool,
) -> anyhow::Result<Exit> {
    let id = AccountId::parse(name);
    let (before, after) = match (a.sealed(&id)?, b.sealed(&id)?) {
        (Some(before), Some(after)) => (before, after),
        (None, None) => {
            let mut known = a.accounts()?;
            known.extend(b.accounts()?);
            known.sort();
            known.dedup();
            return Err(model::unknown(name, known.iter().map(AccountId::key).collect()));
        }
        (before, _) => {
            let change = if before.is_none() { "new" } else { "gone" };
            let side = if before.is_none() { b } else { a };
            if json {
                out(&json!({"account": id.to_string(), "change": change}).to_string());
            } else {
                out(&format!(
                    "{} is {change}: only {} knows it; `cosmoguard model show` or `cosmoguard snapshot inspect FILE ACCOUNT` shows it",
                    visible(name),
                    side.name
                ));
            }
            return Ok(Exit::Done);
        }
    };
    let (before, after) = (a.knowledge(&before, profile)?, b.knowledge(&after, profile)?);
    let diff = Diff::of(&before, &after);
    if json {
        out(&serde_json::to_string_pretty(
            &json!({"account": id.to_string(), "change": if diff.is_empty() { "same" } else { "changed" }, "diff": diff}),
        )?);
    } else {
        print((&a.name, &before), (&b.name, &after), &diff);
    }
    Ok(Exit::Done)
}

/// The table of one account, with what each side is called.
pub fn print(before: (&str, &Knowledge), after: (&str, &Knowledge), diff: &Diff) {
    if diff.is_empty() {
        out("nothing was learnt between them");
        return;
    }
    let mut table = Table::new(&[
        ("facet", Align::Left),
        (before.0, Align::Left),
        (after.0, Align::Left),
        ("change", Align::Left),
    ]);
    let records = [before.1, after.1].map(|k| words::count(k.records as f64));
    let until =
        [before.1, after.1].map(|k| k.at.map_or_else(|| "-".to_owned(), Timestamp::minutes_text));
    let [from, to] = until;
    table.row(vec!["until".to_owned(), from, to, "-".to_owned()]);
    let [from, to] = records;
    let more = diff.records_after as f64 - diff.records_before as f64;
    table.row(vec!["records".to_owned(), from, to, signed(more)]);
    sets(&mut table, before.1, after.1, diff);
    hazard(&mut table, before.1, after.1);
    figures(&mut table, diff);
    answers(&mut table, diff);
    for (facet, before, after) in diff.states() {
        let facet = format!("trust: {facet}");
        table.row(vec![facet, before.to_owned(), after.to_owned(), format!("now {after}")]);
    }
    table.lines().iter().for_each(|line| out(line));
    templates(diff);
    let figures = diff.changes.iter().filter(|c| matches!(c, Change::Moved { .. })).count();
    let still = before.1.quantiles.len().saturating_sub(figures);
    if still > 0 {
        let percent = words::percent(MOVED_FACTOR - 1.0);
        out(&format!("\n  {still} of the figures moved by less than {percent}"));
    }
}

fn signed(more: f64) -> String {
    match more.partial_cmp(&0.0) {
        Some(Ordering::Greater) => format!("+ {}", words::count(more)),
        Some(Ordering::Less) => format!("- {}", words::count(-more)),
        _ => "-".to_owned(),
    }
}

/// A row a facet with how many names are known, and one more for each further name.
fn sets(table: &mut Table, before: &Knowledge, after: &Knowledge, diff: &Diff) {
    for ((facet, old), (_, new)) in before.sets.iter().zip(&after.sets) {
        let of = |change: &Change| match change {
            Change::New { facet: f, name, item } if f == facet => {
                Some(word("+", facet, name, item))
            }
            Change::Gone { facet: f, name, item } if f == facet => {
                Some(word("-", facet, name, item))
            }
            _ => None,
        };
        let mut changes = diff.changes.iter().filter_map(of);
        let first = changes.next().unwrap_or_else(|| "-".to_owned());
        let known = |names: usize| format!("{names} known");
        table.row(vec![(*facet).to_owned(), known(old.len()), known(new.len()), first]);
        for change in changes {
            table.row(vec![String::new(), String::new(), String::new(), change]);
        }
    }
}

fn word(sign: &str, facet: &str, name: &str, item: &Item) -> String {
    let short = if facet == QUERY { short(name) } else { visible(name) };
    let mut word = format!("{sign} {short}");
    if !item.first.is_empty() {
        word += &format!(", first {}", item.first);
    }
    if let Some(share) = item.share {
        let of = if facet == QUERY { "runs" } else { "days" };
        word += &format!(", {} of {of}", words::percent(share));
    }
    word
}

fn figures(table: &mut Table, diff: &Diff) {
    for change in &diff.changes {
        let Change::Moved { name, before, after, factors } = change else { continue };
        let range = |figures: &Option<[f64; 3]>| match figures {
            Some([low, _, high]) => words::byte_range(*low, *high),
            None => "unknown".to_owned(),
        };
        let moved = factors.as_ref().map_or_else(|| "-".to_owned(), by_how_much);
        table.row(vec![name.clone(), range(before), range(after), moved]);
    }
}

fn by_how_much(factors: &[Option<f64>; 3]) -> String {
    let [low, median, high] = factors.map(|factor| match factor {
        Some(factor) => format!("x{}", words::number(factor)),
        None => "from nothing".to_owned(),
    });
    format!("5 % {low}, median {median}, 95 % {high}")
}

/// A query's hash in a row: the list below the table has all of it.
fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

/// What queries return, where that moved.
fn answers(table: &mut Table, diff: &Diff) {
    for change in &diff.changes {
        let Change::Answer { name, before, after, factors, .. } = change else { continue };
        let range = |[low, _, high]: &[f64; 3]| words::byte_range(*low, *high);
        let facet = format!("answer of {}", short(name));
        table.row(vec![facet, range(before), range(after), by_how_much(factors)]);
    }
}

/// How often new queries come, where there is query text.
fn hazard(table: &mut Table, before: &Knowledge, after: &Knowledge) {
    let rates = [before, after].map(|k| k.new_queries_per_day);
    if rates == [None, None] {
        return;
    }
    let [from, to] = rates.map(|rate| rate.map_or_else(|| "no text".to_owned(), words::once_in));
    let change = if from == to { "-" } else { "moved" };
    table.row(vec!["a new query".to_owned(), from, to, change.to_owned()]);
}

/// What the queries are that the table names by their hashes.
fn templates(diff: &Diff) {
    let queries = diff.changes.iter().filter_map(|change| match change {
        Change::New { facet, name, item } | Change::Gone { facet, name, item } => {
            (*facet == QUERY).then_some((name, item.template.as_ref()))
        }
        Change::Answer { name, template, .. } => Some((name, template.as_ref())),
        _ => None,
    });
    let lines: Vec<String> =
        queries.flat_map(|(name, template)| shapes::template(name, template)).collect();
    if !lines.is_empty() {
        out("\n  queries, their values blanked");
        lines.iter().for_each(|line| out(line));
    }
}

/// Sums over a fleet.
#[derive(Debug, Default, serde::Serialize)]
struct Sums {
    new: u64,
    gone: u64,
    changed: u64,
    same: u64,
}

/// Both lists of names are walked together; of the models two are open at a time.
fn fleet(
    a: &mut Side,
    b: &mut Side,
    profile: &Profile,
    args: &SnapshotDiff,
) -> anyhow::Result<Exit> {
    let (before, after) = (a.accounts()?, b.accounts()?);
    let mut rows = Rows::new(args.json);
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(new),
        };
        let gone = if order == Ordering::Greater { None } else { old.next() };
        let come = if order == Ordering::Less { None } else { new.next() };
        let Some(id) = gone.or(come) else { break };
        let was = gone.map_or(Ok(None), |id| a.sealed(id))?;
        let is = come.map_or(Ok(None), |id| b.sealed(id))?;
        match (was, is) {
            (Some(was), Some(is)) if was == is => rows.sums.same += 1,
            (Some(was), Some(is)) => {
                let (was, is) = (a.knowledge(&was, profile)?, b.knowledge(&is, profile)?);
                rows.changed(id, &Diff::of(&was, &is))?;
            }
            (Some(was), None) => rows.one_sided(id, "gone", &a.knowledge(&was, profile)?),
            (None, Some(is)) => rows.one_sided(id, "new", &b.knowledge(&is, profile)?),
            (None, None) => {}
        }
    }
    rows.end(args);
    Ok(Exit::Done)
}

/// Lines of the fleet: printed as they come for programs, set as a table for people.
struct Rows {
    json: bool,
    table: Table,
    sums: Sums,
}

impl Rows {
    fn new(json: bool) -> Rows {
        let table = Table::new(&[
            ("account", Align::Left),
            ("change", Align::Left),
            ("records", Align::Right),
            ("new", Align::Right),
            ("gone", Align::Right),
            ("moved", Align::Right),
            ("trust", Align::Left),
        ]);
        Rows { json, table, sums: Sums::default() }
    }

    fn changed(&mut self, id: &AccountId, diff: &Diff) -> anyhow::Result<()> {
        self.sums.changed += 1;
        let counts = diff.counts();
        if self.json {
            out(&serde_json::to_string(
                &json!({"account": id.to_string(), "change": "changed", "from": diff.from, "to": diff.to, "records_before": diff.records_before, "records_after": diff.records_after, "counts": counts}),
            )?);
            return Ok(());
        }
        let states = diff.states();
        let trust =
            states.iter().map(|(facet, before, after)| format!("{facet} {before} > {after}"));
        let more = diff.records_after as f64 - diff.records_before as f64;
        let trust = trust.collect::<Vec<_>>().join(", ");
        let figures = [counts.new, counts.gone, counts.moved].map(|n| n.to_string());
        let [new, gone, moved] = figures;
        let change = "changed".to_owned();
        let name = visible(&id.to_string());
        self.table.row(vec![name, change, signed(more), new, gone, moved, trust]);
        Ok(())
    }

    fn one_sided(&mut self, id: &AccountId, change: &str, known: &Knowledge) {
        *(if change == "new" { &mut self.sums.new } else { &mut self.sums.gone }) += 1;
        if self.json {
            out(&json!({"account": id.to_string(), "change": change, "records": known.records})
                .to_string());
            return;
        }
        let mut row = vec![visible(&id.to_string()), change.to_owned()];
        row.push(words::count(known.records as f64));
        row.resize(7, "-".to_owned());
        self.table.row(row);
    }

    fn end(self, args: &SnapshotDiff) {
        if self.json {
            out(&json!({"sums": self.sums}).to_string());
            return;
        }
        let Sums { new, gone, changed, same } = self.sums;
        if new + gone + changed == 0 {
            out(&format!("nothing was learnt between them: {same} accounts are the same"));
            return;
        }
        self.table.lines().iter().for_each(|line| out(line));
        let (a, b) =
            (visible(&args.a.display().to_string()), visible(&args.b.display().to_string()));
        out(&format!(
            "\n  accounts: {new} new, {gone} gone, {changed} changed, {same} the same\n  what one learnt: cosmoguard snapshot diff {a} {b} ACCOUNT"
        ));
    }
}
