//! One believable finding a kind, for the tests of this room.
use super::{Alert, AlertId};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::detect::{
    AlertKind, BurstEvidence, CallerFacts, Ceiling, Evidence, Facet, Finding, HourEvidence,
    ListedEvidence, PlaceEvidence, PlaceLevel, PrincipalEvidence, Quantity, QueryEvidence,
    RuleClause, RuleSeverity, Severity, SweepEvidence, Test, Usual, VolumeEvidence,
};
use crate::event::{Credential, KeyKind, Marked, PrincipalType, QueryLanguage, Sign};
use crate::ids::{AccountId, Cloud, PrincipalId, Text};
use crate::intel::view::{AddressClass, Country, ListHit, ListKind};
use crate::profile::Profile;
use crate::severity::grade;
use crate::time::{HOUR_MS, Timestamp};

pub(crate) const ARM_ID: &str = "/subscriptions/00000000-0000-0000-0000-00000000c0de\
    /resourcegroups/rg-data/providers/microsoft.documentdb/databaseaccounts/contoso-orders";

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn text(value: &str) -> Text {
    Text::from(value)
}

fn caller() -> CallerFacts {
    CallerFacts {
        ip: Some("203.0.113.77".parse().unwrap()),
        country: Country::parse("SG"),
        asn: Some(64500),
        organisation: text("Example Hosting"),
        class: Some(AddressClass::Hosting),
        credential: Some(Credential::Key(KeyKind::PrimaryMaster)),
        user_agents: vec![text("python-requests/2.31")],
        connection_bits: 1,
        databases: vec![text("orders")],
        containers: vec![text("items")],
        operations: vec![text("Query")],
        statuses: vec![200],
        bytes: Some(3_400_000),
        events: 12,
        first_event: "7c9e6679-7425-40de-944b-e07fc1f90ae7".to_owned(),
        last_event: "7c9e6679-7425-40de-944b-e07fc1f90ae8".to_owned(),
        ..CallerFacts::default()
    }
}

fn principal() -> CallerFacts {
    CallerFacts {
        principal: Some(PrincipalId::new("aaaaaaaa-0000-0000-0000-000000000001")),
        principal_name: text("dev1@contoso.example"),
        principal_type: Some(PrincipalType::User),
        app_id: text("1950a258-227b-4e31-a9cf-717495945fc2"),
        credential: None,
        user_agents: Vec::new(),
        connection_bits: 0,
        databases: Vec::new(),
        containers: Vec::new(),
        operations: vec![text("microsoft.documentdb/databaseaccounts/listkeys/action")],
        statuses: Vec::new(),
        bytes: None,
        events: 14,
        ..caller()
    }
}

fn hours(last: i64) -> Vec<HourEvidence> {
    (0..72)
        .map(|i| {
            let hour = last - 71 + i;
            let usual = 30e6 + 20e6 * ((i % 24) as f64 / 24.0 * std::f64::consts::TAU).sin();
            let observed = match i {
                66 | 67 => None,
                71 => Some(1.84e9),
                _ => Some(usual * 1.1),
            };
            HourEvidence {
                hour,
                observed,
                quantiles: [0.5, 0.8, 1.0, 1.2, 1.8].map(|f| f * usual),
                thresholds: [412e6, 900e6, f64::NAN],
            }
        })
        .collect()
}

fn listed(kind: ListKind) -> Evidence {
    Evidence::Listed(ListedEvidence {
        hit: ListHit {
            kind,
            feed: text("tor-exit-addresses"),
            entry: text("203.0.113.77"),
            since: Some(time("2026-11-10T02:00Z")),
            until: None,
            confidence: None,
        },
        history_days: 0.0,
        data_returned: true,
        p95_bytes: Some(96e6),
    })
}

fn evidence(kind: AlertKind) -> Evidence {
    let start = time("2026-11-14T02:00Z");
    match kind {
        AlertKind::TorAnomaly => listed(ListKind::TorExit),
        AlertKind::SuspiciousIp => listed(ListKind::Threat),
        AlertKind::GeoAnomaly => Evidence::Place(PlaceEvidence {
            level: PlaceLevel::Country,
            last_seen_days: None,
            usual_countries: vec![("NL".to_owned(), 0.71), ("DE".to_owned(), 0.24)],
            usual_networks: vec![("Azure/westeurope".to_owned(), 0.93)],
            novelty: (1.2, 101.0),
            travel: None,
        }),
        AlertKind::DataExfiltration => Evidence::Volume(VolumeEvidence {
            test: "N.h1",
            window_hours: 1.0,
            observed: 1.84e9,
            expected: 48e6,
            usual: [21e6, 48e6, 96e6],
            thresholds: [412e6, 900e6, f64::NAN],
            new_network: Some(("AS64500 Example Hosting".to_owned(), 1.79e9)),
            top_caller_bytes: 1.79e9,
            hours: hours(start.hour()),
        }),
        AlertKind::MaliciousScript => Evidence::Sweep(SweepEvidence {
            accounts: 14,
            window_hours: 1.0,
            expected_accounts: 0.31,
            share: 0.82,
            new_accounts: 13,
            providers: vec!["Microsoft.KeyVault".to_owned(), "Microsoft.Web".to_owned()],
            operations: 31,
            gap_variation: Some(0.12),
            timeline: vec![
                (start, "Microsoft.KeyVault".to_owned(), "secrets/getSecret".to_owned()),
                (start.plus_ms(4000), "contoso-orders".to_owned(), "listKeys".to_owned()),
            ],
        }),
        AlertKind::SuspiciousPrincipal => Evidence::Principal(PrincipalEvidence {
            last_seen_days: None,
            elsewhere_accounts: 0,
            usual_principals: vec![("svc-deploy".to_owned(), 0.97), ("ops".to_owned(), 0.03)],
            unexpected: 2,
            failures_before: 3,
        }),
        AlertKind::SqlInjection => Evidence::Query(QueryEvidence {
            language: QueryLanguage::Sql,
            template: text("SELECT * FROM c WHERE c.tenant = ? AND c.name = ? OR # = #"),
            marked: vec![
                Marked { sign: Sign::AlwaysTrueUnderOr, begin: 50, end: 58 },
                Marked { sign: Sign::Insertion, begin: 0, end: 0 },
            ],
            shape: 0x51_0b_7d,
            known_template: true,
            shapes_known: 41,
            new_per_day: 0.11,
            joined: true,
            runs: 2,
            rows: Some(18_230),
            bytes: Some(31_000_000),
            usual: Some(([1_800.0, 6_400.0], 12)),
            beyond_history: true,
        }),
        AlertKind::SqlFuzzing => Evidence::Burst(BurstEvidence {
            count: 214,
            within: "10 minutes",
            since: time("2026-11-14T02:00Z"),
            addresses: Vec::new(),
            usual: [0.0, 1.0],
            texts: Some(180),
            error_places: 6,
            lengths: 6,
            signs: vec![Sign::PayloadSyntax, Sign::ForeignDialect],
        }),
    }
}

fn facets(kind: AlertKind) -> Vec<Facet> {
    let network = Facet {
        name: "network",
        observed: Quantity::Name("AS64500 Example Hosting".to_owned()),
        usual: Usual::NeverIn { days: 212.0 },
        p: Some(0.002),
        broke: true,
    };
    let client = Facet {
        name: "client",
        observed: Quantity::Name("python-requests".to_owned()),
        usual: Usual::Shares(vec![("python-requests".to_owned(), 0.9)]),
        p: None,
        broke: false,
    };
    let volume = Facet {
        name: "volume, 1 h",
        observed: Quantity::Bytes(1.84e9),
        usual: Usual::Range(21e6, 96e6),
        p: Some(0.00105),
        broke: true,
    };
    match kind {
        AlertKind::DataExfiltration => vec![volume, network, client],
        _ => vec![network, client],
    }
}

fn test(kind: AlertKind) -> Test {
    let rule = |clause, severity| Some(RuleSeverity { severity, clause });
    let (p, rule, ceiling) = match kind {
        AlertKind::TorAnomaly => (0.0006, rule(RuleClause::FirstUse, Severity::High), None),
        AlertKind::SuspiciousIp => (0.0006, rule(RuleClause::Plain, Severity::Medium), None),
        AlertKind::GeoAnomaly => (0.0045, None, None),
        AlertKind::DataExfiltration => {
            (0.00105, None, Some((Severity::Medium, Ceiling::NeedsAnotherKind)))
        }
        AlertKind::MaliciousScript => (2.4314e-6, None, None),
        AlertKind::SuspiciousPrincipal => (0.0004, None, None),
        AlertKind::SqlInjection => (2e-6, None, None),
        AlertKind::SqlFuzzing => (4e-5, None, None),
    };
    Test { p, per_day: 1.0, rule, ceiling }
}

pub(crate) fn finding(kind: AlertKind) -> Finding {
    let account = AccountId::new("contoso-orders", Cloud::Public);
    let mut accounts = vec![(account.clone(), Some(text(ARM_ID)))];
    if kind == AlertKind::MaliciousScript {
        accounts.insert(0, (AccountId::new("contoso-hr", Cloud::Public), None));
    }
    let keys = matches!(kind, AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal);
    Finding {
        kind,
        account,
        resource_id: Some(text(ARM_ID)),
        accounts,
        dedup: "AS64500".to_owned(),
        start: time("2026-11-14T02:00Z"),
        end: time("2026-11-14T02:14:08.123Z"),
        decided: time("2026-11-14T02:15Z"),
        test: test(kind),
        maturity: Maturity { state: MaturityState::Mature, age_days: 212.0, active_days: 208 },
        late: false,
        caller: if keys { principal() } else { caller() },
        records: Default::default(),
        evidence: evidence(kind),
        facets: facets(kind),
        companions: Vec::new(),
    }
}

pub(crate) fn alert(kind: AlertKind) -> Alert {
    alert_of(finding(kind))
}

pub(crate) fn alert_of(finding: Finding) -> Alert {
    let grade = grade(&finding, &Profile::default().severity).unwrap();
    let window = Timestamp(finding.start.millis().div_euclid(HOUR_MS) * HOUR_MS);
    Alert {
        id: AlertId::new(finding.kind, &finding.account, &finding.dedup, window),
        revision: 1,
        opened: finding.decided,
        finding,
        grade,
        findings: 1,
        warm_up: false,
        marks: Default::default(),
    }
}

/// Text that tries to leave every format: quotes, separators, escapes, directions, controls, and
/// 10 KB of it.
pub(crate) fn hostile_text() -> String {
    let head = "\u{1b}[31m\"|=\\\r\n,;'<script>\u{202e}{{}}$(x)\u{0}\u{9b}31m\u{2028}CEF:0|a|b";
    format!("{head}{}", "A".repeat(10_240))
}

/// An alert of which every text is hostile and every number is none.
pub(crate) fn hostile(kind: AlertKind) -> Alert {
    let mut alert = alert(kind);
    let text = || Text::from(hostile_text());
    let finding = &mut alert.finding;
    finding.account = AccountId::from_lowercase(text(), Cloud::China);
    finding.resource_id = Some(text());
    finding.accounts = vec![(finding.account.clone(), Some(text()))];
    finding.dedup = hostile_text();
    finding.end = Timestamp::MAX;
    finding.test.p = f64::NAN;
    finding.test.per_day = f64::INFINITY;
    finding.maturity.age_days = f64::NAN;
    finding.caller = CallerFacts {
        city: Some(text()),
        organisation: text(),
        principal: Some(PrincipalId::from_lowercase(text())),
        principal_name: text(),
        app_id: text(),
        user_agents: vec![text(); 40],
        databases: vec![text()],
        containers: vec![text()],
        operations: vec![text()],
        statuses: vec![i32::MIN],
        first_event: hostile_text(),
        last_event: "x".to_owned(),
        ..finding.caller.clone()
    };
    finding.facets = vec![
        Facet {
            name: "network",
            observed: Quantity::Name(hostile_text()),
            usual: Usual::Shares(vec![(hostile_text(), f64::NAN)]),
            p: Some(f64::NAN),
            broke: true,
        },
        Facet {
            name: "hours",
            observed: Quantity::Hours(f64::NEG_INFINITY),
            usual: Usual::Range(f64::NAN, f64::INFINITY),
            p: None,
            broke: false,
        },
    ];
    alert.grade.nominal_per_day = f64::NAN;
    alert.grade.limits_per_day = [f64::INFINITY, f64::NAN, 0.0];
    hostile_evidence(&mut alert.finding.evidence);
    alert
}

fn hostile_evidence(evidence: &mut Evidence) {
    match evidence {
        Evidence::Listed(e) => {
            e.hit.feed = Text::from(hostile_text());
            e.hit.entry = Text::from(hostile_text());
            e.hit.since = Some(Timestamp::MIN);
            e.history_days = f64::NAN;
        }
        Evidence::Place(e) => {
            e.usual_countries = vec![(hostile_text(), f64::INFINITY); 9];
            e.travel = Some(crate::detect::Travel { from: hostile_text(), minutes: f64::NAN });
            e.last_seen_days = Some(f64::NAN);
        }
        Evidence::Volume(e) => {
            (e.observed, e.expected, e.window_hours) = (f64::NAN, f64::INFINITY, f64::NAN);
            e.usual = [f64::NAN; 3];
            e.thresholds = [f64::NAN; 3];
            e.new_network = Some((hostile_text(), f64::NAN));
            for hour in &mut e.hours {
                hour.observed = Some(f64::INFINITY);
                hour.quantiles[0] = f64::NAN;
                hour.hour = i64::MAX;
            }
        }
        Evidence::Sweep(e) => {
            e.providers = vec![hostile_text(); 30];
            e.share = f64::NAN;
            e.expected_accounts = f64::NAN;
            e.timeline = vec![(Timestamp::MAX, hostile_text(), hostile_text()); 99];
        }
        Evidence::Principal(e) => {
            e.usual_principals = vec![(hostile_text(), f64::NAN)];
            e.last_seen_days = Some(f64::INFINITY);
        }
        Evidence::Query(e) => {
            e.template = Text::from(hostile_text());
            e.marked = vec![Marked { sign: Sign::BlindProbe, begin: 3, end: 9 }; 8];
            e.new_per_day = f64::NAN;
            e.usual = Some(([f64::NAN, f64::INFINITY], u32::MAX));
        }
        Evidence::Burst(e) => e.usual = [f64::NAN, f64::INFINITY],
    }
}
