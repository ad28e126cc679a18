//! What is remembered of one principal on one account. Plain fields: the store mirrors them.
use super::KeyOperation;
use super::observation::FACETS;
use crate::baseline::cell::Network;
use crate::event::{CredentialOperation, Place, PrincipalType};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::{AddressClass, Country};
use crate::time::Timestamp;

/// Networks kept of one principal.
pub const NETWORKS_MAX: usize = 4;
/// Applications kept of one principal.
pub const APPLICATIONS_MAX: usize = 4;
/// Sets of operations kept of one principal.
pub const PATTERNS_MAX: usize = 4;
/// Accepted operations remembered to recognise the Success that may follow.
pub const ACCEPTED_MAX: usize = 8;

/// A network a principal acted from.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkUse {
    /// The network.
    pub network: Network,
    /// Days with it, decayed.
    pub days: f64,
    /// Last day (days since the epoch).
    pub last_day: i64,
    /// Learnt. A place that came with a very odd observation has to come back first.
    pub trusted: bool,
    /// Distinct days, undecayed.
    pub seen_days: u32,
}

/// An application a principal acted through.
#[derive(Clone, Debug, PartialEq)]
pub struct TextUse {
    /// The application id.
    pub text: Text,
    /// Days with it, decayed.
    pub days: f64,
    /// Last day.
    pub last_day: i64,
}

/// How a principal first came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// The day.
    pub day: i64,
    /// Probability that a new principal of its type came that day.
    pub p: f64,
    /// Weight it counts with in the arrival hazard: the chance that it was truly new rather than
    /// one that existed before the logs began.
    pub weight: f64,
    /// Too odd to learn from: still new until it has come back on enough days.
    pub quarantined: bool,
}

/// The current (or last) day of a principal.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    /// The day.
    pub day: i64,
    /// First operation.
    pub first: Timestamp,
    /// Correlation id of the first operation.
    pub first_event: Text,
    /// Where the first operation was read.
    pub first_place: Place,
    /// Finished operations.
    pub operations: u32,
    /// Which operations (bits of `operation_bit`).
    pub bits: u8,
    /// Facets broken so far (bits of the facet's number).
    pub broken: u16,
    /// Probability of each facet breaking, fixed at the day's first operation.
    pub odds: [f64; FACETS],
    /// Refused attempts.
    pub failures: u32,
    /// Days of logs since the principal last acted, before today; negative when it never had.
    pub absent_days: i64,
    /// The last finished operation: where it came from, for what is judged after it.
    pub last: Option<Box<KeyOperation>>,
}

/// One key-listing principal.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalEntry {
    /// Who.
    pub principal: PrincipalId,
    /// Name for people.
    pub name: Text,
    /// Kind.
    pub principal_type: PrincipalType,
    /// Guest of the tenant.
    pub guest: bool,
    /// First finished operation.
    pub first_seen: Timestamp,
    /// Last finished operation.
    pub last_seen: Timestamp,
    /// The account's active days when it last acted.
    pub last_active_day: u32,
    /// How it came.
    pub arrival: Arrival,
    /// Distinct days, undecayed.
    pub seen_days: u32,
    /// Days, decayed.
    pub days: f64,
    /// Finished operations by kind, decayed: listKeys, readonlykeys, connection strings,
    /// regenerateKey.
    pub operations: [f64; 4],
    /// Runs so far.
    pub runs: u32,
    /// First operation of the current run.
    pub run_start: Timestamp,
    /// Operations of the current run (bits).
    pub run_bits: u8,
    /// The current run's set of operations has been judged.
    pub run_judged: bool,
    /// The set of operations that was last counted, with the start of its run: a run that pauses
    /// counts once.
    pub counted: (u8, Timestamp),
    /// Sets of operations and the runs with each, decayed; most frequent first.
    pub patterns: Vec<(u8, f64)>,
    /// Networks, most used first.
    pub networks: Vec<NetworkUse>,
    /// Applications, most used first.
    pub applications: Vec<TextUse>,
    /// Days with an operation in each hour of the UTC day, decayed.
    pub hours: [f64; 24],
    /// Days on which each facet broke, decayed.
    pub broken_days: [f64; FACETS],
    /// Hour (since the epoch) of the last operation: one day counts once in an hour.
    pub last_hour: i64,
    /// Hash and time of operations that ended with Accept so far, oldest first.
    pub accepted: Vec<(u64, Timestamp)>,
    /// The current day.
    pub today: Today,
}

/// The bit of an operation in a run's set.
pub fn operation_bit(operation: CredentialOperation) -> u8 {
    match operation {
        CredentialOperation::CosmosListKeys => 1,
        CredentialOperation::CosmosReadonlyKeys => 2,
        CredentialOperation::CosmosConnectionStrings => 4,
        CredentialOperation::CosmosRegenerateKey => 8,
        CredentialOperation::OtherProvider => 0,
    }
}

/// The network as key operations see it: all of Azure, all private and all trusted addresses are
/// one place each per AS; their country says nothing of the caller.
pub fn place(network: &Network) -> Network {
    let placeless = matches!(
        network.class,
        AddressClass::Azure | AddressClass::Private | AddressClass::Trusted
    );
    Network { country: if placeless { None } else { network.country }, ..*network }
}

impl PrincipalEntry {
    /// It still counts as new on `day`.
    pub fn is_new(&self, day: i64) -> bool {
        self.arrival.day >= day || self.arrival.quarantined
    }
    /// It used this network before, up to the region inside Azure.
    pub fn knows_place(&self, network: &Network) -> bool {
        self.networks.iter().any(|n| n.trusted && place(&n.network) == place(network))
    }
    /// It used exactly this network before.
    pub fn knows_network(&self, network: &Network) -> bool {
        self.networks.iter().any(|n| n.trusted && n.network == *network)
    }
    /// Countries it acted from (not those of Azure's data centres).
    pub fn countries(&self) -> impl Iterator<Item = Country> {
        self.networks.iter().filter(|n| n.trusted).filter_map(|n| place(&n.network).country)
    }
    /// It used this application before.
    pub fn knows_application(&self, id: &str) -> bool {
        self.applications.iter().any(|a| *a.text == *id)
    }
    /// It acts at about this hour of the day (one hour to either side).
    pub fn knows_hour(&self, hour: usize) -> bool {
        (23..=25).map(|shift| self.hours[(hour + shift) % 24]).sum::<f64>() >= 0.4
    }
    /// A run of exactly this set of operations was seen.
    pub fn knows_pattern(&self, bits: u8) -> bool {
        self.patterns.iter().any(|(known, _)| *known == bits)
    }
    /// Some run held all of these operations (so that a run that has just begun fits).
    pub fn fits_pattern(&self, bits: u8) -> bool {
        self.patterns.iter().any(|(known, _)| known & bits == bits)
    }
    /// People are compared with people, workloads with workloads.
    pub fn is_person(&self) -> bool {
        self.principal_type == PrincipalType::User
    }
    /// Most heap bytes, at one over the bound where room is made after the newcomer came.
    pub const HEAP_MAX: usize = (NETWORKS_MAX + 1) * size_of::<NetworkUse>()
        + (APPLICATIONS_MAX + 1) * size_of::<TextUse>()
        + (PATTERNS_MAX + 1) * size_of::<(u8, f64)>()
        + (ACCEPTED_MAX + 1) * size_of::<(u64, Timestamp)>()
        + size_of::<KeyOperation>();

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.networks.capacity() * size_of::<NetworkUse>()
            + self.applications.capacity() * size_of::<TextUse>()
            + self.patterns.capacity() * size_of::<(u8, f64)>()
            + self.accepted.capacity() * size_of::<(u64, Timestamp)>()
            + self.today.last.as_ref().map_or(0, |_| size_of::<KeyOperation>())
    }
}
