//! One file a detector: reads observations and intel, returns findings that end in a p-value for
//! one test opportunity and the number of such tests an account meets a day. Never writes a
//! baseline, never words a sentence.
pub mod egress;

use std::net::IpAddr;

use crate::baseline::maturity::Maturity;
use crate::event::{Credential, Marked, PrincipalType, QueryLanguage, Records, Sign};
use crate::ids::{AccountId, PrincipalId, Text};
use crate::intel::view::{AddressClass, Country, IntelView, ListHit};
use crate::time::Timestamp;

pub mod facts;
pub mod fuzzing;
pub mod geo;
pub mod injection;
pub mod key_principal;
pub mod key_script;
pub mod listed;
mod operators;
pub mod suspicious_ip;
pub mod tor;

/// The alert kinds, by Microsoft Defender's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlertKind {
    /// Access from a Tor exit node.
    TorAnomaly,
    /// Access from a listed address.
    SuspiciousIp,
    /// Access from an unusual location.
    GeoAnomaly,
    /// Unusual volume of data extracted.
    DataExfiltration,
    /// Keys of many accounts extracted, as a script does.
    MaliciousScript,
    /// Keys extracted by a principal that does not usually.
    SuspiciousPrincipal,
    /// A query that carries an injection ran and returned.
    SqlInjection,
    /// A burst of queries that fail as probing does.
    SqlFuzzing,
}

impl AlertKind {
    /// All kinds, in the order used for sorting.
    pub const ALL: [AlertKind; 8] = [
        AlertKind::TorAnomaly,
        AlertKind::SuspiciousIp,
        AlertKind::GeoAnomaly,
        AlertKind::DataExfiltration,
        AlertKind::MaliciousScript,
        AlertKind::SuspiciousPrincipal,
        AlertKind::SqlInjection,
        AlertKind::SqlFuzzing,
    ];
    /// The `alertType` of the contract.
    pub fn alert_type(self) -> &'static str {
        match self {
            AlertKind::TorAnomaly => "CosmosDB_TorAnomaly",
            AlertKind::SuspiciousIp => "CosmosDB_SuspiciousIp",
            AlertKind::GeoAnomaly => "CosmosDB_GeoAnomaly",
            AlertKind::DataExfiltration => "CosmosDB_DataExfiltrationAnomaly",
            AlertKind::MaliciousScript => "CosmosDB_SuspiciousListKeys.MaliciousScript",
            AlertKind::SuspiciousPrincipal => {
                "AzureCosmosDB_SuspiciousListKeys.SuspiciousPrincipal"
            }
            AlertKind::SqlInjection => "CosmosDB_SqlInjection.DataExfiltration",
            AlertKind::SqlFuzzing => "CosmosDB_SqlInjection.FailedFuzzingAttempt",
        }
    }
    /// Reads an `alertType`.
    pub fn parse(text: &str) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|k| k.alert_type() == text)
    }
}

/// What a detector claims.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which kind of alert.
    pub kind: AlertKind,
    /// The account it is filed under.
    pub account: AccountId,
    /// ARM id of `account`, where logged.
    pub resource_id: Option<Text>,
    /// Every account concerned, `account` included, ascending, with ARM ids where known.
    pub accounts: Vec<(AccountId, Option<Text>)>,
    /// Distinguishes stories of one kind on one account: principal or network, country, shape.
    /// Stable text, never a query literal.
    pub dedup: String,
    /// First event of the story.
    pub start: Timestamp,
    /// Last event that was judged.
    pub end: Timestamp,
    /// End of the minute that decided: the one after which nothing more was needed.
    pub decided: Timestamp,
    /// The test.
    pub test: Test,
    /// Trust in the baseline it was judged against.
    pub maturity: Maturity,
    /// Records that arrived after their cell had closed took part.
    pub late: bool,
    /// Who, with what, how often.
    pub caller: CallerFacts,
    /// Where the records that it rests on were read.
    pub records: Records,
    /// Kind-specific numbers.
    pub evidence: Evidence,
    /// What broke and what held, broken first.
    pub facets: Vec<Facet>,
    /// Other kinds found on this account within the last day, with the time of each, oldest
    /// first. Filled in by the account; lifts a ceiling of [`Ceiling::NeedsAnotherKind`].
    pub companions: Vec<(AlertKind, Timestamp)>,
}

/// A test under the null hypothesis "benign".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// P(at least this odd | benign), for one test opportunity.
    pub p: f64,
    /// Test opportunities an account meets a day (r): `p·r` is the nominal false alerts per
    /// benign account-day at this surprise.
    pub per_day: f64,
    /// Severity by rule rather than by budget, with the highest that the rule allows.
    pub rule: Option<RuleSeverity>,
    /// Highest severity that the evidence allows before any budget is asked (e.g. Low for volume
    /// alone), with the reason.
    pub ceiling: Option<(Severity, Ceiling)>,
}

/// Why a finding may not be graded higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// Volume alone: own callers do the same in innocent life.
    VolumeAlone,
    /// High needs a second kind of finding.
    NeedsAnotherKind,
    /// The place is only rare, not new.
    PlaceKnown,
    /// The baseline is not mature.
    NotMature,
    /// Failed queries are judged without their text.
    WithoutText,
}

/// Severity by rule (Tor, listed addresses).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleSeverity {
    /// The severity.
    pub severity: Severity,
    /// The clause that decided.
    pub clause: RuleClause,
}

/// Which clause of a rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleClause {
    /// First use by this address on an account without such history.
    FirstUse,
    /// Data beyond the account's 95th percentile followed.
    DataBeyondP95,
    /// A key operation followed.
    KeyOperation,
    /// Nothing that would make it High.
    Plain,
    /// Would be High, but this account's measured rate of such hits does not fit High's share.
    TooCommonForHigh,
}

/// Severity of a finding or alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
}

impl Severity {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
        }
    }
    /// Reads the word, any case.
    pub fn parse(text: &str) -> Option<Severity> {
        [Severity::Low, Severity::Medium, Severity::High]
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(text))
    }
}

/// The caller and what it did, as far as the log has it. Lists are bounded and sorted.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // the names are the contract's `extendedProperties`
pub struct CallerFacts {
    pub ip: Option<IpAddr>,
    pub country: Option<Country>,
    pub city: Option<Text>,
    pub asn: Option<u32>,
    pub organisation: Text,
    pub class: Option<AddressClass>,
    pub principal: Option<PrincipalId>,
    pub principal_name: Text,
    pub principal_type: Option<PrincipalType>,
    pub app_id: Text,
    pub credential: Option<Credential>,
    pub user_agents: Vec<Text>,
    /// Bit 0 gateway, bit 1 direct.
    pub connection_bits: u8,
    pub databases: Vec<Text>,
    pub containers: Vec<Text>,
    pub operations: Vec<Text>,
    pub statuses: Vec<i32>,
    pub bytes: Option<u64>,
    pub events: u64,
    /// Activity ids (or correlation ids) of the first and last event, as text.
    pub first_event: String,
    pub last_event: String,
}

/// One property of the observation beside what is normal for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// What (`country`, `volume, 1 h`, `key kind` …).
    pub name: &'static str,
    /// What was observed.
    pub observed: Quantity,
    /// What is normal.
    pub usual: Usual,
    /// How odd, where tested by itself.
    pub p: Option<f64>,
    /// It broke its baseline.
    pub broke: bool,
}

/// A value with its unit.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Quantity {
    Bytes(f64),
    Count(f64),
    Hours(f64),
    Name(String),
}

/// What is normal for a facet.
#[derive(Clone, Debug, PartialEq)]
pub enum Usual {
    /// A range (5th to 95th percentile), same unit as the observation.
    Range(f64, f64),
    /// Known values with their share of observations, largest first, at most five.
    Shares(Vec<(String, f64)>),
    /// Nothing of the kind in so many days.
    NeverIn {
        /// Days the account has been watched.
        days: f64,
    },
    /// Queries that the account runs, of which the observed one is none.
    Queries {
        /// How many are known.
        known: u32,
        /// Days that their texts have been watched.
        days: f64,
    },
    /// Nothing is known yet.
    Unknown,
}

/// Numbers of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Tor exit or listed address.
    Listed(ListedEvidence),
    /// A place.
    Place(PlaceEvidence),
    /// Volume.
    Volume(VolumeEvidence),
    /// A sweep over accounts.
    Sweep(SweepEvidence),
    /// A principal.
    Principal(PrincipalEvidence),
    /// A query.
    Query(QueryEvidence),
    /// A burst of malformed requests.
    Burst(BurstEvidence),
}

/// A listed address got in.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedEvidence {
    /// The entry.
    pub hit: ListHit,
    /// Days with such use before, decayed.
    pub history_days: f64,
    /// Data was returned.
    pub data_returned: bool,
    /// The account's 95th percentile of bytes an hour, where known.
    pub p95_bytes: Option<f64>,
}

/// An unusual place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceEvidence {
    /// Which level is new or rare.
    pub level: PlaceLevel,
    /// The place has been seen before (rare), with days since last seen.
    pub last_seen_days: Option<f64>,
    /// Usual countries with their share of days.
    pub usual_countries: Vec<(String, f64)>,
    /// Usual networks with their share of days.
    pub usual_networks: Vec<(String, f64)>,
    /// Days with a new category so far, decayed (N), and exposure in days (E).
    pub novelty: (f64, f64),
    /// Impossible travel against another network of the same principal.
    pub travel: Option<Travel>,
}

/// Which level of a place broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum PlaceLevel {
    Country,
    Asn,
    Combination,
}

/// Two places too far apart for the time between.
#[derive(Clone, Debug, PartialEq)]
pub struct Travel {
    /// The other place.
    pub from: String,
    /// Minutes between.
    pub minutes: f64,
}

/// Unusual volume.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeEvidence {
    /// Name of the test that decided (`T.h1`, `Q`, `LO.h6` …).
    pub test: &'static str,
    /// Window it looked at, hours.
    pub window_hours: f64,
    /// Bytes observed in the window.
    pub observed: f64,
    /// Bytes expected.
    pub expected: f64,
    /// Usual range of such a window (5th, 50th, 95th percentile).
    pub usual: [f64; 3],
    /// Bytes from which this window would have alerted at Low, Medium, High; NaN where it cannot.
    pub thresholds: [f64; 3],
    /// A new network's part, if one took part.
    pub new_network: Option<(String, f64)>,
    /// The caller that took most in the window, with its bytes.
    pub top_caller_bytes: f64,
    /// The last 72 hours, oldest first: bytes (`None` where no logs), q05, q25, q50, q75, q95, Low,
    /// Medium, High from.
    pub hours: Vec<HourEvidence>,
}

/// One hour of the evidence that is frozen in an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourEvidence {
    /// Hours since the epoch.
    pub hour: i64,
    /// Bytes; `None` where there are no logs.
    pub observed: Option<f64>,
    /// q05, q25, q50, q75, q95.
    pub quantiles: [f64; 5],
    /// Bytes from which the hour would be Low, Medium, High; NaN where it cannot.
    pub thresholds: [f64; 3],
}

/// Keys of many accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepEvidence {
    /// Distinct accounts in the window that decided.
    pub accounts: u32,
    /// That window, hours.
    pub window_hours: f64,
    /// Accounts expected in such a window from this principal's habit.
    pub expected_accounts: f64,
    /// Share of the known accounts of the subscription touched.
    pub share: f64,
    /// Accounts that this principal never touched before.
    pub new_accounts: u32,
    /// Other providers whose credentials the principal read in the same story, ascending.
    pub providers: Vec<String>,
    /// Credential operations in the story.
    pub operations: u32,
    /// Coefficient of variation of the gaps between them, where ≥ 3 (regular = a script).
    pub gap_variation: Option<f64>,
    /// Timeline: time, provider or account, operation; at most 40, oldest first.
    pub timeline: Vec<(Timestamp, String, String)>,
}

/// A query that the account does not know, and what is odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryEvidence {
    /// Its language.
    pub language: QueryLanguage,
    /// Its template, literals blanked.
    pub template: Text,
    /// What is odd, with the bytes of `template` that show it (empty where the whole does).
    pub marked: Vec<Marked>,
    /// Hash of its shape.
    pub shape: u64,
    /// The account runs a query that this one equals but for what was put in.
    pub known_template: bool,
    /// Shapes that the account knows, and new ones that a day brings.
    pub shapes_known: u32,
    /// See `shapes_known`.
    pub new_per_day: f64,
    /// Its request was found, so that caller, status and bytes are known.
    pub joined: bool,
    /// How often it ran.
    pub runs: u64,
    /// Rows that one run returned at most, where logged.
    pub rows: Option<u64>,
    /// Bytes of the answer.
    pub bytes: Option<u64>,
    /// What the known query returns: median and 95th percentile, bytes, and most rows.
    pub usual: Option<([f64; 2], u32)>,
    /// It returned far more than the known query ever did.
    pub beyond_history: bool,
}

/// What queries and bursts of refused ones are judged with, besides their settings.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its ARM id.
    pub resource_id: Option<&'a Text>,
    /// Lookups.
    pub intel: &'a IntelView,
}

/// Malformed requests to an account, within ten minutes, an hour or a day.
#[derive(Clone, Debug, PartialEq)]
pub struct BurstEvidence {
    /// How many.
    pub count: u64,
    /// Within how long, in words.
    pub within: &'static str,
    /// The first of them.
    pub since: Timestamp,
    /// Who sent them (kept up to a bound).
    pub addresses: Vec<IpAddr>,
    /// How many the 50th and 99th percentile of such spans with queries hold.
    pub usual: [f64; 2],
    /// Texts that did not parse; `None` where none was read: of SQL none was logged.
    pub texts: Option<u64>,
    /// Distinct places and reasons of syntax errors (counted up to a bound).
    pub error_places: u32,
    /// Distinct lengths of the requests (counted up to a bound).
    pub lengths: u32,
    /// What the texts carry.
    pub signs: Vec<Sign>,
}

/// A principal that does not usually list these keys.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalEvidence {
    /// Days since this principal last did it on this account; `None` = never.
    pub last_seen_days: Option<f64>,
    /// Accounts of the tenant on which this principal does it regularly.
    pub elsewhere_accounts: u32,
    /// Principals that usually do, with their share of operations.
    pub usual_principals: Vec<(String, f64)>,
    /// Independent unexpected properties.
    pub unexpected: u32,
    /// Failed attempts just before.
    pub failures_before: u32,
}
