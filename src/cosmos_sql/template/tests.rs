//! What is one template, and what is not.
use proptest::prelude::*;

use super::*;
use crate::cosmos_sql::tests::generate;
use crate::cosmos_sql::{Workspace, print};
use crate::limits;

mod came_from;

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
    fn any_bytes_have_a_sequence(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut workspace = Workspace::new();
        let _ = workspace.parse(&bytes);
        let sequence = Sequence::of_refused(&bytes, &workspace);
        prop_assert_eq!(sequence.tokens.len(), sequence.spans.len());
        prop_assert!(sequence.spans.iter().all(|span| span.end as usize <= bytes.len()));
        let _ = lineage(&sequence.tokens, &sequence);
    }
}
