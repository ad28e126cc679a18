//! Who lists this account's keys, from where, how often and in which pattern.
//!
//! * `terminal.rs` folds Start, Accept and Success records of one operation into one use;
//! * `entry.rs` is what is remembered of one principal;
//! * `observation.rs` is how a principal's day sits against that memory, with probabilities;
//! * `judge.rs` holds the single judgements and lessons, `report.rs` makes the observation;
//! * `model.rs` is the account's bounded set of principals and the arrival hazard;
//! * `directory.rs` is what the tenant says of a principal elsewhere.
//!
//! Absent: addresses (only their networks are kept) and query or key material of any kind.
use std::net::IpAddr;

use crate::event::{CredentialOperation, Outcome, Place, PrincipalType};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::AddressInfo;
use crate::time::Timestamp;

mod directory;
mod entry;
mod judge;
mod model;
mod observation;
mod report;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;

pub use directory::{DirectoryEntry, PrincipalDirectory};
pub use entry::{Arrival, NetworkUse, PrincipalEntry, TextUse, Today};
pub use model::{ArrivalHazard, PRINCIPALS_MAX, PrincipalsBaseline};
pub use observation::{KeyFacet, KeyObservation, Property};
pub use terminal::{TerminalUse, terminal_uses};

/// One key operation on this account, as a cell holds it. Ordered by (time, digest), so that the
/// smallest ones that a bounded cell keeps do not depend on arrival order.
#[derive(Clone, Debug)]
pub struct KeyOperation {
    /// Event time.
    pub time: Timestamp,
    /// Half of the record's hash: tells apart what has one time.
    pub digest: u64,
    /// Where it was read.
    pub place: Place,
    /// Correlation id: Start and terminal record share it (with operation and target).
    pub correlation_id: Text,
    /// Which operation.
    pub operation: CredentialOperation,
    /// How it stands.
    pub outcome: Outcome,
    /// Who.
    pub principal: PrincipalId,
    /// Name for people.
    pub principal_name: Text,
    /// Kind of principal.
    pub principal_type: PrincipalType,
    /// Guest of the tenant.
    pub guest: bool,
    /// Application.
    pub app_id: Text,
    /// Role.
    pub role: Text,
    /// Address.
    pub ip: Option<IpAddr>,
    /// What the address is.
    pub address: AddressInfo,
}

impl PartialEq for KeyOperation {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.digest) == (other.time, other.digest)
    }
}
impl Eq for KeyOperation {}
impl PartialOrd for KeyOperation {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for KeyOperation {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.digest).cmp(&(other.time, other.digest))
    }
}
