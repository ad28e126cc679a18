//! Queries by the grammar, for property tests: every text made here is a query.
use proptest::collection::vec;
use proptest::prelude::*;

/// A whole query.
pub(in crate::cosmos_sql) fn query() -> impl Strategy<Value = String> {
    query_of(expression())
}

fn query_of(expression: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let e = expression;
    let clause = |before: &'static str, list: BoxedStrategy<String>| prop_oneof![2 => Just(String::new()), 1 => list.prop_map(move |x| format!("{before}{x}"))];
    let orders = vec((e.clone(), prop::sample::select(vec!["", " ASC", " desc"])), 1..3).prop_map(
        |orders| {
            let orders: Vec<_> = orders.into_iter().map(|(e, d)| format!("{e}{d}")).collect();
            orders.join(", ")
        },
    );
    (
        select(e.clone()),
        clause(" FROM ", vec(source(), 1..3).prop_map(|s| s.join(" JOIN ")).boxed()),
        clause(" wHeRe ", e.clone()),
        clause(" GROUP BY ", list(e, 1)),
        clause(" ORDER BY ", orders.boxed()),
        clause(" OFFSET 0 LIMIT ", Just("@limit".to_owned()).boxed()),
    )
        .prop_map(|(select, from, filter, group, order, limit)| {
            format!("{select}{from}{filter}{group}{order}{limit}")
        })
}

fn select(e: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let items =
        vec((e.clone(), prop::sample::select(vec!["", " AS x", " total", " AS first"])), 1..4)
            .prop_map(|items| {
                let items: Vec<_> =
                    items.into_iter().map(|(e, alias)| format!("{e}{alias}")).collect();
                items.join(", ")
            });
    let what = prop_oneof![Just("*".to_owned()), items, e.prop_map(|e| format!("VALUE {e}"))];
    let head = prop::sample::select(vec!["", "DISTINCT ", "TOP 5 ", "DISTINCT TOP @n "]);
    (head, what).prop_map(|(head, what)| format!("SELECT {head}{what}"))
}

fn source() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "c",
        "root AS r",
        "Families f",
        "t IN c.tags",
        "c.a[0][\"b c\"] x",
        "(SELECT * FROM c) AS s",
        "s IN (SELECT VALUE c.x FROM c WHERE c.y)",
        "c.order",
    ])
    .prop_map(str::to_owned)
}

fn list(e: BoxedStrategy<String>, least: usize) -> BoxedStrategy<String> {
    vec(e, least..4).prop_map(|list| list.join(", ")).boxed()
}

fn leaf() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "c",
        "c.id",
        "c.order",
        "c[\"a b\"].d",
        "@p",
        "@_1",
        "true",
        "false",
        "null",
        "undefined",
        "first",
        "LAST",
        "PI()",
        "udf.f()",
        "\"\"",
        "''",
        "'O\\'Brien'",
        "\"\\u00e9\"",
        "0x1F",
        ".5",
        "1.",
        "1e-7",
        "{}",
        "[]",
        "EXISTS(SELECT * FROM c)",
        "'ab'['x']",
        "rank",
    ]);
    prop_oneof![
        4 => fixed.prop_map(str::to_owned),
        1 => any::<u32>().prop_map(|n| n.to_string()),
        1 => "'[ -&(-\\[\\]-~é]{0,8}'",
        1 => "[a-z_]{9,12}",
    ]
}

/// One expression, with and without parentheses in all places.
fn expression() -> BoxedStrategy<String> {
    let binaries = vec![
        "+", "-", "*", "/", "%", "=", "!=", "<>", "<", "<=", ">", ">=", "<<", ">>", ">>>", "&",
        "|", "^", "||", "AND", "or", "??",
    ];
    leaf()
        .prop_recursive(6, 48, 4, move |inner| {
            let operand = prop_oneof![
                2 => inner.clone().prop_map(|e| format!("({e})")),
                1 => leaf(),
            ]
            .boxed();
            let bare = || prop_oneof![leaf().boxed(), inner.clone()].boxed();
            prop_oneof![
                (operand.clone(), prop::sample::select(binaries.clone()), operand.clone())
                    .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
                (
                    leaf(),
                    prop::sample::select(binaries.clone()),
                    leaf(),
                    prop::sample::select(vec!["+", "AND", "OR", "=", "||", "*"]),
                    leaf()
                )
                    .prop_map(|(a, o, b, p, c)| format!("({a} {o} {b} {p} {c})")),
                (prop::sample::select(vec!["-", "+", "~", "NOT ", "- -"]), operand.clone())
                    .prop_map(|(operator, e)| format!("{operator}{e}")),
                (
                    operand.clone(),
                    prop::sample::select(vec!["", "NOT "]),
                    operand.clone(),
                    operand.clone()
                )
                    .prop_map(|(a, not, b, c)| format!("{a} {not}BETWEEN {b} AND {c}")),
                (operand.clone(), prop::sample::select(vec!["", "NOT "]), list(bare(), 1))
                    .prop_map(|(a, not, list)| format!("{a} {not}IN ({list})")),
                operand.clone().prop_map(|a| format!("{a} IN (SELECT VALUE x FROM x IN c.xs)")),
                (operand.clone(), operand.clone(), prop::sample::select(vec!["", " ESCAPE '!'"]))
                    .prop_map(|(a, b, escape)| format!("{a} NOT LIKE {b}{escape}")),
                (bare(), bare(), bare()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
                (
                    prop::sample::select(vec!["LOWER", "udf.f", "LEFT", "First", "Contains"]),
                    list(bare(), 0)
                )
                    .prop_map(|(name, list)| format!("{name}({list})")),
                list(bare(), 0).prop_map(|list| format!("[{list}]")),
                (bare(), bare()).prop_map(|(a, b)| format!("{{'a': {a}, b: {b}, \"c d\": 1}}")),
                (operand.clone(), bare()).prop_map(|(a, b)| format!("({a}).x[{b}]")),
                inner.clone().prop_map(|e| format!("ARRAY(SELECT VALUE {e})")),
                inner.clone().prop_map(|e| format!("(SELECT VALUE {e} FROM c)")),
            ]
        })
        .boxed()
}
