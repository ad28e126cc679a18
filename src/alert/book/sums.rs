//! What many alerts say together: stories, callers, and where it is odd.
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::page::Compiled;
use super::{AlertBook, Entry, Filter};
use crate::alert::AlertId;
use crate::detect::Severity;
use crate::time::{HOUR_MS, Timestamp};

/// Alerts that share a correlation key.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The key.
    pub key: String,
    /// Its alerts, first opened first.
    pub alerts: Vec<AlertId>,
    /// Accounts named, ascending.
    pub accounts: Vec<String>,
    /// Highest severity.
    pub severity: Severity,
    /// Span.
    pub start: Timestamp,
    /// See `start`.
    pub end: Timestamp,
    /// Alerts that are not done with.
    pub open: usize,
}

/// A caller's address in the alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The address.
    pub ip: IpAddr,
    /// Alerts that name it.
    pub alerts: u64,
    /// Of these, not done with.
    pub open: u64,
    /// Accounts, ascending.
    pub accounts: Vec<String>,
    /// Highest severity.
    pub severity: Severity,
    /// First and last moment.
    pub first: Timestamp,
    /// See `first`.
    pub last: Timestamp,
}

/// What rows of the heat are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeatBy {
    /// Accounts.
    Account,
    /// `alertType`s.
    Kind,
    /// Principals.
    Principal,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatRow {
    /// What.
    pub name: String,
    /// Alerts in it.
    pub alerts: u64,
    /// A cell a column: alerts, highest severity, rarest p·r.
    pub cells: Vec<Option<(u64, Severity, f64)>>,
}

/// Where and when it was odd.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Start of the first column.
    pub from: Timestamp,
    /// Milliseconds a column.
    pub step_ms: i64,
    /// Columns.
    pub columns: usize,
    /// Rows with most and gravest first.
    pub rows: Vec<HeatRow>,
    /// Rows that the limit left out.
    pub left_out: usize,
}

/// Most columns: a cell stays large enough to be hit.
const COLUMNS_MAX: i64 = 28;

impl AlertBook {
    /// What the filter lets pass, as it stands now.
    pub fn matching<'a>(
        &'a self,
        filter: &'a Filter,
        sees: &dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = &'a Entry> {
        let compiled = Compiled::new(self, filter, self.lines, sees);
        self.entries.iter().filter(move |entry| compiled.admit(entry).is_some())
    }

    /// Stories, the gravest and then the latest first.
    pub fn stories(&self, open: bool, limit: usize, sees: &dyn Fn(&str) -> bool) -> Vec<Story> {
        let everything = Filter::default();
        let mut stories: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in self.matching(&everything, sees) {
            stories.entry(entry.story).or_default().push(entry);
        }
        let mut stories: Vec<Story> = stories
            .into_values()
            .filter(|entries| !open || entries.iter().any(|entry| entry.is_open()))
            .map(|entries| self.story_of(entries))
            .collect();
        stories.sort_by(|a, b| {
            (b.severity, b.end).cmp(&(a.severity, a.end)).then_with(|| a.key.cmp(&b.key))
        });
        stories.truncate(limit);
        stories
    }

    fn story_of(&self, mut entries: Vec<&Entry>) -> Story {
        entries.sort_by_key(|entry| (entry.first().at, entry.first().number));
        let mut accounts: Vec<String> =
            entries.iter().flat_map(|e| self.accounts_of(e)).map(str::to_owned).collect();
        accounts.sort();
        accounts.dedup();
        Story {
            key: entries.first().map_or_else(String::new, |e| self.story(e).to_owned()),
            alerts: entries.iter().map(|e| e.id).collect(),
            accounts,
            // An incident may be graver than any of its alerts.
            severity: entries
                .iter()
                .filter_map(|entry| self.incidents.get(&entry.story))
                .fold(severity(&entries), |gravest, incident| gravest.max(*incident)),
            start: entries.iter().map(|e| e.start).min().unwrap_or_default(),
            end: entries.iter().map(|e| e.end).max().unwrap_or_default(),
            open: entries.iter().filter(|e| e.is_open()).count(),
        }
    }

    /// Callers that alerts name, those with most first.
    pub fn callers(&self, filter: &Filter, sees: &dyn Fn(&str) -> bool) -> Vec<Caller> {
        let mut callers: BTreeMap<IpAddr, Vec<&Entry>> = BTreeMap::new();
        for entry in self.matching(filter, sees) {
            if let Some(ip) = entry.ip {
                callers.entry(ip).or_default().push(entry);
            }
        }
        let mut callers: Vec<Caller> = callers
            .into_iter()
            .map(|(ip, entries)| {
                let story = self.story_of(entries.clone());
                Caller {
                    ip,
                    alerts: entries.len() as u64,
                    open: story.open as u64,
                    accounts: story.accounts,
                    severity: story.severity,
                    first: story.start,
                    last: story.end,
                }
            })
            .collect();
        callers.sort_by(|a, b| {
            (b.severity, b.alerts).cmp(&(a.severity, a.alerts)).then_with(|| a.ip.cmp(&b.ip))
        });
        callers
    }

    /// Alerts by row and time between `from` and `to`.
    pub fn heat(
        &self,
        (from, to): (Timestamp, Timestamp),
        by: HeatBy,
        limit: usize,
        sees: &dyn Fn(&str) -> bool,
    ) -> Heat {
        let hours = to.since(from).max(1).div_euclid(HOUR_MS).saturating_add(1);
        let step_ms = (hours.saturating_add(COLUMNS_MAX - 1) / COLUMNS_MAX).saturating_mul(HOUR_MS);
        let columns = (to.since(from).max(1).saturating_sub(1) / step_ms + 1) as usize;
        let filter = Filter { from: Some(from), to: Some(to), ..Filter::default() };
        let mut rows: BTreeMap<&str, HeatRow> = BTreeMap::new();
        for entry in self.matching(&filter, sees) {
            let name = match by {
                HeatBy::Account => self.account(entry),
                HeatBy::Kind => self.kind(entry),
                HeatBy::Principal => self.principal(entry),
            };
            if name.is_empty() {
                continue;
            }
            let row = rows.entry(name).or_insert_with(|| HeatRow {
                name: name.to_owned(),
                alerts: 0,
                cells: vec![None; columns],
            });
            row.alerts += 1;
            let at = (entry.first().at.since(from) / step_ms) as usize;
            let newest = entry.newest();
            if let Some(cell) = row.cells.get_mut(at) {
                let (n, severity, rarest) = cell.unwrap_or((0, newest.severity, f64::INFINITY));
                let rarest = rarest.min(newest.per_day);
                *cell = Some((n + 1, severity.max(newest.severity), rarest));
            }
        }
        let mut rows: Vec<HeatRow> = rows.into_values().collect();
        let gravest = |row: &HeatRow| row.cells.iter().flatten().map(|cell| cell.1).max();
        rows.sort_by(|a, b| {
            (gravest(b), b.alerts).cmp(&(gravest(a), a.alerts)).then_with(|| a.name.cmp(&b.name))
        });
        let left_out = rows.len().saturating_sub(limit);
        rows.truncate(limit);
        Heat { from, step_ms, columns, rows, left_out }
    }
}

fn severity(entries: &[&Entry]) -> Severity {
    entries.iter().map(|e| e.newest().severity).max().unwrap_or(Severity::Low)
}
