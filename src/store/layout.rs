//! What lies where in a data directory.
use std::path::{Path, PathBuf};

/// The database's folder.
pub const STATE: &str = "state";
/// The alert file.
pub const ALERTS: &str = "alerts.jsonl";

/// A data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory at `path`; nothing is touched.
    pub fn new(path: &Path) -> DataDir {
        DataDir(path.to_owned())
    }
    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The database.
    pub fn state(&self) -> PathBuf {
        self.0.join(STATE)
    }
    /// Scheduled snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots")
    }
    /// Alert lines, if no other file is named.
    pub fn alerts(&self) -> PathBuf {
        self.0.join(ALERTS)
    }
    /// Batches that were handed over.
    pub fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }
    /// Lists of addresses that are kept up to date.
    pub fn intel(&self) -> PathBuf {
        self.0.join("intel")
    }
    /// Queues of sinks.
    pub fn sinks(&self) -> PathBuf {
        self.0.join("sinks")
    }
    /// Refused records.
    pub fn refused(&self) -> PathBuf {
        self.0.join("refused.jsonl")
    }
    /// What people changed by hand.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }
    /// Where the file or folder called `name` of this directory is kept when something takes its
    /// place: `state.before-<n>`, `alerts.before-<n>.jsonl`.
    pub fn before(&self, name: &str, number: u32) -> PathBuf {
        self.0.join(match name.rsplit_once('.') {
            Some((stem, ending)) => format!("{stem}.before-{number}.{ending}"),
            None => format!("{name}.before-{number}"),
        })
    }
    /// What was damaged, and what became of it.
    pub fn recovery(&self) -> PathBuf {
        self.0.join("recovery.jsonl")
    }
}
