//! The single judgements and lessons of one principal's entry.
use super::KeyOperation;
use super::entry::{
    ACCEPTED_MAX, APPLICATIONS_MAX, Arrival, NETWORKS_MAX, NetworkUse, PATTERNS_MAX,
    PrincipalEntry, TextUse, Today, operation_bit, place,
};
use super::observation::{FACETS, KeyFacet};
use crate::baseline::cell::Network;
use crate::event::Outcome;
use crate::intel::view::AddressClass;
use crate::profile::{KeysProfile, PropertyPriors};
use crate::time::{DAY_MS, Timestamp};

/// The Azure portal's application id: its Data Explorer lists keys for whoever browses.
pub(super) const PORTAL_APP_ID: &str = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c";
/// A new person, and a new workload (whose schedule is anybody's guess), at an hour when none of its
/// like acts.
const NEWCOMER_HOUR: [f64; 2] = [0.4, 0.6];
/// Refused attempts before a newcomer's first success.
const NEWCOMER_FAILURES: f64 = 0.03;

pub(super) fn network(operation: &KeyOperation) -> Network {
    Network::of(&operation.address)
}

pub(super) fn new_entry(first: &KeyOperation, p: f64, weight: f64) -> PrincipalEntry {
    let day = first.time.day();
    PrincipalEntry {
        principal: first.principal.clone(),
        name: first.principal_name.clone(),
        principal_type: first.principal_type,
        guest: first.guest,
        first_seen: first.time,
        last_seen: first.time,
        last_active_day: 0,
        arrival: Arrival { day, p, weight, quarantined: false },
        seen_days: 0,
        days: 0.0,
        operations: [0.0; 4],
        runs: 0,
        run_start: first.time,
        run_bits: 0,
        run_judged: true,
        counted: (0, Timestamp::MIN),
        patterns: Vec::new(),
        networks: Vec::new(),
        applications: Vec::new(),
        hours: [0.0; 24],
        broken_days: [0.0; FACETS],
        last_hour: i64::MIN,
        accepted: Vec::new(),
        today: Today {
            day,
            first: first.time,
            first_event: first.correlation_id.clone(),
            first_place: first.place,
            operations: 0,
            bits: 0,
            broken: 0,
            odds: [0.0; FACETS],
            failures: 0,
            absent_days: -1,
            last: None,
        },
    }
}

/// Hash of an operation's identity: correlation id, operation.
fn operation_hash(operation: &KeyOperation) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(b"key operation");
    hash.update(&[operation_bit(operation.operation)]);
    hash.update(operation.correlation_id.as_bytes());
    hash.digest()
}

/// The operation was counted already: its Accept came in an earlier minute.
pub(super) fn was_counted(entry: &PrincipalEntry, operation: &KeyOperation) -> bool {
    let hash = operation_hash(operation);
    operation.outcome == Outcome::Succeeded
        && !operation.correlation_id.is_empty()
        && entry
            .accepted
            .iter()
            .any(|(known, at)| *known == hash && (0..=DAY_MS).contains(&operation.time.since(*at)))
}

/// Ends the current run: judges its set of operations, then learns it. True if it broke.
pub(super) fn close_run(entry: &mut PrincipalEntry) -> bool {
    if entry.run_judged {
        return false;
    }
    entry.run_judged = true;
    let tested = entry.today.odds[KeyFacet::Pattern as usize] > 0.0;
    let known = entry.knows_pattern(entry.run_bits);
    let broke = tested && !known && entry.today.broken & KeyFacet::Pattern.bit() == 0;
    if tested && !known {
        entry.today.broken |= KeyFacet::Pattern.bit();
    }
    if broke {
        entry.broken_days[KeyFacet::Pattern as usize] += 1.0;
    }
    let counted = (entry.run_bits, entry.run_start);
    if entry.counted == counted {
        return broke;
    }
    entry.counted = counted;
    match entry.patterns.iter_mut().find(|(bits, _)| *bits == entry.run_bits) {
        Some((_, runs)) => *runs += 1.0,
        None => {
            entry.patterns.reserve_exact(1);
            entry.patterns.push((entry.run_bits, 1.0));
        }
    }
    entry.patterns.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if entry.patterns.len() > PATTERNS_MAX {
        // The newest must have its chance: it replaces the rarest of the others.
        let rarest = entry.patterns.iter().rposition(|(bits, _)| *bits != entry.run_bits);
        if let Some(at) = rarest {
            entry.patterns.remove(at);
        }
    }
    broke
}

pub(super) fn decay(entry: &mut PrincipalEntry, kept: f64) {
    entry.days *= kept;
    entry.operations.iter_mut().for_each(|v| *v *= kept);
    entry.hours.iter_mut().for_each(|v| *v *= kept);
    entry.broken_days.iter_mut().for_each(|v| *v *= kept);
    entry.patterns.iter_mut().for_each(|(_, v)| *v *= kept);
    entry.networks.iter_mut().for_each(|n| n.days *= kept);
    entry.applications.iter_mut().for_each(|a| a.days *= kept);
}

/// Predictive probabilities of a known principal's facets breaking today.
pub(super) fn known_odds(entry: &PrincipalEntry, profile: &KeysProfile) -> [f64; FACETS] {
    let priors: &PropertyPriors = if entry.is_person() { &profile.user } else { &profile.workload };
    let mut odds = [0.0; FACETS];
    let table = [
        (KeyFacet::Network, &priors.network),
        (KeyFacet::Region, &priors.region),
        (KeyFacet::Country, &priors.country),
        (KeyFacet::Application, &priors.application),
        (KeyFacet::Hour, &priors.hour),
        (KeyFacet::Pattern, &priors.pattern),
        (KeyFacet::Dormant, &priors.dormant),
        (KeyFacet::Failures, &priors.failures),
    ];
    for (facet, prior) in table {
        let exposure = match facet {
            KeyFacet::Country => entry.broken_days[KeyFacet::Network as usize],
            _ => entry.days,
        };
        odds[facet as usize] = prior.predictive(entry.broken_days[facet as usize], exposure);
    }
    if entry.patterns.is_empty() {
        odds[KeyFacet::Pattern as usize] = 0.0;
    }
    odds
}

/// Facets of a known principal that one operation breaks. One that was only ever seen without a
/// country (inside Azure or a private network) is held against the countries of the whole account.
pub(super) fn known_broken(
    entries: &[PrincipalEntry],
    entry: &PrincipalEntry,
    operation: &KeyOperation,
) -> u16 {
    let mut broken = 0;
    let network = network(operation);
    let trusted = network.class == AddressClass::Trusted;
    if !trusted && !entry.knows_place(&network) {
        broken |= KeyFacet::Network.bit();
        if let Some(country) = place(&network).country
            && !entry.countries().any(|c| c == country)
            && (entry.countries().next().is_some()
                || !entries.iter().flat_map(PrincipalEntry::countries).any(|c| c == country))
        {
            broken |= KeyFacet::Country.bit();
        }
    } else if !trusted && !entry.knows_network(&network) {
        broken |= KeyFacet::Region.bit();
    }
    if !entry.knows_application(&operation.app_id) {
        broken |= KeyFacet::Application.bit();
    }
    if !entry.knows_hour(operation.time.hour_of_day()) {
        broken |= KeyFacet::Hour.bit();
    }
    if !entry.patterns.is_empty() && !entry.fits_pattern(entry.run_bits) {
        broken |= KeyFacet::Pattern.bit();
    }
    broken
}

/// Principals of the same sort (people or workloads) that are known on `day`.
fn peers<'a>(
    entries: &'a [PrincipalEntry],
    of: &'a PrincipalEntry,
    day: i64,
) -> impl Iterator<Item = &'a PrincipalEntry> {
    entries.iter().filter(move |e| {
        e.principal != of.principal && e.is_person() == of.is_person() && !e.is_new(day)
    })
}

/// Probabilities that a newcomer differs from its peers: the more of them agree, the odder.
pub(super) fn newcomer_odds(
    entries: &[PrincipalEntry],
    entry: &PrincipalEntry,
    day: i64,
) -> [f64; FACETS] {
    let mut odds = [0.0; FACETS];
    let count = peers(entries, entry, day).count() as f64;
    let differing = |distinct: usize, pseudo: f64, weight: f64, floor: f64| {
        ((distinct.saturating_sub(1) as f64 + pseudo) / (count + weight)).clamp(floor, 0.9)
    };
    if count > 0.0 {
        let networks = distinct(
            peers(entries, entry, day).flat_map(|e| e.networks.iter().map(|n| place(&n.network))),
        );
        let applications = distinct(
            peers(entries, entry, day).flat_map(|e| e.applications.iter().map(|a| &a.text)),
        );
        // Every home has its own provider; workloads mostly share a cloud.
        odds[KeyFacet::Network as usize] = if entry.is_person() {
            differing(networks, 1.5, 2.0, 0.25)
        } else {
            differing(networks, 1.0, 2.0, 0.1)
        };
        odds[KeyFacet::Hour as usize] = NEWCOMER_HOUR[usize::from(!entry.is_person())];
        if entry.is_person() {
            odds[KeyFacet::Application as usize] = differing(applications, 1.0, 2.0, 0.2);
        }
    }
    let all = entries.iter().filter(|e| e.principal != entry.principal && !e.is_new(day));
    if all.clone().next().is_some() {
        let countries = distinct(all.flat_map(PrincipalEntry::countries));
        odds[KeyFacet::Country as usize] = differing(countries, 0.5, 3.0, 0.05);
    }
    let guests = peers(entries, entry, day).filter(|e| e.guest).count() as f64;
    odds[KeyFacet::Guest as usize] = (guests + 0.3) / (count + 4.0);
    odds[KeyFacet::Failures as usize] = NEWCOMER_FAILURES;
    odds
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    values.collect::<std::collections::BTreeSet<T>>().len()
}

/// Facets in which a newcomer's operation differs from everything known of its peers.
pub(super) fn newcomer_broken(
    entries: &[PrincipalEntry],
    entry: &PrincipalEntry,
    operation: &KeyOperation,
) -> u16 {
    let day = operation.time.day();
    let network = network(operation);
    let any = |test: &dyn Fn(&PrincipalEntry) -> bool| peers(entries, entry, day).any(test);
    let mut broken = 0;
    if network.class != AddressClass::Trusted && !any(&|e| e.knows_place(&network)) {
        broken |= KeyFacet::Network.bit();
    }
    let known_country = |country| {
        let others = entries.iter().filter(|e| e.principal != entry.principal && !e.is_new(day));
        others.flat_map(PrincipalEntry::countries).any(|c| c == country)
    };
    if place(&network).country.is_some_and(|country| !known_country(country)) {
        broken |= KeyFacet::Country.bit();
    }
    if !any(&|e| e.knows_application(&operation.app_id)) {
        broken |= KeyFacet::Application.bit();
    }
    if !any(&|e| e.knows_hour(operation.time.hour_of_day())) {
        broken |= KeyFacet::Hour.bit();
    }
    if entry.guest {
        broken |= KeyFacet::Guest.bit();
    }
    broken
}

/// Learns one finished operation. `odd`: part of a day too odd to learn places from.
pub(super) fn absorb_use(
    entry: &mut PrincipalEntry,
    operation: &KeyOperation,
    odd: bool,
    profile: &KeysProfile,
) {
    if was_counted(entry, operation) {
        return;
    }
    let day = operation.time.day();
    absorb_network(entry, operation, odd, profile);
    match entry.applications.iter_mut().find(|a| a.text == operation.app_id) {
        Some(known) if known.last_day < day => {
            known.days += 1.0;
            known.last_day = day;
        }
        Some(_) => {}
        None => {
            let text = operation.app_id.clone();
            entry.applications.reserve_exact(1);
            entry.applications.push(TextUse { text, days: 1.0, last_day: day });
        }
    }
    entry.applications.sort_by(|a, b| b.days.total_cmp(&a.days).then(a.text.cmp(&b.text)));
    if entry.applications.len() > APPLICATIONS_MAX {
        let rarest = entry.applications.iter().rposition(|a| a.text != operation.app_id);
        rarest.map(|at| entry.applications.remove(at));
    }
    let hour = operation.time.hour_of_day();
    if entry.last_hour < operation.time.hour() {
        entry.last_hour = operation.time.hour();
        entry.hours[hour] += 1.0;
    }
    let number = operation_bit(operation.operation).trailing_zeros() as usize;
    if let Some(count) = entry.operations.get_mut(number) {
        *count += 1.0;
    }
    if operation.outcome == Outcome::Accepted {
        entry.accepted.reserve_exact(1);
        entry.accepted.push((operation_hash(operation), operation.time));
        let surplus = entry.accepted.len().saturating_sub(ACCEPTED_MAX);
        entry.accepted.drain(..surplus);
    }
    if !operation.principal_name.is_empty() {
        entry.name = operation.principal_name.clone();
    }
    entry.guest = operation.guest;
}

fn absorb_network(
    entry: &mut PrincipalEntry,
    operation: &KeyOperation,
    odd: bool,
    profile: &KeysProfile,
) {
    let day = operation.time.day();
    let network = network(operation);
    match entry.networks.iter_mut().find(|n| n.network == network) {
        Some(known) => {
            if known.last_day < day {
                known.days += 1.0;
                known.seen_days = known.seen_days.saturating_add(1);
                known.last_day = day;
            }
            known.trusted |= known.seen_days >= profile.quarantine_days;
        }
        None => {
            // A newcomer has no other place: it is quarantined as a whole instead.
            let trusted = !odd || entry.is_new(day);
            entry.networks.reserve_exact(1);
            entry.networks.push(NetworkUse {
                network,
                days: 1.0,
                last_day: day,
                trusted,
                seen_days: 1,
            });
        }
    }
    entry.networks.sort_by(|a, b| b.days.total_cmp(&a.days).then(a.network.cmp(&b.network)));
    if entry.networks.len() > NETWORKS_MAX {
        let rarest = entry.networks.iter().rposition(|n| n.network != network);
        rarest.map(|at| entry.networks.remove(at));
    }
}

/// What was seen of a facet, for people.
pub(super) fn observed(
    facet: KeyFacet,
    entry: &PrincipalEntry,
    last: Option<&KeyOperation>,
) -> String {
    let newest = entry.networks.iter().max_by_key(|n| n.last_day).map(|n| n.network);
    let seen_network = last.map(network).or(newest);
    match facet {
        KeyFacet::Network | KeyFacet::Region => seen_network.map(network_name).unwrap_or_default(),
        KeyFacet::Country => {
            seen_network.and_then(|n| n.country).map(|c| c.as_str().to_owned()).unwrap_or_default()
        }
        KeyFacet::Application => last.map(|o| o.app_id.to_string()).unwrap_or_default(),
        KeyFacet::Hour => format!("{:02}:00 UTC", entry.last_seen.hour_of_day()),
        KeyFacet::Pattern => pattern_name(entry.run_bits),
        KeyFacet::Dormant => entry.today.absent_days.max(0).to_string(),
        KeyFacet::Failures => entry.today.failures.to_string(),
        KeyFacet::Guest => if entry.guest { "guest" } else { "member" }.to_owned(),
    }
}

/// Known values of a facet with their share: the principal's own, or its peers' for a newcomer.
pub(super) fn usual(
    facet: KeyFacet,
    entry: &PrincipalEntry,
    entries: &[PrincipalEntry],
) -> Vec<(String, f64)> {
    let day = entry.today.day;
    let sources: Vec<&PrincipalEntry> = if entry.is_new(day) {
        peers(entries, entry, day).collect()
    } else {
        entries.iter().filter(|e| e.principal == entry.principal).collect()
    };
    let networks = || sources.iter().flat_map(|e| e.networks.iter().filter(|n| n.trusted));
    match facet {
        KeyFacet::Network | KeyFacet::Region => {
            shares(networks().map(|n| (network_name(n.network), n.days)))
        }
        KeyFacet::Country => shares(
            networks()
                .filter_map(|n| place(&n.network).country.map(|c| (c.as_str().to_owned(), n.days))),
        ),
        KeyFacet::Application => shares(
            sources
                .iter()
                .flat_map(|e| e.applications.iter().map(|a| (a.text.to_string(), a.days))),
        ),
        KeyFacet::Hour => shares(sources.iter().flat_map(|e| {
            let hours = e.hours.iter().enumerate().filter(|(_, n)| **n > 0.0);
            hours.map(|(hour, n)| (format!("{hour:02}:00 UTC"), *n))
        })),
        KeyFacet::Pattern => shares(
            sources
                .iter()
                .flat_map(|e| e.patterns.iter().map(|(bits, n)| (pattern_name(*bits), *n))),
        ),
        KeyFacet::Dormant | KeyFacet::Failures | KeyFacet::Guest => Vec::new(),
    }
}

/// Weights by name, as shares of their sum: largest first, at most five.
pub(super) fn shares(weights: impl Iterator<Item = (String, f64)>) -> Vec<(String, f64)> {
    let mut sums: std::collections::BTreeMap<String, f64> = Default::default();
    for (name, weight) in weights {
        *sums.entry(name).or_default() += weight;
    }
    let total: f64 = sums.values().sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let mut shares: Vec<(String, f64)> = sums.into_iter().map(|(n, w)| (n, w / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    shares.truncate(5);
    shares
}

fn network_name(network: Network) -> String {
    let mut name = network.class.as_str().to_owned();
    if let Some(asn) = network.asn {
        name.push_str(&format!(" AS{asn}"));
    }
    if let Some(country) = network.country {
        name.push(' ');
        name.push_str(country.as_str());
    }
    name
}

fn pattern_name(bits: u8) -> String {
    let names = ["listKeys", "readonlykeys", "listConnectionStrings", "regenerateKey"];
    let held: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(number, _)| bits & (1 << number) != 0)
        .map(|(_, name)| *name)
        .collect();
    held.join(" + ")
}
