//! Incidents as they are read back from the lines of their alerts.
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::alert::kinds::card;
use crate::alert::rules::Subject;
use crate::alert::words::clean;
use crate::detect::Severity;

/// One alert of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoryStep {
    /// First event.
    pub at: String,
    /// The alert.
    pub alert: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its severity by now.
    pub severity: &'static str,
    /// What happened, in a sentence or two.
    pub verdict: String,
}

/// An incident, for lists and pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoryView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Key of the account.
    pub account: String,
    /// How severe it is by now.
    pub severity: &'static str,
    /// When its last alert was raised.
    pub raised: String,
    /// Its alerts, by time.
    pub steps: Vec<StoryStep>,
}

/// The newest line of an alert.
struct Newest {
    subject: Subject,
    verdict: String,
}

/// What the lines of one incident say of it.
#[derive(Default)]
struct Told {
    account: String,
    severity: Option<Severity>,
    alerts: Vec<String>,
}

/// The incidents of alert lines in the shape `defender`, the newest first. What is no such line is
/// passed over.
pub fn stories<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<StoryView> {
    let mut newest: BTreeMap<String, Newest> = BTreeMap::new();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for line in lines {
        let Some(subject) = Subject::read(line) else { continue };
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let extended = &value["properties"]["extendedProperties"];
        let said = |name: &str| extended[name].as_str().unwrap_or_default();
        if let Some(incident) = extended["Incident"].as_str() {
            let story = told.entry(clean(incident)).or_default();
            story.account = subject.account.clone();
            story.severity = story.severity.max(Severity::parse(said("Incident severity")));
            story.alerts.extend(said("Incident alerts").split(", ").map(str::to_owned));
        }
        let verdict = said("Verdict").to_owned();
        let id = subject.id.to_string();
        let older = newest.get(&id).is_some_and(|n| n.subject.revision > subject.revision);
        if !older {
            newest.insert(id, Newest { subject, verdict });
        }
    }
    let mut stories: Vec<StoryView> =
        told.into_iter().map(|(id, story)| view(id, story, &newest)).collect();
    stories.sort_by(|a, b| b.raised.cmp(&a.raised).then(a.id.cmp(&b.id)));
    stories
}

fn view(id: String, mut story: Told, newest: &BTreeMap<String, Newest>) -> StoryView {
    story.alerts.sort();
    story.alerts.dedup();
    let mut alerts: Vec<&Newest> = story.alerts.iter().filter_map(|a| newest.get(a)).collect();
    alerts.sort_by_key(|n| (n.subject.start, n.subject.id));
    let severest = alerts.iter().map(|n| n.subject.severity).max().max(story.severity);
    let raised = alerts.iter().map(|n| n.subject.raised).max();
    let step = |n: &&Newest| StoryStep {
        at: n.subject.start.to_string(),
        alert: n.subject.id.to_string(),
        kind: n.subject.kind.alert_type(),
        title: &card(n.subject.kind).display_name,
        severity: n.subject.severity.as_str(),
        verdict: n.verdict.clone(),
    };
    StoryView {
        id,
        account: story.account,
        severity: severest.map_or("Medium", Severity::as_str),
        raised: raised.map(|at| at.to_string()).unwrap_or_default(),
        steps: alerts.iter().map(step).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::formats::{Format, write_line};
    use crate::alert::incident::Incidents;
    use crate::alert::testing::{alert, time};
    use crate::detect::AlertKind;

    #[test]
    fn a_story_is_read_back_with_all_its_alerts() {
        let mut incidents = Incidents::default();
        let kinds = [AlertKind::GeoAnomaly, AlertKind::DataExfiltration, AlertKind::GeoAnomaly];
        let mut lines = Vec::new();
        for (n, kind) in kinds.into_iter().enumerate() {
            let mut alert = alert(kind);
            alert.revision = 1 + n as u32;
            alert.opened = time("2026-11-14T03:00Z").plus_ms(if n == 1 { 1 } else { 0 });
            alert.marks.incident = incidents.join(&alert);
            let mut line = Vec::new();
            write_line(&alert, Format::Defender, &mut line);
            lines.push(String::from_utf8(line).unwrap());
        }
        lines.push("no line".to_owned());
        let told = stories(lines.iter().map(String::as_str));
        assert_eq!(told.len(), 1);
        let kinds: Vec<&str> = told[0].steps.iter().map(|s| s.kind).collect();
        assert_eq!(kinds.len(), 2, "two alerts, one of them in two revisions: {kinds:?}");
        assert_eq!(told[0].severity, "Medium");
        assert!(told[0].steps.iter().all(|s| !s.verdict.is_empty()));
        assert_eq!(stories([]), []);
    }
}
