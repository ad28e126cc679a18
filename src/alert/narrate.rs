//! Every sentence that is said of an alert, built from its frozen numbers only. JSON, `explain` and
//! every later face use these words.
use super::incident::Membership;
use super::kinds::card;
use super::words::{about_once_in, days, moment, once_in};
use super::{Alert, AlertId};
use crate::baseline::maturity::MaturityState;
use crate::detect::{AlertKind, Ceiling, Evidence, RuleClause, Severity};
use crate::profile::SeverityMode;
use crate::severity::{Basis, NotHigher};
use crate::time::Timestamp;

mod facets;
mod queries;
pub mod silence;
mod verdict;

pub use facets::{FacetWords, facet};
pub use verdict::{caller, expected, observed, principal, verdict};

/// The whole description: what happened, what it means, how rare it is, why this severity.
pub fn description(alert: &Alert) -> String {
    let caveat = match alert.grade.basis {
        Basis::Measured => "This is rarity, not the probability of an attack.",
        Basis::Rule => "This is a rule, not the probability of an attack.",
    };
    let sense = &card(alert.finding.kind).sense;
    format!("{} {sense} {} {} {caveat}", verdict(alert), rarity(alert), severity_reason(alert))
}

/// How rare it is, in a sentence.
pub fn rarity(alert: &Alert) -> String {
    let often = about_once_in(alert.grade.nominal_per_day);
    match alert.finding.kind {
        AlertKind::MaliciousScript => format!("Innocent life brings a sweep this odd {often}."),
        _ => format!("Innocent life on this account looks this odd {often}."),
    }
}

/// Why this severity, why not the next higher, in a sentence: `Medium because …; not High
/// because …`.
pub fn severity_reason(alert: &Alert) -> String {
    let grade = &alert.grade;
    let ours = grade.by_budget;
    let because = match grade.basis {
        Basis::Rule => format!("{} by rule because {}", ours.as_str(), rule_because(alert)),
        Basis::Measured => format!("{} because {}", ours.as_str(), reached(alert)),
    };
    let reason = match not_higher(alert) {
        Some(why) => format!("{because}; {why}."),
        None => format!("{because}."),
    };
    let year = match grade.mode {
        SeverityMode::Budget => return reason,
        SeverityMode::Defender2022 => "2022",
        SeverityMode::Defender2024 => "2024",
    };
    let printed = grade.severity.as_str();
    format!("{printed} is what Microsoft published in {year} for this kind; ours: {reason}")
}

/// What the severity was reached by.
fn reached(alert: &Alert) -> String {
    let grade = &alert.grade;
    let limit = limit(alert, grade.by_budget);
    let mut text = format!(
        "this is rarer than {}, where {} begins for this kind",
        once_in(limit),
        grade.by_budget.as_str()
    );
    let beside = |(kind, at): &(AlertKind, Timestamp)| {
        format!("{} at {}", card(*kind).display_name, moment(*at))
    };
    let companions: Vec<String> = alert.finding.companions.iter().map(beside).collect();
    if !companions.is_empty() {
        text.push_str(&format!(
            ", and another kind of finding stands beside it ({})",
            companions.join(", ")
        ));
    }
    text
}

fn limit(alert: &Alert, severity: Severity) -> f64 {
    alert.grade.limits_per_day.get(severity as usize).copied().unwrap_or(f64::NAN)
}

fn next_higher(severity: Severity) -> Option<Severity> {
    match severity {
        Severity::Low => Some(Severity::Medium),
        Severity::Medium => Some(Severity::High),
        Severity::High => None,
    }
}

/// `not High because …`; `None` when it is High.
pub fn not_higher(alert: &Alert) -> Option<String> {
    let next = next_higher(alert.grade.by_budget)?.as_str();
    let why = match alert.grade.not_higher {
        NotHigher::Highest => return None,
        NotHigher::TooOrdinary { needed_per_day } if needed_per_day > 0.0 => {
            format!("{next} begins at {}", once_in(needed_per_day))
        }
        NotHigher::TooOrdinary { .. } => "this kind has no share of that budget".to_owned(),
        NotHigher::KindCap => {
            format!("this kind by itself never goes above {}", alert.grade.by_budget.as_str())
        }
        NotHigher::Ceiling(ceiling) => ceiling_because(alert, ceiling),
        NotHigher::Rule(clause) => not_high_by_rule(alert, clause),
    };
    Some(format!("not {next} because {why}"))
}

fn ceiling_because(alert: &Alert, ceiling: Ceiling) -> String {
    match ceiling {
        Ceiling::VolumeAlone if alert.grade.by_budget == Severity::Low => {
            "volume alone is Low: exports by the account's own callers look the same".to_owned()
        }
        Ceiling::VolumeAlone => "no new network, principal or client was served".to_owned(),
        Ceiling::NeedsAnotherKind => {
            "no other kind of finding stands beside it within a day".to_owned()
        }
        Ceiling::PlaceKnown if alert.finding.kind == AlertKind::SuspiciousPrincipal => {
            "it came through the portal from a country known here, as a new colleague does"
                .to_owned()
        }
        Ceiling::PlaceKnown => "the place is rare here, not new".to_owned(),
        Ceiling::WithoutText => {
            "it was judged without query text, by number and length alone".to_owned()
        }
        Ceiling::NotMature => format!(
            "the baseline is {} after {}, and a single finding on it is Low",
            state_word(alert.finding.maturity.state),
            days(alert.finding.maturity.age_days)
        ),
    }
}

/// The state of the baseline as an adjective.
fn state_word(state: MaturityState) -> &'static str {
    match state {
        MaturityState::Learning => "still learning",
        MaturityState::Provisional => "provisional",
        MaturityState::Mature => "mature",
        MaturityState::Degraded => "fed by incomplete logs",
    }
}

fn is_tor(alert: &Alert) -> bool {
    alert.finding.kind == AlertKind::TorAnomaly
}

fn rule_because(alert: &Alert) -> String {
    let thing = if is_tor(alert) { "a Tor exit" } else { "a listed address" };
    match alert.finding.test.rule.map_or(RuleClause::Plain, |r| r.clause) {
        RuleClause::FirstUse => {
            format!(
                "this is the first use by this address, on an account without a history of {thing}"
            )
        }
        RuleClause::DataBeyondP95 => {
            format!("{thing} got in, and more data than in 95 % of this account's hours followed")
        }
        RuleClause::KeyOperation => {
            format!("{thing} got in, and an operation on the account's keys followed")
        }
        RuleClause::Plain | RuleClause::TooCommonForHigh => {
            format!("{thing} got in with a valid credential")
        }
    }
}

fn not_high_by_rule(alert: &Alert, clause: RuleClause) -> String {
    let thing = if is_tor(alert) { "Tor" } else { "listed addresses" };
    match clause {
        RuleClause::TooCommonForHigh => {
            format!("this account meets {thing} too often for High to stay rare")
        }
        _ => "no unusual amount of data and no operation on keys followed".to_owned(),
    }
}

/// What would have kept this silent, a phrase to be read after "silent".
pub fn silent_unless(alert: &Alert) -> String {
    let floor = alert.grade.floor;
    let rarer = format!(
        "where innocent life looks like this more often than {}",
        once_in(limit(alert, floor))
    );
    let network = trusted_phrase(alert);
    match &alert.finding.evidence {
        Evidence::Volume(v) => {
            let from = v.thresholds.get(floor as usize).copied().unwrap_or(f64::NAN);
            let below = if from.is_finite() {
                format!("below {}", super::words::bytes(from))
            } else {
                rarer
            };
            match &v.new_network {
                Some((name, _)) => {
                    format!("{below}, or with {} trusted", super::words::clean(name))
                }
                None => below,
            }
        }
        Evidence::Listed(_) => {
            "had the list not held the address at that time, or had the request been refused"
                .to_owned()
        }
        Evidence::Place(_) => format!("{rarer}{network}"),
        Evidence::Sweep(_) => {
            format!("{rarer}, or had {} made such rounds before", principal(alert))
        }
        Evidence::Principal(_) => {
            format!("{rarer}, or had {} done so here before", principal(alert))
        }
        Evidence::Query(_) => {
            format!("{rarer}, had the account run this query before, or had it failed")
        }
        Evidence::Burst(_) => {
            format!("{rarer}, or had all of them failed in the same way")
        }
    }
}

fn trusted_phrase(alert: &Alert) -> String {
    let caller = &alert.finding.caller;
    match (caller.asn, caller.ip) {
        (Some(asn), _) => format!(", or with AS{asn} trusted"),
        (None, Some(ip)) => format!(", or with {ip} trusted"),
        (None, None) => String::new(),
    }
}

/// What to find out next: the kind's own questions.
pub fn check_next(alert: &Alert) -> Vec<String> {
    card(alert.finding.kind).check_next.clone()
}

/// An incident's alerts, oldest first, on one line.
pub fn timeline(incident: &Membership) -> String {
    let step = |(at, kind, _): &(Timestamp, AlertKind, AlertId)| {
        format!("{} {}", at.minutes_text(), card(*kind).display_name)
    };
    incident.steps.iter().map(step).collect::<Vec<_>>().join("; ")
}

/// What the chain of findings looks like: time and what was found, oldest first.
pub fn story(alert: &Alert) -> Vec<(String, String)> {
    if let Some(incident) = &alert.marks.incident {
        let what = |kind: AlertKind, id| {
            if id == alert.id { "this".to_owned() } else { card(kind).display_name.clone() }
        };
        return incident
            .steps
            .iter()
            .map(|(at, kind, id)| (moment(*at), what(*kind, *id)))
            .collect();
    }
    let companions = alert.finding.companions.iter();
    let mut steps: Vec<(Timestamp, String)> =
        companions.map(|(kind, at)| (*at, card(*kind).display_name.clone())).collect();
    steps.push((alert.finding.start, "this".to_owned()));
    steps.sort_by_key(|(at, _)| *at);
    steps.into_iter().map(|(at, what)| (moment(at), what)).collect()
}

#[cfg(test)]
mod tests;
