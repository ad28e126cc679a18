//! `query …`.
use std::path::PathBuf;

use clap::Args;

/// `query`.
///
/// A line is a query as it stands, a JSON string, or an object with `query` as Azure logs it (also as
/// a JSON string). For each there is one line of JSON: `parses` (null: longer, deeper or of more
/// tokens than is looked at), `error` with `byte` from 0 and `line` and `column` from 1, columns in
/// characters, hashes, the template without literals, evidence and hints with their spans in bytes.
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
