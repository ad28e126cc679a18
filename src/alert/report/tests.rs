use super::*;
use crate::alert::rules::DecisionView;

const EVIL: &str = "<script>alert(1)</script>\"'&\u{202e}=cmd\n";

fn decision(evil: &str) -> DecisionView {
    DecisionView {
        id: "S1".to_owned(),
        what: "suppress",
        state: "active",
        filter: None,
        about: format!("account {evil}"),
        from: None,
        until: Some("2026-12-01T00:00:00Z".to_owned()),
        author: evil.to_owned(),
        made: "2026-10-01T00:00:00Z".to_owned(),
        reason: evil.to_owned(),
        ticket: Some(evil.to_owned()),
        hits_90_days: 3,
        last_hit: None,
        notices: Vec::new(),
    }
}

fn alert(n: i64, severity: Severity, outcome: Outcome, evil: &str) -> AlertFact {
    let raised = Timestamp::of_day(20_000).plus_ms(n * 9_000_000);
    AlertFact {
        id: AlertId(n as u128 + 1),
        kind: format!("CosmosDB_TorAnomaly{evil}"),
        title: format!("Access from a Tor exit node{evil}"),
        account: format!("=contoso{evil}"),
        severity,
        by_rule: n % 5 == 4,
        start: raised.plus_ms(-60_000 * (n + 1)),
        raised,
        closed: (!outcome.is_unjudged()).then(|| raised.plus_ms(3_600_000 * (n + 1))),
        outcome,
    }
}

fn facts(evil: &str) -> Facts {
    let severities = [Severity::Low, Severity::Low, Severity::Medium, Severity::High];
    let alerts = (0..24).map(|n| {
        let outcome = Outcome::ALL[(n % 5) as usize];
        alert(n, severities[(n % 4) as usize], outcome, evil)
    });
    let (from, to) = (Timestamp::of_day(20_000), Timestamp::of_day(20_030));
    Facts {
        span: Span { from, to },
        made: to,
        alerts: alerts.collect(),
        accounts: 40,
        account_days: 1200.0,
        allowed: [40.0, 4.0, 0.4],
        blind: vec![Blind {
            missing: "Activity log".to_owned(),
            blind: "key extraction is not judged".to_owned(),
            accounts: vec![evil.to_owned(); 12],
        }],
        never_logged: vec![evil.to_owned()],
        decisions: vec![decision(evil)],
        degraded: vec![Degraded {
            account: evil.to_owned(),
            what: evil.to_owned(),
            from,
            until: None,
        }],
        notes: vec![evil.to_owned()],
    }
}

/// Compares with what is kept, or keeps it when asked to.
fn golden(name: &str, text: &str) {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report").join(name);
    if std::env::var_os("COSMOGUARD_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is not what it was; COSMOGUARD_BLESS=1 keeps what it is now");
}

#[test]
fn page_and_tables_are_what_they_were() {
    let report = Report::of(facts(EVIL));
    golden("report.html", &html(&report));
    golden("report.csv", &csv(&report));
    golden("alerts.csv", &alerts_csv(&report));
}

#[test]
fn nothing_hostile_gets_through() {
    let (plain, hostile) = (Report::of(facts("")), Report::of(facts(EVIL)));
    let page = html(&hostile);
    assert!(
        !page.contains("<script") && !page.contains('\u{202e}') && page.contains("&lt;script&gt;")
    );
    // The same elements, whatever the texts are.
    let tags = |page: &str| page.matches('<').count();
    assert_eq!(tags(&page), tags(&html(&plain)));
    for table in [csv(&hostile), alerts_csv(&hostile)] {
        for line in table.lines() {
            assert!(
                !line.contains("\"=") && line.starts_with('"') && line.ends_with('"'),
                "{line}"
            );
        }
    }
    let heads = alerts_csv(&hostile).lines().next().map(|l| l.matches(',').count());
    assert_eq!(heads, Some(9));
    assert_eq!(alerts_csv(&hostile).lines().count(), 25);
}

#[test]
fn the_figures_add_up() {
    let report = Report::of(facts(""));
    assert_eq!(report.alerts(), 24);
    assert_eq!(report.severities.iter().flatten().sum::<u64>(), 24);
    assert_eq!(report.kinds.iter().flat_map(|k| k.outcomes).sum::<u64>(), 24);
    assert_eq!(report.columns.iter().flatten().sum::<u64>(), 24);
    assert_eq!((report.column_days, report.columns.len()), (1, 30));
    let [low, medium, high] = report.promise;
    assert!(matches!(low.share, Share::Ratio(r, [a, b]) if a <= r && r <= b && r < 1.0), "{low:?}");
    assert!(matches!(medium.share, Share::TooFew(_)) && matches!(high.share, Share::TooFew(_)));
    // One that follows a rule is in no promise.
    let measured = report.facts.alerts.iter().filter(|a| !a.by_rule);
    let innocent = measured.filter(|a| a.outcome == Outcome::Innocent).count() as u64;
    assert_eq!(low.innocent + medium.innocent + high.innocent, innocent);
    assert_eq!(report.by_rule, (4, 0));
}

#[test]
fn how_long_it_took_is_one_of_the_times_that_it_took() {
    let known = |all: &[i64]| {
        let lasting = Lasting::of(all.to_vec());
        (lasting.known, lasting.median_ms, lasting.p90_ms)
    };
    assert_eq!(known(&[]), (0, None, None));
    assert_eq!(known(&[7]), (1, Some(7), Some(7)));
    assert_eq!(known(&[9, 1, 2, 3, 4, 5, 6, 7, 8, 10]), (10, Some(5), Some(9)));
}

#[test]
fn an_empty_span_is_a_report_too() {
    let nothing = Facts {
        alerts: Vec::new(),
        account_days: 0.0,
        allowed: [0.0; 3],
        blind: Vec::new(),
        never_logged: Vec::new(),
        decisions: Vec::new(),
        degraded: Vec::new(),
        ..facts("")
    };
    let report = Report::of(nothing);
    let page = html(&report);
    assert!(
        page.contains("No alert was raised.") && !page.contains("NaN") && !page.contains("inf")
    );
    assert!(report.promise.iter().all(|p| p.share == Share::Nothing));
}
