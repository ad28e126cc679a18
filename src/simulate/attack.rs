//! Attacks at graded strengths, scheduled so that a label is never ambiguous.
use std::net::Ipv4Addr;

use crate::detect::AlertKind;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

use super::agent;
use super::caller::{Caller, Credential, Op, Sizes};
use super::draw::{Draw, Purpose};
use super::labels::Attack;
use super::life::{self, CONNECTION_STRINGS, LIST_KEYS, READONLY_KEYS};
use super::network;
use super::query::Asks;
use super::record::{Principal, uuid_text};
use super::{Fleet, Session, sweep};

/// One card of the deck.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Card {
    /// Reads from a Tor exit: how many.
    Tor(u32),
    /// Reads from a listed address.
    Listed(u32),
    /// A stolen key in a new country.
    Far(u32),
    /// A stolen key on a rented server in the account's own country.
    Rented(u32),
    /// So many mean days within 40 minutes; from an address of the account's own or a new one.
    Burst(f64, bool),
    /// So many mean days a day, for so many days.
    Drip(f64, u32, bool),
    /// A new person or application lists the keys.
    Stranger(bool),
    /// The known pipeline's principal lists keys from somewhere else.
    Pipeline,
}

const DECK: &[Card] = &[
    Card::Tor(3),
    Card::Tor(40),
    Card::Tor(400),
    Card::Listed(3),
    Card::Listed(40),
    Card::Listed(400),
    Card::Far(5),
    Card::Far(60),
    Card::Far(600),
    Card::Rented(60),
    Card::Burst(20.0, false),
    Card::Burst(20.0, true),
    Card::Burst(4.0, false),
    Card::Burst(4.0, true),
    Card::Burst(2.0, false),
    Card::Burst(2.0, true),
    Card::Burst(1.0, false),
    Card::Burst(1.0, true),
    Card::Burst(0.5, false),
    Card::Burst(0.5, true),
    Card::Drip(2.0, 3, false),
    Card::Drip(2.0, 3, true),
    Card::Drip(1.0, 3, false),
    Card::Drip(1.0, 3, true),
    Card::Drip(0.6, 7, false),
    Card::Drip(0.6, 7, true),
    Card::Stranger(false),
    Card::Stranger(true),
    Card::Pipeline,
];

/// What the demo shows, in this order.
const SHOWCASE: &[Card] = &[
    Card::Tor(60),
    Card::Listed(60),
    Card::Far(120),
    Card::Burst(4.0, true),
    Card::Stranger(true),
    Card::Drip(2.0, 3, true),
    Card::Burst(2.0, false),
    Card::Pipeline,
];

/// A weak, medium or strong count.
fn strength(count: u32) -> &'static str {
    match count {
        0..=9 => "weak",
        10..=99 => "medium",
        _ => "strong",
    }
}

/// Spans in which an account is attacked, kept apart by the spacing.
pub(crate) type Busy = Vec<(Timestamp, Timestamp)>;

/// Adds attacks and their labels to a fleet.
pub(crate) fn schedule(fleet: &mut Fleet) {
    let mut busy: Vec<Busy> = vec![Vec::new(); fleet.accounts.len()];
    for s in 0..fleet.subscriptions.len() {
        let draw = &mut Draw::new(fleet.options.seed, Purpose::Attack, s as u64, 1);
        sweep::sweep(fleet, s, &mut busy, draw);
    }
    let draw = &mut Draw::new(fleet.options.seed, Purpose::Attack, 0, 2);
    let mut deck = Vec::new();
    let spacing = i64::from(fleet.options.spacing_days) * DAY_MS;
    let last = fleet.options.end().plus_ms(-DAY_MS);
    let first = fleet.options.start.plus_ms(i64::from(fleet.options.warmup_days) * DAY_MS);
    let mut cursors: Vec<Timestamp> =
        (0..fleet.accounts.len()).map(|_| first.plus_ms(draw.below_ms(5 * DAY_MS))).collect();
    // Round by round over the accounts, so that every kind reaches every archetype.
    loop {
        let mut placed = false;
        for a in 0..fleet.accounts.len() {
            if deck.is_empty() {
                deck = fresh_deck(fleet.options.showcase, draw);
            }
            // The topmost card that still fits: a long drip must not block the deck.
            let fit = deck.iter().enumerate().rev().find_map(|(i, card)| {
                let start = free_from(&busy[a], cursors[a], length(*card), spacing);
                (start.plus_ms(length(*card)) <= last).then_some((i, *card, start))
            });
            let Some((i, card, start)) = fit else { continue };
            deck.remove(i);
            let start = start.plus_ms(draw.below_ms(HOUR_MS));
            let end = play(fleet, a, card, start, draw);
            cursors[a] = end.plus_ms(spacing + draw.below_ms(2 * DAY_MS));
            placed = true;
        }
        if !placed || fleet.options.showcase {
            return;
        }
    }
}

/// Longest an attack may take, milliseconds.
fn length(card: Card) -> i64 {
    match card {
        Card::Drip(_, days, _) => i64::from(days) * DAY_MS + 2 * HOUR_MS,
        _ => 3 * HOUR_MS,
    }
}

/// First moment from `from` on with `length + spacing` clear of every busy span.
pub(crate) fn free_from(busy: &Busy, from: Timestamp, length: i64, spacing: i64) -> Timestamp {
    let mut start = from;
    for &(first, last) in busy {
        if start.plus_ms(length + spacing) > first && start < last.plus_ms(spacing) {
            start = last.plus_ms(spacing);
        }
    }
    start
}

fn fresh_deck(showcase: bool, draw: &mut Draw) -> Vec<Card> {
    if showcase {
        return SHOWCASE.iter().rev().copied().collect();
    }
    let mut deck = DECK.to_vec();
    draw.shuffle(&mut deck);
    deck
}

/// Carries out one attack on one account; returns its end.
fn play(fleet: &mut Fleet, a: usize, card: Card, start: Timestamp, draw: &mut Draw) -> Timestamp {
    let country = fleet.accounts[a].country;
    match card {
        Card::Tor(n) => {
            let ip = *draw.pick(&fleet.tor_exits);
            reads(fleet, a, (AlertKind::TorAnomaly, "tor"), ip, n, start, draw)
        }
        Card::Listed(n) => {
            let ip = *draw.pick(&fleet.listed);
            reads(fleet, a, (AlertKind::SuspiciousIp, "listed"), ip, n, start, draw)
        }
        Card::Far(n) => {
            let ip = draw.pick(network::FAR).address(draw);
            reads(fleet, a, (AlertKind::GeoAnomaly, "new-country"), ip, n, start, draw)
        }
        Card::Rented(n) => {
            let ip = network::in_country(network::HOSTING, country, draw).address(draw);
            reads(fleet, a, (AlertKind::GeoAnomaly, "rented-server"), ip, n, start, draw)
        }
        Card::Burst(k, new) => {
            let end = start.plus_ms(40 * 60_000);
            volume(fleet, a, (k, k), new, start, end, draw)
        }
        Card::Drip(k, days, new) => {
            let end = start.plus_ms(i64::from(days) * DAY_MS);
            volume(fleet, a, (k, k * f64::from(days)), new, start, end, draw)
        }
        Card::Stranger(person) => stranger(fleet, a, person, start, draw),
        Card::Pipeline => pipeline(fleet, a, start, draw),
    }
}

/// A label under construction.
pub(crate) fn label(
    fleet: &Fleet,
    kind: AlertKind,
    accounts: &[usize],
    span: (Timestamp, Timestamp),
) -> Attack {
    Attack {
        id: format!("attack-{:03}", fleet.attacks.len() + 1),
        kind,
        also: Vec::new(),
        variant: String::new(),
        strength: "strong",
        accounts: accounts.iter().map(|&a| fleet.accounts[a].name.clone()).collect(),
        start: span.0,
        end: span.1,
        addresses: Vec::new(),
        principal: String::new(),
        mean_days: 0.0,
    }
}

/// The account's own main workload, run by someone else: his address, a client that benign life
/// uses too, and a key.
pub(crate) fn thief(
    fleet: &Fleet,
    a: usize,
    ip: Ipv4Addr,
    at: Timestamp,
    draw: &mut Draw,
) -> Option<Caller> {
    let mut caller = fleet.accounts[a].main_caller(at)?.clone();
    caller.addresses = vec![ip];
    if draw.chance(0.7) {
        caller.agent = agent::desk(draw);
        caller.direct = false;
    }
    if !matches!(caller.credential, Credential::Key(_)) || draw.chance(0.5) {
        caller.credential = Credential::Key("PrimaryMasterKey");
    }
    caller.mix = vec![
        (Op::Query, 0.6),
        (Op::PointRead, draw.between(0.0, 0.3)),
        (Op::Feed, 0.1),
        (Op::ListDatabases, 0.05),
        (Op::ListContainers, 0.05),
    ];
    Some(caller)
}

/// Authenticated reads from an address that should not be there.
fn reads(
    fleet: &mut Fleet,
    a: usize,
    (kind, variant): (AlertKind, &str),
    ip: Ipv4Addr,
    count: u32,
    start: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    let end = start.plus_ms(300_000 + draw.below_ms(HOUR_MS));
    let Some(caller) = thief(fleet, a, ip, start, draw) else { return end };
    let bytes = f64::from(count) * 0.8 * caller.sizes.mean();
    let days = bytes / fleet.accounts[a].mean_day_bytes(start).max(1.0);
    let mut attack = label(fleet, kind, &[a], (start, end));
    attack.also = [AlertKind::GeoAnomaly, AlertKind::DataExfiltration]
        .into_iter()
        .filter(|k| *k != attack.kind)
        .collect();
    attack.variant = format!("{variant}-{count}");
    attack.strength = strength(count);
    attack.addresses = vec![ip];
    attack.mean_days = days;
    attack_session(fleet, a, Session::new(start, end, count, caller));
    fleet.attacks.push(attack);
    end
}

/// Adds an attack's session, and moves log gaps out of its way: what is not logged cannot be
/// judged.
pub(crate) fn attack_session(fleet: &mut Fleet, a: usize, mut session: Session) {
    if session.asks == Asks::Application {
        session.asks = Asks::Everything;
    }
    let (from, until) = (session.start.plus_ms(-DAY_MS), session.end.plus_ms(DAY_MS));
    fleet.accounts[a].gaps.retain(|g| g.1 < from || g.0 > until);
    life::push_session(fleet, a, session);
}

/// Volume: `days.0` mean days a unit of the name, `days.1` in all.
fn volume(
    fleet: &mut Fleet,
    a: usize,
    days: (f64, f64),
    new_address: bool,
    start: Timestamp,
    end: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    let account = &fleet.accounts[a];
    let Some(mut caller) = account.main_caller(start).cloned() else { return end };
    let drip = end.since(start) > DAY_MS;
    if new_address {
        let blocks = if draw.chance(0.5) { network::HOSTING } else { network::HOMES };
        caller.addresses = vec![network::in_country(blocks, account.country, draw).address(draw)];
        if draw.chance(0.6) {
            caller.agent = agent::desk(draw);
            caller.direct = false;
        }
        if !matches!(caller.credential, Credential::Key(_)) {
            caller.credential = Credential::Key("PrimaryMasterKey");
        }
    }
    let bytes = account.mean_day_bytes(start) * days.1;
    let addresses = caller.addresses.clone();
    let Some(mut session) = life::bulk(caller, bytes, start, end, draw) else { return end };
    if session.count < 4 {
        // An almost idle account: a handful of pages all the same.
        session.count = 4;
        session.caller.sizes = Sizes { median: (bytes / 4.0).max(100.0), sigma: 0.2 };
    }
    session.by_day = drip && draw.chance(0.5);
    let shape = if session.by_day { "-like-the-day" } else { "" };
    let place = if new_address { "new" } else { "own" };
    let mut attack = label(fleet, AlertKind::DataExfiltration, &[a], (start, end));
    attack.variant = if drip {
        format!("drip-{}d-{}x-{place}{shape}", end.since(start) / DAY_MS, days.0)
    } else {
        format!("burst-{}x-{place}", days.0)
    };
    attack.also = if new_address { vec![AlertKind::GeoAnomaly] } else { Vec::new() };
    attack.strength = match days.0 {
        x if x >= 4.0 => "strong",
        x if x >= 1.0 => "medium",
        _ => "weak",
    };
    attack.addresses = addresses;
    attack.mean_days = days.1;
    attack_session(fleet, a, session);
    fleet.attacks.push(attack);
    end
}

/// A principal that never listed keys here does, and in half of the cases uses one.
fn stranger(
    fleet: &mut Fleet,
    a: usize,
    person: bool,
    start: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    let principal = if person {
        life::person(draw.chance(0.3), draw)
    } else {
        life::machine("Contributor", draw)
    };
    let blocks = if draw.chance(0.5) { network::FAR } else { network::HOSTING };
    let ip = draw.pick(blocks).address(draw);
    let name = *draw.pick(&[LIST_KEYS, LIST_KEYS, CONNECTION_STRINGS, READONLY_KEYS]);
    let mut at = start;
    if draw.chance(0.3) {
        // Refused at first, until a role is found that may.
        for _ in 0..1 + draw.below(3) {
            life::refused(fleet, a, name, at, &principal, ip);
            at = at.plus_ms(15_000 + draw.below_ms(200_000));
        }
    }
    life::operation(fleet, a, name, at, &principal, ip);
    let kind = if person { "new-user" } else { "new-application" };
    listed_keys(fleet, a, &principal, kind, ip, start, draw)
}

/// The pipeline's own principal from a new network, without its usual triple.
fn pipeline(fleet: &mut Fleet, a: usize, start: Timestamp, draw: &mut Draw) -> Timestamp {
    let principal = fleet.subscriptions[fleet.accounts[a].subscription].terraform.clone();
    let ip = draw.pick(network::FAR).address(draw);
    life::operation(fleet, a, LIST_KEYS, start, &principal, ip);
    listed_keys(fleet, a, &principal, "pipeline-elsewhere", ip, start, draw)
}

fn listed_keys(
    fleet: &mut Fleet,
    a: usize,
    principal: &Principal,
    variant: &str,
    ip: Ipv4Addr,
    start: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    let end = start.plus_ms(HOUR_MS);
    let mut attack = label(fleet, AlertKind::SuspiciousPrincipal, &[a], (start, end));
    attack.variant = variant.to_owned();
    attack.strength = "medium";
    attack.addresses = vec![ip];
    attack.principal = uuid_text(principal.object);
    attack.also = vec![AlertKind::MaliciousScript];
    if draw.chance(0.5)
        && let Some(caller) = thief(fleet, a, ip, start, draw)
    {
        attack.also.extend([AlertKind::GeoAnomaly, AlertKind::DataExfiltration]);
        attack.variant.push_str("-and-use");
        attack.strength = "strong";
        let from = start.plus_ms(900_000 + draw.below_ms(600_000));
        let count = 20 + draw.below(150) as u32;
        attack_session(fleet, a, Session::new(from, end, count, caller));
    }
    fleet.attacks.push(attack);
    end
}
