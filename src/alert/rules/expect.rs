//! What was announced: work on a ticket by a principal, from a place, or a volume.
//!
//! An expectation marks alerts and teaches nothing: what a baseline holds back stays held back. Who
//! wants it learnt says so of one of its alerts, with a verdict.
use super::{Filter, NAME_CHARS_MAX, RuleError, Subject, said};
use crate::detect::AlertKind;
use crate::time::Timestamp;

/// Something that is expected between two moments. Which alerts it covers:
///
/// * it names kinds: these;
/// * it names none: places and key operations; volume only where bytes are given. Nobody expects a
///   Tor exit, a listed address or an injection without saying so.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Who and where.
    pub filter: Filter,
    /// Volume alerts are expected up to this many bytes in the window that was judged.
    pub bytes_max: Option<u64>,
    /// First event time; the last event of an alert lies in the span.
    pub start: Timestamp,
    /// First event time behind it.
    pub end: Timestamp,
    /// Where it was announced.
    pub ticket: String,
}

impl Expectation {
    /// Checks the ticket.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn ticket(text: &str) -> Result<String, RuleError> {
        said("ticket", text, NAME_CHARS_MAX)
    }

    /// It names neither principal nor place nor volume.
    pub fn says_nothing(&self) -> bool {
        let Filter { principal, networks, country, asn, .. } = &self.filter;
        principal.is_none()
            && networks.is_empty()
            && country.is_none()
            && asn.is_none()
            && self.bytes_max.is_none()
    }

    /// It announced this alert.
    pub fn covers(&self, subject: &Subject) -> bool {
        let kind = if self.filter.kinds.is_empty() {
            matches!(
                subject.kind,
                AlertKind::GeoAnomaly
                    | AlertKind::MaliciousScript
                    | AlertKind::SuspiciousPrincipal
                    | AlertKind::DataExfiltration
            )
        } else {
            self.filter.kinds.contains(&subject.kind)
        };
        let volume = match (subject.kind, self.bytes_max) {
            (AlertKind::DataExfiltration, Some(max)) => {
                subject.volume.is_some_and(|bytes| bytes <= max as f64)
            }
            (AlertKind::DataExfiltration, None) => false,
            // Volume alone was announced: nothing else.
            (_, Some(_)) => self.names_who_or_where(),
            (_, None) => true,
        };
        kind && volume
            && self.start <= subject.end
            && subject.end < self.end
            && self.filter.fits(subject)
    }

    fn names_who_or_where(&self) -> bool {
        !Expectation { bytes_max: None, ..self.clone() }.says_nothing()
    }
}
