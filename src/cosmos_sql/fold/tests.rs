//! What holds for every row, however it is written.
use super::*;
use crate::cosmos_sql::Workspace;

fn truth(condition: &str) -> Truth {
    let text = format!("SELECT * FROM c WHERE {condition}");
    let mut workspace = Workspace::new();
    let query = workspace.parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
    let filter = query.clause(query.root(), |kind| kind == Kind::Where).expect("it has a filter");
    Folder { query: &query }.truth(query.first_child(filter).expect("it has a condition"))
}

#[test]
fn what_is_always_true_is_found_by_its_meaning() {
    for condition in [
        "1=1",
        "'a'='a'",
        "'a' = \"a\"",
        "c.id = c.id",
        "c.id = c[\"id\"]",
        "true",
        "NOT false",
        "NOT NOT true",
        "c.id != null",
        "NOT IS_NULL(c.id)",
        "NOT c.id = null",
        "IS_DEFINED(c.id)",
        "IS_DEFINED(c)",
        "IS_STRING(c.id)",
        "1 < 2 AND 'a' LIKE 'a%'",
        "LENGTH('abc') = 3",
        "2 * 3 - 5 = 0x1",
        "'b' BETWEEN 'a' AND 'c'",
        "1 IN (3, 2, 1)",
        "NOT 'a' = 'b'",
        "[1, 'x'] = [1, 'x']",
        "(undefined ?? true)",
        "IIF(1 = 1, true, false)",
        "1 > 2 ? false : true",
        "'\\u0061' = 'a'",
        "EXISTS(SELECT VALUE 1)",
        "(c.id || '') = c.id",
        "(SELECT VALUE c.id) = c.id",
        "c.id IN (SELECT VALUE c.id)",
        "false OR c.id = c.id",
    ] {
        assert_eq!(truth(condition), Truth::Always, "{condition}");
    }
}

#[test]
fn what_lets_nearly_every_row_through_is_found() {
    for condition in [
        "STARTSWITH(c.id,'')",
        "CONTAINS(c.name, c.name)",
        "c.x LIKE '%'",
        "c.x LIKE '%%'",
        "c.x = c.x",
        "c.x + 0 = c.x * 1",
        "c.x != null",
        "IS_DEFINED(c.x)",
        "c.x BETWEEN '' AND '~'",
        "c.x BETWEEN -9999999999 AND 9999999999",
        "c._ts BETWEEN 0 AND 99999999999",
        "c._ts > 0",
        "c.x >= \"\"",
        "NOT c.x < ''",
        "LENGTH(c.x) >= 0",
        "NOT LENGTH(c.x) < 0",
        "(SELECT VALUE COUNT(1) FROM t IN c.tags) >= 0",
        "EXISTS(SELECT VALUE t FROM t IN c.tags)",
        "REGEXMATCH(c.x, '.*')",
        "NOT (1 = 2 AND c.x = 1)",
    ] {
        let found = truth(condition);
        assert!(found == Truth::Nearly || found == Truth::Always, "{condition}: {found:?}");
    }
}

#[test]
fn what_a_row_decides_is_not_decided_here() {
    for condition in [
        "c.x = 1",
        "c.x = c.y",
        "c.modifiedAt = c.createdAt",
        "c.x >= 'a'",
        "c.x != ''",
        "c.x BETWEEN 0 AND 999999999",
        "c.x LIKE '%a%'",
        "STARTSWITH(c.x, 'a')",
        "@a = 1",
        "'*' = @type",
        "c.x || 'a' = c.x",
        "c.x + 1 = c.x",
        "c.price > 0",
        "LENGTH(c.x) > 0",
        "c.x IN (SELECT VALUE t FROM t IN c.tags)",
        "(SELECT VALUE COUNT(1) FROM t IN c.tags) > 0",
        "EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'a')",
        "NOT c.x = 'a'",
        "1 = 1 AND c.x = 1",
    ] {
        assert_eq!(truth(condition), Truth::Depends, "{condition}");
    }
    for condition in ["1 = 2", "false", "NOT true", "'' > 'a'", "c.id != c.id", "null"] {
        assert_eq!(truth(condition), Truth::Never, "{condition}");
    }
    assert_eq!(truth("RAND() < 2"), Truth::Constant);
}
