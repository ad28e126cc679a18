//! History of access from Tor exits and listed addresses with a good credential.
//!
//! λ of days with such use ~ Gamma(a0, b0) and decayed counts. The days of an intruder must not
//! become normal: a day with p below the quarantine threshold waits before it teaches.
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::baseline::cell::{CallerKey, CallerRow, Cell};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::intel::view::{AddressClass, IntelView, ListHit, ListKind};
use crate::profile::LocationProfile;
use crate::stats::decay::Decayed;
use crate::stats::hazard::HazardPrior;
use crate::time::{DAY_MS, Timestamp};

/// Addresses remembered for each kind of list; beyond it the longest unseen one goes.
pub const ADDRESSES_MAX: usize = 32;
/// Quarantined days remembered for each kind of list; beyond it the oldest one goes.
pub const PENDING_DAYS_MAX: usize = 32;
/// Bytes of one address are added up over so many minutes, for comparison with hourly volume.
const WINDOW_MINUTES: i64 = 60;
/// A decayed history below so many days is none.
const HISTORY_MIN_DAYS: f64 = 0.05;

/// Entries that cover an address at a moment.
pub(crate) type HitsAt<'a> = dyn Fn(IpAddr, Timestamp) -> Vec<ListHit> + 'a;

/// One address of a list that got in during one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedUse {
    /// The entry that decides: Tor before threat lists.
    pub hit: ListHit,
    /// An entry of the other kind of list that covers the address, too.
    pub also: Option<ListHit>,
    /// The address.
    pub ip: IpAddr,
    /// The caller with most accepted requests from it.
    pub caller: CallerKey,
    /// What all callers of the address did.
    pub row: CallerRow,
}

impl ListedUse {
    /// Listed addresses that got in, ascending by address. Membership is asked at the time of the
    /// first and the last request of the minute. Refused requests are context, trusted networks
    /// and the service's own requests no concern.
    pub fn of(cell: &Cell, intel: &IntelView) -> Vec<ListedUse> {
        ListedUse::by(cell, &|ip, at| intel.hits(ip, at))
    }

    /// As [`ListedUse::of`], with membership from `hits_at`.
    pub(crate) fn by(cell: &Cell, hits_at: &HitsAt) -> Vec<ListedUse> {
        let mut addresses: BTreeMap<IpAddr, (CallerKey, u64, CallerRow)> = BTreeMap::new();
        for (key, row) in cell.callers() {
            let concerns = row.listed_ever
                && row.authenticated > 0
                && !key.internal
                && key.network.class != AddressClass::Trusted;
            let Some(ip) = key.ip.filter(|_| concerns) else { continue };
            match addresses.get_mut(&ip) {
                None => {
                    addresses.insert(ip, (key.clone(), row.authenticated, row.clone()));
                }
                Some((main, most, rows)) => {
                    rows.merge(row);
                    if row.authenticated > *most {
                        (*main, *most) = (key.clone(), row.authenticated);
                    }
                }
            }
        }
        addresses
            .into_iter()
            .filter_map(|(ip, (caller, _, row))| {
                let mut hits = hits_at(ip, row.first.0);
                if hits.is_empty() {
                    hits = hits_at(ip, row.last.0);
                }
                let tor = hits.iter().find(|h| h.kind == ListKind::TorExit).cloned();
                let threat = hits.into_iter().find(|h| h.kind == ListKind::Threat);
                let (hit, also) = match (tor, threat) {
                    (Some(tor), threat) => (tor, threat),
                    (None, Some(threat)) => (threat, None),
                    (None, None) => return None,
                };
                Some(ListedUse { hit, also, ip, caller, row })
            })
            .collect()
    }
}

/// A listed address that got in before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListedAddress {
    pub(crate) ip: IpAddr,
    /// Days since the epoch.
    pub(crate) first_day: i64,
    pub(crate) last_day: i64,
    /// Bytes since this minute.
    pub(crate) window_minute: i64,
    pub(crate) window_bytes: u64,
}

/// History with one kind of list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedHistory {
    /// Days with use that taught, decayed.
    pub(crate) days: Decayed,
    /// Days with use in quarantine, ascending.
    pub(crate) pending: Vec<i64>,
    /// A day with use that is not over yet.
    pub(crate) open_day: Option<i64>,
    /// Ascending by address.
    pub(crate) addresses: Vec<ListedAddress>,
}

/// Tor and listed use of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedBaseline {
    pub(crate) tor: ListedHistory,
    pub(crate) threat: ListedHistory,
    /// Days with logs, decayed.
    pub(crate) exposure: Decayed,
    pub(crate) first_day: Option<i64>,
    pub(crate) active_days: u32,
    /// Last day with a finding of another kind on this account.
    pub(crate) other_finding_day: Option<i64>,
}

/// What the history says on one day, before that day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListedState {
    /// P(such use on a day of innocent life).
    pub p: f64,
    /// Days with such use that taught, decayed (N).
    pub taught_days: f64,
    /// Earlier days with such use, quarantined ones included.
    pub history_days: f64,
    /// Measured rate of such days: N over prior and own exposure, without the prior's days.
    pub measured_per_day: f64,
}

impl ListedBaseline {
    /// Empty.
    pub fn new() -> ListedBaseline {
        ListedBaseline::default()
    }

    fn history(&self, kind: ListKind) -> &ListedHistory {
        match kind {
            ListKind::TorExit => &self.tor,
            ListKind::Threat => &self.threat,
        }
    }

    fn history_mut(&mut self, kind: ListKind) -> &mut ListedHistory {
        match kind {
            ListKind::TorExit => &mut self.tor,
            ListKind::Threat => &mut self.threat,
        }
    }

    /// What is known of use of this kind before `day`.
    pub fn state(&self, kind: ListKind, day: i64, profile: &LocationProfile) -> ListedState {
        let (now, half_life) = (Timestamp::of_day(day), profile.half_life_days);
        let history = self.history(kind);
        let taught_days = history.days.value(now, half_life);
        let exposure = self.exposure.value(now, half_life);
        let waiting = history.pending.iter().filter(|d| **d < day).count()
            + usize::from(history.open_day.is_some_and(|d| d < day));
        let prior = HazardPrior { a0: profile.listed.days, b0: profile.listed.exposure_days };
        ListedState {
            p: prior.p_day(taught_days, exposure),
            taught_days,
            history_days: taught_days + waiting as f64,
            measured_per_day: taught_days / (profile.listed.exposure_days + exposure),
        }
    }

    /// This account never (or hardly ever) had such use before `day`.
    pub fn is_without(&self, kind: ListKind, day: i64, profile: &LocationProfile) -> bool {
        self.state(kind, day, profile).history_days < HISTORY_MIN_DAYS
    }

    /// The address was not used on this account before `day`.
    pub fn is_new_address(&self, kind: ListKind, ip: IpAddr, day: i64) -> bool {
        self.address(kind, ip).is_none_or(|a| a.first_day >= day)
    }

    /// Bytes that the address took in the hour before `minute`.
    pub fn recent_bytes(&self, kind: ListKind, ip: IpAddr, minute: i64) -> u64 {
        self.address(kind, ip)
            .filter(|a| (0..WINDOW_MINUTES).contains(&minute.saturating_sub(a.window_minute)))
            .map_or(0, |a| a.window_bytes)
    }

    fn address(&self, kind: ListKind, ip: IpAddr) -> Option<&ListedAddress> {
        let addresses = &self.history(kind).addresses;
        let at = addresses.binary_search_by_key(&ip, |a| a.ip).ok()?;
        addresses.get(at)
    }

    /// Applies the listed uses of a closed minute (also of late records: their day counts where
    /// it is not over, and first seen is a minimum).
    pub fn learn(&mut self, minute: i64, uses: &[ListedUse], profile: &LocationProfile) {
        let day = Timestamp::of_minute(minute).day();
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        for used in uses {
            self.settle(used.hit.kind, day, profile);
            let history = self.history_mut(used.hit.kind);
            history.open_day = history.open_day.max(Some(day));
            history.note_address(used, minute, day);
        }
    }

    /// A finding of another kind on this account: quarantined days stay where they are.
    pub fn note_other_finding(&mut self, at: Timestamp) {
        self.other_finding_day = self.other_finding_day.max(Some(at.day()));
    }

    /// Ends a day. `active`: the day had logs; only such days are exposure.
    pub fn close_day(&mut self, day: i64, active: bool, profile: &LocationProfile) {
        for kind in [ListKind::TorExit, ListKind::Threat] {
            self.settle(kind, day.saturating_add(1), profile);
            self.release(kind, day, profile);
        }
        if active && self.first_day.is_some_and(|first| day >= first) {
            self.exposure.add(Timestamp::of_day(day), 1.0, profile.half_life_days);
            self.active_days = self.active_days.saturating_add(1);
        }
    }

    /// Counts the open day once a later one has begun: into the history, or into quarantine.
    fn settle(&mut self, kind: ListKind, day: i64, profile: &LocationProfile) {
        let Some(open) = self.history(kind).open_day.filter(|open| *open < day) else { return };
        let surprising = self.state(kind, open, profile).p < profile.quarantine_p;
        let history = self.history_mut(kind);
        history.open_day = None;
        if surprising {
            history.pending.reserve_exact(1);
            history.pending.push(open);
            if history.pending.len() > PENDING_DAYS_MAX {
                history.pending.remove(0);
            }
        } else {
            history.days.add(Timestamp::of_day(open), 1.0, profile.half_life_days);
        }
    }

    fn release(&mut self, kind: ListKind, day: i64, profile: &LocationProfile) {
        let other = self.other_finding_day;
        let history = self.history_mut(kind);
        let Some(first) = history.pending.first().copied() else { return };
        let clean = other.is_none_or(|d| d < first);
        let proven = day.saturating_sub(first) >= profile.quarantine_days
            && history.pending.len() >= profile.quarantine_distinct_days as usize;
        let expired = day.saturating_sub(first) >= profile.quarantine_expiry_days;
        let weight = if clean { profile.quarantine_weight } else { 0.0 };
        let count = if proven && clean { history.pending.len() } else { usize::from(expired) };
        for waited in history.pending.drain(..count) {
            if weight > 0.0 {
                history.days.add(Timestamp::of_day(waited), weight, profile.half_life_days);
            }
        }
    }

    /// Lists work from the first minute; this is how much history the rule could look at.
    pub fn maturity(&self, now: Timestamp, profile: &LocationProfile) -> Maturity {
        let age_days = self.first_day.map_or(0.0, |first| {
            (now.since(Timestamp::of_day(first)) as f64 / DAY_MS as f64).max(0.0)
        });
        let state = if age_days >= f64::from(profile.mature_days)
            && self.active_days >= profile.mature_active_days
        {
            MaturityState::Mature
        } else {
            MaturityState::Learning
        };
        Maturity { state, age_days, active_days: self.active_days }
    }

    /// Most heap bytes, at one over the bound where room is made after the newcomer came.
    pub const HEAP_MAX: usize = 2
        * ((ADDRESSES_MAX + 1) * size_of::<ListedAddress>()
            + (PENDING_DAYS_MAX + 1) * size_of::<i64>());

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        [&self.tor, &self.threat]
            .iter()
            .map(|h| {
                h.addresses.capacity() * size_of::<ListedAddress>()
                    + h.pending.capacity() * size_of::<i64>()
            })
            .sum()
    }
}

impl ListedHistory {
    fn note_address(&mut self, used: &ListedUse, minute: i64, day: i64) {
        let at = match self.addresses.binary_search_by_key(&used.ip, |a| a.ip) {
            Ok(at) => at,
            Err(at) => {
                let address = ListedAddress {
                    ip: used.ip,
                    first_day: day,
                    last_day: day,
                    window_minute: minute,
                    window_bytes: 0,
                };
                self.addresses.reserve_exact(1);
                self.addresses.insert(at, address);
                self.forget_longest_unseen(at)
            }
        };
        let Some(address) = self.addresses.get_mut(at) else { return };
        address.first_day = address.first_day.min(day);
        address.last_day = address.last_day.max(day);
        if minute.saturating_sub(address.window_minute) >= WINDOW_MINUTES {
            (address.window_minute, address.window_bytes) = (minute, 0);
        }
        if minute >= address.window_minute {
            address.window_bytes = address.window_bytes.saturating_add(used.row.bytes);
        }
    }

    /// Drops one of too many, not the one at `newcomer`; returns where that is now.
    fn forget_longest_unseen(&mut self, newcomer: usize) -> usize {
        if self.addresses.len() <= ADDRESSES_MAX {
            return newcomer;
        }
        let oldest = (0..self.addresses.len())
            .filter(|i| *i != newcomer)
            .min_by_key(|i| self.addresses[*i].last_day);
        match oldest {
            Some(oldest) => {
                self.addresses.remove(oldest);
                if oldest < newcomer { newcomer - 1 } else { newcomer }
            }
            None => newcomer,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::baseline::location::tests::{Who, cell_at, who};
    use crate::event::Access;
    use crate::ids::Text;
    use crate::profile::Profile;

    pub(crate) const DAY: i64 = 20_000;

    pub(crate) fn hit(kind: ListKind, since: Option<i64>, until: Option<i64>) -> ListHit {
        ListHit {
            kind,
            feed: Text::from("feed"),
            entry: Text::from("185.220.101.4"),
            since: since.map(Timestamp::of_day),
            until: until.map(Timestamp::of_day),
            confidence: None,
        }
    }

    pub(crate) fn exit(last: u8) -> Who {
        who(&format!("185.220.101.{last}"), AddressClass::Hosting, "DE", 60729)
    }

    /// Uses of one minute where every address is an exit.
    pub(crate) fn uses_at(minute: i64, callers: &[(Who, u64)]) -> Vec<ListedUse> {
        ListedUse::by(&cell_at(minute, callers), &|_, _| vec![hit(ListKind::TorExit, None, None)])
    }

    /// A young account that was reached from two exits on two days.
    pub(crate) fn lived_in() -> ListedBaseline {
        let profile = Profile::default().location;
        let mut baseline = ListedBaseline::new();
        for day in DAY..DAY + 20 {
            let minute = day * 1440;
            let uses = if day >= DAY + 18 {
                uses_at(minute, &[(exit(3), 1), (exit(2), 1)])
            } else {
                Vec::new()
            };
            baseline.learn(minute, &uses, &profile);
            baseline.close_day(day, true, &profile);
        }
        baseline
    }

    #[test]
    fn membership_is_asked_at_event_time_and_refused_requests_are_context() {
        let expired = |_: IpAddr, at: Timestamp| {
            let h = hit(ListKind::TorExit, None, Some(DAY));
            if at < Timestamp::of_day(DAY) { vec![h] } else { Vec::new() }
        };
        let minute = DAY * 1440;
        let caller = [(exit(4), 3)];
        assert_eq!(ListedUse::by(&cell_at(minute - 1, &caller), &expired).len(), 1);
        assert_eq!(ListedUse::by(&cell_at(minute, &caller), &expired), []);
        let refused = Who { access: Access::Refused, ..exit(4) };
        let internal = Who { internal: true, ..exit(4) };
        let trusted = Who { class: AddressClass::Trusted, ..exit(4) };
        for context in [refused, internal, trusted] {
            assert_eq!(uses_at(minute, &[(context, 5)]), []);
        }
    }

    #[test]
    fn rows_of_an_address_are_one_use_and_tor_goes_before_threat_lists() {
        let both = |_: IpAddr, _: Timestamp| {
            vec![hit(ListKind::TorExit, None, None), hit(ListKind::Threat, None, None)]
        };
        let other = Who { family: "azsdk-go", ..exit(4) };
        let cell = cell_at(DAY * 1440, &[(exit(4), 3), (other, 40), (exit(5), 1)]);
        let uses = ListedUse::by(&cell, &both);
        assert_eq!(uses.len(), 2);
        assert_eq!((uses[0].row.requests, &*uses[0].caller.family), (43, "azsdk-go"));
        assert_eq!(uses[0].hit.kind, ListKind::TorExit);
        assert_eq!(uses[0].also.as_ref().map(|h| h.kind), Some(ListKind::Threat));
    }

    #[test]
    fn habit_is_learned_in_the_end_and_an_intruder_is_not() {
        let profile = Profile::default().location;
        let mut habit = ListedBaseline::new();
        for day in DAY..DAY + 60 {
            let minute = day * 1440;
            let uses = if day % 3 == 0 { uses_at(minute, &[(exit(4), 1)]) } else { Vec::new() };
            habit.learn(minute, &uses, &profile);
            habit.close_day(day, true, &profile);
        }
        let state = habit.state(ListKind::TorExit, DAY + 60, &profile);
        assert!(state.p > 0.05, "{state:?}");
        assert!(habit.tor.pending.is_empty());
        let mut intruder = lived_in();
        intruder.note_other_finding(Timestamp::of_day(DAY + 19));
        assert_eq!(intruder.state(ListKind::TorExit, DAY + 20, &profile).taught_days, 0.0);
        for day in DAY + 20..DAY + 60 {
            intruder.close_day(day, true, &profile);
        }
        let state = intruder.state(ListKind::TorExit, DAY + 60, &profile);
        assert_eq!((state.taught_days, state.history_days), (0.0, 0.0));
    }

    #[test]
    fn ten_thousand_addresses_stay_inside_the_bound() {
        let profile = Profile::default().location;
        let mut baseline = ListedBaseline::new();
        for minute in DAY * 1440..DAY * 1440 + 500 {
            let callers: Vec<(Who, u64)> = (0..20)
                .map(|i| {
                    (
                        who(
                            &format!("185.{}.{}.{i}", minute % 200, minute % 7),
                            AddressClass::Hosting,
                            "DE",
                            1,
                        ),
                        1,
                    )
                })
                .collect();
            baseline.learn(minute, &uses_at(minute, &callers), &profile);
        }
        assert_eq!(baseline.tor.addresses.len(), ADDRESSES_MAX);
        assert!(baseline.heap_bytes() <= ListedBaseline::HEAP_MAX);
    }
}
