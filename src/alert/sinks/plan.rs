//! Who is told what: routes, the fleet's budget of false alerts, updates, and the daily digest.
//! Pure: lines and the wall clock come in, messages for sinks come out.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::inventory::Inventory;
use super::line::Line;
use super::notice::{Change, Digest, Event, HeldBack, Notice};
use super::route;
use super::settings::{Routes, SinkSettings};
use crate::alert::words::clean;
use crate::detect::Severity;
use crate::profile::SeverityProfile;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Stories whose readers are remembered, newest first: an update goes to those who know the story.
const STORIES_MAX: usize = 4096;
/// Accounts that a digest counts by name.
const DIGEST_ACCOUNTS_MAX: usize = 200;
/// Held-back alerts that a digest names.
const DIGEST_RAREST_MAX: usize = 10;
/// Under which the accounts beyond that are counted.
const OTHERS: &str = "…";
/// What the status of an alert may be.
pub const STATUSES: [&str; 4] = ["Active", "InProgress", "Resolved", "Dismissed"];
/// Days in a week.
const WEEK_DAYS: f64 = 7.0;

/// What the planner needs of one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reader {
    name: String,
    all_alerts: bool,
    groups: bool,
    digest: bool,
}

/// Plans messages.
#[derive(Clone, Debug)]
pub struct Planner {
    routes: Routes,
    readers: Vec<Reader>,
    /// By alert type: its share of the severity budgets.
    shares: BTreeMap<String, f64>,
    inventory: Inventory,
    /// Accounts that are known to log.
    accounts: usize,
    state: PlanState,
}

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanState {
    /// Number of the next alert line; none: no line was ever planned.
    pub next: Option<u64>,
    /// Stories by id.
    stories: BTreeMap<String, Story>,
    /// Counts since the last digest.
    day: Digest,
}

/// Who knows a story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Story {
    /// Number of its newest line.
    number: u64,
    /// Its newest revision.
    revision: u32,
    /// Sinks that were told.
    told: BTreeSet<String>,
}

impl Planner {
    /// A planner that goes on from `state`.
    pub fn new(
        sinks: &[SinkSettings],
        routes: &Routes,
        severity: &SeverityProfile,
        inventory: Inventory,
        state: PlanState,
    ) -> Planner {
        let reader = |sink: &SinkSettings| Reader {
            name: sink.common.name.clone(),
            all_alerts: sink.common.all_alerts,
            groups: sink.groups(),
            digest: sink.digest(),
        };
        let weight = |w: f64| if w.is_finite() { w.max(0.0) } else { 0.0 };
        let total: f64 = severity.kinds.values().map(|kind| weight(kind.weight)).sum();
        let share = |w: f64| if total > 0.0 { weight(w) / total } else { 0.0 };
        Planner {
            routes: routes.clone(),
            readers: sinks.iter().map(reader).collect(),
            shares: severity.kinds.iter().map(|(k, v)| (k.clone(), share(v.weight))).collect(),
            inventory,
            accounts: 0,
            state,
        }
    }
    /// What must survive a restart.
    pub fn state(&self) -> &PlanState {
        &self.state
    }
    /// The accounts that there are.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }
    /// How many accounts log: false alerts grow with them.
    pub fn set_accounts(&mut self, accounts: usize) {
        self.accounts = accounts;
    }
    /// Lines before `number` are history that nobody is told of, unless lines were planned before.
    pub fn begin_at(&mut self, number: u64) {
        self.state.next.get_or_insert(number);
    }

    /// Lines from `number` on will be written: numbers beyond it belong to a state that is gone.
    pub fn rewind_to(&mut self, number: u64) {
        self.state.next = self.state.next.map(|next| next.min(number));
    }

    /// False alerts a week that the whole fleet would bring if every alert at least as rare as this
    /// one were pushed: p·r of the kind, over the kind's share of the budgets, for all accounts.
    /// 0 where the line does not say: what cannot be ranked is not hidden.
    pub fn a_week(&self, line: &Line) -> f64 {
        let fleet = self.accounts.max(self.inventory.len()).max(1) as f64;
        let share = self.shares.get(line.kind()).copied().filter(|share| *share > 0.0);
        line.nominal().unwrap_or(0.0) / share.unwrap_or(1.0) * fleet * WEEK_DAYS
    }

    /// It is worth telling at once. A listed address that is High is so by rule and not by rarity.
    fn is_pushed(&self, line: &Line) -> bool {
        let by_rule = line.extended("Severity basis") == "rule";
        (by_rule && line.severity() == Severity::High)
            || self.a_week(line) <= self.routes.false_alerts_per_week
    }

    /// Plans the alert line `text` of this number; lines that were planned already plan nothing.
    pub fn alert(&mut self, number: u64, text: &str, now: Timestamp) -> Vec<(String, Notice)> {
        if self.state.next.is_some_and(|next| number < next) {
            return Vec::new();
        }
        self.state.next = Some(number.saturating_add(1));
        let Some(line) = Line::parse(text).filter(|line| !line.is_quiet()) else {
            return Vec::new();
        };
        let pushed = self.is_pushed(&line);
        let fits = route::sinks(&self.routes.rules, &line, &self.inventory);
        let known = self.state.stories.get(line.id()).cloned();
        let first = known.is_none();
        let mut story = known.unwrap_or_default();
        let was_told = !story.told.is_empty();
        let (mut out, mut told_now) = (Vec::new(), false);
        for reader in &self.readers {
            let knows = story.told.contains(&reader.name);
            let fits = fits.as_ref().is_none_or(|names| names.contains(reader.name.as_str()));
            if !knows && !(fits && (pushed || reader.all_alerts)) {
                continue;
            }
            told_now |= knows || pushed;
            let change = if knows { Change::Update } else { Change::New };
            story.told.insert(reader.name.clone());
            out.push((reader.name.clone(), self.notice(reader, &line, text, change, now)));
        }
        if first || (told_now && !was_told) {
            self.count(&line, pushed, first);
        }
        (story.number, story.revision) = (number, line.revision());
        self.remember(line.id().to_owned(), story);
        out
    }

    /// Plans a change of status of the alert whose newest line is `text`: those who know the alert
    /// are told. A status that is none is no change.
    pub fn status(
        &mut self,
        text: &str,
        status: &str,
        reason: &str,
        now: Timestamp,
    ) -> Vec<(String, Notice)> {
        let Some(line) = Line::parse(text).filter(|_| STATUSES.contains(&status)) else {
            return Vec::new();
        };
        let Some(story) = self.state.stories.get(line.id()) else { return Vec::new() };
        let change = Change::Status { status: status.to_owned(), reason: clean(reason) };
        let knows = self.readers.iter().filter(|reader| story.told.contains(&reader.name));
        knows
            .map(|reader| {
                (reader.name.clone(), self.notice(reader, &line, text, change.clone(), now))
            })
            .collect()
    }

    /// The digest, when it is time for it.
    pub fn tick(&mut self, now: Timestamp) -> Vec<(String, Notice)> {
        let shift = i64::from(self.routes.digest_hour) * HOUR_MS;
        let due = Timestamp(now.millis() - shift).day() * DAY_MS + shift;
        if self.state.day.from == 0 {
            self.state.day.from = now.millis();
        }
        if self.state.day.from >= due {
            return Vec::new();
        }
        let fresh = Digest { from: now.millis(), ..Digest::default() };
        let mut digest = std::mem::replace(&mut self.state.day, fresh);
        digest.until = now.millis();
        let readers = self.readers.iter().filter(|reader| reader.digest);
        readers
            .map(|reader| {
                let notice = Notice {
                    key: format!("digest.{due}"),
                    at: now.millis(),
                    due: now.millis(),
                    group: String::new(),
                    event: Event::Digest(digest.clone()),
                };
                (reader.name.clone(), notice)
            })
            .collect()
    }

    fn notice(
        &self,
        reader: &Reader,
        line: &Line,
        text: &str,
        change: Change,
        now: Timestamp,
    ) -> Notice {
        let mut key = format!("{}.{}", clean(line.id()), line.revision());
        if let Change::Status { status, .. } = &change {
            // Two changes to one status are two messages.
            key = format!("{key}.{status}.{}", now.millis());
        }
        let wait = i64::from(self.routes.group_wait_seconds) * 1000;
        let (group, wait) = match reader.groups {
            true => (line.story(), wait),
            false => (String::new(), 0),
        };
        Notice {
            key,
            at: now.millis(),
            due: now.millis().saturating_add(wait),
            group,
            event: Event::Alert { change, line: text.to_owned() },
        }
    }

    fn count(&mut self, line: &Line, pushed: bool, first: bool) {
        let a_week = self.a_week(line);
        let day = &mut self.state.day;
        *(if pushed { &mut day.pushed } else { &mut day.held_back }) += 1;
        if !first {
            // It was held back, and rose since: it is counted under its other names already.
            day.held_back = day.held_back.saturating_sub(1);
            day.rarest.retain(|held| held.id != line.id());
            return;
        }
        let bump = |map: &mut BTreeMap<String, u64>, key: String, most: usize| {
            let key = if map.len() < most || map.contains_key(&key) { key } else { OTHERS.into() };
            *map.entry(key).or_default() += 1;
        };
        bump(&mut day.severities, line.severity().as_str().to_owned(), 3);
        bump(&mut day.kinds, clean(line.kind()), 64);
        bump(&mut day.accounts, clean(line.account()), DIGEST_ACCOUNTS_MAX);
        if pushed {
            return;
        }
        day.rarest.push(HeldBack {
            id: clean(line.id()),
            severity: line.severity().as_str().to_owned(),
            title: clean(line.text("alertDisplayName")),
            account: clean(line.account()),
            a_week,
        });
        day.rarest.sort_by(|a, b| a.a_week.total_cmp(&b.a_week).then_with(|| a.id.cmp(&b.id)));
        day.rarest.truncate(DIGEST_RAREST_MAX);
    }

    fn remember(&mut self, id: String, story: Story) {
        self.state.stories.insert(id, story);
        if self.state.stories.len() > STORIES_MAX {
            let oldest = self.state.stories.iter().min_by_key(|(id, story)| (story.number, *id));
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.state.stories.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
