//! `MongoRequests`, `CassandraRequests`, `GremlinRequests` and `TableApiRequests`: one front-end
//! request each, with the API's own operation names and error codes.
use std::borrow::Cow;

use crate::event::decoder::Context;
use crate::event::fields::{Field, Fields};
use crate::event::interner::Region;
use crate::event::request::{common, http_access, needed};
use crate::event::scalar::cut;
use crate::event::{Access, Category, Operation, QueryText, Refusal, Request, Resource};
use crate::ids::Text;
use crate::limits::QUERY_TEXT_BYTES_MAX;

/// One request.
pub(super) fn decode(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    category: Category,
    region: Region,
) -> Result<Request, Refusal> {
    let mut request = common(cx, fields, category, region)?;
    let code = match fields.get(Field::ErrorCode) {
        code if code.is_nothing() => fields.get(Field::StatusCode),
        code => code,
    };
    let name = fields.text(Field::OperationName);
    request.operation_name = cx.tables.text(name);
    let lower = name.unwrap_or_default().to_ascii_lowercase();
    if let Some(code) = needed(code.status(), "error code")? {
        (request.access, request.status) = match category {
            Category::MongoRequests => mongo_access(code),
            Category::CassandraRequests => cassandra_access(code),
            _ => (http_access(code), code),
        };
    }
    (request.operation, request.resource) = match category {
        Category::MongoRequests => {
            let said = fields.text(Field::CommandText).unwrap_or_default();
            let command = mongo_command(&lower, said, &request.container);
            mongo(&command, &request.database, &request.container)
        }
        Category::CassandraRequests => cassandra(&lower, &request.database),
        Category::GremlinRequests => gremlin(&lower),
        _ => table(&lower),
    };
    if category == Category::MongoRequests {
        // `823cae64-0000-0000-0000-000000000000`: a counter in GUID's clothes, not unique.
        request.activity_id = request.activity_id.filter(|id| id & ((1 << 96) - 1) != 0);
    }
    // None of these APIs logs a change feed read as such.
    request.change_feed = false;
    // What is no data is none of the account's queries, and may carry credentials (`saslStart`).
    if request.resource == Resource::Document
        && !request.internal
        && let Some(text) = fields.text(Field::CommandText)
    {
        request.command = QueryText::Parsed(Text::from(cut(text, QUERY_TEXT_BYTES_MAX)));
    }
    Ok(request)
}

/// Access and status of a Mongo error code. Throttling becomes 429, as in the other APIs.
fn mongo_access(code: i32) -> (Access, i32) {
    match code {
        0 => (Access::Success, code),
        16500 | 429 => (Access::Authenticated, 429),
        // Unauthorized, AuthenticationFailed.
        13 | 18 => (Access::Refused, code),
        _ => (Access::Unknown, code),
    }
}

/// Access and status of a Cassandra error code (native protocol v4, section 9), with -1 for
/// success.
fn cassandra_access(code: i32) -> (Access, i32) {
    match code {
        -1 => (Access::Success, code),
        // Overloaded.
        0x1001 => (Access::Authenticated, 429),
        // Bad credentials, unauthorized.
        0x0100 | 0x2100 => (Access::Refused, code),
        _ => (Access::Unknown, code),
    }
}

/// The command, in lower case: what the operation is called or, where that is the protocol's word
/// (`OP_MSG`), the first field of what was sent. The old protocol's `OP_QUERY` sends a collection
/// the bare condition.
fn mongo_command<'a>(operation: &'a str, said: &str, container: &str) -> Cow<'a, str> {
    if !operation.starts_with("op_") {
        return Cow::Borrowed(operation);
    }
    let object = said.trim_start().strip_prefix('{').map(str::trim_start);
    let quoted = object.and_then(|fields| fields.strip_prefix('"')?.split('"').next());
    let bare = || object?.split([':', '}']).next().map(str::trim_end);
    let first = quoted.or_else(bare).unwrap_or_default().to_ascii_lowercase();
    let known = mongo(&first, "", "").1 != Resource::Internal;
    let to_collection = !container.is_empty() && container != "$cmd";
    if !known && operation == "op_query" && to_collection && object.is_some() {
        return Cow::Borrowed("query");
    }
    Cow::Owned(first)
}

fn mongo(operation: &str, database: &str, container: &str) -> (Operation, Resource) {
    match operation {
        "find" | "aggregate" | "count" | "distinct" | "getmore" | "query" => {
            (Operation::Query, mongo_data(database, container))
        }
        "mapreduce" | "eval" => (Operation::Execute, mongo_data(database, container)),
        "insert" | "update" | "findandmodify" => {
            (Operation::Write, mongo_data(database, container))
        }
        "delete" => (Operation::Delete, mongo_data(database, container)),
        "listcollections" | "listdatabases" => (Operation::ReadFeed, Resource::Structure),
        "create" | "renamecollection" | "collmod" => (Operation::Write, Resource::Structure),
        "drop" | "dropdatabase" => (Operation::Delete, Resource::Structure),
        "listindexes" => (Operation::Read, Resource::Administration),
        "createindexes" | "createuser" | "updateuser" | "grantrolestouser" => {
            (Operation::Write, Resource::Administration)
        }
        "dropindexes" | "dropuser" => (Operation::Delete, Resource::Administration),
        _ => (Operation::Other, Resource::Internal),
    }
}

/// The `admin` database and the `$cmd` collection hold the protocol's own traffic.
fn mongo_data(database: &str, container: &str) -> Resource {
    if database == "admin" || container == "$cmd" || container.starts_with("system.") {
        Resource::Internal
    } else {
        Resource::Document
    }
}

/// Cassandra names an operation by a prefix and its verb: `QuerySelect`.
fn cassandra(operation: &str, keyspace: &str) -> (Operation, Resource) {
    let system = keyspace == "system" || keyspace.starts_with("system_");
    let data = if system { Resource::Internal } else { Resource::Document };
    let has = |verb: &str| operation.contains(verb);
    if has("create") || has("alter") {
        (Operation::Write, Resource::Structure)
    } else if has("drop") {
        (Operation::Delete, Resource::Structure)
    } else if has("select") {
        (Operation::Query, data)
    } else if has("insert") || has("update") || has("batch") {
        (Operation::Write, data)
    } else if has("delete") || has("truncate") {
        (Operation::Delete, data)
    } else {
        (Operation::Other, Resource::Internal)
    }
}

/// Gremlin runs scripts and bytecode; both are traversals of the graph.
fn gremlin(operation: &str) -> (Operation, Resource) {
    if operation.contains("eval") || operation.contains("bytecode") {
        (Operation::Query, Resource::Document)
    } else {
        (Operation::Other, Resource::Internal)
    }
}

/// No raw record of the Table API is public: verbs are looked for inside the name.
fn table(operation: &str) -> (Operation, Resource) {
    let has = |verb: &str| operation.contains(verb);
    let resource = if has("tables") || has("createtable") || has("deletetable") {
        Resource::Structure
    } else {
        Resource::Document
    };
    let operation = if has("query") {
        Operation::Query
    } else if has("readfeed") || has("list") {
        Operation::ReadFeed
    } else if has("get") || has("read") {
        Operation::Read
    } else if has("delete") {
        Operation::Delete
    } else if ["insert", "update", "merge", "upsert", "create", "replace", "batch"]
        .iter()
        .any(|verb| has(verb))
    {
        Operation::Write
    } else {
        return (Operation::Other, Resource::Internal);
    };
    (operation, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_of_each_api_tell_access() {
        assert_eq!(mongo_access(0), (Access::Success, 0));
        assert_eq!(mongo_access(16500), (Access::Authenticated, 429));
        assert_eq!(mongo_access(429), (Access::Authenticated, 429));
        assert_eq!(mongo_access(13).0, Access::Refused);
        assert_eq!(mongo_access(18).0, Access::Refused);
        assert_eq!(mongo_access(50).0, Access::Unknown);
        assert_eq!(cassandra_access(-1), (Access::Success, -1));
        assert_eq!(cassandra_access(4097), (Access::Authenticated, 429));
        assert_eq!(cassandra_access(256).0, Access::Refused);
        assert_eq!(cassandra_access(8448).0, Access::Refused);
        assert_eq!(cassandra_access(4608).0, Access::Unknown);
    }

    #[test]
    fn operations_of_each_api_are_folded() {
        assert_eq!(mongo("find", "shop", "orders"), (Operation::Query, Resource::Document));
        assert_eq!(mongo("ping", "admin", "$cmd"), (Operation::Other, Resource::Internal));
        assert_eq!(mongo("listdatabases", "admin", "$cmd").1, Resource::Structure);
        let said = |operation, text| mongo_command(operation, text, "orders").into_owned();
        assert_eq!(said("find", "{\"drop\": \"orders\"}"), "find");
        assert_eq!(said("op_msg", " { \"findAndModify\": \"orders\"}"), "findandmodify");
        assert_eq!(said("op_msg", "{saslStart: 1}"), "saslstart");
        assert_eq!(said("op_query", "{\"name\": \"x\"}"), "query");
        assert_eq!(said("op_query", ""), "");
        assert_eq!(mongo_command("op_query", "{\"ismaster\": 1}", "$cmd"), "ismaster");
        assert_eq!(cassandra("queryselect", "shop"), (Operation::Query, Resource::Document));
        assert_eq!(cassandra("queryselect", "system"), (Operation::Query, Resource::Internal));
        assert_eq!(cassandra("querydroptable", "shop"), (Operation::Delete, Resource::Structure));
        assert_eq!(gremlin("eval"), (Operation::Query, Resource::Document));
        assert_eq!(table("queryentities"), (Operation::Query, Resource::Document));
        assert_eq!(table("createtable"), (Operation::Write, Resource::Structure));
        assert_eq!(table("options"), (Operation::Other, Resource::Internal));
    }
}
