//! All alerts at a glance: an index in memory over the lines that the store keeps. A line's facts
//! that lists, filters and sums need are here; everything else is read from the store by the line's
//! number. Pure: who loads it and who is told of news is the server's affair.
//!
//! Pages do not move while alerts come: a page is asked for as of a line number, and whatever came
//! later is not there for it. All answers are one plain scan; words that many alerts share stand
//! once, and texts are compared once a word and not once an alert.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::AlertId;
use crate::detect::Severity;
use crate::time::Timestamp;

mod decision;
mod line;
mod page;
mod sums;

pub use decision::{Decision, Status, Verdict};
pub use page::{Cursor, Facets, Filter, Item, Order, Page, Query};
pub use sums::{Caller, Heat, HeatBy, HeatRow, Story};

/// Sees all accounts.
pub const ALL: &dyn Fn(&str) -> bool = &|_| true;

/// One line of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Revision {
    /// Its number in the store.
    pub number: u64,
    /// When it was generated, event time.
    pub at: Timestamp,
    /// Severity.
    pub severity: Severity,
    /// False alerts like this that an innocent account brings a day; `NaN` where the line has none.
    pub per_day: f64,
}

/// Words that many alerts share.
#[derive(Clone, Debug, Default)]
struct Words {
    texts: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // More than four thousand million words need more memory than there is.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }
    fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
    /// For each word whether it is so.
    fn ask(&self, is: impl Fn(&str) -> bool) -> Vec<bool> {
        self.texts.iter().map(|text| is(text)).collect()
    }
}

/// One alert.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its identity.
    pub id: AlertId,
    /// First to newest; never empty.
    pub revisions: Vec<Revision>,
    /// First moment that it speaks of.
    pub start: Timestamp,
    /// Last one.
    pub end: Timestamp,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// Its severity follows a rule.
    pub by_rule: bool,
    /// What happened, in a sentence; cut.
    pub why: Box<str>,
    /// What people decided, first to newest.
    pub decisions: Vec<Decision>,
    kind: u32,
    title: u32,
    account: u32,
    /// Further accounts that it names.
    others: Box<[u32]>,
    principal: u32,
    principal_id: u32,
    story: u32,
}

impl Entry {
    /// The newest line.
    pub fn newest(&self) -> Revision {
        self.revisions.last().copied().unwrap_or(Revision {
            number: 0,
            at: Timestamp(0),
            severity: Severity::Low,
            per_day: f64::NAN,
        })
    }
    /// The first line.
    pub fn first(&self) -> Revision {
        self.revisions.first().copied().unwrap_or_else(|| self.newest())
    }
    /// The newest line before line `as_of`; `None` if it was not there.
    fn seen(&self, as_of: u64) -> Option<Revision> {
        self.revisions.iter().rev().find(|r| r.number < as_of).copied()
    }
    /// Where it stands.
    pub fn status(&self) -> Status {
        self.decisions.last().map_or(Status::Active, |decision| decision.status)
    }
    /// Nobody said yet that it is done with.
    pub fn is_open(&self) -> bool {
        matches!(self.status(), Status::Active | Status::InProgress)
    }
}

/// What an id, or its first digits, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No alert.
    None,
    /// This one.
    One(AlertId),
    /// Several; some of them.
    Several(Vec<AlertId>),
}

/// The index.
#[derive(Clone, Debug, Default)]
pub struct AlertBook {
    entries: Vec<Entry>,
    by_id: BTreeMap<AlertId, u32>,
    kinds: Words,
    titles: Words,
    accounts: Words,
    principals: Words,
    stories: Words,
    /// Alerts that an incident names, with the line that said so last and its story: some were told
    /// before there was an incident.
    within: BTreeMap<AlertId, (u64, u32)>,
    /// Severity of incidents, by story.
    incidents: BTreeMap<u32, Severity>,
    /// Lines known: one more than the largest number.
    lines: u64,
    /// Number of the newest decision.
    decided: u64,
}

/// Fewest digits of an id that are looked up.
pub const PREFIX_MIN: usize = 4;
/// Most ids that an ambiguous prefix names.
const SEVERAL_MAX: usize = 5;

impl AlertBook {
    /// Takes in the line of `number`, in the shape of Defender. `None`: it is no such line, and is not
    /// listed.
    pub fn add(&mut self, number: u64, line: &[u8]) -> Option<AlertId> {
        self.lines = self.lines.max(number.saturating_add(1));
        let facts = line::Facts::read(line)?;
        self.file(number, &facts);
        let revision = Revision {
            number,
            at: facts.generated,
            severity: facts.severity,
            per_day: facts.per_day,
        };
        if let Some(entry) = self.by_id.get(&facts.id).copied() {
            let entry = self.entries.get_mut(entry as usize)?;
            if entry.revisions.iter().any(|r| r.number == number) {
                return Some(facts.id);
            }
            entry.revisions.push(revision);
            entry.revisions.sort_by_key(|r| r.number);
            entry.start = entry.start.min(facts.start);
            entry.end = entry.end.max(facts.end);
            if entry.newest().number == number {
                entry.by_rule = facts.by_rule;
                entry.why = facts.why.into();
            }
            return Some(facts.id);
        }
        let index = u32::try_from(self.entries.len()).ok()?;
        self.by_id.insert(facts.id, index);
        let others = facts.others.iter().map(|account| self.accounts.number(account)).collect();
        self.entries.push(Entry {
            id: facts.id,
            revisions: vec![revision],
            start: facts.start,
            end: facts.end,
            ip: facts.ip,
            by_rule: facts.by_rule,
            why: facts.why.into(),
            decisions: Vec::new(),
            kind: self.kinds.number(&facts.kind),
            title: self.titles.number(&facts.title),
            account: self.accounts.number(&facts.account),
            others,
            principal: self.principals.number(&facts.principal),
            principal_id: self.principals.number(&facts.principal_id),
            story: match self.within.get(&facts.id) {
                Some((_, story)) => *story,
                None => self.stories.number(&facts.story),
            },
        });
        Some(facts.id)
    }

    /// Files the alerts that an incident names under its story; of several lines the newest counts.
    fn file(&mut self, number: u64, facts: &line::Facts) {
        let Some((severity, members)) = &facts.incident else { return };
        let story = self.stories.number(&facts.story);
        let gravest = self.incidents.entry(story).or_insert(*severity);
        *gravest = (*gravest).max(*severity);
        for id in members {
            let claim = self.within.entry(*id).or_insert((number, story));
            *claim = (*claim).max((number, story));
            let entry = self.by_id.get(id).and_then(|at| self.entries.get_mut(*at as usize));
            if let Some(entry) = entry {
                entry.story = claim.1;
            }
        }
    }

    /// Takes in a decision; one on an alert that is not there is passed over.
    pub fn decide(&mut self, id: AlertId, decision: Decision) {
        self.decided = self.decided.max(decision.number);
        let entry = self.by_id.get(&id).and_then(|at| self.entries.get_mut(*at as usize));
        if let Some(entry) = entry {
            entry.decisions.push(decision);
            entry.decisions.sort_by_key(|d| d.number);
        }
    }

    /// How many alerts there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// Lines known: what a page is asked for as of.
    pub fn lines(&self) -> u64 {
        self.lines
    }
    /// Number of the newest decision.
    pub fn decided(&self) -> u64 {
        self.decided
    }
    /// The alert.
    pub fn get(&self, id: AlertId) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(&id)? as usize)
    }
    /// All of them, in the order of their first lines as far as those came in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Looks an id or its first digits (at least [`PREFIX_MIN`]) up among the alerts that `sees`
    /// lets see.
    pub fn find(&self, prefix: &str, sees: &dyn Fn(&str) -> bool) -> Found {
        let prefix = prefix.to_ascii_lowercase();
        let hex = prefix.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || !(PREFIX_MIN..=32).contains(&prefix.len()) {
            return Found::None;
        }
        let pad = |fill: &str| AlertId::parse(&(prefix.clone() + &fill.repeat(32 - prefix.len())));
        let (Some(low), Some(high)) = (pad("0"), pad("f")) else { return Found::None };
        let found = self.by_id.range(low..=high);
        let ids: Vec<AlertId> = found
            .filter(|(id, _)| self.get(**id).is_some_and(|entry| self.is_seen(entry, sees)))
            .map(|(id, _)| *id)
            .take(SEVERAL_MAX)
            .collect();
        match ids.as_slice() {
            [] => Found::None,
            [one] => Found::One(*one),
            _ => Found::Several(ids),
        }
    }

    /// Every account that the alert names is seen: one that names others too would tell of them.
    pub fn is_seen(&self, entry: &Entry, sees: &dyn Fn(&str) -> bool) -> bool {
        self.accounts_of(entry).all(sees)
    }
    /// Accounts that it names, its own first; `name`, or `cloud/name` outside the public cloud.
    pub fn accounts_of<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a str> {
        std::iter::once(entry.account)
            .chain(entry.others.iter().copied())
            .map(|number| self.accounts.text(number))
    }
    /// `alertType`.
    pub fn kind(&self, entry: &Entry) -> &str {
        self.kinds.text(entry.kind)
    }
    /// Title for people.
    pub fn title(&self, entry: &Entry) -> &str {
        self.titles.text(entry.title)
    }
    /// The account it is filed under.
    pub fn account(&self, entry: &Entry) -> &str {
        self.accounts.text(entry.account)
    }
    /// Name of the principal; empty where the log has none.
    pub fn principal(&self, entry: &Entry) -> &str {
        self.principals.text(entry.principal)
    }
    /// Its object id; empty where the log has none.
    pub fn principal_id(&self, entry: &Entry) -> &str {
        self.principals.text(entry.principal_id)
    }
    /// What alerts of one story share.
    pub fn story(&self, entry: &Entry) -> &str {
        self.stories.text(entry.story)
    }
}

#[cfg(test)]
mod tests;
