//! What a run counted.
use std::collections::BTreeMap;

use super::pipeline::DecodedChunk;
use crate::alert::Alert;
use crate::detect::Severity;
use crate::event::{Category, Event};
use crate::ids::Text;
use crate::severity::Basis;
use crate::source::RefusedRecord;
use crate::time::Timestamp;

/// Counts of a run. Records that carry no event are in none of the event counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// Records decoded into events and taken in.
    pub events: u64,
    /// Events by category, in the order of [`Category::ALL`].
    pub by_category: [u64; Category::ALL.len()],
    /// Refused records by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Well-formed records of categories that we do not know, by name.
    pub unknown_categories: BTreeMap<Text, u64>,
    /// Well-formed records of other resources.
    pub other_resources: u64,
    /// Copies of records, dropped.
    pub duplicates: u64,
    /// Records before `from` or not before `until`.
    pub outside_span: u64,
    /// Records that an earlier run into the same store had applied.
    pub applied_before: u64,
    /// Records that came when their ten minutes were closed already (also in `events`).
    pub late: u64,
    /// Query texts whose inner JSON was broken, kept raw.
    pub raw_query_texts: u64,
    /// First and last event time taken in.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Days on which an account had logs, summed over accounts.
    pub account_days: u64,
    /// Alerts opened, by severity as it stands now: measured, by rule.
    pub alerts: BTreeMap<Severity, [u64; 2]>,
    /// Severity and basis of each alert now, by id, so that a rise moves its count.
    by_id: BTreeMap<crate::alert::AlertId, (Severity, usize)>,
    /// Alert lines written.
    pub alert_lines: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            events: 0,
            by_category: [0; Category::ALL.len()],
            refused: BTreeMap::new(),
            unknown_categories: BTreeMap::new(),
            other_resources: 0,
            duplicates: 0,
            outside_span: 0,
            applied_before: 0,
            late: 0,
            raw_query_texts: 0,
            span: None,
            account_days: 0,
            alerts: BTreeMap::new(),
            by_id: BTreeMap::new(),
            alert_lines: 0,
        }
    }
}

impl Counts {
    /// Counts what came with a chunk besides events.
    pub fn note_chunk(&mut self, chunk: &DecodedChunk) {
        for (name, count) in &chunk.unknown_categories {
            *self.unknown_categories.entry(name.clone()).or_default() += count;
        }
        self.other_resources += chunk.other_resources;
        self.raw_query_texts += chunk.raw_query_texts;
    }
    /// Counts a refused record.
    pub fn note_refused(&mut self, refused: &RefusedRecord) {
        *self.refused.entry(refused.refusal.reason.as_str()).or_default() += 1;
    }
    /// Counts an event.
    pub fn note_event(&mut self, event: &Event) {
        self.events += 1;
        if let Some(category) = event.category() {
            self.by_category[category as usize] += 1;
        }
        let (first, last) = self.span.unwrap_or((event.time, event.time));
        self.span = Some((first.min(event.time), last.max(event.time)));
    }
    /// Counts an alert line: a first one, or a rise of one counted before.
    pub fn note_alert(&mut self, alert: &Alert) {
        self.alert_lines += 1;
        let basis = usize::from(alert.grade.basis == Basis::Rule);
        if let Some((severity, basis)) = self.by_id.insert(alert.id, (alert.grade.severity, basis))
        {
            let counts = self.alerts.entry(severity).or_default();
            counts[basis] = counts[basis].saturating_sub(1);
        }
        self.alerts.entry(alert.grade.severity).or_default()[basis] += 1;
    }
    /// The alert to look at first: of the highest severity, the smallest id.
    pub fn first_to_read(&self) -> Option<crate::alert::AlertId> {
        self.by_id
            .iter()
            .max_by(|(ida, a), (idb, b)| (a.0, *idb).cmp(&(b.0, *ida)))
            .map(|(id, _)| *id)
    }
    /// All records that were refused.
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
    /// All records read, whatever came of them.
    pub fn records(&self) -> u64 {
        self.events
            + self.refused_total()
            + self.unknown_categories.values().sum::<u64>()
            + self.other_resources
            + self.duplicates
            + self.outside_span
            + self.applied_before
    }
    /// Alerts of a severity: measured and by rule.
    pub fn alerts_of(&self, severity: Severity) -> [u64; 2] {
        self.alerts.get(&severity).copied().unwrap_or_default()
    }
}
