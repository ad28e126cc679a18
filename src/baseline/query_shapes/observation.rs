//! What detectors see of queries.
use super::errors::Span;
use super::refused::Refused;
use super::*;
use crate::baseline::cell::FailureRow;

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

impl Joined {
    /// It did not parse, or the log says that it was not done.
    pub fn failed(&self) -> bool {
        self.row.read.failure.is_some() || self.answer.is_some_and(|a| !a.succeeded)
    }
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

/// Malformed requests to an account in one span that ends with a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct BurstObservation {
    /// Over how long.
    pub span: Span,
    /// What was refused in that time.
    pub refused: Refused,
    /// Those of the cell that ends it, by caller and container, as far as they are kept.
    pub here: Vec<FailureRow>,
    /// Who sent most of the cell's, where it kept the caller.
    pub caller: Option<(CallerKey, CallerRow)>,
    /// P(so many in an innocent span).
    pub p: f64,
    /// Spans with queries a day.
    pub per_day: f64,
    /// How many the 50th and 99th percentile of such spans held.
    pub usual: [f64; 2],
    /// How far the facet can be trusted.
    pub maturity: Maturity,
    /// It arrived after its cell had closed.
    pub late: bool,
    /// The minute that decided.
    pub now: Timestamp,
}
