//! `intel`: lists of addresses.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::intel::view::ListKind;

/// `intel`.
#[derive(Debug, Subcommand)]
pub enum Intel {
    /// Databases and feeds: counts, ages, what was refused.
    Status(IntelStatus),
    /// Fetch the feeds of [[intel.feeds]] that are due, or the named ones now.
    ///
    /// What comes is used only if it fits its checksum, parses as a whole and has not lost nine tenths
    /// of its entries; else the last good list stays. The service does this by itself.
    #[command(verbatim_doc_comment)]
    Update(IntelUpdate),
    /// Check a list and keep it in the data directory, where every command finds it.
    Add(IntelAdd),
    /// Drop a kept list.
    Remove(IntelRemove),
}

/// `intel status`.
#[derive(Debug, Args)]
pub struct IntelStatus {
    /// A list of Tor exits to look at.
    #[arg(long, value_name = "FILE")]
    pub tor_exits: Vec<PathBuf>,
    /// A threat list to look at.
    #[arg(long, value_name = "FILE")]
    pub threat_ips: Vec<PathBuf>,
    /// Data directory whose kept lists are shown too.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `intel update`.
#[derive(Debug, Args)]
pub struct IntelUpdate {
    /// Feeds to fetch now, by name. Without any: those that are due.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Data directory that keeps them.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Believe a list that lost nearly all its entries.
    #[arg(long, requires = "names")]
    pub force: bool,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `intel add`.
#[derive(Debug, Args)]
pub struct IntelAdd {
    /// The list: a file, or a URL that is fetched once.
    #[arg(value_name = "FILE")]
    pub from: String,
    /// How alerts call it; without it, the file's stem.
    #[arg(long)]
    pub name: Option<String>,
    /// What being listed means.
    #[arg(long, value_enum)]
    pub kind: FeedKind,
    /// SHA-256, or a URL or file that holds it.
    #[arg(long, value_name = "SHA256|URL|FILE")]
    pub checksum: Option<String>,
    /// Data directory that keeps it.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `intel remove`.
#[derive(Debug, Args)]
pub struct IntelRemove {
    /// The feed.
    pub name: String,
    /// Data directory that keeps it.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What being on a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeedKind {
    /// A Tor exit node.
    TorExit,
    /// A threat.
    Threat,
}

impl From<FeedKind> for ListKind {
    fn from(kind: FeedKind) -> ListKind {
        match kind {
            FeedKind::TorExit => ListKind::TorExit,
            FeedKind::Threat => ListKind::Threat,
        }
    }
}
