//! `sink …` and `sample-alerts`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `sink`.
#[derive(Debug, Subcommand)]
pub enum Sink {
    /// All sinks of the configuration: kind, place, what waits and what was set aside.
    List(SinkList),
    /// Send one sample alert to a sink, without its queue, and say what came of it.
    Test(SinkTest),
    /// Try again what a sink could not deliver and was set aside.
    ///
    /// A running service sees the request within a second; one that is not running, when it starts.
    Retry(SinkRetry),
}

/// `sink list`.
#[derive(Debug, Args)]
pub struct SinkList {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory with the queues [default: that of the configuration].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `sink test`.
#[derive(Debug, Args)]
pub struct SinkTest {
    /// The sink's name.
    pub name: String,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `sink retry`.
#[derive(Debug, Args)]
pub struct SinkRetry {
    /// The sink's name.
    pub name: String,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory with the queues [default: that of the configuration].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// `sample-alerts`.
#[derive(Debug, Args)]
pub struct SampleAlerts {
    /// Where the lines go; - is standard output.
    #[arg(long, value_name = "FILE|-", default_value = "-", conflicts_with = "send")]
    pub alerts: PathBuf,
    /// Shape of the lines: defender, ocsf, ecs, cef or securityalert [default: that of the configuration].
    #[arg(long, value_name = "FORMAT", conflicts_with = "send")]
    pub format: Option<String>,
    /// Send them through every sink of the configuration instead.
    #[arg(long)]
    pub send: bool,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
