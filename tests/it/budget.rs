//! The memory of an awake account stays within its bounds, whatever it is sent.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use cosmoguard::account::message::{Context, Published, Routed};
use cosmoguard::account::model::AccountModel;
use cosmoguard::detect::AlertKind;
use cosmoguard::event::{
    Body, Credential, Decoded, Decoder, Event, Failure, HIDDEN_TOKENS_MAX, Marked, Place,
    QueryLanguage, QueryRead, SIGNS_MAX, Sign, TEMPLATE_BYTES_MAX, TOKENS_MAX,
};
use cosmoguard::ids::{AccountId, Cloud, PrincipalId, Text};
use cosmoguard::intel::feeds;
use cosmoguard::intel::view::{AddressClass, Country, IntelView, ListKind};
use cosmoguard::limits;
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::time::{HOUR_MS, MINUTE_MS, Timestamp};

use crate::simulated::{fleet, run_fleet_by_hour};

const EXIT: &str = "2001:db8::77";

fn context() -> Context {
    let text = format!("{EXIT}\n");
    let exits = feeds::load_bytes("tor", "tor", ListKind::TorExit, text.as_bytes()).unwrap().0;
    Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(IntelView::builder().list(exits).build().unwrap()),
        published: Published::default(),
    }
}

fn event(record: &str) -> Event {
    match Decoder::new().decode(record.as_bytes()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn read() -> Event {
    event(
        r#"{"time": "2026-03-01T00:00:00Z", "category": "DataPlaneRequests", "operationName": "Query",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/SHOP",
        "properties": {"requestResourceType": "Document", "statusCode": "200", "responseLength": "900",
        "clientIpAddress": "2001:db8::1", "databaseName": "d", "collectionName": "c"}}"#,
    )
}

fn listing() -> Event {
    let lines = include_str!("../fixtures/logs/made_up_cosmos_key_operations.jsonl").lines();
    let found = lines.map(event).find(|event| match &event.body {
        Body::Activity(operation) => operation.credential.is_some_and(|c| c.is_cosmos()),
        _ => false,
    });
    let mut event = found.unwrap();
    if let Body::Activity(operation) = &mut event.body {
        operation.outcome = cosmoguard::event::Outcome::Succeeded;
    }
    event
}

fn hash(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A request as nobody ever made one before: everything in it is new.
fn stranger(event: &mut Event, number: u64) {
    let text = |word: &str| Text::from(format!("{word}-{:016x}", hash(number)));
    let Body::Request(r) = &mut event.body else { return };
    r.client_ip = Some(IpAddr::V6(Ipv6Addr::from_bits(0x2001 << 112 | u128::from(hash(number)))));
    r.operation_name = text("operation");
    r.user_agent = text("agent");
    r.client_family = text("family");
    r.database = text("database");
    r.container = text("container");
    r.status = (number % 97) as i32 + 200;
    r.credential = Credential::Entra(PrincipalId::new(&text("principal")));
    r.response_bytes = hash(number) >> 24;
    r.activity_id = Some(u128::from(number));
}

/// What a query says that nobody ever asked before, as long as it can be; every third fails.
fn query(number: u64) -> Arc<QueryRead> {
    let failure = Failure { offset: 9, reason: Text::from(format!("reason {}", number % 50)) };
    Arc::new(QueryRead {
        language: QueryLanguage::Sql,
        shape: hash(number),
        skeleton: hash(number / 7),
        failure: number.is_multiple_of(3).then_some(failure),
        literals: 1,
        parameters: 0,
        tokens: vec![number as u16; TOKENS_MAX].into(),
        starts: vec![number as u16; TOKENS_MAX].into(),
        hidden: vec![vec![7; HIDDEN_TOKENS_MAX].into()].into(),
        unclosed: false,
        template: Text::from("t".repeat(TEMPLATE_BYTES_MAX)),
        marked: vec![Marked { sign: Sign::Unbalanced, begin: 0, end: 1 }; SIGNS_MAX].into(),
    })
}

struct Flood {
    model: AccountModel,
    cx: Context,
    most: usize,
}

impl Flood {
    fn new() -> Flood {
        let model = AccountModel::new(AccountId::new("shop", Cloud::Public));
        Flood { model, cx: context(), most: 0 }
    }

    fn send(&mut self, event: Event, watermark: Timestamp, number: u64) -> Vec<AlertKind> {
        let ip = match &event.body {
            Body::Request(r) => r.client_ip,
            _ => None,
        };
        let mut address = self.cx.intel.describe(ip);
        if !address.listed_ever {
            address.class = AddressClass::Residential;
            address.country =
                Some(Country([b'A' + (number % 26) as u8, b'A' + (number / 26 % 26) as u8]));
            address.asn = Some(number as u32);
        }
        let routed = Routed {
            event,
            address: Arc::new(address),
            watermark,
            place: Place::NOWHERE,
            query: Some(query(number)),
        };
        let out = self.model.apply([&routed], &self.cx);
        if number.is_multiple_of(50) {
            self.most = self.most.max(self.model.bytes());
        }
        out.findings.iter().map(|graded| graded.finding.kind).collect()
    }
}

/// Hours of an hour's blobs: `callers` new ones a minute, key operations of new principals, and a
/// Tor exit in the crowd.
fn flood(hours: i64, callers: u64) -> (Flood, Vec<AlertKind>) {
    let (read, listing) = (read(), listing());
    let mut flood = Flood::new();
    let mut kinds = Vec::new();
    let start = Timestamp::of_day(20_500);
    let mut number = 0;
    for minute in 0..hours * 60 {
        let watermark = start.plus_ms(minute.div_euclid(60) * HOUR_MS - 15 * MINUTE_MS);
        for i in 0..callers {
            number += 1;
            let time = start.plus_ms(minute * MINUTE_MS + (i * 59_999 / callers) as i64);
            let mut event = if i % 100 == 50 { listing.clone() } else { read.clone() };
            event.time = time;
            event.digest = u128::from(number);
            stranger(&mut event, number);
            match &mut event.body {
                Body::Activity(operation) => {
                    operation.principal = Some(PrincipalId::new(&format!("p{number}")));
                    operation.app_id = Text::from(format!("a{number}"));
                    operation.correlation_id = Text::from(format!("c{number}"));
                }
                Body::Request(r) if minute == 90 && i == callers / 2 => {
                    r.client_ip = Some(EXIT.parse().unwrap());
                }
                _ => {}
            }
            kinds.extend(flood.send(event, watermark, number));
        }
    }
    flood.most = flood.most.max(flood.model.bytes());
    (flood, kinds)
}

#[test]
fn ten_thousand_strangers_a_minute_stay_within_the_hard_bound_and_hide_no_listed_address() {
    let (flood, kinds) = flood(4, 10_000);
    assert!(flood.most <= limits::ACCOUNT_BYTES_MAX, "{}", flood.most);
    assert!(kinds.contains(&AlertKind::TorAnomaly));
}

#[test]
fn weeks_of_strangers_stay_within_the_hard_bound() {
    let (flood, _) = flood(24 * 40, 30);
    assert!(
        flood.most <= limits::ACCOUNT_BYTES_MAX,
        "{} {:?}",
        flood.most,
        flood.model.bytes_by_facet()
    );
    // The flood is no easy case: it fills most of what is allowed.
    assert!(flood.most > limits::ACCOUNT_BYTES_MAX / 2, "{}", flood.most);
}

#[test]
fn clocks_that_run_ahead_do_not_open_cells_without_end() {
    let read = read();
    let mut flood = Flood::new();
    let start = Timestamp::of_day(20_500);
    for number in 0..5_000_u64 {
        let mut event = read.clone();
        event.time = start.plus_ms((hash(number) % 1_000_000) as i64 * MINUTE_MS);
        stranger(&mut event, number);
        flood.send(event, start, number);
        assert!(flood.model.state().open_cells <= limits::open_cells_max(limits::LATENESS_MINUTES));
    }
    assert!(flood.most <= limits::ACCOUNT_BYTES_MAX, "{}", flood.most);
}

#[test]
fn a_simulated_account_stays_small_while_an_hour_of_blobs_is_open() {
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    let ran = run_fleet_by_hour(fleet(8, 20, 300.0), 4096, options);
    let (p95, most) = (ran.report.router.bytes_p95(), ran.report.router.bytes_max);
    assert!(p95 <= 64 << 10, "{p95} {most}");
    assert!(most <= limits::ACCOUNT_BYTES_MAX, "{most}");
}
