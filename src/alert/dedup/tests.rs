use super::*;
use crate::alert::testing::{finding, time};
use crate::profile::Profile;
use crate::severity::grade;

fn rules() -> TimeProfile {
    Profile::default().time
}

fn early() -> Sequence {
    Sequence { lane: Lane::Account, number: None }
}

fn numbered(number: u64) -> Sequence {
    Sequence { lane: Lane::Account, number: Some(number) }
}

/// A volume finding over the hour before `decided`, at `p`.
fn volume(decided: &str, p: f64) -> (Finding, Grade) {
    let mut out = finding(AlertKind::DataExfiltration);
    out.decided = time(decided);
    out.end = out.decided.plus_ms(-1000);
    out.start = out.decided.plus_ms(-HOUR_MS);
    out.test.p = p;
    out.test.ceiling = None;
    let grade = grade(&out, &Profile::default().severity).unwrap();
    (out, grade)
}

fn apply(desk: &mut DeskState, finding: (Finding, Grade)) -> DeskOutcome {
    desk.apply(finding.0, finding.1, early(), &rules())
}

const LOW: f64 = 0.01;
const MEDIUM: f64 = 0.001;
const HIGH: f64 = 0.0001;

#[test]
fn one_line_at_opening_and_one_at_each_rise() {
    let mut desk = DeskState::default();
    let DeskOutcome::Opened(first) = apply(&mut desk, volume("2026-11-14T02:15Z", LOW)) else {
        panic!("opens")
    };
    assert_eq!((first.revision, first.grade.severity), (1, Severity::Low));
    assert_eq!(apply(&mut desk, volume("2026-11-14T02:25Z", LOW)), DeskOutcome::Counted(first.id));
    let DeskOutcome::Raised(second) = apply(&mut desk, volume("2026-11-14T02:35Z", HIGH)) else {
        panic!("raises")
    };
    assert_eq!((second.id, second.revision), (first.id, 2));
    assert_eq!((second.finding.start, second.findings), (first.finding.start, 3));
    assert_eq!(second.opened, first.opened);
    for p in [LOW, MEDIUM, HIGH] {
        assert_eq!(
            apply(&mut desk, volume("2026-11-14T03:00Z", p)),
            DeskOutcome::Counted(first.id)
        );
    }
    assert_eq!(desk.findings_of(first.id), Some(6));
    assert_eq!(desk.open_stories(time("2026-11-14T04:00Z"), &rules()), 1);
    assert_eq!(desk.open_stories(time("2026-11-15T03:00Z"), &rules()), 0);
}

#[test]
fn a_closed_story_comes_back_only_with_a_rise_or_after_a_week() {
    let mut desk = DeskState::default();
    let opened = apply(&mut desk, volume("2026-11-01T02:00Z", LOW));
    let first = opened.alert().unwrap().id;
    assert_eq!(apply(&mut desk, volume("2026-11-03T02:00Z", LOW)), DeskOutcome::Counted(first));
    let risen = apply(&mut desk, volume("2026-11-05T02:00Z", MEDIUM));
    let DeskOutcome::Opened(risen) = risen else { panic!("{risen:?}") };
    assert_ne!(risen.id, first);
    assert_eq!(risen.revision, 1);
    let later = apply(&mut desk, volume("2026-11-11T02:00Z", LOW));
    assert_eq!(later, DeskOutcome::Counted(risen.id));
    assert!(matches!(apply(&mut desk, volume("2026-11-12T02:00Z", LOW)), DeskOutcome::Opened(_)));
}

#[test]
fn an_unanswered_story_asks_again_after_a_week_with_a_new_id() {
    let mut desk = DeskState::default();
    let mut ids = Vec::new();
    for day in 1..=16 {
        let mut drip = volume(&format!("2026-11-{day:02}T02:00Z"), LOW);
        // Looks back over a week, always from the same hour.
        drip.0.start = time("2026-10-31T02:00Z");
        if let Some(alert) = apply(&mut desk, drip).alert() {
            assert!(
                alert.finding.end.since(alert.finding.start) <= super::super::EGRESS_SPAN_MAX_MS
            );
            assert!(alert.generated() >= alert.finding.start);
            ids.push(alert.id);
        }
    }
    assert_eq!(ids.len(), 3);
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn spans_fit_the_contract() {
    let mut desk = DeskState::default();
    let mut place = finding(AlertKind::GeoAnomaly);
    place.start = time("2026-11-01T00:00Z");
    let grade = grade(&place, &Profile::default().severity).unwrap();
    let outcome = apply(&mut desk, (place, grade));
    let alert = outcome.alert().unwrap();
    assert_eq!(alert.finding.end.since(alert.finding.start), 26 * HOUR_MS);
    assert_eq!(alert.finding.end, time("2026-11-14T02:14:08.123Z"));
}

#[test]
fn another_event_of_much_more_is_not_swallowed() {
    let mut desk = DeskState::default();
    let of = |decided: &str, bytes: f64| {
        let mut out = volume(decided, LOW);
        if let Evidence::Volume(v) = &mut out.0.evidence {
            v.observed = v.expected + bytes;
        }
        out
    };
    assert!(apply(&mut desk, of("2026-11-14T02:00Z", 1e9)).alert().is_some());
    let grows = apply(&mut desk, of("2026-11-14T02:30Z", 9e9));
    assert!(matches!(grows, DeskOutcome::Counted(_)), "the same burst, still growing");
    assert!(matches!(apply(&mut desk, of("2026-11-14T08:00Z", 20e9)), DeskOutcome::Counted(_)));
    assert!(matches!(apply(&mut desk, of("2026-11-14T12:00Z", 90e9)), DeskOutcome::Opened(_)));
}

#[test]
fn redelivered_sequences_are_ignored_lane_by_lane() {
    let mut desk = DeskState::default();
    let mut send = |sequence| {
        let (finding, grade) = volume("2026-11-14T02:00Z", LOW);
        desk.apply(finding, grade, sequence, &rules())
    };
    assert!(matches!(send(numbered(7)), DeskOutcome::Opened(_)));
    assert_eq!(send(numbered(7)), DeskOutcome::Ignored);
    assert_eq!(send(numbered(6)), DeskOutcome::Ignored);
    assert!(matches!(send(numbered(8)), DeskOutcome::Counted(_)));
    let tenant = Sequence { lane: Lane::Tenant, number: Some(1) };
    assert!(matches!(send(tenant), DeskOutcome::Counted(_)));
    assert_eq!(send(tenant), DeskOutcome::Ignored);
    assert!(matches!(send(early()), DeskOutcome::Counted(_)));
}

#[test]
fn forgetting_never_shows_in_the_output() {
    let run = |forget: bool| {
        let mut desk = DeskState::default();
        let mut lines = Vec::new();
        for (day, p) in [(1, LOW), (2, LOW), (4, MEDIUM), (13, LOW), (14, HIGH), (28, LOW)] {
            let next = volume(&format!("2026-11-{day:02}T02:00Z"), p);
            if forget {
                desk.close_quiet(next.0.decided, &rules());
            }
            let outcome = apply(&mut desk, next);
            lines.extend(outcome.alert().map(|a| (a.id, a.revision, a.grade.severity)));
        }
        lines
    };
    assert_eq!(run(true), run(false));
    let mut desk = DeskState::default();
    apply(&mut desk, volume("2026-11-01T02:00Z", LOW));
    assert_eq!(desk.close_quiet(time("2026-11-09T02:00Z"), &rules()), 0);
    assert_eq!(desk.close_quiet(time("2026-11-10T02:00Z"), &rules()), 1);
}

#[test]
fn early_and_definitive_verdicts_share_an_id() {
    let (mut half, graded) = volume("2026-11-14T02:15Z", LOW);
    half.start = half.start.plus_ms(20_000);
    let whole = volume("2026-11-14T02:15Z", LOW);
    let id = |f, g| {
        let outcome = DeskState::default().apply(f, g, early(), &rules());
        outcome.alert().unwrap().id
    };
    assert_eq!(id(half, graded), id(whole.0, whole.1));
}

#[test]
fn a_sweep_names_all_it_reached_while_its_line_is_not_written() {
    use crate::ids::{AccountId, Cloud};
    let mut desk = DeskState::default();
    let sweep = |accounts: usize, decided: &str| {
        let mut out = finding(AlertKind::MaliciousScript);
        let name = |n| (AccountId::new(&format!("account-{n}"), Cloud::Public), None);
        out.accounts = (0..accounts).map(name).collect();
        out.decided = time(decided);
        (out.start, out.end) = (out.decided.plus_ms(-60_000), out.decided);
        let grade = grade(&out, &Profile::default().severity).unwrap();
        (out, grade)
    };
    let DeskOutcome::Opened(mut alert) = apply(&mut desk, sweep(4, "2026-11-14T05:07Z")) else {
        panic!("opens")
    };
    let before = alert.finding.clone();
    for (accounts, decided) in [(8, "2026-11-14T05:08Z"), (2, "2026-11-14T05:09Z")] {
        let later = sweep(accounts, decided);
        assert_eq!(apply(&mut desk, later.clone()), DeskOutcome::Counted(alert.id));
        alert.widen(later.0);
    }
    let now = &alert.finding;
    assert_eq!((now.accounts.len(), alert.findings), (8, 3));
    assert_eq!((now.start, now.end), (before.start, time("2026-11-14T05:08Z")));
    assert_eq!((now.test.p, now.decided), (before.test.p, before.decided));
}
