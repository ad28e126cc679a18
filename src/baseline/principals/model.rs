//! One account's key-listing principals: bounded, decayed, read before it learns.
use super::entry::{PrincipalEntry, Today, operation_bit};
use super::observation::{FACETS, KeyFacet, KeyObservation};
use super::report::{names_break_glass, odds_of};
use super::terminal::{TerminalUse, terminal_uses};
use super::{KeyOperation, PrincipalDirectory, judge};
use crate::baseline::cell::Cell;
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::event::PrincipalType;
use crate::ids::PrincipalId;
use crate::profile::KeysProfile;
use crate::stats::hazard::HazardPrior;
use crate::stats::independent::broken_tail;
use crate::time::{HOUR_MS, Timestamp};

/// Principals kept on one account. Eviction order: new ones before regular ones, then those with
/// fewest days, then the longest unseen.
pub const PRINCIPALS_MAX: usize = 11;
/// Principals whose refused attempts are remembered.
const REFUSED_MAX: usize = 8;
/// A recreated service principal or managed identity that carries the name of a known one is
/// not a stranger: probability given to such an arrival.
const NAMESAKE_P: f64 = 0.05;
/// Weight with which a released principal counts as an arrival.
const RELEASED_WEIGHT: f64 = 0.25;

/// How often new principals of each type arrive: people, service principals, managed identities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArrivalHazard {
    /// Arrivals, decayed, each weighted with the chance that it was truly new.
    pub arrivals: [f64; 3],
}

/// What one account knows of the principals that read its keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrincipalsBaseline {
    /// Ascending by principal.
    pub(crate) entries: Vec<PrincipalEntry>,
    pub(crate) hazard: ArrivalHazard,
    /// Days with any Activity-log or data-plane record, decayed.
    pub(crate) exposure_days: f64,
    /// The same, undecayed.
    pub(crate) active_days: u32,
    /// Principal-days so far, decayed: how many tests this account meets.
    pub(crate) principal_days: f64,
    /// Newest closed day.
    pub(crate) closed_day: Option<i64>,
    /// First day with records.
    pub(crate) first_day: Option<i64>,
    /// Refused attempts of the last hour: who, when last, how many.
    pub(crate) refused: Vec<(PrincipalId, Timestamp, u32)>,
}

/// Index of a type's arrival hazard; unknown types count as service principals.
pub(super) fn type_index(principal_type: PrincipalType) -> usize {
    match principal_type {
        PrincipalType::User => 0,
        PrincipalType::ServicePrincipal | PrincipalType::Unknown => 1,
        PrincipalType::ManagedIdentity => 2,
    }
}

/// One principal's finished operations in one minute.
pub(super) struct Group<'a> {
    pub uses: Vec<&'a KeyOperation>,
    pub refused: u32,
}

impl PrincipalsBaseline {
    /// Knows nobody.
    pub fn new() -> PrincipalsBaseline {
        PrincipalsBaseline::default()
    }

    /// Judges the principals that acted in the minute, and those whose run ended a few quiet
    /// minutes ago. Reads only. Pass an empty cell for a minute of [`Self::next_due`].
    pub fn assess(
        &self,
        minute: i64,
        cell: &Cell,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) -> Vec<KeyObservation> {
        let mut observations = Vec::new();
        let groups = group(cell);
        for (principal, group) in &groups {
            if let Some((entry, last)) = self.stepped(principal, group, directory, profile) {
                let mut seen = self.observe(&entry, minute, last, directory, profile);
                group.uses.iter().for_each(|o| seen.records.sample(o.time, o.place));
                observations.push(seen);
            }
        }
        for entry in self.due(minute, profile) {
            if groups.iter().any(|(p, _)| **p == entry.principal) {
                continue;
            }
            let mut closed = entry.clone();
            if judge::close_run(&mut closed) {
                observations.push(self.observe(&closed, minute, None, directory, profile));
            }
        }
        observations.sort_by(|a, b| a.principal.cmp(&b.principal));
        observations
    }

    /// Teaches what [`Self::assess`] judged. Break-glass principals never teach.
    pub fn learn(
        &mut self,
        minute: i64,
        cell: &Cell,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) {
        let due: Vec<PrincipalId> =
            self.due(minute, profile).map(|entry| entry.principal.clone()).collect();
        let groups = group(cell);
        for principal in due.iter().filter(|p| !groups.iter().any(|(g, _)| g == p)) {
            if let Ok(at) = self.entries.binary_search_by(|e| e.principal.cmp(principal)) {
                judge::close_run(&mut self.entries[at]);
            }
        }
        for (principal, group) in groups {
            self.remember_refused(principal, &group, minute);
            if is_break_glass(&group, profile) {
                continue;
            }
            if let Some((mut entry, _)) = self.stepped(principal, &group, directory, profile) {
                let p = broken_tail(&odds_of(&entry)) * self.arrival_now(&entry).unwrap_or(1.0);
                self.absorb(&mut entry, &group, p, profile);
                self.store(entry);
            }
        }
    }

    /// Teaches operations that came after their cell had closed. Nothing here depends on order
    /// beyond rounding: first seen is a minimum, places are a set.
    pub fn learn_late(
        &mut self,
        minute: i64,
        cell: &Cell,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) {
        self.learn(minute, cell, directory, profile);
    }

    /// Closes a day of event time. `active`: it had any Activity-log or data-plane record; a day
    /// without is unknown and adds no exposure.
    pub fn close_day(&mut self, day: i64, active: bool, profile: &KeysProfile) {
        let elapsed = self.closed_day.map_or(1, |closed| day.saturating_sub(closed)).max(0);
        if elapsed == 0 {
            return;
        }
        let kept = (-(elapsed as f64) / profile.half_life_days).exp2();
        for value in &mut self.hazard.arrivals {
            *value *= kept;
        }
        self.principal_days *= kept;
        self.exposure_days *= kept;
        for entry in &mut self.entries {
            judge::decay(entry, kept);
        }
        if active {
            self.exposure_days += 1.0;
            self.active_days = self.active_days.saturating_add(1);
            self.first_day.get_or_insert(day);
        }
        self.closed_day = Some(day);
    }

    /// The minute at whose end the next finished run has to be judged although nothing arrives;
    /// `None` if no run is open.
    pub fn next_due(&self, profile: &KeysProfile) -> Option<i64> {
        let open = self.entries.iter().filter(|e| !e.run_judged);
        open.map(|e| e.last_seen.minute().saturating_add(profile.pattern_wait_minutes)).min()
    }

    /// Trust: [`KeysProfile::mature_days`] days of logs, or enough runs of one pattern.
    pub fn maturity(&self, now: Timestamp, profile: &KeysProfile) -> Maturity {
        let runs = f64::from(profile.mature_runs) - 0.5;
        let settled =
            self.entries.iter().any(|e| e.patterns.first().is_some_and(|(_, n)| *n >= runs));
        let state = if self.active_days >= profile.mature_days || settled {
            MaturityState::Mature
        } else if self.active_days >= 7 {
            MaturityState::Provisional
        } else {
            MaturityState::Learning
        };
        let age = self.first_day.map_or(0, |first| now.day().saturating_sub(first)).max(0);
        Maturity { state, age_days: age as f64, active_days: self.active_days }
    }

    /// Principals known so far, ascending.
    pub fn principals(&self) -> &[PrincipalEntry] {
        &self.entries
    }

    /// Forgets one principal (an analyst's word that it was malicious, or a privacy request).
    pub fn forget(&mut self, principal: &PrincipalId) {
        self.entries.retain(|e| e.principal != *principal);
        self.refused.retain(|(p, _, _)| p != principal);
    }

    /// Most heap bytes, at one over the bound where room is made after the newcomer came.
    pub const HEAP_MAX: usize = (PRINCIPALS_MAX + 1)
        * (size_of::<PrincipalEntry>() + PrincipalEntry::HEAP_MAX)
        + (REFUSED_MAX + 1) * size_of::<(PrincipalId, Timestamp, u32)>();

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<PrincipalEntry>()
            + self.entries.iter().map(PrincipalEntry::heap_bytes).sum::<usize>()
            + self.refused.capacity() * size_of::<(PrincipalId, Timestamp, u32)>()
    }

    pub(super) fn entry(&self, principal: &PrincipalId) -> Option<&PrincipalEntry> {
        let at = self.entries.binary_search_by(|e| e.principal.cmp(principal)).ok()?;
        self.entries.get(at)
    }

    fn due(&self, minute: i64, profile: &KeysProfile) -> impl Iterator<Item = &PrincipalEntry> {
        let wait = profile.pattern_wait_minutes;
        self.entries
            .iter()
            .filter(move |e| !e.run_judged && e.last_seen.minute().saturating_add(wait) <= minute)
    }

    /// The principal's entry after judging (not learning) this minute, with its last operation;
    /// `None` if nothing new was finished.
    fn stepped<'a>(
        &self,
        principal: &PrincipalId,
        group: &Group<'a>,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) -> Option<(PrincipalEntry, Option<&'a KeyOperation>)> {
        let known = self.entry(principal);
        let is_fresh = |operation: &&KeyOperation| {
            known.is_none_or(|entry| !judge::was_counted(entry, operation))
        };
        let fresh: Vec<&KeyOperation> = group.uses.iter().copied().filter(is_fresh).collect();
        let (first, last) = (*fresh.first()?, *fresh.last()?);
        let mut entry = match known {
            Some(entry) => entry.clone(),
            None => self.newcomer(first, directory, profile),
        };
        let refused = group.refused + self.refused_before(principal, first.time);
        self.begin_day(&mut entry, first, profile);
        entry.today.failures = entry.today.failures.max(refused);
        for operation in fresh {
            self.step(&mut entry, operation, profile);
        }
        Some((entry, Some(last)))
    }

    fn newcomer(
        &self,
        first: &KeyOperation,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) -> PrincipalEntry {
        let (p, weight) = self.arrival(first, directory, profile);
        judge::new_entry(first, p, weight)
    }

    /// Probability that a principal of this type, new to this account, reads keys on a given
    /// day; and the chance that it is truly new rather than one that existed before the logs.
    fn arrival(
        &self,
        first: &KeyOperation,
        directory: &PrincipalDirectory,
        profile: &KeysProfile,
    ) -> (f64, f64) {
        let prior = HazardPrior { a0: profile.arrival_shape, b0: profile.arrival_days };
        let arrivals = self.hazard.arrivals[type_index(first.principal_type)];
        let rate = prior.mean(arrivals, self.exposure_days);
        // Principals that existed before the logs began show themselves with exponential delay.
        let unseen = profile.unseen_principals / profile.unseen_days
            * (-f64::from(self.active_days) / profile.unseen_days).exp();
        let quiet = 1.0 - prior.p_day(arrivals, self.exposure_days);
        let mut p = 1.0 - quiet * (-unseen).exp();
        if let Some(known) = directory.get(&first.principal)
            && known.accounts > 0
            && known.days >= f64::from(profile.quarantine_days) - 0.5
        {
            p = p.max(known.expansion_probability(profile));
        }
        let namesake = |e: &PrincipalEntry| {
            !e.is_person()
                && e.principal_type == first.principal_type
                && !e.name.is_empty()
                && e.name == first.principal_name
                && !e.is_new(first.time.day())
        };
        if self.entries.iter().any(namesake) {
            p = p.max(NAMESAKE_P);
        }
        (p, rate / (rate + unseen))
    }

    fn begin_day(&self, entry: &mut PrincipalEntry, first: &KeyOperation, profile: &KeysProfile) {
        let day = first.time.day();
        if entry.seen_days > 0 && day <= entry.today.day {
            return;
        }
        let absent_days = if entry.seen_days == 0 {
            -1
        } else {
            i64::from(self.active_days.saturating_sub(entry.last_active_day))
        };
        let mut today = Today {
            day,
            first: first.time,
            first_event: first.correlation_id.clone(),
            first_place: first.place,
            operations: 0,
            bits: 0,
            broken: 0,
            odds: [0.0; FACETS],
            failures: 0,
            absent_days,
            last: None,
        };
        today.odds = if entry.is_new(day) {
            judge::newcomer_odds(&self.entries, entry, day)
        } else {
            judge::known_odds(entry, profile)
        };
        if absent_days >= i64::from(profile.dormant_days) {
            today.broken |= KeyFacet::Dormant.bit();
        }
        entry.today = today;
    }

    /// Judges one operation: sets the broken facets of the day and follows the run.
    fn step(&self, entry: &mut PrincipalEntry, operation: &KeyOperation, profile: &KeysProfile) {
        let gap = operation.time.since(entry.last_seen);
        if entry.runs == 0 || gap > profile.run_gap_minutes.saturating_mul(crate::time::MINUTE_MS) {
            if entry.runs > 0 {
                judge::close_run(entry);
            }
            entry.runs = entry.runs.saturating_add(1);
            entry.run_start = operation.time;
            entry.run_bits = 0;
        }
        entry.run_judged = false;
        entry.run_bits |= operation_bit(operation.operation);
        let broken = if entry.is_new(operation.time.day()) {
            judge::newcomer_broken(&self.entries, entry, operation)
        } else {
            judge::known_broken(&self.entries, entry, operation)
        };
        let today = &mut entry.today;
        today.broken |= broken;
        if today.failures > 0 {
            today.broken |= KeyFacet::Failures.bit();
        }
        today.operations = today.operations.saturating_add(1);
        today.bits |= operation_bit(operation.operation);
        if operation.time < today.first {
            (today.first, today.first_place) = (operation.time, operation.place);
        }
        if today.last.as_deref().is_none_or(|last| last <= operation) {
            today.last = Some(Box::new(operation.clone()));
        }
        entry.first_seen = entry.first_seen.min(operation.time);
        entry.last_seen = entry.last_seen.max(operation.time);
    }

    /// Learns a judged minute into the entry.
    fn absorb(
        &mut self,
        entry: &mut PrincipalEntry,
        group: &Group<'_>,
        p: f64,
        profile: &KeysProfile,
    ) {
        let day = entry.today.day;
        let before = self.entry(&entry.principal);
        let new_day = before.is_none_or(|b| b.today.day < day);
        let broken_before =
            before.map_or(0, |b| if b.today.day == day { b.today.broken } else { 0 });
        let odd = p < profile.quarantine_p;
        let mut broken_days = entry.broken_days;
        for (number, days) in broken_days.iter_mut().enumerate() {
            let bit = 1_u16 << number;
            // What a newcomer breaks are its peers' habits, not its own.
            if !odd
                && !entry.is_new(day)
                && entry.today.broken & bit != 0
                && broken_before & bit == 0
            {
                *days += 1.0;
            }
        }
        entry.broken_days = broken_days;
        if before.is_none() {
            entry.arrival.quarantined = odd;
            if !odd {
                self.hazard.arrivals[type_index(entry.principal_type)] += entry.arrival.weight;
            }
        } else if odd && entry.arrival.day == day {
            entry.arrival.quarantined = true;
        }
        if new_day {
            entry.seen_days = entry.seen_days.saturating_add(1);
            entry.days += 1.0;
            self.principal_days += 1.0;
            entry.last_active_day = self.active_days;
            if entry.arrival.quarantined && entry.seen_days >= profile.quarantine_days {
                entry.arrival.quarantined = false;
                self.hazard.arrivals[type_index(entry.principal_type)] +=
                    entry.arrival.weight * RELEASED_WEIGHT;
            }
        }
        for operation in &group.uses {
            judge::absorb_use(entry, operation, odd, profile);
        }
    }

    fn store(&mut self, entry: PrincipalEntry) {
        match self.entries.binary_search_by(|e| e.principal.cmp(&entry.principal)) {
            Ok(at) => self.entries[at] = entry,
            Err(at) => {
                // Accounts have a handful: growing by one costs less than doubled room would.
                self.entries.reserve_exact(1);
                self.entries.insert(at, entry);
                if self.entries.len() > PRINCIPALS_MAX {
                    self.evict();
                }
            }
        }
    }

    fn evict(&mut self) {
        let rank = |e: &PrincipalEntry| (e.seen_days.min(3), e.last_seen, e.seen_days);
        let least = self.entries.iter().enumerate().min_by_key(|(_, e)| rank(e)).map(|(at, _)| at);
        if let Some(at) = least {
            self.entries.remove(at);
        }
    }

    fn remember_refused(&mut self, principal: &PrincipalId, group: &Group<'_>, minute: i64) {
        if group.refused == 0 {
            return;
        }
        let at = Timestamp::of_minute(minute);
        match self.refused.iter_mut().find(|(p, _, _)| p == principal) {
            Some((_, last, count)) => {
                let kept = if at.since(*last) <= HOUR_MS { *count } else { 0 };
                *count = kept.saturating_add(group.refused);
                *last = at.max(*last);
            }
            None => {
                self.refused.reserve_exact(1);
                self.refused.push((principal.clone(), at, group.refused));
            }
        }
        self.refused.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        self.refused.truncate(REFUSED_MAX);
    }

    fn refused_before(&self, principal: &PrincipalId, time: Timestamp) -> u32 {
        self.refused
            .iter()
            .find(|(p, at, _)| p == principal && (0..=HOUR_MS).contains(&time.since(*at)))
            .map_or(0, |(_, _, count)| *count)
    }
}

/// The minute's finished operations by principal, ascending; refused ones only counted.
fn group(cell: &Cell) -> Vec<(&PrincipalId, Group<'_>)> {
    let mut groups: std::collections::BTreeMap<&PrincipalId, Group<'_>> = Default::default();
    for TerminalUse { operation, failed, .. } in terminal_uses(&cell.key_operations) {
        if !operation.operation.is_cosmos() {
            continue;
        }
        let group = groups
            .entry(&operation.principal)
            .or_insert_with(|| Group { uses: Vec::new(), refused: 0 });
        if failed {
            group.refused = group.refused.saturating_add(1);
        } else {
            group.uses.push(operation);
        }
    }
    groups.into_iter().collect()
}

fn is_break_glass(group: &Group<'_>, profile: &KeysProfile) -> bool {
    group
        .uses
        .iter()
        .any(|o| names_break_glass([o.principal.as_str(), &o.principal_name, &o.app_id], profile))
}
