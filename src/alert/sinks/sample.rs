//! One believable alert of every kind, marked as a sample, to try a sink or a parser with.
use serde_json::{Value, json};

use super::line::Line;
use super::notice::{Change, Event, Notice};
use crate::time::Timestamp;

/// Lines in Defender's shape, one a kind, about made-up accounts.
const LINES: &str = include_str!("../../../models/alerts/samples.jsonl");
/// Stands before titles and descriptions.
const MARK: &str = "[SAMPLE] ";

/// One message a kind, in the order of the kinds.
pub fn notices(now: Timestamp) -> Vec<Notice> {
    LINES.lines().filter_map(|line| notice(line, now)).collect()
}

fn notice(line: &str, now: Timestamp) -> Option<Notice> {
    let line = marked(line)?;
    let id = Line::parse(&line)?.id().to_owned();
    Some(Notice {
        key: format!("sample.{id}.{}", now.millis()),
        at: now.millis(),
        due: now.millis(),
        group: String::new(),
        event: Event::Alert { change: Change::New, line },
    })
}

/// The line with its mark: for people in the title and the description, for programs among the
/// properties.
fn marked(line: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(line).ok()?;
    let properties = value.get_mut("properties")?;
    for name in ["alertDisplayName", "description"] {
        let text = properties.get(name)?.as_str()?;
        properties[name] = json!(format!("{MARK}{text}"));
    }
    properties["extendedProperties"]["Sample alert"] = json!("true");
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::line::testing::of;
    use super::*;
    use crate::detect::AlertKind;

    #[test]
    fn there_is_one_sample_a_kind_as_alerts_are_written_today() {
        let lines: Vec<String> = AlertKind::ALL.into_iter().map(of).collect();
        let written = lines.join("\n") + "\n";
        if std::env::var_os("COSMOGUARD_BLESS").is_some_and(|v| v == "1") {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/alerts/samples.jsonl");
            std::fs::write(path, &written).unwrap();
            return;
        }
        let stale = "COSMOGUARD_BLESS=1 cargo test --lib sample:: writes them anew";
        assert!(LINES == written, "{stale}");
    }

    #[test]
    fn samples_say_that_they_are_samples() {
        let notices = notices(Timestamp(7));
        assert_eq!(notices.len(), AlertKind::ALL.len());
        for notice in notices {
            let Event::Alert { line, .. } = &notice.event else { panic!("{notice:?}") };
            let line = Line::parse(line).unwrap();
            assert!(line.text("alertDisplayName").starts_with(MARK));
            assert!(line.text("description").starts_with(MARK));
            assert_eq!(line.extended("Sample alert"), "true");
        }
    }
}
