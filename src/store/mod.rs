//! State on disk: one ordered key space with atomic batches, behind a trait with a memory twin.
//!
//! One tree with key prefixes, because a batch is atomic only inside one tree. Every value is an
//! [`envelope`] (magic, schema version, codec, length, CRC-32C); only [`codec`] knows bincode,
//! only [`sled_store`] knows sled.
pub mod audit;
pub mod census;
pub mod codec;
pub mod compact;
pub mod decisions;
pub mod display_ring;
pub mod envelope;
pub mod keys;
pub mod known;
pub mod ladder;
pub mod layout;
pub mod lock;
pub mod mark;
pub mod memory;
pub mod quiet;
pub mod recovery;
pub mod repair;
pub mod run_log;
pub mod run_state;
pub mod schema;
pub mod sled_store;
pub mod sources;
pub mod swap;
pub mod untaught;
pub mod verify;

/// What can go wrong with state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("state in `{place}` cannot be {action}: {cause}")]
    Engine {
        /// Directory.
        place: String,
        /// "read", "written", "opened", "flushed".
        action: &'static str,
        /// The engine's words.
        cause: String,
    },
    /// Another process holds the directory.
    #[error("`{place}` is in use by another process; stop it or give another --data-dir")]
    InUse {
        /// Directory.
        place: String,
    },
    /// The disk is full, or a limit on files or quota is reached.
    #[error(
        "state in `{place}` cannot be written: {cause}; make room and run it again: state is at the last checkpoint"
    )]
    NoRoom {
        /// Directory.
        place: String,
        /// The system's words.
        cause: String,
    },
    /// The engine cannot make sense of its files.
    #[error("state in `{place}` is damaged: {cause}")]
    DamagedFiles {
        /// Directory.
        place: String,
        /// The engine's words.
        cause: String,
    },
    /// Something in it is damaged, and this opener does not repair.
    #[error(
        "state in `{place}` is damaged: {cause}; `cosmoguard replay PATH --data-dir {place}` repairs what can be repaired, names the rest and reads the logs again"
    )]
    NeedsRepair {
        /// Data directory.
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// A newer build wrote it. Nothing was changed.
    #[error("state in `{place}` is not of this version: what lies under `{key}`: {cause}")]
    Newer {
        /// Directory.
        place: String,
        /// A key whose value is newer, printable.
        key: String,
        /// Which version, and which one this build reads.
        cause: envelope::EnvelopeError,
    },
    /// A value does not decode.
    #[error("state under `{key}` is damaged: {cause}")]
    Damaged {
        /// Key, printable.
        key: String,
        /// What is wrong with it.
        cause: envelope::EnvelopeError,
    },
}

/// What to do about a file that the system refuses, as the end of a sentence; empty where its own
/// words say it.
pub fn next_step(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
            "; make room and run the same command again"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; allow it, or give another place"
        }
        _ => "",
    }
}

impl StoreError {
    /// What the file system said about `place`.
    pub fn at(place: &std::path::Path, action: &'static str, cause: &std::io::Error) -> StoreError {
        use std::io::ErrorKind;
        let (place, kind) = (place.display().to_string(), cause.kind());
        let (cause, step) = (cause.to_string(), next_step(cause));
        match kind {
            ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
                StoreError::NoRoom { place, cause }
            }
            _ => StoreError::Engine { place, action, cause: cause + step },
        }
    }
}

/// Puts and deletes that take effect together or not at all.
#[derive(Debug, Default)]
pub struct WriteBatch {
    /// Key, and the value to put or `None` to delete; later ones win.
    pub entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl WriteBatch {
    /// Puts `value` under `key`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.entries.push((key, Some(value)));
    }
    /// Deletes `key`.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.entries.push((key, None));
    }
}

/// A visitor of [`StateStore::scan`]; returns whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> bool;

/// An ordered key space with atomic batches.
pub trait StateStore: Send + Sync {
    /// The value under `key`.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Applies a batch atomically. Durable only after [`StateStore::flush`].
    ///
    /// # Errors
    /// The engine failed; nothing of the batch is applied.
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError>;
    /// Visits entries whose key starts with `prefix`, ascending, until `visit` returns false.
    ///
    /// # Errors
    /// The engine failed.
    fn scan(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError>;
    /// How many entries of a group there are, where that is known without a scan.
    fn entries(&self, _group: census::Group) -> Option<u64> {
        None
    }
    /// Makes everything written durable.
    ///
    /// # Errors
    /// The engine failed; what was written since the last flush may be lost.
    fn flush(&self) -> Result<(), StoreError>;
}
