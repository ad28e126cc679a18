//! Who made requests in a cell, and what came of them.
use super::*;

/// Who made requests: the unit that detectors judge. With `ip: None` and a routable network it
/// is a pool of many addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerKey {
    /// Address; `None` for private callers without one and for pools.
    pub ip: Option<IpAddr>,
    /// Its network.
    pub network: Network,
    /// Client family.
    pub family: Text,
    /// Credential.
    pub credential: Credential,
    /// Requests that the service made itself: shown, never judged, never teaching places.
    pub internal: bool,
}

/// What one caller did in one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerRow {
    /// Requests.
    pub requests: u64,
    /// Requests whose credential was accepted.
    pub authenticated: u64,
    /// Refused requests (401, 403).
    pub refused: u64,
    /// Successful requests on documents that returned bytes of data.
    pub data_reads: u64,
    /// Reads of databases, containers and other structure.
    pub structure_reads: u64,
    /// Deletes.
    pub deletes: u64,
    /// Bytes of data returned (egress as defined in the egress facet).
    pub bytes: u64,
    /// Largest single response of these, bytes.
    pub bytes_max: u64,
    /// Smallest and largest event time, with the activity id of each (zeros if none).
    pub first: (Timestamp, [u8; 16]),
    /// See `first`.
    pub last: (Timestamp, [u8; 16]),
    /// Where the record of `first` was read.
    pub first_place: Place,
    /// Where that of `last` was.
    pub last_place: Place,
    /// An even sample of all places.
    pub places: PlaceSample<{ limits::ROW_PLACES_MAX }>,
    /// Statuses seen.
    pub statuses: SmallestSet<i32, { limits::ROW_STATUSES_MAX }>,
    /// Operations as logged.
    pub operations: SmallestSet<Text, { limits::ROW_NAMES_MAX }>,
    /// Full user agents.
    pub agents: SmallestSet<Text, { limits::ROW_NAMES_MAX }>,
    /// Databases.
    pub databases: SmallestSet<Text, { limits::ROW_NAMES_MAX }>,
    /// Containers.
    pub containers: SmallestSet<Text, { limits::ROW_NAMES_MAX }>,
    /// Connection modes: bit 0 gateway, bit 1 direct.
    pub connection_bits: u8,
    /// The address stands in a list at some time.
    pub listed_ever: bool,
    /// Some of it arrived after its cell had closed.
    pub late: bool,
}

impl CallerRow {
    pub(super) fn new() -> CallerRow {
        CallerRow {
            requests: 0,
            authenticated: 0,
            refused: 0,
            data_reads: 0,
            structure_reads: 0,
            deletes: 0,
            bytes: 0,
            bytes_max: 0,
            first: (Timestamp::MAX, [u8::MAX; 16]),
            last: (Timestamp::MIN, [0; 16]),
            first_place: Place::NOWHERE,
            last_place: Place::NOWHERE,
            places: PlaceSample::default(),
            statuses: SmallestSet::new(),
            operations: SmallestSet::new(),
            agents: SmallestSet::new(),
            databases: SmallestSet::new(),
            containers: SmallestSet::new(),
            connection_bits: 0,
            listed_ever: false,
            late: false,
        }
    }

    /// Widens the span to `first` and `last`; of two records alike in time and id the place decides.
    fn widen(&mut self, first: (Timestamp, [u8; 16], Place), last: (Timestamp, [u8; 16], Place)) {
        let first = first.min((self.first.0, self.first.1, self.first_place));
        let last = last.max((self.last.0, self.last.1, self.last_place));
        (self.first, self.first_place) = ((first.0, first.1), first.2);
        (self.last, self.last_place) = ((last.0, last.1), last.2);
    }

    /// The records that stand for the row.
    pub fn records(&self) -> Records {
        let mut records =
            Records::between((self.first.0, self.first_place), (self.last.0, self.last_place));
        self.places.iter().for_each(|place| records.sample(self.first.0, place));
        records
    }

    pub(super) fn add(
        &mut self,
        (time, place): (Timestamp, Place),
        r: &Request,
        listed_ever: bool,
    ) {
        self.requests = self.requests.saturating_add(r.count);
        match r.access {
            Access::Success | Access::Authenticated => self.authenticated += r.count,
            Access::Refused => self.refused += r.count,
            Access::Unknown => {}
        }
        if let Some(bytes) = egress_bytes(r) {
            self.data_reads += r.count;
            self.bytes = self.bytes.saturating_add(bytes);
            self.bytes_max = self.bytes_max.max(r.response_bytes_max);
        }
        if r.resource == Resource::Structure
            && matches!(r.operation, Operation::Read | Operation::ReadFeed | Operation::Query)
        {
            self.structure_reads += r.count;
        }
        if r.operation == Operation::Delete {
            self.deletes += r.count;
        }
        let id = r.activity_id.unwrap_or_default().to_be_bytes();
        self.widen((time, id, place), (time, id, place));
        self.places.insert(place);
        self.statuses.insert(&r.status);
        self.operations.insert(&r.operation_name);
        if !r.user_agent.is_empty() {
            self.agents.insert(&r.user_agent);
        }
        if !r.database.is_empty() {
            self.databases.insert(&r.database);
        }
        if !r.container.is_empty() {
            self.containers.insert(&r.container);
        }
        self.connection_bits |= match r.connection {
            ConnectionMode::Gateway => 1,
            ConnectionMode::Direct => 2,
            ConnectionMode::Unknown => 0,
        };
        self.listed_ever |= listed_ever;
    }

    /// Folds another row in (pooling, or widening a window over several cells).
    pub fn merge(&mut self, other: &CallerRow) {
        self.requests = self.requests.saturating_add(other.requests);
        self.authenticated += other.authenticated;
        self.refused += other.refused;
        self.data_reads += other.data_reads;
        self.structure_reads += other.structure_reads;
        self.deletes += other.deletes;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.bytes_max = self.bytes_max.max(other.bytes_max);
        self.widen(
            (other.first.0, other.first.1, other.first_place),
            (other.last.0, other.last.1, other.last_place),
        );
        self.places.merge(&other.places);
        self.statuses.merge(&other.statuses);
        self.operations.merge(&other.operations);
        self.agents.merge(&other.agents);
        self.databases.merge(&other.databases);
        self.containers.merge(&other.containers);
        self.connection_bits |= other.connection_bits;
        self.listed_ever |= other.listed_ever;
        self.late |= other.late;
    }
}

/// Most of [`row_heap`].
pub(crate) const ROW_HEAP_MAX: usize =
    4 * limits::ROW_NAMES_MAX * size_of::<Text>() + limits::ROW_STATUSES_MAX * size_of::<i32>();

/// Heap bytes of a row's sets. Texts are shared with every other row that names them.
pub(crate) fn row_heap(r: &CallerRow) -> usize {
    (r.operations.as_slice().len()
        + r.agents.as_slice().len()
        + r.databases.as_slice().len()
        + r.containers.as_slice().len())
        * size_of::<Text>()
        + r.statuses.as_slice().len() * 4
}
