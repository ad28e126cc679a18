//! Putting a snapshot in a data directory's place: all of it or nothing, whenever it is interrupted.
//!
//! 1. The snapshot is verified whole.
//! 2. It is written to `state.restoring` and its alert lines to `alerts.jsonl.restoring`; both are
//!    made durable. Until here nothing that was there is touched, and what an interruption leaves is
//!    thrown away by the next restore.
//! 3. `restore.json` says that the new state is whole. From here on an interrupted restore is
//!    finished by the next command ([`resume`]): each step below does nothing if it was done.
//! 4. `state` becomes `state.before-N`, `state.restoring` becomes `state`; the alert file likewise.
//! 5. The old state is removed unless it is to be kept, and then `restore.json`.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Archive, Manifest, SnapshotError, check, files};
use crate::store::layout::{ALERTS, DataDir, STATE};
use crate::store::lock::DirLock;
use crate::store::sled_store::{self, SledStore};
use crate::store::{StateStore, WriteBatch, keys};

const RESTORING: &str = ".restoring";
const JOURNAL: &str = "restore.json";

/// What came of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was restored.
    pub manifest: Manifest,
    /// The state that was there before, where it was kept.
    pub state_before: Option<PathBuf>,
    /// The alert file that was there before.
    pub alerts_before: Option<PathBuf>,
}

/// What an earlier restore left in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// It had been interrupted after the new state was whole, and is now finished.
    Finished {
        /// The snapshot it came from.
        snapshot: String,
    },
    /// It was interrupted before; the state that was there is untouched, and what it left is here.
    Remains(PathBuf),
}

/// `restore.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    snapshot: String,
    /// N of the names that old files get.
    number: u32,
    keep_old: bool,
}

/// Restores the snapshot at `file` into the data directory `dir`; `observer` hears how many accounts
/// were read.
///
/// # Errors
/// The snapshot does not verify, another process uses the directory, or the file system refused. The
/// directory is then as it was, or is finished by the next command.
pub fn restore(
    file: &Path,
    dir: &Path,
    keep_old: bool,
    observer: &mut dyn FnMut(u64),
) -> Result<Restored, SnapshotError> {
    restore_noted(file, dir, keep_old, observer, &mut |_| Ok(()))
}

/// [`restore`] that calls `begin` after the new state is whole and before anything that was there is
/// touched: if it fails nothing is changed. A process that dies between that call and the end leaves
/// [`Found::Remains`] if it changed nothing, and something else if it did.
///
/// # Errors
/// As [`restore`]; `begin` failed.
pub fn restore_noted(
    file: &Path,
    dir: &Path,
    keep_old: bool,
    observer: &mut dyn FnMut(u64),
    begin: &mut dyn FnMut(&Manifest) -> std::io::Result<()>,
) -> Result<Restored, SnapshotError> {
    let mut archive = Archive::open(file)?;
    check::verify_open(&mut archive)?;
    std::fs::create_dir_all(dir).map_err(SnapshotError::io(dir, "made"))?;
    let _lock = DirLock::take(dir)?;
    let _held = sled_store::hold(&dir.join(STATE))?;
    resume_held(dir)?;
    let place = Place::new(dir);
    place.clear()?;
    place.fill(&mut archive, observer)?;
    let journal =
        Journal { snapshot: file.display().to_string(), number: place.free_number(), keep_old };
    let alerts_before = place.path(ALERTS).exists().then(|| place.before(ALERTS, journal.number));
    let state_before =
        (keep_old && place.path(STATE).exists()).then(|| place.before(STATE, journal.number));
    begin(archive.manifest()).map_err(SnapshotError::io(dir, "written"))?;
    place.write_journal(&journal)?;
    place.finish(&journal)?;
    Ok(Restored { manifest: archive.manifest().clone(), state_before, alerts_before })
}

/// Finishes a restore into `dir` that was interrupted after its state was whole; says what else it
/// finds. To be called before the state of a data directory is opened.
///
/// # Errors
/// Another process uses the directory, or the file system refused.
pub fn resume(dir: &Path) -> Result<Found, SnapshotError> {
    let place = Place::new(dir);
    if place.path(JOURNAL).exists() {
        let _lock = DirLock::take(dir)?;
        let _held = sled_store::hold(&dir.join(STATE))?;
        return resume_held(dir);
    }
    let remains = place.restoring(STATE);
    Ok(if remains.exists() { Found::Remains(remains) } else { Found::Nothing })
}

fn resume_held(dir: &Path) -> Result<Found, SnapshotError> {
    let place = Place::new(dir);
    match place.read_journal()? {
        Some(journal) => {
            place.finish(&journal)?;
            Ok(Found::Finished { snapshot: journal.snapshot })
        }
        None => Ok(Found::Nothing),
    }
}

/// The files of a restore in one data directory.
struct Place<'a> {
    dir: &'a Path,
}

impl<'a> Place<'a> {
    fn new(dir: &'a Path) -> Place<'a> {
        Place { dir }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
    fn restoring(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{RESTORING}"))
    }
    fn before(&self, name: &str, number: u32) -> PathBuf {
        DataDir::new(self.dir).before(name, number)
    }

    /// A number that no old file has.
    fn free_number(&self) -> u32 {
        let taken = |n: &u32| [STATE, ALERTS].iter().any(|name| self.before(name, *n).exists());
        (1..u32::MAX).find(|n| !taken(n)).unwrap_or(u32::MAX)
    }

    /// Throws away what an interrupted restore left.
    fn clear(&self) -> Result<(), SnapshotError> {
        remove_folder(&self.restoring(STATE))?;
        let alerts = self.restoring(ALERTS);
        match std::fs::remove_file(&alerts) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(SnapshotError::io(&alerts, "removed")(e))
            }
            _ => Ok(()),
        }
    }

    /// Writes the new state and the new alert file beside the old ones.
    fn fill(
        &self,
        archive: &mut Archive,
        observer: &mut dyn FnMut(u64),
    ) -> Result<(), SnapshotError> {
        let folder = self.restoring(STATE);
        let store = SledStore::open(&folder)?;
        archive.load_all(&store, observer)?;
        let delivered = self.write_alerts(archive)?;
        let mut batch = WriteBatch::default();
        batch.put(keys::delivered(&self.path(ALERTS)), delivered.to_be_bytes().to_vec());
        store.write(batch)?;
        store.flush()?;
        drop(store);
        files::sync_folder(&folder)
    }

    /// Writes the alert lines; returns the length of the file.
    fn write_alerts(&self, archive: &mut Archive) -> Result<u64, SnapshotError> {
        let path = self.restoring(ALERTS);
        let io = |e| SnapshotError::io(&path, "written")(e);
        let mut out = BufWriter::new(File::create(&path).map_err(io)?);
        let mut length = 0;
        archive.each_alert(&mut |line| {
            length += line.len() as u64 + 1;
            out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(io)
        })?;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(io)?;
        Ok(length)
    }

    fn write_journal(&self, journal: &Journal) -> Result<(), SnapshotError> {
        let path = self.path(JOURNAL);
        let mut written = files::beside(&path)?;
        serde_json::to_writer(&mut written, journal)
            .map_err(|e| SnapshotError::io(&path, "written")(e.into()))?;
        files::publish(written, &path)
    }

    fn read_journal(&self) -> Result<Option<Journal>, SnapshotError> {
        let path = self.path(JOURNAL);
        let io = SnapshotError::io(&path, "read");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| io(e.into())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io(e)),
        }
    }

    /// Step 4 and 5; what was done is not done again.
    fn finish(&self, journal: &Journal) -> Result<(), SnapshotError> {
        for name in [STATE, ALERTS] {
            let (new, old) = (self.restoring(name), self.path(name));
            if new.exists() {
                if old.exists() {
                    files::rename(&old, &self.before(name, journal.number))?;
                }
                files::rename(&new, &old)?;
            }
        }
        if !journal.keep_old {
            remove_folder(&self.before(STATE, journal.number))?;
        }
        let path = self.path(JOURNAL);
        std::fs::remove_file(&path).map_err(SnapshotError::io(&path, "removed"))?;
        files::sync_folder(self.dir)
    }
}

fn remove_folder(path: &Path) -> Result<(), SnapshotError> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(SnapshotError::io(path, "removed")(e))
        }
        _ => Ok(()),
    }
}
