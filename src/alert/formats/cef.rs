//! ArcSight Common Event Format, version 0.
//!
//! Escaping (Micro Focus, "Implementing ArcSight Common Event Format", rev. 25): `\` and `|` in the
//! header; `\` and `=` in extension values; no line break in either.
use super::{PRODUCT, VERSION, defender, scale};
use crate::alert::kinds::card;
use crate::alert::words::{clean, number};
use crate::alert::{Alert, narrate};

/// Suffix of an account's host name, by cloud.
fn host_suffix(alert: &Alert) -> &'static str {
    match alert.finding.account.cloud() {
        crate::ids::Cloud::China => "documents.azure.cn",
        crate::ids::Cloud::UsGov => "documents.azure.us",
        _ => "documents.azure.com",
    }
}

/// The line, without its end.
pub fn line(alert: &Alert) -> String {
    let finding = &alert.finding;
    let card = card(finding.kind);
    let header = [
        PRODUCT,
        PRODUCT,
        VERSION,
        finding.kind.alert_type(),
        &card.display_name,
        scale(alert.grade.severity, ["3", "6", "9"]),
    ];
    let mut out = String::from("CEF:0");
    for field in header {
        out.push('|');
        out.push_str(&escaped(field, '|'));
    }
    out.push('|');
    for (at, (key, value)) in extension(alert).into_iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push('=');
        out.push_str(&escaped(&value, '='));
    }
    out
}

/// Key and value pairs, in their order; empty values left out.
fn extension(alert: &Alert) -> Vec<(&'static str, String)> {
    let finding = &alert.finding;
    let (caller, card) = (&finding.caller, card(finding.kind));
    let name = clean(finding.account.name());
    let resource = defender::accounts(alert).find(|(n, _)| *n == name).map(|(_, id)| id);
    let mut out = vec![
        ("rt", alert.generated().millis().to_string()),
        ("start", finding.start.millis().to_string()),
        ("end", finding.end.millis().to_string()),
        ("externalId", alert.id.to_string()),
        ("cat", card.intent.clone()),
        ("dhost", format!("{name}.{}", host_suffix(alert))),
        ("src", caller.ip.filter(|ip| ip.is_ipv4()).map(|ip| ip.to_string()).unwrap_or_default()),
        ("suid", caller.principal.as_ref().map(|p| clean(p.as_str())).unwrap_or_default()),
        ("suser", clean(&caller.principal_name)),
        (
            "requestClientApplication",
            caller.user_agents.first().map(|a| clean(a)).unwrap_or_default(),
        ),
        ("out", caller.bytes.map(|b| b.to_string()).unwrap_or_default()),
        ("cnt", alert.findings.to_string()),
    ];
    let techniques: Vec<&str> = card.techniques.iter().map(|t| t.id.as_str()).collect();
    let ipv6 = caller.ip.filter(|ip| ip.is_ipv6()).map(|ip| ip.to_string());
    labelled(&mut out, ("cs1Label", "cs1"), "ResourceId", resource.unwrap_or_default());
    labelled(&mut out, ("cs2Label", "cs2"), "Techniques", techniques.join(","));
    labelled(&mut out, ("cs3Label", "cs3"), "Explanation", narrate::description(alert));
    labelled(
        &mut out,
        ("cs4Label", "cs4"),
        "Country",
        caller.country.map(|c| c.to_string()).unwrap_or_default(),
    );
    labelled(&mut out, ("cs5Label", "cs5"), "SeverityBasis", alert.grade.basis.as_str().to_owned());
    labelled(&mut out, ("cs6Label", "cs6"), "NominalPerDay", number(alert.grade.nominal_per_day));
    labelled(&mut out, ("cn1Label", "cn1"), "Revision", alert.revision.to_string());
    labelled(
        &mut out,
        ("cn2Label", "cn2"),
        "ASN",
        caller.asn.map(|a| a.to_string()).unwrap_or_default(),
    );
    labelled(&mut out, ("c6a2Label", "c6a2"), "Source IPv6 Address", ipv6.unwrap_or_default());
    out.retain(|(_, value)| !value.is_empty());
    out
}

fn labelled(
    out: &mut Vec<(&'static str, String)>,
    keys: (&'static str, &'static str),
    label: &str,
    value: String,
) {
    if !value.is_empty() {
        out.push((keys.0, label.to_owned()));
        out.push((keys.1, value));
    }
}

/// `text` with `\` and `special` escaped; line breaks become spaces.
fn escaped(text: &str, special: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c == special => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_escaped_where_they_separate() {
        assert_eq!(escaped("a|b\\c=d\r\ne", '|'), "a\\|b\\\\c=d  e");
        assert_eq!(escaped("a|b=c", '='), "a|b\\=c");
    }
}
