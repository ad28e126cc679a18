//! What is one template, what is not, and what comes of what by insertion.
use proptest::prelude::*;

use super::*;
use crate::cosmos_sql::tests::generate;
use crate::cosmos_sql::{Workspace, print};
use crate::limits;

fn template(text: &str) -> Template {
    let mut workspace = Workspace::new();
    let query = workspace.parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
    of(&query, &mut Scratch::new())
}

fn shown(query: &str) -> String {
    let mut workspace = Workspace::new();
    let query = workspace.parse(query.as_bytes()).unwrap_or_else(|e| panic!("{query}: {e}"));
    text(&query, &mut Scratch::new())
}

fn tokens(text: &str) -> Sequence {
    let mut workspace = Workspace::new();
    match workspace.parse(text.as_bytes()) {
        Ok(query) => Sequence::of_query(&query, &mut Scratch::new()),
        Err(_) => Sequence::of_refused(text.as_bytes(), &workspace),
    }
}

fn from(known: &str, query: &str) -> Option<Insertion> {
    lineage(&tokens(known).tokens, &tokens(query))
}

#[test]
fn queries_that_differ_in_nothing_that_matters_are_one_template() {
    for (one, other) in [
        ("SELECT * FROM c WHERE c.id = 'a'", "select * from c where (c.id = \"b\")"),
        ("SELECT * FROM root r WHERE r.x = 1", "SELECT * FROM c WHERE c.x = -2.5e3"),
        ("SELECT * FROM c WHERE c.x = true", "SELECT * FROM c WHERE c[\"x\"] = false"),
        (
            "SELECT * FROM c WHERE c.a = 1 AND c.b = 'x'",
            "SELECT * FROM c WHERE c.b = 'y' AND c.a = 2",
        ),
        (
            "SELECT * FROM c WHERE (c.a = 1 AND c.b = 2) AND c.d = 3",
            "SELECT * FROM c WHERE c.d = 1 AND (c.b = 1 AND c.a = 1)",
        ),
        ("SELECT * FROM c WHERE c.a IN (1)", "SELECT * FROM c WHERE c.a IN (1, 2, 3)"),
        ("SELECT * FROM c WHERE c.a IN (1, 'a')", "SELECT * FROM c WHERE c.a IN ('a', 2, 'b', 3)"),
        (
            "SELECT * FROM c WHERE c.a = 1 OR c.a = 2",
            "SELECT * FROM c WHERE c.a = 1 OR c.a = 2 OR c.a = 3",
        ),
        (
            "SELECT * FROM c ORDER BY VectorDistance(c.v, [0.1, -0.2])",
            "SELECT * FROM c ORDER BY vectordistance(c.v, [1,2,3]) ASC",
        ),
        ("SELECT VALUE c FROM c WHERE c.a = 1", "SELECT * FROM c WHERE c.a = 1"),
        ("SELECT c.a, c.b.d AS x FROM c", "SELECT VALUE {'a': c.a, x: c.b.d} FROM c"),
        (
            "SELECT f.id FROM Families f JOIN k IN f.children WHERE k.age > 5",
            "SELECT c.id FROM c JOIN x IN c.children WHERE x.age > 50",
        ),
        (
            "SELECT * FROM c WHERE c.a = @a AND c.b = @b",
            "SELECT * FROM c WHERE c.a = @p0 AND c.b = @p1",
        ),
        (
            "SELECT * FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'x')",
            "SELECT * FROM r WHERE exists(SELECT VALUE g FROM g IN r.tags WHERE g = 'y')",
        ),
    ] {
        assert_eq!(template(one).shape, template(other).shape, "{one}\n{other}");
        assert_eq!(template(one).skeleton, template(other).skeleton, "{one}\n{other}");
        assert_eq!(shown(one), shown(other));
    }
}

#[test]
fn queries_that_ask_something_else_are_other_templates() {
    let queries = [
        "SELECT * FROM c",
        "SELECT * FROM c WHERE c.id = 'a'",
        "SELECT * FROM c WHERE c.id = 1",
        "SELECT * FROM c WHERE c.id = null",
        "SELECT * FROM c WHERE c.id = @id",
        "SELECT * FROM c WHERE c.Id = 'a'",
        "SELECT * FROM c WHERE c.id != 'a'",
        "SELECT * FROM c WHERE c.id = 'a' OR c.id = 'b'",
        "SELECT * FROM c WHERE c.id = 'a' AND c.id = 'b'",
        "SELECT * FROM c WHERE c.id = 'a' OR true",
        "SELECT * FROM c WHERE c.id = 'a' AND true",
        "SELECT * FROM c WHERE c.id IN ('a')",
        "SELECT * FROM c WHERE c.id NOT IN ('a')",
        "SELECT * FROM c WHERE NOT (c.id IN ('a'))",
        "SELECT * FROM c WHERE c.id = c.id",
        "SELECT * FROM c WHERE c.id = d.id",
        "SELECT * FROM c WHERE udf.f(c.id)",
        "SELECT * FROM c WHERE udf.F(c.id)",
        "SELECT * FROM c WHERE f(c.id)",
        "SELECT TOP 1 * FROM c",
        "SELECT DISTINCT * FROM c",
        "SELECT c.id FROM c",
        "SELECT c.id AS key FROM c",
        "SELECT VALUE c.id FROM c",
        "SELECT * FROM c.children",
        "SELECT * FROM c ORDER BY c.a",
        "SELECT * FROM c ORDER BY c.a DESC",
        "SELECT * FROM c ORDER BY RANK f(c.a)",
        "SELECT * FROM c ORDER BY f(c.a)",
        "SELECT * FROM c GROUP BY c.a",
        "SELECT * FROM c OFFSET 1 LIMIT 1",
        "SELECT c.id FROM c JOIN d IN c.d",
        "SELECT d.id FROM c JOIN d IN c.d",
    ];
    let mut shapes: Vec<_> = queries.iter().map(|query| template(query).shape).collect();
    shapes.sort_unstable();
    shapes.dedup();
    assert_eq!(shapes.len(), queries.len());
    let mut texts: Vec<_> = queries.iter().map(|query| shown(query)).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), queries.len(), "{texts:#?}");
    assert_eq!(template(queries[0]).skeleton, template(queries[1]).skeleton);
    assert_ne!(template(queries[0]).skeleton, template("SELECT c.id FROM c").skeleton);
}

#[test]
fn a_rewritten_query_has_the_template_of_the_clients() {
    for (client, logged) in [
        (
            "SELECT * FROM c WHERE c.a = 'x' ORDER BY c.ts",
            "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c AS payload\nFROM c\nWHERE ((c.a = \"x\") AND (true))\nORDER BY c.ts",
        ),
        (
            "SELECT * FROM c ORDER BY c.ts",
            "SELECT c. _rid, [{'item': c.ts}] AS orderByItems, c payload FROM c WHERE true ORDER BY c.ts",
        ),
        (
            "SELECT * FROM c ORDER BY c.ts DESC",
            "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c AS payload FROM c WHERE (true) ORDER BY c.ts DESC",
        ),
        (
            "SELECT * FROM c WHERE c.a = 'x' ORDER BY c.ts",
            "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c AS payload FROM c WHERE ((c.a = \"x\") AND (( c.ts > 17 OR IS_STRING(c.ts) ))) ORDER BY c.ts",
        ),
        (
            "SELECT * FROM c WHERE c.ts > 5 ORDER BY c.ts",
            "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c AS payload FROM c WHERE ((c.ts > 5) AND (true)) ORDER BY c.ts",
        ),
        (
            "SELECT c.givenName FROM Families f JOIN c IN f.children WHERE f.id = 'W' ORDER BY f.address.city ASC",
            "SELECT f._rid, [{\"item\": f.address.city}] AS orderByItems, {\"givenName\": c.givenName} AS payload\nFROM Families AS f\nJOIN c IN f.children\nWHERE ((f.id = \"WakefieldFamily\") AND (true))\nORDER BY f.address.city ASC",
        ),
        (
            "SELECT VALUE r.a FROM r WHERE r.d = true ORDER BY r.b",
            "SELECT r._rid, [{\"item\": r.b}] AS orderByItems, r.a AS payload FROM r WHERE (((r.d = true) AND (true)) AND IS_DEFINED(r.a)) ORDER BY r.b",
        ),
        (
            "SELECT Count(1) AS Count FROM c WHERE c.a > 1",
            "SELECT {\"Count\": {\"item\": Count(1)}} AS payload FROM c WHERE (c.a > 1)",
        ),
        (
            "SELECT AVG(c.x), MIN(c.y) AS least FROM c",
            "SELECT {\"$1\": {\"item\": {\"sum\": SUM(c.x), \"count\": COUNT(c.x)}}, \"least\": {\"item\": MIN(c.y), \"item2\": {\"min\": MIN(c.y), \"count\": COUNT(c.y)}}} AS payload FROM c",
        ),
        (
            "SELECT VALUE AVG(c.x) FROM c",
            "SELECT VALUE [{\"item\": {\"sum\": SUM(c.x), \"count\": COUNT(c.x)}}] FROM c",
        ),
        (
            "SELECT c.a, COUNT(1) AS n FROM c GROUP BY c.a",
            "SELECT [{\"item\": c.a}] AS groupByItems, {\"a\": c.a, \"n\": {\"item\": COUNT(1)}} AS payload FROM c GROUP BY c.a",
        ),
    ] {
        assert_eq!(shown(client), shown(logged));
        assert_eq!(template(client).shape, template(logged).shape, "{client}");
        assert!(template(logged).rewritten && !template(client).rewritten);
    }
}

#[test]
fn the_gateways_own_conditions_can_be_told() {
    let text = b"SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, c.a AS payload FROM c \
        WHERE (((c.x = 1) AND (true)) AND IS_DEFINED(c.a)) ORDER BY c.ts";
    let mut workspace = Workspace::new();
    let query = workspace.parse(text).unwrap();
    let added = added_by_gateway(&query, &mut Scratch::new());
    let added = added.map(|span| span.map(|span| span.of(text)));
    assert_eq!(added, [Some(b"IS_DEFINED(c.a)".as_slice()), Some(b"true")]);
}

#[test]
fn a_condition_that_is_not_the_gateways_stays() {
    let of = |filter: &str| {
        template(&format!(
            "SELECT c._rid, [{{\"item\": c.ts}}] AS orderByItems, c AS payload FROM c WHERE {filter} ORDER BY c.ts"
        ))
        .shape
    };
    let plain = of("(c.a = 1) AND (true)");
    for filter in [
        "(c.a = 1) OR (true)",
        "((c.a = 1) OR (true)) AND (true)",
        "(c.a = 1) AND (c.ts > 1 OR true)",
        "(c.a = 1) AND (c.ts > 1 OR c.b = 1)",
        "(c.a = 1) AND (c.ts > c.ts)",
        "(c.a = 1) AND (c.ts > 1 OR CONTAINS(c.ts, 'x'))",
        "(c.a = 1) AND (c.ts > 1 OR IS_STRING(c.b))",
        "(c.a = 1) AND (c.ts > 1) AND (true)",
    ] {
        assert_ne!(plain, of(filter), "{filter}");
    }
    assert_ne!(
        template("SELECT * FROM c WHERE c.a = 1 AND true").shape,
        template("SELECT * FROM c WHERE c.a = 1").shape,
        "nothing says that the gateway wrote it"
    );
}

#[test]
fn literals_have_kinds_and_places() {
    let text = "SELECT TOP 3 * FROM r1 WHERE r1[\"p1__12\"] = -1 AND CONTAINS(r1.p2, \"str1__13\") \
                AND r1.x IN ('str2', 'id', null, true) AND r1.y = @p";
    let mut workspace = Workspace::new();
    let query = workspace.parse(text.as_bytes()).unwrap();
    let kinds: Vec<_> = literals(&query).map(|place| place.kind).collect();
    use LiteralKind as K;
    let expected =
        [K::Number, K::Number, K::Obfuscated, K::Obfuscated, K::String, K::Null, K::Boolean];
    assert_eq!(kinds, expected);
    let template = of(&query, &mut Scratch::new());
    assert_eq!((template.literals, template.parameters, template.obfuscated), (7, 1, true));
    assert!(literals(&query).any(|place| place.span.of(query.text()) == b"\"str1__13\""));
    for plain in ["'str'", "'str1_'", "'str1__'", "'str1__1x'", "'strong'", "'xstr1'", "''"] {
        assert!(!is_obfuscated(plain.as_bytes()), "{plain}");
    }
}

#[test]
fn texts_are_for_people_and_show_no_values() {
    let text = shown(
        "SELECT TOP 5 r.id, COUNT(1) AS n FROM root r JOIN t IN r.tags WHERE r.name = 'O\\'Brien' \
         AND (t.x > 5 OR t.y BETWEEN 1 AND 2) AND r['a b'][0] IN ('x','y') AND r.z = @z",
    );
    for part in [
        "SELECT TOP # c.id, COUNT(#) AS n FROM c JOIN c2 IN c.tags WHERE ",
        "c.name = '…'",
        "(c2.x > # OR c2.y BETWEEN # AND #)",
        "c['…'][#] IN ('…')",
        "c.z = @…",
    ] {
        let swapped =
            part.replace("c2.x > # OR c2.y BETWEEN # AND #", "c2.y BETWEEN # AND # OR c2.x > #");
        assert!(text.contains(part) || text.contains(&swapped), "{part}: {text}");
    }
    assert!(!text.contains("Brien"));
}

#[test]
fn hostile_names_are_escaped_and_texts_bounded() {
    let text = shown("SELECT c['\u{202e}<b>\\\"x'] FROM c");
    assert_eq!(text, "SELECT c['…'] FROM c");
    let long = "x".repeat(5000);
    assert!(shown(&format!("SELECT c.{long} FROM c")).len() < 200);
    let many: Vec<_> = (0..500).map(|i| format!("c.property{i} = {i}")).collect();
    let many = shown(&format!("SELECT * FROM c WHERE {}", many.join(" OR ")));
    assert!(many.len() <= limits::TEMPLATE_TEXT_BYTES_MAX && many.ends_with('…'), "{many}");
}

#[test]
fn sequences_do_not_know_parentheses_nor_how_a_member_is_written() {
    for (one, other) in [
        (
            "SELECT * FROM c WHERE c.id = 'a' AND c.b = 1",
            "SELECT * FROM c WHERE ((c.id = \"x\") AND (c.b = -7))",
        ),
        (
            "SELECT * FROM c WHERE c.id IN ('a')",
            "SELECT * FROM c WHERE c[\"id\"] IN ('a', 'b', 'c')",
        ),
        ("SELECT {'a': c.a} FROM r c", "SELECT {a: c['a']} FROM r AS c"),
    ] {
        assert_eq!(tokens(one).tokens, tokens(other).tokens, "{one}\n{other}");
    }
    let page = |filter: &str| {
        tokens(&format!(
            "SELECT c._rid, [{{\"item\": c.ts}}] AS orderByItems, c AS payload FROM c{filter} ORDER BY c.ts"
        ))
        .tokens
    };
    assert_eq!(page(" WHERE ((c.a = 1) AND (true))"), page(" WHERE (c.a = 1) AND (c.ts > 7)"));
    assert_eq!(page(" WHERE (true)"), page(" WHERE (c.ts > 7)"));
    assert_eq!(page(" WHERE (true)"), page(""));
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

#[test]
fn hostile_queries_cost_no_more_than_their_length() {
    let joins: String = (0..20_000).map(|i| format!(" JOIN a{i} IN a{i}.x")).collect();
    let nested = |open: &str, close: &str| {
        format!("SELECT VALUE {}c.a{} FROM c", open.repeat(60), close.repeat(60))
    };
    let orders: Vec<_> = (0..5000).map(|i| format!("c.a{i}")).collect();
    let pages: Vec<_> = (0..5000).map(|i| format!("c.a{i} > {i}")).collect();
    let ordered = format!(
        "SELECT c._rid, [{{\"item\": c.a0}}] AS orderByItems, c AS payload FROM c WHERE {} ORDER BY {}",
        pages.join(" OR "),
        orders.join(", ")
    );
    for query in [
        format!("SELECT * FROM c{joins}"),
        nested("[1, [2, ", "]]"),
        nested("(1 = 1 OR (2 = 2 AND ", "))"),
        ordered,
        format!("SELECT VALUE [{}] FROM c", "1, 'a', ".repeat(30_000) + "1"),
    ] {
        template(&query);
        assert!(shown(&query).len() <= limits::TEMPLATE_TEXT_BYTES_MAX);
        assert!(tokens(&query).tokens.len() <= limits::TEMPLATE_TOKENS_MAX);
    }
}

/// Two texts whose difference the canonical form takes out.
fn disguised(query: &str, workspace: &mut Workspace) -> Vec<u8> {
    let query = workspace.parse(query.as_bytes()).unwrap();
    print(&query)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn printing_changes_no_template(text in generate::query()) {
        let printed = disguised(&text, &mut Workspace::new());
        let printed = String::from_utf8(printed).unwrap();
        prop_assert_eq!(template(&text), template(&printed));
        prop_assert_eq!(shown(&text), shown(&printed));
    }

    #[test]
    fn literals_change_no_template(n in 0u32..9999, m in 0u32..9999, s in "[a-zA-Z ]{0,9}", t in "[a-z0-9\u{e9}]{0,9}") {
        let with = |n: u32, s: &str| format!(
            "SELECT TOP {n} * FROM c WHERE c.a = {n} AND (c.b = '{s}' OR c.d IN ('{s}', 'x', {n})) AND c.e LIKE '%{s}%' ORDER BY c.f[{n}]"
        );
        prop_assert_eq!(template(&with(n, &s)).shape, template(&with(m, &t)).shape);
        prop_assert_eq!(tokens(&with(n, &s)).tokens, tokens(&with(m, &t)).tokens);
    }

    #[test]
    fn shape_and_text_are_one(one in generate::query(), other in generate::query()) {
        let same = template(&one).shape == template(&other).shape;
        if same {
            prop_assert_eq!(shown(&one), shown(&other));
        }
    }

    #[test]
    fn the_order_of_conjuncts_changes_no_template(
        mut terms in prop::collection::vec(prop::sample::select(vec![
            "c.a = 1", "c.b > 'x'", "IS_DEFINED(c.d)", "(c.e = 1 OR c.f = 2)", "c.g IN (1, 2)",
            "EXISTS(SELECT VALUE t FROM t IN c.ts WHERE t.x = 1)", "NOT c.h",
        ]), 2..6).prop_shuffle(),
    ) {
        let query = |terms: &[&str]| format!("SELECT * FROM c WHERE {}", terms.join(" AND "));
        let one = query(&terms);
        terms.sort_unstable();
        let sorted = query(&terms);
        prop_assert_eq!(template(&one).shape, template(&sorted).shape);
        prop_assert_eq!(shown(&one), shown(&sorted));
    }

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

    #[test]
    fn any_bytes_have_a_sequence(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut workspace = Workspace::new();
        let _ = workspace.parse(&bytes);
        let sequence = Sequence::of_refused(&bytes, &workspace);
        prop_assert_eq!(sequence.tokens.len(), sequence.spans.len());
        prop_assert!(sequence.spans.iter().all(|span| span.end as usize <= bytes.len()));
        let _ = lineage(&sequence.tokens, &sequence);
    }
}
