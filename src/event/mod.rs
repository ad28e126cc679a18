//! What a log record means: one decoder a category, one [`Event`] type.
//!
//! Everything below this room works on [`Event`] and cannot fail; malformed input is refused
//! here. Query literals never leave this room: only fingerprints and redacted forms do.
mod account;
mod activity;
mod address;
mod agent;
mod aggregate;
mod api_request;
mod control;
mod counters;
mod credential_action;
mod decoder;
mod digest;
mod fields;
mod identity;
mod interner;
mod log_analytics;
mod place;
mod query;
mod query_read;
mod record;
mod redact;
mod request;
mod scalar;
mod secrets;
#[cfg(test)]
mod tests;
mod time_hint;

pub use counters::DecodeCounters;
pub use decoder::Decoder;
pub use place::{Place, PlaceSample, Records};
pub use query_read::{
    Failure, HIDDEN_READINGS_MAX, HIDDEN_TOKENS_MAX, Marked, QueryLanguage, QueryRead, QueryText,
    SIGNS_MAX, Sign, TEMPLATE_BYTES_MAX, TOKENS_MAX,
};
pub use redact::redacted;
pub use time_hint::time_hint;

use std::net::IpAddr;

use crate::ids::{AccountId, PrincipalId, SubscriptionId, TenantId, Text};
use crate::time::Timestamp;

/// One decoded record.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened (event time, UTC).
    pub time: Timestamp,
    /// 128-bit hash of the whole record's bytes: recognises copies, breaks ties, is order-free.
    pub digest: u128,
    /// The Cosmos DB account that it concerns; `None` for Activity-log records of other resources.
    pub account: Option<AccountId>,
    /// The account's ARM id, lower-cased (without children that an Activity-log record may name),
    /// or that of the other resource; `None` in 2017 records.
    pub resource_id: Option<Text>,
    /// What it says.
    pub body: Body,
}

/// The categories, by what they mean to us.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// One request to data or metadata (`DataPlaneRequests`, and the Mongo, Cassandra, Gremlin
    /// and Table request categories), or an aggregated row of many alike.
    Request(Box<Request>),
    /// `QueryRuntimeStatistics`: text, rows; caller and status come from the joined request.
    Query(Box<QueryRun>),
    /// `ControlPlaneRequests`: who is not logged.
    Control(Box<ControlOperation>),
    /// Activity log, any provider.
    Activity(Box<ActivityOperation>),
    /// Categories that only count for coverage (`PartitionKeyStatistics`,
    /// `PartitionKeyRUConsumption`).
    Coverage(Category),
}

/// The log category a record came from; drives `model coverage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are Azure's own
pub enum Category {
    DataPlaneRequests,
    DataPlaneRequests5M,
    DataPlaneRequests15M,
    QueryRuntimeStatistics,
    ControlPlaneRequests,
    MongoRequests,
    CassandraRequests,
    GremlinRequests,
    TableApiRequests,
    PartitionKeyStatistics,
    PartitionKeyRUConsumption,
    Activity,
}

impl Category {
    /// All categories, in the order of their discriminants.
    pub const ALL: [Category; 12] = [
        Category::DataPlaneRequests,
        Category::DataPlaneRequests5M,
        Category::DataPlaneRequests15M,
        Category::QueryRuntimeStatistics,
        Category::ControlPlaneRequests,
        Category::MongoRequests,
        Category::CassandraRequests,
        Category::GremlinRequests,
        Category::TableApiRequests,
        Category::PartitionKeyStatistics,
        Category::PartitionKeyRUConsumption,
        Category::Activity,
    ];
    /// The language of the commands that its records carry, where they do: those of the APIs that
    /// log their own requests.
    pub fn command_language(self) -> Option<QueryLanguage> {
        match self {
            Category::MongoRequests => Some(QueryLanguage::Mongo),
            Category::CassandraRequests => Some(QueryLanguage::Cassandra),
            Category::GremlinRequests => Some(QueryLanguage::Gremlin),
            Category::TableApiRequests => Some(QueryLanguage::Table),
            _ => None,
        }
    }
    /// Azure's exact spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::DataPlaneRequests => "DataPlaneRequests",
            Category::DataPlaneRequests5M => "DataPlaneRequests5M",
            Category::DataPlaneRequests15M => "DataPlaneRequests15M",
            Category::QueryRuntimeStatistics => "QueryRuntimeStatistics",
            Category::ControlPlaneRequests => "ControlPlaneRequests",
            Category::MongoRequests => "MongoRequests",
            Category::CassandraRequests => "CassandraRequests",
            Category::GremlinRequests => "GremlinRequests",
            Category::TableApiRequests => "TableApiRequests",
            Category::PartitionKeyStatistics => "PartitionKeyStatistics",
            Category::PartitionKeyRUConsumption => "PartitionKeyRUConsumption",
            Category::Activity => "Activity log",
        }
    }
    /// Bit in a coverage set.
    pub fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

impl Event {
    /// The category the record came from.
    pub fn category(&self) -> Option<Category> {
        match &self.body {
            Body::Request(r) => Some(r.category),
            Body::Query(_) => Some(Category::QueryRuntimeStatistics),
            Body::Control(_) => Some(Category::ControlPlaneRequests),
            Body::Activity(_) => Some(Category::Activity),
            Body::Coverage(category) => Some(*category),
        }
    }
}

/// A request, or `count` alike requests of one aggregated row.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where it was logged.
    pub category: Category,
    /// The command as the Mongo, Cassandra, Gremlin or Table API logged it. Held only until it is
    /// read; never printed.
    pub command: QueryText,
    /// How many requests this row stands for: 1, or `RequestCount` of an aggregated row.
    pub count: u64,
    /// The interval an aggregated row covers, milliseconds; 0 for a single request.
    pub interval_ms: i64,
    /// Request id; `None` where absent or not unique (aggregates).
    pub activity_id: Option<u128>,
    /// What was done.
    pub operation: Operation,
    /// Operation as logged, for evidence (interned).
    pub operation_name: Text,
    /// To what.
    pub resource: Resource,
    /// Whether the caller's credential was accepted, and data returned.
    pub access: Access,
    /// The status as logged: HTTP for NoSQL, Gremlin and Table, the API's own code otherwise.
    pub status: i32,
    /// Caller's address where logged, without port.
    pub client_ip: Option<IpAddr>,
    /// User agent as logged, cut to the limit (interned).
    pub user_agent: Text,
    /// Client family: the agent without versions, platform and per-instance counters (interned).
    pub client_family: Text,
    /// How the caller authenticated.
    pub credential: Credential,
    /// Gateway or direct.
    pub connection: ConnectionMode,
    /// Request bytes (total over `count`).
    pub request_bytes: u64,
    /// Response bytes (total over `count`).
    pub response_bytes: u64,
    /// Largest single response, bytes; equals `response_bytes` when `count` is 1.
    pub response_bytes_max: u64,
    /// Request units × 1000 (total), so that sums are integers.
    pub charge_milli: u64,
    /// Serving region, squeezed lower case (`centralindia`); empty if not logged.
    pub region: Text,
    /// Database; empty at account level.
    pub database: Text,
    /// Container, collection, table or graph; empty at database level.
    pub container: Text,
    /// The request read the change feed. No documented field says so: only an operation's or a
    /// reader's name tells, so most change feed reads look like plain feed reads.
    pub change_feed: bool,
    /// Issued by the service itself (gateway agents and system tokens): never teaches location.
    pub internal: bool,
}

/// What a request did, folded from the many spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// A query (`Query`, `SqlQuery`, `JSQuery`, `find`, `QuerySelect`, `eval` …).
    Query,
    /// A read of one item.
    Read,
    /// A read of a feed: all items, or the change feed.
    ReadFeed,
    /// Create, upsert, replace, update, patch, batch, insert.
    Write,
    /// Delete or truncate.
    Delete,
    /// Stored procedure or script.
    Execute,
    /// Anything else, including query plans and heads.
    Other,
}

/// What a request touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Documents, rows, vertices: the data.
    Document,
    /// Databases and containers: metadata whose listing is enumeration.
    Structure,
    /// Users, permissions, offers, procedures, triggers, functions.
    Administration,
    /// Partition-key ranges, addresses, the account itself: the SDK's own bookkeeping.
    Internal,
}

/// What the status says about access. `DETECTION.md` calls it "accessed".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// Success: the key was good and the operation done.
    Success,
    /// The key was good but nothing was returned (404, 409, 412, 413, 429, 449).
    Authenticated,
    /// Refused (401, 403).
    Refused,
    /// Cannot be told (400, 408, 5xx and codes that we do not know).
    Unknown,
}

impl Access {
    /// The credential was accepted.
    pub fn authenticated(self) -> bool {
        matches!(self, Access::Success | Access::Authenticated)
    }
}

/// How a caller authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Credential {
    /// An account key.
    Key(KeyKind),
    /// Microsoft Entra: object id.
    Entra(PrincipalId),
    /// A resource token.
    ResourceToken,
    /// The service's own tokens (`SystemReadWrite` …).
    System,
    /// Not logged.
    Unknown,
}

/// Which account key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum KeyKind {
    PrimaryMaster,
    SecondaryMaster,
    PrimaryReadonly,
    SecondaryReadonly,
}

/// How the client reached the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ConnectionMode {
    Gateway,
    Direct,
    Unknown,
}

/// One query on one physical partition.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryRun {
    /// Joins to [`Request::activity_id`], 1:N.
    pub activity_id: Option<u128>,
    /// Database.
    pub database: Text,
    /// Container.
    pub container: Text,
    /// Rows returned, where the raw export has it.
    pub rows: Option<u64>,
    /// The service's own hash of the query.
    pub signature: Option<i64>,
    /// The service's own hash of the query's shape.
    pub shape_signature: Option<i64>,
    /// What came of the text.
    pub text: QueryText,
}

/// A control-plane operation of the account. Who did it is only in the Activity log.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlOperation {
    /// As logged (`AccountUpdateStart` …).
    pub operation: Text,
    /// Joins to the Activity log's client request id.
    pub activity_id: Option<u128>,
    /// HTTP status, 0 if absent.
    pub status: i32,
    /// For `DiagnosticLogUpdate*`: whether full-text query and data-plane logging are now on.
    pub diagnostics: Option<Diagnostics>,
}

/// What a `DiagnosticLogUpdate*` record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// Query text is logged in full.
    pub query_text: Option<bool>,
    /// Data-plane requests are logged.
    pub data_plane: Option<bool>,
}

/// One operation of the subscription's Activity log.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityOperation {
    /// Lower-cased operation (`microsoft.documentdb/databaseaccounts/listkeys/action`).
    pub operation: Text,
    /// What kind of credential operation it is, if any.
    pub credential: Option<CredentialOperation>,
    /// How it ended.
    pub outcome: Outcome,
    /// Joins Start and terminal record of one operation.
    pub correlation_id: Text,
    /// Lower-cased ARM id of the target.
    pub target: Text,
    /// Subscription of the target.
    pub subscription: Option<SubscriptionId>,
    /// Entra tenant.
    pub tenant: Option<TenantId>,
    /// Who: object id, else UPN, else application id; `None` if the record has no identity.
    pub principal: Option<PrincipalId>,
    /// A name for people (UPN, e-mail, display name or application id).
    pub principal_name: Text,
    /// User, service principal or managed identity.
    pub principal_type: PrincipalType,
    /// The principal is a guest (an identity provider other than the tenant, or an external UPN).
    pub guest: bool,
    /// Application through which the principal acted; empty if absent.
    pub app_id: Text,
    /// Role that allowed it; empty if absent.
    pub role: Text,
    /// Caller's address.
    pub client_ip: Option<IpAddr>,
}

/// Who acts in the Activity log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum PrincipalType {
    User,
    ServicePrincipal,
    ManagedIdentity,
    Unknown,
}

/// How an operation of the Activity log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Begun; a terminal record follows.
    Started,
    /// Accepted for asynchronous work; counts as terminal if nothing else comes.
    Accepted,
    /// Done.
    Succeeded,
    /// Refused or broken.
    Failed,
    /// Another word.
    Unknown,
}

/// Operations that hand out or change credentials, over all providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CredentialOperation {
    /// Cosmos DB `listKeys`.
    CosmosListKeys,
    /// Cosmos DB `readonlykeys`.
    CosmosReadonlyKeys,
    /// Cosmos DB `listConnectionStrings`.
    CosmosConnectionStrings,
    /// Cosmos DB `regenerateKey`.
    CosmosRegenerateKey,
    /// A credential action of another provider (Key Vault, storage, web, registry …).
    OtherProvider,
}

impl CredentialOperation {
    /// Reads Cosmos DB credentials (regenerating one is not reading it).
    pub fn reads_cosmos_keys(self) -> bool {
        matches!(
            self,
            CredentialOperation::CosmosListKeys
                | CredentialOperation::CosmosReadonlyKeys
                | CredentialOperation::CosmosConnectionStrings
        )
    }
    /// Concerns a Cosmos DB account.
    pub fn is_cosmos(self) -> bool {
        self != CredentialOperation::OtherProvider
    }
}

/// Why a record was refused. Stable names: they are counters, and the `reason` in
/// `refused.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalReason {
    /// Not JSON, or not an object.
    BadJson,
    /// The input ended inside a record.
    CutOff,
    /// Over the record limit.
    TooLong,
    /// Nested deeper than the limit.
    TooDeep,
    /// No time, or one that cannot be read.
    BadTime,
    /// A time far beyond everything around it.
    FutureTime,
    /// Neither a resource log nor an Activity-log record.
    NotALogRecord,
    /// A Cosmos DB category without an account.
    NoAccount,
    /// A field that must be a number is not one.
    BadNumber,
}

impl RefusalReason {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalReason::BadJson => "bad_json",
            RefusalReason::CutOff => "cut_off",
            RefusalReason::TooLong => "too_long",
            RefusalReason::TooDeep => "too_deep",
            RefusalReason::BadTime => "bad_time",
            RefusalReason::FutureTime => "future_time",
            RefusalReason::NotALogRecord => "not_a_log_record",
            RefusalReason::NoAccount => "no_account",
            RefusalReason::BadNumber => "bad_number",
        }
    }
}

/// A refused record: why, and where inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: RefusalReason,
    /// Byte offset inside the record, where known.
    pub at: usize,
    /// What exactly, without any value from the record.
    pub detail: String,
}

/// What a decoder says of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A record that means something to us.
    Event(Event),
    /// Well-formed, but of a category that we do not know: tolerated and counted by name.
    UnknownCategory(Text),
    /// A well-formed record of a resource that is not a Cosmos DB account and not in the Activity
    /// log: counted.
    OtherResource,
}
