//! `snapshot …`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `snapshot`.
#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Write everything that was learnt, and the alerts, into one file.
    Create(SnapshotCreate),
    /// Snapshots in the data directory, by event time.
    List(SnapshotList),
    /// What a snapshot holds, or one account's model in it.
    Inspect(SnapshotInspect),
    /// Check a snapshot whole: every checksum, every model, every count.
    Verify(SnapshotVerify),
    /// Put a snapshot in the place of what a data directory holds.
    Restore(SnapshotRestore),
}

/// Where the data is.
#[derive(Debug, Args)]
pub struct Place {
    /// Data directory of `replay --data-dir`.
    #[arg(long, value_name = "DIR", env = "COSMOGUARD_STORE__DATA_DIR")]
    pub data_dir: PathBuf,
}

/// `snapshot create`.
#[derive(Debug, Args)]
pub struct SnapshotCreate {
    /// File to write (*.cgsnap); it must not exist.
    pub out: PathBuf,
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// Configuration file (TOML), whose checksum goes into the manifest.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `snapshot list`.
#[derive(Debug, Args)]
pub struct SnapshotList {
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `snapshot inspect`.
#[derive(Debug, Args)]
pub struct SnapshotInspect {
    /// The snapshot.
    pub file: PathBuf,
    /// Account name: its model instead of the list.
    pub account: Option<String>,
    /// JSON for programs: the manifest and a line an account, or the account's model.
    #[arg(long)]
    pub json: bool,
}

/// `snapshot verify`.
#[derive(Debug, Args)]
pub struct SnapshotVerify {
    /// The snapshot.
    pub file: PathBuf,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `snapshot restore`.
#[derive(Debug, Args)]
pub struct SnapshotRestore {
    /// The snapshot.
    pub file: PathBuf,
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// Keep the state that is there now, as state.before-N.
    #[arg(long)]
    pub keep_old: bool,
}
