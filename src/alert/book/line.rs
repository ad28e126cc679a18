//! The parts of a line that the book keeps.
use std::net::IpAddr;

use serde::Deserialize;

use crate::alert::AlertId;
use crate::detect::Severity;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Bytes kept of the sentence that says what happened.
const WHY_BYTES_MAX: usize = 200;
/// Accounts kept of an alert that names many.
const ACCOUNTS_MAX: usize = 1000;
/// Alerts of one incident: as many steps as an account remembers.
const MEMBERS_MAX: usize = crate::alert::incident::STEPS_MAX;

/// What a line says.
pub(super) struct Facts {
    pub(super) id: AlertId,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) account: String,
    pub(super) others: Vec<String>,
    pub(super) severity: Severity,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) generated: Timestamp,
    pub(super) principal: String,
    pub(super) principal_id: String,
    pub(super) ip: Option<IpAddr>,
    pub(super) story: String,
    pub(super) by_rule: bool,
    pub(super) per_day: f64,
    pub(super) why: String,
    /// Severity and alerts of the incident that it is part of.
    pub(super) incident: Option<(Severity, Vec<AlertId>)>,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    properties: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    alert_type: String,
    alert_display_name: String,
    severity: String,
    compromised_entity: String,
    start_time_utc: String,
    end_time_utc: String,
    time_generated_utc: String,
    #[serde(default)]
    correlation_key: String,
    #[serde(default)]
    resource_identifiers: Vec<Resource>,
    #[serde(default)]
    extended_properties: Extended,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "azureResourceId", default)]
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extended {
    #[serde(rename = "Verdict")]
    verdict: String,
    #[serde(rename = "Client IP")]
    ip: String,
    #[serde(rename = "Principal")]
    principal: String,
    #[serde(rename = "Principal id")]
    principal_id: String,
    #[serde(rename = "Severity basis")]
    basis: String,
    #[serde(rename = "Nominal false alerts per account-day")]
    per_day: String,
    #[serde(rename = "Account key")]
    account_key: String,
    #[serde(rename = "Incident severity")]
    incident_severity: String,
    #[serde(rename = "Incident alerts")]
    incident_alerts: String,
}

impl Facts {
    /// Reads a line; `None` if it is not one of ours in the shape of Defender.
    pub(super) fn read(line: &[u8]) -> Option<Facts> {
        let Line { name, properties: body } = serde_json::from_slice(line).ok()?;
        let extended = body.extended_properties;
        let account = account(&extended, &body.correlation_key, &body.compromised_entity);
        let mut others: Vec<String> = body
            .resource_identifiers
            .iter()
            .take(ACCOUNTS_MAX)
            .map(|resource| AccountId::new(&resource.id, account.cloud()).to_string())
            .filter(|other| *other != account.to_string())
            .collect();
        others.sort();
        others.dedup();
        let members = extended.incident_alerts.split(", ").take(MEMBERS_MAX);
        let members: Vec<AlertId> = members.filter_map(AlertId::parse).collect();
        Some(Facts {
            incident: Severity::parse(&extended.incident_severity).map(|s| (s, members)),
            id: AlertId::parse(&name)?,
            severity: Severity::parse(&body.severity)?,
            start: Timestamp::parse(&body.start_time_utc)?,
            end: Timestamp::parse(&body.end_time_utc)?,
            generated: Timestamp::parse(&body.time_generated_utc)?,
            kind: body.alert_type,
            title: body.alert_display_name,
            account: account.to_string(),
            others,
            principal: extended.principal,
            principal_id: extended.principal_id,
            ip: extended.ip.parse().ok(),
            story: body.correlation_key,
            by_rule: extended.basis == "rule",
            per_day: extended.per_day.parse().unwrap_or(f64::NAN),
            why: cut(extended.verdict),
        })
    }
}

/// The account with its cloud, which the name alone does not tell.
fn account(extended: &Extended, story: &str, name: &str) -> AccountId {
    let told = Some(extended.account_key.as_str()).filter(|key| !key.is_empty());
    let key = || story.rsplit('|').find_map(|part| part.strip_prefix("account:"));
    let keyed = told.or_else(key).map(AccountId::parse);
    keyed
        .filter(|id| id.name().eq_ignore_ascii_case(name))
        .unwrap_or_else(|| AccountId::parse(name))
}

fn cut(mut text: String) -> String {
    if text.len() > WHY_BYTES_MAX {
        let mut end = WHY_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
