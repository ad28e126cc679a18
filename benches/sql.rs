//! Queries a second: split into tokens and parsed, and with their template's hashes.
//!
//! Budget: 500,000 typical queries of a hundred bytes a second on one core, for all of it; what is
//! made of a new shape only (its text, its sequence) may cost three times as much, and all that is
//! kept of a distinct text (`read`: signs, redacted text and sequence as well) the same, 300,000 a
//! second.
#![allow(missing_docs, clippy::expect_used)] // criterion's macros; a bench may stop on a bad fixture
use std::hint::black_box;
use std::time::Duration;

use cosmoguard::cosmos_sql::template::{self, Scratch, Sequence};
use cosmoguard::cosmos_sql::{Reader, Workspace, print};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// What applications and the gateway send: points, filters, lists, orders, aggregates, joins.
const QUERIES: &[&str] = &[
    "SELECT * FROM c",
    "SELECT * FROM c WHERE c.id = 'AndersenFamily'",
    "SELECT * FROM c WHERE c.tenantId = @tenant AND c.status = @status",
    "SELECT c.id, c.name, c.price FROM c WHERE c.category = 'bikes' ORDER BY c.price DESC",
    "SELECT VALUE COUNT(1) FROM c WHERE c.type = 'order' AND c.total > 100.5",
    "SELECT TOP 10 * FROM products p WHERE p.tags[0].slug = 'color-group-red'",
    "SELECT * FROM Families f WHERE f.address.city IN ('NY', 'Seattle', 'London', 'Paris')",
    r#"SELECT f._rid, [{"item": f.address.city}] AS orderByItems, {"givenName": c.givenName} AS payload FROM Families AS f JOIN c IN f.children WHERE ((f.id = "WakefieldFamily") AND (true)) ORDER BY f.address.city ASC"#,
    r#"SELECT {"Count": {"item": Count(1)}} AS payload FROM c JOIN t IN c.tags JOIN n IN c.nutrients JOIN s IN c.servings WHERE (((t.name = "infant formula") AND ((n.nutritionValue > 0) AND (n.nutritionValue < 10))) AND (s.amount > 1))"#,
    r#"SELECT * FROM r1 WHERE (((r1["p1__12"] = 1) AND CONTAINS(r1["p2__19"], "str1__13")) AND (r1.p1__12 = 1))"#,
    "SELECT c.id, c._ts FROM c WHERE c._ts BETWEEN 1700000000 AND 1700086400 OFFSET 0 LIMIT 50",
    r#"SELECT VALUE root FROM root WHERE (root["type"] = "user") AND (root["email"] = "someone@example.com")"#,
    "SELECT DISTINCT VALUE c.city FROM c WHERE STARTSWITH(c.city, 'S', true)",
    "SELECT c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 'red') AND NOT IS_DEFINED(c.deleted)",
    "SELECT * FROM c WHERE c.partitionKey = 'device-17' AND c.ts >= '2024-01-01T00:00:00Z' AND c.ts < '2024-01-02T00:00:00Z'",
    "SELECT c.category, COUNT(1) AS n, AVG(c.price) AS average FROM c GROUP BY c.category",
    "SELECT * FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t.name = 'orange')",
    "SELECT p.id, p.name ?? 'none' AS name, (p.stock > 0 ? 'yes' : 'no') AS available FROM p WHERE p.shop = 12",
    "SELECT * FROM c WHERE c.description LIKE '%20-30!%%' ESCAPE '!'",
    "SELECT * FROM c WHERE (c.owner = @user OR ARRAY_CONTAINS(c.readers, @user)) AND c.deleted != true ORDER BY c._ts DESC",
];

fn sql(c: &mut Criterion) {
    let mut group = c.benchmark_group("sql");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(QUERIES.len() as u64));
    let mut workspace = Workspace::new();
    let mut scratch = Scratch::new();
    for query in QUERIES {
        assert!(workspace.parse(query.as_bytes()).is_ok(), "{query} must parse");
    }
    group.bench_function("parse", |b| {
        b.iter(|| {
            for query in QUERIES {
                let query = workspace.parse(black_box(query.as_bytes()));
                black_box(query.is_ok());
            }
        });
    });
    group.bench_function("template", |b| {
        b.iter(|| {
            for query in QUERIES {
                let query = workspace.parse(black_box(query.as_bytes()));
                black_box(query.map(|query| template::of(&query, &mut scratch)).ok());
            }
        });
    });
    group.bench_function("new_shape", |b| {
        b.iter(|| {
            for query in QUERIES {
                let query = workspace.parse(black_box(query.as_bytes())).expect("it parses");
                black_box(template::of(&query, &mut scratch));
                black_box(template::text(&query, &mut scratch));
                black_box(Sequence::of_query(&query, &mut scratch));
            }
        });
    });
    let mut reader = Reader::default();
    group.bench_function("read", |b| {
        b.iter(|| {
            for query in QUERIES {
                black_box(reader.read(black_box(query)));
            }
        });
    });
    group.bench_function("print", |b| {
        b.iter(|| {
            for query in QUERIES {
                black_box(workspace.parse(query.as_bytes()).map(|query| print(&query)).ok());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, sql);
criterion_main!(benches);
