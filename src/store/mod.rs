//! State on disk: one ordered key space with atomic batches, behind a trait with a memory twin.
//!
//! One tree with key prefixes, because a batch is atomic only inside one tree. Every value is an
//! [`envelope`] (magic, schema version, codec, length, CRC-32C); only [`codec`] knows bincode,
//! only [`sled_store`] knows sled.
pub mod audit;
pub mod codec;
pub mod display_ring;
pub mod envelope;
pub mod keys;
pub mod layout;
pub mod memory;
pub mod run_state;
pub mod schema;
pub mod sled_store;
pub mod sources;

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
    /// A value does not decode.
    #[error("state under `{key}` is damaged: {cause}")]
    Damaged {
        /// Key, printable.
        key: String,
        /// What is wrong with it.
        cause: envelope::EnvelopeError,
    },
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
    /// Makes everything written durable.
    ///
    /// # Errors
    /// The engine failed; what was written since the last flush may be lost.
    fn flush(&self) -> Result<(), StoreError>;
}
