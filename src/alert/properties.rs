//! `extendedProperties`: string to string, the order fixed, absent where the log has nothing.
use super::rules::{Silence, exact_agents};
use super::words::{clean, number};
use super::{Alert, evidence, narrate};
use crate::detect::{AlertKind, Evidence};
use crate::event::{Credential, KeyKind};
use crate::intel::view::ListKind;

/// Names in a list that are shown; more are counted.
const NAMES_MAX: usize = 8;

/// All properties, in their order.
pub fn extended(alert: &Alert) -> Vec<(&'static str, String)> {
    let mut out = judgement(alert);
    caller(alert, &mut out);
    intel(alert, &mut out);
    sample(alert, &mut out);
    marks(alert, &mut out);
    out.push(("Verdict", narrate::verdict(alert)));
    out.push(("Rarity", narrate::rarity(alert)));
    out.push(("Silent", narrate::silent_unless(alert)));
    out.push(("Check next", narrate::check_next(alert).join("; ")));
    out.push(("Evidence", evidence::frozen(alert)));
    out.push(("resourceType", "Azure Cosmos DB".to_owned()));
    out
}

/// Name of the detector that claims it; of volume with the test that decided.
pub fn detector(alert: &Alert) -> String {
    let name = match alert.finding.kind {
        AlertKind::TorAnomaly => "tor",
        AlertKind::SuspiciousIp => "listed-address",
        AlertKind::GeoAnomaly => "location",
        AlertKind::DataExfiltration => "egress",
        AlertKind::MaliciousScript => "key-sweep",
        AlertKind::SuspiciousPrincipal => "key-principal",
        AlertKind::SqlInjection => "injection",
        AlertKind::SqlFuzzing => "fuzzing",
    };
    match &alert.finding.evidence {
        Evidence::Volume(volume) => format!("{name} ({})", clean(volume.test)),
        _ => name.to_owned(),
    }
}

/// What every alert has.
fn judgement(alert: &Alert) -> Vec<(&'static str, String)> {
    let (finding, grade) = (&alert.finding, &alert.grade);
    let [of_2022, of_2024] = grade.defender.map(|s| s.as_str());
    let mut out = vec![
        ("Detector", detector(alert)),
        ("Severity basis", grade.basis.as_str().to_owned()),
        ("Severity reason", narrate::severity_reason(alert)),
        ("Budget severity", grade.by_budget.as_str().to_owned()),
        ("Defender severity", format!("{of_2022} (2022), {of_2024} (2024)")),
        ("Tail probability", number(finding.test.p)),
        ("Nominal false alerts per account-day", number(grade.nominal_per_day)),
        ("Baseline state", finding.maturity.state.as_str().to_owned()),
        ("Baseline age (days)", number(finding.maturity.age_days)),
        ("Observed", narrate::observed(alert)),
        ("Expected", narrate::expected(alert)),
        ("Revision", alert.revision.to_string()),
    ];
    if finding.late {
        out.push(("Late records", "true".to_owned()));
    }
    if alert.warm_up {
        out.push(("Warm-up", "true".to_owned()));
    }
    out
}

fn push(out: &mut Vec<(&'static str, String)>, name: &'static str, value: String) {
    if !value.is_empty() {
        out.push((name, value));
    }
}

fn caller(alert: &Alert, out: &mut Vec<(&'static str, String)>) {
    let caller = &alert.finding.caller;
    push(out, "Client IP", caller.ip.map(|ip| ip.to_string()).unwrap_or_default());
    push(out, "Country", caller.country.map(|c| c.to_string()).unwrap_or_default());
    push(out, "City", caller.city.as_deref().map(clean).unwrap_or_default());
    push(out, "ASN", caller.asn.map(|a| a.to_string()).unwrap_or_default());
    push(out, "Organization", clean(&caller.organisation));
    push(out, "Address class", address_class(alert).to_owned());
    let principal = match &caller.principal {
        _ if !caller.principal_name.is_empty() => clean(&caller.principal_name),
        Some(id) => clean(id.as_str()),
        None => String::new(),
    };
    push(out, "Principal", principal);
    push(
        out,
        "Principal id",
        caller.principal.as_ref().map(|p| clean(p.as_str())).unwrap_or_default(),
    );
    push(out, "Application id", clean(&caller.app_id));
    let (authentication, key) = credential(caller.credential.as_ref());
    push(out, "Authentication type", authentication.to_owned());
    push(out, "Key kind", key.to_owned());
    push(out, "User agent", names(&caller.user_agents));
    push(out, "User agents", exact_agents(&caller.user_agents, NAMES_MAX).unwrap_or_default());
    push(out, "Connection mode", connection(caller.connection_bits).to_owned());
    push(out, "Databases", names(&caller.databases));
    push(out, "Containers", names(&caller.containers));
    push(out, "Operations", names(&caller.operations));
    let statuses: Vec<String> = caller.statuses.iter().map(i32::to_string).collect();
    push(out, "Status codes", names(&statuses));
    push(out, "Bytes returned", caller.bytes.map(|b| b.to_string()).unwrap_or_default());
    if caller.events > 0 {
        out.push(("Events", caller.events.to_string()));
    }
}

/// What the address is; that it is a Tor exit or listed says more than the network it lies in.
fn address_class(alert: &Alert) -> &'static str {
    match &alert.finding.evidence {
        Evidence::Listed(listed) => match listed.hit.kind {
            ListKind::TorExit => "tor",
            ListKind::Threat => "listed",
        },
        _ => alert.finding.caller.class.map_or("", |class| class.as_str()),
    }
}

/// How the caller signed in, and with which key.
pub fn credential(credential: Option<&Credential>) -> (&'static str, &'static str) {
    match credential {
        Some(Credential::Key(kind)) => (
            "Key",
            match kind {
                KeyKind::PrimaryMaster => "PrimaryMaster",
                KeyKind::SecondaryMaster => "SecondaryMaster",
                KeyKind::PrimaryReadonly => "PrimaryReadonly",
                KeyKind::SecondaryReadonly => "SecondaryReadonly",
            },
        ),
        Some(Credential::Entra(_)) => ("Microsoft Entra", ""),
        Some(Credential::ResourceToken) => ("Resource token", ""),
        Some(Credential::System) => ("System", ""),
        Some(Credential::Unknown) | None => ("", ""),
    }
}

fn connection(bits: u8) -> &'static str {
    match bits & 3 {
        1 => "Gateway",
        2 => "Direct",
        3 => "Gateway, Direct",
        _ => "",
    }
}

fn names<T: AsRef<str>>(values: &[T]) -> String {
    let filled: Vec<&str> = values.iter().map(AsRef::as_ref).filter(|v| !v.is_empty()).collect();
    let mut shown: Vec<String> = filled.iter().take(NAMES_MAX).map(|v| clean(v)).collect();
    if filled.len() > NAMES_MAX {
        shown.push(format!("and {} more", filled.len() - NAMES_MAX));
    }
    shown.join(", ")
}

fn intel(alert: &Alert, out: &mut Vec<(&'static str, String)>) {
    if let Evidence::Listed(listed) = &alert.finding.evidence {
        push(out, "Intel feed", clean(&listed.hit.feed));
        push(out, "Intel entry", clean(&listed.hit.entry));
        push(out, "Intel since", listed.hit.since.map(|t| t.to_string()).unwrap_or_default());
        push(out, "Intel until", listed.hit.until.map(|t| t.to_string()).unwrap_or_default());
        push(
            out,
            "Intel confidence",
            listed.hit.confidence.map(|c| c.to_string()).unwrap_or_default(),
        );
    }
}

/// What tells its story from others, the decisions that cover it and the incident that it belongs
/// to.
fn marks(alert: &Alert, out: &mut Vec<(&'static str, String)>) {
    push(out, "Account key", clean(&alert.finding.account.key()));
    push(out, "Story key", clean(&alert.finding.dedup));
    for silence in [Silence::Suppressed, Silence::Expected] {
        let by = alert.marks.silenced_by().filter(|(s, _)| *s == silence);
        push(out, silence.property(), by.map(|(_, name)| name).collect::<Vec<_>>().join(", "));
    }
    if let Some(incident) = &alert.marks.incident {
        out.push(("Incident", incident.id.to_string()));
        out.push(("Incident severity", incident.severity.as_str().to_owned()));
        let ids: Vec<String> = incident.steps.iter().map(|(_, _, id)| id.to_string()).collect();
        out.push(("Incident alerts", ids.join(", ")));
        out.push(("Incident timeline", narrate::timeline(incident)));
    }
}

/// Where to find the records: ids of the first and the last.
fn sample(alert: &Alert, out: &mut Vec<(&'static str, String)>) {
    let caller = &alert.finding.caller;
    let text = match (caller.first_event.as_str(), caller.last_event.as_str()) {
        ("", "") => String::new(),
        (first, last) if first == last || last.is_empty() => clean(first),
        ("", last) => clean(last),
        (first, last) => format!("first {}, last {}", clean(first), clean(last)),
    };
    push(out, "Sample", text);
}
