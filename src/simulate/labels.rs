//! What is true of a fleet: attacks, and benign episodes that look unusual.
use std::fmt::Write;

use crate::detect::AlertKind;
use crate::time::Timestamp;

use super::{Fleet, network};

/// One attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// `attack-007`.
    pub id: String,
    /// The alert type that must be raised.
    pub kind: AlertKind,
    /// Further alert types that are right about it too.
    pub also: Vec<AlertKind>,
    /// `burst-4x`, `drip-3d-2x`, `microburst` …
    pub variant: String,
    /// `weak`, `medium` or `strong`.
    pub strength: &'static str,
    /// Accounts concerned.
    pub accounts: Vec<String>,
    /// First and last moment.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Where it came from.
    pub addresses: Vec<std::net::Ipv4Addr>,
    /// Object id of the principal, or empty for a key.
    pub principal: String,
    /// Bytes taken over the account's mean day, 0 where volume is not the point.
    pub mean_days: f64,
}

/// A benign episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// `export`, `travel`, `release`, `redeployment`, `log gap` …
    pub kind: &'static str,
    /// Account.
    pub account: String,
    /// From.
    pub start: Timestamp,
    /// Until.
    pub end: Timestamp,
}

fn list<S: AsRef<str>>(items: &[S]) -> String {
    let quoted: Vec<String> = items.iter().map(|i| format!("\"{}\"", i.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}

/// The labels as JSON. All names in it are generated, so nothing needs escaping.
pub fn labels_json(fleet: &Fleet) -> String {
    let o = &fleet.options;
    let mut out = format!(
        "{{\"seed\":{},\"start\":\"{}\",\"end\":\"{}\",\"days\":{},\"warmupDays\":{},\n\"accounts\":[",
        o.seed,
        o.start,
        o.end(),
        o.days,
        o.warmup_days
    );
    for (i, account) in fleet.accounts.iter().enumerate() {
        let separator = if i == 0 { "\n" } else { ",\n" };
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{separator}{{\"name\":\"{}\",\"archetype\":\"{}\",\"resourceId\":\"{}\",\"region\":\"{}\",\"meanDayBytes\":{}}}",
            account.name,
            account.archetype.as_str(),
            fleet.arm_id(i),
            account.region,
            account.mean_day_bytes(o.end()) as u64
        );
    }
    out.push_str("\n],\n\"attacks\":[");
    for (i, a) in fleet.attacks.iter().enumerate() {
        let separator = if i == 0 { "\n" } else { ",\n" };
        let _ = write!(
            out,
            "{separator}{{\"id\":\"{}\",\"kind\":\"{}\",\"also\":{},\"variant\":\"{}\",\"strength\":\"{}\",\"accounts\":{},\"start\":\"{}\",\"end\":\"{}\",\"addresses\":{},\"networks\":{},\"principal\":\"{}\",\"meanDays\":{:.2}}}",
            a.id,
            a.kind.alert_type(),
            list(&a.also.iter().map(|k| k.alert_type()).collect::<Vec<_>>()),
            a.variant,
            a.strength,
            list(&a.accounts),
            a.start,
            a.end,
            list(&a.addresses.iter().map(ToString::to_string).collect::<Vec<_>>()),
            list(&a.addresses.iter().map(|ip| network::describe(*ip)).collect::<Vec<_>>()),
            a.principal,
            a.mean_days
        );
    }
    out.push_str("\n],\n\"benignExceptions\":[");
    for (i, e) in fleet.exceptions.iter().enumerate() {
        let separator = if i == 0 { "\n" } else { ",\n" };
        let _ = write!(
            out,
            "{separator}{{\"kind\":\"{}\",\"account\":\"{}\",\"start\":\"{}\",\"end\":\"{}\"}}",
            e.kind, e.account, e.start, e.end
        );
    }
    out.push_str("\n]}\n");
    out
}
