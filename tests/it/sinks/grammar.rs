//! Strict readers of RFC 5424 and of CEF, written from their grammars: what they take, others take.

/// A syslog message in its parts.
#[derive(Debug)]
pub struct Syslog {
    pub priority: u32,
    pub id: String,
    /// Names and unescaped values of the one element.
    pub data: Vec<(String, String)>,
    pub message: String,
}

/// Reads a message; fails the test where the grammar fails.
pub fn syslog(text: &str) -> Syslog {
    let rest = text.strip_prefix('<').expect("PRI");
    let (priority, rest) = rest.split_once('>').expect("PRI");
    assert!(priority == "0" || !priority.starts_with('0'));
    let priority: u32 = priority.parse().expect("PRIVAL");
    assert!(priority <= 191, "PRIVAL");
    let mut parts = rest.splitn(7, ' ');
    let mut next = || parts.next().expect("a header has six fields and a rest");
    assert_eq!(next(), "1", "VERSION");
    let time = next();
    assert!(cosmoguard::time::Timestamp::parse(time).is_some() && time.ends_with('Z'), "{time}");
    let (host, app, process, id) = (next(), next(), next(), next());
    for (field, most) in [(host, 255), (app, 48), (process, 128), (id, 32)] {
        let printable = field.bytes().all(|b| (33..=126).contains(&b));
        assert!(printable && !field.is_empty() && field.len() <= most, "{field}");
    }
    let id = id.to_owned();
    let rest = next();
    let (data, message) = match rest.strip_prefix("- ") {
        Some(message) => (Vec::new(), message.to_owned()),
        None => structured(rest),
    };
    // Control characters belong nowhere (6.4).
    assert!(!message.chars().any(char::is_control), "{message:?}");
    Syslog { priority, id, data, message }
}

fn structured(text: &str) -> (Vec<(String, String)>, String) {
    let rest = text.strip_prefix('[').expect("SD-ELEMENT");
    let name = |text: &str| {
        let sound = |b: u8| (33..=126).contains(&b) && !b"=]\"".contains(&b);
        assert!(!text.is_empty() && text.len() <= 32 && text.bytes().all(sound), "{text}");
    };
    let (sd_id, mut rest) = rest.split_once(' ').expect("SD-ID");
    name(sd_id);
    assert!(sd_id.contains('@'), "names without @ are the IANA's");
    let mut data = Vec::new();
    loop {
        let (key, after) = rest.split_once("=\"").expect("PARAM-NAME");
        name(key);
        let (mut value, mut end, mut chars) = (String::new(), None, after.char_indices());
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                '\\' => {
                    let (_, escaped) = chars.next().expect("an escape ends");
                    assert!(matches!(escaped, '"' | '\\' | ']'), "\\{escaped}");
                    value.push(escaped);
                }
                ']' => panic!("an unescaped ]"),
                c => value.push(c),
            }
        }
        data.push((key.to_owned(), value));
        rest = &after[end.expect("a value ends")..];
        match rest.strip_prefix("] ") {
            Some(message) => return (data, message.to_owned()),
            None => rest = rest.strip_prefix(' ').expect("SP between parameters"),
        }
    }
}

/// A CEF line in its parts.
#[derive(Debug)]
pub struct Cef {
    pub header: Vec<String>,
    pub extension: Vec<(String, String)>,
}

/// Reads a line; fails the test where the grammar fails.
pub fn cef(text: &str) -> Cef {
    let rest = text.strip_prefix("CEF:0|").expect("CEF:0|");
    assert!(!text.contains(['\n', '\r']), "one line");
    let (mut header, mut field, mut chars) = (Vec::new(), String::new(), rest.char_indices());
    let mut extension = "";
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, escaped) = chars.next().expect("an escape ends");
                assert!(matches!(escaped, '\\' | '|'), "header: \\{escaped}");
                field.push(escaped);
            }
            '|' => {
                header.push(std::mem::take(&mut field));
                if header.len() == 6 {
                    extension = &rest[at + 1..];
                    break;
                }
            }
            c => field.push(c),
        }
    }
    assert_eq!(header.len(), 6, "{text}");
    assert!(header[5].parse::<u8>().is_ok_and(|n| n <= 10), "severity {}", header[5]);
    Cef { header, extension: pairs(extension) }
}

/// `key=value key=value`: values may hold spaces, and a key begins at the last one before its `=`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let (mut out, mut value, mut chars) = (Vec::new(), String::new(), text.chars());
    let mut key: Option<String> = None;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next().expect("an escape ends");
                assert!(matches!(escaped, '\\' | '=' | 'n' | 'r'), "extension: \\{escaped}");
                value.push(escaped);
            }
            '=' => {
                let (before, name) = match value.rsplit_once(' ') {
                    Some((before, name)) => (before.to_owned(), name.to_owned()),
                    None => (String::new(), value.clone()),
                };
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "key {name:?}");
                if let Some(key) = key.replace(name) {
                    out.push((key, before));
                } else {
                    assert!(before.is_empty(), "text before the first key: {before:?}");
                }
                value.clear();
            }
            c => value.push(c),
        }
    }
    out.extend(key.map(|key| (key, value)));
    out
}

#[test]
fn the_readers_refuse_what_the_grammars_refuse() {
    let refused = |read: &(dyn Fn() + std::panic::RefUnwindSafe)| {
        assert!(std::panic::catch_unwind(read).is_err());
    };
    refused(&|| drop(cef("CEF:0|a|b|c|d|e|11|x=1")));
    refused(&|| drop(cef("CEF:0|a|b|c|d")));
    refused(&|| drop(cef("CEF:0|a|b|c|d|e|1|x y=1")));
    refused(&|| drop(syslog("<192>1 2026-01-01T00:00:00Z - a - b - x")));
    refused(&|| drop(syslog("<1>1 2026-01-01T00:00:00Z - a - b [x@1 k=\"]\"] x")));
    refused(&|| drop(syslog("<1>1 2026-01-01T00:00:00Z - a - b - x\ny")));
    let read = cef("CEF:0|a|b\\|c|1|d|e|5|src=1.2.3.4 msg=a b\\=c d");
    assert_eq!(read.header[1], "b|c");
    assert_eq!(read.extension[1], ("msg".to_owned(), "a b=c d".to_owned()));
}
