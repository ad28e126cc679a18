//! Queries of ten minutes, while they are open: which shapes ran, what answered, what failed.
//!
//! A query's text and its request are two records, in either order, joined by the activity id when
//! the cell closes. As everywhere in a cell, what is kept is the smallest by a rank that knows no
//! order of arrival.
use std::sync::Arc;

use super::*;
use crate::event::{Category, QueryRead};

mod ran;

pub use ran::Ran;
use ran::join_id;

/// Queries of a cell that are new to the account or odd, each shape with its signs once.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryRow {
    /// What its text says.
    pub read: Arc<QueryRead>,
    /// Its database.
    pub database: Text,
    /// Its container.
    pub container: Text,
    /// How often it ran. A query is logged once a physical partition.
    pub runs: u64,
    /// Most rows that one run returned, where logged.
    pub rows_max: Option<u64>,
    /// First and last time, with the activity id of each.
    pub first: (Timestamp, [u8; 16]),
    /// See `first`.
    pub last: (Timestamp, [u8; 16]),
    /// Where the record of `first` was read.
    pub first_place: Place,
    /// Where that of `last` was.
    pub last_place: Place,
    /// Activity ids to join by.
    pub activities: SmallestSet<u128, { limits::QUERY_ACTIVITIES_MAX }>,
}

/// A shape that the account knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRow {
    /// Hash of shape, signs and container.
    pub key: u64,
    /// How often it ran.
    pub runs: u32,
    /// Most rows that one run returned.
    pub rows_max: u64,
    /// Of one run, by which its answer is found: the smallest hash of an id; [`NO_TAG`] without one.
    pub tag: u32,
}

/// No run of a known shape has an id.
pub const NO_TAG: u32 = u32::MAX;

/// Thirty-two bits of an activity id's hash. Answers are kept by the same hash, so that the run of
/// the smallest one is the likeliest to find its answer.
fn tag_of(activity: u128) -> u32 {
    (activity_hash(activity) >> 32) as u32
}

fn activity_hash(activity: u128) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&activity.to_le_bytes())
}

/// The request that carried a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// Failures first, then strangers, then by hash of the activity id.
    pub(crate) rank: u64,
    /// The activity id.
    pub activity: u128,
    /// Hash of who called.
    pub caller: u64,
    /// Bytes that came back.
    pub bytes: u64,
    /// The status.
    pub status: i32,
    /// It was done.
    pub succeeded: bool,
}

/// Requests of one caller to one container that were refused as malformed (400, or the code of the
/// API for it).
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRow {
    /// Hash of caller and container.
    pub key: u64,
    /// Hash of who called.
    pub caller: u64,
    /// The database.
    pub database: Text,
    /// The container.
    pub container: Text,
    /// How many.
    pub count: u64,
    /// What they were refused with: the smallest code, where they differ.
    pub status: i32,
    /// First and last time, with the activity id of each.
    pub first: (Timestamp, [u8; 16]),
    /// See `first`.
    pub last: (Timestamp, [u8; 16]),
    /// Where the record of `first` was read.
    pub first_place: Place,
    /// Where that of `last` was.
    pub last_place: Place,
    /// An even sample of all places.
    pub places: PlaceSample<{ limits::ROW_PLACES_MAX }>,
    /// Distinct request lengths, bytes.
    pub lengths: SmallestSet<u64, { limits::FAILURE_LENGTHS_MAX }>,
}

/// Texts of one container that did not parse.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedTexts {
    /// The container.
    pub container: Text,
    /// How many.
    pub count: u64,
    /// Hashes of where and why.
    pub error_places: SmallestSet<u64, { limits::ERROR_PLACES_MAX }>,
    /// Signs seen, as a set.
    pub signs: u32,
}

/// The queries of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryCell {
    /// Ascending by rank: odd ones that parse, odd ones that do not, then unknown ones.
    pub(crate) rows: Vec<(u64, QueryRow)>,
    /// Ascending by key.
    pub(crate) known: Vec<KnownRow>,
    /// Ascending.
    pub(crate) answers: Vec<Answer>,
    /// Ascending by key.
    pub(crate) failures: Vec<FailureRow>,
    /// Ascending by container.
    pub(crate) failed_texts: Vec<FailedTexts>,
    /// Texts of every kind.
    pub texts: u64,
    /// Requests of operation "query", answered or refused.
    pub requests: u64,
    /// Of these, refused as malformed, in all containers.
    pub malformed: u64,
}

/// The key by which an account knows a query: what it asks, what is odd about it, and of whom.
pub fn query_key(read: &QueryRead, container: &str) -> u64 {
    let mut h = xxhash_rust::xxh3::Xxh3::with_seed(read.shape);
    h.update(&read.signs().to_le_bytes());
    h.update(container.as_bytes());
    h.digest()
}

/// The service could not read what was asked: each API has its own codes for that.
pub(super) fn is_malformed(r: &Request) -> bool {
    match r.category {
        // BadValue, FailedToParse, TypeMismatch; no such stage, no such operator of a pipeline,
        // regular expression that does not compile.
        Category::MongoRequests => {
            matches!(r.status, 2 | 9 | 14 | 168 | 40324 | 51091)
        }
        // Syntax error, invalid query (native protocol v4, section 9).
        Category::CassandraRequests => matches!(r.status, 0x2000 | 0x2200),
        // 597: the script failed.
        Category::GremlinRequests => matches!(r.status, 400 | 597),
        _ => r.status == 400,
    }
}

fn cell_number(time: Timestamp) -> u64 {
    time.minute().div_euclid(limits::CELL_MINUTES) as u64
}

fn id(activity: Option<u128>) -> [u8; 16] {
    activity.unwrap_or_default().to_be_bytes()
}

/// Keeps the `max` smallest. The largest kept only ever falls, so that what fell out once stays out
/// and what is kept at the end was kept since it came.
fn insert_sorted<T>(rows: &mut Vec<T>, row: T, at: usize, max: usize) {
    if rows.len() < max {
        rows.reserve_exact(1);
    } else if at == rows.len() {
        return;
    } else {
        rows.pop();
    }
    rows.insert(at, row);
}

impl QueryCell {
    /// Adds the text of one query; `known` says that the account knew it before this cell's hour.
    pub fn add_run(
        &mut self,
        (time, place): (Timestamp, Place),
        run: Ran<'_>,
        read: &Arc<QueryRead>,
        known: bool,
    ) {
        self.texts += 1;
        if read.failure.is_some() {
            self.add_failed_text(run, read);
        }
        let key = query_key(read, run.container);
        if known {
            let tag = run.join_id(time).map_or(NO_TAG, tag_of);
            return self.add_known(KnownRow { key, runs: 1, rows_max: run.rows.unwrap_or(0), tag });
        }
        let class = match (read.signs() != 0, read.failure.is_some()) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        };
        // Where there are too many it is not the same ones in every cell.
        let lot = xxhash_rust::xxh3::xxh3_64_with_seed(&key.to_le_bytes(), cell_number(time));
        let rank = class << 62 | lot >> 2;
        let at = (time, id(run.activity_id), place);
        let position = match self.rows.binary_search_by_key(&rank, |(rank, _)| *rank) {
            Ok(position) => {
                let row = &mut self.rows[position].1;
                row.prefer(read);
                return row.add(at, run);
            }
            Err(position) => position,
        };
        let mut row = QueryRow::new(read, run);
        row.add(at, run);
        insert_sorted(&mut self.rows, (rank, row), position, limits::CELL_QUERIES_MAX);
    }

    /// Counts a known shape; where there are too many, those of smallest key.
    fn add_known(&mut self, row: KnownRow) {
        match self.known.binary_search_by_key(&row.key, |k| k.key) {
            Ok(at) => {
                let known = &mut self.known[at];
                known.runs = known.runs.saturating_add(1);
                known.rows_max = known.rows_max.max(row.rows_max);
                known.tag = known.tag.min(row.tag);
            }
            Err(at) => {
                insert_sorted(&mut self.known, row, at, limits::CELL_KNOWN_QUERIES_MAX);
            }
        }
    }

    fn add_failed_text(&mut self, run: Ran<'_>, read: &QueryRead) {
        let at = match self.failed_texts.binary_search_by(|f| f.container.cmp(run.container)) {
            Ok(at) => at,
            Err(at) => {
                let row = FailedTexts {
                    container: run.container.clone(),
                    count: 0,
                    error_places: SmallestSet::new(),
                    signs: 0,
                };
                insert_sorted(&mut self.failed_texts, row, at, limits::CELL_FAILURES_MAX);
                at
            }
        };
        let Some(row) = self.failed_texts.get_mut(at).filter(|f| f.container == *run.container)
        else {
            return;
        };
        row.count += 1;
        row.signs |= read.signs();
        let reason = read.failure.as_ref().map_or("", |f| &f.reason);
        let place = xxhash_rust::xxh3::xxh3_64_with_seed(reason.as_bytes(), read.shape);
        row.error_places.insert(&place);
    }

    /// Adds a request that carried a query; `stranger` says that the account does not know its
    /// caller.
    pub fn add_request(&mut self, at: (Timestamp, Place), r: &Request, stranger: bool) {
        self.requests = self.requests.saturating_add(r.count);
        if is_malformed(r) {
            self.malformed = self.malformed.saturating_add(r.count);
            self.add_failure(at, r);
        }
        self.add_answer(at.0, r, stranger);
    }

    /// Keeps what answered a query or command.
    pub(super) fn add_answer(&mut self, time: Timestamp, r: &Request, stranger: bool) {
        let Some(activity) = join_id(time, r) else { return };
        let class: u64 = if is_malformed(r) { 0 } else { 1 + u64::from(!stranger) };
        let rank = class << 62 | activity_hash(activity) >> 2;
        let answer = Answer {
            rank,
            activity,
            caller: caller_hash(r),
            bytes: r.response_bytes,
            status: r.status,
            succeeded: r.access == Access::Success,
        };
        // Failures have their own room, so that a burst of them does not hide what was answered.
        let border = self.answers.partition_point(|a| a.rank < 1 << 62);
        let (first, end, max) = if class == 0 {
            (0, border, limits::CELL_REFUSALS_MAX)
        } else {
            (border, self.answers.len(), limits::CELL_ANSWERS_MAX - limits::CELL_REFUSALS_MAX)
        };
        let Err(at) = self.answers.binary_search(&answer) else { return };
        if end - first >= max {
            if at == end {
                return;
            }
            self.answers.remove(end - 1);
        } else {
            self.answers.reserve_exact(1);
        }
        self.answers.insert(at, answer);
    }

    fn add_failure(&mut self, (time, place): (Timestamp, Place), r: &Request) {
        let caller = caller_hash(r);
        let key = xxhash_rust::xxh3::xxh3_64_with_seed(r.container.as_bytes(), caller);
        let at = match self.failures.binary_search_by_key(&key, |f| f.key) {
            Ok(at) => at,
            Err(at) => {
                let row = FailureRow::new(key, caller, r);
                insert_sorted(&mut self.failures, row, at, limits::CELL_FAILURES_MAX);
                at
            }
        };
        if let Some(row) = self.failures.get_mut(at).filter(|f| f.key == key) {
            row.add((time, id(r.activity_id), place), r);
        }
    }

    /// Texts whose shape did not fit.
    pub fn dropped(&self) -> u64 {
        let rows: u64 = self.rows().map(|row| row.runs).sum();
        let known: u64 = self.known.iter().map(|k| u64::from(k.runs)).sum();
        self.texts.saturating_sub(rows).saturating_sub(known)
    }

    /// Odd and unknown queries.
    pub fn rows(&self) -> impl Iterator<Item = &QueryRow> {
        self.rows.iter().map(|(_, row)| row)
    }
    /// Known ones.
    pub fn known(&self) -> &[KnownRow] {
        &self.known
    }
    /// The requests that carried a query, as far as they are kept.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }
    /// The answer to a run of `known`, where it is kept. Of refused requests there is none: their
    /// room is their own.
    pub fn answer_of(known: &KnownRow, answers: &[Answer]) -> Option<Answer> {
        let tag = |a: &Answer| ((a.rank << 2) >> 32) as u32;
        let found = answers.iter().find(|a| known.tag != NO_TAG && tag(a) == known.tag);
        found.copied()
    }
    /// Malformed requests by caller and container.
    pub fn failures(&self) -> &[FailureRow] {
        &self.failures
    }
    /// What the texts of `container` that did not parse say.
    pub fn failed_texts(&self, container: &str) -> Option<&FailedTexts> {
        self.failed_texts.iter().find(|f| &*f.container == container)
    }

    /// Forgets what requests told, for a better lane.
    pub(super) fn clear_requests(&mut self) {
        self.answers = Vec::new();
        self.failures = Vec::new();
        (self.requests, self.malformed) = (0, 0);
    }

    /// Most heap bytes.
    pub const HEAP_MAX: usize = size_of::<QueryCell>()
        + limits::CELL_QUERIES_MAX
            * (size_of::<(u64, QueryRow)>()
                + size_of::<QueryRead>()
                + QueryRead::HEAP_MAX
                + limits::QUERY_ACTIVITIES_MAX * 16)
        + limits::CELL_KNOWN_QUERIES_MAX * size_of::<KnownRow>()
        + limits::CELL_ANSWERS_MAX * size_of::<Answer>()
        + limits::CELL_FAILURES_MAX
            * (size_of::<FailureRow>()
                + limits::FAILURE_LENGTHS_MAX * 8
                + size_of::<FailedTexts>()
                + limits::ERROR_PLACES_MAX * 8);

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        let rows = self.rows.iter().map(|(_, r)| {
            size_of::<QueryRead>() + r.read.heap_bytes() + r.activities.as_slice().len() * 16
        });
        let failures = self.failures.iter().map(|f| f.lengths.as_slice().len() * 8);
        let texts = self.failed_texts.iter().map(|f| f.error_places.as_slice().len() * 8);
        size_of::<QueryCell>()
            + self.rows.capacity() * size_of::<(u64, QueryRow)>()
            + self.known.capacity() * size_of::<KnownRow>()
            + self.answers.capacity() * size_of::<Answer>()
            + self.failures.capacity() * size_of::<FailureRow>()
            + self.failed_texts.capacity() * size_of::<FailedTexts>()
            + rows.chain(failures).chain(texts).sum::<usize>()
    }
}

impl QueryRow {
    fn new(read: &Arc<QueryRead>, run: Ran<'_>) -> QueryRow {
        QueryRow {
            read: Arc::clone(read),
            database: run.database.clone(),
            container: run.container.clone(),
            runs: 0,
            rows_max: None,
            first: (Timestamp::MAX, [u8::MAX; 16]),
            last: (Timestamp::MIN, [0; 16]),
            first_place: Place::NOWHERE,
            last_place: Place::NOWHERE,
            activities: SmallestSet::new(),
        }
    }

    fn add(&mut self, (time, id, place): (Timestamp, [u8; 16], Place), run: Ran<'_>) {
        self.runs += 1;
        self.rows_max = self.rows_max.max(run.rows);
        let first = (time, id, place).min((self.first.0, self.first.1, self.first_place));
        let last = (time, id, place).max((self.last.0, self.last.1, self.last_place));
        (self.first, self.first_place) = ((first.0, first.1), first.2);
        (self.last, self.last_place) = ((last.0, last.1), last.2);
        if let Some(activity) = run.join_id(time) {
            self.activities.insert(&activity);
        }
    }

    /// One shape is written in several ways (blanks, lists of other lengths): whichever comes first
    /// must not matter, so the smallest stands for all.
    fn prefer(&mut self, read: &Arc<QueryRead>) {
        let written = |r: &QueryRead| (r.template.clone(), Arc::clone(&r.tokens));
        if !Arc::ptr_eq(&self.read, read) && written(read) < written(&self.read) {
            self.read = Arc::clone(read);
        }
    }

    /// The records that stand for it.
    pub fn records(&self) -> Records {
        Records::between((self.first.0, self.first_place), (self.last.0, self.last_place))
    }
}

impl FailureRow {
    fn new(key: u64, caller: u64, r: &Request) -> FailureRow {
        FailureRow {
            key,
            caller,
            database: r.database.clone(),
            container: r.container.clone(),
            count: 0,
            status: r.status,
            first: (Timestamp::MAX, [u8::MAX; 16]),
            last: (Timestamp::MIN, [0; 16]),
            first_place: Place::NOWHERE,
            last_place: Place::NOWHERE,
            places: PlaceSample::default(),
            lengths: SmallestSet::new(),
        }
    }

    fn add(&mut self, (time, id, place): (Timestamp, [u8; 16], Place), r: &Request) {
        self.count = self.count.saturating_add(r.count);
        self.status = self.status.min(r.status);
        let first = (time, id, place).min((self.first.0, self.first.1, self.first_place));
        let last = (time, id, place).max((self.last.0, self.last.1, self.last_place));
        (self.first, self.first_place) = ((first.0, first.1), first.2);
        (self.last, self.last_place) = ((last.0, last.1), last.2);
        self.places.insert(place);
        if r.request_bytes > 0 && r.count == 1 {
            self.lengths.insert(&r.request_bytes);
        }
    }

    /// The records that stand for it.
    pub fn records(&self) -> Records {
        let mut records =
            Records::between((self.first.0, self.first_place), (self.last.0, self.last_place));
        self.places.iter().for_each(|place| records.sample(self.first.0, place));
        records
    }
}
