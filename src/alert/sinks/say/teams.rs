//! An Adaptive Card for a workflow webhook of Teams. Whatever came from a log lies in text runs,
//! which are not Markdown.
use serde_json::{Value, json};

use super::super::line::Line;
use super::super::notice::{Event, Notice};
use super::slack::{cut, facts};
use super::{sentence, title};
use crate::alert::words::visible;

/// Longest text, characters; a card may have 28 KB.
const TEXT_MAX: usize = 1200;
/// Most alerts that are told in full.
const SHOWN_MAX: usize = 4;

/// One message about all of `notices`.
pub fn message(notices: &[&Notice]) -> Value {
    let (mut body, mut actions) = (Vec::new(), Vec::new());
    for notice in notices.iter().take(SHOWN_MAX) {
        let read = match &notice.event {
            Event::Alert { change, line } => Line::parse(line).map(|line| (change, line)),
            _ => None,
        };
        let Some((change, line)) = read else {
            body.push(text(&sentence(notice), false));
            continue;
        };
        body.push(text(&title(&line, change), true));
        body.push(text(line.text("description"), false));
        body.extend(facts(&line).into_iter().map(|(name, value)| fact(name, &value)));
        if let Some(href) = line.query_link().filter(|_| actions.is_empty()) {
            let title = "Look at the records";
            actions.push(json!({"type": "Action.OpenUrl", "title": title, "url": href}));
        }
    }
    if notices.len() > SHOWN_MAX {
        let more = format!("and {} more; all are in the alert file", notices.len() - SHOWN_MAX);
        body.push(text(&more, false));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
            },
        }],
    })
}

fn run(text: &str, bold: bool) -> Value {
    let text = cut(&visible(text), TEXT_MAX);
    let weight = if bold { "Bolder" } else { "Default" };
    json!({"type": "TextRun", "text": text, "weight": weight})
}

fn text(words: &str, bold: bool) -> Value {
    json!({"type": "RichTextBlock", "inlines": [run(words, bold)]})
}

fn fact(name: &str, value: &str) -> Value {
    json!({"type": "RichTextBlock", "spacing": "None", "inlines": [run(&format!("{name}: "), true), run(value, false)]})
}
