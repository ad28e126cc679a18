//! What comes of what by insertion, and by asking for whole rows.
use proptest::prelude::*;

use super::super::{Insertion, lineage, widened};
use super::tokens;
use crate::cosmos_sql::tests::generate;

fn from(known: &str, query: &str) -> Option<Insertion> {
    lineage(&tokens(known).tokens, &tokens(query))
}

#[test]
fn an_insertion_is_found_at_its_place() {
    let known = "SELECT * FROM c WHERE c.id = 'x' AND c.tenant = 't'";
    for (query, put, lost) in [
        (
            "SELECT * FROM c WHERE c.id = '' OR 1=1 OR 'a'='' AND c.tenant = 't'",
            "'' OR 1=1 OR 'a'=''",
            0,
        ),
        ("SELECT * FROM c WHERE c.id = 'x' AND c.tenant = 't' OR '1'='1'", "'t' OR '1'='1'", 0),
        ("SELECT * FROM c WHERE c.id = '' OR true --' AND c.tenant = 't'", "'' OR true", 6),
        ("SELECT * FROM c WHERE c.id = 'x' --' AND c.tenant = 't'", "'x'", 6),
        ("SELECT * FROM c WHERE c.id = 'x' or 1=1 --it's' AND c.tenant = 't'", "'x' or 1=1", 6),
        (
            "SELECT * FROM c WHERE c.id = 'O'Brien' AND c.tenant = 't'",
            "'O'Brien' AND c.tenant = 't'",
            6,
        ),
        (
            "SELECT * FROM c WHERE c.id = '' OR EXISTS(SELECT VALUE 1) OR '' = '' AND c.tenant = 't'",
            "'' OR EXISTS(SELECT VALUE 1) OR '' = ''",
            0,
        ),
        (
            "SELECT * FROM c WHERE ((c.id = \"\") OR (1 = 1) OR (\"a\" = \"\")) AND (c.tenant = \"t\")",
            "\"\") OR (1 = 1) OR (\"a\" = \"\"",
            0,
        ),
    ] {
        let found = from(known, query).unwrap_or_else(|| panic!("{query}"));
        assert_eq!(String::from_utf8_lossy(found.span.of(query.as_bytes())), put, "{query}");
        assert_eq!(found.lost, lost, "{query}");
    }
    let at_end = "SELECT * FROM c WHERE c.id = 'x'";
    let found = from(at_end, "SELECT * FROM c WHERE c.id = '' OR true -- '").unwrap();
    assert_eq!((found.place, found.lost), (9, 0));
    let number = "SELECT * FROM c WHERE c.n = 5 ORDER BY c.ts";
    let found = from(number, "SELECT * FROM c WHERE c.n = 5 OR true -- ORDER BY c.ts").unwrap();
    assert_eq!(found.lost, 5);
    let found = from(number, "SELECT * FROM c WHERE c.n = c.n OR 1=1 ORDER BY c.ts").unwrap();
    assert_eq!((found.place, found.times, found.lost), (9, 1, 0));
}

#[test]
fn an_insertion_has_the_brackets_that_it_opened() {
    for (known, query, put) in [
        ("c.n = 'x'", "c.n = 'x' OR ('a'='a')", "'x' OR ('a'='a')"),
        ("c.n = 'x' AND c.k = 1", "c.n = 'x' OR f(c.m, ('')) AND c.k = 1", "'x' OR f(c.m, (''))"),
        ("(c.n = 'x')", "(c.n = 'x' OR ('a'='a'))", "'x' OR ('a'='a')"),
        ("(c.n = 'x')", "(c.n = 'x') OR ('a'='a')", "'x') OR ('a'='a'"),
        ("LOWER(c.n) = LOWER('x')", "LOWER(c.n) = LOWER('x' || 'y')", "'x' || 'y'"),
        ("c.k = 1 AND c.m = 2", "c.k = (SELECT VALUE 1) AND c.m = 2", "(SELECT VALUE 1)"),
        ("c.k = 1", "c.k = 1 OR c[\"b\"]", "1 OR c[\"b\"]"),
    ] {
        let query = format!("SELECT * FROM c WHERE {query}");
        let found = from(&format!("SELECT * FROM c WHERE {known}"), &query).expect("an insertion");
        assert_eq!(String::from_utf8_lossy(found.span.of(query.as_bytes())), put, "{query}");
    }
}

#[test]
fn whole_rows_are_wider_than_some_properties() {
    for (known, query, wider) in [
        ("SELECT c.id FROM c WHERE c.n = 'x'", "SELECT * FROM c WHERE c.n = 'y'", true),
        ("SELECT c.id, c.n FROM c WHERE c.n = 'x'", "SELECT c FROM c WHERE c.n = 'y'", true),
        ("SELECT VALUE c.id FROM c WHERE c.n = 'x'", "SELECT TOP 9 * FROM c WHERE c.n = 'y'", true),
        (
            "SELECT c.id FROM root c WHERE c.n = 'x'",
            "SELECT VALUE c FROM root c WHERE c.n = 'x'",
            true,
        ),
        ("SELECT * FROM c WHERE c.n = 'x'", "SELECT c FROM c WHERE c.n = 'x'", false),
        ("SELECT c.id FROM c WHERE c.n = 'x'", "SELECT c.id, c.k FROM c WHERE c.n = 'x'", false),
        ("SELECT c.id FROM c WHERE c.n = 'x'", "SELECT * FROM c WHERE c.m = 'x'", false),
        ("SELECT VALUE COUNT(1) FROM c WHERE c.n = 'x'", "SELECT * FROM c WHERE c.n = 'x'", false),
        (
            "SELECT c.id FROM c WHERE c.n = 'x'",
            "SELECT VALUE t FROM t IN c.tags WHERE c.n = 'x'",
            false,
        ),
    ] {
        assert_eq!(
            widened(&tokens(known).tokens, &tokens(query).tokens).is_some(),
            wider,
            "{query}"
        );
    }
}

#[test]
fn the_same_insertion_in_several_places_is_one() {
    let known = "SELECT * FROM c WHERE CONTAINS(c.name, 'x') OR CONTAINS(c.text, 'x')";
    let query = "SELECT * FROM c WHERE CONTAINS(c.name, 'x') OR CONTAINS(c.y, 'x') OR CONTAINS(c.text, 'x') OR CONTAINS(c.y, 'x')";
    assert_eq!(from(known, query).map(|found| found.times), Some(2));
}

#[test]
fn what_no_input_can_do_is_no_insertion() {
    let known = "SELECT * FROM c WHERE c.id = 'x' AND c.t = 1";
    for query in [
        "SELECT * FROM c WHERE c.id = 'y' AND c.t = 2",
        "SELECT * FROM c WHERE c.id = 'y'",
        "SELECT * FROM c WHERE c.id = c.other AND c.t = 1",
        "SELECT * FROM c WHERE c.id = LOWER('x') AND c.t = 1",
        "SELECT * FROM c WHERE c.key = 'y' OR 1 = 1 AND c.t = 2",
        "SELECT c.id FROM c WHERE c.id = 'x' AND c.t = 1 OR 1 = 1",
        "SELECT * FROM c WHERE c.id = 'x' AND c.t = 1 ORDER BY c.ts",
        "SELECT * FROM c WHERE c.id = 'x' ORDER BY c.ts -- it's the orders page",
        "SELECT * FROM c WHERE c.id = 'x' AND c.t = 1 -- orders",
        "SELECT * FROM c -- c.id = 'x' AND c.t = 1",
        "",
    ] {
        // The last place is a number's: what follows a number at the end of a text can be input.
        let number_at_end = query.ends_with("ORDER BY c.ts");
        assert_eq!(from(known, query).is_some(), number_at_end, "{query}");
    }
    assert_eq!(from("", known), None);
    let parameters = "SELECT * FROM c WHERE c.id = @id AND c.t = @t";
    assert_eq!(from(parameters, "SELECT * FROM c WHERE c.id = @id OR 1=1 AND c.t = @t"), None);
    let long = format!("SELECT * FROM c WHERE {}", vec!["c.a = 1"; 2000].join(" OR "));
    assert!(!tokens(&long).whole);
    assert_eq!(from("SELECT * FROM c WHERE c.a = 1", &long), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_insertion_at_a_string_is_found(
        before in "[a-z ]{0,6}", payload in generate::query(), tail in "[a-z]{0,5}",
    ) {
        let known = "SELECT * FROM c WHERE c.a = 1 AND c.b = 'x' AND c.d = 'y'";
        let query = format!(
            "SELECT * FROM c WHERE c.a = 1 AND c.b = '{before}' OR EXISTS({payload}) OR '{tail}' = '{tail}' AND c.d = 'y'"
        );
        let found = from(known, &query);
        prop_assert!(!tokens(&query).whole || found.is_some(), "{}", query);
    }
}
