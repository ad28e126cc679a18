//! Ten minutes of one account, while they are open: only order-free state (integer sums and counts,
//! minima, maxima, smallest-k sets), so that any arrival order gives the same cell.
//!
//! What a cell may hold is bounded by its own content alone, never by that of its neighbours: a
//! bound that looked further would make a verdict depend on what had arrived by then.
use std::net::IpAddr;
use std::sync::Arc;

use super::principals::KeyOperation;
use crate::event::{
    Access, Category, ConnectionMode, Credential, Operation, Outcome, Place, PlaceSample,
    QueryRead, Records, Request, Resource,
};
use crate::ids::Text;
use crate::intel::view::{AddressClass, AddressInfo, Country};
use crate::limits;
use crate::time::Timestamp;

mod queries;
mod rank;
mod row;
mod smallest;

pub use queries::{
    Answer, FailedTexts, FailureRow, KnownRow, NO_TAG, QueryCell, QueryRow, Ran, query_key,
};
pub use row::{CallerKey, CallerRow};
pub(crate) use row::{ROW_HEAP_MAX, row_heap};
pub use smallest::SmallestSet;

use rank::{FAMILIAR, HASH_BITS, STRANGER, caller_hash, insert_ranked, pool_hash};

/// A network as egress and location see it: never a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// Class of its addresses.
    pub class: AddressClass,
    /// Country, where known.
    pub country: Option<Country>,
    /// Autonomous system, where known.
    pub asn: Option<u32>,
}

impl Network {
    /// The network of an address.
    pub fn of(info: &AddressInfo) -> Network {
        Network { class: info.class, country: info.country, asn: info.asn }
    }
}

/// Operation classes with an egress stream of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EgressClass {
    /// Queries.
    Query = 0,
    /// Point reads.
    PointRead = 1,
    /// Feeds other than the change feed.
    Feed = 2,
}

/// Sums of one egress stream in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSums {
    /// Σ response bytes.
    pub bytes: u64,
    /// Σ (response bytes² >> 10), saturating.
    pub squares: u64,
    /// Responses.
    pub count: u64,
}

impl StreamSums {
    /// Adds another cell's sums.
    pub fn add(&mut self, other: &StreamSums) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.squares = self.squares.saturating_add(other.squares);
        self.count = self.count.saturating_add(other.count);
    }
}

/// Bytes of data that a request took out, or `None` if it took none: successful reads, queries and
/// feeds on documents. Metadata resource types are excluded; change-feed reads are a lane of
/// their own ([`Cell::change_feed`]) and count as data for the caller.
pub fn egress_bytes(r: &Request) -> Option<u64> {
    let reads = matches!(r.operation, Operation::Query | Operation::Read | Operation::ReadFeed);
    (reads && r.resource == Resource::Document && r.access == Access::Success)
        .then_some(r.response_bytes)
}

fn egress_class(r: &Request) -> EgressClass {
    match r.operation {
        Operation::Query => EgressClass::Query,
        Operation::ReadFeed => EgressClass::Feed,
        _ => EgressClass::PointRead,
    }
}

/// Ten open minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Egress by operation class, indexed by [`EgressClass`]; the total is their sum.
    pub streams: [StreamSums; 3],
    /// The change-feed lane.
    pub change_feed: StreamSums,
    /// Callers: at most [`limits::CELL_CALLERS_MAX`] exact ones (those with the smallest rank)
    /// and [`limits::CELL_NETWORKS_MAX`] pools, each with its rank.
    pub(crate) callers: Vec<(u64, CallerKey, CallerRow)>,
    pub(crate) pools: Vec<(u64, CallerKey, CallerRow)>,
    /// Everything that fell out of the pools.
    pub overflow_requests: u64,
    /// Requests, all.
    pub requests: u64,
    /// Throttled requests (429).
    pub throttled: u64,
    /// Errors 400 (innocent or not).
    pub bad_requests: u64,
    /// Log categories seen (bits of [`crate::event::Category::bit`]).
    pub categories: u16,
    /// Key operations of the Activity log on this account, ascending.
    pub key_operations: Vec<KeyOperation>,
    /// Key operations that did not fit.
    pub key_operations_dropped: u64,
    /// Lanes seen (bits of [`Lane`]); all sums and callers are those of the best one.
    pub(crate) lanes: u8,
    /// Queries; `None` where there is nothing to say of any.
    pub queries: Option<Box<QueryCell>>,
}

/// Azure may log one request three times over. Lanes by rising worth; the best one of a cell
/// counts, so nothing of the others is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// Aggregated rows.
    Aggregate = 0,
    /// Per back-end request.
    DataPlane = 1,
    /// Per front-end request, as the API's own category logs it (Mongo, Cassandra, Gremlin, Table).
    Api = 2,
}

impl Lane {
    fn of(r: &Request) -> Lane {
        match r.category {
            _ if r.interval_ms > 0 => Lane::Aggregate,
            Category::DataPlaneRequests => Lane::DataPlane,
            _ => Lane::Api,
        }
    }
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// When the better lanes were last seen, so that exactly one lane counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneMemory {
    /// Newest minute with rows of the API's own category.
    pub api: Option<i64>,
    /// Newest minute with per-request rows of the data plane.
    pub data_plane: Option<i64>,
}

/// Minutes for which a better lane keeps a worse one out after its last row.
const LANE_MINUTES: i64 = 60;

impl Cell {
    /// Adds one request (or aggregated row), unless a better lane tells of the same time; all
    /// callers rank alike.
    pub fn add_request(&mut self, at: (Timestamp, Place), r: &Request, info: &AddressInfo) {
        self.add_request_of(at, r, info, &|_| false, false);
    }

    /// As [`Cell::add_request`]; where callers are too many, those that are `familiar` to the account
    /// give way first, so that a stranger cannot hide in a crowd. `texts` says that the texts of the
    /// account's queries are logged, so that requests are kept to be joined with them.
    pub fn add_request_of(
        &mut self,
        at: (Timestamp, Place),
        r: &Request,
        info: &AddressInfo,
        familiar: &dyn Fn(&CallerKey) -> bool,
        texts: bool,
    ) {
        self.categories |= r.category.bit();
        let lane = Lane::of(r);
        if lane.bit() > self.lanes {
            self.clear_requests();
        }
        self.lanes |= lane.bit();
        if lane.bit() << 1 > self.lanes {
            self.add(at, r, info, familiar);
            self.add_answer(at, r, texts);
        }
    }

    /// Adds the text of one query; `known` says that the account knew it before this cell's hour.
    pub fn add_query(
        &mut self,
        at: (Timestamp, Place),
        run: Ran<'_>,
        read: &Arc<QueryRead>,
        known: bool,
    ) {
        self.queries.get_or_insert_default().add_run(at, run, read, known);
    }

    /// Keeps what answered a query, for the join with its text: only where the account's texts are
    /// logged, or the request was malformed.
    fn add_answer(&mut self, at: (Timestamp, Place), r: &Request, texts: bool) {
        let asks = r.operation == Operation::Query;
        // Updates and deletes of these APIs have texts too.
        let commands = asks || r.category.command_language().is_some();
        let texts = texts || self.queries.is_some();
        if r.resource != Resource::Document || r.internal || !commands {
            return;
        }
        if !(texts || asks && queries::is_malformed(r)) {
            return;
        }
        let hash = caller_hash(r);
        let rank = self.callers.iter().find(|(k, _, _)| k & HASH_BITS == hash);
        let stranger = rank.is_some_and(|(k, _, _)| k & FAMILIAR == 0);
        let queries = self.queries.get_or_insert_default();
        if asks {
            queries.add_request(at, r, stranger);
        } else {
            queries.add_answer(at.0, r, stranger);
        }
    }

    /// Who answered, as far as the cell kept its callers exactly.
    pub fn caller_of(&self, caller: u64) -> Option<(&CallerKey, &CallerRow)> {
        self.callers.iter().find(|(k, _, _)| k & HASH_BITS == caller).map(|(_, k, r)| (k, r))
    }

    fn clear_requests(&mut self) {
        *self = Cell {
            categories: self.categories,
            key_operations: std::mem::take(&mut self.key_operations),
            key_operations_dropped: self.key_operations_dropped,
            lanes: self.lanes,
            queries: self.queries.take(),
            ..Cell::default()
        };
        if let Some(queries) = &mut self.queries {
            queries.clear_requests();
        }
    }

    /// Chooses the one lane that counts: the API's own, else per request, else aggregated; a lane
    /// seen within the last hour keeps the worse ones out even where it is silent now.
    pub fn settle(mut self, minute: i64, memory: &mut LaneMemory) -> Cell {
        let seen = |lane: Lane| self.lanes & lane.bit() != 0;
        if seen(Lane::Api) {
            memory.api = Some(minute);
        }
        if seen(Lane::DataPlane) {
            memory.data_plane = Some(minute);
        }
        let recent = |seen: Option<i64>| seen.is_some_and(|m| minute - m <= LANE_MINUTES);
        let worth = if recent(memory.api) {
            Lane::Api
        } else if recent(memory.data_plane) {
            Lane::DataPlane
        } else {
            Lane::Aggregate
        };
        if self.lanes < worth.bit() {
            self.clear_requests();
        }
        self
    }

    fn add(
        &mut self,
        at: (Timestamp, Place),
        r: &Request,
        info: &AddressInfo,
        familiar: &dyn Fn(&CallerKey) -> bool,
    ) {
        self.requests = self.requests.saturating_add(r.count);
        match r.status {
            429 => self.throttled += r.count,
            400 => self.bad_requests += r.count,
            _ => {}
        }
        if let Some(bytes) = egress_bytes(r) {
            let sums = StreamSums { bytes, squares: square_sum(r), count: r.count };
            if r.change_feed {
                self.change_feed.add(&sums)
            } else {
                self.streams[egress_class(r) as usize].add(&sums)
            }
        }
        self.add_caller(at, r, info, familiar);
    }

    fn add_caller(
        &mut self,
        at: (Timestamp, Place),
        r: &Request,
        info: &AddressInfo,
        familiar: &dyn Fn(&CallerKey) -> bool,
    ) {
        let hash = caller_hash(r);
        if let Some((_, _, row)) = self.callers.iter_mut().find(|(k, _, _)| k & HASH_BITS == hash) {
            row.add(at, r, info.listed_ever);
            return;
        }
        let key = CallerKey {
            ip: r.client_ip,
            network: Network::of(info),
            family: r.client_family.clone(),
            credential: r.credential.clone(),
            internal: r.internal,
        };
        let rank = match (info.listed_ever, familiar(&key)) {
            (true, _) => hash,
            (false, false) => hash | STRANGER,
            (false, true) => hash | FAMILIAR,
        };
        let mut row = CallerRow::new();
        row.add(at, r, info.listed_ever);
        insert_ranked(
            &mut self.callers,
            (rank, key, row),
            limits::CELL_CALLERS_MAX,
            &mut |(rank, key, row)| {
                let pool = CallerKey { ip: None, ..key };
                let hash = pool_hash(&pool);
                let rank = hash | (rank & !HASH_BITS);
                let known = |k: u64| k & HASH_BITS == hash;
                if let Some((_, _, into)) = self.pools.iter_mut().find(|(k, _, _)| known(*k)) {
                    into.merge(&row);
                } else {
                    let overflow = &mut self.overflow_requests;
                    insert_ranked(
                        &mut self.pools,
                        (rank, pool, row),
                        limits::CELL_NETWORKS_MAX,
                        &mut |(_, _, row)| {
                            *overflow += row.requests;
                        },
                    );
                }
            },
        );
    }

    /// Adds one key operation of the Activity log.
    pub fn add_key_operation(&mut self, operation: KeyOperation) {
        self.categories |= Category::Activity.bit();
        // Starts and unknown words end nothing, so they are no use of a key.
        if matches!(operation.outcome, Outcome::Started | Outcome::Unknown) {
            return;
        }
        let Err(at) = self.key_operations.binary_search(&operation) else { return };
        if self.key_operations.len() < limits::CELL_KEY_OPERATIONS_MAX {
            self.key_operations.reserve_exact(1);
        } else {
            self.key_operations_dropped += 1;
            if at == self.key_operations.len() {
                return;
            }
            self.key_operations.pop();
        }
        self.key_operations.insert(at, operation);
    }

    /// Exact callers and pools, in rank order (a hash: stable, without meaning).
    pub fn callers(&self) -> impl Iterator<Item = (&CallerKey, &CallerRow)> {
        self.callers.iter().chain(&self.pools).map(|(_, k, r)| (k, r))
    }

    /// Exact callers, each with the hash by which answers name it.
    pub fn exact_callers(&self) -> impl Iterator<Item = (u64, &CallerKey, &CallerRow)> {
        self.callers.iter().map(|(rank, k, r)| (rank & HASH_BITS, k, r))
    }

    /// Categories seen.
    pub fn category_bits(&self) -> u16 {
        self.categories
    }

    /// Total egress of the three streams.
    pub fn total(&self) -> StreamSums {
        let mut total = StreamSums::default();
        for s in &self.streams {
            total.add(s);
        }
        total
    }

    /// Marks every caller as late (a record that came after its cell had closed).
    pub fn mark_late(&mut self) {
        for (_, _, row) in self.callers.iter_mut().chain(&mut self.pools) {
            row.late = true;
        }
    }

    /// Most heap bytes.
    pub const HEAP_MAX: usize = (limits::CELL_CALLERS_MAX + limits::CELL_NETWORKS_MAX)
        * (size_of::<(u64, CallerKey, CallerRow)>() + ROW_HEAP_MAX)
        + limits::CELL_KEY_OPERATIONS_MAX * size_of::<KeyOperation>()
        + QueryCell::HEAP_MAX;

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        (self.callers.capacity() + self.pools.capacity()) * size_of::<(u64, CallerKey, CallerRow)>()
            + self.callers.iter().chain(&self.pools).map(|(_, _, r)| row_heap(r)).sum::<usize>()
            + self.key_operations.capacity() * size_of::<KeyOperation>()
            + self.queries.as_ref().map_or(0, |q| q.heap_bytes())
    }
}

/// Σ len² >> 10 of a row. For an aggregated row the sizes are unknown: the mean square is at
/// least the squared mean, and one response of the maximum is certain.
fn square_sum(r: &Request) -> u64 {
    let square = |b: u64| (u128::from(b) * u128::from(b)) >> 10;
    if r.count <= 1 {
        return square(r.response_bytes).min(u128::from(u64::MAX)) as u64;
    }
    let rest = r.response_bytes.saturating_sub(r.response_bytes_max);
    let mean = rest / (r.count - 1);
    (square(r.response_bytes_max) + square(mean) * u128::from(r.count - 1))
        .min(u128::from(u64::MAX)) as u64
}
