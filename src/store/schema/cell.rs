//! Open cells: an account may be checkpointed with minutes that are not closed yet.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::query_cell::QueryCellV1;
use super::words;
use crate::baseline::cell::{CallerKey, CallerRow, Cell, Network, SmallestSet, StreamSums};
use crate::baseline::principals::KeyOperation;
use crate::event::{Place, PlaceSample};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::{AddressInfo, Country};
use crate::limits;
use crate::time::Timestamp;

/// An open cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct CellV1 {
    streams: [(u64, u64, u64); 4],
    callers: Vec<(u64, CallerKeyV1, CallerRowV1)>,
    pools: Vec<(u64, CallerKeyV1, CallerRowV1)>,
    counts: [u64; 5],
    categories: u16,
    key_operations: Vec<KeyOperationV1>,
    lanes: u8,
    queries: Option<QueryCellV1>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NetworkV1 {
    class: u8,
    country: Option<[u8; 2]>,
    asn: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallerKeyV1 {
    ip: Option<IpAddr>,
    network: NetworkV1,
    family: Text,
    credential: words::CredentialV1,
    internal: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SetV1<T> {
    values: Vec<T>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallerRowV1 {
    counts: [u64; 6],
    bytes: (u64, u64),
    first: (i64, u128),
    last: (i64, u128),
    /// Of the first, of the last, then the sample.
    places: ([u32; 3], [u32; 3], Vec<[u32; 3]>),
    statuses: SetV1<i32>,
    names: [SetV1<Text>; 4],
    connection_bits: u8,
    listed_ever: bool,
    late: bool,
}

/// A key operation with what its address is.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyOperationV1 {
    time: i64,
    digest: u64,
    place: [u32; 3],
    correlation_id: Text,
    operation: u8,
    outcome: u8,
    principal: Text,
    principal_name: Text,
    principal_type: u8,
    guest: bool,
    app_id: Text,
    role: Text,
    ip: Option<IpAddr>,
    address: AddressV1,
}

/// What an address is.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddressV1 {
    class: u8,
    country: Option<[u8; 2]>,
    asn: Option<u32>,
    organisation: Text,
    city: Option<Text>,
    azure_region: Option<Text>,
    listed_ever: bool,
}

fn sums(s: &StreamSums) -> (u64, u64, u64) {
    (s.bytes, s.squares, s.count)
}

fn stream((bytes, squares, count): (u64, u64, u64)) -> StreamSums {
    StreamSums { bytes, squares, count }
}

impl From<&Cell> for CellV1 {
    fn from(c: &Cell) -> CellV1 {
        let rows = |rows: &[(u64, CallerKey, CallerRow)]| {
            rows.iter().map(|(r, k, v)| (*r, k.into(), v.into())).collect()
        };
        let [query, point, feed] = &c.streams;
        CellV1 {
            streams: [sums(query), sums(point), sums(feed), sums(&c.change_feed)],
            callers: rows(&c.callers),
            pools: rows(&c.pools),
            counts: [
                c.overflow_requests,
                c.requests,
                c.throttled,
                c.bad_requests,
                c.key_operations_dropped,
            ],
            categories: c.categories,
            key_operations: c.key_operations.iter().map(Into::into).collect(),
            lanes: c.lanes,
            queries: c.queries.as_deref().map(Into::into),
        }
    }
}

impl CellV1 {
    /// The cell; `None` if a word in it is unknown or a bound is broken.
    pub fn restore(self) -> Option<Cell> {
        let rows = |rows: Vec<(u64, CallerKeyV1, CallerRowV1)>,
                    max: usize|
         -> Option<Vec<(u64, CallerKey, CallerRow)>> {
            let ascending = rows.windows(2).all(|w| w[0].0 < w[1].0);
            if !ascending || rows.len() > max {
                return None;
            }
            rows.into_iter().map(|(r, k, v)| Some((r, k.restore()?, v.restore()?))).collect()
        };
        let [query, point, feed, change] = self.streams;
        let [overflow_requests, requests, throttled, bad_requests, key_operations_dropped] =
            self.counts;
        let key_operations = self
            .key_operations
            .into_iter()
            .map(KeyOperationV1::restore)
            .collect::<Option<Vec<_>>>()?;
        if key_operations.len() > limits::CELL_KEY_OPERATIONS_MAX
            || !key_operations.is_sorted_by(|a, b| a < b)
        {
            return None;
        }
        let queries = match self.queries {
            Some(queries) => Some(Box::new(queries.restore()?)),
            None => None,
        };
        Some(Cell {
            streams: [stream(query), stream(point), stream(feed)],
            change_feed: stream(change),
            callers: rows(self.callers, limits::CELL_CALLERS_MAX)?,
            pools: rows(self.pools, limits::CELL_NETWORKS_MAX)?,
            overflow_requests,
            requests,
            throttled,
            bad_requests,
            categories: self.categories,
            key_operations,
            key_operations_dropped,
            lanes: self.lanes,
            queries,
        })
    }
}

impl From<&Network> for NetworkV1 {
    fn from(n: &Network) -> NetworkV1 {
        NetworkV1 { class: words::class_code(n.class), country: n.country.map(|c| c.0), asn: n.asn }
    }
}

impl From<&CallerKey> for CallerKeyV1 {
    fn from(k: &CallerKey) -> CallerKeyV1 {
        CallerKeyV1 {
            ip: k.ip,
            network: (&k.network).into(),
            family: k.family.clone(),
            credential: (&k.credential).into(),
            internal: k.internal,
        }
    }
}

impl CallerKeyV1 {
    pub(super) fn restore(self) -> Option<CallerKey> {
        let NetworkV1 { class, country, asn } = self.network;
        Some(CallerKey {
            ip: self.ip,
            network: Network { class: words::class(class)?, country: country.map(Country), asn },
            family: self.family,
            credential: self.credential.restore()?,
            internal: self.internal,
        })
    }
}

pub(super) fn set<T: Ord + Clone, const K: usize>(s: &SmallestSet<T, K>) -> SetV1<T> {
    SetV1 { values: s.as_slice().to_vec() }
}

pub(super) fn restore_set<T: Ord + Clone, const K: usize>(s: SetV1<T>) -> SmallestSet<T, K> {
    let mut out = SmallestSet::new();
    for value in &s.values {
        out.insert(value);
    }
    out
}

impl From<&CallerRow> for CallerRowV1 {
    fn from(r: &CallerRow) -> CallerRowV1 {
        CallerRowV1 {
            counts: [
                r.requests,
                r.authenticated,
                r.refused,
                r.data_reads,
                r.structure_reads,
                r.deletes,
            ],
            bytes: (r.bytes, r.bytes_max),
            first: (r.first.0.0, u128::from_be_bytes(r.first.1)),
            last: (r.last.0.0, u128::from_be_bytes(r.last.1)),
            places: (
                r.first_place.packed(),
                r.last_place.packed(),
                r.places.iter().map(Place::packed).collect(),
            ),
            statuses: set(&r.statuses),
            names: [set(&r.operations), set(&r.agents), set(&r.databases), set(&r.containers)],
            connection_bits: r.connection_bits,
            listed_ever: r.listed_ever,
            late: r.late,
        }
    }
}

impl CallerRowV1 {
    pub(super) fn restore(self) -> Option<CallerRow> {
        let [requests, authenticated, refused, data_reads, structure_reads, deletes] = self.counts;
        let [operations, agents, databases, containers] = self.names;
        let (first_place, last_place, sample) = self.places;
        let mut places = PlaceSample::default();
        sample.into_iter().for_each(|place| places.insert(Place::unpack(place)));
        Some(CallerRow {
            requests,
            authenticated,
            refused,
            data_reads,
            structure_reads,
            deletes,
            bytes: self.bytes.0,
            bytes_max: self.bytes.1,
            first: (Timestamp(self.first.0), self.first.1.to_be_bytes()),
            last: (Timestamp(self.last.0), self.last.1.to_be_bytes()),
            first_place: Place::unpack(first_place),
            last_place: Place::unpack(last_place),
            places,
            statuses: restore_set(self.statuses),
            operations: restore_set(operations),
            agents: restore_set(agents),
            databases: restore_set(databases),
            containers: restore_set(containers),
            connection_bits: self.connection_bits,
            listed_ever: self.listed_ever,
            late: self.late,
        })
    }
}

impl From<&AddressInfo> for AddressV1 {
    fn from(a: &AddressInfo) -> AddressV1 {
        AddressV1 {
            class: words::class_code(a.class),
            country: a.country.map(|c| c.0),
            asn: a.asn,
            organisation: a.organisation.clone(),
            city: a.city.clone(),
            azure_region: a.azure_region.clone(),
            listed_ever: a.listed_ever,
        }
    }
}

impl AddressV1 {
    /// The description; `None` if its class is unknown.
    pub fn restore(self) -> Option<AddressInfo> {
        Some(AddressInfo {
            class: words::class(self.class)?,
            country: self.country.map(Country),
            asn: self.asn,
            organisation: self.organisation,
            city: self.city,
            azure_region: self.azure_region,
            listed_ever: self.listed_ever,
        })
    }
}

impl From<&KeyOperation> for KeyOperationV1 {
    fn from(k: &KeyOperation) -> KeyOperationV1 {
        KeyOperationV1 {
            time: k.time.0,
            digest: k.digest,
            place: k.place.packed(),
            correlation_id: k.correlation_id.clone(),
            operation: words::operation_code(k.operation),
            outcome: words::outcome_code(k.outcome),
            principal: k.principal.text().clone(),
            principal_name: k.principal_name.clone(),
            principal_type: words::principal_type_code(k.principal_type),
            guest: k.guest,
            app_id: k.app_id.clone(),
            role: k.role.clone(),
            ip: k.ip,
            address: (&k.address).into(),
        }
    }
}

impl KeyOperationV1 {
    /// The operation; `None` if a word in it is unknown.
    pub fn restore(self) -> Option<KeyOperation> {
        Some(KeyOperation {
            time: Timestamp(self.time),
            digest: self.digest,
            place: Place::unpack(self.place),
            correlation_id: self.correlation_id,
            operation: words::operation(self.operation)?,
            outcome: words::outcome(self.outcome)?,
            principal: PrincipalId::from_lowercase(self.principal),
            principal_name: self.principal_name,
            principal_type: words::principal_type(self.principal_type)?,
            guest: self.guest,
            app_id: self.app_id,
            role: self.role,
            ip: self.ip,
            address: self.address.restore()?,
        })
    }
}
