//! Replacing the database's directory by another, so that a process that is killed at any instant
//! leaves something from which the next one goes on.
//!
//! ```text
//! state.new      being written: worth nothing, removed by the next opening
//! state.ready    whole: replaces `state`, which is then removed
//! state.repaired whole: replaces `state`, which is kept as `state.damaged-<n>`
//! state.old      replaced by `state.ready`, to be removed
//! ```
//! Each step is one rename; [`settle`] finishes what was begun after the first and undoes what was
//! not.
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::layout::DataDir;

/// What becomes of the replaced directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// Removed: the new one holds the same.
    Removed,
    /// Kept beside it, as `state.damaged-<n>`.
    Kept,
}

impl Old {
    fn ready(self) -> &'static str {
        match self {
            Old::Removed => "state.ready",
            Old::Kept => "state.repaired",
        }
    }
}

/// The database's directory.
pub fn state(dir: &Path) -> PathBuf {
    DataDir::new(dir).state()
}

/// An empty directory for a database that is to replace `state`.
///
/// # Errors
/// The file system refused.
pub fn fresh(dir: &Path) -> io::Result<PathBuf> {
    let new = dir.join("state.new");
    remove(&new)?;
    fs::create_dir(&new)?;
    Ok(new)
}

/// Puts what was written into [`fresh`], flushed and closed, in the place of `state`. Returns where
/// the old one is kept.
///
/// # Errors
/// The file system refused; [`settle`] finishes or undoes it.
pub fn commit(dir: &Path, old: Old) -> io::Result<Option<PathBuf>> {
    rename(dir, &dir.join("state.new"), &dir.join(old.ready()))?;
    finish(dir, old)
}

/// Finishes or undoes what an interrupted process left.
///
/// # Errors
/// The file system refused.
pub fn settle(dir: &Path) -> io::Result<()> {
    remove(&dir.join("state.new"))?;
    for old in [Old::Removed, Old::Kept] {
        if dir.join(old.ready()).exists() {
            finish(dir, old)?;
        }
    }
    let replaced = dir.join("state.old");
    if replaced.exists() && !state(dir).exists() {
        return rename(dir, &replaced, &state(dir));
    }
    remove(&replaced)
}

fn finish(dir: &Path, old: Old) -> io::Result<Option<PathBuf>> {
    let state = state(dir);
    let mut kept = None;
    if state.exists() {
        let to = match old {
            Old::Kept => next_aside(dir),
            Old::Removed => {
                let to = dir.join("state.old");
                remove(&to)?;
                to
            }
        };
        rename(dir, &state, &to)?;
        kept = Some(to);
    }
    rename(dir, &dir.join(old.ready()), &state)?;
    if old == Old::Removed {
        remove(&dir.join("state.old"))?;
        kept = None;
    }
    Ok(kept)
}

/// `state.damaged-<n>` for the smallest `n` above all that are there.
pub fn next_aside(dir: &Path) -> PathBuf {
    let taken = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix("state.damaged-")?.parse::<u32>().ok()
    });
    dir.join(format!("state.damaged-{}", taken.max().unwrap_or(0).saturating_add(1)))
}

/// Copies a database without the engine's `snap.*` files, from which it is told where its pages
/// lie; without them it looks itself.
///
/// # Errors
/// The file system refused: no room above all.
pub fn copy_without_index(from: &Path, to: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(from).min_depth(1) {
        let entry = entry.map_err(io::Error::from)?;
        let Ok(inside) = entry.path().strip_prefix(from) else { continue };
        if is_index(inside) {
            continue;
        }
        if entry.file_type().is_dir() {
            fs::create_dir_all(to.join(inside))?;
        } else {
            fs::copy(entry.path(), to.join(inside))?;
        }
    }
    Ok(())
}

/// Moves the `snap.*` files of `from` into `to`, which is made.
///
/// # Errors
/// The file system refused.
pub fn move_index(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if is_index(Path::new(&entry.file_name())) {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn is_index(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().starts_with(b"snap.")
}

/// Bytes of all files below `dir`.
///
/// # Errors
/// The file system refused.
pub fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_file() {
            bytes += entry.metadata().map_err(io::Error::from)?.len();
        }
    }
    Ok(bytes)
}

/// Renames, and makes the renaming durable.
fn rename(dir: &Path, from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(dir)?.sync_all()
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(dir: &Path, name: &str, content: &str) {
        fs::create_dir_all(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("db"), content).unwrap();
    }
    fn content(dir: &Path, name: &str) -> Option<String> {
        fs::read_to_string(dir.join(name).join("db")).ok()
    }
    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_swap_that_is_cut_off_at_any_step_is_finished_or_undone() {
        // What lies there when the process dies, and what is to be found afterwards.
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[("state", "old")], "old", &["state"]),
            (&[("state", "old"), ("state.new", "ne")], "old", &["state"]),
            (&[("state", "old"), ("state.ready", "new")], "new", &["state"]),
            (&[("state.old", "old"), ("state.ready", "new")], "new", &["state"]),
            (&[("state.old", "old"), ("state", "new")], "new", &["state"]),
            (&[("state.old", "old")], "old", &["state"]),
            (&[("state", "old"), ("state.repaired", "new")], "new", &["state", "state.damaged-1"]),
            (
                &[("state.damaged-4", "old"), ("state.repaired", "new")],
                "new",
                &["state", "state.damaged-4"],
            ),
        ];
        for (there, expected, left) in cases {
            let dir = tempfile::tempdir().unwrap();
            there.iter().for_each(|(name, content)| put(dir.path(), name, content));
            settle(dir.path()).unwrap();
            settle(dir.path()).unwrap();
            assert_eq!(content(dir.path(), "state").as_deref(), Some(*expected), "{there:?}");
            assert_eq!(names(dir.path()), *left, "{there:?}");
        }
    }

    #[test]
    fn what_is_kept_is_counted_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "state", "0");
        put(dir.path(), "state.damaged-7", "seven");
        for n in 1..4 {
            fs::write(fresh(dir.path()).unwrap().join("db"), n.to_string()).unwrap();
            let kept = commit(dir.path(), Old::Kept).unwrap().unwrap();
            assert!(kept.ends_with(format!("state.damaged-{}", n + 7)));
            assert_eq!(fs::read_to_string(kept.join("db")).unwrap(), (n - 1).to_string());
        }
        assert_eq!(content(dir.path(), "state.damaged-7").as_deref(), Some("seven"));
        fs::write(fresh(dir.path()).unwrap().join("db"), "last").unwrap();
        assert_eq!(commit(dir.path(), Old::Removed).unwrap(), None);
        assert_eq!(content(dir.path(), "state").as_deref(), Some("last"));
    }

    #[test]
    fn the_index_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "state", "pages");
        put(dir.path(), "state/blobs", "blob");
        fs::write(dir.path().join("state/snap.0001"), "x").unwrap();
        let new = fresh(dir.path()).unwrap();
        copy_without_index(&state(dir.path()), &new).unwrap();
        assert_eq!(names(&new), ["blobs", "db"]);
        move_index(&state(dir.path()), &dir.path().join("aside")).unwrap();
        assert_eq!(names(&dir.path().join("aside")), ["snap.0001"]);
        assert_eq!(names(&state(dir.path())), ["blobs", "db"]);
        assert_eq!(disk_bytes(&new).unwrap(), 9);
    }
}
