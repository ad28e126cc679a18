//! A panicking account.
use super::doubles::{House, event, hour, id, in_paused_time, minute};
use cosmoguard::account::message::{Graded, Routed};
use cosmoguard::ids::AccountId;
use cosmoguard::store::untaught::{self, Span, Untaught};

const ALWAYS: u32 = u32::MAX;

/// Chunks of `size` events of the accounts `a` and `b`, numbered alike.
fn chunks(events: u64, size: u64) -> Vec<Vec<Routed>> {
    let numbers: Vec<u64> = (0..events).collect();
    let chunk = |numbers: &[u64]| {
        let both = |n: &u64| ["a", "b"].map(|account| event(account, *n, minute(*n as i64)));
        numbers.iter().flat_map(both).collect()
    };
    numbers.chunks(size as usize).map(chunk).collect()
}

/// As above, but only `a` meets the numbers that panic: `b` counts from a thousand.
fn apart(events: u64, size: u64) -> Vec<Vec<Routed>> {
    let mut chunks = chunks(events, size);
    for routed in chunks.iter_mut().flatten() {
        if routed.event.account.as_ref().is_some_and(|a| a.name() == "b") {
            routed.event.digest += 1000;
        }
    }
    chunks
}

async fn route(house: &mut House, chunks: Vec<Vec<Routed>>) {
    for chunk in chunks {
        house.router.route(chunk).await.unwrap();
    }
    house.router.drain().await.unwrap();
}

fn sequences(findings: &[(AccountId, Graded)], account: &str) -> Vec<u64> {
    let own = findings.iter().filter(|(a, _)| a.name() == account);
    own.map(|(_, g)| g.sequence).collect()
}

#[test]
fn one_panic_anywhere_loses_nothing_repeats_nothing_and_disturbs_nobody() {
    in_paused_time(async {
        // Chunks of 40 events are sealed every 256: before, at and after a checkpoint in memory.
        for (at, size) in
            [(0, 1), (1, 1), (7, 3), (29, 3), (0, 30), (255, 40), (280, 40), (299, 40)]
        {
            let mut house = House::new(2);
            house.script.panics_at(at, 1);
            route(&mut house, apart(300, size)).await;
            let all: Vec<u64> = (0..300).collect();
            assert_eq!(house.numbers("a").await, all, "panic at {at} in chunks of {size}");
            assert_eq!(house.numbers("b").await, (1000..1300).collect::<Vec<_>>());
            let findings = house.router.harvest().await.unwrap().findings;
            let expected: Vec<u64> = (1..=300).collect();
            assert_eq!(sequences(&findings, "a"), expected, "panic at {at} in chunks of {size}");
            assert_eq!(sequences(&findings, "b"), expected);
            let counters = house.router.counters();
            assert_eq!((counters.panics, counters.dead_letters, counters.quarantined), (1, 0, 0));
            house.close();
        }
    });
}

#[test]
fn what_was_queued_behind_a_panic_keeps_its_order_and_is_no_new_panic() {
    in_paused_time(async {
        let mut house = House::new(1);
        // The gate holds both chunks in the mailbox, so that the second is behind the panic.
        house.script.shut("a");
        house.script.panics_at(5, 1);
        let mut chunks = apart(40, 10).into_iter();
        house.router.route(chunks.next().unwrap()).await.unwrap();
        let script = std::sync::Arc::clone(&house.script);
        let opener = std::thread::spawn(move || script.open());
        route(&mut house, chunks.collect()).await;
        opener.join().unwrap();
        assert_eq!(house.numbers("a").await, (0..40).collect::<Vec<_>>());
        assert_eq!((house.router.counters().panics, house.script.happened()), (1, 1));
        house.close();
    });
}

#[test]
fn a_poison_event_is_tried_twice_and_its_batch_set_aside() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.script.panics_at(12, ALWAYS);
        route(&mut house, apart(40, 10)).await;
        let counters = house.router.counters();
        assert_eq!((counters.panics, counters.dead_letters, counters.quarantined), (2, 10, 0));
        assert_eq!(house.numbers("a").await, (0..10).chain(20..40).collect::<Vec<_>>());
        assert_eq!(house.numbers("b").await, (1000..1040).collect::<Vec<_>>());
        let findings = house.router.harvest().await.unwrap().findings;
        assert_eq!(sequences(&findings, "a"), (1..=30).collect::<Vec<_>>(), "no number twice");
        house.close();
    });
}

#[test]
fn three_panics_in_ten_minutes_set_the_account_aside_with_what_it_learned() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.script.panics_at(12, ALWAYS);
        house.script.panics_at(25, ALWAYS);
        route(&mut house, apart(60, 10)).await;
        assert_eq!(house.router.counters().quarantined, 1);
        assert_eq!(house.script.happened(), 3, "never more panics");
        // The batches of 12 and 25, and everything after.
        assert_eq!(house.router.counters().dead_letters, 10 + 40);
        route(&mut house, apart(60, 60)).await;
        house.router.tick(hour(30)).await.unwrap();
        assert_eq!(house.router.counters().dead_letters, 10 + 40 + 60);
        assert_eq!(house.script.happened(), 3);
        assert_eq!(house.numbers("a").await, (0..10).collect::<Vec<_>>());
        assert_eq!(house.numbers("b").await.len(), 120);
        house.close();
    });
}

#[test]
fn panics_that_are_far_apart_set_nobody_aside() {
    in_paused_time(async {
        let mut house = House::new(2);
        for n in 0..6 {
            house.script.panics_at(n * 10, ALWAYS);
        }
        for chunk in apart(60, 10) {
            route(&mut house, vec![chunk]).await;
            house.clock.advance_ms(10 * 60_000 + 1);
        }
        let counters = house.router.counters();
        assert_eq!((counters.panics, counters.dead_letters, counters.quarantined), (12, 60, 0));
        house.close();
    });
}

#[test]
fn what_was_said_at_a_tick_is_not_said_again_after_a_panic() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.route(vec![event("a", 1, hour(1))]).await.unwrap();
        let said = house.router.tick(hour(24)).await.unwrap();
        assert_eq!((said.findings.len(), said.contributions.len()), (1, 1));
        // The model is built again from before the tick, which it passes silently.
        house.script.panics_at(2, 1);
        house.router.route(vec![event("a", 2, hour(25))]).await.unwrap();
        let said = house.router.harvest().await.unwrap();
        assert_eq!((said.findings.len(), said.contributions.len()), (1, 0));
        assert_eq!(house.numbers("a").await, [1, 2]);
        house.close();
    });
}

#[test]
fn a_panic_at_a_tick_or_a_checkpoint_is_mended_like_any_other() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.route(vec![event("a", 1, hour(1))]).await.unwrap();
        house.script.panics_at_ticks(1);
        let said = house.router.tick(hour(24)).await.unwrap();
        assert_eq!((said.findings.len(), said.contributions.len()), (1, 1));
        house.router.route(vec![event("a", 2, hour(25))]).await.unwrap();
        house.script.panics_at_checkpoints(1);
        assert_eq!(house.numbers("a").await, [1, 2]);
        assert_eq!((house.router.counters().panics, house.router.counters().quarantined), (2, 0));
        house.close();
    });
}

#[test]
fn an_account_that_cannot_be_sealed_any_more_is_set_aside_as_it_was_last_sealed() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.route(vec![event("a", 1, hour(1))]).await.unwrap();
        assert_eq!(house.numbers("a").await, [1]);
        house.router.route(vec![event("a", 2, hour(2))]).await.unwrap();
        house.script.panics_at_checkpoints(ALWAYS);
        assert_eq!(house.numbers("a").await, [1]);
        assert_eq!(
            (house.router.counters().quarantined, house.router.counters().dead_letters),
            (1, 1)
        );
        house.close();
    });
}

fn untaught_of(house: &House, account: &str) -> Untaught {
    untaught::load(house.store.as_ref(), &id(account)).unwrap()
}

fn span(records: u64, first: i64, last: i64) -> Option<Span> {
    Some(Span { records, first: minute(first), last: minute(last) })
}

#[test]
fn what_is_set_aside_is_kept_by_account_with_its_time() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.script.panics_at(12, ALWAYS);
        route(&mut house, apart(40, 10)).await;
        assert_eq!(untaught_of(&house, "a"), Untaught::default(), "only with the checkpoint");
        house.checkpoint().await;
        house.checkpoint().await;
        let first = Untaught { set_aside: span(10, 10, 19), unsealed: None };
        assert_eq!(untaught_of(&house, "a"), first);
        assert_eq!(untaught_of(&house, "b"), Untaught::default());
        // The next run adds to it.
        let mut next = House::over(2, std::sync::Arc::clone(&house.store));
        house.close();
        next.router.restore().unwrap();
        next.script.panics_at(45, ALWAYS);
        let later: Vec<Routed> = (40..50).map(|n| event("a", n, minute(n as i64))).collect();
        route(&mut next, vec![later]).await;
        next.checkpoint().await;
        assert_eq!(
            untaught_of(&next, "a"),
            Untaught { set_aside: span(20, 10, 49), unsealed: None }
        );
        next.close();
    });
}

#[test]
fn an_account_that_cannot_be_sealed_is_named_with_the_time_that_it_loses() {
    in_paused_time(async {
        let mut house = House::new(2);
        let some = |from: u64, until: u64| {
            vec![(from..until).map(|n| event("a", n, minute(n as i64))).collect::<Vec<_>>()]
        };
        route(&mut house, some(0, 10)).await;
        house.checkpoint().await;
        house.script.seals(false);
        route(&mut house, some(10, 30)).await;
        house.checkpoint().await;
        house.checkpoint().await;
        let lost = |unsealed| Untaught { set_aside: None, unsealed };
        assert_eq!(untaught_of(&house, "a"), lost(span(20, 10, 29)), "once, however often");
        assert_eq!(untaught::all(house.store.as_ref()).unwrap().len(), 1);
        // Within the run nothing is lost: sealed after all, it has everything.
        house.script.seals(true);
        assert_eq!(house.numbers("a").await, (0..30).collect::<Vec<_>>());
        assert_eq!(untaught_of(&house, "a"), Untaught::default());
        // With the process it is, and stays said.
        house.script.seals(false);
        route(&mut house, some(30, 35)).await;
        house.checkpoint().await;
        let mut next = House::over(2, std::sync::Arc::clone(&house.store));
        house.close();
        next.router.restore().unwrap();
        route(&mut next, some(35, 40)).await;
        assert_eq!(next.numbers("a").await, (0..30).chain(35..40).collect::<Vec<_>>());
        assert_eq!(untaught_of(&next, "a"), lost(span(5, 30, 34)));
        next.close();
    });
}
