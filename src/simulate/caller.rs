//! A caller: one workload with its addresses, client, credential, rhythm and mix of operations.
use std::net::Ipv4Addr;

use crate::time::Timestamp;

use super::agent::Agent;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Query,
    PointRead,
    Feed,
    Create,
    Upsert,
    Replace,
    Delete,
    Execute,
    ReadAccount,
    ReadRanges,
    ReadContainer,
    ListDatabases,
    ListContainers,
}

impl Op {
    /// A successful one returns documents.
    pub(crate) fn is_egress(self) -> bool {
        matches!(self, Op::Query | Op::PointRead | Op::Feed)
    }
}

/// How a caller proves who it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credential {
    /// An account key, by the name the log uses.
    Key(&'static str),
    /// Entra principal and role assignment.
    Entra(u128, u128),
    /// The service itself.
    System,
    /// Nothing that was accepted.
    None,
}

/// Log-normal sizes of one document response, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) median: f64,
    pub(crate) sigma: f64,
}

impl Sizes {
    /// Mean size, bytes.
    pub(crate) fn mean(self) -> f64 {
        (self.median * super::draw::exp(self.sigma * self.sigma / 2.0)).min(4e6)
    }
}

/// When a caller works: share of its day by UTC hour, and weight of each weekday (Monday first).
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    pub(crate) hours: [f64; 24],
    pub(crate) weekdays: [f64; 7],
}

impl Rhythm {
    /// Round the clock.
    pub(crate) fn flat() -> Rhythm {
        Rhythm { hours: [1.0 / 24.0; 24], weekdays: [1.0; 7] }
    }
    /// Relative rate at an hour: 1 is the mean of a weekday.
    pub(crate) fn share(&self, at: Timestamp) -> f64 {
        self.hours[at.hour_of_day()] * self.weekdays[at.weekday()]
    }
}

/// A change of a caller's rate for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) factor: f64,
}

/// One workload.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) agent: Agent,
    pub(crate) direct: bool,
    pub(crate) credential: Credential,
    /// Mean requests on a weekday of weight 1.
    pub(crate) per_day: f64,
    pub(crate) mix: Vec<(Op, f64)>,
    pub(crate) sizes: Sizes,
    pub(crate) rhythm: Rhythm,
    pub(crate) steps: Vec<Step>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// A person rather than a service.
    pub(crate) person: bool,
    /// Serving region, display name.
    pub(crate) region: &'static str,
}

impl Caller {
    /// Expected requests in the hour that starts at `hour`, without the account's own noise.
    pub(crate) fn expected(&self, hour: Timestamp) -> f64 {
        if hour < self.from || hour >= self.until {
            return 0.0;
        }
        let level: f64 = self
            .steps
            .iter()
            .filter(|s| hour >= s.from && hour < s.until)
            .map(|s| s.factor)
            .product();
        self.per_day * self.rhythm.share(hour) * level
    }
    /// Share of requests that return documents.
    pub(crate) fn egress_share(&self) -> f64 {
        let total: f64 = self.mix.iter().map(|m| m.1).sum();
        let reads: f64 = self.mix.iter().filter(|m| m.0.is_egress()).map(|m| m.1).sum();
        if total > 0.0 { reads / total } else { 0.0 }
    }
    /// Expected bytes of documents returned in that hour.
    pub(crate) fn expected_bytes(&self, hour: Timestamp) -> f64 {
        self.expected(hour) * self.egress_share() * self.sizes.mean()
    }
}
