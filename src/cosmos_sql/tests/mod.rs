//! What holds of texts, trees and places.
use proptest::prelude::*;

use super::*;

pub(super) mod generate;
mod reading;

fn error(text: &str) -> SqlError {
    Workspace::new().parse(text.as_bytes()).expect_err(text)
}

fn printed(text: &str) -> String {
    let mut workspace = Workspace::new();
    let query = workspace.parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
    String::from_utf8(print(&query)).unwrap()
}

/// Kinds, and the texts of leaves.
fn shape(query: &Query<'_>, node: NodeId, out: &mut Vec<(Kind, Vec<u8>)>) {
    let children = query.children(node).count();
    let text = if children == 0 { query.slice(node).to_vec() } else { vec![children as u8] };
    let text = if matches!(query.kind(node), Kind::Select { .. } | Kind::Array | Kind::Object) {
        Vec::new()
    } else {
        text
    };
    out.push((query.kind(node), text));
    for child in query.children(node) {
        shape(query, child, out);
    }
}

fn tree(text: &[u8]) -> Vec<(Kind, Vec<u8>)> {
    let mut workspace = Workspace::new();
    let query =
        workspace.parse(text).unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(text)));
    let mut out = Vec::new();
    shape(&query, query.root(), &mut out);
    out
}

#[test]
fn operators_bind_as_in_the_published_grammar() {
    for (text, same) in [
        ("1 + 2 * 3 - 4 / 5", "(1 + (2 * 3)) - (4 / 5)"),
        ("1 = 2 & 3 != 4", "(1 = 2) & (3 != 4)"),
        ("1 | 2 & 3 ^ 4", "1 | ((2 & 3) ^ 4)"),
        ("1 || 2 OR 3 || 4", "(1 || 2) OR (3 || 4)"),
        ("a OR b AND c OR d", "a OR (b AND c) OR d"),
        ("1 < 2 << 3 + 4", "1 < (2 << (3 + 4))"),
        ("a ? b ?? c : d + e", "a ? (b ?? c) : (d + e)"),
        ("a BETWEEN 1 AND 2 AND b IN (1)", "(a BETWEEN 1 AND 2) AND (b IN (1))"),
        ("NOT a.b = c", "(NOT a.b) = c"),
        ("- a.b + c", "(-(a.b)) + c"),
        ("x = 1 OR y NOT LIKE 'a' ESCAPE '!'", "(x = 1) OR (y NOT LIKE 'a' ESCAPE '!')"),
        ("(c.a).b[0]", "c.a.b[0]"),
    ] {
        let of = |e: &str| tree(format!("SELECT VALUE {e}").as_bytes());
        assert_eq!(of(text), of(same), "{text}");
    }
    assert_ne!(tree(b"SELECT VALUE (a AND b) AND c"), tree(b"SELECT VALUE a AND b AND c"));
}

#[test]
fn what_the_service_takes_beyond_the_published_grammar_parses() {
    for text in [
        "SELECT * FROM c WHERE c.id IN (SELECT VALUE x.id FROM x IN c.xs)",
        "SELECT * FROM c WHERE c.a <> 1 AND c.b = 0xff",
        "SELECT VALUE 100 >>> 2 << 1 >> 1",
        "SELECT * FROM c -- all of them\nWHERE c.a = 1 --",
        "SELECT c.id cid, {grade: c.grade} FROM Families c",
        "SELECT * FROM c WHERE c.a BETWEEN 1 AND 2 AND c.b-1 > 0",
        "SELECT VALUE c.value FROM c ORDER BY c.rank, rank.x DESC",
    ] {
        printed(text);
    }
}

#[test]
fn what_the_service_refuses_is_refused_and_says_where() {
    for (text, at, says) in [
        ("SELECT * FROM c WHERE c.a = 1 /* x */", 30, "found a block comment"),
        ("SELECT * FROM c; SELECT 1", 15, "found `;`"),
        ("SELECT * FROM c WHERE c.n = 'O'Brien'", 31, "found a name"),
        ("SELECT * FROM c WHERE c.n = 'it''s'", 32, "found a string"),
        ("SELECT * FROM c WHERE c.n = 'x", 28, "found a string that is not closed"),
        ("SELECT * FROM c UNION SELECT 1", 22, "found `SELECT`"),
        ("SELECT * FROM c WHERE c.n = 'a\\q'", 28, "unknown escape"),
        ("SELECT * FROM c WHERE c.n = 'a\nb'", 28, "control character"),
        ("SELECT * FROM c WHERE", 21, "expected an expression, found the end"),
        ("SELECT TOP -1 * FROM c", 11, "expected a number or a parameter, found `-`"),
        ("SELECT * FROM c WHERE c.a = \u{e9}", 28, "found a character that begins nothing"),
        ("", 0, "expected `SELECT`, found the end"),
        ("UPDATE c SET x = 1", 0, "expected `SELECT`, found a name"),
        ("SELECT VALUE 1 BETWEEN 2 AND 3 BETWEEN 4 AND 5", 31, "found `BETWEEN`"),
        ("SELECT VALUE a IN (1) = true", 22, "found `=`"),
        ("SELECT * FROM c WHERE c.a = 1 OR TRUE AND", 41, "an expression"),
        ("SELECT * FROM c WHERE c.a LIKE 'x' ESCAPE 'xy'", 42, "must be one character"),
        ("SELECT * FROM c WHERE c.a LIKE 'x' ESCAPE ''", 42, "must be one character"),
    ] {
        let error = error(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn keywords_in_any_case_constants_in_lower_case_only() {
    assert_eq!(printed("select Distinct top 1 value TRUE"), "SELECT DISTINCT TOP 1 VALUE TRUE");
    let kinds =
        |text: &str| tree(text.as_bytes()).iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
    assert!(kinds("SELECT VALUE true").contains(&Kind::True));
    assert!(kinds("SELECT VALUE TRUE").contains(&Kind::Name));
    assert!(kinds("SELECT VALUE Undefined").contains(&Kind::Name));
}

#[test]
fn parentheses_are_printed_where_the_tree_needs_them() {
    for (text, expected) in [
        ("1 - (2 - 3)", "1 - (2 - 3)"),
        ("(1 - 2) - 3", "1 - 2 - 3"),
        ("(1 + 2) * (3)", "(1 + 2) * 3"),
        ("(a AND b) AND (c OR d)", "(a AND b) AND (c OR d)"),
        ("(a ? b : c) ? d : (e ? f : g)", "a ? b : c ? d : (e ? f : g)"),
        ("-(-x) + - - 1", "- -x + - -1"),
        ("NOT (a = 1)", "NOT (a = 1)"),
        ("(a IN (1)) = true", "(a IN (1)) = true"),
        ("(1).x[('y')]['z']", "(1).x[('y')]['z']"),
        ("x IN ((SELECT VALUE 1))", "x IN ((SELECT VALUE 1))"),
        ("x IN (SELECT VALUE 1)", "x IN (SELECT VALUE 1)"),
    ] {
        assert_eq!(printed(&format!("SELECT VALUE {text}")), format!("SELECT VALUE {expected}"));
    }
}

#[test]
fn lines_and_columns_count_from_one() {
    let text = "SELECT *\nFROM c\nWHERE ?";
    assert_eq!(error(text).line_column(text.as_bytes()), (3, 7));
    assert_eq!(error("").line_column(b""), (1, 1));
}

#[test]
fn a_refused_text_still_has_its_tokens_and_comments() {
    let mut workspace = Workspace::new();
    let text = b"SELECT * FROM c WHERE c.id = '' OR 1=1 -- x' AND c.t = 'y'\n ) #";
    assert!(workspace.parse(text).is_err());
    let comment: Vec<_> = workspace.comments().iter().map(|span| span.of(text)).collect();
    assert_eq!(comment, [b"-- x' AND c.t = 'y'".as_slice()]);
    let kinds: Vec<_> = workspace.tokens().iter().rev().map(|token| token.kind).take(3).collect();
    assert_eq!(kinds, [TokenKind::End, TokenKind::Unknown, TokenKind::ParenClose]);
}

#[test]
fn nodes_know_where_they_stand() {
    let mut workspace = Workspace::new();
    let text = b"SELECT * FROM c WHERE (c.id = 'x') OR (1 = 1)";
    let query = workspace.parse(text).unwrap();
    let filter = query.clause(query.root(), |kind| kind == Kind::Where).unwrap();
    let or = query.first_child(filter).unwrap();
    let texts: Vec<_> = query.children(or).map(|node| query.slice(node)).collect();
    assert_eq!(texts, [b"c.id = 'x'".as_slice(), b"1 = 1"]);
}

#[test]
fn depth_is_bounded_before_the_stack_is() {
    let nested = |open: &str, n: usize, close: &str| {
        format!("SELECT VALUE {}1{}", open.repeat(n), close.repeat(n))
    };
    for (open, close) in
        [("(", ")"), ("[", "]"), ("- ", ""), ("NOT ", ""), ("1 + ", ""), ("1 ?? ", "")]
    {
        printed(&nested(open, 120, close));
        let error = error(&nested(open, 100_000, close));
        assert_eq!(error.reason, Reason::TooDeep, "{open}");
    }
    printed(&format!("SELECT VALUE {}", vec!["c.a = 1"; 10_000].join(" OR ")));
    printed(&format!("SELECT VALUE c{}", ".a".repeat(10_000)));
}

#[test]
fn size_is_bounded() {
    let long = vec![b' '; limits::QUERY_TEXT_BYTES_MAX + 1];
    let refusal = Workspace::new().parse(&long).expect_err("too long");
    assert_eq!(refusal.reason, Reason::TooLong);
    let many = format!("SELECT VALUE {}", "- ".repeat(limits::QUERY_TOKENS_MAX / 2 + 100));
    assert_eq!(error(&many).reason, Reason::TooDeep);
    let many = ",".repeat(limits::QUERY_TOKENS_MAX + 1);
    assert_eq!(error(&many).reason, Reason::TooManyTokens);
}

#[test]
fn debug_shows_none_of_the_text() {
    let mut workspace = Workspace::new();
    let query = workspace.parse(b"SELECT * FROM c WHERE c.id = 'secret'").unwrap();
    let shown = format!("{query:?}");
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    assert!(!format!("{workspace:?} {}", error("SELECT 'secret' 'secret'")).contains("secret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_query_prints_as_one_with_the_same_tree(text in generate::query()) {
        let once = printed(&text);
        prop_assert_eq!(tree(text.as_bytes()), tree(once.as_bytes()), "{}", once);
        prop_assert_eq!(&printed(&once), &once);
    }

    #[test]
    fn any_bytes_are_refused_within_bounds_or_parse(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&bytes);
    }

    #[test]
    fn a_broken_query_is_refused_within_bounds_or_parses(
        text in generate::query(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            vec!["", "'", "\"", "(", ")", "--", " OR ", "\\", "[", ".", "SELECT ", "IN (", "?"])), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (place, insert) in cuts {
            let at = place.index(bytes.len() + 1);
            let end = (at + 1).min(bytes.len());
            bytes.splice(at..end, insert.bytes());
        }
        check_any(&bytes);
    }
}

/// What holds of any bytes; the fuzz target asks the same.
fn check_any(bytes: &[u8]) {
    let mut workspace = Workspace::new();
    match workspace.parse(bytes) {
        Ok(query) => {
            let once = print(&query);
            let again = print(&Workspace::new().parse(&once).expect("what was printed parses"));
            assert_eq!(once, again);
        }
        Err(error) => {
            assert!(error.at as usize <= bytes.len(), "{error}");
            error.line_column(bytes);
        }
    }
    let spans = workspace.tokens().iter().map(|token| token.span);
    assert!(spans.clone().all(|span| span.start <= span.end && span.end as usize <= bytes.len()));
    assert!(spans.clone().zip(spans.skip(1)).all(|(a, b)| a.end <= b.start));
}
