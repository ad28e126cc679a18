//! The alert desk: one actor that turns graded findings into alert lines. It hears at ticks, in
//! sorted order, so that neither threads nor batches can change what it writes.
use std::collections::BTreeMap;

use actix::prelude::*;

use super::dedup::{DeskOutcome, DeskState, Lane, Sequence, StoryKey};
use super::kept::Touched;
use super::rules::{Decision, Ledger, Subject};
use super::{Alert, AlertId};
use crate::account::message::Graded;
use crate::detect::AlertKind;
use crate::profile::TimeProfile;
use crate::time::Timestamp;

/// The actor.
pub struct DeskActor {
    state: DeskState,
    rules: TimeProfile,
    /// What people decided.
    ledger: Ledger,
    /// Stories that took findings since the last [`TakeTouched`], those forgotten since included.
    touched: BTreeMap<AlertId, Touched>,
}

impl DeskActor {
    /// A desk that goes on from `state`, with what people decided so far.
    pub fn new(state: DeskState, rules: TimeProfile, ledger: Ledger) -> DeskActor {
        DeskActor { state, rules, ledger, touched: BTreeMap::new() }
    }

    /// Notes what a story rests on now: it may be forgotten, or replaced by the next one of its
    /// key, before anybody asks.
    fn touch(&mut self, key: &StoryKey) {
        if let Some(story) = self.state.stories.get(key) {
            let (account, records) = (key.account.clone(), story.records().clone());
            let touched = Touched { account, start: story.span().0, records };
            self.touched.insert(story.id(), touched);
            self.state.incidents.stretch(&key.account, story.id(), story.span().1);
        }
    }
}

/// Marks an alert that goes out: by the decisions that cover it, else with its incident.
fn mark(ledger: &Ledger, state: &mut DeskState, alert: &mut Alert) {
    alert.marks.silenced = ledger.marks(&Subject::of(alert));
    if !alert.marks.is_silenced() {
        alert.marks.incident = state.incidents.join(alert);
    }
}

impl Actor for DeskActor {
    type Context = Context<Self>;
}

/// Findings of one tick.
#[derive(Message)]
#[rtype(result = "Vec<Alert>")]
pub struct DeskTick {
    /// By (decided, account, kind, sequence).
    pub findings: Vec<(Lane, Graded)>,
    /// The watermark: stories that were quiet long enough are closed.
    pub watermark: Timestamp,
    /// Early verdicts: their definitive ones will come with the same sequence numbers.
    pub early: bool,
}

impl Handler<DeskTick> for DeskActor {
    type Result = Vec<Alert>;

    fn handle(&mut self, tick: DeskTick, _: &mut Self::Context) -> Self::Result {
        let mut alerts = Vec::new();
        let numbered = tick.findings.iter().map(|(l, g)| (*l, &g.finding.account, g.sequence));
        let new =
            if tick.early { vec![true; tick.findings.len()] } else { self.state.unseen(numbered) };
        for ((lane, graded), _) in tick.findings.into_iter().zip(new).filter(|(_, new)| *new) {
            let sequence = Sequence { lane, number: None };
            let sweep = graded.finding.kind == AlertKind::MaliciousScript;
            let later = sweep.then(|| graded.finding.clone());
            let key = StoryKey::of(&graded.finding);
            let outcome = self.state.apply(graded.finding, graded.grade, sequence, &self.rules);
            if outcome != DeskOutcome::Ignored {
                self.touch(&key);
            }
            if let (DeskOutcome::Counted(id), Some(later)) = (&outcome, later)
                && let Some(alert) = alerts.iter_mut().find(|a: &&mut Alert| a.id == *id)
            {
                alert.widen(later);
            }
            alerts.extend(outcome.alert().cloned());
        }
        // Only now: a sweep may have widened to more accounts.
        alerts.iter_mut().for_each(|alert| mark(&self.ledger, &mut self.state, alert));
        self.state.close_quiet(tick.watermark, &self.rules);
        alerts
    }
}

/// Asks what findings would come to by now, without taking them in: early verdicts, sorted like
/// those of a tick.
#[derive(Message)]
#[rtype(result = "Vec<Alert>")]
pub struct Preview(pub Vec<(Lane, Graded)>);

impl Handler<Preview> for DeskActor {
    type Result = Vec<Alert>;

    fn handle(&mut self, early: Preview, _: &mut Self::Context) -> Self::Result {
        let mut copy = self.state.clone();
        let findings = early.0.into_iter();
        let outcomes = findings.map(|(lane, graded)| {
            let sequence = Sequence { lane, number: None };
            copy.apply(graded.finding, graded.grade, sequence, &self.rules)
        });
        let mut alerts: Vec<Alert> =
            outcomes.filter_map(|outcome| outcome.alert().cloned()).collect();
        alerts.iter_mut().for_each(|alert| mark(&self.ledger, &mut copy, alert));
        alerts
    }
}

/// A decision that was recorded.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Decide(pub Decision);

impl Handler<Decide> for DeskActor {
    type Result = ();

    fn handle(&mut self, Decide(decision): Decide, _: &mut Self::Context) {
        self.ledger.push(decision);
    }
}

/// Asks for a copy of the state, for the checkpoint.
#[derive(Message)]
#[rtype(result = "DeskState")]
pub struct CopyDesk;

impl Handler<CopyDesk> for DeskActor {
    type Result = MessageResult<CopyDesk>;

    fn handle(&mut self, _: CopyDesk, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.clone())
    }
}

/// Takes the records of the stories that took findings since the last time, for the checkpoint.
#[derive(Message)]
#[rtype(result = "BTreeMap<AlertId, Touched>")]
pub struct TakeTouched;

impl Handler<TakeTouched> for DeskActor {
    type Result = MessageResult<TakeTouched>;

    fn handle(&mut self, _: TakeTouched, _: &mut Self::Context) -> Self::Result {
        MessageResult(std::mem::take(&mut self.touched))
    }
}
