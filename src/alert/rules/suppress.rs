//! Rules that silence: alerts that fit one are kept and counted, and nobody is notified.
use std::collections::BTreeMap;

use super::{Filter, Subject, up_to};
use crate::alert::AlertId;
use crate::detect::Severity;
use crate::time::{DAY_MS, Timestamp};

/// A rule that lasts longer than this is noted, milliseconds.
pub const LONG_MS: i64 = 90 * DAY_MS;
/// Hits are counted over this span, milliseconds.
pub const HITS_MS: i64 = 90 * DAY_MS;
/// Alert ids that a simulation names; more are counted.
pub const SIMULATED_IDS_MAX: usize = 200;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which alerts.
    pub filter: Filter,
    /// Up to this severity only; `None`: whatever severity.
    pub up_to: Option<Severity>,
    /// First event time at which it no longer works.
    pub until: Timestamp,
}

impl Rule {
    /// It silences this alert, as far as it works at the time.
    pub fn covers(&self, subject: &Subject) -> bool {
        up_to(subject.severity, self.up_to) && self.filter.fits(subject)
    }
    /// It reaches beyond one account.
    pub fn is_broad(&self) -> bool {
        !self.filter.is_of_one_account()
    }
    /// It lasts longer than 90 days from `from` on.
    pub fn is_long(&self, from: Timestamp) -> bool {
        self.until.since(from) > LONG_MS
    }
}

/// How often a rule was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Alerts in the 90 days before `now`, each counted once whatever its revisions.
    pub alerts: u64,
    /// The last one, in event time, however long ago.
    pub last: Option<Timestamp>,
}

/// Hits of every decision by name, of all lines that are kept.
pub fn hits<'a>(
    subjects: impl IntoIterator<Item = &'a Subject>,
    now: Timestamp,
) -> BTreeMap<String, Hits> {
    let mut met: BTreeMap<&str, BTreeMap<AlertId, Timestamp>> = BTreeMap::new();
    for subject in subjects {
        for name in &subject.silenced_by {
            let last = met.entry(name).or_default().entry(subject.id).or_insert(subject.raised);
            *last = (*last).max(subject.raised);
        }
    }
    let recent = |at: &&Timestamp| now.since(**at) < HITS_MS;
    let count = |alerts: &BTreeMap<AlertId, Timestamp>| Hits {
        alerts: alerts.values().filter(recent).count() as u64,
        last: alerts.values().max().copied(),
    };
    met.iter().map(|(name, alerts)| ((*name).to_owned(), count(alerts))).collect()
}

/// What a rule would have silenced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Alerts that were looked at.
    pub of: u64,
    /// Alerts that it covers.
    pub alerts: u64,
    /// These by kind.
    pub kinds: BTreeMap<String, u64>,
    /// By highest severity.
    pub severities: BTreeMap<String, u64>,
    /// By account.
    pub accounts: BTreeMap<String, u64>,
    /// Newest first, at most 200.
    pub ids: Vec<AlertId>,
}

/// Holds a rule against alerts that are kept, as if it had worked from the first one until it ends.
/// An alert counts when every revision of it is covered: one that rises out of the rule is told.
pub fn simulate<'a>(rule: &Rule, subjects: impl IntoIterator<Item = &'a Subject>) -> Simulation {
    let mut alerts: BTreeMap<AlertId, (&Subject, bool)> = BTreeMap::new();
    for subject in subjects {
        let covered = subject.raised < rule.until && rule.covers(subject);
        let (newest, all) = alerts.entry(subject.id).or_insert((subject, true));
        *all &= covered;
        if subject.revision >= newest.revision {
            *newest = subject;
        }
    }
    let mut simulation = Simulation { of: alerts.len() as u64, ..Simulation::default() };
    let mut covered: Vec<&Subject> =
        alerts.into_values().filter(|(_, all)| *all).map(|(newest, _)| newest).collect();
    covered.sort_by_key(|s| (std::cmp::Reverse(s.raised), s.id));
    simulation.alerts = covered.len() as u64;
    for subject in &covered {
        *simulation.kinds.entry(subject.kind.alert_type().to_owned()).or_default() += 1;
        *simulation.severities.entry(subject.severity.as_str().to_owned()).or_default() += 1;
        for account in &subject.accounts {
            *simulation.accounts.entry(account.clone()).or_default() += 1;
        }
    }
    simulation.ids = covered.iter().take(SIMULATED_IDS_MAX).map(|s| s.id).collect();
    simulation
}
