//! `DataPlaneRequests`: the NoSQL data plane in its shapes of 2017, of 2019 and of today.
use crate::event::address;
use crate::event::decoder::Context;
use crate::event::fields::{Field, Fields};
use crate::event::interner::Region;
use crate::event::scalar::{NotANumber, Scalar};
use crate::event::{
    Access, Category, ConnectionMode, Credential, KeyKind, Operation, QueryText, Refusal,
    RefusalReason, Request, Resource,
};
use crate::ids::{PrincipalId, Text};

/// An operation as logged, with its meaning.
#[derive(Clone)]
pub(super) struct NamedOperation {
    pub(super) name: Text,
    pub(super) operation: Operation,
    /// The name itself speaks of the change feed. No documented record has a field for it, so
    /// this and the agent's name are all that tells a change feed read from a full read.
    pub(super) change_feed: bool,
}

impl NamedOperation {
    pub(super) fn of(raw: &str) -> NamedOperation {
        let lower = raw.to_ascii_lowercase();
        let change_feed = lower.contains("changefeed");
        let operation = match lower.as_str() {
            "query" | "sqlquery" | "jsquery" => Operation::Query,
            "read" => Operation::Read,
            "readfeed" => Operation::ReadFeed,
            _ if change_feed => Operation::ReadFeed,
            "create" | "upsert" | "replace" | "update" | "patch" | "batch" | "insert" => {
                Operation::Write
            }
            "delete" | "collectiontruncate" | "truncate" => Operation::Delete,
            _ if lower.starts_with("execute") => Operation::Execute,
            _ => Operation::Other,
        };
        NamedOperation { name: Text::from(raw), operation, change_feed }
    }
}

/// A resource type without its `Feed` suffix, and whether it had one.
pub(super) fn resource(raw: &str) -> (Resource, bool) {
    let is = |name: &str, names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let (name, feed) = match raw.len().checked_sub(4).and_then(|at| raw.split_at_checked(at)) {
        Some((name, end)) if end.eq_ignore_ascii_case("feed") => (name, true),
        _ => (raw, false),
    };
    // A conflict holds a document's body, a partition key stands for all its documents.
    const DATA: [&str; 5] =
        ["Document", "Attachment", "Conflict", "PartitionKey", "DistributedTransactionBatch"];
    const STRUCTURE: [&str; 3] = ["Database", "Collection", "Container"];
    const ADMINISTRATION: [&str; 6] =
        ["User", "Permission", "Offer", "StoredProcedure", "Trigger", "UserDefinedFunction"];
    let resource = if is(name, &DATA) {
        Resource::Document
    } else if is(name, &STRUCTURE) {
        Resource::Structure
    } else if is(name, &ADMINISTRATION) {
        Resource::Administration
    } else {
        Resource::Internal
    };
    (resource, feed)
}

/// What an HTTP status says about access.
pub(super) fn http_access(status: i32) -> Access {
    match status {
        200..=299 | 304 => Access::Success,
        404 | 409 | 412 | 413 | 429 | 449 => Access::Authenticated,
        401 | 403 => Access::Refused,
        _ => Access::Unknown,
    }
}

/// How the caller authenticated. The service's own tokens and Entra identities come before the
/// key, because the key kind is filled in beside them.
pub(super) fn credential(cx: &mut Context<'_>, fields: &Fields<'_>) -> Credential {
    let token = fields.text(Field::AuthTokenType).unwrap_or_default();
    let key = fields.text(Field::KeyType).unwrap_or_default();
    let system =
        |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("system"));
    if system(token) || system(key) {
        return Credential::System;
    }
    match fields.text(Field::AadPrincipalId) {
        Some(id) => return Credential::Entra(cx.tables.principal(id)),
        None if token.eq_ignore_ascii_case("AadToken") => {
            return Credential::Entra(PrincipalId::new("unknown"));
        }
        None => {}
    }
    if token.eq_ignore_ascii_case("ResourceToken")
        || !fields.get(Field::ResourceTokenUserRid).is_nothing()
        || !fields.get(Field::ResourceTokenPermissionId).is_nothing()
    {
        return Credential::ResourceToken;
    }
    match key_kind(key).or_else(|| key_kind(token)) {
        Some(kind) => Credential::Key(kind),
        None => Credential::Unknown,
    }
}

fn key_kind(name: &str) -> Option<KeyKind> {
    const KINDS: [(&str, KeyKind); 4] = [
        ("PrimaryMasterKey", KeyKind::PrimaryMaster),
        ("SecondaryMasterKey", KeyKind::SecondaryMaster),
        ("PrimaryReadonlyMasterKey", KeyKind::PrimaryReadonly),
        ("SecondaryReadonlyMasterKey", KeyKind::SecondaryReadonly),
    ];
    KINDS.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
}

fn connection(fields: &Fields<'_>) -> ConnectionMode {
    match fields.text(Field::ConnectionMode) {
        Some(mode) if mode.eq_ignore_ascii_case("Gateway") => ConnectionMode::Gateway,
        Some(mode) if mode.eq_ignore_ascii_case("Direct") => ConnectionMode::Direct,
        _ => ConnectionMode::Unknown,
    }
}

/// A number without which a request means nothing.
pub(super) fn needed<T>(value: Result<T, NotANumber>, name: &str) -> Result<T, Refusal> {
    value.map_err(|NotANumber| Refusal {
        reason: RefusalReason::BadNumber,
        at: 0,
        detail: format!("{name} is not a number"),
    })
}

/// A request of any API before its operation and status are understood: everything that all
/// request categories log alike.
pub(super) fn common(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    category: Category,
    region: Region,
) -> Result<Request, Refusal> {
    let agent = cx.tables.agent(fields.text(Field::UserAgent));
    let client_ip = cx.address(fields.text(Field::ClientIp));
    let credential = credential(cx, fields);
    // Anybody can send the gateway's agent: it is believed only where no public address speaks.
    let internal = credential == Credential::System
        || (agent.claims_service && client_ip.is_none_or(address::is_private));
    let response_bytes = needed(bytes(fields.get(Field::ResponseLength)), "response length")?;
    Ok(Request {
        category,
        command: QueryText::Absent,
        count: 1,
        interval_ms: 0,
        activity_id: fields.get(Field::ActivityId).guid(),
        operation: Operation::Other,
        operation_name: cx.tables.empty(),
        resource: Resource::Internal,
        access: Access::Unknown,
        status: 0,
        client_ip,
        user_agent: agent.raw,
        client_family: agent.family,
        credential,
        connection: connection(fields),
        request_bytes: cx.tolerated(bytes(fields.get(Field::RequestLength))),
        response_bytes,
        response_bytes_max: response_bytes,
        charge_milli: cx
            .tolerated(fields.get(Field::RequestCharge).milli().map(Option::unwrap_or_default)),
        region: region.name,
        database: cx.tables.text(fields.words(Field::DatabaseName).as_deref()),
        container: cx.tables.text(fields.words(Field::CollectionName).as_deref()),
        change_feed: agent.change_feed,
        internal,
    })
}

fn bytes(value: &Scalar<'_>) -> Result<u64, NotANumber> {
    value.whole().map(Option::unwrap_or_default)
}

/// One request of the NoSQL data plane.
pub(super) fn decode(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    category: Category,
    region: Region,
) -> Result<Request, Refusal> {
    let mut request = common(cx, fields, category, region)?;
    request.status =
        needed(fields.get(Field::StatusCode).status(), "status code")?.unwrap_or_default();
    request.access = http_access(request.status);
    let named = cx.tables.operation(fields.text(Field::OperationName));
    let kind = fields.text(Field::RequestResourceType).or_else(|| fields.text(Field::ResourceType));
    let (resource, feed) = match kind {
        Some(kind) => resource(kind),
        // Only a request inside a container can be told to concern data.
        None if !request.container.is_empty() => (Resource::Document, false),
        None => (Resource::Internal, false),
    };
    request.operation = match named.operation {
        Operation::Read if feed => Operation::ReadFeed,
        other => other,
    };
    request.resource = resource;
    // The agent speaks for all that its process does; only feed reads of data are change feed.
    request.change_feed = named.change_feed
        || (request.change_feed
            && request.operation == Operation::ReadFeed
            && resource == Resource::Document);
    request.operation_name = named.name;
    Ok(request)
}
