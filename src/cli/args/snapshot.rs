//! `snapshot …`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SnapshotRevert;

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
    /// What was learnt between two snapshots, or since one.
    ///
    /// Without ACCOUNT a line an account: new, gone, or changed, with how many names and figures. With
    /// it the names that came and went (areas, networks, clients, callers, principals that read keys,
    /// log categories), the percentiles that moved by 5 % or more, and where trust changed.
    #[command(verbatim_doc_comment)]
    Diff(SnapshotDiff),
    /// Put a snapshot in the place of what a data directory holds.
    Restore(SnapshotRestore),
    /// Put one account's model back to what a snapshot holds of it.
    ///
    /// Without --refeed everything that came since the snapshot is unknown to the model from then on.
    /// With --refeed the records that came since are applied again, those of the account only, without
    /// a second alert; what `model forget` took out stays out.
    ///
    ///   cosmoguard snapshot revert contoso --to sun.cgsnap --data-dir guard
    ///   cosmoguard snapshot revert contoso --to sun.cgsnap --refeed ./my-logs --data-dir guard
    #[command(verbatim_doc_comment)]
    Revert(SnapshotRevert),
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
    /// Do not ask before state that is there is replaced.
    #[arg(long)]
    pub yes: bool,
}

/// `snapshot diff`.
#[derive(Debug, Args)]
pub struct SnapshotDiff {
    /// The earlier one: a snapshot, or a data directory as it is now.
    pub a: PathBuf,
    /// The later one: a snapshot, or a data directory as it is now.
    pub b: PathBuf,
    /// Account name: what it learnt, instead of the list.
    pub account: Option<String>,
    /// JSON for programs: a line an account and a last one with sums, or the account's changes.
    #[arg(long)]
    pub json: bool,
}
