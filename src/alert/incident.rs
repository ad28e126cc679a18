//! Alerts of one story: what on one account is tied together by principal, address, network, or by
//! a key that was read and then used.
//!
//! Two families of kinds that are tied make a Medium incident (or what the most severe of them is); keys read, then used from a place
//! that is unusual here, then volume, make a High one. Every alert of it is a claim with a rarity of
//! its own, so the listing was unexpected for its principal and the place lies outside what the
//! account uses: a deployment that lists keys, moves its egress and rewarms a cache raises none of
//! the three, and no incident. What a decision silences takes no part.
//!
//! Bounds: [`STEPS_MAX`] steps an account, [`ACCOUNTS_MAX`] accounts of one sweep, seven days.
use std::collections::BTreeMap;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{Alert, AlertId};
use crate::detect::{AlertKind, Severity};
use crate::event::Credential;
use crate::ids::AccountId;
use crate::intel::view::AddressClass;
use crate::time::{DAY_MS, Timestamp};

mod stories;

pub use stories::{StoryStep, StoryView, stories};

/// Steps remembered of one account; beyond it the oldest is forgotten.
pub const STEPS_MAX: usize = 32;
/// Accounts of one sweep that remember it: the first ones by name.
pub const ACCOUNTS_MAX: usize = 256;
/// How long a step can be joined by a later one, milliseconds.
pub const JOINED_MS: i64 = 7 * DAY_MS;

/// Kinds that say the same thing in several ways: two of one family support each other no more than
/// one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Keys,
    Access,
    Queries,
    Volume,
}

impl Family {
    fn of(kind: AlertKind) -> Family {
        match kind {
            AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal => Family::Keys,
            AlertKind::TorAnomaly | AlertKind::SuspiciousIp | AlertKind::GeoAnomaly => {
                Family::Access
            }
            AlertKind::SqlInjection | AlertKind::SqlFuzzing => Family::Queries,
            AlertKind::DataExfiltration => Family::Volume,
        }
    }
}

/// One alert, as far as its incident is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The alert.
    pub(crate) alert: AlertId,
    pub(crate) kind: AlertKind,
    /// Its severity so far.
    pub(crate) severity: Severity,
    /// When its first finding was decided: later alerts are decided later, so that the first of an
    /// incident stays the first.
    pub(crate) opened: Timestamp,
    /// First event.
    pub(crate) start: Timestamp,
    /// Last event.
    pub(crate) end: Timestamp,
    pub(crate) principal: Option<String>,
    pub(crate) ip: Option<IpAddr>,
    /// Its network, unless everybody rents there.
    pub(crate) asn: Option<u32>,
    /// An account key was used.
    pub(crate) by_key: bool,
}

impl Step {
    fn of(alert: &Alert) -> Step {
        let (finding, caller) = (&alert.finding, &alert.finding.caller);
        let shared = matches!(caller.class, Some(AddressClass::Azure | AddressClass::Private));
        Step {
            alert: alert.id,
            kind: finding.kind,
            severity: alert.grade.severity,
            opened: alert.opened,
            start: finding.start,
            // Of keys it matters since when they are out, and a sweep goes on.
            end: if Family::of(finding.kind) == Family::Keys { finding.start } else { finding.end },
            principal: caller.principal.as_ref().map(|p| p.as_str().to_owned()),
            ip: caller.ip.map(|ip| ip.to_canonical()),
            asn: caller.asn.filter(|_| !shared),
            by_key: matches!(caller.credential, Some(Credential::Key(_))),
        }
    }

    /// They have someone or something in common.
    fn is_tied(&self, other: &Step) -> bool {
        fn same<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.is_some() && a == b
        }
        same(&self.principal, &other.principal)
            || same(&self.ip, &other.ip)
            || same(&self.asn, &other.asn)
            || self.gave_the_key_to(other)
            || other.gave_the_key_to(self)
    }

    /// Keys were read, and after that a key was used.
    fn gave_the_key_to(&self, other: &Step) -> bool {
        Family::of(self.kind) == Family::Keys
            && Family::of(other.kind) != Family::Keys
            && other.by_key
            && other.end >= self.start
    }
}

/// What an alert knows of its incident when it is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The incident: 128 bits of a hash of its account and first alert.
    pub id: AlertId,
    /// How severe it is so far.
    pub severity: Severity,
    /// Its alerts so far, this one included, by time.
    pub steps: Vec<(Timestamp, AlertKind, AlertId)>,
}

/// Steps of the last days, by account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incidents {
    /// In the order in which they were opened.
    pub(crate) steps: BTreeMap<AccountId, Vec<Step>>,
}

impl Incidents {
    /// Adds an alert that was raised; the incident that it makes or joins on the account it is filed
    /// under.
    pub fn join(&mut self, alert: &Alert) -> Option<Membership> {
        let step = Step::of(alert);
        let own = alert.finding.account.clone();
        let others = alert.finding.accounts.iter().map(|(account, _)| account.clone());
        let others = others.filter(|account| *account != own).take(ACCOUNTS_MAX);
        for account in std::iter::once(own.clone()).chain(others) {
            let steps = self.steps.entry(account).or_default();
            match steps.iter_mut().find(|known| known.alert == step.alert) {
                Some(known) => *known = step.clone(),
                None => {
                    let at = (step.opened, step.alert);
                    let place = steps.partition_point(|s| (s.opened, s.alert) < at);
                    steps.insert(place, step.clone());
                }
            }
            if steps.len() > STEPS_MAX {
                steps.remove(0);
            }
        }
        membership(&own, self.steps.get(&own)?, &step)
    }

    /// A story went on until `end`.
    pub fn stretch(&mut self, account: &AccountId, alert: AlertId, end: Timestamp) {
        let steps = self.steps.get_mut(account).map_or(&mut [][..], Vec::as_mut_slice);
        if let Some(step) = steps.iter_mut().find(|step| step.alert == alert)
            && Family::of(step.kind) != Family::Keys
        {
            step.end = step.end.max(end);
        }
    }

    /// Forgets what nothing raised at `now` or later can join.
    pub fn forget(&mut self, now: Timestamp) {
        self.steps.retain(|_, steps| {
            steps.retain(|step| now.since(step.end) < JOINED_MS);
            !steps.is_empty()
        });
    }
}

/// The incident that `step` belongs to, if there is one.
fn membership(account: &AccountId, steps: &[Step], step: &Step) -> Option<Membership> {
    let mut tied = connected(steps, step);
    tied.sort_by_key(|s| (s.start, s.kind, s.alert));
    let mut families: Vec<Family> = tied.iter().map(|s| Family::of(s.kind)).collect();
    families.sort();
    families.dedup();
    let first = tied.iter().min_by_key(|s| (s.opened, s.alert)).filter(|_| families.len() > 1)?;
    let least = if is_chain(&tied) { Severity::High } else { Severity::Medium };
    Some(Membership {
        id: id(account, first.alert),
        // Never less than what is most severe of it.
        severity: tied.iter().map(|s| s.severity).max().map_or(least, |s| s.max(least)),
        steps: tied.iter().map(|s| (s.start, s.kind, s.alert)).collect(),
    })
}

/// All that is tied to `step`, at one or several removes, within the days that count.
fn connected<'a>(steps: &'a [Step], step: &'a Step) -> Vec<&'a Step> {
    let near = |s: &&Step| step.end.since(s.end).abs() < JOINED_MS;
    let mut rest: Vec<&Step> =
        steps.iter().filter(near).filter(|s| s.alert != step.alert).collect();
    let mut tied = vec![step];
    let mut next = 0;
    while let Some(from) = tied.get(next).copied() {
        next += 1;
        let (joined, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|s| from.is_tied(s));
        tied.extend(joined);
        rest = others;
    }
    tied
}

/// Keys read, then access from an unusual place, then volume.
fn is_chain(tied: &[&Step]) -> bool {
    let of = |family| tied.iter().filter(move |s| Family::of(s.kind) == family);
    of(Family::Keys).any(|keys| {
        of(Family::Access)
            .filter(|access| access.end >= keys.start)
            .any(|access| of(Family::Volume).any(|volume| volume.end >= access.start))
    })
}

fn id(account: &AccountId, first: AlertId) -> AlertId {
    let mut hash = Sha256::new();
    hash.update(b"incident");
    hash.update(first.0.to_be_bytes());
    hash.update(account.key().as_bytes());
    AlertId(hash.finalize().iter().take(16).fold(0, |id, b| (id << 8) | u128::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::{alert_of, finding, time};
    use crate::event::KeyKind;
    use crate::ids::PrincipalId;
    use proptest::prelude::*;

    /// An alert of `kind` at `at`, from address number `address`.
    fn at(kind: AlertKind, moment: &str, address: u8, key: bool) -> Alert {
        let mut f = finding(kind);
        f.start = time(moment);
        (f.end, f.decided) = (f.start.plus_ms(60_000), f.start.plus_ms(120_000));
        f.dedup = format!("{address}");
        f.caller.ip = Some(IpAddr::from([203, 0, 113, address]));
        f.caller.asn = Some(64_500 + u32::from(address));
        f.caller.credential = key.then_some(Credential::Key(KeyKind::PrimaryMaster));
        alert_of(f)
    }

    fn join(alerts: &[Alert]) -> Vec<Option<Membership>> {
        let mut incidents = Incidents::default();
        alerts.iter().map(|alert| incidents.join(alert)).collect()
    }

    #[test]
    fn keys_read_then_used_from_a_new_place_then_volume_is_one_high_incident() {
        let mut chain = [
            at(AlertKind::SuspiciousPrincipal, "2026-11-14T01:58Z", 1, false),
            at(AlertKind::GeoAnomaly, "2026-11-14T02:11Z", 2, true),
            at(AlertKind::DataExfiltration, "2026-11-14T02:14Z", 2, true),
        ];
        chain.iter_mut().for_each(|alert| alert.grade.severity = Severity::Low);
        let joined = join(&chain);
        assert_eq!(joined[0], None);
        let (second, third) = (joined[1].as_ref().unwrap(), joined[2].as_ref().unwrap());
        assert_eq!((second.severity, third.severity), (Severity::Medium, Severity::High));
        assert_eq!(second.id, third.id, "one incident");
        // A window of volume looks back to before all that: it is the same incident still.
        let mut looks_back = chain.clone();
        looks_back[2].finding.start = time("2026-11-13T03:00Z");
        let joined = join(&looks_back);
        assert_eq!(
            joined[2].as_ref().map(|m| (m.id, m.severity)),
            Some((second.id, Severity::High))
        );
        let kinds: Vec<AlertKind> = third.steps.iter().map(|(_, kind, _)| *kind).collect();
        assert_eq!(kinds, chain.each_ref().map(|a| a.finding.kind), "its timeline");
    }

    #[test]
    fn the_innocent_twin_is_none() {
        // Volume from the account's own network days before, another principal's listing after it,
        // and a new place that signs in with no key: nothing ties them.
        let twin = [
            at(AlertKind::DataExfiltration, "2026-11-14T01:00Z", 3, true),
            at(AlertKind::SuspiciousPrincipal, "2026-11-14T02:00Z", 1, false),
            at(AlertKind::GeoAnomaly, "2026-11-14T03:00Z", 2, false),
        ];
        assert_eq!(join(&twin), [None, None, None]);
        // The same family twice is one claim told twice.
        let place = at(AlertKind::GeoAnomaly, "2026-11-14T03:00Z", 2, true);
        let tor = at(AlertKind::TorAnomaly, "2026-11-14T03:00Z", 2, true);
        assert_eq!(join(&[place.clone(), tor]), [None, None]);
        // Azure's network is everybody's.
        let azure = |kind, address| {
            let mut alert = at(kind, "2026-11-14T03:00Z", address, true);
            alert.finding.caller.asn = Some(8075);
            alert.finding.caller.class = Some(AddressClass::Azure);
            alert
        };
        let apart = [azure(AlertKind::GeoAnomaly, 4), azure(AlertKind::DataExfiltration, 5)];
        assert_eq!(join(&apart), [None, None]);
        // What lies too long ago.
        let late = at(AlertKind::DataExfiltration, "2026-11-22T03:00Z", 2, true);
        assert_eq!(join(&[place, late]), [None, None]);
    }

    #[test]
    fn a_sweep_is_part_of_the_story_on_every_account_that_it_reached() {
        let sweep = at(AlertKind::MaliciousScript, "2026-11-14T01:00Z", 1, false);
        let other = AccountId::parse("contoso-hr");
        assert!(sweep.finding.accounts.iter().any(|(a, _)| *a == other));
        let mut used = at(AlertKind::GeoAnomaly, "2026-11-14T01:30Z", 2, true);
        used.finding.account = other.clone();
        used.finding.accounts = vec![(other, None)];
        let severity = sweep.grade.severity.max(Severity::Medium);
        let joined = join(&[sweep, used]);
        assert_eq!(joined[1].as_ref().unwrap().severity, severity, "of its most severe alert");
    }

    proptest! {
        #[test]
        fn an_incident_is_the_same_in_any_order_and_bounded(
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
            picks in prop::collection::vec((0..8_usize, 0..3_u8, any::<bool>()), 6),
        ) {
            let alerts: Vec<Alert> = picks.iter().enumerate().map(|(n, (kind, address, key))| {
                let moment = format!("2026-11-14T0{n}:00Z");
                let mut alert = at(AlertKind::ALL[*kind], &moment, *address, *key);
                alert.finding.caller.principal = key.then(|| PrincipalId::new("p"));
                alert.id = AlertId(n as u128);
                alert
            }).collect();
            let last = |order: &[usize]| {
                let mut incidents = Incidents::default();
                for n in order {
                    incidents.join(&alerts[*n]);
                }
                incidents.join(&alerts[0])
            };
            prop_assert_eq!(last(&order), last(&[0, 1, 2, 3, 4, 5]));
        }
    }

    #[test]
    fn memory_is_bounded_and_old_steps_are_forgotten() {
        let mut incidents = Incidents::default();
        let alert = at(AlertKind::GeoAnomaly, "2026-11-14T01:00Z", 1, true);
        for n in 0..100 {
            incidents.join(&Alert { id: AlertId(n), ..alert.clone() });
        }
        assert_eq!(incidents.steps.values().map(Vec::len).max(), Some(STEPS_MAX));
        incidents.forget(time("2026-11-22T01:00Z"));
        assert!(incidents.steps.is_empty());
    }
}
