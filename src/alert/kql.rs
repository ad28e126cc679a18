//! Ready queries for Log Analytics: account, time and caller filled in.
use super::Alert;
use crate::detect::AlertKind;
use crate::event::Credential;
use crate::time::{HOUR_MS, Timestamp};

/// A query with a label for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What it shows.
    pub label: &'static str,
    /// Kusto query text.
    pub text: String,
}

impl Query {
    /// A link that opens the query in the portal's log page.
    pub fn href(&self) -> String {
        format!(
            "https://portal.azure.com/#blade/Microsoft_Azure_Monitoring_Logs/LogsBlade/query/{}",
            percent_encoded(&self.text)
        )
    }
}

/// The queries that belong to `alert`.
pub fn queries(alert: &Alert) -> Vec<Query> {
    match alert.finding.kind {
        AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal => {
            vec![key_operations(alert), use_of_keys(alert)]
        }
        AlertKind::TorAnomaly
        | AlertKind::SuspiciousIp
        | AlertKind::GeoAnomaly
        | AlertKind::DataExfiltration => vec![requests(alert), key_operations(alert)],
        AlertKind::SqlInjection | AlertKind::SqlFuzzing => {
            vec![query_texts(alert), requests(alert)]
        }
    }
}

/// Longest name in a query, characters: no name of Azure's is longer.
const NAME_CHARS_MAX: usize = 256;

/// A Kusto string literal of any text, cut where no name of Azure's goes on.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars().take(NAME_CHARS_MAX) {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            // Kusto reads UTF-16 units.
            c => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

fn between(from: Timestamp, until: Timestamp) -> String {
    format!("| where TimeGenerated between (datetime({from}) .. datetime({until}))")
}

/// The alert's span with an hour before and after.
fn span(alert: &Alert) -> (Timestamp, Timestamp) {
    (alert.finding.start.plus_ms(-HOUR_MS), alert.finding.end.plus_ms(HOUR_MS))
}

/// Names, at most so many, of a `in~ (…)` list.
const NAMES_MAX: usize = 50;

fn accounts(alert: &Alert, column: &str) -> String {
    let all = &alert.finding.accounts;
    let names: Vec<String> = all.iter().take(NAMES_MAX).map(|(a, _)| literal(a.name())).collect();
    match all.len() {
        0 => format!("| where {column} =~ {}", literal(alert.finding.account.name())),
        n if n > NAMES_MAX => format!(
            "| where {column} in~ ({}) // the first {NAMES_MAX} of {n} accounts",
            names.join(", ")
        ),
        _ => format!("| where {column} in~ ({})", names.join(", ")),
    }
}

fn requests(alert: &Alert) -> Query {
    let (from, until) = span(alert);
    let mut lines = vec![
        "CDBDataPlaneRequests".to_owned(),
        between(from, until),
        accounts(alert, "AccountName"),
    ];
    if let Some(ip) = alert.finding.caller.ip {
        lines.push(format!("| where ClientIpAddress == {}", literal(&ip.to_string())));
    }
    if let Some(Credential::Entra(id)) = &alert.finding.caller.credential {
        lines.push(format!("| where AadPrincipalId =~ {}", literal(id.as_str())));
    }
    lines.push(
        "| summarize Requests = count(), Bytes = sum(ResponseLength) by bin(TimeGenerated, 10m), \
         ClientIpAddress, UserAgent, OperationName, DatabaseName, CollectionName, StatusCode"
            .to_owned(),
    );
    lines.push("| order by TimeGenerated asc".to_owned());
    Query { label: "What this caller did, in Log Analytics", text: lines.join("\n") }
}

/// The texts of queries beside their requests. Whoever runs it sees what the alert leaves out.
fn query_texts(alert: &Alert) -> Query {
    let (from, until) = span(alert);
    let containers: Vec<String> =
        alert.finding.caller.containers.iter().take(NAMES_MAX).map(|c| literal(c)).collect();
    let mut lines = vec![
        "CDBQueryRuntimeStatistics".to_owned(),
        between(from, until),
        accounts(alert, "AccountName"),
    ];
    if !containers.is_empty() {
        lines.push(format!("| where CollectionName in~ ({})", containers.join(", ")));
    }
    lines.push(format!(
        "| join kind=leftouter (CDBDataPlaneRequests {} | project ActivityId, ClientIpAddress, \
         UserAgent, StatusCode, ResponseLength) on ActivityId",
        between(from, until)
    ));
    lines.push(
        "| project TimeGenerated, DatabaseName, CollectionName, ClientIpAddress, UserAgent, \
         StatusCode, ResponseLength, QueryText"
            .to_owned(),
    );
    lines.push("| order by TimeGenerated asc".to_owned());
    Query { label: "Texts of the queries, in Log Analytics", text: lines.join("\n") }
}

fn key_operations(alert: &Alert) -> Query {
    let (from, until) = span(alert);
    let mut lines = vec!["AzureActivity".to_owned(), between(from.plus_ms(-24 * HOUR_MS), until)];
    let sweep = alert.finding.kind == AlertKind::MaliciousScript;
    if sweep {
        lines.push(
            "| where OperationNameValue has_any (\"list\", \"regenerate\", \"keys\")".to_owned(),
        );
    } else {
        lines.push(
            "| where OperationNameValue has_any (\"listKeys\", \"readonlykeys\", \
             \"listConnectionStrings\", \"regenerateKey\")"
                .to_owned(),
        );
        lines.push(format!("| where _ResourceId has {}", literal(alert.finding.account.name())));
    }
    if let Some(who) = actor(alert) {
        lines.push(format!("| where {who}"));
    }
    lines.push(
        "| project TimeGenerated, Caller, CallerIpAddress, OperationNameValue, \
         ActivityStatusValue, _ResourceId, Claims"
            .to_owned(),
    );
    lines.push("| order by TimeGenerated asc".to_owned());
    Query { label: "Operations on keys, in the Activity log", text: lines.join("\n") }
}

/// The principal by every name that the Activity log may carry; only for kinds that are about one.
fn actor(alert: &Alert) -> Option<String> {
    let about_one =
        matches!(alert.finding.kind, AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal);
    let caller = &alert.finding.caller;
    let mut names = Vec::new();
    if about_one {
        if !caller.principal_name.is_empty() {
            names.push(format!("Caller =~ {}", literal(&caller.principal_name)));
        }
        if let Some(id) = &caller.principal {
            names.push(format!("Caller =~ {}", literal(id.as_str())));
            names.push(format!("Claims has {}", literal(id.as_str())));
        }
    }
    (!names.is_empty()).then(|| names.join(" or "))
}

/// After keys were read: who used one that did not before.
fn use_of_keys(alert: &Alert) -> Query {
    let (from, _) = span(alert);
    let until = alert.finding.end.plus_ms(7 * 24 * HOUR_MS);
    let lines = [
        "CDBDataPlaneRequests".to_owned(),
        between(from, until),
        accounts(alert, "AccountName"),
        "| where isnotempty(KeyType)".to_owned(),
        "| summarize First = min(TimeGenerated), Requests = count(), Bytes = sum(ResponseLength) \
         by AccountName, ClientIpAddress, KeyType, UserAgent"
            .to_owned(),
        "| order by First asc".to_owned(),
    ];
    Query { label: "Use of the keys afterwards, in Log Analytics", text: lines.join("\n") }
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing;

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal("contoso"), "\"contoso\"");
        assert_eq!(literal("a\" or 1==1 //"), "\"a\\\" or 1==1 //\"");
        assert_eq!(literal("a\\"), "\"a\\\\\"");
        assert_eq!(literal("a\n| take 1\u{202e}"), "\"a\\u000a| take 1\\u202e\"");
    }

    proptest::proptest! {
        #[test]
        fn a_literal_ends_where_it_ends(text in ".{0,300}") {
            let quoted = literal(&text);
            let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap();
            let mut escaped = false;
            for c in inner.chars() {
                proptest::prop_assert!(!c.is_control());
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    c => proptest::prop_assert_ne!(c, '"'),
                }
            }
            proptest::prop_assert!(!escaped);
        }
    }

    #[test]
    fn many_accounts_are_counted() {
        let mut alert = testing::alert(AlertKind::MaliciousScript);
        let one = alert.finding.accounts[0].clone();
        alert.finding.accounts = vec![one; 312];
        let text = &queries(&alert)[1].text;
        assert!(text.contains("// the first 50 of 312 accounts"), "{text}");
    }

    #[test]
    fn queries_name_account_time_and_caller() {
        for kind in AlertKind::ALL {
            let alert = testing::alert(kind);
            let all: Vec<Query> = queries(&alert);
            let text: String = all.iter().map(|q| q.text.as_str()).collect();
            assert!(text.contains("contoso-orders"), "{text}");
            assert!(text.contains("datetime(2026-11-1"), "{text}");
            let caller = match kind {
                AlertKind::MaliciousScript | AlertKind::SuspiciousPrincipal => {
                    "dev1@contoso.example"
                }
                _ => "203.0.113.77",
            };
            assert!(text.contains(caller), "{text}");
            assert!(all.iter().all(|q| q.href().is_ascii() && !q.href().contains(' ')));
        }
    }
}
