//! What happened, in the account's own numbers: one sentence or two a kind.
use super::queries;
use crate::alert::Alert;
use crate::alert::words::{
    byte_range, bytes, clean, count, days, list, moment, plural, shares, weekday, window,
};
use crate::detect::{
    Evidence, ListedEvidence, PlaceEvidence, PlaceLevel, PrincipalEvidence, SweepEvidence,
    VolumeEvidence,
};
use crate::event::{Credential, PrincipalType};
use crate::intel::view::{AddressClass, ListKind};
use crate::time::{DAY_MS, Timestamp};

/// What happened and what is usual.
pub fn verdict(alert: &Alert) -> String {
    match &alert.finding.evidence {
        Evidence::Listed(e) => listed(alert, e),
        Evidence::Place(e) => place(alert, e),
        Evidence::Volume(e) => volume(alert, e),
        Evidence::Sweep(e) => sweep(alert, e),
        Evidence::Principal(e) => key_principal(alert, e),
        Evidence::Query(e) => queries::injection(alert, e),
        Evidence::Burst(e) => queries::burst(alert, e),
    }
}

/// The observation in a phrase.
pub fn observed(alert: &Alert) -> String {
    let caller = &alert.finding.caller;
    match &alert.finding.evidence {
        Evidence::Listed(e) => format!(
            "{} from {}, {}",
            plural(caller.events as f64, "request", "requests"),
            clean(&e.hit.entry),
            returned(alert, e.data_returned)
        ),
        Evidence::Place(_) => self::caller(alert),
        Evidence::Volume(e) => format!("{} in {}", bytes(e.observed), an(&window(e.window_hours))),
        Evidence::Sweep(e) => format!(
            "keys of {} in {}",
            plural(f64::from(e.accounts), "account", "accounts"),
            an(&window(e.window_hours))
        ),
        Evidence::Principal(_) => format!("keys read by {}", principal(alert)),
        Evidence::Query(e) => queries::observed(e),
        Evidence::Burst(e) => {
            format!(
                "{} in 10 minutes",
                plural(e.count as f64, "malformed query", "malformed queries")
            )
        }
    }
}

/// What was expected in its place, in a phrase.
pub fn expected(alert: &Alert) -> String {
    match &alert.finding.evidence {
        Evidence::Listed(e) if e.history_days < 0.5 => "no such use".to_owned(),
        Evidence::Listed(e) => format!("such use on {}", about_days(e.history_days)),
        Evidence::Place(e) => usual_places(e).unwrap_or_else(|| "no place known yet".to_owned()),
        Evidence::Volume(e) => {
            format!("{} (usual range {})", bytes(e.expected), byte_range(e.usual[0], e.usual[2]))
        }
        Evidence::Sweep(e) => format!(
            "keys of {} accounts in {}",
            count(e.expected_accounts),
            an(&window(e.window_hours))
        ),
        Evidence::Principal(e) if e.usual_principals.is_empty() => {
            "nobody is known to do so here".to_owned()
        }
        Evidence::Principal(e) => shares(&e.usual_principals),
        Evidence::Query(e) => queries::expected(e),
        Evidence::Burst(e) => {
            format!("{} to {} in 10 minutes", count(e.usual[0]), count(e.usual[1]))
        }
    }
}

/// Who called, as a place and a network: `203.0.113.77 (SG, AS64500 Example Hosting, hosting)`.
pub fn caller(alert: &Alert) -> String {
    let caller = &alert.finding.caller;
    let mut facts = Vec::new();
    if let Some(city) = &caller.city {
        facts.push(clean(city));
    }
    if let Some(country) = caller.country {
        facts.push(country.to_string());
    }
    if let Some(asn) = caller.asn {
        let name = format!("AS{asn} {}", clean(&caller.organisation));
        facts.push(name.trim_end().to_owned());
    }
    match caller.class {
        Some(AddressClass::Azure) => facts.push("Azure".to_owned()),
        Some(AddressClass::Hosting) => facts.push("a hosting network".to_owned()),
        Some(AddressClass::Trusted) => facts.push("a trusted network".to_owned()),
        Some(AddressClass::Private | AddressClass::Residential) | None => {}
    }
    match (caller.ip, facts.is_empty()) {
        (Some(ip), true) => ip.to_string(),
        (Some(ip), false) => format!("{ip} ({})", facts.join(", ")),
        (None, false) => facts.join(", "),
        (None, true) if caller.class == Some(AddressClass::Private) => {
            "a private endpoint".to_owned()
        }
        (None, true) => "an address that is not logged".to_owned(),
    }
}

/// Who acted, by the best name known.
pub fn principal(alert: &Alert) -> String {
    let caller = &alert.finding.caller;
    let name = match &caller.principal {
        _ if !caller.principal_name.is_empty() => clean(&caller.principal_name),
        Some(id) => clean(id.as_str()),
        None => return "a principal that is not logged".to_owned(),
    };
    match caller.principal_type {
        Some(PrincipalType::ServicePrincipal) => format!("{name} (a service principal)"),
        Some(PrincipalType::ManagedIdentity) => format!("{name} (a managed identity)"),
        _ => name,
    }
}

/// The account's name, fit to be shown.
fn account(alert: &Alert) -> String {
    clean(&alert.finding.account.to_string())
}

fn an(window: &str) -> String {
    match window {
        "hour" => "an hour".to_owned(),
        "window" => "a window".to_owned(),
        more => more.to_owned(),
    }
}

fn about_days(value: f64) -> String {
    format!("{} before", plural(value.round().max(1.0), "day", "days"))
}

fn watched(alert: &Alert) -> String {
    format!("in {}", days(alert.finding.maturity.age_days))
}

fn returned(alert: &Alert, data_returned: bool) -> String {
    match alert.finding.caller.bytes {
        Some(n) if data_returned => format!("{} returned", bytes(n as f64)),
        None if data_returned => "data returned".to_owned(),
        _ => "no data returned".to_owned(),
    }
}

fn signed_in_with(credential: Option<&Credential>) -> &'static str {
    match credential {
        Some(Credential::Key(_)) => "with an account key",
        Some(Credential::Entra(_)) => "with a Microsoft Entra identity",
        Some(Credential::ResourceToken) => "with a resource token",
        Some(Credential::System) => "with a token of the service itself",
        Some(Credential::Unknown) | None => "with a valid credential",
    }
}

fn entry_age(entry: &ListedEvidence, at: Timestamp) -> String {
    match entry.hit.since {
        Some(since) if at >= since => {
            let age = at.since(since) as f64 / DAY_MS as f64;
            format!(", listed since {} ({})", moment(since), days(age))
        }
        _ => String::new(),
    }
}

fn listed(alert: &Alert, e: &ListedEvidence) -> String {
    let finding = &alert.finding;
    let list_name = match e.hit.kind {
        ListKind::TorExit => "an exit of the Tor network",
        ListKind::Threat => "an address on a threat list",
    };
    let history = if e.history_days < 0.5 {
        format!("the account has seen no such use {} before", watched(alert))
    } else {
        format!("the account has seen such use on {}", about_days(e.history_days))
    };
    format!(
        "{}, {list_name}, used {} {} at {}: {}, {}. The feed {} names it as {}{}; {history}.",
        caller(alert),
        account(alert),
        signed_in_with(finding.caller.credential.as_ref()),
        moment(finding.start),
        plural(finding.caller.events as f64, "request", "requests"),
        returned(alert, e.data_returned),
        clean(&e.hit.feed),
        clean(&e.hit.entry),
        entry_age(e, finding.start),
    )
}

fn usual_places(e: &PlaceEvidence) -> Option<String> {
    let countries = (!e.usual_countries.is_empty())
        .then(|| format!("usual countries: {}", shares(&e.usual_countries)));
    let networks = (!e.usual_networks.is_empty())
        .then(|| format!("usual networks: {}", shares(&e.usual_networks)));
    match (countries, networks) {
        (Some(c), Some(n)) => Some(format!("{c}; {n}")),
        (c, n) => c.or(n),
    }
}

fn place(alert: &Alert, e: &PlaceEvidence) -> String {
    let level = match e.level {
        PlaceLevel::Country => "a country",
        PlaceLevel::Asn => "a network",
        PlaceLevel::Combination => "a combination of place, network, sign-in and client",
    };
    let known = match e.last_seen_days {
        Some(ago) => format!("{level} that is rare here, last seen {} ago", days(ago)),
        None => format!("{level} that it has not seen {}", watched(alert)),
    };
    let mut text = format!(
        "{} was used at {} from {}, {known}.",
        account(alert),
        moment(alert.finding.start),
        caller(alert)
    );
    if let Some(usual) = usual_places(e) {
        text.push(' ');
        text.push_str(&capital(&usual));
        text.push('.');
    }
    if let Some(travel) = &e.travel {
        text.push_str(&format!(
            " The same identity was in {} {} minutes away: too far to have travelled.",
            clean(&travel.from),
            count(travel.minutes.round())
        ));
    }
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn volume(alert: &Alert, e: &VolumeEvidence) -> String {
    let start = alert.finding.start;
    let hour = (e.window_hours - 1.0).abs() < 0.05;
    let to = match (&e.new_network, alert.finding.caller.ip) {
        (Some((name, part)), _) => format!(
            ", {} of it to {}, a network that it has not served {}",
            bytes(*part),
            clean(name),
            watched(alert)
        ),
        (None, Some(_)) => format!(", {} of it to {}", bytes(e.top_caller_bytes), caller(alert)),
        (None, None) => String::new(),
    };
    let usual = if hour {
        format!("a {} at {:02}:00", weekday(start), start.hour_of_day())
    } else {
        format!("such {}", window(e.window_hours))
    };
    format!(
        "{} returned {} in the {} from {}{to}. The usual range for {usual} is {}.",
        account(alert),
        bytes(e.observed),
        window(e.window_hours),
        moment(start),
        byte_range(e.usual[0], e.usual[2])
    )
}

fn sweep(alert: &Alert, e: &SweepEvidence) -> String {
    let first = match e.new_accounts {
        0 => String::new(),
        n if n == e.accounts => ", all of them for the first time".to_owned(),
        n => format!(", {} of them for the first time", count(f64::from(n))),
    };
    let mut text = format!(
        "{} read the keys of {} in the {} from {}{first}; its habit is {} accounts.",
        principal(alert),
        plural(f64::from(e.accounts), "account", "accounts"),
        window(e.window_hours),
        moment(alert.finding.start),
        count(e.expected_accounts)
    );
    if e.share.is_finite() && e.share > 0.0 {
        let share = super::super::words::percent(e.share.min(1.0));
        text.push_str(&format!(" That is {share} of the subscription's known accounts."));
    }
    if !e.providers.is_empty() {
        let names: Vec<String> = e.providers.iter().take(8).map(|p| clean(p)).collect();
        text.push_str(&format!(" It also read credentials of {}.", list(&names)));
    }
    if e.gap_variation.is_some_and(|v| v < 0.5) {
        text.push_str(" The calls follow each other as evenly as a script's.");
    }
    text
}

fn key_principal(alert: &Alert, e: &PrincipalEvidence) -> String {
    let known = match e.last_seen_days {
        Some(ago) => format!("; it last did so {} ago", days(ago)),
        None => format!(", which it has not done {}", watched(alert)),
    };
    let mut text = format!(
        "{} read keys of {} at {} from {}{known}.",
        principal(alert),
        account(alert),
        moment(alert.finding.start),
        caller(alert)
    );
    if !e.usual_principals.is_empty() {
        text.push_str(&format!(" Usually it is {}.", shares(&e.usual_principals)));
    }
    let broke: Vec<String> =
        alert.finding.facets.iter().filter(|f| f.broke).map(|f| f.name.to_owned()).collect();
    if !broke.is_empty() {
        text.push_str(&format!(" Not as usual: {}.", list(&broke)));
    }
    if e.elsewhere_accounts > 0 {
        let n = plural(f64::from(e.elsewhere_accounts), "other account", "other accounts");
        text.push_str(&format!(" It does so regularly on {n}."));
    }
    if e.failures_before > 0 {
        let n = plural(f64::from(e.failures_before), "attempt", "attempts");
        text.push_str(&format!(" {n} failed just before."));
    }
    text
}
