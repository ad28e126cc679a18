use proptest::prelude::*;

use super::super::line::testing::{made, of};
use super::*;
use crate::detect::AlertKind;
use crate::profile::Profile;

fn sink(name: &str, more: &str) -> SinkSettings {
    let text = format!("name = \"{name}\"\n{more}");
    SinkSettings::try_from(text.parse::<toml::Table>().unwrap()).unwrap()
}

fn file(name: &str) -> SinkSettings {
    sink(name, "kind = \"file\"\npath = \"x\"")
}

fn chat(name: &str) -> SinkSettings {
    sink(name, "kind = \"slack\"\nurl = \"env:X\"")
}

fn planner(sinks: &[SinkSettings], routes: Routes) -> Planner {
    let severity = Profile::default().severity;
    Planner::new(sinks, &routes, &severity, Inventory::default(), PlanState::default())
}

fn names(planned: &[(String, Notice)]) -> Vec<(&str, &str, &str)> {
    planned.iter().map(|(sink, n)| (sink.as_str(), n.word(), n.key.as_str())).collect()
}

const NOW: Timestamp = Timestamp(1_794_700_800_000);

#[test]
fn an_update_goes_to_those_who_were_told_and_a_line_is_planned_once() {
    let mut planner = planner(&[file("a"), chat("b")], Routes::default());
    let first = made("shop", 7, "Medium", 1e-6);
    let id = format!("{:032x}", 7);
    let key = format!("{id}.1");
    assert_eq!(
        names(&planner.alert(0, &first, NOW)),
        [("a", "new", key.as_str()), ("b", "new", key.as_str())]
    );
    assert!(planner.alert(0, &first, NOW).is_empty(), "planned already");
    let raised = first
        .replace("\"severity\":\"Medium\"", "\"severity\":\"High\"")
        .replace("\"Revision\":\"1\"", "\"Revision\":\"2\"");
    let key = format!("{id}.2");
    let planned = planner.alert(1, &raised, NOW);
    assert_eq!(names(&planned), [("a", "update", key.as_str()), ("b", "update", key.as_str())]);
    assert_eq!((planned[0].1.due, planned[1].1.due), (NOW.millis(), NOW.millis() + 30_000));
    let resolved = planner.status(&raised, "Resolved", "known scanner", NOW);
    assert_eq!(resolved.iter().map(|(_, n)| n.word()).collect::<Vec<_>>(), ["resolve", "resolve"]);
    assert!(planner.status(&raised, "Resolved<!here>", "", NOW).is_empty(), "no status");
    assert!(planner.status(&made("shop", 8, "Low", 0.0), "Resolved", "", NOW).is_empty());
    assert_eq!(planner.state().next, Some(2));
}

#[test]
fn quiet_alerts_and_garbage_move_on_and_tell_nobody() {
    let mut planner = planner(&[file("a")], Routes::default());
    let warm =
        of(AlertKind::TorAnomaly).replacen("\"Detector\"", "\"Warm-up\":\"true\",\"Detector\"", 1);
    let silenced = of(AlertKind::TorAnomaly).replacen(
        "\"Detector\"",
        "\"Suppressed by\":\"rule\",\"Detector\"",
        1,
    );
    for (number, text) in [warm.as_str(), &silenced, "garbage", ""].into_iter().enumerate() {
        assert!(planner.alert(number as u64, text, NOW).is_empty(), "{text}");
    }
    assert_eq!(planner.state().next, Some(4));
    assert_eq!(planner.state().day.held_back + planner.state().day.pushed, 0);
}

#[test]
fn what_the_budget_holds_back_is_in_the_digest_and_in_archives() {
    let archive = sink("archive", "kind = \"file\"\npath = \"x\"\nall_alerts = true");
    let mut planner = planner(&[archive, chat("chat")], Routes::default());
    planner.set_accounts(10_000);
    assert!(planner.tick(NOW).is_empty());
    let ordinary = made("shop", 1, "Low", 0.004);
    let rare = made("shop", 2, "High", 1e-9);
    assert_eq!(planner.alert(0, &ordinary, NOW).len(), 1, "the archive only");
    assert_eq!(planner.alert(1, &rare, NOW).len(), 2);
    let digests = planner.tick(NOW.plus_ms(DAY_MS));
    let [(to, notice)] = digests.as_slice() else { panic!("{digests:?}") };
    let Event::Digest(digest) = &notice.event else { panic!("{notice:?}") };
    assert_eq!((to.as_str(), digest.pushed, digest.held_back), ("chat", 1, 1));
    assert_eq!(digest.rarest[0].id, format!("{:032x}", 1));
    assert_eq!(digest.severities, BTreeMap::from([("High".into(), 1), ("Low".into(), 1)]));
    assert!(planner.tick(NOW.plus_ms(DAY_MS + HOUR_MS)).is_empty(), "once a day");
}

#[test]
fn one_that_was_held_back_is_told_when_it_rises() {
    let mut planner = planner(&[chat("chat")], Routes::default());
    planner.set_accounts(10_000);
    planner.tick(NOW);
    assert!(planner.alert(0, &made("shop", 1, "Low", 0.004), NOW).is_empty());
    let risen = made("shop", 1, "High", 1e-9).replace("\"Revision\":\"1\"", "\"Revision\":\"2\"");
    assert_eq!(planner.alert(1, &risen, NOW)[0].1.word(), "new", "this sink never heard of it");
    let day = &planner.state().day;
    assert_eq!((day.pushed, day.held_back, day.rarest.len()), (1, 0, 0));
}

#[test]
fn a_listed_address_that_is_high_by_rule_is_always_told() {
    let mut planner = planner(&[file("a")], Routes::default());
    planner.set_accounts(1_000_000);
    let line = made("shop", 1, "High", 0.5)
        .replace("\"Severity basis\":\"measured\"", "\"Severity basis\":\"rule\"");
    assert_eq!(planner.alert(0, &line, NOW).len(), 1);
}

#[test]
fn history_is_passed_over_once() {
    let mut planner = planner(&[file("a")], Routes::default());
    planner.begin_at(100);
    assert!(planner.alert(99, &made("shop", 1, "High", 0.0), NOW).is_empty());
    assert_eq!(planner.alert(100, &made("shop", 2, "High", 0.0), NOW).len(), 1);
    planner.begin_at(500);
    assert_eq!(planner.state().next, Some(101));
}

#[test]
fn the_state_survives_a_restart() {
    let mut one = planner(&[chat("a")], Routes::default());
    one.alert(0, &made("shop", 1, "High", 1e-9), NOW);
    let stored = serde_json::to_string(one.state()).unwrap();
    let state: PlanState = serde_json::from_str(&stored).unwrap();
    assert_eq!(&state, one.state());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Innocent alerts of a calibrated fleet: of one kind, surprises below ν come ν times a day on
    /// every account. What is pushed in a week keeps to the budget, whatever the fleet.
    #[test]
    fn innocent_life_keeps_to_the_budget(
        accounts in 1_usize..50_000,
        budget in 0.0_f64..50.0,
        seed in any::<u64>(),
    ) {
        let severity = Profile::default().severity;
        let routes = Routes { false_alerts_per_week: budget, ..Routes::default() };
        let mut planner = planner(&[file("a")], routes);
        planner.set_accounts(accounts);
        let total: f64 = severity.kinds.values().map(|kind| kind.weight).sum();
        let (mut pushed, mut state) = (0.0, seed);
        // Strata of 1/200 of a kind's share instead of draws: the count is exact up to one a kind.
        for (kind, of_kind) in &severity.kinds {
            let expected = of_kind.weight / total * budget * 4.0;
            let strata = expected.ceil().max(1.0) as u64;
            for n in 0..strata {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let within = (state >> 11) as f64 / (1_u64 << 53) as f64;
                let rank = (n as f64 + within) * expected / strata as f64;
                let nominal = rank / (accounts as f64 * 7.0);
                let text = made("shop", state as u32, "Medium", nominal)
                    .replace("CosmosDB_GeoAnomaly", kind);
                let line = Line::parse(&text).unwrap();
                prop_assert!((planner.a_week(&line) - rank * total / of_kind.weight).abs() < 1e-6 * (1.0 + rank * total / of_kind.weight));
                pushed += f64::from(u8::from(planner.is_pushed(&line)));
            }
        }
        prop_assert!(pushed <= budget + severity.kinds.len() as f64, "{} > {}", pushed, budget);
    }

    #[test]
    fn numbers_and_texts_of_any_kind_plan_at_most_one_message_a_sink(
        lines in prop::collection::vec((0_u64..20, "\\PC{0,40}", 0_u32..5, -1.0_f64..2.0), 0..40),
    ) {
        let mut planner = planner(&[file("a"), chat("b")], Routes::default());
        let mut next = 0;
        for (number, account, id, nominal) in lines {
            let text = made(&account, id, "Medium", nominal);
            let planned = planner.alert(number, &text, NOW);
            prop_assert!(planned.len() <= 2);
            prop_assert!(number >= next || planned.is_empty());
            next = next.max(number + 1);
            prop_assert_eq!(planner.state().next, Some(next));
            prop_assert!(planner.state().stories.len() <= STORIES_MAX);
        }
    }
}
