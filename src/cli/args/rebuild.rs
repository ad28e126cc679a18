//! `snapshot revert` and `model forget`.
use std::path::PathBuf;

use clap::Args;

use super::{Place, minutes, time};
use crate::time::Timestamp;

/// `snapshot revert`.
#[derive(Debug, Args)]
pub struct SnapshotRevert {
    /// Account name.
    pub account: String,
    /// The snapshot to go back to. It must be an earlier state of this data directory.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The logs that came since, given as they were given to `replay`.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub refeed: Vec<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// How.
    #[command(flatten)]
    pub how: Rebuilding,
}

/// `model forget`.
#[derive(Debug, Args)]
pub struct ModelForget {
    /// Account name.
    pub account: String,
    /// First event time to forget (2026-11-13, 2026-11-13T03:00Z).
    #[arg(long, value_name = "TIME", value_parser = time, requires = "until", required_unless_present = "principal")]
    pub from: Option<Timestamp>,
    /// First event time to keep again.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "from")]
    pub until: Option<Timestamp>,
    /// Forget what this principal did until now: its object id, or its name in the Activity log.
    #[arg(long, value_name = "PRINCIPAL", conflicts_with = "from")]
    pub principal: Option<String>,
    /// The logs, given as they were given to `replay`: from the snapshot on, or from the first one.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub logs: Vec<PathBuf>,
    /// Start from this snapshot. What it learnt of a principal stays.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// How.
    #[command(flatten)]
    pub how: Rebuilding,
}

/// How a model is built again.
#[derive(Debug, Args)]
pub struct Rebuilding {
    /// Go on although records that came to the account are not in the logs: the model will not know
    /// them.
    #[arg(long)]
    pub allow_gaps: bool,
    /// Do not ask before the model is replaced.
    #[arg(long)]
    pub yes: bool,
    /// A list of Tor exits, as `replay` was given it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub tor_exits: Vec<PathBuf>,
    /// A threat list, as `replay` was given it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub threat_ips: Vec<PathBuf>,
    /// Allowed lateness, as `replay` was given it (15m, 2h).
    #[arg(long, value_name = "DUR", value_parser = minutes)]
    pub lateness: Option<i64>,
    /// Configuration file (TOML), as `replay` was given it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON for programs: what was done and what changed.
    #[arg(long)]
    pub json: bool,
}
