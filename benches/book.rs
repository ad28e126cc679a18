//! A list over 100,000 alerts: filtered, counted, sorted, one page of 50. Budget: 5 ms for any of
//! them, because the list is asked for while the engine runs beside it.
#![allow(missing_docs, clippy::expect_used)] // a bench may stop on any failure
use std::hint::black_box;

use cosmoguard::alert::book::{ALL, AlertBook, Filter, Order, Query};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;

const ALERTS: u64 = 100_000;
const ACCOUNTS: u64 = 10_000;

fn line(n: u64) -> Vec<u8> {
    let at = cosmoguard::time::Timestamp(n as i64 * 60_000).azure();
    let account = format!("contoso-{}", n % ACCOUNTS);
    json!({
        "name": format!("{:032x}", u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)),
        "properties": {
            "alertType": "CosmosDB_GeoAnomaly", "alertDisplayName": "Access from an unusual location",
            "severity": ["Low", "Low", "Low", "Medium", "High"][n as usize % 5],
            "compromisedEntity": account, "startTimeUtc": at, "endTimeUtc": at,
            "timeGeneratedUtc": at, "correlationKey": format!("account:public/{account}"),
            "extendedProperties": {
                "Nominal false alerts per account-day": format!("{}e-4", n % 97 + 1),
                "Verdict": "an account returned 1.19 MB in the 24 hours from 02:00 UTC to an address",
                "Client IP": format!("198.51.100.{}", n % 250),
                "Principal": format!("user-{}@contoso.example", n % 500),
            },
        },
    })
    .to_string()
    .into_bytes()
}

fn book(criterion: &mut Criterion) {
    let mut book = AlertBook::default();
    for n in 0..ALERTS {
        book.add(n, &line(n)).expect("it is an alert");
    }
    let text = Filter { text: Some("USER-77".into()), ..Filter::default() };
    let account = Filter { accounts: vec!["contoso-5000".into()], ..Filter::default() };
    for (name, filter, order) in [
        ("all by time", Filter::default(), Order::Time),
        ("all by rank", Filter::default(), Order::Rank),
        ("text", text, Order::Time),
        ("one account", account, Order::Time),
    ] {
        criterion.bench_function(&format!("book/{name}"), |bench| {
            bench.iter(|| {
                let query =
                    Query { filter: black_box(&filter), order, cursor: None, limit: 50, sees: ALL };
                black_box(book.page(&query).total)
            });
        });
    }
}

criterion_group!(benches, book);
criterion_main!(benches);
