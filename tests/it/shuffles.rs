//! Arrival order inside the lateness bound changes no alert and no model: ten thousand shuffles of
//! stories in which every kind of alert occurs, on several accounts at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use cosmoguard::account::message::{Context, Published};
use cosmoguard::alert::AlertId;
use cosmoguard::alert::formats::{Format, write_line};
use cosmoguard::detect::{AlertKind, Severity};
use cosmoguard::event::Decoder;
use cosmoguard::ids::AccountId;
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{IntelView, ListKind};
use cosmoguard::profile::Profile;
use cosmoguard::simulate::scenario::{SUBSCRIPTION, activity, data_plane};
use cosmoguard::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::query_text;
use world::{Told, World, told};

mod world;

/// Stories, and shuffles of each: 10,000 together.
const STORIES: u64 = 25;
const SHUFFLES: u64 = 400;
/// A Monday.
const START: Timestamp = Timestamp(1_789_344_000_000);
const WARM_UP_DAYS: i64 = 35;
const ACCOUNTS: [&str; 3] = ["shop", "basket", "ledger"];
const LIST_KEYS: &str = "Microsoft.DocumentDB/databaseAccounts/listKeys/action";
/// What Terraform reads of every account at every plan.
const TERRAFORM: [&str; 3] = [
    LIST_KEYS,
    "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action",
    "Microsoft.DocumentDB/databaseAccounts/listConnectionStrings/action",
];
/// What a script that collects credentials visits besides.
const OTHER_PROVIDERS: [(&str, &str); 3] = [
    ("Microsoft.Web/sites/publishxml/action", "Microsoft.Web/sites/app01"),
    (
        "Microsoft.ContainerRegistry/registries/listCredentials/action",
        "Microsoft.ContainerRegistry/registries/cr01",
    ),
    ("Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.Storage/storageAccounts/st01"),
];
const TOR_EXIT: IpAddr = ip([185, 220, 101, 33]);
const LISTED: IpAddr = ip([45, 33, 3, 77]);
const VIETNAM: IpAddr = ip([171, 244, 9, 20]);
const RENTED: IpAddr = ip([138, 201, 5, 40]);
const PIPELINE: IpAddr = ip([13, 80, 44, 9]);

const fn ip([a, b, c, d]: [u8; 4]) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d))
}

fn below(draw: &mut ChaCha8Rng, n: u64) -> u64 {
    draw.next_u64() % n
}

fn moment(draw: &mut ChaCha8Rng, from: Timestamp, span_ms: i64) -> Timestamp {
    from.plus_ms(below(draw, span_ms as u64) as i64)
}

/// A request of an account's own service.
fn usual(account: usize, at: Timestamp, draw: &mut ChaCha8Rng) -> (Timestamp, Vec<u8>) {
    let own = ip([20, 50, 10 + account as u8, 4 + below(draw, 3) as u8]);
    let bytes = 2_000 + below(draw, 40_000);
    let id = u128::from(draw.next_u64());
    (at, data_plane(ACCOUNTS[account], at).ip(own).bytes(bytes).activity(id).json())
}

/// A query of an account's own service with its text.
fn asked(
    account: usize,
    at: Timestamp,
    (text, status, rows): (&str, u16, u64),
    draw: &mut ChaCha8Rng,
) -> [(Timestamp, Vec<u8>); 2] {
    let own = ip([20, 50, 10 + account as u8, 4]);
    let id = u128::from(draw.next_u64());
    let bytes = 200 + rows * 300;
    let length = 280 + text.len() as u64;
    let request =
        data_plane(ACCOUNTS[account], at).ip(own).bytes(bytes).activity(id).status(status);
    let text_at = at.plus_ms(below(draw, 900) as i64);
    let text = query_text(ACCOUNTS[account], text_at, id, text, rows);
    [(at, request.request_bytes(length).json()), (text_at, text)]
}

/// What somebody tries who looks for a place to inject.
fn probe(draw: &mut ChaCha8Rng) -> String {
    let payloads =
        ["' UNION SELECT 1", "'; DROP TABLE x", "') OR ('a'='a", "' AND SLEEP(5)", "'/**/OR"];
    let payload = payloads[below(draw, payloads.len() as u64) as usize];
    format!("SELECT * FROM c WHERE c.name = 'x{}{payload}'", below(draw, 1000))
}

fn terraform(day: Timestamp) -> Vec<(Timestamp, Vec<u8>)> {
    let mut records = Vec::new();
    for (i, account) in ACCOUNTS.iter().enumerate() {
        for (j, operation) in TERRAFORM.iter().enumerate() {
            let at = day.plus_ms(6 * HOUR_MS + (i as i64 * 3 + j as i64) * 700);
            let record = activity(account, at, operation).service_principal(7, 70).ip(PIPELINE);
            records.push((at, record.json()));
        }
    }
    records
}

/// Weeks of everyday life up to the moment at which a story begins.
fn everyday_life(story: Timestamp, draw: &mut ChaCha8Rng) -> Vec<(Timestamp, Vec<u8>)> {
    let mut records = Vec::new();
    for day in 0..=WARM_UP_DAYS {
        records.extend(terraform(START.plus_ms(day * DAY_MS)));
    }
    for account in 0..ACCOUNTS.len() {
        let mut at = START.plus_ms(account as i64 * MINUTE_MS);
        let mut n = 0;
        while at < story {
            records.push(usual(account, at, draw));
            n += 1;
            if n % 20 == 0 {
                let text = format!("SELECT * FROM c WHERE c.name = 'n{}'", below(draw, 1000));
                records.extend(asked(account, at, (&text, 200, 1), draw));
            }
            at = at.plus_ms(10 * MINUTE_MS + below(draw, 600_000) as i64);
        }
    }
    records.sort();
    records
}

/// Two hours of everyday life and of attacks: a Tor exit, a listed address, a new country, a burst
/// to a rented server, a sweep over the providers' credentials, a stranger who lists keys.
fn story(from: Timestamp, draw: &mut ChaCha8Rng) -> Vec<(Timestamp, Vec<u8>)> {
    let span = 2 * HOUR_MS;
    let mut records = Vec::new();
    for account in 0..ACCOUNTS.len() {
        for _ in 0..20 {
            let at = moment(draw, from, span);
            records.push(usual(account, at, draw));
        }
    }
    for (caller, requests, bytes, key) in [
        (TOR_EXIT, 4, 3_000, "PrimaryMasterKey"),
        (LISTED, 4, 3_000, "PrimaryMasterKey"),
        (VIETNAM, 6, 9_000, "SecondaryMasterKey"),
        (RENTED, 12, 40_000_000, "PrimaryMasterKey"),
    ] {
        let victim = ACCOUNTS[below(draw, 3) as usize];
        let begin = moment(draw, from, span - 20 * MINUTE_MS);
        for _ in 0..requests {
            let at = moment(draw, begin, 20 * MINUTE_MS);
            let bytes = bytes + below(draw, 1_000);
            let id = u128::from(draw.next_u64());
            let request = data_plane(victim, at).ip(caller).bytes(bytes).key(key).activity(id);
            records.push((at, request.json()));
        }
    }
    let victim = below(draw, 3) as usize;
    let at = moment(draw, from, span - 20 * MINUTE_MS);
    for _ in 0..150 {
        let (at, text) = (moment(draw, at, 3 * MINUTE_MS), probe(draw));
        records.extend(asked(victim, at, (&text, 400, 0), draw));
    }
    let victim = below(draw, 3) as usize;
    let at = moment(draw, from, span - 20 * MINUTE_MS);
    for _ in 0..3 {
        let at = moment(draw, at, 4 * MINUTE_MS);
        let text = "SELECT * FROM c WHERE c.name = '' OR c.id = c.id --'";
        records.extend(asked(victim, at, (text, 200, 5000), draw));
    }
    records.extend(sweep(moment(draw, from, span - 30 * MINUTE_MS), draw));
    let victim = ACCOUNTS[below(draw, 3) as usize];
    let at = moment(draw, from, span - MINUTE_MS);
    let stranger = activity(victim, at, LIST_KEYS).guest(0xbad, "eve@elsewhere.example");
    records.push((at, stranger.ip(ip([92, 72, 6, 5])).json()));
    records.sort();
    records
}

fn sweep(begin: Timestamp, draw: &mut ChaCha8Rng) -> Vec<(Timestamp, Vec<u8>)> {
    let mut records = Vec::new();
    let mut at = begin;
    let mut push = |operation: &str, account: &str, target: Option<String>| {
        let id = u128::from(draw.next_u64());
        for result in ["Start", "Success"] {
            let mut record = activity(account, at, operation)
                .service_principal(0x5eed, 0x5eed1)
                .ip(RENTED)
                .correlation(id)
                .result(result);
            if let Some(target) = &target {
                record = record.target(target);
            }
            records.push((at, record.json()));
            at = at.plus_ms(400 + below(draw, 40_000) as i64);
        }
    };
    for (operation, resource) in OTHER_PROVIDERS {
        let target =
            format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shared/providers/{resource}");
        push(operation, "", Some(target));
    }
    for account in ACCOUNTS {
        push(LIST_KEYS, account, None);
    }
    records
}

fn context() -> Context {
    let list = |name: &str, kind, address: IpAddr| {
        feeds::load_bytes(name, name, kind, address.to_string().as_bytes()).unwrap().0
    };
    let intel = IntelView::builder()
        .list(list("tor", ListKind::TorExit, TOR_EXIT))
        .list(list("threats", ListKind::Threat, LISTED))
        .build()
        .unwrap();
    Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(intel),
        published: Published::default(),
    }
}

/// What stays of an alert when records come in another order: who, what, how bad.
type Essence = BTreeSet<(AlertId, AlertKind, AccountId, Severity)>;

fn essence(world: &World) -> Essence {
    let of = |alert: &cosmoguard::alert::Alert| {
        (alert.id, alert.finding.kind, alert.finding.account.clone(), alert.grade.severity)
    };
    world.alerts.iter().map(of).collect()
}

/// The alert file.
fn lines(world: &World) -> Vec<u8> {
    let mut lines = Vec::new();
    world.alerts.iter().for_each(|alert| write_line(alert, Format::Defender, &mut lines));
    lines
}

/// The same events in the order in which they arrive, each later than it happened by less than
/// the lateness bound: by anything, mostly not at all, or by much or nothing.
fn shuffled(events: &[Told], draw: &mut ChaCha8Rng) -> Vec<Told> {
    let late = 15 * MINUTE_MS as u64;
    let habit = below(draw, 3);
    let delay = |draw: &mut ChaCha8Rng| match habit {
        0 => below(draw, late),
        1 if below(draw, 8) > 0 => below(draw, 1_000),
        1 => below(draw, late),
        _ => below(draw, 2) * (late - 1),
    };
    let mut order: Vec<(i64, u64, &Told)> = events
        .iter()
        .map(|told| (told.event.time.millis() + delay(draw) as i64, draw.next_u64(), told))
        .collect();
    order.sort_by_key(|(arrival, tie, _)| (*arrival, *tie));
    order.into_iter().map(|(_, _, told)| told.clone()).collect()
}

fn live(taught: &World, events: Vec<Told>, end: Timestamp) -> World {
    let mut world = taught.clone();
    for told in events {
        world.take(told);
    }
    world.end(end);
    world
}

#[test]
fn ten_thousand_shuffles_within_the_lateness_bound_change_no_alert() {
    let context = context();
    let mut decoder = Decoder::new();
    let mut decode = |records: Vec<(Timestamp, Vec<u8>)>| -> Vec<Told> {
        records.iter().map(|(_, record)| told(&mut decoder, record, &context.intel)).collect()
    };
    // In the afternoon, and over a midnight, when days close and the fleet publishes.
    for (hour, stories) in [(14, 0..STORIES / 2), (23, STORIES / 2..STORIES)] {
        let begin = START.plus_ms(WARM_UP_DAYS * DAY_MS + hour * HOUR_MS);
        let mut taught = World::new(context.clone());
        for told in decode(everyday_life(begin, &mut ChaCha8Rng::seed_from_u64(hour as u64))) {
            taught.take(told);
        }
        assert!(taught.alerts.is_empty(), "everyday life is innocent: {:#?}", essence(&taught));
        for seed in stories {
            let events = decode(story(begin, &mut ChaCha8Rng::seed_from_u64(seed)));
            shuffles_tell_the_same(&taught, &events, begin.plus_ms(DAY_MS), seed);
        }
    }
}

fn shuffles_tell_the_same(taught: &World, events: &[Told], end: Timestamp, seed: u64) {
    let in_order = live(taught, events.to_vec(), end);
    let (expected, file) = (essence(&in_order), lines(&in_order));
    let kinds: BTreeSet<AlertKind> = expected.iter().map(|(_, kind, _, _)| *kind).collect();
    assert_eq!(kinds.len(), AlertKind::ALL.len(), "story {seed} has only {kinds:?}");
    for shuffle in 0..SHUFFLES {
        let mut draw = ChaCha8Rng::seed_from_u64(seed * SHUFFLES + shuffle);
        let world = live(taught, shuffled(events, &mut draw), end);
        let got = essence(&world);
        let odd: Vec<_> = got.symmetric_difference(&expected).collect();
        assert!(odd.is_empty(), "story {seed}, shuffle {shuffle}: {odd:#?}");
        assert!(lines(&world) == file, "story {seed}, shuffle {shuffle}: words differ");
        assert!(world.models() == in_order.models(), "story {seed}, shuffle {shuffle}: models");
    }
}
