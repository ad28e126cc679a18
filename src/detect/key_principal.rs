//! Keys read by a principal that does not usually: who it is, then from where, through what, when,
//! in which pattern, after which absence. The baseline says how probable each of these is on an
//! innocent day; here they become a finding.
//!
//! Absent: the fan-out over accounts, which the tenant judges ([`super::key_script`]).
use super::{
    AlertKind, CallerFacts, Ceiling, Evidence, Facet, Finding, PrincipalEvidence, Quantity,
    RuleClause, RuleSeverity, Severity, Test, Usual,
};
use crate::baseline::maturity::MaturityState;
use crate::baseline::principals::{KeyFacet, KeyObservation, Property};
use crate::event::CredentialOperation;
use crate::ids::{AccountId, Text};
use crate::limits::CELL_MINUTES;
use crate::profile::KeysProfile;
use crate::time::Timestamp;

/// Turns the observations of one minute into findings. Days on which nothing was unexpected, those
/// more probable than [`KeysProfile::report_p`], and those on which a known principal only came at
/// another hour give none.
pub fn judge(
    observations: &[KeyObservation],
    account: &AccountId,
    resource_id: Option<&Text>,
    profile: &KeysProfile,
) -> Vec<Finding> {
    observations
        .iter()
        .filter(|o| o.break_glass || (is_unexpected(o) && o.p <= profile.report_p))
        .map(|o| finding(o, account, resource_id))
        .collect()
}

/// Something beyond the hour: people start scheduled jobs by hand, and those that seldom run would
/// else be rare enough by their hour alone.
fn is_unexpected(o: &KeyObservation) -> bool {
    o.arrival.is_some() || o.properties.iter().any(|p| p.broke && p.facet != KeyFacet::Hour)
}

/// The minute of the last operation decides; where what was missing decided, the minute in which
/// its absence became certain.
fn decided(o: &KeyObservation) -> Timestamp {
    let last = o.end.minute();
    let at_once = o.minute.div_euclid(CELL_MINUTES) == last.div_euclid(CELL_MINUTES);
    Timestamp::of_minute(if at_once { last } else { o.minute }.saturating_add(1))
}

fn finding(o: &KeyObservation, account: &AccountId, resource_id: Option<&Text>) -> Finding {
    Finding {
        kind: AlertKind::SuspiciousPrincipal,
        account: account.clone(),
        resource_id: resource_id.cloned(),
        accounts: vec![(account.clone(), resource_id.cloned())],
        dedup: o.principal.as_str().to_owned(),
        start: o.start,
        end: o.end,
        decided: decided(o),
        test: Test { p: o.p, per_day: o.per_day, rule: rule(o), ceiling: ceiling(o) },
        maturity: o.maturity,
        late: o.late,
        caller: caller(o),
        records: o.records.clone(),
        evidence: Evidence::Principal(PrincipalEvidence {
            last_seen_days: o.last_seen_days,
            elsewhere_accounts: o.elsewhere_accounts,
            usual_principals: o.usual_principals.clone(),
            unexpected: o.unexpected(),
            failures_before: o.failures_before,
        }),
        facets: facets(o),
        companions: Vec::new(),
    }
}

/// A break-glass account is used in emergencies only: each use is told, louder when other things are
/// off as well.
fn rule(o: &KeyObservation) -> Option<RuleSeverity> {
    let odd = o.properties.iter().filter(|p| p.broke).count() >= 2;
    let severity = if odd { Severity::High } else { Severity::Medium };
    o.break_glass.then_some(RuleSeverity { severity, clause: RuleClause::Plain })
}

fn ceiling(o: &KeyObservation) -> Option<(Severity, Ceiling)> {
    if o.break_glass {
        None
    } else if !matches!(o.maturity.state, MaturityState::Mature) {
        Some((Severity::Low, Ceiling::NotMature))
    } else if o.arrival.is_some() && o.ordinary_portal_use {
        Some((Severity::Low, Ceiling::PlaceKnown))
    } else {
        None
    }
}

/// Azure's spelling of a key operation.
pub(super) fn operation_name(operation: CredentialOperation) -> &'static str {
    match operation {
        CredentialOperation::CosmosListKeys => "listKeys",
        CredentialOperation::CosmosReadonlyKeys => "readonlykeys",
        CredentialOperation::CosmosConnectionStrings => "listConnectionStrings",
        CredentialOperation::CosmosRegenerateKey => "regenerateKey",
        CredentialOperation::OtherProvider => "credential action",
    }
}

fn caller(o: &KeyObservation) -> CallerFacts {
    let address = o.address.as_ref();
    CallerFacts {
        ip: o.ip,
        country: address.and_then(|a| a.country),
        city: address.and_then(|a| a.city.clone()),
        asn: address.and_then(|a| a.asn),
        organisation: address.map(|a| a.organisation.clone()).unwrap_or_default(),
        class: address.map(|a| a.class),
        principal: Some(o.principal.clone()),
        principal_name: o.name.clone(),
        principal_type: Some(o.principal_type),
        app_id: o.app_id.clone(),
        operations: o.kinds.iter().map(|k| Text::from(operation_name(*k))).collect(),
        events: u64::from(o.operations),
        first_event: o.events.0.to_string(),
        last_event: o.events.1.to_string(),
        ..CallerFacts::default()
    }
}

fn facets(o: &KeyObservation) -> Vec<Facet> {
    let mut facets = Vec::new();
    if let Some(p) = o.arrival {
        let name = if o.name.is_empty() { o.principal.as_str() } else { &o.name };
        facets.push(Facet {
            name: "principal",
            observed: Quantity::Name(name.to_owned()),
            usual: if o.usual_principals.is_empty() {
                Usual::NeverIn { days: o.days_watched }
            } else {
                Usual::Shares(o.usual_principals.clone())
            },
            p: Some(p),
            broke: true,
        });
    }
    facets.extend(o.properties.iter().map(|property| facet(property, o.days_watched)));
    facets.sort_by_key(|f| !f.broke);
    facets
}

fn facet(property: &Property, days: f64) -> Facet {
    Facet {
        name: property.facet.name(),
        observed: Quantity::Name(property.observed.clone()),
        usual: match (property.usual.is_empty(), property.broke) {
            (false, _) => Usual::Shares(property.usual.clone()),
            (true, true) => Usual::NeverIn { days },
            (true, false) => Usual::Unknown,
        },
        p: property.broke.then_some(property.odds),
        broke: property.broke,
    }
}
