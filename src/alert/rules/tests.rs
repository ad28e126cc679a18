//! The ledger as a whole.
use super::*;
use crate::alert::testing::{alert, hostile_text, time};
use crate::alert::{Alert, AlertId};
use crate::detect::AlertKind;
use proptest::prelude::*;

const MADE: Timestamp = Timestamp(1_800_000_000_000);

fn filter(account: &str) -> Filter {
    let text = FilterText { account: Some(account.to_owned()), ..FilterText::default() };
    Filter::parse(&text).unwrap()
}

fn rule(account: &str, until: &str) -> What {
    What::Suppress(Rule { filter: filter(account), up_to: None, until: time(until) })
}

fn take(ledger: &mut Ledger, what: What, from: &str) -> Decision {
    let decision = ledger.draft(what, [time(from), MADE], "ann", "known scanner").unwrap();
    ledger.push(decision.clone());
    decision
}

fn raised(kind: AlertKind, at: &str) -> Subject {
    Subject { raised: time(at), end: time(at), ..Subject::of(&alert(kind)) }
}

fn marks(ledger: &Ledger, subject: &Subject) -> Vec<String> {
    ledger
        .marks(subject)
        .iter()
        .map(|mark| format!("{} {}", mark.silence.property(), mark.by))
        .collect()
}

#[test]
fn a_rule_marks_what_is_raised_while_it_works_and_nothing_else() {
    let mut ledger = Ledger::default();
    take(&mut ledger, rule("contoso-orders", "2026-11-20T00:00Z"), "2026-11-14T00:00Z");
    let at = |moment| marks(&ledger, &raised(AlertKind::GeoAnomaly, moment));
    assert_eq!(at("2026-11-13T23:59Z"), [""; 0]);
    assert_eq!(at("2026-11-14T00:00Z"), ["Suppressed by S1"]);
    assert_eq!(at("2026-11-19T23:59Z"), ["Suppressed by S1"]);
    assert_eq!(at("2026-11-20T00:00Z"), [""; 0], "expiry is by event time");
    // Ended by hand: from then on, not before.
    take(&mut ledger, What::End { of: 1 }, "2026-11-16T00:00Z");
    let at = |moment| marks(&ledger, &raised(AlertKind::GeoAnomaly, moment));
    assert_eq!(at("2026-11-15T00:00Z"), ["Suppressed by S1"]);
    assert_eq!(at("2026-11-16T00:00Z"), [""; 0]);
}

#[test]
fn a_rule_up_to_medium_lets_high_through() {
    let What::Suppress(whole) = rule("*", "2027-01-01") else { panic!("no rule") };
    let rule = Rule { up_to: Some(Severity::Medium), ..whole };
    let subject = raised(AlertKind::TorAnomaly, "2026-11-14T01:00Z");
    for (severity, covered) in
        [(Severity::Low, true), (Severity::Medium, true), (Severity::High, false)]
    {
        assert_eq!(rule.covers(&Subject { severity, ..subject.clone() }), covered);
    }
}

#[test]
fn what_is_too_much_or_makes_no_sense_is_refused() {
    let ledger = Ledger::default();
    let times = [time("2026-11-14"), MADE];
    let refused =
        |what, author: &str, reason: &str| ledger.draft(what, times, author, reason).unwrap_err();
    let long = "x".repeat(REASON_CHARS_MAX + 1);
    assert_eq!(refused(rule("a", "2026-11-20"), "ann", " "), RuleError::Empty("reason"));
    assert_eq!(refused(rule("a", "2026-11-20"), "", "why"), RuleError::Empty("author"));
    assert!(matches!(refused(rule("a", "2026-11-20"), "ann", &long), RuleError::TooLong { .. }));
    assert!(matches!(refused(rule("a", "2026-11-14"), "ann", "why"), RuleError::EndsBefore { .. }));
    assert_eq!(refused(rule("a", "2036-01-01"), "ann", "why"), RuleError::Endless);
    let everything = Rule { filter: Filter::default(), up_to: None, until: time("2026-11-20") };
    assert_eq!(refused(What::Suppress(everything), "ann", "why"), RuleError::Everything);
    assert!(matches!(refused(What::End { of: 7 }, "ann", "why"), RuleError::Unknown(_)));
    let hostile =
        ledger.draft(rule("a", "2026-11-20"), times, "ann", &hostile_text()[..60]).unwrap();
    assert!(!hostile.reason.contains(['\u{1b}', '\u{202e}']), "{}", hostile.reason);
}

#[test]
fn broad_and_long_rules_are_noted_until_they_end() {
    let mut ledger = Ledger::default();
    take(&mut ledger, rule("contoso-orders", "2026-12-01"), "2026-11-14");
    take(&mut ledger, rule("contoso-*", "2026-12-01"), "2026-11-14");
    take(&mut ledger, rule("contoso-orders", "2027-06-01"), "2026-11-14");
    let noted = |now| {
        let notices = ledger.notices(time(now)).into_iter();
        notices.map(|n| format!("{} {}", n.rule, n.why)).collect::<Vec<_>>()
    };
    let broad = "S2 reaches beyond one account";
    let long = "S3 lasts longer than 90 days";
    assert_eq!(noted("2026-11-15"), [broad, long]);
    assert_eq!(noted("2026-12-02"), [long]);
}

#[test]
fn hits_count_alerts_once_and_the_last_days_only() {
    let subject = |id, at: &str| Subject {
        id: AlertId(id),
        silenced_by: vec!["S1".to_owned()],
        ..raised(AlertKind::GeoAnomaly, at)
    };
    let all = [
        subject(1, "2026-05-01T00:00Z"),
        subject(2, "2026-11-01T00:00Z"),
        subject(2, "2026-11-02T00:00Z"),
    ];
    let met = hits(&all, time("2026-11-14"));
    assert_eq!(met["S1"], Hits { alerts: 1, last: Some(time("2026-11-02T00:00Z")) });
    assert_eq!(met.get("S2"), None);
}

#[test]
fn a_simulation_counts_what_would_have_been_silent_in_all_its_revisions() {
    let subject = |id, revision, severity| Subject {
        id: AlertId(id),
        revision,
        severity,
        ..raised(AlertKind::GeoAnomaly, "2026-11-14T01:00Z")
    };
    let all = [
        subject(1, 1, Severity::Low),
        subject(2, 1, Severity::Low),
        subject(2, 2, Severity::Medium),
    ];
    let What::Suppress(rule) = rule("contoso-*", "2027-01-01") else { panic!("no rule") };
    let whole = simulate(&rule, &all);
    assert_eq!((whole.of, whole.alerts, whole.ids.len()), (2, 2, 2));
    assert_eq!(whole.severities["Medium"], 1);
    let low = simulate(&Rule { up_to: Some(Severity::Low), ..rule.clone() }, &all);
    assert_eq!((low.alerts, low.ids), (1, vec![AlertId(1)]));
    assert_eq!(simulate(&rule, &[]), Simulation::default());
}

#[test]
fn an_expectation_covers_what_was_announced_and_never_what_nobody_announces() {
    let migration = Expectation {
        filter: Filter::parse(&FilterText { asn: Some(64500), ..FilterText::default() }).unwrap(),
        bytes_max: Some(2_000_000_000),
        start: time("2026-11-14"),
        end: time("2026-11-15"),
        ticket: "CHG-7".to_owned(),
    };
    let at = |kind| raised(kind, "2026-11-14T02:00Z");
    assert!(migration.covers(&at(AlertKind::GeoAnomaly)));
    assert!(migration.covers(&at(AlertKind::DataExfiltration)));
    for kind in [AlertKind::TorAnomaly, AlertKind::SuspiciousIp, AlertKind::SqlInjection] {
        assert!(!migration.covers(&at(kind)), "{kind:?}");
    }
    let more = Subject { volume: Some(2.1e9), ..at(AlertKind::DataExfiltration) };
    assert!(!migration.covers(&more), "more than was announced");
    assert!(!migration.covers(&raised(AlertKind::GeoAnomaly, "2026-11-15T00:00Z")));
    let without = Expectation { bytes_max: None, ..migration.clone() };
    assert!(!without.covers(&at(AlertKind::DataExfiltration)), "volume must be announced as such");
    let volume = Expectation { filter: filter("contoso-*"), ..migration };
    assert!(volume.covers(&at(AlertKind::DataExfiltration)));
    assert!(!volume.covers(&at(AlertKind::GeoAnomaly)), "a volume says nothing of places");
    assert!(Expectation { bytes_max: None, ..volume }.says_nothing());
}

#[test]
fn benign_from_now_on_covers_its_like_and_benign_once_nothing() {
    let mut ledger = Ledger::default();
    let judged = raised(AlertKind::SuspiciousPrincipal, "2026-11-14T02:00Z");
    let verdict = |ruling| What::Verdict(Verdict::of(&judged, ruling));
    take(&mut ledger, verdict(Ruling::BenignOnce), "2026-11-14T03:00Z");
    let later = raised(AlertKind::SuspiciousPrincipal, "2026-11-20T02:00Z");
    assert_eq!(marks(&ledger, &later), [""; 0]);
    assert_eq!(ledger.disposition(judged.id).unwrap().verdict, "benign-once");
    assert_eq!(ledger.lessons().count(), 0);
    take(&mut ledger, verdict(Ruling::Benign), "2026-11-14T04:00Z");
    assert_eq!(marks(&ledger, &later), ["Expected by V2"]);
    let other = Subject { story: "AS64501".to_owned(), ..later.clone() };
    assert_eq!(marks(&ledger, &other), [""; 0]);
    // Its story may rise above what was judged: then it is told.
    let low = Verdict { severity: Severity::Low, ..Verdict::of(&judged, Ruling::Benign) };
    assert!(!low.covers(&Subject { severity: Severity::Medium, ..later.clone() }));
    assert_eq!(ledger.disposition(judged.id).unwrap().verdict, "benign");
    take(&mut ledger, What::End { of: 2 }, "2026-11-15T00:00Z");
    assert_eq!(ledger.disposition(judged.id).unwrap().verdict, "benign-once", "taken back");
    assert_eq!(marks(&ledger, &later), [""; 0]);
    let (_, _, undone) = ledger.lessons().next().unwrap();
    assert_eq!(undone, Some((time("2026-11-15T00:00Z"), 3)));
}

#[test]
fn names_are_read_and_strangers_refused() {
    let mut ledger = Ledger::default();
    take(&mut ledger, rule("a", "2026-11-20"), "2026-11-14");
    assert_eq!(ledger.find(Name::parse("s1").unwrap()).unwrap().number, 1);
    assert!(ledger.find(Name::parse("E1").unwrap()).is_err());
    for bad in ["", "S", "12", "S-1", "S99999999999999999999999", "X2", "S1 ;rm"] {
        assert!(Name::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn trust_is_bounded_in_time_and_size() {
    let mut ledger = Ledger::default();
    let until = time("2026-11-20");
    let trust = Trust::parse("203.0.113.0/24", until).unwrap();
    take(&mut ledger, What::Trust(trust), "2026-11-14");
    let inside: std::net::IpAddr = "203.0.113.9".parse().unwrap();
    let mapped = "::ffff:203.0.113.9".parse().unwrap();
    let trusted = Trusted::of(&ledger);
    assert!(
        trusted.covers(inside, time("2026-11-14")) && trusted.covers(mapped, time("2026-11-15"))
    );
    assert!(!trusted.covers(inside, time("2026-11-13")) && !trusted.covers(inside, until));
    assert!(!trusted.covers("203.0.114.9".parse().unwrap(), time("2026-11-15")));
    for bad in ["0.0.0.0/0", "::/0", "2000::/3", "contoso", ""] {
        assert!(Trust::parse(bad, until).is_err(), "{bad}");
    }
}

#[test]
fn a_decision_works_on_nothing_that_was_raised_before_it() {
    assert_eq!(works_from(Timestamp::MIN), Timestamp::MIN);
    assert_eq!(works_from(time("2026-11-14T02:03:04Z")), time("2026-11-14T02:10Z"));
    assert_eq!(works_from(time("2026-11-14T02:10Z")), time("2026-11-14T02:20Z"));
}

proptest! {
    /// Whatever is decided in whatever order: marks follow from the ledger and the alert alone, and
    /// what does not work at the time marks nothing.
    #[test]
    fn marks_follow_from_ledger_and_alert(
        spans in prop::collection::vec((0..50_i64, 1..50_i64, prop::option::of(0..80_i64)), 1..8),
        at in 0..100_i64,
    ) {
        let day = |n: i64| Timestamp::of_day(20_000 + n);
        let mut ledger = Ledger::default();
        let mut expected = Vec::new();
        for (start, length, ended) in spans {
            let what = What::Suppress(Rule { filter: filter("*"), up_to: None, until: day(start + length) });
            let decision = ledger.draft(what, [day(start), MADE], "ann", "why").unwrap();
            let number = decision.number;
            ledger.push(decision);
            let end = ended.map_or(start + length, |e| e.min(start + length));
            if let Some(ended) = ended {
                let end = ledger.draft(What::End { of: number }, [day(ended), MADE], "ann", "why");
                ledger.push(end.unwrap());
            }
            if start <= at && at < end {
                expected.push(number);
            }
        }
        let mut subject = Subject::of(&alert(AlertKind::GeoAnomaly));
        subject.raised = day(at);
        let found: Vec<u64> = ledger.marks(&subject).iter().map(|m| m.by.number).collect();
        prop_assert_eq!(&found, &expected);
        let again = Ledger::of(ledger.iter().cloned());
        prop_assert_eq!(again, ledger);
    }
}

/// What the desk does: marks go out with the line, and are read back from it.
#[test]
fn marks_are_in_the_line_and_come_back() {
    use crate::alert::formats::{Format, write_line};
    let mut alert: Alert = alert(AlertKind::GeoAnomaly);
    alert.marks.silenced = vec![
        Mark { silence: Silence::Suppressed, by: Name::parse("S1").unwrap() },
        Mark { silence: Silence::Expected, by: Name::parse("E2").unwrap() },
    ];
    let mut line = Vec::new();
    write_line(&alert, Format::Defender, &mut line);
    let line = String::from_utf8(line).unwrap();
    assert_eq!(Subject::read(&line).unwrap().silenced_by, ["S1", "E2"]);
    assert!(line.contains(r#""status":"Dismissed""#), "{line}");
}
