//! What detectors see of queries.
use super::*;
use crate::baseline::cell::{FailedTexts, FailureRow};

/// A query with the request that carried it, where that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The query.
    pub row: QueryRow,
    /// Its answer: that with most bytes, where several ran.
    pub answer: Option<Answer>,
    /// Who asked.
    pub caller: Option<(CallerKey, CallerRow)>,
    /// It arrived after its cell had closed.
    pub late: bool,
}

/// A known query that a new one may come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Kin {
    /// Its tokens.
    pub tokens: Arc<[u16]>,
    /// The same up to the filter, in the same container.
    pub same_skeleton: bool,
    /// Who asks now has run it before, as far as is known.
    pub by_caller: bool,
    /// What it returned so far.
    pub history: ReturnHistory,
}

/// How much a query returned so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReturnHistory {
    /// Mean of ln(1 + bytes).
    pub ln_bytes_mean: f64,
    /// Its variance.
    pub ln_bytes_variance: f64,
    /// Answers that taught it, decayed.
    pub n: f64,
    /// Most rows of one run.
    pub rows_max: u32,
}

impl ReturnHistory {
    /// The `z`-th standard deviation of a response, bytes, of the fitted log-normal.
    pub fn bytes_at(&self, z: f64) -> f64 {
        (self.ln_bytes_mean + z * self.ln_bytes_variance.max(0.01).sqrt()).exp_m1()
    }
}

/// A query that the account did not know.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryObservation {
    /// The query, its answer, its caller.
    pub joined: Joined,
    /// Known queries to compare it with.
    pub akin: Vec<Kin>,
    /// New shapes that a day brings.
    pub per_day: f64,
    /// Shapes known.
    pub shapes_known: u32,
    /// How far the facet can be trusted.
    pub maturity: Maturity,
    /// The minute that decided.
    pub now: Timestamp,
}

impl QueryObservation {
    /// The key by which the account will know it.
    pub fn key(&self) -> u64 {
        query_key(&self.joined.row.read, &self.joined.row.container)
    }
    /// Its language.
    pub fn language(&self) -> QueryLanguage {
        self.joined.row.read.language
    }
}

/// Malformed requests of one caller to one container in ten minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct BurstObservation {
    /// The requests.
    pub failure: FailureRow,
    /// Who sent them, where the cell kept the caller.
    pub caller: Option<(CallerKey, CallerRow)>,
    /// What texts of the container that did not parse say.
    pub texts: Option<FailedTexts>,
    /// P(so many in ten innocent minutes).
    pub p: f64,
    /// Ten-minute cells with queries a day.
    pub per_day: f64,
    /// How many the 50th and 99th percentile of such cells held.
    pub usual: [f64; 2],
    /// How far the facet can be trusted.
    pub maturity: Maturity,
    /// It arrived after its cell had closed.
    pub late: bool,
    /// The minute that decided.
    pub now: Timestamp,
}
