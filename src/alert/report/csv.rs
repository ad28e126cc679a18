//! The report for a spreadsheet. A cell that a spreadsheet would take for a formula begins with an
//! apostrophe.
use super::sums::{Lasting, Report, Share};
use super::{AlertFact, Outcome};
use crate::alert::words;
use crate::severity::BANDS;

/// Columns of [`csv`].
const HEAD: [&str; 4] = ["section", "row", "column", "value"];
/// Columns of [`alerts`].
const ALERT_HEAD: [&str; 10] = [
    "alert",
    "kind",
    "title",
    "account",
    "severity",
    "basis",
    "first_record",
    "raised",
    "closed",
    "outcome",
];

/// Lines under way.
#[derive(Default)]
struct Lines(String);

/// A cell: quoted, on one line, no formula.
fn cell(text: &str) -> String {
    let text = words::visible(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

impl Lines {
    fn add<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells: Vec<String> = cells.iter().map(|text| cell(text.as_ref())).collect();
        self.0.push_str(&cells.join(","));
        self.0.push_str("\r\n");
    }
    fn row(&mut self, section: &str, row: &str, column: &str, value: &str) {
        self.add(&[section, row, column, value]);
    }
}

/// All figures of the report, one a line.
pub fn csv(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.add(&HEAD);
    let facts = &report.facts;
    lines.row("span", "", "from", &facts.span.from.to_string());
    lines.row("span", "", "to", &facts.span.to.to_string());
    lines.row("watched", "", "accounts", &facts.accounts.to_string());
    lines.row("watched", "", "account_days", &facts.account_days.to_string());
    for kind in &report.kinds {
        for (severity, n) in BANDS.iter().zip(kind.severities) {
            lines.row("kind", &kind.kind, severity.as_str(), &n.to_string());
        }
        for (outcome, n) in Outcome::ALL.iter().zip(kind.outcomes) {
            lines.row("kind", &kind.kind, outcome.as_str(), &n.to_string());
        }
    }
    for (severity, row) in BANDS.iter().zip(report.severities) {
        for (outcome, n) in Outcome::ALL.iter().zip(row) {
            lines.row("severity", severity.as_str(), outcome.as_str(), &n.to_string());
        }
    }
    lasting(&mut lines, "detect", report.detect);
    lasting(&mut lines, "close", report.close);
    promise(&mut lines, report);
    for blind in &facts.blind {
        for account in &blind.accounts {
            lines.row("blind", account, "missing", &blind.missing);
        }
    }
    for account in &facts.never_logged {
        lines.row("blind", account, "never_logged", "true");
    }
    decisions(&mut lines, report);
    for d in &facts.degraded {
        let until = d.until.map_or_else(String::new, |at| at.to_string());
        lines.row("degraded", &d.account, &d.what, &format!("{}/{until}", d.from));
    }
    for note in &facts.notes {
        lines.row("note", "", "", note);
    }
    lines.0
}

fn lasting(lines: &mut Lines, section: &str, lasting: Lasting) {
    let ms = |ms: Option<i64>| ms.map_or_else(String::new, |ms| ms.to_string());
    lines.row(section, "", "known", &lasting.known.to_string());
    lines.row(section, "", "median_ms", &ms(lasting.median_ms));
    lines.row(section, "", "p90_ms", &ms(lasting.p90_ms));
}

fn promise(lines: &mut Lines, report: &Report) {
    for p in &report.promise {
        let mut row = |column: &str, value: String| {
            lines.row("promise", p.severity.as_str(), column, &value);
        };
        row("allowed", words::number(p.allowed));
        row("innocent", p.innocent.to_string());
        row("unjudged", p.unjudged.to_string());
        row("innocent_low", words::number(p.bounds[0]));
        row("innocent_high", words::number(p.bounds[1]));
        match p.share {
            Share::Ratio(ratio, _) => row("observed_over_allowed", words::number(ratio)),
            Share::TooFew(_) => row("observed_over_allowed", "too few".to_owned()),
            Share::Nothing => {}
        }
    }
    lines.row("promise", "rule", "alerts", &report.by_rule.0.to_string());
    lines.row("promise", "rule", "innocent", &report.by_rule.1.to_string());
}

fn decisions(lines: &mut Lines, report: &Report) {
    for d in &report.facts.decisions {
        let mut row = |column: &str, value: &str| lines.row("decision", &d.id, column, value);
        row("what", d.what);
        row("about", &d.about);
        row("owner", &d.author);
        row("until", d.until.as_deref().unwrap_or_default());
        row("reason", &d.reason);
        row("ticket", d.ticket.as_deref().unwrap_or_default());
        row("hits_90_days", &d.hits_90_days.to_string());
    }
}

/// The alerts, one a line.
pub fn alerts(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.add(&ALERT_HEAD);
    report.facts.alerts.iter().for_each(|alert| lines.add(&alert_cells(alert)));
    lines.0
}

fn alert_cells(alert: &AlertFact) -> [String; 10] {
    [
        alert.id.to_string(),
        alert.kind.clone(),
        alert.title.clone(),
        alert.account.clone(),
        alert.severity.as_str().to_owned(),
        if alert.by_rule { "rule" } else { "measured" }.to_owned(),
        alert.start.to_string(),
        alert.raised.to_string(),
        alert.closed.map_or_else(String::new, |at| at.to_string()),
        alert.outcome.as_str().to_owned(),
    ]
}
