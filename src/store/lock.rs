//! One process a data directory. The database has a lock of its own, but its directory is moved and
//! replaced; this one stays.
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StoreError;

/// Tries to take a lock again while it is held. The engine lets go of its files a moment after it
/// was closed, on threads of its own; a second process still is told within a second.
pub(super) fn patiently<T>(
    mut take: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 0..TRIES {
        match take() {
            Err(StoreError::InUse { .. }) => std::thread::sleep(PAUSE),
            taken => return taken,
        }
    }
    take()
}

/// Tries before a lock is given up.
const TRIES: u32 = 40;
/// Between two tries.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Held until it is dropped, or the process is gone in whatever way.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of data directory `dir`, which must exist.
    ///
    /// # Errors
    /// Another process holds it, or the directory cannot be written.
    pub fn take(dir: &Path) -> Result<DirLock, StoreError> {
        patiently(|| DirLock::try_take(dir))
    }

    fn try_take(dir: &Path) -> Result<DirLock, StoreError> {
        let place = dir.display().to_string();
        let engine = |cause: std::io::Error| StoreError::at(dir, "opened", &cause);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(dir.join("lock")).map_err(engine)?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { place }),
            Err(TryLockError::Error(cause)) => Err(engine(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::take(dir.path()).unwrap();
        assert!(matches!(DirLock::take(dir.path()), Err(StoreError::InUse { .. })));
        drop(held);
        DirLock::take(dir.path()).unwrap();
    }
}
