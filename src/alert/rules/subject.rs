//! What rules, expectations and verdicts look at: the facts of one alert, the same whether it is
//! still in hand or read back from its line.
use std::net::IpAddr;

use serde_json::Value;

use crate::alert::words::clean;
use crate::alert::{Alert, AlertId, Marks};
use crate::detect::{AlertKind, Evidence, Severity};
use crate::intel::view::Country;
use crate::time::Timestamp;

/// Between two user agents where no agent of the list holds it itself.
const BETWEEN: &str = ", ";

/// The facts of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The alert.
    pub id: AlertId,
    /// Its revision.
    pub revision: u32,
    /// Its kind.
    pub kind: AlertKind,
    /// Its severity.
    pub severity: Severity,
    /// Key of the account that it is filed under (`public/contoso-orders`).
    pub account: String,
    /// What tells its story from others of its kind on its account.
    pub story: String,
    /// Names of all accounts concerned, lower case, ascending.
    pub accounts: Vec<String>,
    /// Object id and name of the principal, lower case, as far as the log has them.
    pub principals: Vec<String>,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// Its country.
    pub country: Option<Country>,
    /// Its AS.
    pub asn: Option<u32>,
    /// User agents.
    pub agents: Vec<String>,
    /// First event.
    pub start: Timestamp,
    /// Last event.
    pub end: Timestamp,
    /// When it was raised, in event time.
    pub raised: Timestamp,
    /// Bytes of the window that was judged, of a volume alert in hand.
    pub volume: Option<f64>,
    /// What was said of it when it was raised.
    pub silenced_by: Vec<String>,
}

impl Subject {
    /// The facts of an alert in hand.
    pub fn of(alert: &Alert) -> Subject {
        let (finding, caller) = (&alert.finding, &alert.finding.caller);
        let principals = [
            caller.principal.as_ref().map(|p| clean(p.as_str())),
            Some(clean(&caller.principal_name)),
        ];
        let accounts: Vec<String> = if finding.accounts.is_empty() {
            vec![clean(finding.account.name())]
        } else {
            finding.accounts.iter().map(|(account, _)| clean(account.name())).collect()
        };
        let mut subject = Subject {
            id: alert.id,
            revision: alert.revision,
            kind: finding.kind,
            severity: alert.grade.severity,
            account: clean(&finding.account.key()),
            story: clean(&finding.dedup),
            accounts,
            principals: principals.into_iter().flatten().collect(),
            ip: caller.ip,
            country: caller.country,
            asn: caller.asn,
            agents: agents(&caller.user_agents),
            start: finding.start,
            end: finding.end,
            raised: alert.generated(),
            volume: match &finding.evidence {
                Evidence::Volume(volume) => Some(volume.observed),
                _ => None,
            },
            silenced_by: alert.marks.silenced_by().map(|(_, name)| name).collect(),
        };
        subject.settle();
        subject
    }

    /// The facts of an alert's line in the shape `defender`; `None` for what is no such line.
    pub fn read(line: &str) -> Option<Subject> {
        let line: Value = serde_json::from_str(line).ok()?;
        let properties = line.get("properties")?;
        let text = |name: &str| properties.get(name).and_then(Value::as_str);
        let extended = properties.get("extendedProperties")?;
        let said = |name: &str| extended.get(name).and_then(Value::as_str);
        let time = |name: &str| text(name).and_then(Timestamp::parse);
        let mut subject = Subject {
            id: AlertId::parse(line.get("name")?.as_str()?)?,
            revision: said("Revision")?.parse().ok()?,
            kind: AlertKind::parse(text("alertType")?)?,
            severity: Severity::parse(text("severity")?)?,
            account: said("Account key")?.to_owned(),
            story: said("Story key")?.to_owned(),
            accounts: said_accounts(properties),
            principals: ["Principal id", "Principal"]
                .into_iter()
                .filter_map(said)
                .map(str::to_owned)
                .collect(),
            ip: said("Client IP").and_then(|ip| ip.parse().ok()),
            country: said("Country").and_then(Country::parse),
            asn: said("ASN").and_then(|asn| asn.parse().ok()),
            agents: match said("User agents") {
                Some(list) => serde_json::from_str(list).ok()?,
                None => said("User agent").map_or_else(Vec::new, |joined| {
                    joined.split(BETWEEN).map(str::to_owned).collect()
                }),
            },
            start: time("startTimeUtc")?,
            end: time("endTimeUtc")?,
            raised: time("timeGeneratedUtc")?,
            volume: None,
            silenced_by: Marks::PROPERTIES
                .into_iter()
                .filter_map(said)
                .flat_map(|names| names.split(BETWEEN).map(str::to_owned))
                .collect(),
        };
        subject.settle();
        Some(subject)
    }

    /// The same, whichever way it came.
    fn settle(&mut self) {
        for names in [&mut self.accounts, &mut self.principals] {
            names.iter_mut().for_each(|name| *name = name.to_lowercase());
            names.retain(|name| !name.is_empty());
            names.sort();
            names.dedup();
        }
    }
}

/// User agents fit to be shown, empty ones left out.
fn agents<T: AsRef<str>>(all: &[T]) -> Vec<String> {
    all.iter().map(|agent| clean(agent.as_ref())).filter(|agent| !agent.is_empty()).collect()
}

/// The list of user agents, where the property that joins them for people could be read in two
/// ways or leaves some out: a JSON list.
pub fn exact_agents<T: AsRef<str>>(all: &[T], shown_max: usize) -> Option<String> {
    let all = agents(all);
    let plain = all.len() <= shown_max && !all.iter().any(|agent| agent.contains(BETWEEN));
    if plain { None } else { serde_json::to_string(&all).ok() }
}

/// Names of the accounts that a line concerns.
fn said_accounts(properties: &Value) -> Vec<String> {
    let all = properties.get("resourceIdentifiers").and_then(Value::as_array);
    let id = |entry: &Value| entry.get("azureResourceId")?.as_str().map(str::to_owned);
    let last = |id: String| id.rsplit('/').next().unwrap_or_default().to_owned();
    // An account's ARM id ends in its name; a bare name may hold anything, a slash too.
    let name = |id: String| if id.starts_with("/subscriptions/") { last(id) } else { id };
    all.into_iter().flatten().filter_map(id).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::formats::{Format, write_line};
    use crate::alert::testing::{alert, hostile};
    use crate::ids::Text;

    fn read_back(alert: &Alert) -> Subject {
        let mut line = Vec::new();
        write_line(alert, Format::Defender, &mut line);
        Subject::read(std::str::from_utf8(&line).unwrap()).unwrap()
    }

    #[test]
    fn an_alert_and_its_line_have_the_same_facts() {
        for kind in AlertKind::ALL {
            for alert in [alert(kind), hostile(kind)] {
                let back = read_back(&alert);
                let mut in_hand = Subject { volume: None, ..Subject::of(&alert) };
                if in_hand.end == Timestamp::MAX {
                    // No line can say such a time.
                    (in_hand.start, in_hand.end) = (back.start, back.end);
                    in_hand.raised = back.raised;
                }
                assert_eq!(back, in_hand, "{kind:?}");
            }
        }
    }

    #[test]
    fn agents_that_hold_a_comma_stay_apart() {
        let mut alert = alert(AlertKind::GeoAnomaly);
        let browser = "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko)";
        alert.finding.caller.user_agents = vec![Text::from(browser), Text::from("evil, azsdk-net")];
        assert_eq!(read_back(&alert).agents, [browser, "evil, azsdk-net"]);
        assert_eq!(exact_agents(&["azsdk-net", "curl"], 8), None);
        assert!(exact_agents(&["a"; 9], 8).is_some());
    }

    #[test]
    fn what_is_no_alert_has_no_facts() {
        for line in ["", "{}", "[1]", "{\"properties\":{}}", "\u{0}", "{\"name\":\"7f3a\"}"] {
            assert_eq!(Subject::read(line), None);
        }
    }
}
