//! Properties of generated fleets.
use std::collections::BTreeMap;

use super::*;
use crate::cosmos_sql::Workspace;
use crate::detect::AlertKind;
use crate::time::HOUR_MS;

fn small(seed: u64) -> FleetOptions {
    FleetOptions { seed, accounts: 9, days: 40, rate: 60.0, warmup_days: 20, ..Default::default() }
}

#[test]
fn the_demo_shows_all_kinds_after_its_warm_up() {
    let fleet = plan(demo());
    let warm = fleet.options.start.plus_ms(33 * DAY_MS);
    for kind in AlertKind::ALL {
        assert!(fleet.attacks.iter().any(|a| a.kind == kind), "{kind:?}");
    }
    assert!(fleet.attacks.iter().all(|a| a.start >= warm && a.end <= fleet.options.end()));
    for kind in ["travel", "failover", "release", "redeployment", "export"] {
        assert!(fleet.exceptions.iter().any(|e| e.kind == kind), "{kind}");
    }
    let n = records(&fleet).count();
    assert!((300_000..600_000).contains(&n), "{n} records");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let stream = |seed| {
        let fleet = plan(small(seed));
        let mut out = Vec::new();
        write_jsonl(&fleet, &mut out).unwrap();
        out.extend_from_slice(labels_json(&fleet).as_bytes());
        xxhash_rust::xxh3::xxh3_128(&out)
    };
    let first = stream(1);
    assert_eq!(first, stream(1));
    assert_ne!(first, stream(2));
}

#[test]
fn records_come_in_order_of_arrival_and_are_real_records() {
    let fleet = plan(small(3));
    let mut last = Timestamp::MIN;
    let mut categories: BTreeMap<String, u64> = BTreeMap::new();
    let mut accounts: BTreeMap<String, u64> = BTreeMap::new();
    for (arrival, bytes) in records(&fleet) {
        assert!(arrival >= last);
        last = arrival;
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let time = Timestamp::parse(&text("time")).unwrap();
        assert!(text("time").len() == 28 && text("time").ends_with('Z'));
        let delay = arrival.since(time);
        assert!((60_000..600_000).contains(&delay), "{delay}");
        assert_eq!(text("resourceId"), text("resourceId").to_ascii_uppercase());
        *categories.entry(text("category")).or_default() += 1;
        if text("category") == "DataPlaneRequests" {
            let properties = record["properties"].as_object().unwrap();
            assert_eq!(properties.len(), 25);
            assert!(properties.values().all(serde_json::Value::is_string));
            let name = text("resourceId").rsplit('/').next().unwrap().to_lowercase();
            *accounts.entry(name).or_default() += 1;
        }
    }
    assert_eq!(accounts.len(), fleet.accounts.len());
    assert!(categories.keys().eq([
        "Administrative",
        "DataPlaneRequests",
        "QueryRuntimeStatistics"
    ]));
}

#[test]
fn attacks_come_after_the_warm_up_and_keep_their_distance() {
    for seed in 0..12 {
        let fleet = plan(FleetOptions { seed, accounts: 30, ..Default::default() });
        let warm = fleet.options.start.plus_ms(30 * DAY_MS);
        let mut spans: BTreeMap<(&str, AlertKind), Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        let mut others: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for attack in &fleet.attacks {
            assert!(attack.start >= warm && attack.end > attack.start);
            assert!(attack.end <= fleet.options.end(), "{attack:?}");
            for account in &attack.accounts {
                let span = (attack.start, attack.end);
                // A campaign of probes and an injection has two labels of different kinds.
                if matches!(attack.kind, AlertKind::SqlInjection | AlertKind::SqlFuzzing) {
                    spans.entry((account, attack.kind)).or_default().push(span);
                    for other in others.get(account.as_str()).into_iter().flatten() {
                        let apart = span.0.since(other.1).max(other.0.since(span.1));
                        assert!(apart >= DAY_MS, "seed {seed}: {attack:?}");
                    }
                } else {
                    spans.entry((account, AlertKind::TorAnomaly)).or_default().push(span);
                    others.entry(account).or_default().push(span);
                }
            }
        }
        for list in spans.values_mut() {
            list.sort_unstable();
            for pair in list.windows(2) {
                assert!(pair[1].0.since(pair[0].1) >= 9 * DAY_MS, "seed {seed}: {pair:?}");
            }
        }
        assert!(fleet.attacks.len() >= 30, "{}", fleet.attacks.len());
    }
    let benign = plan(FleetOptions { benign_only: true, ..small(5) });
    assert!(benign.attacks.is_empty());
}

#[test]
fn volume_labels_say_what_the_log_shows() {
    let fleet = plan(FleetOptions { accounts: 16, days: 60, rate: 60.0, ..Default::default() });
    let mut taken: BTreeMap<&str, f64> = BTreeMap::new();
    let volume: Vec<&Attack> = fleet
        .attacks
        .iter()
        .filter(|a| a.kind == AlertKind::DataExfiltration && a.variant.contains("new"))
        .collect();
    assert!(!volume.is_empty());
    for (_, bytes) in records(&fleet) {
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let p = &record["properties"];
        let time = Timestamp::parse(record["time"].as_str().unwrap()).unwrap();
        for attack in &volume {
            if time >= attack.start
                && time < attack.end
                && p["clientIpAddress"].as_str() == Some(attack.addresses[0].to_string().as_str())
                && p["statusCode"].as_str() == Some("200")
            {
                let length: f64 = p["responseLength"].as_str().unwrap().parse().unwrap();
                *taken.entry(&attack.id).or_default() += length;
            }
        }
    }
    for attack in volume {
        let a = fleet.accounts.iter().find(|a| a.name == attack.accounts[0]).unwrap();
        let days = taken[attack.id.as_str()] / a.mean_day_bytes(attack.start);
        let ratio = days / attack.mean_days;
        assert!((0.6..1.6).contains(&ratio), "{attack:?} {ratio}");
    }
}

#[test]
fn the_blob_layout_holds_the_stream_by_hour_of_arrival() {
    let fleet =
        plan(FleetOptions { accounts: 4, days: 3, rate: 50.0, benign_only: true, ..small(4) });
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("fleet");
    let summary = write_azure(&fleet, &out, |_, _| {}).unwrap();
    assert_eq!(summary.records() as usize, records(&fleet).count());
    let mut lines = 0;
    for entry in walkdir::WalkDir::new(out.join("insights-logs-dataplanerequests")) {
        let entry = entry.unwrap();
        if entry.file_name() == "PT1H.json" {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            lines += text.lines().count() as u64;
            let path = entry.path().to_string_lossy().into_owned();
            let hour: usize = path.split("/h=").nth(1).unwrap()[..2].parse().unwrap();
            for line in text.lines() {
                let time = Timestamp::parse(&line[9..37]).unwrap();
                let late = time.plus_ms(600_000);
                assert!(late.hour_of_day() == hour || time.plus_ms(60_000).hour_of_day() == hour);
            }
        }
    }
    assert_eq!(lines, summary.data_plane);
    let labels = std::fs::read_to_string(out.join("labels.json")).unwrap();
    let labels: serde_json::Value = serde_json::from_str(&labels).unwrap();
    assert_eq!(labels["accounts"].as_array().unwrap().len(), 4);
    assert!(write_azure(&fleet, &out, |_, _| {}).is_err(), "a folder in use is refused");
}

#[test]
fn scenario_records_carry_what_was_set() {
    let at = Timestamp(1_789_344_000_000 + 5 * HOUR_MS);
    let one = scenario::data_plane("shop", at)
        .ip([185, 220, 101, 4])
        .agent("a \"quoted\" \\ agent")
        .bytes(7)
        .status(404)
        .key("SecondaryMasterKey")
        .json();
    let record: serde_json::Value = serde_json::from_slice(&one).unwrap();
    let p = &record["properties"];
    assert_eq!(p["clientIpAddress"], "185.220.101.4");
    assert_eq!(p["userAgent"], "a \"quoted\" \\ agent");
    assert_eq!((&p["statusCode"], &p["responseLength"]), (&"404".into(), &"7".into()));
    assert_eq!(record["time"], "2026-09-14T05:00:00.0000000Z");
    let op =
        scenario::activity("shop", at, "Microsoft.DocumentDB/databaseAccounts/listKeys/action")
            .guest(9, "g@partner.example")
            .json();
    let record: serde_json::Value = serde_json::from_slice(&op).unwrap();
    assert_eq!(record["operationName"], "MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/LISTKEYS/ACTION");
    assert_eq!(record["resultType"], "Success");
}

#[test]
fn labels_agree_with_lists_and_operations() {
    let fleet = plan(FleetOptions { accounts: 24, ..Default::default() });
    let mut kinds = BTreeMap::<AlertKind, usize>::new();
    for attack in &fleet.attacks {
        *kinds.entry(attack.kind).or_default() += 1;
        assert!(!attack.also.contains(&attack.kind));
        let by =
            |o: &&Operation| !o.failed && record::uuid_text(o.principal.object) == attack.principal;
        let during = |o: &&Operation| o.time >= attack.start && o.time <= attack.end;
        match attack.kind {
            AlertKind::SqlInjection => {
                let account = fleet.accounts.iter().find(|a| a.name == attack.accounts[0]);
                assert!(account.unwrap().query_log.is_some(), "{attack:?}");
                assert!(attack.also.contains(&AlertKind::DataExfiltration));
            }
            AlertKind::SqlFuzzing => assert!(attack.also.contains(&AlertKind::SqlInjection)),
            AlertKind::TorAnomaly => assert!(fleet.tor_exits.contains(&attack.addresses[0])),
            AlertKind::SuspiciousIp => assert!(fleet.listed.contains(&attack.addresses[0])),
            AlertKind::DataExfiltration => assert!(attack.mean_days >= 0.5),
            AlertKind::GeoAnomaly => assert!(attack.principal.is_empty()),
            AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal => {
                for name in &attack.accounts {
                    let on = |o: &&Operation| o.target.ends_with(name.as_str());
                    let n = fleet.operations.iter().filter(by).filter(during).filter(on).count();
                    assert_eq!(n, 1, "{attack:?}");
                }
            }
        }
    }
    assert_eq!(kinds.len(), AlertKind::ALL.len(), "{kinds:?}");
    let labels: serde_json::Value = serde_json::from_str(&labels_json(&fleet)).unwrap();
    assert_eq!(labels["attacks"].as_array().unwrap().len(), fleet.attacks.len());
    for attack in labels["attacks"].as_array().unwrap() {
        assert!(AlertKind::parse(attack["kind"].as_str().unwrap()).is_some());
    }
}

/// What the data plane says of a request, and the text that was logged of it.
#[derive(Default)]
struct Joined {
    account: String,
    time: Option<Timestamp>,
    status: String,
    ip: String,
    request_bytes: u64,
    bytes: u64,
    text: Option<String>,
    rows: u64,
    partitions: u64,
}

fn joined(fleet: &Fleet) -> BTreeMap<String, Joined> {
    let mut queries: BTreeMap<String, Joined> = BTreeMap::new();
    for (_, bytes) in records(fleet) {
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let p = &record["properties"];
        let text = |name: &str| p[name].as_str().unwrap_or_default().to_owned();
        let one = |name: &str| text(name).parse::<u64>().unwrap_or_default();
        let query = queries.entry(text("activityId"));
        if record["category"] == "QueryRuntimeStatistics" {
            let query = query.or_default();
            let inner: serde_json::Value = serde_json::from_str(&text("querytext")).unwrap();
            query.text = inner["query"].as_str().map(str::to_owned);
            query.rows += one("numberofrowsreturned");
            query.partitions += 1;
        } else if record["category"] == "DataPlaneRequests" && record["operationName"] == "Query" {
            let query = query.or_default();
            let id = record["resourceId"].as_str().unwrap();
            query.account = id.rsplit('/').next().unwrap().to_lowercase();
            query.time = Timestamp::parse(record["time"].as_str().unwrap());
            (query.status, query.ip) = (text("statusCode"), text("clientIpAddress"));
            (query.request_bytes, query.bytes) = (one("requestLength"), one("responseLength"));
        }
    }
    queries
}

#[test]
fn query_text_moves_nothing_in_the_data_plane() {
    let benign = |query_text| {
        let fleet = plan(FleetOptions { benign_only: true, query_text, days: 12, ..small(6) });
        let mut texts = 0;
        let rows: Vec<(Timestamp, Vec<u8>)> = records(&fleet)
            .filter(|(_, bytes)| {
                let text = String::from_utf8_lossy(bytes).contains("QueryRuntimeStatistics");
                texts += usize::from(text);
                !text
            })
            .collect();
        (rows, texts)
    };
    let (with, texts) = benign(true);
    let (without, none) = benign(false);
    assert!(texts > 500, "{texts}");
    assert_eq!(none, 0);
    assert!(with == without);
}

#[test]
fn what_was_answered_is_a_query_and_what_was_refused_is_none() {
    let fleet = plan(FleetOptions { benign_only: true, rate: 200.0, ..small(8) });
    let mut service = Workspace::new();
    let (mut answered, mut refused, mut wide, mut silent) = (0, 0, 0, 0);
    for query in joined(&fleet).values() {
        let Some(text) = &query.text else {
            silent += usize::from(query.status == "400");
            continue;
        };
        let reads = service.parse(text.as_bytes()).is_ok();
        assert_eq!(reads, query.status == "200", "{} {text:?}", query.status);
        answered += usize::from(reads);
        refused += usize::from(!reads);
        wide += usize::from(query.partitions > 1);
        assert!(
            query.rows <= 3 || query.rows * 100 <= query.bytes,
            "{} {}",
            query.rows,
            query.bytes
        );
    }
    assert!(answered > 2000 && wide > 200, "{answered} {wide}");
    assert!(refused > 0 && silent > 5, "{refused} {silent}");
}

#[test]
fn injections_and_probes_are_in_the_records() {
    let fleet = plan(FleetOptions { accounts: 18, ..small(9) });
    let queries = joined(&fleet);
    let mut service = Workspace::new();
    let mut seen: BTreeMap<(AlertKind, bool), usize> = BTreeMap::new();
    for attack in &fleet.attacks {
        let of = |q: &&Joined| {
            let during = q.time.is_some_and(|t| t >= attack.start && t < attack.end);
            let by = attack.addresses.iter().any(|ip| ip.to_string() == q.ip);
            during && by && q.account == attack.accounts[0]
        };
        let with =
            |status: &str| queries.values().filter(of).filter(|q| q.status == status).count();
        match attack.kind {
            AlertKind::SqlInjection => {
                let reads = |q: &&Joined| {
                    q.text.as_ref().is_some_and(|t| service.parse(t.as_bytes()).is_ok())
                };
                let n = queries.values().filter(of).filter(reads).count();
                assert!(n > 0, "{attack:?}");
                *seen.entry((attack.kind, true)).or_default() += 1;
            }
            AlertKind::SqlFuzzing => {
                let lengths: std::collections::BTreeSet<u64> = queries
                    .values()
                    .filter(of)
                    .filter(|q| q.status == "400")
                    .map(|q| q.request_bytes)
                    .collect();
                assert!(with("400") >= 10 && lengths.len() >= 6, "{attack:?} {lengths:?}");
                let texts = queries.values().filter(of).any(|q| q.text.is_some());
                let says = attack.variant.contains("without-text");
                assert!(says || texts, "{attack:?}");
                *seen.entry((attack.kind, texts)).or_default() += 1;
            }
            _ => {}
        }
    }
    assert!(seen.contains_key(&(AlertKind::SqlInjection, true)), "{seen:?}");
    assert!(seen.contains_key(&(AlertKind::SqlFuzzing, true)), "{seen:?}");
}
