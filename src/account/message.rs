//! What accounts exchange with the rest: batches in, outcomes out.
use std::sync::Arc;

use super::lessons::Lessons;
use super::verdict::{HourQueries, Nearest};

use crate::baseline::principals::PrincipalDirectory;
use crate::baseline::prior::{Contribution, Priors};
use crate::baseline::published::ByDay;
use crate::detect::Finding;
use crate::event::{Event, Place, QueryRead};
use crate::intel::view::{AddressInfo, IntelView};
use crate::profile::Profile;
use crate::severity::Grade;
use crate::time::Timestamp;

/// An event on its way to an account, with what the edge knows about it.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The event.
    pub event: Event,
    /// What its address is.
    pub address: Arc<AddressInfo>,
    /// The stream's watermark when the record passed the router. Stamped on the record, so that
    /// batch boundaries cannot change a result.
    pub watermark: Timestamp,
    /// Where the record was read.
    pub place: Place,
    /// What the text of its query says, where it has one.
    pub query: Option<Arc<QueryRead>>,
}

/// Events of one account, in stream order.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    /// The events.
    pub events: Vec<Routed>,
}

/// What every account works with; immutable, shared.
#[derive(Clone, Debug)]
pub struct Context {
    /// Settings.
    pub profile: Arc<Profile>,
    /// Lookups.
    pub intel: Arc<IntelView>,
    /// What the fleet and the tenant published.
    pub published: Published,
}

/// What the fleet and the tenant published, by day, and what people said.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Population priors.
    pub priors: ByDay<Priors>,
    /// Principals that list keys anywhere in the tenant.
    pub directory: ByDay<PrincipalDirectory>,
    /// What people said of alerts.
    pub lessons: Lessons,
}

/// A finding that is worth an alert, with its number in the account's sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Graded {
    /// Rises by one for each graded finding of this account; the desk ignores what it has seen.
    pub sequence: u64,
    /// The finding.
    pub finding: Finding,
    /// Its grade.
    pub grade: Grade,
}

/// What an account still has to do when the watermark moves on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// Nothing until its next event.
    #[default]
    Nothing,
    /// Hours or the day that end at this moment; no finding can come of it.
    DayEnd(Timestamp),
    /// Open cells or an open ten-minute step: findings may come.
    Cells,
}

impl Pending {
    /// There is something to do when the watermark comes to `watermark`.
    pub fn is_due(self, watermark: Timestamp) -> bool {
        match self {
            Pending::Cells => true,
            Pending::DayEnd(at) => at <= watermark,
            Pending::Nothing => false,
        }
    }
}

/// What came of a batch or a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Graded findings, in sequence.
    pub findings: Vec<Graded>,
    /// Contributions to the population, with the day that ended.
    pub contributions: Vec<(i64, Contribution)>,
    /// Hours that closed, for the display ring.
    pub hours: Vec<HourRecord>,
    /// What remains.
    pub pending: Pending,
    /// There was nothing to do: the model is what it was, to the byte.
    pub idle: bool,
}

/// Detectors (and egress tests) whose rarest p-value an hour keeps for `why-not`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SurpriseLane {
    Tor,
    Listed,
    Place,
    KeyPrincipal,
    EgressHour,
    EgressSixHours,
    EgressDay,
    EgressDrip,
    EgressOperation,
    EgressNewNetwork,
    Query,
    Fuzzing,
}

impl SurpriseLane {
    /// All lanes, in order.
    pub const ALL: [SurpriseLane; 12] = [
        SurpriseLane::Tor,
        SurpriseLane::Listed,
        SurpriseLane::Place,
        SurpriseLane::KeyPrincipal,
        SurpriseLane::EgressHour,
        SurpriseLane::EgressSixHours,
        SurpriseLane::EgressDay,
        SurpriseLane::EgressDrip,
        SurpriseLane::EgressOperation,
        SurpriseLane::EgressNewNetwork,
        SurpriseLane::Query,
        SurpriseLane::Fuzzing,
    ];
    /// Words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            SurpriseLane::Tor => "Tor",
            SurpriseLane::Listed => "listed address",
            SurpriseLane::Place => "place",
            SurpriseLane::KeyPrincipal => "key listing",
            SurpriseLane::EgressHour => "egress 1 h",
            SurpriseLane::EgressSixHours => "egress 6 h",
            SurpriseLane::EgressDay => "egress 24 h",
            SurpriseLane::EgressDrip => "egress drip",
            SurpriseLane::EgressOperation => "egress by operation",
            SurpriseLane::EgressNewNetwork => "egress to a new network",
            SurpriseLane::Query => "new query",
            SurpriseLane::Fuzzing => "malformed queries",
        }
    }
}

/// Number of [`SurpriseLane`]s.
pub const SURPRISE_LANES: usize = SurpriseLane::ALL.len();

/// −log10 p in sixteenths, 0 = not tested, 255 = 1e-15.9 and rarer.
pub fn surprise_code(p: f64) -> u8 {
    if p.is_nan() || p >= 1.0 {
        return 1;
    }
    ((-p.max(1e-300).log10() * 16.0).round()).clamp(1.0, 255.0) as u8
}

/// The p-value of a code; `None` if not tested.
pub fn surprise_of(code: u8) -> Option<f64> {
    (code > 0).then(|| if code == 1 { 1.0 } else { 10f64.powf(-f64::from(code) / 16.0) })
}

/// One closed hour of one account, for charts and `why-not`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourRecord {
    /// Hours since the epoch.
    pub hour: i64,
    /// Whether there were logs.
    pub status: crate::baseline::tempo::HourStatus,
    /// Egress bytes.
    pub observed: f64,
    /// 5th, 50th and 95th percentile expected.
    pub quantiles: [f64; 3],
    /// Bytes from which the hour would be Low; NaN where it cannot.
    pub low_from: f64,
    /// Rarest p of each lane in the hour ([`surprise_code`]).
    pub surprise: [u8; SURPRISE_LANES],
    /// The finding of each lane that came nearest to an alert.
    pub nearest: [Nearest; SURPRISE_LANES],
    /// Its queries.
    pub queries: HourQueries,
}
