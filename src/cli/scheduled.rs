//! Scheduled snapshots as the configuration wants them, and what is said of them.
use std::path::Path;
use std::sync::Arc;

use super::about;
use super::common::Lists;
use super::style::{say, visible};
use crate::config::Resolved;
use crate::replay::scheduled::{AfterCheckpoint, Scheduler};
use crate::snapshot::SnapshotError;
use crate::snapshot::retention::Keep;
use crate::snapshot::schedule::{Plan, Taken};
use crate::store::layout::DataDir;
use crate::time::Clock;

/// The schedule of the configuration, if replays into `data_dir` take snapshots.
pub fn scheduler(
    resolved: &Resolved,
    lists: &Lists,
    data_dir: Option<&Path>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Arc<Scheduler>>> {
    match data_dir.filter(|_| resolved.config.snapshots.in_replay) {
        Some(dir) => for_service(resolved, lists, dir, clock),
        None => Ok(None),
    }
}

/// The schedule of the configuration, if it wants any.
pub fn for_service(
    resolved: &Resolved,
    lists: &Lists,
    dir: &Path,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Arc<Scheduler>>> {
    let settings = &resolved.config.snapshots;
    let keep =
        Keep { last: settings.keep_last, daily: settings.keep_daily, weekly: settings.keep_weekly };
    let plan = Plan { every_hours: settings.every_hours, keep };
    let about = about::about(resolved, lists, clock.now())?;
    let folder = DataDir::new(dir).snapshots();
    Ok(Some(Arc::new(Scheduler::new(folder, plan, about, Arc::clone(clock)))))
}

/// Asks `scheduler` after each checkpoint of a run.
pub fn after_checkpoint(scheduler: &Arc<Scheduler>) -> AfterCheckpoint {
    let scheduler = Arc::clone(scheduler);
    AfterCheckpoint::new(move |store| tell(scheduler.take_in_run(store)))
}

/// A snapshot that fails is no reason to end a run.
pub fn tell(taken: Option<Result<Taken, SnapshotError>>) {
    let warn = |what: &str, cause: &SnapshotError| {
        say(&format!("warning: {what}: {}", visible(&cause.to_string())));
    };
    match taken {
        Some(Ok(taken)) => taken
            .trouble
            .iter()
            .for_each(|cause| warn("an old scheduled snapshot is still there", cause)),
        Some(Err(cause)) => warn("no scheduled snapshot was taken, all else is kept", &cause),
        None => {}
    }
}
