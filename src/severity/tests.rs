use super::*;
use crate::baseline::maturity::Maturity;
use crate::detect::{CallerFacts, Evidence, PlaceEvidence, PlaceLevel, RuleSeverity, Test};
use crate::ids::{AccountId, Cloud};
use crate::profile::Profile;
use crate::time::Timestamp;

fn finding(kind: AlertKind, p: f64) -> Finding {
    let account = AccountId::new("contoso-orders", Cloud::Public);
    Finding {
        kind,
        account: account.clone(),
        resource_id: None,
        accounts: vec![(account, None)],
        dedup: String::new(),
        start: Timestamp(0),
        end: Timestamp(0),
        decided: Timestamp(60_000),
        test: Test { p, per_day: 1.0, rule: None, ceiling: None },
        maturity: Maturity { state: MaturityState::Mature, age_days: 212.0, active_days: 200 },
        late: false,
        caller: CallerFacts::default(),
        records: Default::default(),
        evidence: Evidence::Place(PlaceEvidence {
            level: PlaceLevel::Country,
            last_seen_days: None,
            usual_countries: Vec::new(),
            usual_networks: Vec::new(),
            novelty: (0.0, 0.0),
            travel: None,
        }),
        facets: Vec::new(),
        companions: Vec::new(),
    }
}

fn profile() -> SeverityProfile {
    Profile::default().severity
}

fn severity(finding: &Finding) -> Option<Severity> {
    grade(finding, &profile()).map(|g| g.severity)
}

#[test]
fn limits_add_up_to_the_budgets() {
    let profile = profile();
    let mut sums = [0.0; 3];
    for kind in AlertKind::ALL {
        for (sum, limit) in sums.iter_mut().zip(limits_per_day(kind, &profile)) {
            *sum += limit;
        }
    }
    let expected = expected_false_alerts(&profile, 1.0);
    for (sum, budget) in sums.iter().zip(expected) {
        assert!((sum - budget).abs() < 1e-12, "{sums:?} {expected:?}");
    }
    let fleet = expected_false_alerts(&profile, 40.0 * 42.0);
    assert!((fleet[2] - 0.56).abs() < 0.01 && (fleet[0] - 56.0).abs() < 0.01, "{fleet:?}");
    assert_eq!(expected_false_alerts(&profile, f64::NAN), [0.0; 3]);
}

#[test]
fn bands_floors_and_caps() {
    use AlertKind::{DataExfiltration, GeoAnomaly, MaliciousScript, SuspiciousPrincipal};
    // (kind, p, grade): volume has 3 of 8.5 parts: Low 1.18e-2, Medium 1.18e-3, High 1.18e-4.
    let table = [
        (DataExfiltration, 1.2e-2, None),
        (DataExfiltration, 1.1e-2, Some(Severity::Low)),
        (DataExfiltration, 1.1e-3, Some(Severity::Medium)),
        (DataExfiltration, 1.1e-4, Some(Severity::High)),
        (DataExfiltration, 0.0, Some(Severity::High)),
        (DataExfiltration, f64::NAN, None),
        (GeoAnomaly, 7.0e-3, Some(Severity::Low)),
        (GeoAnomaly, 1.0e-9, Some(Severity::Medium)),
        (MaliciousScript, 3.0e-3, None),
        (MaliciousScript, 3.0e-4, Some(Severity::Medium)),
        (MaliciousScript, 3.0e-5, Some(Severity::High)),
        (SuspiciousPrincipal, 5.0e-3, Some(Severity::Low)),
    ];
    for (kind, p, expected) in table {
        assert_eq!(severity(&finding(kind, p)), expected, "{kind:?} at {p}");
    }
}

#[test]
fn the_next_band_is_named() {
    let limits = limits_per_day(AlertKind::DataExfiltration, &profile());
    let why = |f: &Finding| grade(f, &profile()).map(|g| g.not_higher);
    assert_eq!(
        why(&finding(AlertKind::DataExfiltration, 1.1e-2)),
        Some(NotHigher::TooOrdinary { needed_per_day: limits[1] })
    );
    assert_eq!(why(&finding(AlertKind::GeoAnomaly, 1e-9)), Some(NotHigher::KindCap));
    assert_eq!(why(&finding(AlertKind::DataExfiltration, 1e-9)), Some(NotHigher::Highest));
}

#[test]
fn ceilings_hold_until_another_kind_supports_the_finding() {
    let mut volume = finding(AlertKind::DataExfiltration, 1e-9);
    volume.test.ceiling = Some((Severity::Low, Ceiling::VolumeAlone));
    let graded = grade(&volume, &profile()).unwrap();
    assert_eq!(graded.severity, Severity::Low);
    assert_eq!(graded.not_higher, NotHigher::Ceiling(Ceiling::VolumeAlone));
    volume.companions = vec![(AlertKind::SuspiciousPrincipal, Timestamp(0))];
    assert_eq!(severity(&volume), Some(Severity::Medium));

    volume.test.ceiling = Some((Severity::Medium, Ceiling::NeedsAnotherKind));
    assert_eq!(severity(&volume), Some(Severity::High));
    volume.test.p = 1e-3;
    assert_eq!(severity(&volume), Some(Severity::Medium), "p·r still has to fit");
    volume.companions.clear();
    volume.test.p = 1e-9;
    assert_eq!(severity(&volume), Some(Severity::Medium));
}

#[test]
fn a_single_behavioural_finding_on_a_young_baseline_is_low() {
    for state in [MaturityState::Learning, MaturityState::Provisional] {
        let mut volume = finding(AlertKind::DataExfiltration, 1e-9);
        volume.maturity.state = state;
        let graded = grade(&volume, &profile()).unwrap();
        assert_eq!(graded.severity, Severity::Low);
        assert_eq!(graded.not_higher, NotHigher::Ceiling(Ceiling::NotMature));
        volume.companions = vec![(AlertKind::TorAnomaly, Timestamp(0))];
        assert_eq!(severity(&volume), Some(Severity::Medium));

        let mut floored = profile();
        if let Some(kind) = floored.kinds.get_mut(AlertKind::GeoAnomaly.alert_type()) {
            kind.floor = "Medium".to_owned();
        }
        let mut place = finding(AlertKind::GeoAnomaly, 1e-9);
        place.maturity.state = state;
        assert_eq!(grade(&place, &floored), None);

        let mut sweep = finding(AlertKind::MaliciousScript, 1e-9);
        sweep.maturity.state = state;
        assert_eq!(severity(&sweep), Some(Severity::High));
    }
    let mut degraded = finding(AlertKind::DataExfiltration, 1e-9);
    degraded.maturity.state = MaturityState::Degraded;
    assert_eq!(severity(&degraded), Some(Severity::High));
}

#[test]
fn rules_need_no_baseline_and_no_rarity() {
    let mut tor = finding(AlertKind::TorAnomaly, 0.9);
    tor.maturity.state = MaturityState::Learning;
    tor.test.rule = Some(RuleSeverity { severity: Severity::High, clause: RuleClause::FirstUse });
    let graded = grade(&tor, &profile()).unwrap();
    assert_eq!((graded.severity, graded.basis), (Severity::High, Basis::Rule));
    tor.test.rule =
        Some(RuleSeverity { severity: Severity::Medium, clause: RuleClause::TooCommonForHigh });
    let graded = grade(&tor, &profile()).unwrap();
    assert_eq!(graded.severity, Severity::Medium);
    assert_eq!(graded.not_higher, NotHigher::Rule(RuleClause::TooCommonForHigh));
    tor.test.rule = Some(RuleSeverity { severity: Severity::Low, clause: RuleClause::Plain });
    assert_eq!(grade(&tor, &profile()), None, "the floor is Medium");
}

#[test]
fn the_other_profiles_print_the_published_severity_and_keep_ours_beside() {
    let tor = finding(AlertKind::MaliciousScript, 3.0e-4);
    for (mode, printed) in [
        (SeverityMode::Defender2022, Severity::High),
        (SeverityMode::Defender2024, Severity::Medium),
    ] {
        let profile = SeverityProfile { mode, ..profile() };
        let graded = grade(&tor, &profile).unwrap();
        assert_eq!((graded.severity, graded.by_budget), (printed, Severity::Medium));
        assert_eq!(grade(&finding(AlertKind::MaliciousScript, 0.5), &profile), None);
    }
}

#[test]
fn a_slip_in_a_severity_word_is_refused_with_its_place() {
    let broken = crate::profile::DEFAULT_TOML.replacen("floor = \"Low\"", "floor = \"Lo\"", 1);
    let error = toml::from_str::<Profile>(&broken).unwrap_err().to_string();
    assert!(error.contains("severity `Lo` is not one of"), "{error}");
}
