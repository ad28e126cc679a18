//! Each sign: the attack that it is made for, and the innocent query that looks like it.
use super::super::Reader;
use crate::event::Sign;

fn signs(text: &str) -> Vec<Sign> {
    Reader::default().inspect(text.as_bytes()).seen.iter().map(|(sign, _)| *sign).collect()
}

fn filtered(condition: &str) -> String {
    format!("SELECT * FROM c WHERE {condition}")
}

/// (sign, what shows it, what does not), as conditions.
const PAIRS: &[(Sign, &str, &str)] = &[
    (Sign::AlwaysTrueUnderOr, "c.n = 'x' OR 1=1", "c.n = 'x' OR c.m = 1"),
    (Sign::AlwaysTrueUnderOr, "c.n = 'x' OR c.id = c.id", "c.n = 'x' OR c.home.zip = c.work.zip"),
    (Sign::AlwaysTrueUnderOr, "(c.n = 'x' OR 'a' = 'a')", "(c.n = '' OR '' = '')"),
    (Sign::AlwaysTrueUnderOr, "(c.n = 'x' OR 'x' = 'x')", "('all' = 'all' OR c.n = 'all')"),
    (Sign::AlwaysTrueUnderOr, "c.k = 1 OR 1 = 1", "(0 = 0 OR c.k = 0)"),
    (Sign::AlwaysTrueUnderOr, "c.n = 'x' OR NOT 'a'='b'", "c.n = 'x' OR NOT c.a = 'b'"),
    (Sign::AlwaysTrueUnderOr, "(c.n = 'x' OR null = null)", "(null = null OR c.n = @n)"),
    (Sign::AlwaysTrueUnderOr, "(null = null OR c.n = 'x')", "(null = null OR c.n = null)"),
    (Sign::AlwaysTrueUnderOr, "c.k = 1 OR (true OR c.n = 'x')", "c.k = 1 AND (true OR c.n = 'x')"),
    (Sign::AlwaysTrueUnderOr, "(c.n = 'x' OR true)", "(true OR c.n = 'x')"),
    (Sign::AlwaysTrueUnderOr, "(true OR 5 = c.k)", "(true OR c.k = 5)"),
    (Sign::AlwaysTrueUnderOr, "true OR c.n = 'x'", "(false OR c.n = 'x')"),
    (Sign::AlwaysTrueUnderOr, "(c.n = 'x' OR LENGTH('') = 0)", "(LENGTH('') = 0 OR c.n LIKE '%%')"),
    (Sign::AlwaysTrueUnderOr, "(LENGTH('') = 0 OR c.n = 'x')", "(LENGTH('') < 1 OR c.n = '')"),
    (Sign::AlwaysTrueUnderOr, "(1 = 1 OR c.k = 1)", "(NOT IS_DEFINED(undefined) OR c.k = 0)"),
    (
        Sign::AlwaysTrueFilter,
        "(c.n = 'x' OR true)",
        "('' = '' OR c.n = '') AND (null = null OR c.k = null)",
    ),
    (Sign::AlwaysTrueFilter, "IS_DEFINED(c.id)", "IS_DEFINED(c.email)"),
    (Sign::ConstantComparison, "c.n = 'x' AND 1=1", "c.n = 'x' AND true"),
    (
        Sign::ConstantComparison,
        "c.n = 'x' AND c.m = c.m",
        "c.n = 'x' AND c.modifiedAt = c.createdAt",
    ),
    (Sign::ConstantComparison, "(c.k = 5 OR 6 = 0)", "(c.k = 5 OR 5 = 0)"),
    (Sign::ConstantComparison, "(c.n = 'x' OR false = true)", "(false OR c.n = 'x')"),
    (Sign::ConstantComparison, "(c.k = 5 OR 0 = 1)", "(0 = 1 OR c.n = 'x')"),
    (Sign::StrayConstant, "(c.n = 'x' OR 'a' = 'b')", "('a' = 'b' OR c.n = 'x')"),
    (
        Sign::StrayConstant,
        "(c.k = 1 OR ARRAY_LENGTH([2]) = 0)",
        "(ARRAY_LENGTH([]) = 0 OR ARRAY_CONTAINS([], c.k))",
    ),
    (
        Sign::StrayConstant,
        "(c.n = 'x' OR LENGTH('b') = 0)",
        "(LENGTH('b') = 0 OR CONTAINS(c.n, 'b'))",
    ),
    (Sign::StrayConstant, "c.n = 'x' AND IS_NULL('b')", "(IS_NULL('b') OR c.n LIKE '%b%')"),
    (Sign::WideAlternatives, "c.n = 'x' OR IS_DEFINED(c.b)", "IS_DEFINED(c.a) OR IS_DEFINED(c.b)"),
    (
        Sign::WideAlternatives,
        "c.k = 1 OR (IS_DEFINED(c.b) OR c.n = 'x')",
        "c.k = 1 AND (c.a != null OR c.b != null)",
    ),
    (Sign::WideAlternatives, "c.x >= \"\" OR c.x < \"\"", "c.x >= 'm' OR c.x < 'd'"),
    (Sign::WideAlternatives, "c.x = 1 OR c.x != 1", "c.x = 1 OR c.x = 2"),
    (Sign::WideAlternatives, "c.n = 'x' OR NOT c.n = 'x'", "NOT IS_DEFINED(c.d) OR c.d = false"),
    (Sign::WideAlternatives, "c.n = 'x' OR IS_DEFINED(c.m)", "c.n = 'x' AND IS_DEFINED(c.m)"),
    (
        Sign::WideAlternatives,
        "c.n = 'x' OR EXISTS(SELECT VALUE t FROM t IN c.tags)",
        "c.n = 'x' OR EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'a')",
    ),
    (Sign::WideAlternatives, "c.n = 'x' OR c.n != 'y'", "c.n = null OR c.n != 'y'"),
    (Sign::WideAlternatives, "c.n = 'x' OR NOT (c.n = 'y')", "c.n = 'x' OR NOT (c.m = 'y')"),
    (Sign::WideAlternatives, "c.k = 1 OR IS_NUMBER(c.k)", "c.k = 1 OR IS_NULL(c.k)"),
    (Sign::WideAlternatives, "c.open = true OR c.open = false", "c.open = true OR c.held = false"),
    (Sign::WideAlternatives, "c.open = true OR NOT c.open", "c.open = true OR NOT c.held"),
    (Sign::WideAlternatives, "c.k IN (1) OR c.k NOT IN (1)", "c.k IN (1) OR c.m NOT IN (1)"),
    (
        Sign::WideAlternatives,
        "c.n = 'x' OR (c.none ?? 'k') = 'k'",
        "c.n = 'x' OR (c.off ?? false) = false",
    ),
    (Sign::WideAlternatives, "c.k = 1 OR c._ts > 5", "c.k = 1 OR c._ts > 1700000000"),
    (Sign::MatchesEverything, "c.n LIKE '%'", "c.n LIKE '%a%'"),
    (Sign::MatchesEverything, "c.n BETWEEN '' AND '~'", "c.price BETWEEN 0 AND 999999999"),
    (
        Sign::SubqueryInCondition,
        "c.n IN (SELECT VALUE u.name FROM users u)",
        "EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'a')",
    ),
    (Sign::FunctionCallInCondition, "udf.all(c)", "CONTAINS(c.n, 'udf.all(c)')"),
    (Sign::BlindProbe, "SUBSTRING(c.password, 0, 1) = 'a'", "SUBSTRING(c.code, 0, 3) = 'abc'"),
    (
        Sign::BlindProbe,
        "LOWER(SUBSTRING(c.token, 2, 1)) IN ('a', 'b')",
        "SUBSTRING(c.code, 0, 2) IN ('de', 'fr')",
    ),
    (
        Sign::BlindProbe,
        "IIF(LENGTH(c.password) = 10, true, false)",
        "IIF(c.fragile, 'yes', 'no') = 'yes'",
    ),
    (Sign::BlindProbe, "LENGTH(c.password) > 8 ? true : false", "(c.a > 8 ? c.b : c.d) = 1"),
    (Sign::BlindProbe, "STARTSWITH(c.passwordHash, 'a')", "STARTSWITH(c.nameHash, 'a')"),
    (Sign::BlindProbe, "LENGTH(c.owner.api_key) > 20", "LENGTH(c.owner.address) > 20"),
    (Sign::BlindProbe, "LOWER(c.token) LIKE 'a%'", "c.token = 'abc'"),
    (Sign::BlindProbe, "c.secret < 'm'", "c.tokens < 4096"),
    (Sign::ForeignDialect, "c.n = ASCII('a')", "c.ascii = 'a'"),
    (Sign::ForeignDialect, "CONTAINS(c.n, 'x', 'admin')", "CONTAINS(c.n, 'x', true)"),
    (Sign::ForeignDialect, "LOWER(c.n) = LOWER('x', 'admin')", "LOWER(c.n) = LOWER('x')"),
    (Sign::FragmentArithmetic, "c.n = ('a' || 'b')", "c.n = (c.a || 'b')"),
    (Sign::OperatorForValue, "c.n = {\"$ne\": null}", "c.n = {\"ne\": null}"),
    (Sign::LooseOr, "c.n = 'x' OR c.m = 1 AND c.k = 2", "(c.n = 'x' OR c.m = 1) AND c.k = 2"),
    (
        Sign::LooseOr,
        "(c.n = 'x') OR (c.m = 1) AND (c.k = 2)",
        "(c.n = 'x') OR ((c.m = 1) AND (c.k = 2))",
    ),
    (
        Sign::LooseOr,
        "((c.n = 'x') OR ((c.m = 1) AND (c.k = 2)))",
        "((c.n = 'x' OR c.m = 1) AND c.k = 2)",
    ),
    (Sign::LogicInValue, "CONTAINS(c.n, 'x' OR 'y')", "IIF(c.a OR c.b, 1, 2) = 1"),
    (Sign::LogicInValue, "c[\"\" OR \"1\"=\"1\"] = 'x'", "c[\"OR\"] = 'x'"),
    (Sign::StrayConstant, "c.n = 'a' AND 'a'='a'", "(c.n = 'a' OR 'a' = 'all')"),
    (Sign::StrayConstant, "c.n = 'x' OR c.m = 1 AND 'a'='a'", "'x' = 'all' OR c.n = 'x'"),
    (
        Sign::StrayConstant,
        "c.n = 'a' OR c.m = 1 OR 'a' = 'b'",
        "('a' = '*' OR c.n = 'a' OR c.m = 'a')",
    ),
    (Sign::StrayConstant, "c.n = 'x' OR 1=1 AND c.m = 1", "1=1 AND c.n = 'x' OR c.m = 1"),
    (Sign::StrayConstant, "c.n = 'x' OR c.m = 1 OR '' = 'y'", "('y' = '' OR c.n = 'y')"),
    (Sign::StrayConstant, "c.n IN ('a', c.n)", "c.n IN ('a', c.m)"),
    (Sign::StrayConstant, "c.n = '' + ''", "c.n = 'a' + c.m"),
    (Sign::StrayConstant, "c.n = ''||''", "c.n = c.a || ''"),
    (Sign::StrayConstant, "c.n = 5 AND NOT true", "NOT c.deleted AND c.n = 5"),
];

#[test]
fn each_sign_tells_the_attack_from_its_innocent_twin() {
    for (sign, attack, innocent) in PAIRS {
        let (attack, innocent) = (filtered(attack), filtered(innocent));
        assert!(signs(&attack).contains(sign), "{sign:?}: {attack}: {:?}", signs(&attack));
        assert!(!signs(&innocent).contains(sign), "{sign:?}: {innocent}");
    }
}

#[test]
fn what_stands_outside_of_filters_is_looked_at() {
    for (sign, attack, innocent) in [
        (Sign::StrayConstant, "SELECT * FROM c ORDER BY 1", "SELECT * FROM c ORDER BY c.a"),
        (
            Sign::LogicInValue,
            "SELECT * FROM c ORDER BY c.a OR c.b",
            "SELECT TOP 3 * FROM c ORDER BY VectorDistance(c.v, [1, 2])",
        ),
        (
            Sign::LogicInValue,
            "SELECT * FROM c ORDER BY c.a % 27",
            "SELECT * FROM c ORDER BY c.a.b DESC",
        ),
        (
            Sign::StrayConstant,
            "SELECT c.a, udf.f(c.b, '') OR c.m = 1 AND ('a'='a') AS x FROM c",
            "SELECT c.a, (c.b = 1 OR c.m = 'a') AS x FROM c",
        ),
        (Sign::ForeignDialect, "SELECT VERSION() FROM c", "SELECT c.version FROM c"),
        (
            Sign::CommentCutsOff,
            "SELECT * FROM c WHERE c.n = 'x' --' AND c.owner = 'me'",
            "SELECT * FROM c WHERE c.n = 'x' -- the owner's orders",
        ),
        (
            Sign::CommentCutsOff,
            "SELECT *\nFROM c\nWHERE c.n = 'x' --' AND c.owner = 'me'",
            "SELECT *\nFROM c\nWHERE c.n = 'x' -- 'open' ones only\nAND c.k = 1",
        ),
        (
            Sign::CommentCutsOff,
            "SELECT *\nFROM c\nWHERE c.n = 5 -- AND c.owner = 1",
            "SELECT *\nFROM c\nWHERE c.n = 5 -- NB order by date = 1 or 2",
        ),
        (
            Sign::CommentCutsOff,
            "SELECT *\nFROM c\nWHERE (c.n = 5 --) AND c.owner = 1\n)",
            "SELECT *\nFROM c\nWHERE (c.n = 5 -- 1) by number\n)",
        ),
        (
            Sign::CommentCutsOff,
            "SELECT *\nFROM c WHERE c.n = 'x' OR true --",
            "SELECT *\nFROM c WHERE c.n = 'x' --\nAND c.k = 1 -- and the rest",
        ),
        (
            Sign::CommentCutsOff,
            "SELECT * FROM c WHERE c.n = 5 -- AND c.owner = 1",
            "-- orders AND shops\nSELECT * FROM c WHERE c.n = 5",
        ),
    ] {
        assert!(signs(attack).contains(&sign), "{sign:?}: {attack}: {:?}", signs(attack));
        assert!(!signs(innocent).contains(&sign), "{sign:?}: {innocent}");
    }
}

#[test]
fn texts_that_are_refused_have_signs_as_well() {
    for (sign, attack, innocent) in [
        (
            Sign::Unbalanced,
            "SELECT * FROM c WHERE c.n = 'x'' AND (c.m = 1",
            "SELECT * FROM c WHERE",
        ),
        (
            Sign::PayloadSyntax,
            "SELECT * FROM c WHERE c.n = 'x' UNION SELECT * FROM d",
            "SELECT * FROM c WHERE c.n = 'UNION SELECT' AND",
        ),
        (Sign::PayloadSyntax, "SELECT * FROM c; DROP TABLE c", "SELECT * FROM c WHERE c.n = ';' ="),
        (
            Sign::AlwaysTrueUnderOr,
            "SELECT * FROM c WHERE c.n = 'x' OR 1=1 #",
            "SELECT * FROM c WHERE c.n = 'x' OR c.m=1 #",
        ),
        (
            Sign::ForeignDialect,
            "SELECT * FROM c WHERE c.n = 'x' AND SLEEP(5) #",
            "SELECT * FROM c WHERE c.n = 'SLEEP(5)' #",
        ),
    ] {
        assert!(Reader::default().inspect(innocent.as_bytes()).error.is_some(), "{innocent}");
        assert!(signs(attack).contains(&sign), "{sign:?}: {attack}: {:?}", signs(attack));
        assert!(!signs(innocent).contains(&sign), "{sign:?}: {innocent}");
    }
}

#[test]
fn what_programs_write_shows_nothing() {
    for condition in [
        "c.deleted = false OR NOT IS_DEFINED(c.deleted)",
        "(NOT IS_DEFINED(c.d) OR c.d = false OR c.d = null) AND c.pk = @pk",
        "(IS_NULL(@city) OR c.city = @city) AND (IS_NULL(@zip) OR c.zip = @zip)",
        "('*' = @type OR c.type = @type)",
        "(@admin = 1 OR c.owner = @me)",
        "c.shipping.zip = c.billing.zip OR c.same = true",
        "c.id != null AND id != ''",
        "c.price BETWEEN 0 AND 999999999",
        "c.at > 'a' OR (c.at = 'a' AND c.id > 'b')",
        "c.name = \"O'Brien\" OR c.name = 'select * from c -- ; drop'",
        "c.owner = @me OR ARRAY_CONTAINS(c.readers, @me)",
        "(null = null OR c.n = null) AND (LENGTH('') = 0 OR CONTAINS(c.m, ''))",
        "(true OR c.n = 'x') AND (ARRAY_LENGTH(['a']) = 0 OR c.m IN ('a'))",
    ] {
        assert_eq!(signs(&filtered(condition)), [], "{condition}");
    }
}

#[test]
fn conditions_of_the_gateway_are_not_the_clients() {
    for filter in [
        "((c.a = 'x') AND (true))",
        "((c.a = 'x') AND ((c.at > 'b') OR IS_DEFINED(c.at)))",
        "(true)",
    ] {
        let text = format!(
            "SELECT c._rid, [{{\"item\": c.at}}] AS orderByItems, c AS payload FROM c WHERE {filter} ORDER BY c.at"
        );
        assert_eq!(signs(&text), [], "{text}");
    }
    let attacked = "SELECT c._rid, [{\"item\": c.at}] AS orderByItems, c AS payload FROM c \
                    WHERE ((c.a = 'x' OR IS_DEFINED(c.id)) AND (true)) ORDER BY c.at";
    assert!(signs(attacked).contains(&Sign::AlwaysTrueUnderOr));
}

/// (what is known, what came, whether what was put in changes what is asked).
const AGAINST: &[(&str, &str, bool)] = &[
    ("c.n = 'x' AND c.k = 1", "c.n = 'x' OR c.m = 'y' AND c.k = 1", true),
    ("c.n = 'x' AND c.k = 1", "c.n = 'x' AND c.m = 'y' AND c.k = 1", false),
    ("c.n = 'x'", "c.n = 'y' OR c.m = 'x'", false),
    ("c.n = 'x'", "c.n = 'y' OR c.m != 'x'", true),
    ("c.k = 1", "c.k = 1 OR NOT CONTAINS(c.id, 'q')", true),
    ("c.k = 1", "c.k = 1 OR c.k > 0", true),
    ("c.k < 1", "c.k < 1 OR c.k > 9", false),
    ("c.n = 'x'", "c.n = 'x' OR (c.none ?? 'k') = 'k'", true),
    ("((c.n = 'x') AND (c.k = 1))", "(((c.n = 'x') AND (c.k = 1)) OR (c.m = 'y'))", true),
    ("c.d = false", "c.d = false OR NOT IS_DEFINED(c.d)", false),
    ("c.d = false", "c.d = false OR NOT IS_DEFINED(c.zz)", true),
    ("c.n = 'x'", "c.n = 'x' AND (c.d = false OR NOT IS_DEFINED(c.d))", false),
    ("c.n = 'x'", "c.n = 'x' AND ('a' = '' OR c.m = 'a')", false),
    ("c.n = 'x'", "c.n = 'x' AND ('' = '' OR c.m = '')", false),
    ("(c.n = 'x')", "(c.n = '' OR '' = '')", true),
    ("c.n = 'x'", "c.n = 'x' OR c.id LIKE '%'", true),
    ("c.n = 'x'", "c.n = 'x' OR STARTSWITH(c.id, '')", true),
    ("c.n = 'x'", "c.n = 'x' OR CONTAINS(c.n, '')", true),
    ("CONTAINS(c.n, 'x')", "CONTAINS(c.n, 'y') OR CONTAINS(c.id, '')", true),
    ("CONTAINS(c.n, 'x')", "CONTAINS(c.n, '') OR CONTAINS(c.m, '')", false),
    ("c.n = 'x'", "c.n = 'x' AND CONTAINS(c.m, '')", false),
    ("c.n = 'x'", "c.n = 'x' AND (null = null OR c.m = null)", false),
    ("(c.n = 'x')", "(c.n = 'x') OR ('' = '' OR c.m = '')", true),
    ("c.n = 'x'", "c.n = 'x' ORDER BY c.at DESC", false),
    ("c.k = 1", "c.k = udf.f()", true),
    ("c.k IN (1, 2)", "c.k IN (1, 2, 3)", false),
    ("CONTAINS(c.n, 'x')", "CONTAINS(c.n, 'x', true)", false),
    ("c.n = 'x' AND c.k = 1", "c.n = 'x' --' AND c.k = 1", true),
    // A release's switch that is off, and no limit given.
    ("c.k = 1", "c.k = 1 AND (c.d = false OR 1 = 0)", false),
    ("c.k = 1", "c.k = 1 AND (c.m = 7 OR 7 < 0)", false),
    ("c.k = 1", "c.k = 1 AND (0 <= 0 OR c.m <= 0)", false),
    ("c.k = 1", "c.k = 1 OR 1 = 0", true),
    ("(c.k = 1)", "(c.k = 1 OR 1 = 0)", true),
    ("c.k = 1", "c.k = 1 AND 1 = 0", true),
    ("c.m <= 1", "c.m <= 0 OR 0 <= 0", true),
    // Where a builder joined two of its conditions; a probe has to open the quote again.
    ("c.n = 'x'", "c.n = 'x' AND 1 = 1 AND c.m = 'y'", false),
    ("c.n = 'x'", "c.n = 'x' AND 1 = 1 AND 'a' = 'a'", true),
    ("c.n = 'x'", "c.n = 'x' AND 1 = 1 OR c.m = 'y'", true),
    ("c.k = 1", "c.k = 1 AND 1 = 1", true),
    // Literals that programs write themselves.
    ("c.d = true AND c.k = 1", "c.d = true AND c.k = 1 OR NOT c.m", true),
    ("(c.d = true) AND c.n = 'x'", "(c.d = true OR NOT c.m) AND c.n = 'x'", false),
    ("c.d = true", "c.d = (true OR true)", true),
    ("c.d = true AND c.n = 'x'", "c.d = true OR 1 = 1 AND c.n = 'x'", true),
    ("(c.k ?? 0) > 1", "(c.k ?? 0) - (c.m ?? 0) > 1", false),
    ("c.k * 2 > c.m", "c.k * 2 * c.n > c.m", false),
    ("c.k * 2 > c.m", "c.k * 2 > 1 OR 1 = 1 OR 3 > c.m", true),
    ("c.k > 2", "c.k > 2 * c.m", true),
];

#[test]
fn a_sign_is_told_once_of_a_place() {
    for (_, attack, innocent) in PAIRS {
        for text in [filtered(attack), filtered(innocent), format!("{}'", filtered(attack))] {
            let seen = Reader::default().inspect(text.as_bytes()).seen;
            let mut distinct = seen.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), seen.len(), "{text}: {seen:?}");
            use Sign::{AlwaysTrueUnderOr, ConstantComparison, StrayConstant};
            let constants: Vec<_> = seen
                .iter()
                .filter(|(s, _)| {
                    matches!(s, AlwaysTrueUnderOr | ConstantComparison | StrayConstant)
                })
                .map(|(_, span)| span)
                .collect();
            let places: std::collections::BTreeSet<_> = constants.iter().collect();
            assert_eq!(constants.len(), places.len(), "{text}: {seen:?}");
        }
    }
}

#[test]
fn what_was_put_in_is_told_by_what_it_changes() {
    let mut reader = Reader::default();
    for (known, came, changes) in AGAINST {
        let known = reader.inspect(filtered(known).as_bytes());
        let came = reader.inspect(filtered(came).as_bytes());
        let found = came.against(&known);
        let insertion = found.iter().any(|(sign, _)| *sign == Sign::Insertion);
        assert_eq!(insertion, *changes, "{}: {found:?}", came.template);
    }
    let known = reader.inspect(filtered("c.n = 'x' AND c.k = 1").as_bytes());
    let cut = reader.inspect(filtered("c.n = 'x' --' AND c.k = 1").as_bytes());
    assert!(cut.against(&known).iter().any(|(sign, _)| *sign == Sign::LostCondition));
    // A property more is no other question.
    let known = reader.inspect(b"SELECT TOP 10 c.a FROM c WHERE c.n = 'x'");
    for (came, changes) in [
        ("SELECT TOP 10 c.b, c.a FROM c WHERE c.n = 'x'", false),
        ("SELECT TOP 10 (SELECT VALUE 1), c.a FROM c WHERE c.n = 'x'", true),
        ("SELECT TOP 10 * FROM c -- c.a FROM c WHERE c.n = 'x'", true),
    ] {
        let found = reader.inspect(came.as_bytes()).against(&known);
        assert_eq!(found.iter().any(|(s, _)| *s == Sign::Insertion), changes, "{came}: {found:?}");
    }
    // In what is selected there is no narrowing.
    let known = reader.inspect(b"SELECT udf.f(c.a, 'x') AS t FROM c");
    let came =
        reader.inspect(b"SELECT udf.f(c.a, 'x') AND IS_DEFINED(c.b) AND ('a'='a') AS t FROM c");
    assert!(came.against(&known).iter().any(|(sign, _)| *sign == Sign::Insertion));
}

#[test]
fn whole_rows_are_told_where_literals_are_and_notes_in_longer_texts_are_not() {
    let mut reader = Reader::default();
    for (known, came, sign, told) in [
        (
            "SELECT c.id FROM c WHERE c.n = 'x'",
            "SELECT * FROM c WHERE c.n = 'y'",
            Sign::WiderProjection,
            true,
        ),
        (
            "SELECT c.id FROM c WHERE c.n = @n",
            "SELECT * FROM c WHERE c.n = @n",
            Sign::WiderProjection,
            false,
        ),
        (
            "SELECT * FROM c WHERE c.n = 'x'",
            "SELECT * FROM c WHERE c.n = 'x' -- x",
            Sign::CommentCutsOff,
            true,
        ),
        (
            "SELECT *\nFROM c WHERE c.n = 'x'",
            "SELECT *\nFROM c WHERE c.n = 'x' -- by name",
            Sign::CommentCutsOff,
            false,
        ),
    ] {
        let known = reader.inspect(known.as_bytes());
        let found = reader.inspect(came.as_bytes()).against(&known);
        assert_eq!(found.iter().any(|(s, _)| *s == sign), told, "{came}: {found:?}");
    }
}
