use super::super::line::testing::{of, text_of};
use super::*;
use crate::alert::formats::write_line;
use crate::alert::testing::{alert, hostile};
use crate::detect::AlertKind;

fn notice(line: &str, change: Change) -> Notice {
    let event = Event::Alert { change, line: line.to_owned() };
    Notice { key: "k.1".to_owned(), at: 0, due: 0, group: String::new(), event }
}

fn said(kind: AlertKind, format: Format) -> String {
    message(&notice(&of(kind), Change::New), format).unwrap()
}

/// What a fresh alert says and a line does not hold: it was never written down.
fn without_counts(format: Format, text: &str) -> String {
    match format {
        Format::Cef => text.replace(" cnt=1", ""),
        Format::Ocsf => {
            let mut value: Value = serde_json::from_str(text).unwrap();
            let map = value.as_object_mut().unwrap();
            map.remove("count");
            value["finding_info"].as_object_mut().unwrap().remove("created_time");
            value.to_string()
        }
        _ => text.to_owned(),
    }
}

#[test]
fn a_line_read_back_says_what_the_fresh_alert_said() {
    for kind in AlertKind::ALL {
        for format in Format::ALL {
            let mut fresh = Vec::new();
            write_line(&alert(kind), format, &mut fresh);
            let fresh = String::from_utf8(fresh).unwrap();
            let fresh = without_counts(format, fresh.trim_end());
            let said = said(kind, format);
            match format {
                Format::Cef => assert_eq!(said, fresh, "{kind:?}"),
                _ => {
                    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                    assert_eq!(of(&said), of(&fresh), "{kind:?} {format:?}");
                }
            }
        }
    }
}

#[test]
fn a_changed_status_is_said_in_every_format() {
    let line = of(AlertKind::TorAnomaly);
    let resolved = || Change::Status { status: "Resolved".into(), reason: "our own scan".into() };
    let value = |format| -> Value {
        let text = message(&notice(&line, resolved()), format).unwrap();
        serde_json::from_str(&text).unwrap_or(Value::from(text))
    };
    assert_eq!(value(Format::Defender)["properties"]["status"], "Resolved");
    let ocsf = value(Format::Ocsf);
    assert_eq!((&ocsf["activity_id"], &ocsf["status_id"]), (&json!(3), &json!(4)));
    assert_eq!(
        (&ocsf["type_uid"], &ocsf["status_detail"]),
        (&json!(200_403), &json!("our own scan"))
    );
    assert_eq!(value(Format::Ecs)["labels"]["status"], "Resolved");
    assert_eq!(value(Format::SecurityAlert)["Status"], "Resolved");
    assert!(value(Format::Cef).as_str().unwrap().contains(" act=Resolved reason=our own scan "));
}

#[test]
fn digests_and_heartbeats_are_said_in_every_format_and_chat() {
    let digest = Digest {
        from: 0,
        until: 86_400_000,
        pushed: 1,
        held_back: 2,
        severities: [("Low".to_owned(), 3)].into(),
        kinds: [("CosmosDB_GeoAnomaly|=".to_owned(), 3)].into(),
        ..Digest::default()
    };
    let digest = Notice {
        key: "digest.1".to_owned(),
        at: 0,
        due: 0,
        group: String::new(),
        event: Event::Digest(digest),
    };
    let beat = Notice::heartbeat("soc", Heartbeat { at: 60_000, ..Heartbeat::default() });
    for format in Format::ALL {
        let text = message(&digest, format).unwrap();
        assert!(text.contains("3 alerts, 1 pushed at once, 2 held back"), "{text}");
        assert!(message(&beat, format).unwrap().contains("last delivery never"));
    }
    let both = [&digest, &beat];
    assert!(slack::message(&both).to_string().contains("held back"));
    assert!(teams::message(&both).to_string().contains("last delivery never"));
}

/// Characters that a terminal, a browser or a reader obeys.
fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn hostile_lines_stay_inside_every_format_and_chat() {
    for kind in AlertKind::ALL {
        let line = text_of(&hostile(kind));
        let change = || Change::Status {
            status: "<!channel> *x*".to_owned(),
            reason: "a|b=c\nd\u{1b}[31m".to_owned(),
        };
        for change in [Change::New, Change::Update, change()] {
            let notice = notice(&line, change);
            for format in Format::ALL {
                let text = message(&notice, format).unwrap();
                // A change of status is cleaned where it is planned.
                assert!(!text.chars().any(is_obeyed), "{kind:?} {format:?}");
                assert!(!text.contains('\n'), "{kind:?} {format:?}");
                if format != Format::Cef {
                    serde_json::from_str::<Value>(&text).unwrap();
                }
            }
            let many = vec![&notice; 30];
            for message in [slack::message(&many), teams::message(&many)] {
                let text = message.to_string();
                assert!(text.len() < 200 << 10 && !text.chars().any(is_obeyed), "{kind:?}");
            }
            let slack = slack::message(&[&notice]).to_string();
            assert!(!slack.contains("<!") && !slack.contains("<script>"), "{slack}");
        }
    }
}

#[test]
fn a_queued_line_that_is_none_is_refused_and_not_sent_as_something_else() {
    for format in Format::ALL {
        assert!(message(&notice("garbage", Change::New), format).is_err());
    }
}
