#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene fails")]
use proptest::prelude::*;

use super::operators::{for_values, is_usual};
use super::*;

fn mongo(text: &str) -> QueryRead {
    CommandReader::default().read(QueryLanguage::Mongo, text)
}

fn find(filter: &str) -> QueryRead {
    mongo(&format!(r#"{{"find":"users","filter":{filter},"$db":"shop","lsid":{{"id":"x"}}}}"#))
}

fn signs(filter: &str) -> Vec<Sign> {
    Sign::of_bits(find(filter).signs()).collect()
}

/// Operators in the places of values, as the template shows them.
fn put(known: &str, command: &str) -> Vec<String> {
    let (known, command) = (find(known), find(command));
    let shown = |range: std::ops::Range<usize>| {
        let [begin, last] = [range.start, range.end - 1].map(|at| command.starts[at] as usize);
        command.template[begin..=last].to_owned()
    };
    for_values(&known.tokens, &command.tokens).into_iter().map(shown).collect()
}

#[test]
fn commands_of_one_shape_differ_in_values_order_and_carriage_only() {
    let one = mongo(
        r#"{"find":"users","filter":{"user":"x","age":{"$gt":18},"tags":{"$in":["a","b"]}},"limit":1}"#,
    );
    assert_eq!(one.failure, None);
    assert_eq!(
        &*one.template,
        "{find: string, filter: {age: {$gt: number}, tags: {$in: [string]}, user: string}, limit: number}"
    );
    for same in [
        r#"{"find":"users","$db":"d","filter":{"tags":{"$in":["c"]},"age":{"$gt":{"$numberLong":"4"}},"user":"y"},"limit":{"$numberInt":"9"},"comment":"sEcReT"}"#,
        "{find: 'users', filter: {user: 'it\\'s', age: {$gt: NumberLong(4)}, tags: {$in: ['c', \"d\"]}}, limit: 5, lsid: {id: UUID(\"…\")}}",
    ] {
        assert_eq!(mongo(same).template, one.template);
        assert_eq!((mongo(same).shape, mongo(same).skeleton), (one.shape, one.skeleton));
    }
    assert_ne!(mongo(r#"{"count":"users","query":{"user":"x"}}"#).skeleton, one.skeleton);
}

#[test]
fn what_is_stored_is_no_part_of_a_shape() {
    let update = |q: &str, u: &str| {
        mongo(&format!(r#"{{"update":"c","updates":[{{"q":{q},"u":{u},"multi":false}}]}}"#))
    };
    let one = update(r#"{"_id":{"$oid":"0123"}}"#, r#"{"$set":{"a":1,"b.c":[1]}}"#);
    assert_eq!(
        &*one.template,
        "{update: string, updates: [{multi: bool, q: {_id: id}, u: {$set: data}}]}"
    );
    let other = update(r#"{"_id":{"$oid":"4567"}}"#, r#"{"$set":{"$where":"x"}}"#);
    assert_eq!((other.shape, other.signs()), (one.shape, 0));
    let insert = mongo(r#"{"insert":"c","documents":[{"a":"}]","b":{"c":1}}],"ordered":true}"#);
    assert_eq!(&*insert.template, "{insert: string}");
}

#[test]
fn an_operator_is_seen_where_the_known_command_has_a_value() {
    let known = r#"{"user":"x","pass":"y"}"#;
    for (command, expected) in [
        (r#"{"user":"x","pass":{"$ne":null}}"#, &["{$ne: null}"][..]),
        (r#"{"user":{"$gt":""},"pass":{"$gt":""}}"#, &["{$gt: string}", "{$gt: string}"]),
        (r#"{"user":{"$in":["a","b"]},"pass":{"$exists":true}}"#, &["{$exists: bool}"]),
        (
            r#"{"user":"x","pass":{"$regex":"^a","$options":"i"}}"#,
            &["{$options: string, $regex: string}"],
        ),
        (r#"{"user":"x","pass":{"$not":{"$eq":"a"}}}"#, &["{$not: {$eq: string}}"]),
        (r#"{"pass":null,"user":7}"#, &[]),
        (r#"{"user":"x","pass":{"$in":["a","b"]}}"#, &[]),
        (r#"{"user":"x","pass":{"$gte":1,"$lte":2}}"#, &[]),
        (r#"{"user":"x","pass":{"hash":"y"}}"#, &[]),
        (r#"{"user":"x","pass":{"$ne":null},"more":1}"#, &[]),
        (r#"{"user":"x"}"#, &[]),
    ] {
        assert_eq!(put(known, command), expected, "{command}");
    }
    assert_eq!(
        put(r#"{"user":"x","pass":{"$ne":null}}"#, r#"{"user":"x","pass":{"$ne":null}}"#),
        [""; 0]
    );
}

#[test]
fn an_operator_that_is_usual_under_a_name_is_no_surprise_there() {
    let (known, command) = (find(r#"{"a":1,"at":2}"#), find(r#"{"a":1,"at":{"$gte":2}}"#));
    let found = for_values(&known.tokens, &command.tokens);
    let usual = find(r#"{"b":1,"at":{"$gte":2}}"#);
    assert!(found.iter().all(|f| is_usual(&usual.tokens, &command.tokens, f)));
    for other in [r#"{"at":{"$ne":2}}"#, r#"{"b":{"$gte":2}}"#] {
        assert!(!is_usual(&find(other).tokens, &command.tokens, &found[0]), "{other}");
    }
}

#[test]
fn code_and_conditions_that_hold_for_all_are_signs_and_their_innocent_twins_are_none() {
    for (filter, expected) in [
        (r#"{"$where":"sleep(1)"}"#, &[Sign::ServerSideCode][..]),
        (r#"{"a":1,"$where":{"$code":"x"}}"#, &[Sign::ServerSideCode]),
        (r#"{"$expr":{"$function":{"body":"x","args":[],"lang":"js"}}}"#, &[Sign::ServerSideCode]),
        (r#"{"\u0024where":"x"}"#, &[Sign::ServerSideCode]),
        (r#"{"name":{"$regex":".*"}}"#, &[Sign::MatchesEverything]),
        (
            r#"{"name":{"$regularExpression":{"pattern":"^.*$","options":"i"}}}"#,
            &[Sign::MatchesEverything],
        ),
        (r#"{"name":/.*/i}"#, &[Sign::MatchesEverything]),
        (r#"{"user":"x","password":{"$gt":""}}"#, &[Sign::MatchesEverything]),
        (r#"{"user":"x","login.pwd":{"$ne":1}}"#, &[Sign::MatchesEverything]),
        (r#"{"$or":[{},{"a":1}]}"#, &[Sign::AlwaysTrueUnderOr]),
        (r#"{"$or":[{"a":1},{"_id":{"$exists":true}}]}"#, &[Sign::AlwaysTrueUnderOr]),
        (
            r#"{"$or":[{"a":1},{"$expr":{"$eq":[1,1]}}]}"#,
            &[Sign::AlwaysTrueUnderOr, Sign::ConstantComparison],
        ),
        (r#"{"$expr":true}"#, &[Sign::AlwaysTrueFilter]),
        (
            r#"{"deleted":{"$ne":null},"at":{"$gt":{"$date":"2026-01-01"}},"x":{"$exists":true}}"#,
            &[],
        ),
        (r#"{"password":{"$ne":null},"user":"$where"}"#, &[]),
        (r#"{"_id":{"$ne":{"$oid":"1"}},"$or":[{"_id":{"$ne":{"$oid":"1"}}},{"a":1}]}"#, &[]),
        (r#"{"$or":[{"a":1},{"b":{"$regex":"^ab"}}]}"#, &[]),
        (r#"{"name":{"$regularExpression":{"pattern":"^ab","options":""}}}"#, &[]),
        (r#"{"$expr":{"$eq":["$a","$b"]}}"#, &[]),
        (r#"{"comment":{"$ne":"x"}}"#, &[]),
    ] {
        assert_eq!(signs(filter), expected, "{filter}");
    }
    let read = mongo(r#"{"mapReduce":"c","map":"function(){}","reduce":"x","out":"o","query":{}}"#);
    assert_eq!(read.signs(), Sign::ServerSideCode.bit());
    let stage = mongo(
        r#"{"aggregate":"c","pipeline":[{"$match":{"$where":"x"}},{"$group":{"_id":1}}],"cursor":{}}"#,
    );
    assert_eq!(stage.signs(), Sign::ServerSideCode.bit());
    let mark = stage.marked[0];
    assert_eq!(&stage.template[mark.begin as usize..mark.end as usize], "$where: string");
}

#[test]
fn text_that_is_no_whole_command_is_a_failure_with_its_place() {
    for (text, offset) in [
        ("", 0),
        ("db.users.find({})", 0),
        (r#"{"find":"users","filter":{"user":"sEcReT"#, 40),
        (r#"{"find":"users","filter":{"user":sEcReT}}"#, 39),
        (r#"{"find":"users"} x"#, 17),
        (r#"{"find" "users"}"#, 8),
    ] {
        let read = mongo(text);
        let failure = read.failure.clone().unwrap();
        assert_eq!(failure.offset, offset, "{text}: {}", failure.reason);
        assert!(read.tokens.is_empty() && !format!("{read:?}").contains("sEcReT"));
    }
    let deep = format!(r#"{{"find":"c","filter":{}1{}}}"#, r#"{"a":"#.repeat(200), "}".repeat(200));
    assert_eq!(&*mongo(&deep).failure.unwrap().reason, "it is nested too deeply");
    let wide = format!(r#"{{"find":"c","filter":{{"a":[{}1]}}}}"#, "1,".repeat(20_000));
    assert_eq!(&*mongo(&wide).failure.unwrap().reason, "it holds too many values");
}

#[test]
fn the_other_languages_have_shapes_and_no_signs() {
    use QueryLanguage::{Cassandra, Gremlin, Table};
    for (language, one, other, template) in [
        (
            Cassandra,
            r#"{"request":"SELECT key FROM s.l WHERE a = 'it''s' AND b IN (1, 2, 3) ALLOW FILTERING; -- x"}"#,
            "select \"key\" from s.l where a='y' and b in (4) allow filtering; /* more */",
            "select key from s . l where a = string and b in ( number ) allow filtering ; /**/",
        ),
        (
            Cassandra,
            "UPDATE t SET a = ? WHERE id = 550e8400-e29b-41d4-a716-446655440000",
            "UPDATE t SET a = ? WHERE id = 123e4567-e29b-41d4-a716-446655440000",
            "update t set a = ? where id = number",
        ),
        (
            Gremlin,
            r#"g.V().has("user", 'a\'b').out('knows').limit(5)"#,
            "g.V().has('p', \"x\") .out('k').limit(20)",
            "g . V ( ) . has ( string ) . out ( string ) . limit ( number )",
        ),
        (
            Table,
            "PartitionKey eq 'x' and At ge datetime'2026-01-01T00:00:00Z' or N lt 5L",
            "PartitionKey eq 'O''Brien' and At ge datetime'2025' or N lt 7",
            "partitionkey eq string and at ge string or n lt number",
        ),
    ] {
        let (a, b) = [one, other].map(|t| CommandReader::default().read(language, t)).into();
        assert_eq!(&*a.template, template);
        assert_eq!((a.shape, a.skeleton), (b.shape, b.skeleton), "{other}");
        assert_eq!((a.signs(), a.failure), (0, None));
    }
    let cut = CommandReader::default().read(Gremlin, "g.V().has('a', 'b");
    assert_eq!(&*cut.failure.unwrap().reason, "a text is not closed");
}

#[test]
fn no_literal_survives() {
    let mut reader = CommandReader::default();
    for (language, text) in [
        (
            QueryLanguage::Mongo,
            r#"{"find":"sEcReT","filter":{"a":"sEcReT","b":/sEcReT/,"c":{"$in":["sEcReT"]},"m.sEcReT@x.y":1,"p":{"$regex":"sEcReT"},"d":{"$date":"sEcReT"},"e":"x\"sEcReT"},"comment":"sEcReT"}"#,
        ),
        (QueryLanguage::Mongo, "{find: 'c', filter: {a: ObjectId('sEcReT'), $where: 'sEcReT'}}"),
        (QueryLanguage::Cassandra, "SELECT 'sEcReT', $$sEcReT$$, 5sEcReT FROM t -- sEcReT"),
        (QueryLanguage::Gremlin, "g.V('sEcReT').has(\"sEcReT\") // sEcReT"),
        (QueryLanguage::Table, "A eq 'sEcReT' and B eq X'sEcReT'"),
    ] {
        let read = reader.read(language, text);
        assert_eq!(read.failure, None, "{text}");
        assert!(!format!("{read:?}").contains("sEcReT"), "{read:?}");
    }
}

fn languages() -> impl Strategy<Value = QueryLanguage> {
    prop_oneof![
        Just(QueryLanguage::Mongo),
        Just(QueryLanguage::Cassandra),
        Just(QueryLanguage::Gremlin),
        Just(QueryLanguage::Table),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_within_its_bounds(
        language in languages(),
        text in r#"(\PC|[{}\[\]:,"'/\\$.()é-]|find|filter|\$ne|--|/\*|\*/){0,80}"#,
    ) {
        let read = CommandReader::default().read(language, &text);
        prop_assert_eq!(read.tokens.len(), read.starts.len());
        prop_assert!(read.heap_bytes() <= QueryRead::HEAP_MAX);
        for m in &read.marked {
            prop_assert!(m.begin <= m.end && m.end as usize <= read.template.len());
        }
        let _ = for_values(&read.tokens, &read.tokens);
    }

    #[test]
    fn values_decide_nothing_and_operators_are_found(
        names in prop::collection::btree_set("[a-z]{1,8}", 1..6),
        value in r#"[^"\\]{0,12}"#,
        which in any::<prop::sample::Index>(),
    ) {
        let filter = |put: Option<usize>| {
            let fields = names.iter().enumerate().map(|(i, name)| match put {
                Some(at) if at == i => format!(r#""{name}":{{"$ne":"{value}"}}"#),
                _ => format!(r#""{name}":"{value}{i}""#),
            });
            find(&format!("{{{}}}", fields.collect::<Vec<_>>().join(",")))
        };
        let known = filter(None);
        let command = filter(Some(which.index(names.len())));
        prop_assert_eq!(known.failure.clone(), None);
        prop_assert_eq!(for_values(&known.tokens, &command.tokens).len(), 1);
        prop_assert!(for_values(&command.tokens, &known.tokens).is_empty());
    }
}

/// Known commands and what came of them, by hand; see the head of `innocent.txt` beside it.
#[test]
fn commands_by_hand_are_told_apart() {
    let mut known = mongo("{}");
    for line in include_str!("../../tools/sql_corpus/hand/mongo.txt").lines() {
        let Some((mark @ ("=" | "+" | ">" | "!"), text)) = line.split_once(' ') else { continue };
        let read = mongo(text);
        assert_eq!(read.failure, None, "{text}");
        if mark == "=" {
            known = read.clone();
        }
        let odd = !for_values(&known.tokens, &read.tokens).is_empty()
            || read.signs() & Sign::ServerSideCode.bit() != 0;
        assert_eq!(odd, mark == "!", "{mark} {text}");
    }
}
