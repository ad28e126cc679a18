//! `evidence …`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `evidence`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Evidence {
    /// Check instead of pack.
    #[command(subcommand)]
    pub command: Option<EvidenceCommand>,
    /// The alert's id, or its first digits.
    #[arg(required = true)]
    pub alert_id: Option<String>,
    /// Folder to write; must not exist or be empty.
    #[arg(required = true)]
    pub out: Option<PathBuf>,
    /// Data directory that holds the alert.
    #[arg(long, value_name = "DIR", env = "COSMOGUARD_STORE__DATA_DIR", required = true)]
    pub data_dir: Option<PathBuf>,
    /// Also copy the records byte for byte from their files; an entry of the audit log says so.
    #[arg(long)]
    pub raw: bool,
    /// Where the logs lie now, if not where they were read: a folder, or the file itself.
    #[arg(long, value_name = "PATH")]
    pub source: Option<PathBuf>,
    /// Configuration file (TOML), for states that do not know their runs.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `evidence verify`.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Check a folder of evidence; needs nothing else.
    Verify(EvidenceVerify),
}

/// `evidence verify`.
#[derive(Debug, Args)]
pub struct EvidenceVerify {
    /// The folder.
    pub out: PathBuf,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}
