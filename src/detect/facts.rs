//! What every detector says about a caller: facts of the log, and how its place sits against the
//! account's usual ones.
use crate::baseline::cell::{CallerKey, CallerRow, Network};
use crate::baseline::location::LocationBaseline;
use crate::baseline::location::category::Visit;
use crate::detect::{CallerFacts, Facet, Quantity, Usual};
use crate::event::{Credential, KeyKind};
use crate::ids::Text;
use crate::intel::view::{AddressInfo, IntelView};
use crate::time::Timestamp;

/// The caller as the alert shows it.
pub fn facts_of(key: &CallerKey, row: &CallerRow, info: &AddressInfo) -> CallerFacts {
    CallerFacts {
        ip: key.ip,
        country: info.country,
        city: info.city.clone(),
        asn: info.asn,
        organisation: info.organisation.clone(),
        class: Some(info.class),
        principal: match &key.credential {
            Credential::Entra(principal) => Some(principal.clone()),
            _ => None,
        },
        principal_name: Text::from(""),
        principal_type: None,
        app_id: Text::from(""),
        credential: Some(key.credential.clone()),
        user_agents: row.agents.as_slice().to_vec(),
        connection_bits: row.connection_bits,
        databases: row.databases.as_slice().to_vec(),
        containers: row.containers.as_slice().to_vec(),
        operations: row.operations.as_slice().to_vec(),
        statuses: row.statuses.as_slice().to_vec(),
        bytes: Some(row.bytes),
        events: row.requests,
        first_event: activity_text(u128::from_be_bytes(row.first.1)),
        last_event: activity_text(u128::from_be_bytes(row.last.1)),
    }
}

/// What is known of a caller's address; of a pool of addresses only its network is.
pub fn info_of(key: &CallerKey, intel: &IntelView) -> AddressInfo {
    match key.ip {
        Some(ip) => intel.describe(Some(ip)),
        None => info_of_network(&key.network),
    }
}

fn info_of_network(network: &Network) -> AddressInfo {
    AddressInfo {
        class: network.class,
        country: network.country,
        asn: network.asn,
        organisation: Text::from(""),
        city: None,
        azure_region: None,
        listed_ever: false,
    }
}

pub(super) fn activity_text(id: u128) -> String {
    if id == 0 || id == u128::MAX {
        return String::new();
    }
    uuid::Uuid::from_u128(id).to_string()
}

/// The credential in words: `primary key`, `principal 1f0c…`.
pub fn credential_name(credential: &Credential) -> String {
    match credential {
        Credential::Key(KeyKind::PrimaryMaster) => "primary key".to_owned(),
        Credential::Key(KeyKind::SecondaryMaster) => "secondary key".to_owned(),
        Credential::Key(KeyKind::PrimaryReadonly) => "primary read-only key".to_owned(),
        Credential::Key(KeyKind::SecondaryReadonly) => "secondary read-only key".to_owned(),
        Credential::Entra(principal) => format!("principal {principal}"),
        Credential::ResourceToken => "resource token".to_owned(),
        Credential::System => "system token".to_owned(),
        Credential::Unknown => "not logged".to_owned(),
    }
}

/// A facet with a name and usual shares.
pub fn named_facet(
    name: &'static str,
    observed: String,
    usual: Vec<(String, f64)>,
    broke: bool,
) -> Facet {
    let usual = if usual.is_empty() { Usual::Unknown } else { Usual::Shares(usual) };
    Facet { name, observed: Quantity::Name(observed), usual, p: None, broke }
}

/// Country, network and client of a caller beside the account's usual ones, broken first.
pub fn place_facets(
    key: &CallerKey,
    location: &LocationBaseline,
    now: Timestamp,
    half_life_days: f64,
) -> Vec<Facet> {
    let Some(visit) = Visit::of(key) else { return Vec::new() };
    let known = location.knows(&visit);
    let mut facets = vec![named_facet(
        "country",
        visit.area.to_string(),
        location.usual_areas(now, half_life_days),
        !known.area,
    )];
    if let Some(network) = visit.network {
        let usual = location.usual_networks(now, half_life_days);
        facets.push(named_facet("network", network.to_string(), usual, !known.network));
    }
    let usual = location.usual_clients(now, half_life_days);
    let family = visit.combination.family.to_string();
    facets.push(named_facet("client", family, usual, !known.client));
    broken_first(facets)
}

/// Stable order: what broke before what held.
pub fn broken_first(mut facets: Vec<Facet>) -> Vec<Facet> {
    facets.sort_by_key(|f| !f.broke);
    facets
}

/// By what findings on queries are one story: the same caller at the same container.
pub(super) fn campaign(container: &str, caller: Option<&CallerKey>) -> String {
    let who = caller.map(|key| match key.ip {
        Some(ip) => ip.to_string(),
        None => key.family.to_string(),
    });
    format!("{container}|{}", who.unwrap_or_default())
}
