//! A learned fleet as one portable file: written, read, verified, restored, compared.
//!
//! A snapshot is a zip, so that ordinary tools list it: `manifest.json` first, then
//! the run's own state (`run/…`), the sealed model of each account (`accounts/CLOUD/NAME.state`),
//! its display rings (`.rings` beside it), the alert lines (`alerts.jsonl`), and last `SHA256SUMS`
//! over all of these. One account is read without the rest; nothing here holds a whole fleet in
//! memory, only the names. The same store and the same [`About`] give the same bytes.
//!
//! What is in the store under keys that this room does not know is carried along by key. Left out
//! are states staged by a run that died, and the delivered lengths of alert files: those belong to
//! a directory, not to what was learnt.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::{StoreError, envelope, next_step};

pub mod archive;
mod check;
mod files;
mod frames;
mod manifest;
mod names;
mod paper;
mod pool;
pub mod restore;
pub mod retention;
pub mod schedule;
mod window;
mod write;

pub use archive::Archive;
pub use check::{Verified, verify};
pub use manifest::{FORMAT_VERSION, Manifest};
pub use restore::{Found, Restored, restore, restore_noted};
pub use write::{create, hex};

/// The ending of snapshot files.
pub const EXTENSION: &str = "cgsnap";

/// What a snapshot says of itself that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Wall clock at its making.
    pub created: crate::time::Timestamp,
    /// Version of the program.
    pub program_version: String,
    /// SHA-256 of the resolved configuration, hexadecimal.
    pub config_sha256: String,
    /// Lists and databases in use.
    pub intel: Vec<IntelVersion>,
}

/// A list or database, and which edition of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntelVersion {
    /// Name.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// What can go wrong with a snapshot. Each names the file and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refused.
    #[error("`{path}` cannot be {action}: {cause}{}", next_step(cause))]
    Io {
        /// File or directory.
        path: PathBuf,
        /// "read", "written", "renamed".
        action: &'static str,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Something else.
    #[error("`{0}` is not a snapshot of cosmoguard; `cosmoguard snapshot create` makes one")]
    NotASnapshot(PathBuf),
    /// A folder, a pipe or a device.
    #[error("`{0}` is not a regular file; name the snapshot itself, or copy it into a file first")]
    NotAFile(PathBuf),
    /// A snapshot without its end.
    #[error("`{0}` is cut off: its end is missing; copy it again from where it came")]
    CutOff(PathBuf),
    /// An entry is not what was written.
    #[error("`{path}` is damaged in `{entry}`: {cause}; use another snapshot")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Its layout is of a newer program.
    #[error(
        "`{path}` has snapshot format {found}, written by cosmoguard {program}; this build reads up to {}: use cosmoguard {program} or newer",
        FORMAT_VERSION
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Who wrote it.
        program: String,
    },
    /// Its models are of a newer program.
    #[error(
        "`{path}` holds models of schema {found}, written by cosmoguard {program}; this build reads up to {}: use cosmoguard {program} or newer",
        envelope::SCHEMA_VERSION
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u16,
        /// Who wrote it.
        program: String,
    },
    /// An entry that its list of checksums names is not there.
    #[error("`{path}` lacks `{entry}`, which its SHA256SUMS names; use another snapshot")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: String,
    },
    /// An entry that nothing accounts for.
    #[error("`{path}` holds `{entry}`, which does not belong there; use another snapshot")]
    Extra {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: String,
    },
    /// The manifest counts otherwise.
    #[error("`{path}` should hold {told} {what} and holds {found}; use another snapshot")]
    Counts {
        /// The file.
        path: PathBuf,
        /// "accounts", "alerts".
        what: &'static str,
        /// By the manifest.
        told: u64,
        /// By counting.
        found: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SnapshotError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> SnapshotError {
        let path = path.to_owned();
        move |cause| SnapshotError::Io { path, action, cause }
    }
    fn damaged(path: &Path, entry: &str, cause: impl std::fmt::Display) -> SnapshotError {
        let (path, entry) = (path.to_owned(), entry.to_owned());
        SnapshotError::Damaged { path, entry, cause: cause.to_string() }
    }
}
