//! One story a key: what opens a line, what raises it, what is only counted.
//!
//! A key is (account, kind, dedup text). A story is open until nothing was added for the quiet
//! time; it makes one line at opening and one at each rise of severity. The same key makes a new
//! story when severity rises after the close, or a week after the last line. All of it is decided
//! from the findings' own event times, so that the moment at which [`DeskState::close_quiet`] is
//! called never shows in the output.
use std::collections::BTreeMap;

use super::incident::Incidents;
use super::{Alert, AlertId, Marks};
use crate::detect::{AlertKind, Evidence, Finding, Severity};
use crate::event::Records;
use crate::ids::AccountId;
use crate::limits::CELL_MINUTES;
use crate::profile::TimeProfile;
use crate::severity::Grade;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// A volume finding that begins after an open story's last one and has this many times its excess
/// is another event, not more of the same.
const EXCESS_OF_ANOTHER_EVENT: f64 = 3.0;
/// Closed stories are kept this long, milliseconds, so that a finding that looks back over the
/// longest span cannot take the id of an earlier story.
const CLOSED_KEPT_MS: i64 = 9 * DAY_MS;

/// Who numbers the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The account's own model.
    Account,
    /// The tenant model, per account under which it files.
    Tenant,
}

/// Position of a finding in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The lane.
    pub lane: Lane,
    /// Ascending within (lane, account); `None` for an early verdict, which its definitive one
    /// will repeat and which no redelivery brings back.
    pub number: Option<u64>,
}

/// What tells stories apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoryKey {
    /// Filed under this account.
    pub account: AccountId,
    /// Kind of alert.
    pub kind: AlertKind,
    /// Principal or network, country, shape.
    pub dedup: String,
}

impl StoryKey {
    /// The story that a finding belongs to.
    pub fn of(finding: &Finding) -> StoryKey {
        StoryKey {
            account: finding.account.clone(),
            kind: finding.kind,
            dedup: finding.dedup.clone(),
        }
    }
}

/// One story, open or lately closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its alert.
    pub(crate) id: AlertId,
    /// Start of its window, part of the id.
    pub(crate) window: Timestamp,
    /// When its first finding was decided.
    pub(crate) opened: Timestamp,
    /// When the finding of its last line was decided.
    pub(crate) last_line: Timestamp,
    /// When its last finding was decided.
    pub(crate) last: Timestamp,
    /// First event.
    pub(crate) start: Timestamp,
    /// Last event.
    pub(crate) end: Timestamp,
    /// Highest severity printed.
    pub(crate) severity: Severity,
    /// Lines so far.
    pub(crate) revision: u32,
    /// Findings so far.
    pub(crate) findings: u64,
    /// Largest excess in bytes (volume only, else 0).
    pub(crate) excess: f64,
    /// Records that stand for all its findings.
    pub(crate) records: Records,
}

/// What the desk remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeskState {
    pub(crate) stories: BTreeMap<StoryKey, Story>,
    /// Last sequence seen in a lane of an account.
    pub(crate) seen: BTreeMap<(Lane, AccountId), u64>,
    /// What was raised lately, to be tied together.
    pub(crate) incidents: Incidents,
}

/// What came of a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum DeskOutcome {
    /// A new story: write a line.
    Opened(Box<Alert>),
    /// Severity rose: write a line with the same id and a higher revision.
    Raised(Box<Alert>),
    /// Added to its story, no line.
    Counted(AlertId),
    /// Its sequence was seen before: a redelivery.
    Ignored,
}

impl DeskOutcome {
    /// The alert to write, if any.
    pub fn alert(&self) -> Option<&Alert> {
        match self {
            DeskOutcome::Opened(alert) | DeskOutcome::Raised(alert) => Some(alert),
            DeskOutcome::Counted(_) | DeskOutcome::Ignored => None,
        }
    }
}

impl DeskState {
    /// Takes one graded finding. Findings of one (lane, account) come in the order of their
    /// sequence.
    pub fn apply(
        &mut self,
        finding: Finding,
        grade: Grade,
        sequence: Sequence,
        rules: &TimeProfile,
    ) -> DeskOutcome {
        if !self.is_new(&finding.account, sequence) {
            return DeskOutcome::Ignored;
        }
        let key = StoryKey::of(&finding);
        let previous = self.stories.get_mut(&key);
        let verdict = judge(previous.as_deref(), &finding, &grade, rules);
        match (verdict, previous) {
            (Verdict::Count, Some(story)) => {
                story.add(&finding);
                DeskOutcome::Counted(story.id)
            }
            (Verdict::CountClosed, Some(story)) => {
                // A closed story stays closed: the finding is counted and nothing else.
                story.findings = story.findings.saturating_add(1);
                DeskOutcome::Counted(story.id)
            }
            (Verdict::Raise, Some(story)) => {
                story.add(&finding);
                story.severity = grade.severity;
                story.revision = story.revision.saturating_add(1);
                story.last_line = finding.decided;
                DeskOutcome::Raised(Box::new(story.alert(finding, grade)))
            }
            (_, previous) => {
                let story = Story::open(&finding, &grade, previous.map(|p| p.window));
                let alert = story.alert(finding, grade);
                self.stories.insert(key, story);
                DeskOutcome::Opened(Box::new(alert))
            }
        }
    }

    /// Forgets stories that can matter to no finding decided at `now` or later; returns how many.
    pub fn close_quiet(&mut self, now: Timestamp, rules: &TimeProfile) -> usize {
        let before = self.stories.len();
        let kept = quiet_ms(rules).max(again_ms(rules)).max(CLOSED_KEPT_MS);
        self.stories.retain(|_, story| now.since(story.last) < kept);
        self.incidents.forget(now);
        before - self.stories.len()
    }

    /// Every story that is remembered, ascending by key.
    pub fn stories(&self) -> impl Iterator<Item = (&StoryKey, &Story)> {
        self.stories.iter()
    }

    /// Stories that are open at `now`.
    pub fn open_stories(&self, now: Timestamp, rules: &TimeProfile) -> usize {
        self.stories.values().filter(|s| now.since(s.last) < quiet_ms(rules)).count()
    }

    /// Findings of the story of `id` so far; `None` when it is forgotten.
    pub fn findings_of(&self, id: AlertId) -> Option<u64> {
        self.stories.values().find(|s| s.id == id).map(|s| s.findings)
    }

    /// The last number seen of an account's own findings.
    pub fn last_seen(&self, account: &AccountId) -> Option<u64> {
        self.seen.get(&(Lane::Account, account.clone())).copied()
    }

    /// Which findings of one tick were not seen before, whatever their order: those of one lane and
    /// account may be sorted by what they found. All of them count as seen from now on.
    pub fn unseen<'a>(
        &mut self,
        findings: impl Iterator<Item = (Lane, &'a AccountId, u64)> + Clone,
    ) -> Vec<bool> {
        let last = |seen: &BTreeMap<(Lane, AccountId), u64>, lane, account: &AccountId| {
            seen.get(&(lane, account.clone())).copied()
        };
        let new = findings.clone().map(|(lane, account, number)| {
            last(&self.seen, lane, account).is_none_or(|last| number > last)
        });
        let new: Vec<bool> = new.collect();
        for (lane, account, number) in findings {
            let seen = self.seen.entry((lane, account.clone())).or_insert(number);
            *seen = (*seen).max(number);
        }
        new
    }

    fn is_new(&mut self, account: &AccountId, sequence: Sequence) -> bool {
        let Some(number) = sequence.number else { return true };
        let lane = (sequence.lane, account.clone());
        match self.seen.get_mut(&lane) {
            Some(last) if number <= *last => false,
            Some(last) => {
                *last = number;
                true
            }
            None => {
                self.seen.insert(lane, number);
                true
            }
        }
    }
}

enum Verdict {
    Open,
    Raise,
    Count,
    CountClosed,
}

fn judge(story: Option<&Story>, finding: &Finding, grade: &Grade, rules: &TimeProfile) -> Verdict {
    let Some(story) = story else { return Verdict::Open };
    let rises = grade.severity > story.severity;
    if finding.decided.since(story.last_line) >= again_ms(rules) {
        return Verdict::Open;
    }
    if finding.start > story.end && excess(finding) > EXCESS_OF_ANOTHER_EVENT * story.excess {
        return Verdict::Open;
    }
    let closed = finding.decided.since(story.last) >= quiet_ms(rules);
    match (rises, closed) {
        (true, true) => Verdict::Open,
        (true, false) => Verdict::Raise,
        (false, true) => Verdict::CountClosed,
        (false, false) => Verdict::Count,
    }
}

impl Story {
    /// Identity of its alert.
    pub fn id(&self) -> AlertId {
        self.id
    }
    /// First and last event.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        (self.start, self.end)
    }
    /// Records that stand for all its findings: first, last and an even sample, each inside the
    /// span or in the cell at its end.
    pub fn records(&self) -> &Records {
        &self.records
    }

    fn open(finding: &Finding, grade: &Grade, previous: Option<Timestamp>) -> Story {
        let (start, end) = span(finding.kind, finding.start, finding.end);
        // The hour, so that an early verdict on half of a minute has the id of the definitive one;
        // never the window of an earlier story of the same key.
        let hour = Timestamp::of_hour(start.hour());
        let window = previous.map_or(hour, |p| hour.max(p.plus_ms(HOUR_MS)));
        Story {
            id: AlertId::new(finding.kind, &finding.account, &finding.dedup, window),
            window,
            opened: finding.decided,
            last_line: finding.decided,
            last: finding.decided,
            start,
            end,
            severity: grade.severity,
            revision: 1,
            findings: 1,
            excess: excess(finding),
            records: finding.records.clone(),
        }
    }

    fn add(&mut self, finding: &Finding) {
        let (start, end) =
            span(finding.kind, self.start.min(finding.start), self.end.max(finding.end));
        (self.start, self.end) = (start, end);
        self.last = self.last.max(finding.decided);
        self.findings = self.findings.saturating_add(1);
        self.excess = self.excess.max(excess(finding));
        self.records.merge(&finding.records);
        self.records.forget_before(self.start.plus_ms(-CELL_MINUTES * MINUTE_MS));
    }

    fn alert(&self, mut finding: Finding, grade: Grade) -> Alert {
        (finding.start, finding.end) = (self.start, self.end);
        finding.records = self.records.clone();
        Alert {
            id: self.id,
            revision: self.revision,
            finding,
            grade,
            opened: self.opened,
            findings: self.findings,
            warm_up: false,
            marks: Marks::default(),
        }
    }
}

/// A span that fits the contract: end not before start, and no longer than the kind's limit (the
/// late part is kept: it is what was judged).
fn span(kind: AlertKind, start: Timestamp, end: Timestamp) -> (Timestamp, Timestamp) {
    let end = end.max(start);
    (start.max(end.plus_ms(-Alert::span_max_ms(kind))), end)
}

fn excess(finding: &Finding) -> f64 {
    match &finding.evidence {
        Evidence::Volume(v) if (v.observed - v.expected).is_finite() => {
            (v.observed - v.expected).max(0.0)
        }
        _ => 0.0,
    }
}

fn quiet_ms(rules: &TimeProfile) -> i64 {
    rules.alert_quiet_hours.max(0).saturating_mul(HOUR_MS)
}

fn again_ms(rules: &TimeProfile) -> i64 {
    rules.alert_again_days.max(0).saturating_mul(DAY_MS)
}

#[cfg(test)]
mod tests;
