//! What a value may be, beyond its type. A detector must not fall silent over a slip of the pen.
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::dotted;
use crate::alert::sinks::settings::{self, Routes, Rule, SinkSettings};

/// Most threads: far more than any machine gains from.
const THREADS_MAX: i64 = 256;
/// Longest lateness, minutes: Azure delivers nothing later.
const LATENESS_MAX: i64 = 2 * 1440;
/// Most hours between two snapshots: a year. 0 says never better.
const EVERY_HOURS_MAX: i64 = 366 * 24;
/// Most snapshots of one rule: three years of days.
const KEEP_MAX: i64 = 1100;
/// Most records of a chunk: an account's messages must stay small.
const BATCH_MAX: i64 = 1 << 20;

/// Longest wait for more of a story, seconds: an alert that waits longer is news no more.
const GROUP_WAIT_MAX: i64 = 3600;
/// Most alerts of one message.
const GROUP_MAX: i64 = 100;

/// Words that a text may be.
const WORDS: &[(&str, &[&str])] = &[
    ("alerts.format", &["defender", "ocsf", "ecs", "cef", "securityalert"]),
    ("profile.severity.mode", &["budget", "defender-2022", "defender-2024"]),
    (".floor", SEVERITIES),
    (".cap", SEVERITIES),
    (".defender_2022", SEVERITIES),
    (".defender_2024", SEVERITIES),
];
const SEVERITIES: &[&str] = &["Low", "Medium", "High"];

/// Whole numbers with bounds of their own; all others are 0 or more.
const WHOLE: &[(&str, i64, i64)] = &[
    ("replay.threads", 0, THREADS_MAX),
    ("replay.batch_records", 1, BATCH_MAX),
    ("replay.awake_accounts", 1, i64::MAX),
    ("replay.checkpoint_records", 1, i64::MAX),
    ("replay.checkpoint_seconds", 1, i64::MAX),
    ("serve.poll_seconds", 1, 3600),
    ("serve.checkpoint_seconds", 1, 3600),
    ("serve.drain_seconds", 1, 3600),
    ("serve.inbox_bytes", 1 << 20, i64::MAX),
    ("snapshots.every_hours", 0, EVERY_HOURS_MAX),
    ("snapshots.keep_last", 1, KEEP_MAX),
    ("snapshots.keep_daily", 0, KEEP_MAX),
    ("snapshots.keep_weekly", 0, KEEP_MAX),
    ("profile.time.lateness_minutes", 0, LATENESS_MAX),
    ("server.workers", 1, 64),
    ("server.connections", 8, 25_000),
    ("routes.digest_hour", 0, 23),
    ("routes.group_wait_seconds", 0, GROUP_WAIT_MAX),
    ("routes.group_max", 1, GROUP_MAX),
];

/// Endings of numbers that divide or scale: more than 0.
const POSITIVE: &[&str] = &[
    "half_life_days",
    "exposure_days",
    "prior_days",
    "prior_bytes",
    "arrival_shape",
    "arrival_days",
    "unseen_days",
    "unseen_places",
    "unseen_principals",
    "scale_cap",
    "scale_min",
    "combination",
    "dispersion_clip",
    "winsor_recurrence",
    "escalation",
    "tests_min",
    "new_for_days",
    "base_share_days",
    "budget.high",
    "budget.medium",
    "budget.low",
    "server.requests_per_second",
    "server.burst",
];

/// Endings of shares and probabilities: at most 1.
const SHARES: &[&str] = &[
    "_p",
    "_share",
    "combination",
    "quarantine_weight",
    "travel_factor",
    "first_public",
    "budget.high",
    "budget.medium",
    "budget.low",
];

/// Endings of pairs: the first is not larger than the second. Only `clip` may be negative.
const PAIRS: &[&str] = &["_bounds", "drip_clip"];
const NEGATIVE: &[&str] = &["drip_clip"];

/// The first value that cannot be used: its dotted key, and why.
pub fn first_wrong(settings: &Table) -> Option<(String, String)> {
    let mut wrong = Vec::new();
    walk(settings, &mut Vec::new(), &mut wrong);
    relations(settings, &mut wrong);
    sinks(settings, &mut wrong);
    wrong.into_iter().next()
}

fn walk(table: &Table, path: &mut Vec<String>, wrong: &mut Vec<(String, String)>) {
    for (name, value) in table {
        path.push(name.clone());
        match value {
            Value::Table(inner) => walk(inner, path, wrong),
            value => {
                let key = dotted(path);
                if let Some(why) = leaf(&key, value) {
                    wrong.push((key, why));
                }
            }
        }
        path.pop();
    }
}

fn leaf(key: &str, value: &Value) -> Option<String> {
    let ends = |endings: &[&str]| endings.iter().any(|e| key.ends_with(e));
    match value {
        Value::String(word) => {
            let (_, known) = WORDS.iter().find(|(ending, _)| key.ends_with(ending))?;
            let list = known.join(", ");
            (!known.contains(&word.as_str())).then(|| format!("must be one of {list}"))
        }
        Value::Integer(n) => {
            let own = WHOLE.iter().find(|(k, _, _)| *k == key);
            let (least, most) = own.map_or((0, i64::MAX), |(_, least, most)| (*least, *most));
            if *n < least {
                Some(format!("must be {least} or more"))
            } else {
                (*n > most).then(|| format!("must be {most} or less"))
            }
        }
        Value::Float(x) => number(*x, &ends),
        Value::Array(items) => array(items, &ends, key),
        _ => None,
    }
}

fn number(x: f64, ends: &dyn Fn(&[&str]) -> bool) -> Option<String> {
    if !x.is_finite() {
        Some("must be a finite number".to_owned())
    } else if ends(POSITIVE) && x <= 0.0 {
        Some("must be more than 0".to_owned())
    } else if !ends(NEGATIVE) && x < 0.0 {
        Some("must be 0 or more".to_owned())
    } else {
        (ends(SHARES) && x > 1.0).then(|| "must be at most 1".to_owned())
    }
}

fn array(items: &[Value], ends: &dyn Fn(&[&str]) -> bool, key: &str) -> Option<String> {
    if let Some(why) = items.iter().filter_map(Value::as_float).find_map(|x| number(x, ends)) {
        return Some(format!("each of it {why}"));
    }
    if items.iter().filter_map(Value::as_integer).any(|n| n < 0) {
        return Some("each of it must be 0 or more".to_owned());
    }
    let numbers: Vec<f64> = items.iter().filter_map(Value::as_float).collect();
    if ends(PAIRS)
        && let [low, high] = numbers[..]
        && low > high
    {
        return Some("its first number must not be larger than its second".to_owned());
    }
    let weights = key.ends_with("weights") && numbers.iter().sum::<f64>() <= 0.0;
    weights.then(|| "one weight at least must be more than 0".to_owned())
}

/// Lists of sections are no single values: each of them is read whole.
fn sinks(settings: &Table, wrong: &mut Vec<(String, String)>) {
    let rules = settings.get("routes").and_then(|routes| routes.get("rules"));
    let read = sections("sinks", settings.get("sinks"))
        .and_then(|sinks| Ok((sinks, sections("routes.rules", rules)?)));
    let (sinks, rules): (Vec<SinkSettings>, Vec<Rule>) = match read {
        Ok(read) => read,
        Err(unusable) => return wrong.push(unusable),
    };
    let routes = Routes { rules, ..Routes::default() };
    if let Err(why) = settings::check(&sinks, &routes) {
        let key = if why.starts_with("rule") { "routes.rules" } else { "sinks" };
        wrong.push((key.to_owned(), format!("cannot be used: {why}")));
    }
}

fn sections<T: DeserializeOwned>(
    key: &str,
    value: Option<&Value>,
) -> Result<Vec<T>, (String, String)> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let told = |e: toml::de::Error| (key.to_owned(), format!("cannot be used: {}", e.message()));
    Vec::<T>::deserialize(value.clone()).map_err(told)
}

/// What must hold between values.
fn relations(settings: &Table, wrong: &mut Vec<(String, String)>) {
    let severity = settings.get("profile").and_then(|p| p.get("severity"));
    let Some(severity) = severity.and_then(Value::as_table) else { return };
    let budget = |name: &str| severity.get("budget")?.get(name)?.as_float();
    for (rarer, commoner) in [("high", "medium"), ("medium", "low")] {
        if budget(rarer) > budget(commoner) {
            let key = format!("profile.severity.budget.{rarer}");
            wrong.push((key, format!("must not be larger than that of {commoner}")));
        }
    }
    let kinds = severity.get("kinds").and_then(Value::as_table);
    let rank = |word: Option<&Value>| {
        let word = word.and_then(Value::as_str)?;
        SEVERITIES.iter().position(|s| *s == word)
    };
    for (kind, settings) in kinds.into_iter().flatten() {
        let path = ["profile", "severity", "kinds", kind, "floor"].map(str::to_owned);
        if rank(settings.get("floor")) > rank(settings.get("cap")) {
            wrong.push((dotted(&path), "must not lie above the kind's cap".to_owned()));
        }
    }
    let weight = |s: &Value| s.get("weight").and_then(Value::as_float).unwrap_or_default();
    if kinds.is_some_and(|k| k.values().map(weight).sum::<f64>() <= 0.0) {
        let why = "one kind at least must have a weight of more than 0".to_owned();
        wrong.push(("profile.severity.kinds".to_owned(), why));
    }
}
