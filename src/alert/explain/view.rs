//! The parts of an alert's line that the page needs.
use serde::Deserialize;
use serde_json::Value;

use crate::alert::words::{clean, visible};
use crate::detect::Severity;

/// Why a line cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The line is not JSON.
    #[error("the line is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A part of the contract is missing.
    #[error(
        "the line has no `{0}`: it is not an alert in the form `defender`, the only one that can be explained"
    )]
    Missing(&'static str),
}

/// The hours that are frozen in a volume alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// First hour, hours since the epoch.
    pub first: i64,
    /// Bytes an hour; `None` where there are no logs.
    pub observed: Vec<Option<f64>>,
}

/// One row of the evidence table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What.
    pub name: String,
    /// What was observed.
    pub observed: String,
    /// What is usual.
    pub usual: String,
    /// How rare, or empty.
    pub rarity: String,
    /// It broke its baseline.
    pub broke: bool,
}

/// An alert as its line tells it; every text is harmless to a terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// `alertType`.
    pub alert_type: String,
    /// Title.
    pub title: String,
    /// Account.
    pub account: String,
    /// Printed severity.
    pub severity: Severity,
    /// `Active`, `Resolved` …
    pub status: String,
    /// Revision.
    pub revision: u32,
    /// What happened.
    pub verdict: String,
    /// Why this severity.
    pub reason: String,
    /// The severity follows a rule.
    pub by_rule: bool,
    /// State and age of the baseline.
    pub baseline: (String, String),
    /// p·r, where it is a number.
    pub per_day: Option<f64>,
    /// Largest p·r for Low, Medium, High.
    pub limits: [Option<f64>; 3],
    /// Lowest severity of the kind.
    pub floor: Severity,
    /// Highest severity of the kind.
    pub cap: Severity,
    /// Evidence, broken first as it was frozen.
    pub rows: Vec<Row>,
    /// Hours (volume only).
    pub hours: Option<Hours>,
    /// Findings that belong together: when, what.
    pub story: Vec<(String, String)>,
    /// Operations of a sweep: when, on what, which.
    pub timeline: Vec<[String; 3]>,
    /// What would have kept it silent.
    pub silent: String,
    /// What to find out next.
    pub check_next: Vec<String>,
    /// What to do.
    pub remediation: Vec<String>,
}

#[derive(Deserialize)]
struct Head {
    name: String,
    properties: HeadProperties,
}

#[derive(Deserialize)]
struct HeadProperties {
    #[serde(rename = "extendedProperties", default)]
    extended: HeadExtended,
}

#[derive(Default, Deserialize)]
struct HeadExtended {
    #[serde(rename = "Revision", default)]
    revision: String,
}

/// Id and revision of a line, without reading the rest.
pub(super) fn head(line: &str) -> Option<(String, u32)> {
    let head: Head = serde_json::from_str(line).ok()?;
    Some((head.name.to_ascii_lowercase(), head.properties.extended.revision.parse().unwrap_or(1)))
}

impl AlertView {
    /// Reads one line.
    ///
    /// # Errors
    /// Where it is not JSON or lacks id, kind, title, severity, or account.
    pub fn read(line: &str) -> Result<AlertView, ExplainError> {
        let whole: Value = serde_json::from_str(line)?;
        let body = whole.get("properties").ok_or(ExplainError::Missing("properties"))?;
        let need = |name: &'static str| {
            let text = body.get(name).and_then(Value::as_str);
            text.map(clean).ok_or(ExplainError::Missing(name))
        };
        let extended = body.get("extendedProperties");
        let extended = |name: &str| {
            let text = extended.and_then(|e| e.get(name)).and_then(Value::as_str);
            text.map(visible).unwrap_or_default()
        };
        let frozen: Value = serde_json::from_str(&extended("Evidence")).unwrap_or(Value::Null);
        let word = |name: &str| frozen.get(name).and_then(Value::as_str).and_then(Severity::parse);
        let severity = need("severity")?;
        Ok(AlertView {
            id: whole
                .get("name")
                .and_then(Value::as_str)
                .map(clean)
                .ok_or(ExplainError::Missing("name"))?,
            alert_type: need("alertType")?,
            title: need("alertDisplayName")?,
            account: need("compromisedEntity")?,
            severity: Severity::parse(&severity).ok_or(ExplainError::Missing("severity"))?,
            status: need("status").unwrap_or_else(|_| "Active".to_owned()),
            revision: extended("Revision").parse().unwrap_or(1),
            verdict: extended("Verdict"),
            reason: extended("Severity reason"),
            by_rule: extended("Severity basis") == "rule",
            baseline: (extended("Baseline state"), extended("Baseline age (days)")),
            per_day: frozen.get("perDay").and_then(Value::as_f64),
            limits: [0, 1, 2].map(|i| frozen.get("limits")?.get(i)?.as_f64()),
            floor: word("floor").unwrap_or(Severity::Low),
            cap: word("cap").unwrap_or(Severity::High),
            rows: rows(body),
            hours: hours(&frozen),
            story: texts(&frozen, "story").into_iter().map(|[at, what]| (at, what)).collect(),
            timeline: texts(&frozen, "timeline"),
            silent: extended("Silent"),
            check_next: parts(&extended("Check next")),
            remediation: list(body.get("remediationSteps")),
        })
    }
}

fn parts(text: &str) -> Vec<String> {
    text.split("; ").filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

fn list(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(visible).collect()
}

fn text_at(items: &[Value], at: usize) -> String {
    items.get(at).and_then(Value::as_str).map(visible).unwrap_or_default()
}

/// Rows of `N` texts.
fn texts<const N: usize>(frozen: &Value, name: &str) -> Vec<[String; N]> {
    let rows = frozen.get(name).and_then(Value::as_array);
    let rows = rows.into_iter().flatten().filter_map(Value::as_array);
    rows.map(|items| std::array::from_fn(|at| text_at(items, at))).collect()
}

fn rows(body: &Value) -> Vec<Row> {
    let rows = body.get("supportingEvidence").and_then(|e| e.get("rows"));
    let rows = rows.and_then(Value::as_array);
    rows.into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .map(|items| Row {
            name: text_at(items, 0),
            observed: text_at(items, 1),
            usual: text_at(items, 2),
            rarity: text_at(items, 3),
            broke: text_at(items, 4) == "broke",
        })
        .collect()
}

fn hours(frozen: &Value) -> Option<Hours> {
    let hours = frozen.get("hours")?;
    let unit = hours.get("unit")?.as_f64()?;
    let observed: Vec<Option<f64>> =
        hours.get("observed")?.as_array()?.iter().map(|v| v.as_f64().map(|v| v * unit)).collect();
    let first = hours.get("first")?.as_i64()?;
    (!observed.is_empty()).then_some(Hours { first, observed })
}
