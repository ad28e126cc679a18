//! What lies in a watched folder now.
use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::WalkDir;

use super::super::paths::{DATABASE_MARK, Skipped, walk_warning, wanted};
use crate::time::Timestamp;

/// A file as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Below the folder; empty if the file itself is watched.
    pub(super) relative: PathBuf,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
    /// The file system's number for it; 0 where there is none.
    pub(super) number: u64,
}

impl Seen {
    fn of(relative: PathBuf, metadata: &Metadata) -> Seen {
        let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|d| i64::try_from(d.as_millis()).ok());
        Seen {
            relative,
            size: metadata.len(),
            modified: Timestamp(modified.unwrap_or_default()),
            number: number(metadata),
        }
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // Two file systems below one folder are rare; a mistake only costs that a renamed file is read
    // again and skipped.
    metadata.ino() ^ metadata.dev().rotate_left(32)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

/// Lists the log files of `root`, and whatever else is one of `followed`: a log that was renamed to
/// something that is no log's name is read to its end. What cannot be listed goes to `warn`.
pub(super) fn list(
    root: &Path,
    followed: &HashSet<u64>,
    warn: &mut dyn FnMut(String),
) -> Vec<Seen> {
    match std::fs::metadata(root) {
        Ok(metadata) if metadata.is_file() => return vec![Seen::of(PathBuf::new(), &metadata)],
        Ok(_) => {}
        Err(error) => {
            warn(format!("{} cannot be listed: {error}", root.display()));
            return Vec::new();
        }
    }
    let mut found = Vec::new();
    let mut skipped = Skipped::default();
    let mut walk = WalkDir::new(root).follow_links(true).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                // What is gone by the time it is looked at is no trouble.
                let gone = error.io_error().map(std::io::Error::kind);
                if gone != Some(std::io::ErrorKind::NotFound) {
                    warn(walk_warning(root, &error));
                }
                continue;
            }
        };
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().is_dir() {
            if hidden || entry.path().join(DATABASE_MARK).is_file() {
                walk.skip_current_dir();
            }
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        if hidden || !metadata.is_file() {
            continue;
        }
        let known = number(&metadata);
        if wanted(entry.path(), &mut skipped) || (known != 0 && followed.contains(&known)) {
            let relative = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
            found.push(Seen::of(relative, &metadata));
        }
    }
    found
}
