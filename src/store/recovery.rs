//! What was done to get a damaged store open, and what could not be kept: one line in
//! `recovery.jsonl`, one log event, and a few lines for people.
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::layout::DataDir;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// How far down the ladder the opening went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "rung")]
pub enum Rung {
    /// The store is kept; single values were repaired or are missing.
    Kept,
    /// The engine's index was dropped and built again from its pages: nothing is lost.
    Rebuilt,
    /// A snapshot took the store's place.
    Snapshot {
        /// Which.
        name: String,
    },
    /// Nothing could be kept.
    Empty,
}

impl Rung {
    /// One word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Rung::Kept => "kept",
            Rung::Rebuilt => "rebuilt",
            Rung::Snapshot { .. } => "snapshot",
            Rung::Empty => "empty",
        }
    }
}

/// What became of an account's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// An earlier model is in its place; what it was taught since is missing.
    Older,
    /// It learns afresh; what it was taught before is missing.
    Afresh,
}

/// An account whose model could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountLoss {
    /// Which, as `cloud/name`.
    pub account: String,
    /// What became of it.
    pub fate: Fate,
    /// What it was taught after this moment is missing; `None`: all of it.
    #[serde(serialize_with = "some_time", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What it was taught after this moment is there again; `None`: records since then are read
    /// again by the next replay that is given them.
    #[serde(serialize_with = "some_time", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The report of one opening that met damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// When, by the wall clock.
    #[serde(serialize_with = "time")]
    pub at: Timestamp,
    /// How far down.
    #[serde(flatten)]
    pub rung: Rung,
    /// There was no state, though one had been there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
    /// What was wrong, one line each.
    pub why: Vec<String>,
    /// What was kept of the damaged state, and where.
    pub set_aside: Vec<PathBuf>,
    /// The state that opened is an earlier one that goes up to this event time: what came after it
    /// is to be read again. Absent: it is up to date, or empty.
    #[serde(serialize_with = "some_time", skip_serializing_if = "Option::is_none")]
    pub reaches: Option<Timestamp>,
    /// Accounts that are not as they were.
    pub accounts: Vec<AccountLoss>,
    /// How many accounts the lost state held, where no name could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts_unnamed: Option<u64>,
    /// Anything else that a person should know.
    pub notes: Vec<String>,
}

fn time<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

fn some_time<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, to),
        None => to.serialize_none(),
    }
}

impl Recovery {
    /// A report that has still to say what was done.
    pub fn new(at: Timestamp, why: Vec<String>) -> Recovery {
        Recovery {
            at,
            rung: Rung::Kept,
            is_gone: false,
            why,
            set_aside: Vec::new(),
            reaches: None,
            accounts: Vec::new(),
            accounts_unnamed: None,
            notes: Vec::new(),
        }
    }

    /// Notes an account.
    pub fn lose(
        &mut self,
        account: &AccountId,
        fate: Fate,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) {
        self.accounts.push(AccountLoss { account: account.key(), fate, since, until });
    }

    /// Appends it to `recovery.jsonl` of `dir`, durably.
    ///
    /// # Errors
    /// The file system refused.
    pub fn append(&self, dir: &Path) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        let mut file =
            OpenOptions::new().create(true).append(true).open(DataDir::new(dir).recovery())?;
        file.write_all(&line)?;
        file.sync_data()
    }

    /// Logs it.
    pub fn emit(&self) {
        crate::telemetry::StateRecovered {
            rung: self.rung.as_str(),
            why: &self.why.join("; "),
            accounts: self.accounts.len(),
        }
        .emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cloud;

    #[test]
    fn a_report_is_one_line_and_names_what_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let mut report = Recovery::new(Timestamp(0), vec!["a flipped\nbit".to_owned()]);
        report.rung = Rung::Snapshot { name: "x.cgsnap".to_owned() };
        report.reaches = Some(Timestamp::of_day(3));
        report.lose(
            &AccountId::new("shop", Cloud::Public),
            Fate::Older,
            Some(Timestamp::of_day(2)),
            None,
        );
        report.append(dir.path()).unwrap();
        report.append(dir.path()).unwrap();
        let text = std::fs::read_to_string(DataDir::new(dir.path()).recovery()).unwrap();
        assert_eq!(text.lines().count(), 2);
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(line["rung"], "snapshot");
        assert_eq!(line["name"], "x.cgsnap");
        assert_eq!(line["accounts"][0]["account"], "public/shop");
        assert_eq!(line["accounts"][0]["fate"], "older");
        assert_eq!(line["accounts"][0]["since"], "1970-01-03T00:00:00Z");
        assert_eq!(line["reaches"], "1970-01-04T00:00:00Z");
    }
}
