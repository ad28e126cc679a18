//! Which queries an account runs: their shapes with decayed counts, who runs them, how much they
//! return, and how often new ones come. Literals are no part of it.
//!
//! A query that the account does not know is judged as new: new shapes come with deployments, at a
//! rate λ ~ Gamma that the account itself teaches. What is odd about the new shape decides the rest
//! (`detect::injection`). How many malformed requests ten innocent minutes hold is in [`errors`].
use std::sync::Arc;

use super::cell::{Answer, CallerKey, CallerRow, Cell, QueryRow, query_key};
use super::maturity::{Maturity, MaturityState};
use crate::event::{QueryLanguage, QueryRead};
use crate::limits;
use crate::profile::QueriesProfile;
use crate::stats::decay::{Decayed, Landmark};
use crate::stats::hazard::HazardPrior;
use crate::time::{DAY_MS, Timestamp};

pub mod errors;
mod join;
mod learn;
mod observation;
pub mod refused;
mod shown;
#[cfg(test)]
mod tests;

pub use errors::ErrorsBaseline;
pub use join::Carry;
pub use observation::{BurstObservation, Joined, Kin, QueryObservation, ReturnHistory};
pub use shown::ShownShape;

/// Shapes remembered; beyond it the one used least goes.
pub const SHAPES_MAX: usize = 512;
/// Shapes whose tokens are kept, for comparison with new ones: those used most.
pub const TOKENS_KEPT_MAX: usize = 128;
/// Bytes of all tokens kept.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Bytes of all tokens and templates kept; templates give way first.
pub const TOKEN_AND_TEXT_BYTES_MAX: usize = 17 << 10;
/// Most bytes kept of one template and its container: a glance, which is what people need of it.
pub const TEXT_BYTES_MAX: usize = 240;
/// Of these, of the container.
const CONTAINER_BYTES_MAX: usize = 64;
/// Odd new shapes that wait before they teach; beyond it the oldest goes.
pub const WAITING_MAX: usize = 16;
/// Changes of what is known that are remembered, the oldest of which give way: four new shapes in
/// each cell of an hour and the default lateness, four that waited for their requests before it, and
/// as many that went for them.
pub const CHANGES_MAX: usize = 80;
/// Principals remembered of one shape, by hash.
const PRINCIPALS_MAX: usize = 4;

/// One query of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Hash of shape, signs and container.
    pub(crate) key: u64,
    /// Hash of what stands before the filter, and of the container, folded.
    pub(crate) kin: u32,
    /// Runs, decayed, against the facet's landmark.
    pub(crate) weight: f32,
    /// Days since the epoch.
    pub(crate) first_day: u16,
    /// See `first_day`.
    pub(crate) last_day: u16,
    /// Signs it was seen with, as a set.
    pub(crate) signs: u32,
    /// Mean and variance of ln(1 + bytes) of its joined answers, and their decayed number.
    pub(crate) bytes: [f32; 3],
    /// Most rows that one run returned.
    pub(crate) rows_max: u32,
    /// Who ran it: hashes of principal or key kind, 0 = none.
    pub(crate) principals: [u16; PRINCIPALS_MAX],
}

/// An odd new shape that does not teach yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    pub(crate) key: u64,
    pub(crate) first_day: u16,
    pub(crate) last_day: u16,
    pub(crate) days: u16,
}

/// A shape became known, or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Last minute of the cell that did it.
    pub(crate) minute: i64,
    pub(crate) key: u64,
}

/// The tokens of a known shape, and what people are shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptTokens {
    pub(crate) key: u64,
    pub(crate) language: QueryLanguage,
    pub(crate) tokens: Arc<[u16]>,
    /// Container and template, a line each, cut; empty where there was no room.
    pub(crate) text: Box<str>,
}

/// Queries of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryShapes {
    pub(crate) landmark: Timestamp,
    /// Ascending by key.
    pub(crate) shapes: Vec<Shape>,
    /// Ascending by key; those of the shapes used most.
    pub(crate) tokens: Vec<KeptTokens>,
    /// Ascending by key.
    pub(crate) waiting: Vec<Waiting>,
    /// New shapes, decayed (N), and days with query text, decayed (E).
    pub(crate) arrivals: Decayed,
    pub(crate) exposure: Decayed,
    /// Changes of `shapes` that cells which are still open must not see, in the order in which they
    /// came.
    pub(crate) changes: Vec<Change>,
    /// Last minute of the first cell with text.
    pub(crate) first_minute: Option<i64>,
    pub(crate) first_day: Option<i64>,
    pub(crate) active_days: u32,
    /// Query text was seen on the current day.
    pub(crate) day_has_text: bool,
    /// Texts that did not fit in their cells.
    pub(crate) dropped: u64,
    pub(crate) carry: Carry,
}

impl Default for QueryShapes {
    fn default() -> Self {
        QueryShapes {
            landmark: Timestamp(0),
            shapes: Vec::new(),
            tokens: Vec::new(),
            waiting: Vec::new(),
            arrivals: Decayed::default(),
            exposure: Decayed::default(),
            changes: Vec::new(),
            first_minute: None,
            first_day: None,
            active_days: 0,
            day_has_text: false,
            dropped: 0,
            carry: Carry::default(),
        }
    }
}

/// A key of skeleton and container, for shapes that differ behind the filter only.
pub(crate) fn kin_of(read: &QueryRead, container: &str) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(container.as_bytes(), read.skeleton);
    (hash ^ (hash >> 32)) as u32
}

fn day_code(day: i64) -> u16 {
    day.clamp(0, i64::from(u16::MAX)) as u16
}

impl QueryShapes {
    /// The account knows this query.
    pub fn knows(&self, key: u64) -> bool {
        self.position(key).is_ok()
    }

    /// The account knew this query before `minute`, of what is still remembered to have changed since.
    pub fn knew(&self, key: u64, minute: i64) -> bool {
        let changes = self.changes.iter().filter(|c| c.key == key && c.minute >= minute);
        self.knows(key) ^ (changes.count() % 2 == 1)
    }

    /// Text had been seen before `minute`.
    pub fn had_text(&self, minute: i64) -> bool {
        self.first_minute.is_some_and(|first| first < minute)
    }

    fn position(&self, key: u64) -> Result<usize, usize> {
        self.shapes.binary_search_by_key(&key, |s| s.key)
    }

    /// How far it can be trusted at `now`.
    pub fn maturity(&self, now: Timestamp, profile: &QueriesProfile) -> Maturity {
        let age_days = self
            .first_day
            .map_or(0.0, |first| (now.millis() as f64 / DAY_MS as f64 - first as f64).max(0.0));
        let enough = self.active_days >= profile.mature_active_days;
        let state = if age_days >= profile.mature_days as f64 && enough {
            MaturityState::Mature
        } else if age_days >= profile.mature_days as f64 / 2.0 {
            MaturityState::Provisional
        } else {
            MaturityState::Learning
        };
        Maturity { state, age_days, active_days: self.active_days }
    }

    /// Expected new shapes a day. What exists but has not shown itself yet counts in the first days.
    pub fn arrivals_per_day(&self, now: Timestamp, profile: &QueriesProfile) -> f64 {
        let [a0, b0] = profile.arrival;
        let n = self.arrivals.value(now, profile.half_life_days);
        let e = self.exposure.value(now, profile.half_life_days);
        let age = self.maturity(now, profile).age_days;
        let unseen = profile.unseen_shapes / profile.unseen_days.max(f64::MIN_POSITIVE)
            * (-age / profile.unseen_days.max(f64::MIN_POSITIVE)).exp();
        HazardPrior { a0, b0 }.mean(n, e) + unseen
    }

    /// What the queries of a closed cell are against what is known, and what is left to wait for its
    /// request; see `join`.
    /// With `late`, the cell had closed before its queries came: they are judged at once, without
    /// their requests.
    pub fn assess(
        &self,
        minute: i64,
        cell: &Cell,
        late: bool,
        profile: &QueriesProfile,
    ) -> Vec<QueryObservation> {
        let now = Timestamp::of_minute(minute);
        let ready = if late { join::alone(self, cell) } else { join::split(self, minute, cell).0 };
        ready.into_iter().map(|joined| self.observe(joined, now, profile)).collect()
    }

    fn observe(
        &self,
        joined: Joined,
        now: Timestamp,
        profile: &QueriesProfile,
    ) -> QueryObservation {
        let kin = kin_of(&joined.row.read, &joined.row.container);
        let caller = joined.caller.as_ref().map(|(key, _)| join::principal_code(&key.credential));
        let akin: Vec<Kin> = self
            .tokens
            .iter()
            .filter(|t| t.language == joined.row.read.language)
            .filter_map(|t| {
                let shape = self.shapes.get(self.position(t.key).ok()?)?;
                let same_skeleton = shape.kin == kin;
                let by_caller = caller.is_none_or(|caller| shape.may_be_run_by(caller));
                let tokens = Arc::clone(&t.tokens);
                Some(Kin { tokens, same_skeleton, by_caller, history: shape.history() })
            })
            .collect();
        QueryObservation {
            per_day: self.arrivals_per_day(now, profile),
            maturity: self.maturity(now, profile),
            shapes_known: self.shapes.len() as u32,
            joined,
            akin,
            now,
        }
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        let changes = self.changes.capacity() * size_of::<Change>();
        self.shape_bytes() + changes + self.carry.heap_bytes()
    }

    /// Of these, bytes of what is known for good.
    pub fn shape_bytes(&self) -> usize {
        self.shapes.capacity() * size_of::<Shape>()
            + self.tokens.capacity() * size_of::<KeptTokens>()
            + self.tokens.iter().map(|t| token_bytes(&t.tokens) + t.text.len()).sum::<usize>()
            + self.waiting.capacity() * size_of::<Waiting>()
    }

    /// Most heap bytes, besides what is kept for cells that are open or come.
    pub const SHAPE_BYTES_MAX: usize = SHAPES_MAX * size_of::<Shape>()
        + TOKENS_KEPT_MAX * size_of::<KeptTokens>()
        + TOKEN_AND_TEXT_BYTES_MAX
        + WAITING_MAX * size_of::<Waiting>();
    /// Most heap bytes.
    pub const HEAP_MAX: usize =
        Self::SHAPE_BYTES_MAX + CHANGES_MAX * size_of::<Change>() + Carry::HEAP_MAX;
}

const _: () = assert!(QueryShapes::SHAPE_BYTES_MAX <= limits::QUERY_SHAPES_BYTES_MAX);

/// What the tokens of one shape take, with the counts in front of them.
fn token_bytes(tokens: &[u16]) -> usize {
    2 * size_of::<usize>() + size_of_val(tokens)
}

/// What one read takes.
fn read_bytes(read: &QueryRead) -> usize {
    size_of::<QueryRead>() + read.heap_bytes()
}

impl Shape {
    /// The principal has run it, or it is not known who did, or more did than are remembered.
    fn may_be_run_by(&self, principal: u16) -> bool {
        self.principals.contains(&principal)
            || self.principals[0] == 0
            || !self.principals.contains(&0)
    }

    fn history(&self) -> ReturnHistory {
        let [mean, variance, n] = self.bytes.map(f64::from);
        ReturnHistory {
            ln_bytes_mean: mean,
            ln_bytes_variance: variance,
            n,
            rows_max: self.rows_max,
        }
    }
}
