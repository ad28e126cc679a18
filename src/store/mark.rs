//! A note beside the database, written after each flush: how far the state on disk has come.
//!
//! A database whose log lost its tail, or all of it, opens as an earlier one that is whole in
//! itself. The note says that there was more. It is never ahead of what is durable, so a process
//! that is killed at any moment leaves no false one.
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::census::{Census, Group};

/// Name of the file, inside the database's directory so that both move together.
const FILE: &str = "mark.json";

/// What was durable when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Batches written.
    pub writes: u64,
    /// Account checkpoints.
    pub accounts: u64,
    /// Alert lines.
    pub alerts: u64,
}

impl Mark {
    /// The note that goes with a census.
    pub fn of(census: &Census) -> Mark {
        Mark {
            writes: census.writes,
            accounts: census.group(Group::Accounts).entries,
            alerts: census.group(Group::Alerts).entries,
        }
    }

    /// Writes it into `dir`, whole or not at all.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let aside = dir.join("mark.new");
        std::fs::write(&aside, serde_json::to_vec(self)?)?;
        std::fs::rename(aside, dir.join(FILE))
    }

    /// The note in `dir`; `None` if there is none that can be read.
    pub fn read(dir: &Path) -> Option<Mark> {
        serde_json::from_slice(&std::fs::read(dir.join(FILE)).ok()?).ok()
    }
}
