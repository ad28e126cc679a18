//! A durable alert line, read back: what routing, grouping and the other formats want of it.
use serde_json::Value;

use crate::alert::words::clean;
use crate::detect::Severity;
use crate::time::Timestamp;

/// Longest line that is read, bytes: four times what the longest alert of a hostile log has.
const LINE_BYTES_MAX: usize = 256 << 10;

/// One alert in the shape of [`crate::alert::formats::Format::Defender`].
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    value: Value,
    severity: Severity,
}

impl Line {
    /// Reads a line. `None`: it is none, or lacks an id or a severity.
    pub fn parse(text: &str) -> Option<Line> {
        if text.len() > LINE_BYTES_MAX {
            return None;
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let severity = Severity::parse(value["properties"]["severity"].as_str()?)?;
        let line = Line { value, severity };
        (!line.id().is_empty() && line.value["properties"].is_object()).then_some(line)
    }
    /// The whole.
    pub fn value(&self) -> &Value {
        &self.value
    }
    /// Severity.
    pub fn severity(&self) -> Severity {
        self.severity
    }
    /// A text among the properties; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.value["properties"][name].as_str().unwrap_or_default()
    }
    /// One of `extendedProperties`; empty where there is none.
    pub fn extended(&self, name: &str) -> &str {
        self.value["properties"]["extendedProperties"][name].as_str().unwrap_or_default()
    }
    /// A list of texts among the properties.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let all = self.value["properties"][name].as_array();
        all.into_iter().flatten().filter_map(Value::as_str).collect()
    }
    /// Stable over revisions.
    pub fn id(&self) -> &str {
        self.text("systemAlertId")
    }
    /// 1 at opening.
    pub fn revision(&self) -> u32 {
        self.extended("Revision").parse().unwrap_or(1)
    }
    /// `alertType`.
    pub fn kind(&self) -> &str {
        self.text("alertType")
    }
    /// Name of the account.
    pub fn account(&self) -> &str {
        self.text("compromisedEntity")
    }
    /// A time among the properties.
    pub fn time(&self, name: &str) -> Timestamp {
        Timestamp::parse(self.text(name)).unwrap_or_default()
    }
    /// False alerts that innocent life of one account brings a day at this surprise.
    pub fn nominal(&self) -> Option<f64> {
        let number: f64 = self.extended("Nominal false alerts per account-day").parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    }
    /// Names and ids of all accounts that it concerns.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.value["properties"]["resourceIdentifiers"].as_array();
        all.into_iter().flatten().filter_map(|entry| {
            let id = entry["azureResourceId"].as_str()?;
            Some((id.rsplit('/').next().unwrap_or(id), id))
        })
    }
    /// ARM id of the account, or its bare name.
    pub fn resource(&self) -> &str {
        let own = self.account();
        let found = self.resources().find(|(name, _)| name.eq_ignore_ascii_case(own));
        found.map_or(own, |(_, id)| id)
    }
    /// Subscription of the account; empty where the log has none.
    pub fn subscription(&self) -> &str {
        let mut parts = self.resource().trim_start_matches('/').split('/');
        match (parts.next(), parts.next()) {
            (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => id,
            _ => "",
        }
    }
    /// It was raised while its account was warmed up on history, or a rule of the user's silences
    /// it, or it was announced: it is kept, and nobody is told.
    pub fn is_quiet(&self) -> bool {
        ["Suppressed by", "Expected by"].iter().any(|mark| !self.extended(mark).is_empty())
            || self.extended("Warm-up") == "true"
    }
    /// What alerts of one story on one account share.
    pub fn story(&self) -> String {
        format!("{}|{}", clean(self.account()), clean(self.text("correlationKey")))
    }
    /// First of the ready queries, as a link to Azure's own portal.
    pub fn query_link(&self) -> Option<&str> {
        let links = self.value["properties"]["extendedLinks"].as_array()?;
        let href = links.iter().find_map(|link| link["Href"].as_str())?;
        let sound = href.starts_with("https://portal.azure.")
            && href.bytes().all(|b| b.is_ascii_graphic() && !b"<>|\"'`\\".contains(&b));
        sound.then_some(href)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::alert::formats::{Format, write_line};
    use crate::alert::{Alert, testing};
    use crate::detect::AlertKind;

    pub(in crate::alert::sinks) fn text_of(alert: &Alert) -> String {
        let mut out = Vec::new();
        write_line(alert, Format::Defender, &mut out);
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }

    pub(in crate::alert::sinks) fn of(kind: AlertKind) -> String {
        text_of(&testing::alert(kind))
    }

    /// A line about `account` with this number of false alerts a day.
    pub(in crate::alert::sinks) fn made(
        account: &str,
        id: u32,
        severity: &str,
        nominal: f64,
    ) -> String {
        let mut value: Value = serde_json::from_str(&of(AlertKind::GeoAnomaly)).unwrap();
        let properties = &mut value["properties"];
        properties["systemAlertId"] = format!("{id:032x}").into();
        properties["compromisedEntity"] = account.into();
        properties["severity"] = severity.into();
        properties["extendedProperties"]["Nominal false alerts per account-day"] =
            nominal.to_string().into();
        let resource = format!(
            "/subscriptions/00000000-0000-0000-0000-00000000c0de/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/{account}"
        );
        properties["resourceIdentifiers"][0]["azureResourceId"] = resource.into();
        value.to_string()
    }

    #[test]
    fn a_line_tells_what_routing_asks() {
        let line = Line::parse(&of(AlertKind::DataExfiltration)).unwrap();
        assert_eq!(line.account(), "contoso-orders");
        assert_eq!(line.subscription(), "00000000-0000-0000-0000-00000000c0de");
        assert_eq!(
            (line.revision(), line.severity(), line.is_quiet()),
            (1, Severity::Medium, false)
        );
        assert_eq!(line.nominal(), Some(0.00105));
        assert!(line.query_link().unwrap().starts_with("https://portal.azure.com/#blade/"));
        for bad in ["", "{", "{}", "[1]", "{\"properties\":{\"severity\":\"High\"}}"] {
            assert_eq!(Line::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn warm_up_and_suppressed_alerts_are_quiet() {
        for (name, text, quiet) in [
            ("Warm-up", "true", true),
            ("Warm-up", "false", false),
            ("Suppressed by", "rule 3", true),
            ("Expected by", "E1", true),
        ] {
            let mut value: Value = serde_json::from_str(&of(AlertKind::TorAnomaly)).unwrap();
            value["properties"]["extendedProperties"][name] = text.into();
            assert_eq!(Line::parse(&value.to_string()).unwrap().is_quiet(), quiet, "{name} {text}");
        }
    }
}
