//! Who talks when, and in which order.
use std::sync::Arc;

use super::doubles::{House, START, context, event, hour, in_paused_time};
use cosmoguard::account::message::Routed;
use cosmoguard::baseline::prior::Priors;
use cosmoguard::baseline::published::ByDay;
use cosmoguard::fleet::model::FleetModel;
use cosmoguard::router::TickHarvest;

/// Accounts in an order that is not theirs, with events at the same moments.
const NAMES: [&str; 6] = ["delta", "alpha", "foxtrot", "bravo", "echo", "charlie"];

fn morning(hours: i64) -> Vec<Routed> {
    let at = |h: i64| NAMES.map(|name| event(name, h as u64, hour(h)));
    (0..hours).flat_map(at).collect()
}

type Said = (Vec<(i64, String, u64)>, Vec<(i64, String)>);

fn spoken(harvest: &TickHarvest) -> Said {
    let findings = harvest.findings.iter();
    let contributions = harvest.contributions.iter();
    (
        findings.map(|(a, g)| (g.finding.decided.0, a.to_string(), g.sequence)).collect(),
        contributions.map(|(day, a, _)| (*day, a.to_string())).collect(),
    )
}

/// Two days of six accounts, the tick held at the end; `slow` answers last.
async fn harvest(threads: usize, slow: Option<&str>) -> TickHarvest {
    let mut house = House::new(threads);
    if let Some(slow) = slow {
        house.script.shut(slow);
    }
    let other = NAMES.into_iter().find(|name| Some(*name) != slow && threads > NAMES.len());
    other.into_iter().for_each(|other| house.script.watch(other));
    house.router.route(morning(30)).await.unwrap();
    let script = Arc::clone(&house.script);
    let opener = std::thread::spawn(move || match other {
        Some(other) => script.open_after(other, 30),
        None => script.open(),
    });
    let harvest = house.router.tick(hour(48)).await.unwrap();
    opener.join().unwrap();
    house.close();
    harvest
}

#[test]
fn a_harvest_is_sorted_whoever_answers_first() {
    in_paused_time(async {
        let expected = spoken(&harvest(1, None).await);
        assert_eq!((expected.0.len(), expected.1.len()), (6 * 30, 6 * 2));
        assert!(expected.0.is_sorted() && expected.1.is_sorted());
        assert_eq!(expected.0[1].1, "bravo", "accounts ascend inside a moment");
        for slow in NAMES {
            // One arbiter each and one to spare: only `slow` waits.
            assert_eq!(spoken(&harvest(7, Some(slow)).await), expected);
        }
        assert_eq!(spoken(&harvest(2, None).await), expected);
    });
}

#[test]
fn nothing_is_said_between_ticks() {
    in_paused_time(async {
        let mut house = House::new(2);
        let mut said = Vec::new();
        for h in 0..50 {
            if h % 10 == 0 && h > 0 {
                said.push(spoken(&house.router.tick(hour(h)).await.unwrap()).0.len());
            }
            house.router.route(vec![event("a", h as u64, hour(h))]).await.unwrap();
        }
        assert_eq!(said, [10; 4]);
        house.close();
    });
}

#[test]
fn priors_take_effect_for_later_days_only() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.route(morning(20)).await.unwrap();
        let said = house.router.tick(hour(24)).await.unwrap();
        let today = START.day() + 1;
        let mut fleet = FleetModel::default();
        fleet.contribute(said.contributions);
        let priors = fleet.publish(today).unwrap();
        assert_eq!(priors.day, today);
        let mut published: ByDay<Priors> = context().published.priors;
        published.publish(today, Arc::new(priors));
        // The day that the midnight begins still sees what was there before.
        assert_eq!(published.before(today).day, Priors::default().day);
        assert_eq!(published.before(today + 1).day, today);
        assert_eq!(published.before(today + 9).day, today);
        house.close();
    });
}
