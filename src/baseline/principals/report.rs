//! From a judged entry to the observation that a detector reads.
use super::entry::{PrincipalEntry, operation_bit, place};
use super::observation::{KeyFacet, KeyObservation, Property};
use super::{KeyOperation, PrincipalDirectory, PrincipalsBaseline, judge};
use crate::event::{CredentialOperation, Records};
use crate::profile::KeysProfile;
use crate::stats::independent::broken_tail;
use crate::time::Timestamp;

impl PrincipalsBaseline {
    /// Probability of the arrival, while the principal counts as new.
    pub(super) fn arrival_now(&self, entry: &PrincipalEntry) -> Option<f64> {
        entry.is_new(entry.today.day).then_some(entry.arrival.p)
    }

    /// The observation of a judged entry.
    pub(super) fn observe(
        &self,
        entry: &PrincipalEntry,
        minute: i64,
        last: Option<&KeyOperation>,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) -> KeyObservation {
        let today = &entry.today;
        let last = last.or(today.last.as_deref());
        let arrival = self.arrival_now(entry);
        let odds = odds_of(entry);
        // New: P(arrival) × P(its properties). Known: P(its properties).
        let p = arrival.unwrap_or(1.0) * broken_tail(&odds);
        let now = Timestamp::of_minute(minute);
        let tests = (self.principal_days + 1.0) / (self.exposure_days + 10.0);
        KeyObservation {
            principal: entry.principal.clone(),
            name: entry.name.clone(),
            principal_type: entry.principal_type,
            app_id: last.map_or_else(
                || entry.applications.first().map(|a| a.text.clone()).unwrap_or_default(),
                |o| o.app_id.clone(),
            ),
            minute,
            start: today.first,
            end: entry.last_seen,
            events: (
                today.first_event.clone(),
                last.map_or_else(|| today.first_event.clone(), |o| o.correlation_id.clone()),
            ),
            records: Records::between(
                (today.first, today.first_place),
                last.map_or((today.first, today.first_place), |o| (o.time, o.place)),
            ),
            operations: today.operations,
            kinds: kinds(today.bits),
            ip: last.and_then(|o| o.ip),
            address: last.map(|o| o.address.clone()),
            arrival,
            properties: self.properties(entry, last, &odds),
            p,
            per_day: if arrival.is_some() { 1.0 } else { tests.max(0.05) },
            maturity: self.maturity(now, profile),
            last_seen_days: (today.absent_days >= 0).then_some(today.absent_days as f64),
            elsewhere_accounts: elsewhere(entry, directory, profile),
            usual_principals: self.usual_principals(today.day),
            failures_before: today.failures,
            break_glass: names_break_glass(
                [entry.principal.as_str(), &entry.name, last.map_or("", |o| &*o.app_id)],
                profile,
            ),
            ordinary_portal_use: self.is_ordinary_portal_use(entry, last),
            days_watched: f64::from(self.active_days),
            late: false,
        }
    }

    fn properties(
        &self,
        entry: &PrincipalEntry,
        last: Option<&KeyOperation>,
        odds: &[(f64, bool)],
    ) -> Vec<Property> {
        let tested = KeyFacet::ALL.iter().filter(|f| entry.today.odds[**f as usize] > 0.0);
        tested
            .zip(odds)
            .map(|(facet, (q, broke))| Property {
                facet: *facet,
                odds: *q,
                broke: *broke,
                observed: judge::observed(*facet, entry, last),
                usual: judge::usual(*facet, entry, &self.entries),
            })
            .collect()
    }

    fn usual_principals(&self, day: i64) -> Vec<(String, f64)> {
        let regular = self.entries.iter().filter(|e| !e.is_new(day));
        judge::shares(regular.map(|e| {
            let name = if e.name.is_empty() { e.principal.as_str() } else { &e.name };
            (name.to_owned(), e.operations.iter().sum())
        }))
    }

    fn is_ordinary_portal_use(&self, entry: &PrincipalEntry, last: Option<&KeyOperation>) -> bool {
        let Some(operation) = last else { return false };
        let country_known = entry.today.broken & KeyFacet::Country.bit() == 0
            && place(&judge::network(operation)).country.is_none_or(|country| {
                self.entries
                    .iter()
                    .filter(|e| e.principal != entry.principal)
                    .any(|e| e.countries().any(|c| c == country))
            });
        entry.is_person()
            && *operation.app_id == *judge::PORTAL_APP_ID
            && country_known
            && !entry.guest
            && entry.today.failures == 0
    }
}

/// The tested facets of a day: (probability, broke), by facet number.
pub(super) fn odds_of(entry: &PrincipalEntry) -> Vec<(f64, bool)> {
    KeyFacet::ALL
        .iter()
        .filter(|f| entry.today.odds[**f as usize] > 0.0)
        .map(|f| (entry.today.odds[*f as usize], entry.today.broken & f.bit() != 0))
        .collect()
}

fn kinds(bits: u8) -> Vec<CredentialOperation> {
    [
        CredentialOperation::CosmosListKeys,
        CredentialOperation::CosmosReadonlyKeys,
        CredentialOperation::CosmosConnectionStrings,
        CredentialOperation::CosmosRegenerateKey,
    ]
    .into_iter()
    .filter(|o| bits & operation_bit(*o) != 0)
    .collect()
}

/// One of the names stands in the list of break-glass principals.
pub(super) fn names_break_glass(names: [&str; 3], profile: &KeysProfile) -> bool {
    let is_listed = |name: &str| {
        !name.is_empty()
            && profile.break_glass.iter().any(|listed| listed.trim().eq_ignore_ascii_case(name))
    };
    names.into_iter().any(is_listed)
}

/// Accounts of the tenant on which the principal acts regularly; the directory counts this one too.
fn elsewhere(entry: &PrincipalEntry, directory: &PrincipalDirectory, profile: &KeysProfile) -> u32 {
    let here = entry.seen_days >= profile.sweep.regular_days;
    let everywhere = directory.get(&entry.principal).map_or(0, |known| known.accounts);
    everywhere.saturating_sub(u32::from(here))
}
