//! Accounts that sleep: nothing of what they know is lost, nothing else changes, and they cost next
//! to nothing.
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::doubles::{House, event, hour, id, in_paused_time};
use crate::simulated::{fleet, run_fleet};
use cosmoguard::alert::dedup::{DeskState, Lane, Sequence};
use cosmoguard::fleet::model::FleetModel;
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::router::TickHarvest;
use cosmoguard::store::{StateStore, StoreError, Visit, WriteBatch, keys};
use cosmoguard::time::Timestamp;

#[test]
fn an_idle_account_sleeps_and_its_next_event_wakes_it_as_it_was() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.route(vec![event("a", 1, hour(1)), event("a", 2, hour(2))]).await.unwrap();
        house.router.tick(hour(24)).await.unwrap();
        assert_eq!(house.router.population(), (1, 1), "idle for 22 hours only");
        house.router.tick(hour(28)).await.unwrap();
        assert_eq!(house.router.population(), (1, 0));
        house.router.route(vec![event("a", 3, hour(40))]).await.unwrap();
        assert_eq!(house.router.population(), (1, 1));
        assert_eq!(house.numbers("a").await, [1, 2, 3]);
        let counters = house.router.counters();
        assert_eq!((counters.passivations, counters.wakes), (1, 1));
        house.close();
    });
}

#[test]
fn beyond_the_bound_the_least_recently_active_sleep() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.set_awake_max(3);
        let names: Vec<String> = (0..10).map(|n| format!("a{n}")).collect();
        let events = (0..10).map(|n| event(&names[n], n as u64, hour(n as i64))).collect();
        house.router.route(events).await.unwrap();
        house.router.tick(hour(10)).await.unwrap();
        assert_eq!(house.router.population(), (10, 3));
        // Waking those that stayed is no waking from the store.
        let again = (7..10).map(|n| event(&names[n], 90, hour(11))).collect();
        house.router.route(again).await.unwrap();
        house.router.drain().await.unwrap();
        assert_eq!(house.router.counters().wakes, 0);
        // At midnight every sleeper's day ends, a few at a time.
        let said = house.router.tick(hour(24)).await.unwrap();
        assert_eq!(said.contributions.len(), 10);
        assert_eq!(house.router.population(), (10, 3));
        house.close();
    });
}

#[test]
fn an_account_with_open_cells_is_not_put_to_sleep() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.set_awake_max(0);
        let mut ahead = event("a", 1, hour(100));
        ahead.watermark = hour(1);
        house.router.route(vec![ahead, event("b", 1, hour(1))]).await.unwrap();
        house.router.tick(hour(50)).await.unwrap();
        assert_eq!(house.router.population(), (2, 1), "only b sleeps");
        house.router.tick(hour(130)).await.unwrap();
        assert_eq!(house.router.population(), (2, 0));
        house.close();
    });
}

#[test]
fn sleepers_are_known_again_after_a_restart_and_their_day_ends() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.set_awake_max(0);
        house.router.route(vec![event("a", 1, hour(1))]).await.unwrap();
        house.router.tick(hour(2)).await.unwrap();
        house.checkpoint().await;
        let store = Arc::clone(&house.store);
        house.close();
        let mut house = House::over(2, store);
        assert_eq!(house.router.restore().unwrap(), 1);
        assert_eq!(house.router.accounts(), [id("a")]);
        let said = house.router.tick(hour(24)).await.unwrap();
        assert_eq!(said.contributions.len(), 1);
        assert_eq!(house.numbers("a").await, [1]);
        house.close();
    });
}

#[test]
fn what_fell_asleep_after_the_last_checkpoint_is_undone_by_a_crash() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.router.set_awake_max(0);
        house.router.route(vec![event("a", 1, hour(1))]).await.unwrap();
        house.checkpoint().await;
        house.router.route(vec![event("a", 2, hour(2))]).await.unwrap();
        house.router.tick(hour(3)).await.unwrap();
        assert_eq!(house.router.population(), (1, 0));
        let store = Arc::clone(&house.store);
        house.close();
        // The source reads event 2 again, since its position was not written.
        let mut house = House::over(2, store);
        house.router.restore().unwrap();
        house.router.route(vec![event("a", 2, hour(2))]).await.unwrap();
        assert_eq!(house.numbers("a").await, [1, 2]);
        house.close();
    });
}

#[test]
fn sleep_threads_and_chunks_change_neither_models_nor_alerts() {
    let run = |threads, awake_max, chunk| {
        let options = RunOptions { threads, awake_max, ..RunOptions::default() };
        run_fleet(fleet(4, 9, 60.0), chunk, options)
    };
    let awake = run(1, 20_000, 512);
    let alerts = awake.stored(keys::ALERT);
    assert!(!alerts.is_empty(), "a comparison of nothing");
    for other in [run(2, 0, 100), run(3, 1, 4096)] {
        assert!(other.report.router.passivations > 20, "{:?}", other.report.router);
        assert_eq!(other.stored(keys::ALERT), alerts);
        assert_eq!(other.stored(b""), awake.stored(b""), "every model, byte for byte");
    }
}

/// Where sleepers' states go in production, less the disk.
#[derive(Default)]
struct Elsewhere(AtomicU64);

impl StateStore for Elsewhere {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.0.fetch_add(batch.entries.len() as u64, Ordering::SeqCst);
        Ok(())
    }
    fn scan(&self, _: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
        Ok(())
    }
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// Registry, population and desk, as a run holds them.
struct Known {
    house: House,
    fleet: FleetModel,
    desk: DeskState,
}

impl Known {
    /// One event of each account; each falls asleep when its day has ended.
    async fn live(&mut self, accounts: std::ops::Range<u64>, at: Timestamp) {
        let rules = Profile::default().time;
        let numbers: Vec<u64> = accounts.collect();
        for chunk in numbers.chunks(2000) {
            let events = chunk.iter().map(|n| event(&format!("contoso-orders-{n:06}"), *n, at));
            self.house.router.route(events.collect()).await.unwrap();
            for tick in [at.plus_ms(1), Timestamp::of_day(at.day() + 1)] {
                let said = self.house.router.tick(tick).await.unwrap();
                self.take(said);
            }
        }
        self.desk.close_quiet(at.plus_ms(1 << 40), &rules);
        self.house.checkpoint().await;
    }

    /// One account in a hundred has an alert.
    fn take(&mut self, said: TickHarvest) {
        let rules = Profile::default().time;
        self.fleet.contribute(said.contributions);
        for (account, graded) in said.findings {
            if account.name().ends_with("00") {
                let sequence = Sequence { lane: Lane::Account, number: Some(graded.sequence) };
                self.desk.apply(graded.finding, graded.grade, sequence, &rules);
            }
        }
    }
}

const MEASURED: &str = "COSMOGUARD_TEST_MEASURES_SLEEPERS";
const SLEEPERS: u64 = 100_000;

/// Measured in a process of its own, where no other test runs.
#[test]
#[cfg(target_os = "linux")]
fn a_hundred_thousand_sleepers_cost_under_300_bytes_each() {
    if std::env::var_os(MEASURED).is_some() {
        return in_paused_time(measure_sleepers());
    }
    let name = "actors::sleep::a_hundred_thousand_sleepers_cost_under_300_bytes_each";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(MEASURED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("bytes a sleeper"), "{said}");
}

async fn measure_sleepers() {
    let store = Arc::new(Elsewhere::default());
    let house = House::over(2, Arc::<Elsewhere>::clone(&store));
    let mut known = Known { house, fleet: FleetModel::default(), desk: DeskState::default() };
    known.house.router.set_awake_max(0);
    // Threads, pools and code are in memory before the count begins.
    known.live(0..2000, hour(1)).await;
    let before = resident();
    known.live(2000..2000 + SLEEPERS, hour(25)).await;
    let each = resident().saturating_sub(before) as f64 / SLEEPERS as f64;
    println!("{each:.0} bytes a sleeper");
    let all = 2000 + SLEEPERS as usize;
    assert_eq!(known.house.router.population(), (all, 0));
    assert_eq!(known.fleet.accounts(), all);
    assert!(store.0.load(Ordering::SeqCst) >= all as u64);
    assert!(each < 300.0, "{each:.0} bytes a sleeper");
    known.house.close();
}
