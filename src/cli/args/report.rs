//! `report`.
use std::path::PathBuf;

use clap::Args;

use super::{DataDir, time};
use crate::time::Timestamp;

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// First event time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Timestamp,
    /// Event time at which it is over; itself left out.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Timestamp,
    /// Folder for report.html, report.csv and alerts.csv.
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
    /// Configuration file (TOML), for budgets and the inventory.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}
