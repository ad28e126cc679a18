//! Snapshots by schedule: one file in the data directory's folder whenever it is time, and none
//! more than were asked for.
use std::path::{Path, PathBuf};

use super::retention::{self, Keep, PREFIX};
use super::{About, Archive, Manifest, SnapshotError, create, files};
use crate::store::StateStore;
use crate::time::Timestamp;

/// When, and how many stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Hours of the wall clock between two; 0 is never.
    pub every_hours: u32,
    /// What stays.
    pub keep: Keep,
}

/// A snapshot that was taken.
#[derive(Debug)]
pub struct Taken {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Names of older ones that were deleted.
    pub deleted: Vec<String>,
    /// Why others that were to be deleted are still there.
    pub trouble: Vec<SnapshotError>,
}

/// Takes a snapshot into `folder` if it is time, and deletes the scheduled ones whose time is over.
/// `store` must be at a checkpoint, and nobody may write to it meanwhile. The time is
/// `about.created`. What is in `folder` under other names is left alone.
///
/// # Errors
/// The snapshot could not be taken. Nothing is left of it, and nothing older is deleted.
pub fn take_if_due(
    store: &dyn StateStore,
    folder: &Path,
    plan: Plan,
    about: &About,
) -> Result<Option<Taken>, SnapshotError> {
    let now = about.created;
    if plan.every_hours == 0 {
        return Ok(None);
    }
    let names = names(folder)?;
    if !is_due(&names, plan, now) {
        return Ok(None);
    }
    std::fs::create_dir_all(folder).map_err(SnapshotError::io(folder, "made"))?;
    // Of a process that was killed while it wrote one: room that this one may need.
    let torn =
        |name: &&String| name.starts_with(&format!(".{PREFIX}")) && name.ends_with(files::PARTIAL);
    let mut trouble = Vec::new();
    for name in names.iter().filter(torn) {
        trouble.extend(remove(&folder.join(name)).err());
    }
    let own = retention::name(now);
    let path = folder.join(&own);
    let manifest = create(store, &path, about, &mut |_| ())?;
    // What cannot be restored takes no place of one that can, and is left for a person to look at.
    let is_good = |name: &&str| {
        retention::taken_at(name).is_some()
            && Archive::open(&folder.join(name)).and_then(|mut archive| archive.glance()).is_ok()
    };
    let good = names.iter().map(String::as_str).filter(is_good);
    let present: Vec<&str> = good.chain([own.as_str()]).collect();
    let mut deleted = Vec::new();
    for name in retention::expired(&present, plan.keep, now) {
        match remove(&folder.join(name)) {
            Ok(()) => deleted.push(name.to_owned()),
            Err(error) => trouble.push(error),
        }
    }
    Ok(Some(Taken { path, manifest, deleted, trouble }))
}

/// The newest one is old enough, or there is none. One that is dated later than now says nothing:
/// a clock was wrong.
fn is_due(names: &[String], plan: Plan, now: Timestamp) -> bool {
    let taken = names.iter().filter_map(|name| retention::taken_at(name));
    let newest = taken.filter(|at| *at <= now).max();
    let every_ms = i64::from(plan.every_hours) * 3_600_000;
    newest.is_none_or(|at| now.since(at) >= every_ms)
}

/// Names of the files in `folder`; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, SnapshotError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SnapshotError::io(folder, "read")(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(SnapshotError::io(folder, "read"))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        names.extend(entry.file_name().into_string().ok().filter(|_| is_file));
    }
    names.sort_unstable();
    Ok(names)
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    std::fs::remove_file(path).map_err(SnapshotError::io(path, "deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WriteBatch;
    use crate::store::memory::MemoryStore;
    use crate::store::{StoreError, Visit};

    const HOUR_MS: i64 = 3_600_000;
    const PLAN: Plan = Plan { every_hours: 6, keep: Keep { last: 2, daily: 0, weekly: 0 } };

    fn about(hour: i64) -> About {
        About {
            created: Timestamp(1_790_553_600_000).plus_ms(hour * HOUR_MS),
            program_version: "0.1.0".to_owned(),
            config_sha256: "ab".repeat(32),
            intel: Vec::new(),
        }
    }

    fn listed(folder: &Path) -> Vec<String> {
        names(folder).unwrap()
    }

    #[test]
    fn one_is_taken_when_it_is_time_and_only_scheduled_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("snapshots");
        let store = MemoryStore::default();
        let take = |hour| take_if_due(&store, &folder, PLAN, &about(hour)).unwrap();
        let first = take(0).unwrap();
        assert_eq!(super::super::verify(&first.path).unwrap().manifest, first.manifest);
        let others = ["auto-mine.cgsnap", "before.cgsnap", "notes.txt"];
        others.iter().for_each(|name| std::fs::write(folder.join(name), "x").unwrap());
        std::fs::create_dir(folder.join("auto-20000101T000000Z.cgsnap")).unwrap();
        std::fs::write(folder.join(".auto-1.cgsnap-ab12.partial"), "half").unwrap();
        assert!(take(5).is_none());
        assert!(take(6).unwrap().deleted.is_empty());
        let third = take(13).unwrap();
        assert_eq!(third.deleted, [first.path.file_name().unwrap().to_str().unwrap()]);
        assert!(third.trouble.is_empty());
        let mut expected =
            vec![retention::name(about(6).created), retention::name(about(13).created)];
        expected.extend(others.map(str::to_owned));
        expected.sort_unstable();
        assert_eq!(listed(&folder), expected);
        assert!(folder.join("auto-20000101T000000Z.cgsnap").is_dir());
        let never = Plan { every_hours: 0, ..PLAN };
        assert!(take_if_due(&store, &folder, never, &about(99)).unwrap().is_none());
    }

    #[test]
    fn a_damaged_one_takes_no_place_of_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let take = |hour| take_if_due(&store, dir.path(), PLAN, &about(hour)).unwrap();
        let first = take(0).unwrap().path;
        let damaged = dir.path().join(retention::name(about(3).created));
        std::fs::write(&damaged, b"").unwrap();
        assert!(take(9).unwrap().deleted.is_empty());
        assert!(first.exists() && damaged.exists());
        take(15).unwrap();
        assert!(!first.exists() && damaged.exists());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_end_the_schedule() {
        let dir = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let take = |hour| take_if_due(&store, dir.path(), PLAN, &about(hour)).unwrap();
        assert!(take(10_000).is_some());
        assert!(take(0).is_some());
        assert!(take(1).is_none());
        (1..5).for_each(|n| assert!(take(6 * n).is_some()));
        let kept = listed(dir.path());
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert!(kept.contains(&retention::name(about(10_000).created)));
    }

    /// Fails when it is read.
    struct Failing;

    impl StateStore for Failing {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Err(StoreError::InUse { place: "x".to_owned() })
        }
        fn write(&self, _: WriteBatch) -> Result<(), StoreError> {
            Ok(())
        }
        fn scan(&self, prefix: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
            // The last thing that is read.
            if prefix == crate::store::keys::RING { self.get(b"").map(|_| ()) } else { Ok(()) }
        }
        fn flush(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn one_that_fails_leaves_nothing_and_deletes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        for hour in [0, 6] {
            take_if_due(&store, dir.path(), PLAN, &about(hour)).unwrap();
        }
        let before = listed(dir.path());
        take_if_due(&Failing, dir.path(), PLAN, &about(12)).unwrap_err();
        assert_eq!(listed(dir.path()), before);
        let nowhere = dir.path().join(&before[0]).join("snapshots");
        take_if_due(&store, &nowhere, PLAN, &about(12)).unwrap_err();
    }
}
