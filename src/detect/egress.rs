//! Unusual volume of data extracted. Reads an observation of the egress baseline; claims at most
//! Low for volume alone, because own callers export and run month-end jobs in innocent life; a
//! new network, principal or client that took the data lifts that, another kind of finding lifts
//! the rest.
use super::{
    AlertKind, CallerFacts, Ceiling, Evidence, Facet, Finding, HourEvidence, Quantity, Severity,
    Test, Usual, VolumeEvidence,
};
use crate::baseline::egress::{BandModel, EgressObservation, EgressPrior, TestReading, TopCaller};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::event::Credential;
use crate::event::{PrincipalType, Records};
use crate::ids::{AccountId, Text};
use crate::profile::EgressProfile;
use crate::time::{HOUR_MS, Timestamp};

/// A test's name for people.
fn title(test: &str) -> &'static str {
    match test {
        "T.h1" => "volume, 1 h",
        "T.h6" => "volume, 6 h",
        "T.h24" => "volume, 24 h",
        "Q" => "steady excess",
        "LO.h1" => "one operation, 1 h",
        "LO.h6" => "one operation, 6 h",
        "LO.h24" => "one operation, 24 h",
        "N.h1" => "new network 1 h",
        "N.h24" => "new network 1 d",
        "N.d7" => "new network 7 d",
        _ => "volume",
    }
}

/// Longest story that is told, hours: an alert's start lies at most eight days before its end.
const STORY_HOURS_MAX: f64 = 8.0 * 24.0;

/// Whose observation it is.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its ARM id, where logged.
    pub resource_id: Option<&'a Text>,
    /// Trust in its egress baseline.
    pub maturity: Maturity,
}

/// Findings of one observation: at most one. `limits_per_day`: nominal false alerts a day at
/// which this kind's Low, Medium and High begin; nothing rarer than Low is told.
pub fn judge(
    o: &EgressObservation,
    subject: &Subject<'_>,
    prior: &EgressPrior,
    profile: &EgressProfile,
    limits_per_day: [f64; 3],
) -> Vec<Finding> {
    let new_network = o.is_new_network(profile);
    let [low, ..] = limits_per_day;
    let again = o.escalates && o.p_unexplained <= low;
    if o.p_now > low && !new_network && !again {
        return Vec::new();
    }
    let mut p = o.p_day;
    if o.was_new_network(profile) {
        p = p.min(o.p_new_day);
    }
    if again {
        p = p.min(o.p_unexplained);
    }
    let taker = o.top.as_ref().is_some_and(|t| dominates(t, o, profile));
    let lifted = o.was_new_network(profile) || taker;
    let deciding = &o.tests[o.deciding];
    vec![Finding {
        kind: AlertKind::DataExfiltration,
        account: subject.account.clone(),
        resource_id: subject.resource_id.cloned(),
        accounts: vec![(subject.account.clone(), subject.resource_id.cloned())],
        dedup: story_key(o, new_network),
        start: start_of(o.at, deciding),
        end: o.at,
        decided: o.at,
        test: Test {
            p,
            per_day: 1.0,
            rule: None,
            ceiling: Some(ceiling(lifted, subject.maturity.state)),
        },
        maturity: subject.maturity,
        late: o.top.as_ref().is_some_and(|t| t.row.late),
        caller: o.top.as_ref().map(caller_facts).unwrap_or_default(),
        records: records(o, deciding),
        evidence: Evidence::Volume(evidence(o, prior, limits_per_day)),
        facets: facets(o, subject.maturity, low),
        companions: Vec::new(),
    }]
}

/// A new principal or client took most of the excess.
fn dominates(top: &TopCaller, o: &EgressObservation, profile: &EgressProfile) -> bool {
    (top.new_principal || top.new_client)
        && top.bytes >= profile.dominant_share * o.excess()
        && o.excess() > 0.0
}

fn ceiling(lifted: bool, state: MaturityState) -> (Severity, Ceiling) {
    match (lifted, state) {
        (false, _) => (Severity::Low, Ceiling::VolumeAlone),
        (true, MaturityState::Mature) => (Severity::Medium, Ceiling::NeedsAnotherKind),
        (true, _) => (Severity::Low, Ceiling::NotMature),
    }
}

/// `residential/RU/AS1234`, `azure/IE#2`: network, and how often the story was told anew.
fn story_key(o: &EgressObservation, new_network: bool) -> String {
    let mut key = match (&o.new_network, &o.top) {
        (Some(n), _) if new_network => n.key.name(),
        (_, Some(top)) => crate::baseline::egress::NetworkKey::of(&top.key.network).name(),
        _ => "unattributed".to_owned(),
    };
    if o.generation > 0 {
        key.push_str(&format!("#{}", o.generation + 1));
    }
    key
}

fn start_of(at: Timestamp, deciding: &TestReading) -> Timestamp {
    let hours = deciding.window_hours.clamp(1.0, STORY_HOURS_MAX);
    at.plus_ms(-((hours * HOUR_MS as f64) as i64))
}

/// Those of the caller that took most, as far as they lie in the window.
fn records(o: &EgressObservation, deciding: &TestReading) -> Records {
    let mut records = o.top.as_ref().map(|t| t.records.clone()).unwrap_or_default();
    records.forget_before(start_of(o.at, deciding));
    records
}

fn caller_facts(top: &TopCaller) -> CallerFacts {
    let row = &top.row;
    let (principal, principal_type) = match &top.key.credential {
        Credential::Entra(id) => (Some(id.clone()), Some(PrincipalType::Unknown)),
        _ => (None, None),
    };
    let id = |id: u128| if id == 0 { String::new() } else { uuid::Uuid::from_u128(id).to_string() };
    CallerFacts {
        ip: top.key.ip,
        country: top.key.network.country,
        asn: top.key.network.asn,
        class: Some(top.key.network.class),
        principal,
        principal_type,
        credential: Some(top.key.credential.clone()),
        user_agents: row.agents.as_slice().to_vec(),
        connection_bits: row.connection_bits,
        databases: row.databases.as_slice().to_vec(),
        containers: row.containers.as_slice().to_vec(),
        operations: row.operations.as_slice().to_vec(),
        statuses: row.statuses.as_slice().to_vec(),
        bytes: Some(row.bytes),
        events: row.requests,
        first_event: id(u128::from_be_bytes(row.first.1)),
        last_event: id(u128::from_be_bytes(row.last.1)),
        ..CallerFacts::default()
    }
}

fn evidence(o: &EgressObservation, prior: &EgressPrior, limits: [f64; 3]) -> VolumeEvidence {
    let deciding = &o.tests[o.deciding];
    let usual = BandModel::usual(deciding.expected, deciding.variance);
    let thresholds = if o.deciding == 0 {
        o.band.band(deciding.expected, limits, prior).thresholds
    } else {
        [f64::NAN; 3]
    };
    VolumeEvidence {
        test: deciding.name,
        window_hours: deciding.window_hours,
        observed: deciding.observed,
        expected: deciding.expected,
        usual,
        thresholds,
        new_network: o.new_network.map(|n| (n.key.name(), n.bytes)),
        top_caller_bytes: o.top.as_ref().map_or(0.0, |t| t.bytes),
        hours: o
            .series
            .iter()
            .map(|point| {
                let band = o.band.band(point.expected, limits, prior);
                HourEvidence {
                    hour: point.hour,
                    observed: point.observed,
                    quantiles: band.quantiles,
                    thresholds: band.thresholds,
                }
            })
            .collect(),
    }
}

/// Every test with a window as a facet, then who took it; broken first.
fn facets(o: &EgressObservation, maturity: Maturity, low: f64) -> Vec<Facet> {
    let mut facets: Vec<Facet> = o
        .tests
        .iter()
        .enumerate()
        .filter(|(k, t)| *k == o.deciding || (t.material && t.observed > 0.0))
        .map(|(k, t)| {
            let [lower, _, upper] = BandModel::usual(t.expected, t.variance);
            let never = Usual::NeverIn { days: maturity.age_days };
            Facet {
                name: title(t.name),
                observed: Quantity::Bytes(t.observed),
                usual: if t.variance > 0.0 { Usual::Range(lower, upper) } else { never },
                p: Some(t.p),
                broke: k == o.deciding || t.p <= t.weight * low,
            }
        })
        .collect();
    if let Some(top) = &o.top {
        let new = |is_new: bool| {
            if is_new { Usual::NeverIn { days: maturity.age_days } } else { Usual::Unknown }
        };
        if let Credential::Entra(id) = &top.key.credential {
            facets.push(Facet {
                name: "principal",
                observed: Quantity::Name(id.to_string()),
                usual: new(top.new_principal),
                p: None,
                broke: top.new_principal,
            });
        }
        facets.push(Facet {
            name: "client",
            observed: Quantity::Name(top.key.family.to_string()),
            usual: new(top.new_client),
            p: None,
            broke: top.new_client,
        });
    }
    facets.sort_by_key(|f| !f.broke);
    facets
}
