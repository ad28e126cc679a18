//! Findings become alerts: one story a key ([`dedup`]), all sentences ([`narrate`]), the shapes that
//! leave the house ([`formats`]), the records that are kept of it ([`kept`]), the story read back
//! for a person ([`explain`]), what people decide of them ([`rules`]) and which of them belong
//! together ([`incident`]). Pure.
use std::fmt;

use sha2::{Digest, Sha256};

use crate::detect::{AlertKind, Finding};
use crate::ids::AccountId;
use crate::severity::Grade;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

pub use rules::Marks;

pub mod arm;
pub mod book;
pub mod dedup;
pub mod desk;
pub mod evidence;
pub mod explain;
pub mod formats;
pub mod incident;
pub mod kept;
pub mod kinds;
pub mod kql;
pub mod narrate;
pub mod properties;
pub mod report;
pub mod rules;
pub mod sinks;
#[cfg(test)]
pub(crate) mod testing;
pub mod told;
pub mod words;

/// Longest span of an alert, milliseconds: a day and the hours around it.
pub const SPAN_MAX_MS: i64 = 26 * HOUR_MS;
/// Longest span of a volume alert, milliseconds: the longest window that is watched is seven days.
pub const EGRESS_SPAN_MAX_MS: i64 = 8 * DAY_MS;

/// Identity of an alert: 128 bits of a SHA-256, the same for the same story in every run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertId(pub u128);

impl AlertId {
    /// Hash of kind, account, dedup key and the start of the story's window.
    pub fn new(kind: AlertKind, account: &AccountId, dedup: &str, window: Timestamp) -> AlertId {
        let mut hash = Sha256::new();
        // Lengths in front, so that no two different stories write the same bytes.
        for part in [kind.alert_type(), &account.key(), dedup] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(window.millis().to_be_bytes());
        let first = hash.finalize().iter().take(16).fold(0, |id, b| (id << 8) | u128::from(*b));
        AlertId(first)
    }
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<AlertId> {
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if hex { u128::from_str_radix(text, 16).ok().map(AlertId) } else { None }
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl fmt::Debug for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What leaves the house.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Stable over revisions.
    pub id: AlertId,
    /// 1 at opening, one more at each rise of severity.
    pub revision: u32,
    /// The finding that opened or raised the story; its span covers the story and fits the
    /// contract.
    pub finding: Finding,
    /// Its grade.
    pub grade: Grade,
    /// When the story's first finding was decided.
    pub opened: Timestamp,
    /// Findings of the story so far.
    pub findings: u64,
    /// It was raised by history that was replayed before the service began: nobody is to be woken
    /// for it.
    pub warm_up: bool,
    /// Decisions that cover it, and the incident that it belongs to.
    pub marks: Marks,
}

impl Alert {
    /// Longest span that an alert of this kind may cover, milliseconds.
    pub fn span_max_ms(kind: AlertKind) -> i64 {
        if kind == AlertKind::DataExfiltration { EGRESS_SPAN_MAX_MS } else { SPAN_MAX_MS }
    }
    /// Tells what a later finding of the story knows too, where it knows of more accounts: a sweep
    /// that goes on in the minutes after it was found is one alert that names all it reached, as
    /// long as its line is not written.
    pub fn widen(&mut self, later: Finding) {
        self.findings = self.findings.saturating_add(1);
        if later.accounts.len() <= self.finding.accounts.len() {
            return;
        }
        let start = self.finding.start.min(later.start);
        let end = self.finding.end.max(later.end);
        if end.since(start) > Alert::span_max_ms(later.kind) {
            return;
        }
        let (test, decided) = (self.finding.test, self.finding.decided);
        self.finding = Finding { start, end, test, decided, ..later };
    }
    /// The moment of generation in event time: the end of the minute that decided, and never
    /// before the story's end.
    pub fn generated(&self) -> Timestamp {
        self.finding.decided.max(self.finding.end).max(self.finding.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cloud;

    #[test]
    fn ids_are_stable_and_keep_stories_apart() {
        let account = AccountId::new("contoso-orders", Cloud::Public);
        let id = |kind, dedup: &str, at| AlertId::new(kind, &account, dedup, Timestamp(at));
        let first = id(AlertKind::GeoAnomaly, "sg", 0);
        assert_eq!(first, id(AlertKind::GeoAnomaly, "sg", 0));
        assert_eq!(first.to_string(), "ccab50a34ae353dab4ce5673d5fb5623");
        for other in [
            id(AlertKind::GeoAnomaly, "sg", 1),
            id(AlertKind::GeoAnomaly, "s", 0),
            id(AlertKind::TorAnomaly, "sg", 0),
            AlertId::new(
                AlertKind::GeoAnomaly,
                &AccountId::new("contoso-orders", Cloud::China),
                "sg",
                Timestamp(0),
            ),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(AlertId::parse(&first.to_string()), Some(first));
        for bad in ["", "7f3a", "+0000000000000000000000000000001", "zz"] {
            assert_eq!(AlertId::parse(bad), None);
        }
    }
}
