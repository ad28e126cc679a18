//! Slack's Block Kit. Whatever came from a log lies in `plain_text`, which obeys nothing; the one
//! text that Slack reads as mrkdwn, the notification, is escaped as Slack asks.
use serde_json::{Value, json};

use super::super::line::Line;
use super::super::notice::{Event, Notice};
use super::{sentence, title};
use crate::alert::words::{clean, visible};

/// Longest header, characters.
const HEADER_MAX: usize = 150;
/// Longest text of a section, characters; Slack takes 3000 after escaping.
const TEXT_MAX: usize = 1200;
/// Most alerts that are told in full in one message; Slack takes 50 blocks.
const SHOWN_MAX: usize = 10;

/// One message about all of `notices`.
pub fn message(notices: &[&Notice]) -> Value {
    let titles: Vec<String> = notices.iter().map(|notice| sentence(notice)).collect();
    let head = match titles.as_slice() {
        [one] => one.clone(),
        many => format!("{} messages: {}", many.len(), many.first().map_or("", String::as_str)),
    };
    let mut blocks = Vec::new();
    for notice in notices.iter().take(SHOWN_MAX) {
        blocks.extend(of(notice));
    }
    if notices.len() > SHOWN_MAX {
        let more = format!("and {} more; all are in the alert file", notices.len() - SHOWN_MAX);
        blocks.push(json!({"type": "context", "elements": [plain(&more, TEXT_MAX)]}));
    }
    json!({"text": escaped(&cut(&head, HEADER_MAX)), "blocks": blocks})
}

fn of(notice: &Notice) -> Vec<Value> {
    let Event::Alert { change, line } = &notice.event else {
        return vec![section(&sentence(notice))];
    };
    let Some(line) = Line::parse(line) else { return vec![section(&sentence(notice))] };
    let mut out = vec![
        json!({"type": "header", "text": plain(&title(&line, change), HEADER_MAX)}),
        section(line.text("description")),
    ];
    let fields: Vec<Value> = facts(&line)
        .into_iter()
        .map(|(name, value)| plain(&format!("{name}: {value}"), TEXT_MAX))
        .collect();
    if !fields.is_empty() {
        out.push(json!({"type": "section", "fields": fields}));
    }
    if let Some(href) = line.query_link() {
        let link = escaped(href);
        out.push(json!({
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": format!("<{link}|Look at the records>"), "verbatim": true}],
        }));
    }
    out
}

/// What chats show of an alert beside its sentence, at most ten.
pub(super) fn facts(line: &Line) -> Vec<(&'static str, String)> {
    let all = [
        ("Account", line.account()),
        ("Client IP", line.extended("Client IP")),
        ("Country", line.extended("Country")),
        ("Principal", line.extended("Principal")),
        ("Observed", line.extended("Observed")),
        ("Expected", line.extended("Expected")),
        ("Time", line.text("startTimeUtc")),
        ("Baseline", line.extended("Baseline state")),
        ("Alert", line.id()),
    ];
    let present = all.into_iter().filter(|(_, value)| !value.is_empty());
    present.map(|(name, value)| (name, clean(value))).collect()
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": plain(text, TEXT_MAX)})
}

fn plain(text: &str, most: usize) -> Value {
    json!({"type": "plain_text", "text": escaped_within(&visible(text), most), "emoji": false})
}

/// At most `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Escaped, and at most `most` characters then: escaping makes some of them longer.
fn escaped_within(text: &str, most: usize) -> String {
    let mut kept = most.min(text.chars().count());
    loop {
        let out = escaped(&cut(text, kept));
        let over = out.chars().count().saturating_sub(most);
        if over == 0 || kept == 0 {
            return out;
        }
        // An escape is at most five characters for one.
        kept -= over.div_ceil(5).min(kept);
    }
}

/// The three characters that Slack obeys in any text ("Escaping text", api.slack.com).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
