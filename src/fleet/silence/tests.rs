use super::*;

const DATA: Category = Category::DataPlaneRequests;

fn id(name: &str) -> AccountId {
    AccountId::parse(name)
}

/// Plays hours `0..until`; who logs is asked for each. What changed, with the hour.
fn play(
    watch: &mut Watch,
    hours: std::ops::Range<i64>,
    logs: impl Fn(i64) -> Vec<(&'static str, Category)>,
) -> Vec<(i64, Change)> {
    let mut changes = Vec::new();
    for hour in hours {
        for (name, category) in logs(hour) {
            watch.note(&id(name), category, hour);
        }
        changes.extend(watch.judge(hour + 1, None).into_iter().map(|c| (hour, c)));
    }
    changes
}

fn raised(changes: &[(i64, Change)]) -> Vec<(i64, Silent)> {
    let raised = changes.iter().filter_map(|(hour, change)| match change {
        Change::Raised(alarm) => Some((*hour, alarm.silent.clone())),
        Change::Resolved(..) => None,
    });
    raised.collect()
}

#[test]
fn a_busy_account_alarms_within_hours_once_and_is_resolved_when_logs_return() {
    let mut watch = Watch::default();
    let died = 20 * 24;
    let back = died + 40;
    let changes = play(&mut watch, 0..died + 60, |hour| {
        let busy = (hour < died || hour >= back).then_some(("busy", DATA));
        busy.into_iter().chain([("other", DATA)]).collect()
    });
    let [(at, Change::Raised(alarm)), (end, Change::Resolved(..))] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!((2..8).contains(&(at - died)), "after {} hours", at - died);
    assert_eq!(alarm.since, Timestamp::of_hour(died));
    assert!(alarm.per_day <= NOMINAL_PER_DAY && alarm.p < 1e-3, "{alarm:?}");
    assert_eq!((*end, watch.open().count()), (back, 0));
}

#[test]
fn who_sleeps_at_night_at_weekends_or_for_weeks_does_not_alarm() {
    let mut watch = Watch::default();
    let changes = play(&mut watch, 0..70 * 24, |hour| {
        let (day, of_day) = (hour / 24, hour % 24);
        let office = day % 7 < 5 && (8..18).contains(&of_day);
        // A job at night that comes an hour late at times.
        let batch = of_day == 2 + i64::from(day % 3 == 0);
        let weekly = day % 7 == 3 && of_day == 5;
        // Somebody tried something on one afternoon.
        let tried = day == 3 && of_day > 12;
        let all = [("office", office), ("batch", batch), ("weekly", weekly), ("tried", tried)];
        let logs = all.into_iter().filter(|(_, logs)| *logs).map(|(name, _)| (name, DATA));
        logs.chain([("clock", DATA)]).collect()
    });
    assert_eq!(raised(&changes), []);
}

#[test]
fn who_sleeps_at_weekends_alarms_in_the_end() {
    let mut watch = Watch::default();
    let died = 42 * 24;
    let changes = play(&mut watch, 0..died + 14 * 24, |hour| {
        let office = hour / 24 % 7 < 5 && (8..18).contains(&(hour % 24)) && hour < died;
        office.then_some(("office", DATA)).into_iter().chain([("clock", DATA)]).collect()
    });
    let [(at, silent)] = raised(&changes).try_into().unwrap();
    assert_eq!(silent, Silent::Account(id("office")));
    assert!((at - died) > 12 && (at - died) < 6 * 24, "after {} hours", at - died);
}

#[test]
fn one_category_falls_silent_while_its_account_goes_on() {
    let mut watch = Watch::default();
    let query = Category::QueryRuntimeStatistics;
    let died = 10 * 24;
    let changes = play(&mut watch, 0..died + 24, |hour| {
        let text = (hour < died).then_some(("a", query));
        text.into_iter().chain([("a", DATA)]).collect()
    });
    assert_eq!(
        raised(&changes).into_iter().map(|(_, s)| s).collect::<Vec<_>>(),
        [Silent::Category(id("a"), query)]
    );
}

#[test]
fn many_that_fall_silent_together_are_one_alarm() {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut watch = Watch::default();
    let (died, back) = (10 * 24, 11 * 24);
    let changes = play(&mut watch, 0..back + 5, |hour| {
        // Not all in the same hour.
        let alive = |n: usize| hour < died + (n % 2) as i64 || hour >= back;
        let logs = NAMES.iter().enumerate().filter(|(n, _)| alive(*n));
        logs.map(|(_, name)| (*name, DATA)).chain([("z", DATA)]).collect()
    });
    let [(_, Change::Raised(alarm)), (end, Change::Resolved(..))] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!(matches!(alarm.silent, Silent::Together(_)) && alarm.accounts.len() == 12);
    assert_eq!(*end, back);
}

#[test]
fn a_source_that_falls_silent_is_one_alarm_by_the_wall_clock() {
    let mut watch = Watch::default();
    let died = 10 * 24;
    for hour in 0..died {
        for name in ["a", "b", "c"] {
            watch.note(&id(name), DATA, hour);
        }
        watch.note_any(hour);
        assert_eq!(watch.judge(hour, Some(hour)), []);
    }
    // The watermark stands still.
    let mut changes = Vec::new();
    for wall in died..died + 48 {
        changes.extend(watch.judge(died - 1, Some(wall)).into_iter().map(|c| (wall, c)));
    }
    assert_eq!(raised(&changes).iter().map(|(_, s)| s).collect::<Vec<_>>(), [&Silent::Everything]);
    watch.note_any(died + 48);
    assert!(matches!(watch.judge(died - 1, Some(died + 48)).as_slice(), [Change::Resolved(..)]));
}
