//! Accounts that sleep: nothing of what they know is lost, nothing else changes, and they cost next
//! to nothing.
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::doubles::{House, Ledger, event, hour, in_paused_time};
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
        assert_eq!(house.router.population(), (1, 0));
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

/// Where sleepers' states go in production, less the disk: all come back as one state.
#[derive(Default)]
struct Elsewhere {
    state: Mutex<Option<Vec<u8>>>,
    written: AtomicU64,
}

impl StateStore for Elsewhere {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state.lock().unwrap().clone())
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.written.fetch_add(batch.entries.len() as u64, Ordering::SeqCst);
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
    store: Arc<Elsewhere>,
    house: House,
    fleet: FleetModel,
    desk: DeskState,
}

impl Known {
    /// The accounts' events at `at`, and ticks after them: each account falls asleep at once.
    async fn live(&mut self, accounts: Range<u64>, at: Timestamp, ticks: &[Timestamp]) {
        let rules = Profile::default().time;
        let numbers: Vec<u64> = accounts.collect();
        *self.store.state.lock().unwrap() = Some(Ledger::sealed_in_its_day(at));
        for chunk in numbers.chunks(2000) {
            let events = chunk.iter().map(|n| event(&format!("contoso-orders-{n:06}"), *n, at));
            self.house.router.route(events.collect()).await.unwrap();
            for tick in ticks {
                let said = self.house.router.tick(*tick).await.unwrap();
                self.take(said);
            }
        }
        self.desk.close_quiet(at.plus_ms(1 << 40), &rules);
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
        // One heap: what threads keep for themselves is not the sleepers'.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

async fn measure_sleepers() {
    let store = Arc::new(Elsewhere::default());
    let house = House::over(2, Arc::<Elsewhere>::clone(&store));
    let (fleet, desk) = (FleetModel::default(), DeskState::default());
    let mut known = Known { store: Arc::clone(&store), house, fleet, desk };
    known.house.router.set_awake_max(0);
    // Threads, pools and code are in memory before the count begins.
    known.live(0..2000, hour(1), &[hour(2), hour(24)]).await;
    let before = resident();
    // Every account has contributed to the population once, and its second day is not over: the
    // router still has to wake it at midnight. It cannot cost more.
    let all = 0..2000 + SLEEPERS;
    known.live(all.clone(), hour(25), &[hour(26), hour(48)]).await;
    let after_a_day = resident();
    known.live(all.clone(), hour(49), &[hour(50)]).await;
    let costs = [after_a_day, resident()].map(|r| r.saturating_sub(before) / SLEEPERS);
    eprintln!("{} bytes a sleeper, {} while its day has still to end", costs[0], costs[1]);
    assert_eq!(known.fleet.accounts() as u64, all.end);
    assert_eq!(known.house.router.population().1, 0);
    assert!(store.written.load(Ordering::SeqCst) >= 3 * SLEEPERS);
    let said = known.house.router.tick(hour(72)).await.unwrap();
    assert_eq!(said.contributions.len() as u64, all.end, "nobody is forgotten");
    assert!(costs.iter().all(|bytes| *bytes < 300), "{costs:?} bytes a sleeper");
    known.house.close();
}
