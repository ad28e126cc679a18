//! Scheduled snapshots of a store that an engine works on: asked for after each checkpoint, when
//! nothing is in flight and the engine waits.
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::snapshot::schedule::{self, Plan, Taken};
use crate::snapshot::{About, SnapshotError};
use crate::store::StateStore;
use crate::time::Clock;

/// After a failure the next try waits: a full disk is not written to with every checkpoint.
const PAUSE_MS: u64 = 3_600_000;

type Act = dyn Fn(&dyn StateStore) + Send + Sync;

/// Something to be done with the store right after each checkpoint. The engine waits for it.
#[derive(Clone)]
pub struct AfterCheckpoint(Arc<Act>);

impl AfterCheckpoint {
    /// Calls `act`, which may read the store and must not write to it.
    pub fn new(act: impl Fn(&dyn StateStore) + Send + Sync + 'static) -> AfterCheckpoint {
        AfterCheckpoint(Arc::new(act))
    }

    pub(super) fn act(&self, store: &dyn StateStore) {
        (self.0)(store);
    }
}

impl fmt::Debug for AfterCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterCheckpoint")
    }
}

/// Takes snapshots by a plan, and never ends a run over one that fails.
pub struct Scheduler {
    folder: PathBuf,
    plan: Plan,
    about: About,
    clock: Arc<dyn Clock>,
    /// When the run began, milliseconds of the monotonic clock.
    began: u64,
    /// Milliseconds of the monotonic clock before which nothing is tried.
    not_before: AtomicU64,
}

impl Scheduler {
    /// Into `folder`. `about` says what is in use; its time is that of each snapshot.
    pub fn new(folder: PathBuf, plan: Plan, about: About, clock: Arc<dyn Clock>) -> Scheduler {
        let began = clock.monotonic_ms();
        Scheduler { folder, plan, about, clock, began, not_before: AtomicU64::new(0) }
    }

    /// Takes one if it is time and the run is as old: a short run is better kept as it ends, and
    /// what the run before left is kept already.
    pub fn take_in_run(&self, store: &dyn StateStore) -> Option<Result<Taken, SnapshotError>> {
        let age = self.clock.monotonic_ms().saturating_sub(self.began);
        let due = age >= u64::from(self.plan.every_hours) * 3_600_000;
        if due { self.take_if_due(store) } else { None }
    }

    /// Takes one if it is time; `None` if it is not, or too soon after a failure.
    pub fn take_if_due(&self, store: &dyn StateStore) -> Option<Result<Taken, SnapshotError>> {
        let moment = self.clock.monotonic_ms();
        if moment < self.not_before.load(Ordering::Relaxed) {
            return None;
        }
        let about = About { created: self.clock.now(), ..self.about.clone() };
        let taken = schedule::take_if_due(store, &self.folder, self.plan, &about);
        if taken.is_err() {
            self.not_before.store(moment.saturating_add(PAUSE_MS), Ordering::Relaxed);
        }
        taken.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::retention::Keep;
    use crate::store::memory::MemoryStore;
    use crate::time::Timestamp;

    struct At(AtomicU64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp(1_790_553_600_000 + self.monotonic_ms() as i64)
        }
        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_failure_is_told_and_tried_again_an_hour_later() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("snapshots");
        std::fs::write(&folder, "a file is in the way").unwrap();
        let plan = Plan { every_hours: 1, keep: Keep { last: 1, daily: 0, weekly: 0 } };
        let about = About {
            created: Timestamp(0),
            program_version: "0.1.0".to_owned(),
            config_sha256: "ab".repeat(32),
            intel: Vec::new(),
        };
        let clock = Arc::new(At(AtomicU64::new(0)));
        let scheduler =
            Scheduler::new(folder.clone(), plan, about.clone(), Arc::clone(&clock) as _);
        let store = MemoryStore::default();
        let error = scheduler.take_if_due(&store).unwrap().unwrap_err().to_string();
        assert!(error.contains(&folder.display().to_string()), "{error}");
        std::fs::remove_file(&folder).unwrap();
        clock.0.store(PAUSE_MS - 1, Ordering::Relaxed);
        let later = Scheduler::new(folder.clone(), plan, about, Arc::clone(&clock) as _);
        assert!(scheduler.take_if_due(&store).is_none());
        clock.0.store(PAUSE_MS, Ordering::Relaxed);
        assert!(later.take_in_run(&store).is_none(), "that run is younger");
        let taken = scheduler.take_in_run(&store).unwrap().unwrap();
        assert!(taken.path.is_file());
        assert!(scheduler.take_if_due(&store).is_none());
    }
}
