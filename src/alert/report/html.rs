//! The report as one page: no script, nothing to fetch, fit for paper.
use super::draw::{self, gravest_first, lasting};
use super::markup::{Cell, Markup};
use super::sums::{Promise, Report, Share};
use super::{AlertFact, Outcome};
use crate::alert::words;
use crate::detect::Severity;
use crate::time::Timestamp;

/// Rows of a list that is written out; the rest is counted.
const ROWS_MAX: usize = 50;
/// Accounts named in one row.
const NAMED_MAX: usize = 8;

/// Writes the page.
pub fn html(report: &Report) -> String {
    let mut out = Markup::default();
    out.raw(HEAD);
    header(&mut out, report);
    out.raw("<main>");
    summary(&mut out, report);
    kinds(&mut out, report);
    times(&mut out, report);
    promise(&mut out, report);
    coverage(&mut out, report);
    decisions(&mut out, report);
    degraded(&mut out, report);
    gravest(&mut out, report);
    notes(&mut out, report);
    out.raw("</main></body></html>\n");
    out.into_text()
}

fn moment(at: Timestamp) -> String {
    at.minutes_text()
}

fn header(out: &mut Markup, report: &Report) {
    let span = report.facts.span;
    out.raw("<header><p class=\"brand\">cosmoguard</p><h1>Alerts, promises and blind spots</h1>");
    let span = format!("{} to {} (UTC)", moment(span.from), moment(span.to));
    out.put("<p class=\"lead\">", &span, "</p>");
    out.put("<p class=\"small\">Made ", &moment(report.facts.made), "</p></header>");
}

/// The one sentence, and three figures.
fn summary(out: &mut Markup, report: &Report) {
    let open = report.of_outcome(Outcome::Open) + report.of_outcome(Outcome::InProgress);
    let attacks = report.of_outcome(Outcome::Attack);
    let sentence = match (report.alerts(), open) {
        (0, _) => "No alert was raised.".to_owned(),
        (n, open) => format!(
            "{}: {attacks} found to be an attack, {} innocent, {open} still open.",
            words::plural(n as f64, "alert was raised", "alerts were raised"),
            report.of_outcome(Outcome::Innocent),
        ),
    };
    out.put(
        "<section class=\"first\"><p class=\"verdict\">",
        &sentence,
        "</p><dl class=\"tiles\">",
    );
    let facts = &report.facts;
    let tile = |out: &mut Markup, name: &str, figure: String| {
        out.put("<div><dt>", name, "</dt>");
        out.put("<dd>", &figure, "</dd></div>");
    };
    for (_, severity) in gravest_first() {
        tile(out, severity.as_str(), report.of_severity(severity).to_string());
    }
    tile(out, "accounts watched", facts.accounts.to_string());
    tile(out, "account-days with logs", words::count(facts.account_days));
    tile(out, "from first record to alert (median)", lasting(report.detect.median_ms));
    out.raw("</dl>");
    draw::over_time(out, report);
    out.raw("</section>");
}

fn figure(n: u64) -> Cell {
    Cell::Figure(n.to_string())
}

fn kinds(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>What was raised, and what became of it</h2>");
    let heads = [
        ("kind", false),
        ("High", true),
        ("Medium", true),
        ("Low", true),
        ("attack", true),
        ("innocent", true),
        ("resolved", true),
        ("in progress", true),
        ("open", true),
    ];
    let rows: Vec<Vec<Cell>> = report
        .kinds
        .iter()
        .map(|kind| {
            let [low, medium, high] = kind.severities;
            let mut row = vec![Cell::Text(kind.title.clone())];
            row.extend([high, medium, low].map(figure));
            row.extend(kind.outcomes.map(figure));
            row
        })
        .collect();
    out.table("Alerts by kind: severity, and what became of them", &heads, &rows);
    let rows: Vec<Vec<Cell>> = gravest_first()
        .map(|(n, severity)| {
            let mut row = vec![Cell::Severity(severity)];
            row.extend(report.severities[n].map(figure));
            row
        })
        .collect();
    let heads = [
        ("severity", false),
        ("attack", true),
        ("innocent", true),
        ("resolved", true),
        ("in progress", true),
        ("open", true),
    ];
    out.table("Alerts by severity, and what became of them", &heads, &rows);
    out.raw("<p class=\"small\">Innocent: found benign or expected, or dismissed. Resolved: dealt with, and nobody said what it was.</p></section>");
}

fn times(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>How long it took</h2>");
    let heads = [("", false), ("median", true), ("nine of ten within", true), ("known of", true)];
    let row = |name: &str, lasting_of: super::Lasting| {
        vec![
            Cell::Text(name.to_owned()),
            Cell::Figure(lasting(lasting_of.median_ms)),
            Cell::Figure(lasting(lasting_of.p90_ms)),
            Cell::Figure(lasting_of.known.to_string()),
        ]
    };
    let rows = [
        row("from the first record to the alert", report.detect),
        row("from the alert to its end", report.close),
    ];
    out.table("Time to detect, in event time, and time to close", &heads, &rows);
    out.raw("</section>");
}

fn share(share: Share) -> String {
    match share {
        Share::Ratio(ratio, [low, high]) => format!(
            "{} times ({} to {})",
            words::number(ratio),
            words::number(low),
            words::number(high)
        ),
        Share::TooFew(high) => format!("too few; at most {} times", words::number(high)),
        Share::Nothing => "nothing watched".to_owned(),
    }
}

fn promise(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>False alarms: promised and observed</h2><p>Each severity promises how often innocent life brings it, over all kinds together and at most. The promise is kept while the observed share stays below one.</p>");
    draw::promise(out, &report.promise);
    let heads = [
        ("severity", false),
        ("allowed at most", true),
        ("found innocent", true),
        ("95 % bounds", true),
        ("not judged", true),
        ("observed over allowed", false),
    ];
    let row = |p: &Promise| {
        let [low, high] = p.bounds;
        vec![
            Cell::Severity(p.severity),
            Cell::Figure(words::number(p.allowed)),
            figure(p.innocent),
            Cell::Figure(format!("{} to {}", words::number(low), words::number(high))),
            figure(p.unjudged),
            Cell::Text(share(p.share)),
        ]
    };
    let rows: Vec<Vec<Cell>> = report.promise.iter().rev().map(row).collect();
    out.table("Promised and observed false alarms by severity", &heads, &rows);
    let (alerts, innocent) = report.by_rule;
    out.put(
        "<p class=\"small\">A share is given from 17 allowed alerts; below, its exact upper Poisson bound. Severities by rule (Tor, listed addresses) are apart: ",
        &format!("{alerts} alerts, {innocent} found innocent."),
        "</p></section>",
    );
}

/// The first few, and how many more.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn coverage(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>What could not be seen</h2>");
    let facts = &report.facts;
    if facts.blind.is_empty() && facts.never_logged.is_empty() {
        out.raw("<p>Every account sends every category that a detector reads.</p></section>");
        return;
    }
    let rows: Vec<Vec<Cell>> = facts
        .blind
        .iter()
        .map(|blind| {
            vec![
                Cell::Text(blind.missing.clone()),
                Cell::Figure(format!("{} of {}", blind.accounts.len(), facts.accounts)),
                Cell::Text(blind.blind.clone()),
                Cell::Text(some(&blind.accounts)),
            ]
        })
        .collect();
    let heads = [("missing", false), ("accounts", true), ("so", false), ("which", false)];
    out.table("Log categories that accounts do not send", &heads, &rows);
    if !facts.never_logged.is_empty() {
        let text =
            format!("{} never logged: {}", facts.never_logged.len(), some(&facts.never_logged));
        out.put("<p>Accounts of the inventory that ", &text, "</p>");
    }
    out.raw("</section>");
}

fn more(out: &mut Markup, left: usize) {
    if left > 0 {
        out.put("<p class=\"small\">", &format!("and {left} more, in report.csv"), "</p>");
    }
}

fn decisions(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>What is silenced, expected or trusted</h2>");
    let all = &report.facts.decisions;
    if all.is_empty() {
        out.raw("<p>Nothing: every alert is notified.</p></section>");
        return;
    }
    let time = |text: &Option<String>| {
        let at = text.as_deref().and_then(Timestamp::parse);
        at.map_or_else(|| "-".to_owned(), moment)
    };
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(ROWS_MAX)
        .map(|d| {
            vec![
                Cell::Text(d.id.clone()),
                Cell::Text(d.about.clone()),
                Cell::Text(d.author.clone()),
                Cell::Text(time(&d.until)),
                Cell::Figure(d.hits_90_days.to_string()),
                Cell::Text(match &d.ticket {
                    Some(ticket) => format!("{} ({ticket})", d.reason),
                    None => d.reason.clone(),
                }),
            ]
        })
        .collect();
    let heads = [
        ("name", false),
        ("which alerts", false),
        ("owner", false),
        ("until", false),
        ("hits in 90 days", true),
        ("why", false),
    ];
    out.table("Decisions in effect at the end", &heads, &rows);
    more(out, all.len().saturating_sub(ROWS_MAX));
    out.raw("</section>");
}

fn degraded(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>When less was seen than usual</h2>");
    let all = &report.facts.degraded;
    if all.is_empty() {
        out.raw("<p>Nothing of the kind is known.</p></section>");
        return;
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(ROWS_MAX)
        .map(|d| {
            let account = if d.account.is_empty() { "the service" } else { &d.account };
            vec![
                Cell::Text(account.to_owned()),
                Cell::Text(d.what.clone()),
                Cell::Text(moment(d.from)),
                Cell::Text(d.until.map_or_else(|| "still".to_owned(), moment)),
            ]
        })
        .collect();
    let heads = [("where", false), ("what", false), ("from", false), ("until", false)];
    out.table("Gaps, repairs and silent categories", &heads, &rows);
    more(out, all.len().saturating_sub(ROWS_MAX));
    out.raw("</section>");
}

/// Alerts that are worth a line each: the gravest, and those that were attacks.
fn gravest(out: &mut Markup, report: &Report) {
    let mut all: Vec<&AlertFact> = report
        .facts
        .alerts
        .iter()
        .filter(|a| a.severity > Severity::Low || a.outcome == Outcome::Attack)
        .collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|a| (std::cmp::Reverse(a.severity), a.raised, a.id));
    let left = all.len().saturating_sub(ROWS_MAX);
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(ROWS_MAX)
        .map(|a| {
            vec![
                Cell::Severity(a.severity),
                Cell::Text(a.title.clone()),
                Cell::Text(a.account.clone()),
                Cell::Text(moment(a.raised)),
                Cell::Text(a.outcome.as_str().to_owned()),
                Cell::Text(a.id.to_string().chars().take(8).collect()),
            ]
        })
        .collect();
    out.raw("<section><h2>The alerts that matter most</h2>");
    let heads = [
        ("severity", false),
        ("what", false),
        ("account", false),
        ("raised", false),
        ("became", false),
        ("alert", false),
    ];
    out.table("Medium and High alerts, and attacks", &heads, &rows);
    if left > 0 {
        out.put("<p class=\"small\">", &format!("and {left} more, in alerts.csv"), "</p>");
    }
    out.raw("</section>");
}

fn notes(out: &mut Markup, report: &Report) {
    out.raw("<section><h2>How to read the figures</h2><ul>");
    for note in &report.facts.notes {
        out.put("<li>", note, "</li>");
    }
    out.raw("</ul></section>");
}

/// Head and style: the tokens of the dashboard.
const HEAD: &str = concat!(
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
    "<title>cosmoguard report</title><style>",
    include_str!("report.css"),
    "</style></head><body>"
);
