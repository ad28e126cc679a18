//! How one principal's day on one account sits against what is known.
use std::net::IpAddr;

use crate::baseline::maturity::Maturity;
use crate::event::{CredentialOperation, PrincipalType, Records};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::AddressInfo;
use crate::time::Timestamp;

/// Number of [`KeyFacet`]s.
pub const FACETS: usize = 9;

/// A property of a principal's day that may be unexpected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyFacet {
    /// Network.
    Network = 0,
    /// Region inside Azure.
    Region = 1,
    /// Country, given a new network.
    Country = 2,
    /// Application.
    Application = 3,
    /// Hour of the day.
    Hour = 4,
    /// Set of operations of a run.
    Pattern = 5,
    /// Long absence.
    Dormant = 6,
    /// Refused attempts before success.
    Failures = 7,
    /// Guest of the tenant.
    Guest = 8,
}

impl KeyFacet {
    /// All, by number.
    pub const ALL: [KeyFacet; FACETS] = [
        KeyFacet::Network,
        KeyFacet::Region,
        KeyFacet::Country,
        KeyFacet::Application,
        KeyFacet::Hour,
        KeyFacet::Pattern,
        KeyFacet::Dormant,
        KeyFacet::Failures,
        KeyFacet::Guest,
    ];
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            KeyFacet::Network => "network",
            KeyFacet::Region => "Azure region",
            KeyFacet::Country => "country",
            KeyFacet::Application => "application",
            KeyFacet::Hour => "hour of day",
            KeyFacet::Pattern => "set of operations",
            KeyFacet::Dormant => "days since last use",
            KeyFacet::Failures => "refused attempts before",
            KeyFacet::Guest => "guest",
        }
    }
    /// Bit in a set.
    pub fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// One property beside what is usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Which.
    pub facet: KeyFacet,
    /// Probability that it breaks on an innocent day.
    pub odds: f64,
    /// It broke.
    pub broke: bool,
    /// What was seen.
    pub observed: String,
    /// Known values with their share, largest first, at most five.
    pub usual: Vec<(String, f64)>,
}

/// A principal's day so far, judged when a minute closed.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyObservation {
    /// Who.
    pub principal: PrincipalId,
    /// Name for people.
    pub name: Text,
    /// Kind of principal.
    pub principal_type: PrincipalType,
    /// Application of the last operation.
    pub app_id: Text,
    /// Minute that decided.
    pub minute: i64,
    /// First and last finished operation of the day.
    pub start: Timestamp,
    /// Last one.
    pub end: Timestamp,
    /// Correlation ids of both.
    pub events: (Text, Text),
    /// Where the operations were read.
    pub records: Records,
    /// Finished operations of the day.
    pub operations: u32,
    /// Kinds of them, in the order of [`CredentialOperation`].
    pub kinds: Vec<CredentialOperation>,
    /// Address of the last operation.
    pub ip: Option<IpAddr>,
    /// What that address is.
    pub address: Option<AddressInfo>,
    /// Probability that a principal new to this account shows up on a day; `None` if it is known.
    pub arrival: Option<f64>,
    /// Independent properties.
    pub properties: Vec<Property>,
    /// P(at least this odd | benign) of the principal's day.
    pub p: f64,
    /// Such tests a day on this account.
    pub per_day: f64,
    /// Trust in the account's picture.
    pub maturity: Maturity,
    /// Days since this principal last acted here; `None` = never.
    pub last_seen_days: Option<f64>,
    /// Accounts of the tenant where it reads keys regularly.
    pub elsewhere_accounts: u32,
    /// Principals that usually do, with their share of operations, at most five.
    pub usual_principals: Vec<(String, f64)>,
    /// Refused attempts before success, today.
    pub failures_before: u32,
    /// Configured as break-glass: every use is told.
    pub break_glass: bool,
    /// A person in the portal from a country known here.
    pub ordinary_portal_use: bool,
    /// Days of logs behind the picture.
    pub days_watched: f64,
    /// Records that came after their cell had closed took part.
    pub late: bool,
}

impl KeyObservation {
    /// Unexpected properties, the arrival among them.
    pub fn unexpected(&self) -> u32 {
        let broken = self.properties.iter().filter(|p| p.broke).count();
        u32::try_from(broken).unwrap_or(u32::MAX) + u32::from(self.arrival.is_some())
    }
}
