//! Key-operation settings.
use serde::Deserialize;

/// Settings of the principals baseline, the tenant model and the two key detectors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysProfile {
    /// Half-life of counts and exposure, days.
    pub half_life_days: f64,
    /// Arrival of a new key-listing principal of one type: prior shape (arrivals).
    pub arrival_shape: f64,
    /// The same prior's exposure, days.
    pub arrival_days: f64,
    /// Principals that exist but were not yet seen when the logs begin.
    pub unseen_principals: f64,
    /// Mean days until such a principal shows itself.
    pub unseen_days: f64,
    /// Days of logs after which an account's picture is mature.
    pub mature_days: u32,
    /// Runs of one pattern that make it mature sooner.
    pub mature_runs: u32,
    /// Operations closer together than this belong to one run, minutes.
    pub run_gap_minutes: i64,
    /// A run's set of operations is judged after this many quiet minutes.
    pub pattern_wait_minutes: i64,
    /// Days of logs without a principal after which it counts as dormant.
    pub dormant_days: u32,
    /// Less probable than this: quarantined, not learnt.
    pub quarantine_p: f64,
    /// Distinct days after which a quarantined principal or place is learnt after all.
    pub quarantine_days: u32,
    /// Findings more probable than this are not handed on.
    pub report_p: f64,
    /// Break-glass principals (object id, UPN or application id): alert on every use, never teach.
    pub break_glass: Vec<String>,
    /// Properties of people.
    pub user: PropertyPriors,
    /// Properties of service principals and managed identities.
    pub workload: PropertyPriors,
    /// A known principal extending its set of accounts.
    pub expansion: BetaPrior,
    /// Fan-out over accounts and providers.
    pub sweep: SweepProfile,
}

/// Prior of a yes-or-no property a principal shows on a day it acts: `[a, b, floor]`. The predictive
/// probability is max(floor, (broken days + a) / (days + a + b)).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(from = "[f64; 3]")]
pub struct BetaPrior {
    /// Pseudo-days on which it broke.
    pub a: f64,
    /// Pseudo-days on which it held.
    pub b: f64,
    /// Never less probable than this, whatever the history.
    pub floor: f64,
}

impl From<[f64; 3]> for BetaPrior {
    fn from([a, b, floor]: [f64; 3]) -> Self {
        BetaPrior { a, b, floor }
    }
}

impl BetaPrior {
    /// Predictive probability after `broken` of `days` days.
    pub fn predictive(&self, broken: f64, days: f64) -> f64 {
        ((broken + self.a) / (days.max(broken) + self.a + self.b)).clamp(self.floor, 1.0)
    }
}

/// Priors of the properties that a known principal may break.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyPriors {
    /// A network it never used.
    pub network: BetaPrior,
    /// Another Azure region.
    pub region: BetaPrior,
    /// A country it never used, given a new network.
    pub country: BetaPrior,
    /// An application it never used.
    pub application: BetaPrior,
    /// An hour of the day outside its usual ones.
    pub hour: BetaPrior,
    /// A set of operations it never ran.
    pub pattern: BetaPrior,
    /// Coming back after a long absence.
    pub dormant: BetaPrior,
    /// Refused attempts just before success.
    pub failures: BetaPrior,
}

/// Gamma prior of a rate: `[shape, exposure]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(from = "[f64; 2]")]
pub struct GammaPrior {
    /// Shape: pseudo-count.
    pub shape: f64,
    /// Exposure: pseudo-days.
    pub exposure: f64,
}

impl From<[f64; 2]> for GammaPrior {
    fn from([shape, exposure]: [f64; 2]) -> Self {
        GammaPrior { shape, exposure }
    }
}

/// Fan-out settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepProfile {
    /// Weights of the windows of 1 h, 24 h, 7 d and 30 d, and of accounts new to the principal.
    pub weights: [f64; 5],
    /// Credential operations of other providers within this many minutes of the Cosmos DB ones
    /// belong to the same chain.
    pub chain_minutes: i64,
    /// An account touched on this many days is one of the principal's regular ones.
    pub regular_days: u32,
    /// Smallest number of tests an account-day is taken to hold.
    pub tests_min: f64,
    /// People.
    pub user: SweepPriors,
    /// Service principals and managed identities.
    pub workload: SweepPriors,
}

/// Priors of one kind of principal, on a day it reads keys.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPriors {
    /// Accounts beyond the first in its busiest hour.
    pub hour: GammaPrior,
    /// Accounts beyond the first in 24 hours.
    pub day: GammaPrior,
    /// Irregular accounts beyond the first in 7 days.
    pub week: GammaPrior,
    /// Irregular accounts beyond the first in 30 days.
    pub month: GammaPrior,
    /// Accounts new to a principal that is known.
    pub new_accounts: GammaPrior,
    /// Other providers in the chain.
    pub providers: GammaPrior,
    /// Probability that an innocent run over ≥ 3 resources goes as evenly as a script.
    pub script_timing: f64,
    /// Probability that an innocent chain over ≥ 3 providers keeps the order of the public tool.
    pub tool_order: f64,
}
