//! The evidence that is frozen in an alert, as compact JSON text, so that the story can be told and
//! drawn months later from the alert alone. Numbers only; sentences stand beside it.
use serde_json::{Map, Value, json};

use super::{Alert, narrate, words};
use crate::detect::{Evidence, HourEvidence};

/// Timeline rows kept.
const TIMELINE_MAX: usize = 40;
/// Hours kept.
pub const HOURS_MAX: usize = 72;
/// Names of the series of an hour, in the order in which they stand in the evidence.
pub const SERIES: [&str; 9] =
    ["observed", "q05", "q25", "q50", "q75", "q95", "low", "medium", "high"];

/// The text of the `Evidence` property.
pub fn frozen(alert: &Alert) -> String {
    let grade = &alert.grade;
    let mut map = Map::new();
    map.insert("v".to_owned(), json!(1));
    map.insert("perDay".to_owned(), rounded(grade.nominal_per_day));
    map.insert("limits".to_owned(), grade.limits_per_day.iter().map(|l| rounded(*l)).collect());
    map.insert("floor".to_owned(), json!(grade.floor.as_str()));
    map.insert("cap".to_owned(), json!(grade.cap.as_str()));
    map.insert("byBudget".to_owned(), json!(grade.by_budget.as_str()));
    map.insert(
        "story".to_owned(),
        narrate::story(alert).into_iter().map(|(at, what)| json!([at, what])).collect(),
    );
    match &alert.finding.evidence {
        Evidence::Volume(volume) => {
            map.insert(
                "thresholds".to_owned(),
                volume.thresholds.iter().map(|t| rounded(*t)).collect(),
            );
            map.insert("hours".to_owned(), hours(&volume.hours));
        }
        Evidence::Sweep(sweep) => {
            map.insert(
                "timeline".to_owned(),
                sweep
                    .timeline
                    .iter()
                    .take(TIMELINE_MAX)
                    .map(|(at, what, operation)| {
                        json!([at.to_string(), words::clean(what), words::clean(operation)])
                    })
                    .collect(),
            );
        }
        Evidence::Listed(_)
        | Evidence::Place(_)
        | Evidence::Principal(_)
        | Evidence::Query(_)
        | Evidence::Burst(_) => {}
    }
    Value::Object(map).to_string()
}

/// Three significant digits; `null` for what is no number.
fn rounded(value: f64) -> Value {
    let text = format!("{value:.2e}");
    text.parse::<f64>().ok().filter(|v| v.is_finite()).map_or(Value::Null, |v| json!(v))
}

/// The last hours as columns: whole multiples of a unit that leaves three digits to the largest.
fn hours(hours: &[HourEvidence]) -> Value {
    let hours = hours.get(hours.len().saturating_sub(HOURS_MAX)..).unwrap_or_default();
    let largest =
        hours.iter().flat_map(row).flatten().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let unit = 1000f64.powi(((largest.max(1.0).log10() / 3.0).floor() as i32 - 1).max(0));
    let mut map = Map::new();
    map.insert("first".to_owned(), json!(hours.first().map_or(0, |h| h.hour)));
    map.insert("unit".to_owned(), json!(unit as u64));
    for (at, name) in SERIES.into_iter().enumerate() {
        let column = hours.iter().map(|h| whole(row(h)[at], unit)).collect();
        map.insert(name.to_owned(), column);
    }
    Value::Object(map)
}

fn row(hour: &HourEvidence) -> [Option<f64>; 9] {
    let [q05, q25, q50, q75, q95] = hour.quantiles.map(Some);
    let [low, medium, high] = hour.thresholds.map(Some);
    [hour.observed, q05, q25, q50, q75, q95, low, medium, high]
}

fn whole(value: Option<f64>, unit: f64) -> Value {
    match value {
        Some(v) if v.is_finite() => {
            let three: f64 = format!("{:.2e}", v / unit).parse().unwrap_or(0.0);
            json!(three.round() as i64)
        }
        _ => Value::Null,
    }
}
