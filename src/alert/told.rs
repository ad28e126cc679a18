//! What was told of each alert, so that nothing is told twice.
//!
//! An early verdict speaks while its cells are open; the definitive one comes when they are closed,
//! from a state that knows nothing of the early one, so that what is learnt and judged never depends
//! on when somebody looked. Here the two meet: the definitive verdict confirms what was told, or
//! refines it by one more revision. And a process that was killed raises once more what it had told
//! since its last checkpoint: that is recognised by the revision that the desk gave it.
use std::collections::{BTreeMap, BTreeSet};

use super::{Alert, AlertId};
use crate::detect::Severity;
use crate::time::{DAY_MS, Timestamp};

/// Alerts are remembered for so long of event time: longer than the desk remembers stories, so that
/// logs which come once more months later tell nothing anew.
const KEPT_MS: i64 = 400 * DAY_MS;
/// Alerts remembered at most; the oldest give way.
const KEPT_MAX: usize = 65_536;

/// What was told of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Last revision that the desk gave it; 0 if only early verdicts were told.
    pub definitive: u32,
    /// Last revision told.
    pub revision: u32,
    /// Severity told last.
    pub severity: Severity,
    /// When what was told last was decided.
    pub decided: Timestamp,
}

/// What was told of each alert.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    told: BTreeMap<AlertId, Told>,
    changed: BTreeSet<AlertId>,
    /// Alerts that nothing is known of are noted.
    notes_all: bool,
}

impl Ledger {
    /// One that goes on from what was kept.
    pub fn restore(told: impl IntoIterator<Item = (AlertId, Told)>) -> Ledger {
        Ledger { told: told.into_iter().collect(), ..Ledger::default() }
    }

    /// From now on every alert is noted. Before, only those are that something is known of: a run
    /// without early verdicts tells each alert once by itself.
    pub fn note_all(&mut self) {
        self.notes_all = true;
    }

    /// What is to be told of a definitive verdict's alert, with the revision to tell it under.
    pub fn definitive(&mut self, mut alert: Alert) -> Option<Alert> {
        let before = self.told.get(&alert.id).copied();
        if before.is_none() && !self.notes_all {
            return Some(alert);
        }
        if before.is_some_and(|told| alert.revision <= told.definitive) {
            return None;
        }
        let definitive = alert.revision;
        let confirms = before.is_some_and(|told| told.severity == alert.grade.severity);
        let revision = before.map_or(definitive, |told| told.revision + u32::from(!confirms));
        self.note(&alert, definitive, revision);
        alert.revision = revision;
        (!confirms).then_some(alert)
    }

    /// What is to be told of an early verdict's alert: what is new, or more severe than what was
    /// told.
    pub fn early(&mut self, mut alert: Alert) -> Option<Alert> {
        let before = self.told.get(&alert.id).copied();
        if before.is_some_and(|told| alert.grade.severity <= told.severity) {
            return None;
        }
        alert.revision = before.map_or(1, |told| told.revision + 1);
        self.note(&alert, before.map_or(0, |told| told.definitive), alert.revision);
        Some(alert)
    }

    fn note(&mut self, alert: &Alert, definitive: u32, revision: u32) {
        let (severity, decided) = (alert.grade.severity, alert.finding.decided);
        self.told.insert(alert.id, Told { definitive, revision, severity, decided });
        self.changed.insert(alert.id);
    }

    /// Forgets what is too old at `now`, and the oldest beyond the bound.
    pub fn forget(&mut self, now: Timestamp) {
        let mut gone: Vec<AlertId> = Vec::new();
        let old = |told: &Told| now.since(told.decided) > KEPT_MS;
        gone.extend(self.told.iter().filter(|(_, told)| old(told)).map(|(id, _)| *id));
        if self.told.len() > KEPT_MAX {
            let mut by_age: Vec<_> = self.told.iter().map(|(id, t)| (t.decided, *id)).collect();
            by_age.sort_unstable();
            gone.extend(by_age.iter().take(self.told.len() - KEPT_MAX).map(|(_, id)| *id));
        }
        for id in gone {
            self.told.remove(&id);
            self.changed.insert(id);
        }
    }

    /// What changed since the last time; `None`: it is forgotten.
    pub fn take_changes(&mut self) -> Vec<(AlertId, Option<Told>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| (id, self.told.get(&id).copied())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing;
    use crate::detect::AlertKind;

    fn alert(revision: u32, severity: Severity) -> Alert {
        let mut alert = testing::alert(AlertKind::TorAnomaly);
        alert.revision = revision;
        alert.grade.severity = severity;
        alert
    }

    fn lines(told: [Option<Alert>; 4]) -> Vec<(u32, Severity)> {
        told.into_iter().flatten().map(|a| (a.revision, a.grade.severity)).collect()
    }

    #[test]
    fn an_early_verdict_is_confirmed_in_silence_and_refined_by_a_revision() {
        use Severity::{High, Low, Medium};
        let mut ledger = Ledger::default();
        ledger.note_all();
        let told = [
            ledger.early(alert(1, Medium)),
            ledger.early(alert(1, Medium)),
            ledger.definitive(alert(1, Medium)),
            ledger.definitive(alert(2, High)),
        ];
        assert_eq!(lines(told), [(1, Medium), (2, High)]);
        let mut ledger = Ledger::default();
        ledger.note_all();
        let told = [
            ledger.early(alert(1, High)),
            ledger.definitive(alert(1, Low)),
            ledger.early(alert(1, Medium)),
            ledger.definitive(alert(2, Medium)),
        ];
        assert_eq!(lines(told), [(1, High), (2, Low), (3, Medium)]);
    }

    #[test]
    fn what_is_raised_once_more_after_a_kill_is_not_told_again() {
        use Severity::{High, Low};
        let mut ledger = Ledger::default();
        ledger.note_all();
        ledger.definitive(alert(1, Low));
        ledger.definitive(alert(2, High));
        let kept = ledger.take_changes().into_iter().map(|(id, told)| (id, told.unwrap()));
        let mut ledger = Ledger::restore(kept.collect::<Vec<_>>());
        let told = [
            ledger.definitive(alert(1, Low)),
            ledger.early(alert(1, Low)),
            ledger.definitive(alert(2, High)),
            None,
        ];
        assert_eq!(lines(told), []);
        assert!(ledger.take_changes().is_empty());
        let first = alert(1, Low);
        ledger.forget(first.finding.decided.plus_ms(KEPT_MS + 1));
        assert_eq!(ledger.take_changes(), [(first.id, None)]);
        assert_eq!(ledger.definitive(first.clone()), Some(first), "as without a ledger");
        assert!(ledger.take_changes().is_empty());
    }
}
