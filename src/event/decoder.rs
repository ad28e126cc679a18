//! One record in, one event out: what kind of record it is, whose, and when.
use std::net::IpAddr;

use crate::event::account::{AccountRef, ResourceRef};
use crate::event::counters::DecodeCounters;
use crate::event::fields::{Field, Fields};
use crate::event::interner::Tables;
use crate::event::log_analytics::{category_named, category_of_table};
use crate::event::record::Record;
use crate::event::scalar::{NotANumber, cut};
use crate::event::{
    Body, Category, Decoded, Event, Refusal, RefusalReason, activity, address, aggregate,
    api_request, control, digest, query, request,
};
use crate::ids::{Cloud, Text};
use crate::limits;
use crate::time::Timestamp;

/// Decodes records. Remembers strings that it has met, within bounds, so that events share them;
/// what it remembers never changes what it decodes.
///
/// ```
/// use cosmoguard::event::{Body, Decoded, Decoder};
/// let record = br#"{"time": "Fri, 23 Jun 2017 19:29:50.266 GMT", "resourceId": "Contoso",
///     "category": "DataPlaneRequests", "operationName": "Query",
///     "properties": {"resourceType": "Document", "statusCode": "200", "responseLength": "209"}}"#;
/// let Ok(Decoded::Event(event)) = Decoder::new().decode(record) else { panic!("an event") };
/// assert_eq!(event.account.map(|account| account.to_string()).as_deref(), Some("contoso"));
/// let Body::Request(request) = event.body else { panic!("a request") };
/// assert_eq!(request.response_bytes, 209);
/// ```
pub struct Decoder {
    tables: Tables,
    default_cloud: Cloud,
    /// What was seen so far.
    pub counters: DecodeCounters,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// What the decoders of the categories share.
pub(super) struct Context<'d> {
    pub(super) tables: &'d mut Tables,
    pub(super) counters: &'d mut DecodeCounters,
}

impl Context<'_> {
    /// A number that a record can do without: counted and dropped where it cannot be read.
    pub(super) fn tolerated<T: Default>(&mut self, value: Result<T, NotANumber>) -> T {
        value.unwrap_or_else(|NotANumber| {
            self.counters.bad_numbers += 1;
            T::default()
        })
    }

    /// A caller's address: counted and dropped where it cannot be read.
    pub(super) fn address(&mut self, text: Option<&str>) -> Option<IpAddr> {
        let ip = address::parse(text?);
        self.counters.bad_addresses += u64::from(ip.is_none());
        ip
    }
}

impl Decoder {
    /// A decoder that remembers nothing yet, for logs of the public cloud and for logs that tell
    /// their cloud themselves.
    pub fn new() -> Decoder {
        Decoder::in_cloud(Cloud::Public)
    }

    /// A decoder for logs of `cloud`. An account's id holds its cloud, which most records tell by
    /// their region; control-plane and Activity-log records often do not, and without this would
    /// count as public, apart from their account's requests.
    pub fn in_cloud(cloud: Cloud) -> Decoder {
        let counters = DecodeCounters::default();
        Decoder { tables: Tables::new(), default_cloud: cloud, counters }
    }

    /// Decodes one record: the bytes of one JSON object.
    ///
    /// # Errors
    /// A [`Refusal`] where the bytes are no JSON object within the limits, or the record lacks
    /// what its category cannot do without.
    pub fn decode(&mut self, record: &[u8]) -> Result<Decoded, Refusal> {
        self.counters.records += 1;
        let decoded = Record::parse(record).and_then(|parsed| {
            self.counters.unknown_keys += parsed.unknown_keys;
            self.understand(&parsed, record)
        });
        match &decoded {
            Ok(Decoded::Event(_)) => self.counters.events += 1,
            Ok(Decoded::UnknownCategory(name)) => self.counters.count_unknown_category(name, 1),
            Ok(Decoded::OtherResource) => self.counters.other_resources += 1,
            Err(refusal) => *self.counters.refused.entry(refusal.reason).or_default() += 1,
        }
        decoded
    }

    fn understand(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<Decoded, Refusal> {
        let fields = &record.fields;
        let logged = fields.text(Field::Category).or_else(|| fields.text(Field::CategoryValue));
        let table = fields.text(Field::TableType);
        let category =
            logged.and_then(category_named).or_else(|| table.and_then(category_of_table));
        if let Some(category) = category {
            return self.resource_log(fields, category, bytes);
        }
        if activity::is_activity(record) {
            return self.activity(record, bytes);
        }
        // A row of another table of Cosmos DB has no category but its table.
        match (logged.or(table), self.resource(fields)) {
            (Some(name), ResourceRef::Account(_)) => {
                Ok(Decoded::UnknownCategory(Text::from(cut(name, limits::STRING_BYTES_MAX))))
            }
            (Some(_), ResourceRef::Other { .. }) => Ok(Decoded::OtherResource),
            _ => Err(refuse(
                RefusalReason::NotALogRecord,
                "neither a category with a resource nor an operation with a caller",
            )),
        }
    }

    /// The resource a record names: its ARM id, a bare account name, or a row's `AccountName`.
    fn resource(&mut self, fields: &Fields<'_>) -> ResourceRef {
        let id = fields.text(Field::ResourceId).map(|id| self.tables.resource(id));
        match (id, fields.text(Field::AccountName)) {
            (Some(ResourceRef::Nothing) | None, Some(name)) => self.tables.resource(name),
            (Some(found), _) => found,
            (None, None) => ResourceRef::Nothing,
        }
    }

    fn resource_log(
        &mut self,
        fields: &Fields<'_>,
        category: Category,
        bytes: &[u8],
    ) -> Result<Decoded, Refusal> {
        let account = match self.resource(fields) {
            ResourceRef::Account(account) => account,
            // Other resource types have categories of the same names.
            ResourceRef::Other { .. } => return Ok(Decoded::OtherResource),
            ResourceRef::Nothing => {
                return Err(refuse(RefusalReason::NoAccount, "record names no account"));
            }
        };
        let time = time(fields)?;
        let region = self.tables.region(fields.text(Field::Region));
        let cloud = region.cloud.unwrap_or(self.default_cloud);
        let cx = &mut Context { tables: &mut self.tables, counters: &mut self.counters };
        let body = match category {
            Category::DataPlaneRequests => {
                Body::Request(Box::new(request::decode(cx, fields, category, region)?))
            }
            Category::DataPlaneRequests5M | Category::DataPlaneRequests15M => {
                Body::Request(Box::new(aggregate::decode(cx, fields, category, region)?))
            }
            Category::MongoRequests
            | Category::CassandraRequests
            | Category::GremlinRequests
            | Category::TableApiRequests => {
                Body::Request(Box::new(api_request::decode(cx, fields, category, region)?))
            }
            Category::QueryRuntimeStatistics => Body::Query(Box::new(query::decode(cx, fields))),
            Category::ControlPlaneRequests => Body::Control(Box::new(control::decode(cx, fields))),
            other @ (Category::PartitionKeyStatistics
            | Category::PartitionKeyRUConsumption
            | Category::Activity) => Body::Coverage(other),
        };
        self.count_category(category);
        Ok(Decoded::Event(Event {
            time,
            digest: digest::of(bytes),
            account: Some(account.in_cloud(cloud)),
            resource_id: account.id,
            body,
        }))
    }

    fn activity(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<Decoded, Refusal> {
        let resource = match activity::target(record).map(|target| self.tables.resource(target)) {
            // A bare name is an account in a resource log only; here it could be anything's.
            Some(ResourceRef::Account(AccountRef { id: None, .. })) | None => ResourceRef::Nothing,
            Some(resource) => resource,
        };
        let (operation, credential) = activity::operation(record);
        let (account, resource_id) = match &resource {
            ResourceRef::Account(account) => {
                let cloud = activity::cloud(record).unwrap_or(self.default_cloud);
                (Some(account.in_cloud(cloud)), account.id.clone())
            }
            ResourceRef::Other { id, .. } => (None, Some(id.clone())),
            ResourceRef::Nothing => (None, None),
        };
        if account.is_none() && credential.is_none() {
            return Ok(Decoded::OtherResource);
        }
        let time = time(&record.fields)?;
        self.count_category(Category::Activity);
        let cx = &mut Context { tables: &mut self.tables, counters: &mut self.counters };
        let operation = activity::decode(cx, record, (&operation, credential), &resource);
        Ok(Decoded::Event(Event {
            time,
            digest: digest::of(bytes),
            account,
            resource_id,
            body: Body::Activity(Box::new(operation)),
        }))
    }

    fn count_category(&mut self, category: Category) {
        if let Some(n) = self.counters.by_category.get_mut(category as usize) {
            *n += 1;
        }
    }
}

fn refuse(reason: RefusalReason, detail: &str) -> Refusal {
    Refusal { reason, at: 0, detail: detail.to_owned() }
}

/// When it happened.
fn time(fields: &Fields<'_>) -> Result<Timestamp, Refusal> {
    let text = [Field::Time, Field::TimeGenerated, Field::EventTimestamp]
        .into_iter()
        .find_map(|field| fields.text(field))
        .ok_or_else(|| refuse(RefusalReason::BadTime, "record has no time"))?;
    Timestamp::parse(text).ok_or_else(|| refuse(RefusalReason::BadTime, "time is in no known form"))
}
