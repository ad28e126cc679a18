//! Persisted form of the history with Tor exits and listed addresses.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::tempo::{DecayedV1, decayed, restore_decayed};
use crate::baseline::listed::{
    ADDRESSES_MAX, ListedAddress, ListedBaseline, ListedHistory, PENDING_DAYS_MAX,
};

/// Mirror of [`ListedBaseline`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ListedV1 {
    tor: HistoryV1,
    threat: HistoryV1,
    exposure: DecayedV1,
    first_day: Option<i64>,
    active_days: u32,
    other_finding_day: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HistoryV1 {
    days: DecayedV1,
    pending: Vec<i64>,
    open_day: Option<i64>,
    /// Address, first and last day, window's first minute and bytes.
    addresses: Vec<(IpAddr, i64, i64, i64, u64)>,
}

impl From<&ListedBaseline> for ListedV1 {
    fn from(l: &ListedBaseline) -> ListedV1 {
        ListedV1 {
            tor: (&l.tor).into(),
            threat: (&l.threat).into(),
            exposure: decayed(&l.exposure),
            first_day: l.first_day,
            active_days: l.active_days,
            other_finding_day: l.other_finding_day,
        }
    }
}

impl From<&ListedHistory> for HistoryV1 {
    fn from(h: &ListedHistory) -> HistoryV1 {
        HistoryV1 {
            days: decayed(&h.days),
            pending: h.pending.clone(),
            open_day: h.open_day,
            addresses: h
                .addresses
                .iter()
                .map(|a| (a.ip, a.first_day, a.last_day, a.window_minute, a.window_bytes))
                .collect(),
        }
    }
}

impl TryFrom<ListedV1> for ListedBaseline {
    type Error = &'static str;
    fn try_from(v: ListedV1) -> Result<ListedBaseline, &'static str> {
        Ok(ListedBaseline {
            tor: v.tor.try_into()?,
            threat: v.threat.try_into()?,
            exposure: restore_decayed(v.exposure)?,
            first_day: v.first_day,
            active_days: v.active_days,
            other_finding_day: v.other_finding_day,
        })
    }
}

impl TryFrom<HistoryV1> for ListedHistory {
    type Error = &'static str;
    fn try_from(v: HistoryV1) -> Result<ListedHistory, &'static str> {
        if v.pending.len() > PENDING_DAYS_MAX || !v.pending.is_sorted_by(|a, b| a < b) {
            return Err("quarantined days are out of order");
        }
        if v.addresses.len() > ADDRESSES_MAX || !v.addresses.is_sorted_by(|a, b| a.0 < b.0) {
            return Err("listed addresses are out of order");
        }
        Ok(ListedHistory {
            days: restore_decayed(v.days)?,
            pending: v.pending,
            open_day: v.open_day,
            addresses: v
                .addresses
                .into_iter()
                .map(|(ip, first_day, last_day, window_minute, window_bytes)| ListedAddress {
                    ip,
                    first_day,
                    last_day,
                    window_minute,
                    window_bytes,
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::listed::tests::lived_in;

    #[test]
    fn history_comes_back_and_a_broken_one_is_refused() {
        let baseline = lived_in();
        assert!(!baseline.tor.addresses.is_empty() && !baseline.tor.pending.is_empty());
        assert_eq!(ListedBaseline::try_from(ListedV1::from(&baseline)), Ok(baseline.clone()));
        let mut broken = ListedV1::from(&baseline);
        broken.tor.addresses.reverse();
        assert!(ListedBaseline::try_from(broken).is_err());
        let mut broken = ListedV1::from(&baseline);
        broken.exposure.1 = -1.0;
        assert!(ListedBaseline::try_from(broken).is_err());
    }
}
