//! What holds of all that is said of a text: its places are in it, and no literal is.
use proptest::prelude::*;

use super::generate;
use crate::cosmos_sql::{Reader, Span};
use crate::event::{SIGNS_MAX, TEMPLATE_BYTES_MAX};

const MARKER: &str = "Zz4711MARKER0815zZ";

fn inside(span: Span, text: &[u8]) -> bool {
    span.start <= span.end && span.end as usize <= text.len()
}

/// Reads `text` in both ways and looks at all places.
fn check(text: &str) {
    let shown: String = text.chars().take(300).collect();
    let mut reader = Reader::default();
    let inspection = reader.inspect(text.as_bytes());
    for (sign, span) in &inspection.seen {
        assert!(inside(*span, text.as_bytes()), "{sign:?} {span:?}: {shown}");
    }
    let same = inspection.against(&inspection);
    assert!(same.is_empty(), "against itself: {same:?}: {shown}");
    let read = reader.read(text);
    assert!(read.template.len() <= TEMPLATE_BYTES_MAX && read.marked.len() <= SIGNS_MAX);
    for marked in &read.marked {
        let place = read.template.get(marked.begin as usize..marked.end as usize);
        assert!(place.is_some(), "{marked:?}: {shown}");
    }
    assert!(read.marked.is_sorted());
}

/// Where a literal can stand in a text that parses, that is refused, that is cut off.
const PLACES: &[&str] = &[
    "SELECT * FROM c WHERE c.n = '{}'",
    "SELECT * FROM c WHERE c.n = \"{}\" OR '{}' = '{}'",
    "SELECT '{}' AS a, {\"k\": '{}'} AS o FROM c WHERE c.n LIKE '%{}%' ESCAPE '!' ORDER BY c.a",
    "SELECT * FROM c WHERE c.n IN ('{}', '{}') AND ARRAY_CONTAINS(['{}'], c.n)",
    "SELECT * FROM c WHERE c.n = 'x' -- {}' AND c.k = '{}'",
    "SELECT * FROM c WHERE c.n = '{}' AND SUBSTRING(c.p, 0, 1) = 'a' UNION SELECT '{}'",
    "SELECT * FROM c WHERE c.n = '{}'' AND c.k = 1",
    "SELECT * FROM c WHERE c.n = '\\q{}' ; /* {} */",
    "SELECT * FROM c WHERE c.n = 'x' AND c.k = '{}",
    "SELECT VALUE {'k {}': c.m['{}@a'].v} FROM c WHERE {'1{}': 1}.x = 1 AND c['-{}'] = 2",
    "SELECT * FROM c WHERE c.n = '{}' || '{}' OR CONTAINS('{}', '{}')",
];

#[test]
fn no_literal_is_in_what_is_said_of_a_text() {
    for place in PLACES {
        let text = place.replace("{}", MARKER);
        let mut reader = Reader::default();
        let inspection = reader.inspect(text.as_bytes());
        let read = reader.read(&text);
        let said = inspection.error.map(|error| error.to_string()).unwrap_or_default();
        for words in [inspection.template, said, format!("{read:?}"), read.template.to_string()] {
            assert!(!words.contains("4711"), "{text}: {words}");
        }
    }
}

/// What would be quadratic in these takes minutes.
#[test]
fn hostile_sizes_are_read() {
    let many = |part: &str, joint: &str, n: usize| {
        format!("SELECT * FROM c WHERE {}", vec![part; n].join(joint))
    };
    let deep = format!("SELECT * FROM c WHERE {}1=1{}", "(c.a = 1 OR ".repeat(80), ")".repeat(80));
    let long = "a".repeat(100_000);
    for text in [
        many("c.a = 1", " OR ", 30_000),
        many("c.a < 'b'", " OR ", 20_000),
        many("c.a = 'x' AND 'a' = 'b'", " OR ", 10_000),
        many("(c.a = 1) AND (c.b = 2)", " OR ", 10_000),
        deep,
        format!("SELECT * FROM c WHERE ('{long}' = '{long}b' OR c.n = '{long}')"),
        format!("SELECT * FROM c WHERE CONTAINS('{long}', '{long}b')"),
        format!("SELECT * FROM c WHERE '{long}' LIKE '%{long}b'"),
        format!("SELECT * FROM c WHERE c.a = 1{}", " + 0".repeat(100)),
    ] {
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn queries_are_read(text in generate::query()) {
        check(&text);
    }

    #[test]
    fn texts_are_read(text in "\\PC{0,120}") {
        check(&text);
    }

    #[test]
    fn queries_with_something_put_in_are_read(
        text in generate::query(),
        at in any::<prop::sample::Index>(),
        put in prop::sample::select(vec![
            "'", "\"", " --", " OR 1=1", "' OR '1'='1", ")", " AND (", "/*", ";", "\\", "{\"$ne\": 1}",
        ]),
    ) {
        let mut places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        places.push(text.len());
        let at = *at.get(&places);
        check(&format!("{}{put}{}", &text[..at], &text[at..]));
    }
}
