//! Closing a minute, a ten-minute step, an hour, a day: read the baselines, let the detectors
//! judge, grade, then teach.
use std::sync::Arc;

use super::message::{
    Context, Graded, HourRecord, Outcome, SURPRISE_LANES, SurpriseLane, surprise_code,
};
use super::model::{AccountModel, SLOT_MINUTES};
use super::verdict::Nearest;
use crate::baseline::cell::Cell;
use crate::baseline::egress::EgressObservation;
use crate::baseline::listed::ListedUse;
use crate::baseline::location::{PlaceContext, PlaceObservation};
use crate::baseline::principals::{KeyObservation, PrincipalDirectory};
use crate::baseline::prior::{Contribution, Priors};
use crate::detect::geo::GeoContext;
use crate::detect::listed::ListedContext;
use crate::detect::{AlertKind, Finding, egress, geo, key_principal, suspicious_ip, tor};
use crate::limits;
use crate::severity::{self, Judgement};
use crate::time::{DAY_MS, Timestamp};

/// Egress tests by lane, in the order of the tests: T 1/6/24 h, Q, LO 1/6/24 h, N 1 h/24 h/7 d.
const EGRESS_LANES: [SurpriseLane; 10] = [
    SurpriseLane::EgressHour,
    SurpriseLane::EgressSixHours,
    SurpriseLane::EgressDay,
    SurpriseLane::EgressDrip,
    SurpriseLane::EgressOperation,
    SurpriseLane::EgressOperation,
    SurpriseLane::EgressOperation,
    SurpriseLane::EgressNewNetwork,
    SurpriseLane::EgressNewNetwork,
    SurpriseLane::EgressNewNetwork,
];

impl AccountModel {
    fn priors(&mut self, day: i64, cx: &Context) -> Arc<Priors> {
        let priors = Arc::clone(cx.published.priors.before(day));
        self.prior_day = priors.day;
        priors
    }

    fn directory(day: i64, cx: &Context) -> Arc<PrincipalDirectory> {
        Arc::clone(cx.published.directory.before(day))
    }

    /// Applies a closed minute.
    pub(super) fn close_cell(&mut self, minute: i64, cell: Cell, cx: &Context, out: &mut Outcome) {
        self.take_lessons(Timestamp::of_minute(minute + 1 - SLOT_MINUTES), cx);
        let cell = cell.settle(minute, &mut self.lanes);
        let day = Timestamp::of_minute(minute).day();
        self.last_minute = self.last_minute.max(minute);
        self.hour_requests = self.hour_requests.saturating_add(cell.requests);
        self.day_active = true;
        self.tempo.learn(minute, &cell);
        self.judge_listed(minute, &cell, cx, out);
        let priors = self.priors(day, cx);
        let places = self.judge_places(minute, &cell, &priors, cx, out);
        self.location.learn(minute, &cell, &places, &cx.profile.location);
        let directory = Self::directory(day, cx);
        let keys = &cx.profile.keys;
        let observations = self.principals.assess(minute, &cell, &directory, keys);
        self.judge_keys(&observations, cx, out);
        self.principals.learn(minute, &cell, &directory, keys);
        self.close_queries(minute, &cell, cx, out);
        self.egress.add_cell(minute, &cell, &cx.profile.egress);
        self.slot_open = true;
    }

    /// A record that came after its minute had closed: raises what it must and teaches what can
    /// still be taught; volume and rhythm stay as they were judged.
    pub(super) fn close_late(&mut self, minute: i64, cell: Cell, cx: &Context, out: &mut Outcome) {
        let mut cell = cell.settle(minute, &mut self.lanes.clone());
        cell.mark_late();
        let day = Timestamp::of_minute(minute).day();
        self.tempo.learn(minute, &cell);
        self.judge_listed(minute, &cell, cx, out);
        let priors = self.priors(day, cx);
        let places = self.judge_places(minute, &cell, &priors, cx, out);
        self.location.learn_late(minute, &cell, &places, &cx.profile.location);
        let directory = Self::directory(day, cx);
        let keys = &cx.profile.keys;
        let mut observations = self.principals.assess(minute, &cell, &directory, keys);
        observations.iter_mut().for_each(|o| o.late = true);
        self.judge_keys(&observations, cx, out);
        self.principals.learn_late(minute, &cell, &directory, keys);
        self.close_late_queries(minute, &cell, cx, out);
    }

    /// Runs of key operations that ended some quiet minutes ago: what they lacked is known now.
    pub(super) fn close_key_runs(&mut self, minute: i64, cx: &Context, out: &mut Outcome) {
        let directory = Self::directory(Timestamp::of_minute(minute).day(), cx);
        let nothing = Cell::default();
        let keys = &cx.profile.keys;
        let observations = self.principals.assess(minute, &nothing, &directory, keys);
        self.judge_keys(&observations, cx, out);
        self.principals.learn(minute, &nothing, &directory, keys);
    }

    fn judge_listed(&mut self, minute: i64, cell: &Cell, cx: &Context, out: &mut Outcome) {
        let uses = ListedUse::of(cell, &cx.intel);
        if uses.is_empty() {
            self.listed.learn(minute, &uses, &cx.profile.location);
            return;
        }
        let now = Timestamp::of_minute(minute);
        let high = |kind| severity::limits_per_day(kind, &cx.profile.severity)[2];
        let id = self.id.clone();
        let resource_id = self.resource_id.clone();
        let context = |kind| ListedContext {
            account: &id,
            resource_id: resource_id.as_ref(),
            intel: &cx.intel,
            profile: &cx.profile.location,
            location: &self.location,
            p95_hourly_bytes: self.egress.hourly_volume(0.95),
            key_operation_near: !cell.key_operations.is_empty() || self.had_key_finding(now),
            high_per_day: high(kind),
        };
        let mut findings =
            tor::judge_uses(&uses, minute, &self.listed, &context(AlertKind::TorAnomaly));
        findings.extend(suspicious_ip::judge_uses(
            &uses,
            minute,
            &self.listed,
            &context(AlertKind::SuspiciousIp),
        ));
        self.listed.learn(minute, &uses, &cx.profile.location);
        for finding in findings {
            let lane = if finding.kind == AlertKind::TorAnomaly {
                SurpriseLane::Tor
            } else {
                SurpriseLane::Listed
            };
            self.note_surprise(lane, finding.test.p);
            self.raise(lane, finding, cx, out);
        }
    }

    fn judge_places(
        &mut self,
        minute: i64,
        cell: &Cell,
        priors: &Priors,
        cx: &Context,
        out: &mut Outcome,
    ) -> Vec<PlaceObservation> {
        let context = PlaceContext { profile: &cx.profile.location, prior: &priors.location };
        let observations = self.location.assess(minute, cell, &context);
        if observations.is_empty() {
            return observations;
        }
        let id = self.id.clone();
        let resource_id = self.resource_id.clone();
        let findings = geo::judge(
            &observations,
            &GeoContext {
                account: &id,
                resource_id: resource_id.as_ref(),
                intel: &cx.intel,
                profile: &cx.profile.location,
                location: &self.location,
                tempo: &self.tempo,
            },
        );
        for observation in &observations {
            self.note_surprise(SurpriseLane::Place, observation.p);
        }
        for finding in findings {
            self.raise(SurpriseLane::Place, finding, cx, out);
        }
        observations
    }

    fn judge_keys(&mut self, observations: &[KeyObservation], cx: &Context, out: &mut Outcome) {
        for observation in observations {
            self.note_surprise(SurpriseLane::KeyPrincipal, observation.p);
        }
        let keys = &cx.profile.keys;
        for finding in key_principal::judge(observations, &self.id, self.resource_id.as_ref(), keys)
        {
            self.raise(SurpriseLane::KeyPrincipal, finding, cx, out);
        }
    }

    /// Ten minutes are over: volume is tested.
    pub(super) fn close_slot(&mut self, end: Timestamp, cx: &Context, out: &mut Outcome) {
        self.slot_open = false;
        let profile = &cx.profile.egress;
        let priors = self.priors(end.plus_ms(-1).day(), cx);
        let Some(observation) = self.egress.close_slot(end, &priors, profile) else { return };
        for (lane, test) in EGRESS_LANES.into_iter().zip(&observation.tests) {
            self.note_surprise(lane, test.p);
        }
        let limits = severity::limits_per_day(AlertKind::DataExfiltration, &cx.profile.severity);
        let findings = {
            let subject = egress::Subject {
                account: &self.id,
                resource_id: self.resource_id.as_ref(),
                maturity: self.egress.maturity(end, profile),
            };
            egress::judge(&observation, &subject, &priors.egress, profile, limits)
        };
        for finding in findings {
            self.raise_volume(finding, &observation, end, cx, out);
        }
    }

    fn raise_volume(
        &mut self,
        finding: Finding,
        observation: &EgressObservation,
        end: Timestamp,
        cx: &Context,
        out: &mut Outcome,
    ) {
        // A finding speaks for all tests of its moment: it stands with the rarest.
        let tests = EGRESS_LANES.into_iter().zip(&observation.tests);
        let rarest = tests.min_by(|(_, a), (_, b)| a.p.total_cmp(&b.p));
        let lane = rarest.map_or(SurpriseLane::EgressHour, |(lane, _)| lane);
        if self.raise(lane, finding, cx, out) {
            self.egress.alerted(end, Some(observation), &cx.profile.egress);
        }
    }

    /// An hour is over.
    pub(super) fn close_hour(&mut self, hour: i64, cx: &Context, out: &mut Outcome) {
        let priors = self.priors(Timestamp::of_hour(hour).day(), cx);
        let profile = &cx.profile.egress;
        let status = self.tempo.close_hour(hour, self.hour_requests);
        self.egress.close_hour(hour, status, &priors, profile);
        let limits = severity::limits_per_day(AlertKind::DataExfiltration, &cx.profile.severity);
        let band = self.egress.hour_band(hour, limits, &priors, profile);
        let [q05, _, q50, _, q95] = band.quantiles;
        out.hours.push(HourRecord {
            hour,
            status,
            observed: self.egress.observed_hour(hour).unwrap_or(0.0),
            quantiles: [q05, q50, q95],
            low_from: band.thresholds[0],
            surprise: self.hour_surprise,
            nearest: std::mem::take(&mut self.hour_nearest),
            queries: std::mem::take(&mut self.hour_queries),
        });
        self.hour_requests = 0;
        self.hour_surprise = [0; SURPRISE_LANES];
    }

    /// A day is over: midnight learning, and what the population may learn.
    pub(super) fn close_day(&mut self, day: i64, cx: &Context, out: &mut Outcome) {
        self.take_lessons(Timestamp::of_day(day.saturating_add(1)), cx);
        let priors = self.priors(day, cx);
        let active = std::mem::take(&mut self.day_active);
        let egress = self.egress.close_day(day, &priors, &cx.profile.egress);
        let location = self.location.close_day(day, active, &cx.profile.location);
        self.listed.close_day(day, active, &cx.profile.location);
        self.principals.close_day(day, active, &cx.profile.keys);
        if let Some(shapes) = &mut self.shapes {
            shapes.close_day(day, &cx.profile.queries);
        }
        if active {
            out.contributions.push((day, Contribution { egress, location }));
        }
    }

    pub(super) fn note_surprise(&mut self, lane: SurpriseLane, p: f64) {
        let code = &mut self.hour_surprise[lane as usize];
        *code = (*code).max(surprise_code(p));
    }

    fn had_key_finding(&self, now: Timestamp) -> bool {
        let day_ago = now.plus_ms(-DAY_MS);
        self.recent
            .iter()
            .any(|(kind, at)| *kind == AlertKind::SuspiciousPrincipal && *at >= day_ago)
    }

    /// Grades a finding; if it is worth an alert, numbers it, tells the others, and passes it on.
    pub(super) fn raise(
        &mut self,
        lane: SurpriseLane,
        mut finding: Finding,
        cx: &Context,
        out: &mut Outcome,
    ) -> bool {
        if finding.late && self.watermark.since(finding.decided) > limits::LATE_RAISES_MS {
            return false;
        }
        let day_ago = finding.decided.plus_ms(-DAY_MS);
        self.recent.retain(|(_, at)| *at >= day_ago);
        finding.companions =
            self.recent.iter().filter(|(kind, _)| *kind != finding.kind).copied().collect();
        let judgement = severity::judge(&finding, &cx.profile.severity);
        let nearest = &mut self.hour_nearest[lane as usize];
        *nearest = (*nearest).max(Nearest::of(&judgement, severity::nominal_per_day(&finding)));
        let Judgement::Raised(grade) = judgement else { return false };
        let (kind, at) = (finding.kind, finding.decided);
        if let Some((_, known)) = self.recent.iter_mut().find(|(known, _)| *known == kind) {
            *known = (*known).max(at);
        } else {
            self.recent.push((kind, at));
        }
        self.recent.sort_by_key(|(kind, at)| (*at, *kind));
        if kind != AlertKind::GeoAnomaly {
            self.location.note_other_finding(at);
        }
        if !matches!(kind, AlertKind::TorAnomaly | AlertKind::SuspiciousIp) {
            self.listed.note_other_finding(at);
        }
        if kind != AlertKind::DataExfiltration {
            self.egress.alerted(at, None, &cx.profile.egress);
        }
        self.sequence += 1;
        out.findings.push(Graded { sequence: self.sequence, finding, grade });
        true
    }
}
