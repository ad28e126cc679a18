//! The first entry: what the snapshot is, in JSON, before anything else is read.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{About, IntelVersion, SnapshotError};
use crate::store::envelope;

/// Newest layout that this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// What [`Manifest::format`] says.
const FORMAT: &str = "cosmoguard snapshot";

/// `manifest.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Says that this is one of ours.
    pub format: String,
    /// Layout of the file.
    pub format_version: u32,
    /// Newest schema of the models inside.
    pub schema_version: u16,
    /// Version of the program that wrote it.
    pub program_version: String,
    /// Wall clock at its making (UTC).
    pub created: String,
    /// Which event time it covers.
    pub event_time: EventTime,
    /// Models inside.
    pub accounts: u64,
    /// Alert lines inside.
    pub alerts: u64,
    /// SHA-256 of the resolved configuration, hexadecimal.
    pub config_sha256: String,
    /// Lists and databases that were in use.
    pub intel: Vec<IntelVersion>,
}

/// The event time that was learnt; all absent before the first record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTime {
    /// First midnight that was passed (UTC day).
    pub first_midnight: Option<String>,
    /// Everything before this is closed and judged.
    pub watermark: Option<String>,
    /// Newest record.
    pub newest: Option<String>,
}

/// Only what decides whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: String,
    format_version: u32,
    #[serde(default)]
    schema_version: u16,
    #[serde(default)]
    program_version: String,
}

impl Manifest {
    /// Of a snapshot with these contents.
    pub(super) fn new(
        about: &About,
        event_time: EventTime,
        accounts: u64,
        alerts: u64,
    ) -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            schema_version: envelope::SCHEMA_VERSION,
            program_version: about.program_version.clone(),
            created: about.created.to_string(),
            event_time,
            accounts,
            alerts,
            config_sha256: about.config_sha256.clone(),
            intel: about.intel.clone(),
        }
    }

    /// Reads `bytes`, the manifest of the snapshot at `path`. Newer layouts and schemas are refused
    /// by their numbers before anything else of them is looked at.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Manifest, SnapshotError> {
        let head: Head = serde_json::from_slice(bytes)
            .map_err(|_| SnapshotError::NotASnapshot(path.to_owned()))?;
        if head.format != FORMAT || head.format_version == 0 {
            return Err(SnapshotError::NotASnapshot(path.to_owned()));
        }
        let (path_owned, program) = (path.to_owned(), head.program_version);
        if head.format_version > FORMAT_VERSION {
            let found = head.format_version;
            return Err(SnapshotError::NewerFormat { path: path_owned, found, program });
        }
        if head.schema_version > envelope::SCHEMA_VERSION {
            let found = head.schema_version;
            return Err(SnapshotError::NewerSchema { path: path_owned, found, program });
        }
        // A second layout becomes a second arm here, with its own struct and a conversion.
        match head.format_version {
            FORMAT_VERSION => serde_json::from_slice(bytes)
                .map_err(|e| SnapshotError::damaged(path, super::names::MANIFEST, e)),
            _ => Err(SnapshotError::NotASnapshot(path_owned)),
        }
    }

    /// The event time for names and lists: the newest record, else none.
    pub fn event_time(&self) -> Option<&str> {
        self.event_time.newest.as_deref()
    }
}
