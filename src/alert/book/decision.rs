//! What people say of an alert.
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Nobody has looked at it.
    #[default]
    Active,
    /// Somebody is on it.
    InProgress,
    /// It is done with.
    Resolved,
    /// It is not worth a look; the reason says why.
    Dismissed,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 4] =
        [Status::Active, Status::InProgress, Status::Resolved, Status::Dismissed];
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "Active",
            Status::InProgress => "InProgress",
            Status::Resolved => "Resolved",
            Status::Dismissed => "Dismissed",
        }
    }
    /// Reads the word, any case.
    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text))
    }
}

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An attack.
    Malicious,
    /// Known and wanted.
    Expected,
    /// Not an attack, and not known before.
    Benign,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 3] = [Verdict::Malicious, Verdict::Expected, Verdict::Benign];
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Malicious => "malicious",
            Verdict::Expected => "expected",
            Verdict::Benign => "benign",
        }
    }
    /// Reads the word, any case.
    pub fn parse(text: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|v| v.as_str().eq_ignore_ascii_case(text))
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Number of its entry in the audit log.
    pub number: u64,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Where the alert stands from then on.
    pub status: Status,
    /// Why; may be empty.
    pub reason: String,
    /// What it was, if they said so.
    pub verdict: Option<Verdict>,
    /// It takes that decision back.
    pub undoes: Option<u64>,
}
