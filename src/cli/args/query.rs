//! `query …`.
use std::path::PathBuf;

use clap::Args;

/// `query`.
#[derive(Debug, Args)]
pub struct Query {
    /// File with one query a line; `-` for standard input.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// A query that the application is known to send: what was put into it is evidence, what it
    /// has itself is none.
    #[arg(long, value_name = "QUERY")]
    pub template: Option<String>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
