//! Injections that work and probes that fail, on the account's own queries.
//!
//! They are placed after all other attacks, in days that those leave free, so that a fleet's other
//! attacks are the same with and without them.
use crate::cosmos_sql::Workspace;
use crate::detect::AlertKind;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

use super::attack::{Busy, attack_session, free_from, label, thief};
use super::caller::{Caller, Op};
use super::draw::{Draw, Purpose};
use super::labels::Attack;
use super::network;
use super::query::payload::{self, Means};
use super::query::{Asks, Probe, QueryLog};
use super::{Fleet, Session};

/// One card of the deck.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Card {
    /// An injection that works, so many times.
    Working(Means, u32),
    /// So many probes within minutes; with a stolen key; an injection that works comes of it.
    Burst { count: u32, stolen: bool, working: bool },
    /// So many probes, five an hour.
    Slow(u32),
}

const DECK: &[Card] = &[
    Card::Working(Means::Tautology, 1),
    Card::Working(Means::Tautology, 12),
    Card::Working(Means::Comment, 2),
    Card::Working(Means::Comment, 20),
    Card::Working(Means::Widening, 1),
    Card::Working(Means::Widening, 15),
    Card::Working(Means::Subquery, 3),
    Card::Working(Means::Blind, 30),
    Card::Burst { count: 20, stolen: false, working: false },
    Card::Burst { count: 60, stolen: false, working: true },
    Card::Burst { count: 60, stolen: true, working: false },
    Card::Burst { count: 200, stolen: false, working: false },
    Card::Burst { count: 300, stolen: true, working: true },
    Card::Slow(60),
];

const SHOWCASE: &[Card] = &[
    Card::Burst { count: 60, stolen: false, working: true },
    Card::Working(Means::Tautology, 12),
    Card::Burst { count: 60, stolen: true, working: false },
];

/// Days kept free around attacks of other kinds.
const CLEAR_DAYS: i64 = 2;

impl Card {
    /// Longest it may take, milliseconds.
    fn length(self) -> i64 {
        match self {
            Card::Slow(count) => i64::from(count) * HOUR_MS / 5 + HOUR_MS,
            _ => 4 * HOUR_MS,
        }
    }
}

/// Adds attacks by query text, and their labels.
pub(crate) fn schedule(fleet: &mut Fleet) {
    let draw = &mut Draw::new(fleet.options.seed, Purpose::Queries, 0, 2);
    let first = fleet.options.start.plus_ms(i64::from(fleet.options.warmup_days) * DAY_MS);
    let last = fleet.options.end().plus_ms(-DAY_MS);
    let spacing = i64::from(fleet.options.spacing_days) * DAY_MS;
    let clear = CLEAR_DAYS.min(i64::from(fleet.options.spacing_days)) * DAY_MS;
    let busy: Vec<Busy> = fleet.accounts.iter().map(|a| spans(fleet, &a.name)).collect();
    let mut cursors: Vec<Timestamp> =
        busy.iter().map(|_| first.plus_ms(draw.below_ms(5 * DAY_MS))).collect();
    let mut deck = Vec::new();
    loop {
        let mut placed = false;
        for a in 0..fleet.accounts.len() {
            if deck.is_empty() && fleet.options.showcase && placed {
                return;
            }
            if deck.is_empty() {
                deck = fresh_deck(fleet.options.showcase, draw);
            }
            let fit = deck.iter().enumerate().rev().find_map(|(i, card)| {
                let start = free_from(&busy[a], cursors[a], card.length(), clear);
                let fits = start.plus_ms(card.length()) <= last && possible(fleet, a, *card, start);
                fits.then_some((i, *card, start))
            });
            let Some((i, card, start)) = fit else { continue };
            deck.remove(i);
            let end = play(fleet, a, card, start.plus_ms(draw.below_ms(HOUR_MS)), draw);
            cursors[a] = end.plus_ms(spacing + draw.below_ms(2 * DAY_MS));
            placed = true;
        }
        if !placed {
            return;
        }
    }
}

fn spans(fleet: &Fleet, name: &String) -> Busy {
    let on = fleet.attacks.iter().filter(|attack| attack.accounts.contains(name));
    on.map(|attack| (attack.start, attack.end)).collect()
}

fn fresh_deck(showcase: bool, draw: &mut Draw) -> Vec<Card> {
    if showcase {
        return SHOWCASE.iter().rev().copied().collect();
    }
    let mut deck = DECK.to_vec();
    draw.shuffle(&mut deck);
    deck
}

/// An injection needs a query that glues, and is only seen where queries are logged.
fn possible(fleet: &Fleet, a: usize, card: Card, at: Timestamp) -> bool {
    let account = &fleet.accounts[a];
    let open = !account.book.open_to_injection(at).is_empty();
    let works = open && account.query_log.is_some();
    account.main_caller(at).is_some()
        && match card {
            Card::Working(..) | Card::Burst { working: true, .. } => works,
            Card::Burst { .. } | Card::Slow(_) => open,
        }
}

/// Carries out one attack on one account; returns its end.
fn play(fleet: &mut Fleet, a: usize, card: Card, start: Timestamp, draw: &mut Draw) -> Timestamp {
    let Some(own) = fleet.accounts[a].main_caller(start).cloned() else { return start };
    match card {
        Card::Working(means, runs) => working(fleet, a, (means, runs), own, start, draw),
        Card::Burst { count, stolen, working: then } => {
            let caller = match stolen {
                true => stolen_key(fleet, a, start, draw).unwrap_or(own),
                false => own,
            };
            let end = start.plus_ms(3 * MINUTE_MS + draw.below_ms(12 * MINUTE_MS));
            let means = *draw.pick(&[Means::Tautology, Means::Comment, Means::Widening]);
            let mut also = vec![AlertKind::SqlInjection];
            if stolen {
                also.extend([AlertKind::GeoAnomaly, AlertKind::DataExfiltration]);
            }
            let shape = format!("burst-{count}{}", if stolen { "-stolen-key" } else { "" });
            probes(fleet, a, (count, shape, also), caller.clone(), (start, end), draw);
            if !then {
                return end;
            }
            let next = end.plus_ms(2 * MINUTE_MS + draw.below_ms(20 * MINUTE_MS));
            let end = working(fleet, a, (means, 6), caller, next, draw);
            // Some probes were answered: one story, told from the first of them on.
            if let Some(attack) = fleet.attacks.last_mut() {
                attack.start = start;
            }
            end
        }
        Card::Slow(count) => {
            let end = start.plus_ms(i64::from(count) * HOUR_MS / 5);
            let also = vec![AlertKind::SqlInjection];
            probes(fleet, a, (count, "slow".to_owned(), also), own, (start, end), draw);
            end
        }
    }
}

fn stolen_key(fleet: &Fleet, a: usize, at: Timestamp, draw: &mut Draw) -> Option<Caller> {
    let blocks = if draw.chance(0.5) { network::FAR } else { network::HOSTING };
    let ip = draw.pick(blocks).address(draw);
    thief(fleet, a, ip, at, draw)
}

/// Which of the account's texts are logged, as a part of a label's variant.
fn logged(fleet: &Fleet, a: usize, failed: bool) -> &'static str {
    let account = &fleet.accounts[a];
    match account.query_log {
        Some(QueryLog::Full) if !failed || account.book.logs_failed => "",
        Some(QueryLog::Obfuscated) if !failed => "-obfuscated",
        _ => "-without-text",
    }
}

fn working(
    fleet: &mut Fleet,
    a: usize,
    (means, runs): (Means, u32),
    mut caller: Caller,
    start: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    let end = start.plus_ms(MINUTE_MS + i64::from(runs) * (5_000 + draw.below_ms(60_000)));
    let book = &fleet.accounts[a].book;
    let open = book.open_to_injection(start);
    let Some(template) = open.get(draw.below(open.len())).and_then(|i| book.templates.get(*i))
    else {
        return end;
    };
    let place = draw.below(template.conditions.len());
    let big = caller.sizes.median * draw.between(20.0, 150.0);
    let mut list = Vec::new();
    let one = payload::working(means, (place, template.quote()), &book.vocabulary, 1, draw);
    for step in 0..runs as usize {
        // A blind series asks something else each time, the others repeat what worked.
        let new = || means == Means::Blind;
        let injection = match new() {
            true => {
                payload::working(means, (place, template.quote()), &book.vocabulary, step, draw)
            }
            false => one.clone(),
        };
        let bytes = match means.widens() {
            true => (big * draw.between(0.9, 1.1)).clamp(4_000.0, 4_194_304.0),
            false if draw.chance(0.5) => 60.0,
            false => book.row_bytes as f64,
        };
        let text = template.injected(&book.vocabulary, &injection, draw);
        list.push(Probe { text, status: 200, bytes: bytes as u64 });
    }
    let rewritten = template.rewrite.is_some() && !one.comment;
    let mut attack = label(fleet, AlertKind::SqlInjection, &[a], (start, end));
    attack.variant = format!(
        "{}{}{}",
        means.as_str(),
        if rewritten { "-rewritten" } else { "" },
        logged(fleet, a, false)
    );
    attack.also = vec![AlertKind::DataExfiltration, AlertKind::SqlFuzzing, AlertKind::GeoAnomaly];
    attack.strength = match runs {
        0..=3 => "weak",
        4..=14 => "medium",
        _ => "strong",
    };
    caller.mix = vec![(Op::Query, 1.0)];
    finish(fleet, a, attack, caller, list)
}

fn probes(
    fleet: &mut Fleet,
    a: usize,
    (count, shape, also): (u32, String, Vec<AlertKind>),
    mut caller: Caller,
    span: (Timestamp, Timestamp),
    draw: &mut Draw,
) {
    let book = &fleet.accounts[a].book;
    let open = book.open_to_injection(span.0);
    let Some(template) = open.get(draw.below(open.len())).and_then(|i| book.templates.get(*i))
    else {
        return;
    };
    let place = draw.below(template.conditions.len());
    let mut service = Workspace::new();
    let mut list = Vec::new();
    for _ in 0..count {
        let probing = payload::probing((place, template.quote()), &book.vocabulary, draw);
        let text = template.injected(&book.vocabulary, &probing, draw);
        let foreign = ["SLEEP(", "CONVERT("].iter().any(|f| text.contains(f));
        let reads = !foreign && service.parse(text.as_bytes()).is_ok();
        let (status, bytes) = if reads { (200, 60) } else { (400, 380 + text.len() as u64) };
        list.push(Probe { text, status, bytes });
    }
    let mut attack = label(fleet, AlertKind::SqlFuzzing, &[a], span);
    attack.variant = format!("{shape}{}", logged(fleet, a, true));
    attack.strength = match (shape.as_str(), count) {
        ("slow", _) => "weak",
        (_, 0..=99) => "medium",
        _ => "strong",
    };
    attack.also = also;
    caller.mix = vec![(Op::Query, 1.0)];
    finish(fleet, a, attack, caller, list);
}

/// Writes down the session and its label; returns its end.
fn finish(
    fleet: &mut Fleet,
    a: usize,
    mut attack: Attack,
    caller: Caller,
    list: Vec<Probe>,
) -> Timestamp {
    let bytes: u64 = list.iter().filter(|p| p.status == 200).map(|p| p.bytes).sum();
    attack.mean_days = bytes as f64 / fleet.accounts[a].mean_day_bytes(attack.start).max(1.0);
    attack.addresses.clone_from(&caller.addresses);
    let (start, end, count) = (attack.start, attack.end, list.len() as u32);
    let asks = Asks::Probes(list);
    attack_session(fleet, a, Session { asks, ..Session::new(start, end, count, caller) });
    fleet.attacks.push(attack);
    end
}
