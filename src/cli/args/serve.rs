//! `serve …`.
use std::path::PathBuf;

use clap::Args;

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Configuration file (TOML); SIGHUP reads it once more.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where models, positions and alerts are kept [default: store.data_dir].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of the HTTP interface [default: serve.listen].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Listen beyond this machine without TLS, although everybody on the way can read along.
    #[arg(long)]
    pub insecure_listen: bool,
    /// A made-up fleet that lives an hour a second, with attacks; in a temporary directory unless one is named.
    #[arg(long, conflicts_with_all = ["watch", "warm_up"])]
    pub demo: bool,
    /// A folder (any depth, the Azure blob layout included) or file that is read while it grows; may be given several times.
    #[arg(long, value_name = "PATH")]
    pub watch: Vec<PathBuf>,
    /// History to learn from before; its alerts are marked; may be given several times.
    #[arg(long, value_name = "PATH")]
    pub warm_up: Vec<PathBuf>,
    /// Where alert lines go [default: alerts.jsonl in the data directory].
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// A list of Tor exits; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub tor_exits: Vec<PathBuf>,
    /// A threat list; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub threat_ips: Vec<PathBuf>,
    /// Threads for decoding and for accounts; changes speed, never results.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Nothing on the terminal but warnings and errors.
    #[arg(long)]
    pub quiet: bool,
}
