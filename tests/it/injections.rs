//! Queries that carry an injection, and their innocent twins, through the real binary: three weeks of
//! an account's own queries, then one hour that differs.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]
use cosmoguard::simulate::scenario::{DataPlaneRecord, data_plane};
use cosmoguard::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use serde_json::Value;

use super::support::{cli, query_text};

/// A Monday.
const START: Timestamp = Timestamp(1_789_344_000_000);
const DAYS: i64 = 21;
const WORKING: &str = "CosmosDB_SqlInjection.DataExfiltration";
const FAILING: &str = "CosmosDB_SqlInjection.FailedFuzzingAttempt";
/// A literal that must come out nowhere.
const MARKER: &str = "xyzzy7h3s3cr3t";

/// Records of one account, in order of time.
#[derive(Default)]
struct Log {
    records: Vec<(Timestamp, Vec<u8>)>,
    next: u128,
}

impl Log {
    /// A request with its text; `None` where the log holds none.
    fn ask(&mut self, at: Timestamp, text: Option<&str>, status: u16, rows: u64, length: u64) {
        let request = data_plane("shop", at).ip([20, 50, 2, 10]);
        self.ask_as(request, at, text, (status, rows, length));
    }

    /// As [`Log::ask`], by the caller of `request`.
    fn ask_as(
        &mut self,
        request: DataPlaneRecord,
        at: Timestamp,
        text: Option<&str>,
        (status, rows, length): (u16, u64, u64),
    ) {
        self.next += 1;
        let request = request
            .status(status)
            .bytes(150 + rows * 400)
            .request_bytes(length)
            .activity(self.next);
        self.records.push((at, request.json()));
        if let Some(text) = text {
            let record = query_text("shop", at.plus_ms(700), self.next, text, rows);
            self.records.push((at.plus_ms(700), record));
        }
    }

    /// Three weeks: a query that is concatenated, one with a parameter, one with an order that the
    /// gateway rewrote, an apostrophe now and then, a new query a week.
    fn with_history() -> Log {
        let mut log = Log::default();
        let ordered = "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c AS payload FROM c \
                       WHERE ((c.tenant = \"t1\") AND (true)) ORDER BY c.ts";
        for hour in 0..DAYS * 24 {
            let at = START.plus_ms(hour * HOUR_MS + 7 * MINUTE_MS);
            let name = format!("SELECT * FROM c WHERE c.tenant = 't1' AND c.name = 'n{hour}'");
            log.ask(at, Some(&name), 200, 1 + hour as u64 % 3, 300);
            log.ask(at.plus_ms(60_000), Some("SELECT * FROM c WHERE c.id = @id"), 200, 1, 310);
            log.ask(at.plus_ms(120_000), Some(ordered), 200, 10, 320);
            if hour % 31 == 0 {
                let broken = "SELECT * FROM c WHERE c.tenant = 't1' AND c.name = 'O'Brien'";
                log.ask(at.plus_ms(180_000), Some(broken), 400, 0, 301);
            }
            if hour % (7 * 24) == 100 {
                let new = format!("SELECT c.id FROM c WHERE c.f{} = 'a'", hour / 24);
                log.ask(at.plus_ms(240_000), Some(&new), 200, 2, 290);
            }
        }
        log
    }

    /// The hour that differs.
    fn attack(&mut self, texts: &[(String, u16, u64)]) {
        let begin = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS);
        for (n, (text, status, rows)) in texts.iter().enumerate() {
            let at = begin.plus_ms(n as i64 * 1500);
            self.ask(at, Some(text), *status, *rows, 300 + n as u64 % 40);
        }
        // Life goes on, so that the hour is over.
        for minute in [90, 150] {
            let at = begin.plus_ms(minute * MINUTE_MS);
            self.ask(at, Some("SELECT * FROM c WHERE c.id = @id"), 200, 1, 310);
        }
    }

    /// Alerts of the two kinds, last revision of each.
    fn alerts(mut self) -> Vec<Value> {
        self.records.sort_by_key(|(at, _)| *at);
        let mut lines = Vec::new();
        for (_, record) in &self.records {
            lines.extend_from_slice(record);
            lines.push(b'\n');
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.json"), lines).unwrap();
        let ran = cli(dir.path(), &["replay", "x.json", "--alerts", "-", "--quiet"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(!ran.out.contains(MARKER), "a literal came out");
        let alerts = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        alerts.filter(|a| kind(a) == WORKING || kind(a) == FAILING).collect()
    }
}

fn kind(alert: &Value) -> &str {
    alert["properties"]["alertType"].as_str().unwrap()
}

/// Two kinds that decide at the same moment on one account: neither hides the other.
#[test]
fn an_injection_that_takes_much_is_told_beside_its_volume() {
    let mut log = Log::with_history();
    log.attack(&working(&format!("{NAMED}'a' OR 1=1"), 50_000));
    assert!(log.alerts().iter().any(|a| kind(a) == WORKING));
}

fn property<'a>(alert: &'a Value, name: &str) -> &'a str {
    alert["properties"]["extendedProperties"][name].as_str().unwrap_or("")
}

fn day_of(texts: &[(String, u16, u64)]) -> Vec<Value> {
    let mut log = Log::with_history();
    log.attack(texts);
    log.alerts()
}

fn working(text: &str, rows: u64) -> Vec<(String, u16, u64)> {
    (0..3).map(|_| (text.to_owned(), 200, rows)).collect()
}

const NAMED: &str = "SELECT * FROM c WHERE c.tenant = 't1' AND c.name = ";

#[test]
fn injections_that_work_alert_and_their_innocent_twins_do_not() {
    let pairs: [(&str, String, String); 6] = [
        ("tautology", format!("{NAMED}'{MARKER}' OR 1=1"), format!("{NAMED}'{MARKER} OR 1=1'")),
        (
            "itself",
            format!("{NAMED}'{MARKER}' OR c.id = c.id"),
            "SELECT * FROM c WHERE c.updated = c.created".to_owned(),
        ),
        (
            "comment",
            format!("SELECT * FROM c WHERE c.tenant = '{MARKER}' OR true --' AND c.name = 'x'"),
            format!("SELECT * FROM c WHERE c.tenant = '{MARKER}--' AND c.name = 'x'"),
        ),
        (
            "everything",
            format!("{NAMED}'{MARKER}' OR c.id LIKE '%' OR 'a'='b'"),
            "SELECT * FROM c WHERE NOT IS_DEFINED(c.deleted) OR c.deleted = false".to_owned(),
        ),
        (
            "closing",
            format!("{NAMED}'{MARKER}' AND SUBSTRING(c.secret, 0, 1) = 'a' AND 'b'='b'"),
            format!("{NAMED}'{MARKER}' AND SUBSTRING(c.date, 0, 10) = '2026-01-01'"),
        ),
        (
            "subquery",
            format!("{NAMED}'{MARKER}' OR EXISTS(SELECT VALUE 1) --'"),
            "SELECT * FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'red')"
                .to_owned(),
        ),
    ];
    let mut failures = Vec::new();
    for (name, attack, twin) in pairs {
        let alerts = day_of(&working(&attack, 5000));
        if !alerts.iter().any(|a| kind(a) == WORKING) {
            failures.push(format!("{name}: missed"));
        }
        let alerts = day_of(&working(&twin, 3));
        if !alerts.is_empty() {
            failures.push(format!("{name}: its twin raised {alerts:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_injection_is_told_by_the_spot_in_the_template_with_caller_status_and_bytes() {
    let alerts = day_of(&working(&format!("{NAMED}'{MARKER}' OR c.id = c.id --'"), 5000));
    assert_eq!(alerts.len(), 1, "one campaign is one alert: {alerts:#?}");
    let alert = &alerts[0];
    assert_eq!(property(alert, "Client IP"), "20.50.2.10");
    assert_eq!(property(alert, "Status codes"), "200");
    assert_eq!(property(alert, "Containers"), "items");
    let description = alert["properties"]["description"].as_str().unwrap();
    for words in ["c.id = c.id", "c.tenant = '…'", "5,000 rows", "always true"] {
        assert!(description.contains(words), "{words}: {description}");
    }
    assert_eq!(property(alert, "Detector"), "injection");
    assert_eq!(alert["properties"]["severity"], "High", "{description}");
}

#[test]
fn a_burst_of_probes_is_one_alert_and_apostrophes_and_a_broken_report_are_none() {
    let payloads =
        ["' UNION SELECT 1", "'; DROP TABLE x", "') OR ('a'='a", "' AND SLEEP(5)", "'/**/"];
    let probes: Vec<(String, u16, u64)> = (0..200)
        .map(|n| (format!("{NAMED}'a{n}{}'", payloads[n % payloads.len()]), 400, 0))
        .collect();
    let alerts = day_of(&probes);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(kind(&alerts[0]), FAILING);
    // Many customers of one name: all fail in the same way.
    let names = ["O'Brien", "D'Arcy", "O'Hara", "L'Oreal"];
    let customers: Vec<(String, u16, u64)> =
        (0..200).map(|n| (format!("{NAMED}'{}'", names[n % names.len()]), 400, 0)).collect();
    assert_eq!(day_of(&customers), Vec::<Value>::new());
    let one = vec![(format!("{NAMED}'it''s'"), 400, 0)];
    assert_eq!(day_of(&one), Vec::<Value>::new());
}

#[test]
fn a_burst_without_texts_is_low_and_says_so() {
    let mut log = Log::with_history();
    let begin = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS);
    for n in 0..400_i64 {
        log.ask(begin.plus_ms(n * 700), None, 400, 0, 300 + n as u64 * 7 % 60);
    }
    log.attack(&[]);
    let alerts = log.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["properties"]["severity"], "Low");
    assert!(property(&alerts[0], "Severity reason").contains("without query text"));
    let told = alerts[0]["properties"]["description"].as_str().unwrap();
    assert!(told.contains("No text of them was read"), "{told}");
}

#[test]
fn a_working_injection_after_a_burst_by_the_same_caller_names_the_burst() {
    let payloads =
        ["' UNION SELECT 1", "'; DROP TABLE x", "') OR ('a'='a", "' AND SLEEP(5)", "'/**/"];
    let mut texts: Vec<(String, u16, u64)> = (0..200)
        .map(|n| (format!("{NAMED}'a{n}{}'", payloads[n % payloads.len()]), 400, 0))
        .collect();
    texts.extend(working("SELECT VALUE c FROM c WHERE c.x = '' OR c.id = c.id", 900));
    let alerts = day_of(&texts);
    let found = alerts.iter().find(|a| kind(a) == WORKING).expect("the injection");
    assert!(
        found["properties"]["description"].as_str().unwrap().contains("fuzzing attempt"),
        "{found:#}"
    );
}

/// A silent hour is explained: what was seen of queries, what a finding earned, and what is off.
#[test]
fn why_not_tells_of_queries_what_was_seen_and_what_lacked() {
    let mut log = Log::with_history();
    log.attack(&working("SELECT * FROM c WHERE c.tenant = 'a' AND c.name LIKE '%'", 3));
    let mut lines = Vec::new();
    log.records.sort_by_key(|(at, _)| *at);
    for (_, record) in &log.records {
        lines.extend_from_slice(record);
        lines.push(b'\n');
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.json"), lines).unwrap();
    let ran = cli(dir.path(), &["replay", "x.json", "--data-dir", "d", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let at = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS).to_string();
    let why = ["why-not", "shop", "--data-dir", "d", "--at", &at];
    let told = cli(dir.path(), &why).out;
    for words in ["1 query new to the account", "matches-everything", "nobody read keys", "rarer"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(
        told.contains("az monitor diagnostic-settings"),
        "how to switch on what is off: {told}"
    );
    let json: Value = serde_json::from_str(&cli(dir.path(), &[&why[..], &["--json"]].concat()).out)
        .expect("JSON");
    assert_eq!(json["queries"]["new"], 1, "{json:#}");
    let lane = json["tests"].as_array().unwrap().iter().find(|t| t["test"] == "new query");
    assert!(lane.expect("the lane")["p_times_r"].is_number(), "{json:#}");
}

const PAYLOADS: [&str; 5] =
    ["' UNION SELECT 1", "'; DROP TABLE x", "') OR ('a'='a", "' AND SLEEP(5)", "'/**/"];
const APOSTROPHES: [&str; 5] = ["O'Brien", "D'Arcy", "O'Hara", "L'Oreal", "M'Baye"];
const ADDRESSES: [[u8; 4]; 3] = [[20, 50, 2, 10], [20, 50, 2, 11], [20, 50, 2, 12]];

/// Failing queries with these values, so far apart, from these addresses in turn.
fn failing(count: usize, apart: i64, values: &[&str], from: &[[u8; 4]]) -> Log {
    let mut log = Log::with_history();
    let begin = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS);
    for n in 0..count {
        let text = format!("{NAMED}'{}'", values[n % values.len()]);
        let at = begin.plus_ms(n as i64 * apart);
        let request = data_plane("shop", at).ip(from[n % from.len()]);
        log.ask_as(request, at, Some(&text), (400, 0, 300));
    }
    let end = begin.plus_ms(count as i64 * apart + HOUR_MS);
    log.ask(end, Some("SELECT * FROM c WHERE c.id = @id"), 200, 1, 310);
    log
}

#[test]
fn a_campaign_from_several_addresses_is_one_alert_that_names_them() {
    let alerts = failing(90, 4_000, &PAYLOADS, &ADDRESSES).alerts();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(kind(&alerts[0]), FAILING);
    let description = alerts[0]["properties"]["description"].as_str().unwrap();
    for [a, b, c, d] in ADDRESSES {
        assert!(description.contains(&format!("{a}.{b}.{c}.{d}")), "{description}");
    }
    // A release in which one query is broken, on three machines.
    assert_eq!(failing(90, 4_000, &APOSTROPHES, &ADDRESSES).alerts(), Vec::<Value>::new());
}

#[test]
fn a_slow_campaign_alerts_and_slow_apostrophes_do_not() {
    // Too slow for any ten minutes: one in four.
    let alerts = failing(60, 4 * MINUTE_MS, &PAYLOADS, &ADDRESSES).alerts();
    assert!(!alerts.is_empty() && alerts.iter().all(|a| kind(a) == FAILING), "{alerts:#?}");
    let ids: std::collections::BTreeSet<_> = alerts.iter().map(|a| a["name"].to_string()).collect();
    assert_eq!(ids.len(), 1, "one campaign is one alert: {alerts:#?}");
    assert_eq!(failing(60, 4 * MINUTE_MS, &APOSTROPHES, &ADDRESSES).alerts(), Vec::<Value>::new());
}

#[test]
fn another_campaign_days_later_is_another_alert() {
    let mut log = failing(90, 4_000, &PAYLOADS, &ADDRESSES);
    let begin = START.plus_ms((DAYS + 3) * DAY_MS);
    for n in 0..90 {
        let text = format!("{NAMED}'{}'", PAYLOADS[n % PAYLOADS.len()]);
        log.ask(begin.plus_ms(n as i64 * 4_000), Some(&text), 400, 0, 300);
    }
    log.ask(begin.plus_ms(2 * HOUR_MS), Some("SELECT * FROM c WHERE c.id = @id"), 200, 1, 310);
    let ids: std::collections::BTreeSet<_> =
        log.alerts().iter().map(|a| a["name"].to_string()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn an_injection_from_another_address_than_the_burst_names_the_burst() {
    let mut log = failing(90, 4_000, &PAYLOADS, &ADDRESSES[1..]);
    let at = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS + 20 * MINUTE_MS);
    let text = "SELECT VALUE c FROM c WHERE c.x = '' OR c.id = c.id";
    let request = data_plane("shop", at).ip(ADDRESSES[0]);
    log.ask_as(request, at, Some(text), (200, 900, 300));
    let alerts = log.alerts();
    let found = alerts.iter().find(|a| kind(a) == WORKING).expect("the injection");
    let description = found["properties"]["description"].as_str().unwrap();
    assert!(description.contains("fuzzing attempt"), "{description}");
}

/// A condition put in under OR that let nothing more through is not worth High.
#[test]
fn what_lets_more_through_is_high_only_where_more_came() {
    let attack = format!("{NAMED}'{MARKER}' OR c.owner = 'me'");
    for (rows, severity) in [(1, "Medium"), (5000, "High")] {
        let alerts = day_of(&working(&attack, rows));
        assert_eq!(alerts.len(), 1, "{rows}: {alerts:#?}");
        assert_eq!(alerts[0]["properties"]["severity"], severity, "{rows} rows");
    }
}

/// Whole rows where the account's own query has some properties: its next release asks for them, a
/// stranger takes them.
#[test]
fn whole_rows_are_a_release_by_the_usual_key_and_an_alert_by_a_stranger() {
    let wide = format!("SELECT * FROM c WHERE c.f18 = '{MARKER}'");
    assert_eq!(day_of(&working(&wide, 3)), Vec::<Value>::new());
    let mut log = Log::with_history();
    let at = START.plus_ms(DAYS * DAY_MS + 9 * HOUR_MS);
    let stranger = data_plane("shop", at).ip([20, 50, 2, 10]).entra(77);
    log.ask_as(stranger, at, Some(&wide), (200, 500, 300));
    log.attack(&[]);
    let alerts = log.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["properties"]["severity"], "Medium");
    let told = alerts[0]["properties"]["description"].as_str().unwrap();
    assert!(told.contains("more properties than the known query"), "{told}");
}
