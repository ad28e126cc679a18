//! Files that appear whole or not at all.
use std::fs::File;
use std::path::{Path, PathBuf};

use super::SnapshotError;

/// The folder that `path` lies in.
pub fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Ending of files that are being written.
pub const PARTIAL: &str = ".partial";

/// A file under a temporary name in the folder where `path` will be, which tells whose it is; gone
/// again if it is dropped.
pub fn beside(path: &Path) -> Result<tempfile::NamedTempFile, SnapshotError> {
    let folder = folder(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names have a bound; whose it is shows in the first letters.
    let prefix: String = [".", &name, "-"].concat().chars().take(48).collect();
    let made = tempfile::Builder::new().prefix(&prefix).suffix(PARTIAL).tempfile_in(&folder);
    made.map_err(SnapshotError::io(&folder, "written"))
}

/// Makes what was written durable, gives it its name, and makes the name durable.
pub fn publish(written: tempfile::NamedTempFile, path: &Path) -> Result<(), SnapshotError> {
    written.as_file().sync_all().map_err(SnapshotError::io(path, "written"))?;
    written.persist(path).map_err(|e| SnapshotError::io(path, "written")(e.error))?;
    sync_folder(&folder(path))
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), SnapshotError> {
    // Windows cannot open folders; there a rename is as durable as it gets.
    if cfg!(windows) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(SnapshotError::io(folder, "written"))
}

/// Renames and makes it durable.
pub fn rename(from: &Path, to: &Path) -> Result<(), SnapshotError> {
    std::fs::rename(from, to).map_err(SnapshotError::io(from, "renamed"))?;
    sync_folder(&folder(to))
}
