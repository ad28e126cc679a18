use super::*;
use crate::alert::testing::{alert, alert_of, finding, time};
use crate::detect::{Finding, RuleSeverity};
use crate::profile::{Profile, SeverityProfile};
use crate::severity::grade;

/// One line a kind: what is said of a believable finding.
const DESCRIPTIONS: &str = include_str!("../../../tests/fixtures/alerts/descriptions.txt");

fn reason(change: impl FnOnce(&mut Finding)) -> String {
    let mut changed = finding(AlertKind::DataExfiltration);
    change(&mut changed);
    severity_reason(&alert_of(changed))
}

#[test]
fn descriptions_say_what_how_rare_and_why() {
    let said: String = AlertKind::ALL
        .into_iter()
        .map(|kind| format!("{}: {}\n", kind.alert_type(), description(&alert(kind))))
        .collect();
    assert_eq!(said, DESCRIPTIONS);
    for line in said.lines() {
        for part in ["nnocent life ", " because ", "not the probability of an attack."] {
            assert!(line.contains(part), "{line}");
        }
    }
}

#[test]
fn every_ceiling_has_its_reason() {
    let ceiling = |severity, why| {
        reason(|f| {
            f.test.p = 1e-9;
            f.test.ceiling = Some((severity, why));
        })
    };
    let table = [
        (Severity::Low, Ceiling::VolumeAlone, "; not Medium because volume alone is Low: exports"),
        (
            Severity::Medium,
            Ceiling::NeedsAnotherKind,
            "; not High because no other kind of finding",
        ),
        (
            Severity::Low,
            Ceiling::PlaceKnown,
            "; not Medium because the place is rare here, not new.",
        ),
        (
            Severity::Low,
            Ceiling::NotMature,
            "; not Medium because the baseline is mature after 212",
        ),
    ];
    for (severity, why, part) in table {
        let text = ceiling(severity, why);
        assert!(text.contains(part), "{text}");
    }
    let mut newcomer = finding(AlertKind::SuspiciousPrincipal);
    newcomer.test.ceiling = Some((Severity::Low, Ceiling::PlaceKnown));
    let text = severity_reason(&alert_of(newcomer));
    assert!(text.contains("; not Medium because it came through the portal from a"), "{text}");
    let young = reason(|f| {
        f.maturity.state = MaturityState::Provisional;
        f.maturity.age_days = 9.0;
    });
    assert!(
        young.ends_with(
            "; not Medium because the baseline is provisional after 9 days, and a single finding on \
             it is Low."
        ),
        "{young}"
    );
}

#[test]
fn another_kind_is_named_with_its_time() {
    let text = reason(|f| {
        f.test.p = 1e-9;
        f.companions = vec![(AlertKind::SuspiciousPrincipal, time("2026-11-14T01:58Z"))];
    });
    assert_eq!(
        text,
        "High because this is rarer than once in 23 years, where High begins for this kind, and \
         another kind of finding stands beside it (Suspicious extraction of Azure Cosmos DB \
         account keys at 2026-11-14 01:58 UTC)."
    );
}

#[test]
fn rules_name_their_clause() {
    let by = |clause, severity| {
        let mut tor = finding(AlertKind::TorAnomaly);
        tor.test.rule = Some(RuleSeverity { severity, clause });
        severity_reason(&alert_of(tor))
    };
    assert_eq!(
        by(RuleClause::KeyOperation, Severity::High),
        "High by rule because a Tor exit got in, and an operation on the account's keys followed."
    );
    assert_eq!(
        by(RuleClause::TooCommonForHigh, Severity::Medium),
        "Medium by rule because a Tor exit got in with a valid credential; not High because this \
         account meets Tor too often for High to stay rare."
    );
}

#[test]
fn a_published_severity_keeps_ours_beside_it() {
    let profile =
        SeverityProfile { mode: SeverityMode::Defender2024, ..Profile::default().severity };
    let mut alert = alert(AlertKind::GeoAnomaly);
    alert.grade = grade(&alert.finding, &profile).unwrap();
    assert_eq!(
        severity_reason(&alert),
        "Low is what Microsoft published in 2024 for this kind; ours: Low because this is rarer \
         than once in 130 days, where Low begins for this kind; not Medium because Medium begins \
         at once in 1,300 days."
    );
}

#[test]
fn silence_is_told_in_the_findings_own_terms() {
    let text = |kind| silent_unless(&alert(kind));
    assert_eq!(
        text(AlertKind::DataExfiltration),
        "below 412 MB, or with AS64500 Example Hosting trusted"
    );
    assert_eq!(
        text(AlertKind::TorAnomaly),
        "had the list not held the address at that time, or had the request been refused"
    );
    assert!(text(AlertKind::GeoAnomaly).contains("once in 130 days"));
}

#[test]
fn known_queries_are_counted_and_one_row_is_one_row() {
    use crate::detect::{Evidence, Facet, Quantity, Usual};
    let broke = |known| {
        super::facets::facet(
            &Facet {
                name: "query",
                observed: Quantity::Name("new to the account".to_owned()),
                usual: Usual::Queries { known, days: 30.0 },
                p: None,
                broke: true,
            },
            1.0,
        )
        .usual
    };
    assert_eq!(broke(1), "1 query known in 30 days");
    assert_eq!(broke(750), "750 queries known in 30 days");
    assert_eq!(broke(0), "nothing known yet");
    let mut alert = alert(AlertKind::SqlInjection);
    let Evidence::Query(mut e) = alert.finding.evidence.clone() else { panic!("a query") };
    e.usual = Some(([550.0, 850.0], 1));
    alert.finding.evidence = Evidence::Query(e.clone());
    let text = super::queries::injection(&alert, &e);
    assert!(text.ends_with(" returns 550 to 850 B, at most 1 row."), "{text}");
}
