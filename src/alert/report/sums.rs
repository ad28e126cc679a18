//! The figures.
use std::collections::BTreeMap;

use super::{AlertFact, Facts, Outcome};
use crate::detect::Severity;
use crate::severity::BANDS;
use crate::stats::gamma;
use crate::time::DAY_MS;

/// Expected alerts from which a ratio says something.
const EXPECTED_MIN: f64 = 17.0;
/// Confidence of intervals.
const CONFIDENCE: f64 = 0.95;
/// Most columns of the picture of alerts over time.
const COLUMNS_MAX: i64 = 62;

/// Alerts of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kind {
    /// `alertType`.
    pub kind: String,
    /// Title for people.
    pub title: String,
    /// Low, Medium, High.
    pub severities: [u64; 3],
    /// In the order of [`Outcome::ALL`].
    pub outcomes: [u64; 5],
}

/// How long something took, over all that it is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lasting {
    /// Of how many it is known.
    pub known: usize,
    /// Median, milliseconds.
    pub median_ms: Option<i64>,
    /// Nine of ten took at most so long, milliseconds.
    pub p90_ms: Option<i64>,
}

impl Lasting {
    /// Of so many milliseconds each. The quantiles are among them.
    pub fn of(mut all: Vec<i64>) -> Lasting {
        all.sort_unstable();
        let rank = |q: f64| (q * all.len() as f64).ceil() as usize;
        let at = |q| rank(q).checked_sub(1).and_then(|i| all.get(i).copied());
        Lasting { known: all.len(), median_ms: at(0.5), p90_ms: at(0.9) }
    }
}

/// What can be said of observed over promised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// So many times what is promised, and the bounds of that.
    Ratio(f64, [f64; 2]),
    /// Too little is expected for a ratio; at most so many times.
    TooFew(f64),
    /// Nothing was watched.
    Nothing,
}

/// Promised and observed false alarms of one severity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// Of which.
    pub severity: Severity,
    /// Innocent life brings at most so many.
    pub allowed: f64,
    /// Measured alerts that were found innocent.
    pub innocent: u64,
    /// Measured alerts of which nobody said what they were.
    pub unjudged: u64,
    /// Exact Poisson bounds of the rate behind `innocent`.
    pub bounds: [f64; 2],
    /// Observed over promised.
    pub share: Share,
}

/// The figures, and the facts behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is made of.
    pub facts: Facts,
    /// By kind, ascending.
    pub kinds: Vec<Kind>,
    /// All kinds together, by severity: Low, Medium, High, each by outcome.
    pub severities: [[u64; 5]; 3],
    /// From the first record to the alert.
    pub detect: Lasting,
    /// From the alert to its end.
    pub close: Lasting,
    /// Low, Medium, High.
    pub promise: [Promise; 3],
    /// Alerts whose severity follows a rule, and how many of them were found innocent.
    pub by_rule: (u64, u64),
    /// Days a column.
    pub column_days: i64,
    /// Alerts by column from the first day of the span: Low, Medium, High.
    pub columns: Vec<[u64; 3]>,
}

fn index(severity: Severity) -> usize {
    BANDS.iter().position(|band| *band == severity).unwrap_or(0)
}

fn outcome_index(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|o| *o == outcome).unwrap_or(0)
}

impl Report {
    /// Of these facts.
    pub fn of(facts: Facts) -> Report {
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        let mut severities = [[0; 5]; 3];
        for alert in &facts.alerts {
            let (severity, outcome) = (index(alert.severity), outcome_index(alert.outcome));
            let kind = kinds.entry(alert.kind.clone()).or_default();
            (kind.kind, kind.title) = (alert.kind.clone(), alert.title.clone());
            kind.severities[severity] += 1;
            kind.outcomes[outcome] += 1;
            severities[severity][outcome] += 1;
        }
        let since = |alert: &AlertFact| alert.raised.since(alert.start).max(0);
        let closed = |alert: &AlertFact| alert.closed.map(|at| at.since(alert.raised));
        let by_rule: Vec<&AlertFact> = facts.alerts.iter().filter(|a| a.by_rule).collect();
        let innocent = by_rule.iter().filter(|a| a.outcome == Outcome::Innocent).count() as u64;
        let (column_days, columns) = columns(&facts);
        Report {
            kinds: kinds.into_values().collect(),
            severities,
            detect: Lasting::of(facts.alerts.iter().map(since).collect()),
            close: Lasting::of(facts.alerts.iter().filter_map(closed).collect()),
            promise: BANDS.map(|severity| promise(severity, &facts)),
            by_rule: (by_rule.len() as u64, innocent),
            column_days,
            columns,
            facts,
        }
    }

    /// Alerts in all.
    pub fn alerts(&self) -> usize {
        self.facts.alerts.len()
    }

    /// Alerts of a severity.
    pub fn of_severity(&self, severity: Severity) -> u64 {
        self.severities[index(severity)].iter().sum()
    }

    /// Alerts with an outcome.
    pub fn of_outcome(&self, outcome: Outcome) -> u64 {
        self.severities.iter().map(|row| row[outcome_index(outcome)]).sum()
    }
}

fn promise(severity: Severity, facts: &Facts) -> Promise {
    let measured = || facts.alerts.iter().filter(|a| a.severity == severity && !a.by_rule);
    let innocent = measured().filter(|a| a.outcome == Outcome::Innocent).count() as u64;
    let unjudged = measured().filter(|a| a.outcome.is_unjudged()).count() as u64;
    let allowed = facts.allowed[index(severity)].max(0.0);
    let bounds = gamma::poisson_bounds(innocent, CONFIDENCE);
    let share = if !(allowed > 0.0 && allowed.is_finite()) {
        Share::Nothing
    } else if allowed < EXPECTED_MIN {
        Share::TooFew(bounds[1] / allowed)
    } else {
        Share::Ratio(innocent as f64 / allowed, bounds.map(|bound| bound / allowed))
    };
    Promise { severity, allowed, innocent, unjudged, bounds, share }
}

/// Alerts over time, in columns of whole days.
fn columns(facts: &Facts) -> (i64, Vec<[u64; 3]>) {
    let first = facts.span.from.day();
    let last = facts.span.to.plus_ms(-1).day().max(first);
    let days = last.saturating_sub(first).saturating_add(1);
    let step = days.saturating_add(COLUMNS_MAX - 1) / COLUMNS_MAX;
    let mut columns = vec![[0; 3]; (days.saturating_add(step - 1) / step) as usize];
    for alert in &facts.alerts {
        let at = alert.raised.since(crate::time::Timestamp::of_day(first)) / (step * DAY_MS);
        if let Some(column) = columns.get_mut(at.max(0) as usize) {
            column[index(alert.severity)] += 1;
        }
    }
    (step, columns)
}
