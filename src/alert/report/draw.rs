//! The two pictures. Each says in words what it shows, and a table beside it has the figures.
use super::markup::Markup;
use super::sums::{Promise, Report};
use crate::alert::words;
use crate::severity::BANDS;
use crate::time::{DAY_MS, Timestamp};

const WIDTH: f64 = 720.0;
const FLOOR: f64 = 112.0;
const CEILING: f64 = 14.0;

/// Alerts over time, stacked by severity, the gravest on top.
pub(super) fn over_time(out: &mut Markup, report: &Report) {
    let most = report.columns.iter().map(|c| c.iter().sum::<u64>()).max().unwrap_or(0).max(1);
    let step = WIDTH / report.columns.len().max(1) as f64;
    let days = words::plural(report.column_days as f64, "day", "days");
    out.put(
        "<figure><svg viewBox=\"0 0 720 132\" role=\"img\" aria-label=\"",
        &format!(
            "Alerts over time: {} in all, at most {most} in a column of {days}.",
            report.alerts(),
        ),
        "\"><line class=\"rule\" x1=\"0\" x2=\"720\" y1=\"112.5\" y2=\"112.5\"/>",
    );
    for (n, column) in report.columns.iter().enumerate() {
        let mut below = FLOOR;
        for (band, class) in [
            (0, "<rect class=\"f low\""),
            (1, "<rect class=\"f medium\""),
            (2, "<rect class=\"f high\""),
        ] {
            let height = column[band] as f64 / most as f64 * (FLOOR - CEILING);
            if column[band] == 0 {
                continue;
            }
            below -= height;
            out.raw(class);
            place(out, [n as f64 * step + step * 0.12, below, (step * 0.76).min(28.0), height]);
        }
    }
    let facts = &report.facts;
    label(out, "<text class=\"t\" y=\"128\" x=\"", 0.0, &day(facts.span.from));
    let last = facts.span.to.plus_ms(-1).max(facts.span.from);
    label(out, "<text class=\"t end\" y=\"128\" x=\"", WIDTH, &day(last));
    label(out, "<text class=\"t\" y=\"10\" x=\"", 0.0, &format!("{most} at most"));
    let text = match report.column_days {
        1 => "Alerts a day, by severity.".to_owned(),
        n => format!("Alerts by severity, {n} days a column."),
    };
    out.put("</svg><figcaption>", &text, "</figcaption></figure>");
}

fn place(out: &mut Markup, [x, y, width, height]: [f64; 4]) {
    out.raw(" x=\"");
    out.at(x);
    out.raw("\" y=\"");
    out.at(y);
    out.raw("\" width=\"");
    out.at(width);
    out.raw("\" height=\"");
    out.at(height);
    out.raw("\"/>");
}

fn label(out: &mut Markup, open: &'static str, x: f64, text: &str) {
    out.raw(open);
    out.at(x);
    out.put("\">", text, "</text>");
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Promised and observed false alarms: a bar as long as what is allowed, the innocent ones in it, and
/// how far it could reach if all unjudged ones were innocent too.
pub(super) fn promise(out: &mut Markup, promises: &[Promise; 3]) {
    let most = promises.iter().map(|p| p.allowed.max((p.innocent + p.unjudged) as f64));
    let most = most.fold(1.0, f64::max);
    let scale = |value: f64| value / most * 560.0;
    let said: Vec<String> = promises.iter().rev().map(said).collect();
    out.put(
        "<figure><svg viewBox=\"0 0 720 120\" role=\"img\" aria-label=\"",
        &format!("Promised and observed false alarms. {}", said.join(". ")),
        "\">",
    );
    for (n, promise) in promises.iter().rev().enumerate() {
        let y = 8.0 + n as f64 * 38.0;
        out.raw("<text class=\"t name\" x=\"0\" y=\"");
        out.at(y + 15.0);
        out.put("\">", promise.severity.as_str(), "</text><rect class=\"allowed\"");
        place(out, [80.0, y, scale(promise.allowed), 22.0]);
        out.raw("<rect class=\"open\"");
        place(out, [80.0, y + 7.0, scale((promise.innocent + promise.unjudged) as f64), 8.0]);
        out.raw("<rect class=\"innocent\"");
        place(out, [80.0, y + 7.0, scale(promise.innocent as f64), 8.0]);
    }
    out.raw("</svg><figcaption><span class=\"key allowed\"></span> allowed at most <span class=\"key innocent\"></span> found innocent <span class=\"key open\"></span> nobody has said</figcaption></figure>");
}

fn said(promise: &Promise) -> String {
    format!(
        "{}: at most {} allowed, {} found innocent, {} not judged",
        promise.severity.as_str(),
        words::number(promise.allowed),
        promise.innocent,
        promise.unjudged
    )
}

/// All severities, the gravest first.
pub(super) fn gravest_first() -> impl Iterator<Item = (usize, crate::detect::Severity)> {
    BANDS.into_iter().enumerate().rev()
}

/// So many milliseconds, for people.
pub(super) fn lasting(ms: Option<i64>) -> String {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    let Some(ms) = ms else { return "not known".to_owned() };
    let of = |unit: i64, name: &str| format!("{} {name}", words::number(ms as f64 / unit as f64));
    if ms < MINUTE {
        of(SECOND, "s")
    } else if ms < HOUR {
        of(MINUTE, "min")
    } else if ms < DAY_MS {
        of(HOUR, "h")
    } else {
        of(DAY_MS, "d")
    }
}
