//! A record that may be shown to people who must not see the data: what says who did what, when,
//! from where and how much stays; query literals, document ids, keys, tokens and everything that
//! nobody has named here do not.
//!
//! A list of what stays, not of what goes: a field that Azure adds tomorrow is counted and not
//! shown. What stays is looked at once more, because callers write some of it themselves.
use serde_json::{Map, Value};

use super::fields::{Level, lookup};
use super::record::too_deep;
use super::scalar::cut;
use super::secrets::is_secret;
use crate::limits::{RECORD_BYTES_MAX, REDACTED_BYTES_MAX, STRING_BYTES_MAX};

/// Names whose values stay, lower case, without the type suffix of `AzureDiagnostics`.
const KEPT: &[&str] = &[
    "_resourceid",
    "aadappliedroleassignmentid",
    "aadprincipalid",
    "accountname",
    "activityid",
    "activitystatus",
    "activitystatusvalue",
    "address",
    "apikind",
    "authorizationtokentype",
    "authtokentype",
    "authtype",
    "avgdurationms",
    "avgrequestcharge",
    "avgrequestlength",
    "avgresponselength",
    "caller",
    "calleripaddress",
    "category",
    "categoryvalue",
    "clientipaddress",
    "collectioname",
    "collectionname",
    "connectionmode",
    "correlationid",
    "databasename",
    "duration",
    "durationms",
    "enabledataplanerequeststrace",
    "entity",
    "errorcode",
    "eventcategory",
    "eventdataid",
    "eventtimestamp",
    "hierarchy",
    "httpmethod",
    "httpstatuscode",
    "keytype",
    "level",
    "location",
    "maxdurationms",
    "maxrequestcharge",
    "maxrequestlength",
    "maxresponselength",
    "numberofrowsreturned",
    "operationid",
    "operationname",
    "operationnamevalue",
    "operationtype",
    "partialipaddress",
    "region",
    "regionname",
    "requestcharge",
    "requestcount",
    "requestlength",
    "requestresourcetype",
    "resource",
    "resourcegroup",
    "resourcegroupname",
    "resourceid",
    "resourceids",
    "resourceprovider",
    "resourcetype",
    "responselength",
    "resultsignature",
    "resulttype",
    "resultvalue",
    "roleassignmentprincipalid",
    "roleassignmentprincipaltype",
    "roledefinitionname",
    "rolelocation",
    "sqlquerytexttracetype",
    "statuscode",
    "subscriptionid",
    "tablename",
    "tenantid",
    "time",
    "timegenerated",
    "totaldurationms",
    "totalrequestcharge",
    "totalrequestlength",
    "totalresponselength",
    "type",
    "useragent",
];
/// Names whose values stay if they are numbers.
const NUMBERS: &[&str] = &["signature", "shapesignature", "retrycount", "sizekb", "status"];
/// Paths of the account's resources: what a path names stays, ids of documents do not.
const PATHS: &[&str] = &["requestresourceid", "documentresourceid", "resourceuri"];
/// Objects of the Activity log that tell who acted, and what of them stays. Claims go by URI or by
/// short name: the last part tells them apart.
const WHO: &[(&str, &[&str])] = &[
    ("identity", &[]),
    ("authorization", &["action", "scope", "role"]),
    (
        "evidence",
        &[
            "role",
            "roleassignmentscope",
            "roleassignmentid",
            "roledefinitionid",
            "principalid",
            "principaltype",
        ],
    ),
    (
        "claims",
        &[
            "upn",
            "name",
            "unique_name",
            "emailaddress",
            "email",
            "objectidentifier",
            "oid",
            "appid",
            "appidacr",
            "idtyp",
            "tenantid",
            "tid",
            "identityprovider",
            "idp",
            "iss",
            "aud",
            "ipaddr",
            "xms_mirid",
            "iat",
            "nbf",
            "exp",
            "ver",
            "authnmethodsreferences",
        ],
    ),
    ("httprequest", &["clientipaddress", "method", "clientrequestid"]),
];
/// Parts of a resource path that are words of the service, not names.
const PATH_WORDS: &[&str] = &[
    "dbs",
    "colls",
    "docs",
    "sprocs",
    "triggers",
    "udfs",
    "users",
    "permissions",
    "conflicts",
    "attachments",
    "pkranges",
    "offers",
    "clientencryptionkeys",
];
/// Objects inside objects that are followed.
const DEPTH_MAX: usize = 6;

/// The redacted form of a record, one line of JSON; `None` if the bytes are no record.
pub fn redacted(record: &[u8]) -> Option<String> {
    if record.len() > RECORD_BYTES_MAX || too_deep(record).is_some() {
        return None;
    }
    let record = record.strip_prefix("\u{feff}".as_bytes()).unwrap_or(record);
    let Value::Object(fields) = serde_json::from_slice(record).ok()? else { return None };
    let shown = Value::Object(object(fields, Level::Record)).to_string();
    if shown.len() <= REDACTED_BYTES_MAX {
        return Some(shown);
    }
    let mut short = Map::new();
    short.insert("redacted".to_owned(), hidden(record.len(), "its redacted form is too long"));
    Some(Value::Object(short).to_string())
}

fn hidden(bytes: usize, why: &str) -> Value {
    Value::String(format!(
        "[redacted, {bytes} bytes{}{why}]",
        if why.is_empty() { "" } else { ": " }
    ))
}

/// The name without regard to case and to the type suffix.
fn plain(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let suffixed = ["_s", "_g", "_d", "_b", "_t"].iter().find_map(|s| lower.strip_suffix(s));
    suffixed.map_or_else(|| lower.clone(), str::to_owned)
}

fn object(fields: Map<String, Value>, level: Level) -> Map<String, Value> {
    let (mut out, mut others) = (Map::new(), 0_u64);
    for (key, value) in fields {
        let name = plain(&key);
        if KEPT.contains(&name.as_str()) {
            out.insert(key, scalar(value));
        } else if name == "properties" && level == Level::Record {
            out.insert(key, properties(value));
        } else if let Some((who, _)) = WHO.iter().find(|(who, _)| *who == name) {
            out.insert(key, acting(value, who, 0));
        } else if name == "querytext" {
            out.insert(key, query(&value));
        } else if PATHS.contains(&name.as_str()) {
            out.insert(key, value.as_str().map_or_else(|| whole(&value), path));
        } else if NUMBERS.contains(&name.as_str()) && is_number(&value) {
            out.insert(key, value);
        } else if lookup(&key, level).is_some() {
            out.insert(key, whole(&value));
        } else {
            others += 1;
        }
    }
    note(&mut out, others);
    out
}

/// How many fields were left out because nobody knows them.
fn note(out: &mut Map<String, Value>, others: u64) {
    if others > 0 {
        out.insert("[other fields]".to_owned(), Value::from(others));
    }
}

/// Something replaced as a whole. What says nothing may stay.
fn whole(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => Value::String(String::new()),
        Value::String(text) => hidden(text.len(), ""),
        other => hidden(other.to_string().len(), ""),
    }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

/// A value that stays unless it is a structure or looks like a secret.
fn scalar(value: Value) -> Value {
    match value {
        Value::String(text) if is_secret(&text) => hidden(text.len(), "it looks like a secret"),
        Value::String(text) if text.len() > STRING_BYTES_MAX => {
            Value::String(cut(&text, STRING_BYTES_MAX).to_owned())
        }
        Value::Array(_) | Value::Object(_) => whole(&value),
        other => other,
    }
}

/// A property bag, or the text of one.
fn properties(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(object(fields, Level::Properties)),
        Value::String(text) => match inner(&text) {
            Some(fields) => Value::Object(object(fields, Level::Properties)),
            None => whole(&Value::String(text)),
        },
        other => whole(&other),
    }
}

/// The object inside a text.
fn inner(text: &str) -> Option<Map<String, Value>> {
    if too_deep(text.as_bytes()).is_some() {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// One of the objects that tell who acted.
fn acting(value: Value, which: &str, depth: usize) -> Value {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::String(text) => match inner(&text) {
            Some(fields) => fields,
            None => return scalar(Value::String(text)),
        },
        other => return whole(&other),
    };
    let kept = WHO.iter().find(|(name, _)| *name == which).map_or(&[][..], |(_, kept)| *kept);
    let (mut out, mut others) = (Map::new(), 0_u64);
    for (key, value) in fields {
        let lower = key.to_ascii_lowercase();
        let last = lower.rsplit('/').next().unwrap_or_default();
        let inside = WHO.iter().find(|(name, _)| *name == lower);
        if kept.contains(&last) {
            out.insert(key, scalar(value));
        } else if let Some((name, _)) = inside.filter(|_| depth < DEPTH_MAX) {
            out.insert(key, acting(value, name, depth + 1));
        } else {
            others += 1;
        }
    }
    note(&mut out, others);
    Value::Object(out)
}

/// `/dbs/shop/colls/orders/docs/[redacted]`.
fn path(text: &str) -> Value {
    let text = cut(text, STRING_BYTES_MAX);
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let mut named = false;
    let parts = text.split('/').map(|part| {
        let lower = part.to_ascii_lowercase();
        let stays = part.is_empty() || PATH_WORDS.contains(&lower.as_str()) || named;
        // Names of databases and collections stand in fields of their own as well.
        named = !named && matches!(lower.as_str(), "dbs" | "colls");
        if stays { part } else { "[redacted]" }
    });
    scalar(Value::String(parts.collect::<Vec<_>>().join("/")))
}

/// The shape of a query; of text that is no query, its length.
fn query(value: &Value) -> Value {
    let found = value.as_str().and_then(inner).and_then(|fields| {
        let query = fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("query"))?.1;
        Some(shape(query.as_str()?))
    });
    found.map_or_else(|| whole(value), Value::String)
}

/// A query with `?` in the place of each literal and without its comments.
fn shape(query: &str) -> String {
    let mut out = String::new();
    let mut rest = query;
    let mut in_word = false;
    while let Some(next) = rest.chars().next() {
        let (taken, shown) = match next {
            '\'' | '"' | '`' => (quoted(rest, next), "?"),
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), " "),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |at| at + 2), " "),
            '0'..='9' if !in_word => (number(rest), "?"),
            _ => (next.len_utf8(), rest.get(..next.len_utf8()).unwrap_or_default()),
        };
        in_word = next.is_alphanumeric() || matches!(next, '_' | '@' | '$');
        out.push_str(shown);
        rest = rest.get(taken..).unwrap_or_default();
        if out.len() >= STRING_BYTES_MAX {
            break;
        }
    }
    out
}

/// Bytes of the quoted text at the start of `rest`; all of it if the quote does not end.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn number(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::fixtures;

    #[test]
    fn queries_keep_their_shape_and_lose_their_literals() {
        for (query, expected) in [
            (
                "SELECT * FROM c WHERE c.x='it\\'s' AND c.n=@p",
                "SELECT * FROM c WHERE c.x=? AND c.n=@p",
            ),
            (
                "SELECT TOP 10 c.a1 FROM c WHERE c.b IN (1.5, -2e9)",
                "SELECT TOP ? c.a1 FROM c WHERE c.b IN (?, -?)",
            ),
            ("SELECT c[\"name\"] -- 4711\nFROM c /* x */", "SELECT c[?]  \nFROM c  "),
            ("SELECT 'never ends", "SELECT ?"),
            ("SELECT 'a''b'", "SELECT ??"),
        ] {
            assert_eq!(shape(query), expected);
        }
    }

    #[test]
    fn paths_lose_the_ids_of_documents() {
        for (raw, expected) in [
            ("/dbs/shop/colls/orders/docs/4711", "/dbs/shop/colls/orders/docs/[redacted]"),
            ("/dbs/docs/colls/c/sprocs/x?sig=1", "/dbs/docs/colls/c/sprocs/[redacted]"),
            ("someone@example.com", "[redacted]"),
        ] {
            assert_eq!(path(raw), Value::from(expected));
        }
    }

    #[test]
    fn keys_and_tokens_are_recognised_wherever_they_stand() {
        let key = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
        for secret in
            [key, "app/1 key:eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.x", "a?sv=1&sig=abc"]
        {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in [
            "/subscriptions/00000000-0000-0000-0000-00000000c0de/resourceGroups/rg-Data1/providers/Microsoft.DocumentDB/databaseAccounts/contoso-orders",
            "cosmos-netstandard-sdk/3.31.0|1|X64|Microsoft Windows 10.0.17763|.NET Core 3.1.32|N|F 00000001|",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "5d41402abc4b2a76b9719d911017c592",
        ] {
            assert!(!is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn records_of_every_kind_say_who_when_and_what() {
        for record in fixtures::all() {
            let shown = redacted(record.as_bytes()).expect("a record");
            assert!(shown.len() <= REDACTED_BYTES_MAX && !shown.contains('\n'));
            let (before, after) = (record.to_ascii_lowercase(), shown.to_ascii_lowercase());
            for name in
                ["\"time\":\"", "\"operationname\":\"", "\"clientipaddress\":\"", "\"caller\":\""]
            {
                let value = |text: &str| {
                    let at = text.find(name)? + name.len();
                    text[at..].split('"').next().map(str::to_owned)
                };
                assert_eq!(value(&before), value(&after), "{name} {record}\n{shown}");
            }
        }
    }

    #[test]
    fn what_nobody_named_is_counted_only() {
        let record = br#"{"time":"t","later":{"a":"sEcReT"},"properties":"{\"statusCode\":\"200\",\"partitionKey\":\"sEcReT\",\"x\":1}","claims":{"upn":"a@b","puid":"sEcReT"},"signature":"sEcReT"}"#;
        let shown = redacted(record).expect("a record");
        assert_eq!(
            shown,
            r#"{"time":"t","properties":{"statusCode":"200","partitionKey":"[redacted, 6 bytes]","[other fields]":1},"claims":{"upn":"a@b","[other fields]":1},"signature":"[redacted, 6 bytes]","[other fields]":1}"#
        );
        for no_record in [&b"[1]"[..], b"x", b"", &[b'['; 200]] {
            assert_eq!(redacted(no_record), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(text in ".{0,200}", query in ".{0,200}") {
            let record = serde_json::json!({"properties": {"querytext": serde_json::json!({"query": query}).to_string(), "requestResourceId": text}, "identity": text});
            proptest::prop_assert!(redacted(record.to_string().as_bytes()).is_some());
            let _ = redacted(text.as_bytes());
        }
    }
}
