//! Networks that are ours from one moment of event time to another: requests from them teach and
//! are never tested as places.
use std::net::IpAddr;

use ipnet::IpNet;

use super::filter::network;
use super::{Ledger, RuleError, What};
use crate::time::Timestamp;

/// Shortest prefixes that can be trusted: a slip of the pen must not trust half of the world.
const PREFIX_MIN: [u8; 2] = [8, 16];

/// A trusted network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The network.
    pub network: IpNet,
    /// First event time at which it no longer is.
    pub until: Timestamp,
}

impl Trust {
    /// Reads an address or a network.
    ///
    /// # Errors
    /// It is none, or so large that it cannot be one's own.
    pub fn parse(text: &str, until: Timestamp) -> Result<Trust, RuleError> {
        let network = network(text)?;
        let [four, six] = PREFIX_MIN;
        let min = if network.addr().is_ipv4() { four } else { six };
        if network.prefix_len() < min {
            return Err(RuleError::Network(network.to_string()));
        }
        Ok(Trust { network, until })
    }
}

/// The trusted networks of a ledger, for one question a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted(Vec<(IpNet, Timestamp, Option<Timestamp>)>);

impl Trusted {
    /// Of all decisions.
    pub fn of(ledger: &Ledger) -> Trusted {
        let entry = |d: &super::Decision| match &d.what {
            What::Trust(trust) => Some((trust.network, d.from, ledger.ends(d))),
            _ => None,
        };
        Trusted(ledger.iter().filter_map(entry).collect())
    }
    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The address was trusted at `at`.
    pub fn covers(&self, address: IpAddr, at: Timestamp) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, from, end)| {
            *from <= at && end.is_none_or(|end| at < end) && network.contains(&address)
        })
    }
}
