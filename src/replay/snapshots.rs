//! Scheduled snapshots as the ladder asks for them. Neither room may know the other, so this stands
//! above both.
use std::path::PathBuf;

use crate::ids::AccountId;
use crate::snapshot::{self, Archive, EXTENSION};
use crate::store::StateStore;
use crate::store::ladder::{Candidate, SnapshotSource};
use crate::store::layout::DataDir;
use crate::time::Timestamp;

/// The snapshots of a data directory.
#[derive(Clone, Debug)]
pub struct ScheduledSnapshots {
    folder: PathBuf,
}

impl ScheduledSnapshots {
    /// Those of `dir`; nothing is read yet.
    pub fn of(dir: &DataDir) -> ScheduledSnapshots {
        ScheduledSnapshots { folder: dir.snapshots() }
    }

    /// Where the snapshot called `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl SnapshotSource for ScheduledSnapshots {
    fn newest_first(&mut self) -> Vec<Candidate> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut found: Vec<Candidate> = files
            .filter(|f| f.path().extension().is_some_and(|e| e == EXTENSION))
            .filter_map(|file| {
                let archive = Archive::open(&file.path()).ok()?;
                let watermark = archive.manifest().event_time.watermark.as_deref();
                let reaches = watermark.and_then(Timestamp::parse).unwrap_or(Timestamp::MIN);
                Some(Candidate { name: file.file_name().into_string().ok()?, reaches })
            })
            .collect();
        found.sort_by(|a, b| (b.reaches, &b.name).cmp(&(a.reaches, &a.name)));
        found
    }

    fn load(&mut self, name: &str, into: &dyn StateStore) -> Result<(), String> {
        let path = self.path(name);
        let loaded =
            snapshot::verify(&path).and_then(|_| Archive::open(&path)?.load_all(into, &mut |_| ()));
        loaded.map_err(|e| e.to_string())
    }

    fn account(&mut self, name: &str, account: &AccountId) -> Result<Option<Vec<u8>>, String> {
        let archive = Archive::open(&self.path(name));
        archive.and_then(|mut archive| archive.account(account)).map_err(|e| e.to_string())
    }
}
