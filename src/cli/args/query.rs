//! `query`.
use std::path::PathBuf;

use clap::Args;

/// Judges queries of Cosmos DB for NoSQL, one a line, and prints a JSON line for each:
///
///   parses     whether the service's language has it
///   error      if not: byte, line, column and reason
///   shape      hash of the query with its literals blanked; skeleton is what stands before the filter
///   template   the same as text: literals as #, '…', bool
///   evidence   what injections have and programs rarely write: name, bytes, and how rarely
///              innocent new queries have it
///   hints      what programs write, too, and says little by itself
///
/// Nothing that is printed holds a literal. A line is a query as it stands, a JSON string, or an
/// object with `query`, as Azure logs it.
///
///   echo "SELECT * FROM c WHERE c.name = '' OR 1=1 --'" | cosmoguard query -
///   cosmoguard query queries.txt --template "SELECT * FROM c WHERE c.name = 'x'"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
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
