//! What happened in a span of time, for those who answer for it: alerts and what became of them, how
//! long it took, the promised and the observed false alarms, and what nobody could have seen.
//!
//! Pure: [`Facts`] in, [`Report`] out, and two ways to write it ([`html()`], [`csv()`]). Who reads the
//! facts from a store is another's affair.
use crate::alert::AlertId;
use crate::alert::rules::DecisionView;
use crate::detect::Severity;
use crate::time::Timestamp;

mod csv;
mod draw;
mod facts;
mod html;
mod markup;
mod sums;
#[cfg(test)]
mod tests;

pub use csv::{alerts as alerts_csv, csv};
pub use facts::alerts;
pub use html::html;
pub use sums::{Kind, Lasting, Promise, Report, Share};

/// From a moment up to another, the second left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub to: Timestamp,
}

impl Span {
    /// `at` lies in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An attack.
    Attack,
    /// Innocent life: benign, expected, or dismissed.
    Innocent,
    /// Dealt with; nobody said what it was.
    Resolved,
    /// Somebody is on it.
    InProgress,
    /// Nobody has looked at it.
    Open,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] =
        [Outcome::Attack, Outcome::Innocent, Outcome::Resolved, Outcome::InProgress, Outcome::Open];
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Attack => "attack",
            Outcome::Innocent => "innocent",
            Outcome::Resolved => "resolved",
            Outcome::InProgress => "in progress",
            Outcome::Open => "open",
        }
    }
    /// Nobody said what it was.
    pub fn is_unjudged(self) -> bool {
        !matches!(self, Outcome::Attack | Outcome::Innocent)
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertFact {
    /// Its identity.
    pub id: AlertId,
    /// `alertType`.
    pub kind: String,
    /// Title for people.
    pub title: String,
    /// Account that it is filed under.
    pub account: String,
    /// Severity of its newest line.
    pub severity: Severity,
    /// The severity follows a rule.
    pub by_rule: bool,
    /// First record that it speaks of.
    pub start: Timestamp,
    /// When its first line was raised, event time.
    pub raised: Timestamp,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A category that accounts do not send.
#[derive(Clone, Debug, PartialEq)]
pub struct Blind {
    /// What is missing.
    pub missing: String,
    /// What is not judged without it.
    pub blind: String,
    /// Whose, ascending.
    pub accounts: Vec<String>,
}

/// A time in which something was not seen or not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Degraded {
    /// An account, or empty where it is the whole service.
    pub account: String,
    /// What.
    pub what: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: still.
    pub until: Option<Timestamp>,
}

/// What a report is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Of when.
    pub span: Span,
    /// When it is made, wall clock.
    pub made: Timestamp,
    /// Alerts that were raised in the span.
    pub alerts: Vec<AlertFact>,
    /// Accounts with a model.
    pub accounts: usize,
    /// Account-days with logs in the span.
    pub account_days: f64,
    /// Alerts that innocent life brings at most in them: Low, Medium, High.
    pub allowed: [f64; 3],
    /// What accounts do not send.
    pub blind: Vec<Blind>,
    /// Accounts of the inventory that never logged.
    pub never_logged: Vec<String>,
    /// Rules, expectations and trusted networks in effect at the end of the span.
    pub decisions: Vec<DecisionView>,
    /// What was not seen or not kept.
    pub degraded: Vec<Degraded>,
    /// What the reader has to know of these figures.
    pub notes: Vec<String>,
}
