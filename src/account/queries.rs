//! Closing the queries of a cell: judged against the account's own, then taught.
use super::message::{Context, Outcome, SurpriseLane};
use super::model::AccountModel;
use crate::baseline::cell::Cell;
use crate::baseline::query_shapes::{QueryObservation, QueryShapes};
use crate::detect::{QueryContext, fuzzing, injection};
use crate::time::{HOUR_MS, Timestamp};

impl AccountModel {
    /// Judges and teaches the queries of a closed cell.
    pub(super) fn close_queries(
        &mut self,
        minute: i64,
        cell: &Cell,
        cx: &Context,
        out: &mut Outcome,
    ) {
        self.judge_bursts(minute, cell, false, cx, out);
        let rules = (cx.profile.queries.quarantine_p, cx.profile.queries.quarantine_days);
        self.errors.learn(minute, cell, rules, &cx.profile.queries.burst);
        let texts = cell.queries.as_ref().is_some_and(|q| q.texts > 0);
        if self.shapes.is_none() && !texts {
            return;
        }
        let mut shapes = self.shapes.take().unwrap_or_default();
        let observations = shapes.assess(minute, cell, false, &cx.profile.queries);
        let odd = self.judge_queries(&observations, cx, out);
        let judged: Vec<_> = observations.iter().zip(odd).collect();
        shapes.learn(minute, cell, &judged, &cx.profile.queries);
        self.shapes = Some(shapes);
    }

    /// Queries that came after their cell had closed.
    pub(super) fn close_late_queries(
        &mut self,
        minute: i64,
        cell: &Cell,
        cx: &Context,
        out: &mut Outcome,
    ) {
        self.judge_bursts(minute, cell, true, cx, out);
        if cell.queries.as_ref().is_none_or(|q| q.texts == 0) {
            return;
        }
        let mut shapes = self.shapes.take().unwrap_or_default();
        let observations = shapes.assess(minute, cell, true, &cx.profile.queries);
        self.finish_queries(&mut shapes, minute, &observations, cx, out);
        self.shapes = Some(shapes);
    }

    /// Queries whose request did not come.
    pub(super) fn close_waiting_queries(&mut self, minute: i64, cx: &Context, out: &mut Outcome) {
        let Some(mut shapes) = self.shapes.take() else { return };
        let observations = shapes.assess_waiting(minute, &cx.profile.queries);
        shapes.clear_waiting();
        self.finish_queries(&mut shapes, minute, &observations, cx, out);
        self.shapes = Some(shapes);
    }

    fn finish_queries(
        &mut self,
        shapes: &mut QueryShapes,
        minute: i64,
        observations: &[QueryObservation],
        cx: &Context,
        out: &mut Outcome,
    ) {
        let odd = self.judge_queries(observations, cx, out);
        let judged: Vec<_> = observations.iter().zip(odd).collect();
        shapes.learn_judged(minute, &judged, &cx.profile.queries);
    }

    /// Judges new queries; tells of each whether it is too odd to teach at once.
    fn judge_queries(
        &mut self,
        observations: &[QueryObservation],
        cx: &Context,
        out: &mut Outcome,
    ) -> Vec<bool> {
        let profile = &cx.profile.queries;
        let mut odd = Vec::with_capacity(observations.len());
        for observation in observations {
            let oddity = injection::oddity(observation, profile);
            // What failed is tested as a burst, not here.
            if !observation.joined.failed() {
                let signs = oddity.marked.iter().fold(0, |bits, m| bits | m.sign.bit());
                self.hour_queries.add(true, 1, 0, signs);
                self.note_surprise(SurpriseLane::Query, oddity.p);
            }
            let finding = injection::judge(observation, &oddity, &self.query_context(cx));
            let raised =
                finding.is_some_and(|finding| self.raise(SurpriseLane::Query, finding, cx, out));
            odd.push(raised || oddity.p < profile.quarantine_p);
        }
        odd
    }

    fn query_context<'a>(&'a self, cx: &'a Context) -> QueryContext<'a> {
        QueryContext { account: &self.id, resource_id: self.resource_id.as_ref(), intel: &cx.intel }
    }

    fn judge_bursts(
        &mut self,
        minute: i64,
        cell: &Cell,
        late: bool,
        cx: &Context,
        out: &mut Outcome,
    ) {
        let profile = &cx.profile.queries;
        let now = Timestamp::of_minute(minute);
        if let Some(queries) = cell.queries.as_deref() {
            self.hour_queries.add(queries.texts > 0, 0, queries.malformed, 0);
        }
        let bursts = self.errors.assess(minute, cell, late, profile);
        let quiet = cx.profile.time.alert_quiet_hours.max(0).saturating_mul(HOUR_MS);
        let campaign = self.errors.campaign_of(now, quiet);
        let finding = fuzzing::judge(&bursts, campaign, &profile.burst, &self.query_context(cx));
        if let Some(finding) = finding {
            self.note_surprise(SurpriseLane::Fuzzing, finding.test.p);
            if self.raise(SurpriseLane::Fuzzing, finding, cx, out) {
                self.errors.note_campaign(campaign, now);
            }
        }
    }
}
