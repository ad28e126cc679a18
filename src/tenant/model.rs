//! One model for the whole process: principals by Entra tenant, minute cells, midnights.
//!
//! Bounds: [`PRINCIPALS_MAX`] principals with at most [`ACCOUNT_USES_MAX`] account rows together;
//! beyond either the least telling sixteenth goes at once: principals that never read a Cosmos DB
//! key first, then those with fewest days, then the longest unseen.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::habit::{PrincipalHabit, TenantArrival, account_hash};
use super::observe;
use super::operation::finished;
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::baseline::principals::{DirectoryEntry, PrincipalDirectory};
use crate::detect::{Finding, key_script};
use crate::event::PrincipalType;
use crate::ids::{PrincipalId, SubscriptionId, Text};
use crate::profile::{KeysProfile, Profile};
use crate::stats::hazard::HazardPrior;
use crate::time::{DAY_MS, Timestamp};

pub use super::operation::TenantOperation;

/// Principals kept over all tenants.
pub const PRINCIPALS_MAX: usize = 4096;
/// Account rows kept over all principals.
pub const ACCOUNT_USES_MAX: usize = 262_144;
/// Operations kept in one open minute: the smallest by (time, digest).
pub const CELL_OPERATIONS_MAX: usize = 16_384;
/// Known accounts kept of one subscription.
const SUBSCRIPTION_ACCOUNTS_MAX: usize = 16_384;
/// Subscriptions kept of one tenant, and tenants kept.
const SUBSCRIPTIONS_MAX: usize = 16_384;
/// Tenants with a picture of their own; further ones share the default scope.
const SCOPES_MAX: usize = 4096;
/// A tenant silent for longer is not known to have sent logs: its days add no exposure.
const SILENT_DAYS: i64 = 7;
/// Longest gap of days that is closed one by one.
const DAYS_AT_ONCE_MAX: i64 = 400;

/// One Entra tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// First day with operations.
    pub first_day: Option<i64>,
    /// Last day with operations.
    pub last_day: i64,
    /// Days counted as watched, and the same decayed.
    pub active_days: u32,
    /// Decayed.
    pub exposure_days: f64,
    /// Arrivals of new key-reading principals by type (people, service principals, managed
    /// identities), decayed, weighted with the chance that they were truly new.
    pub arrivals: [f64; 3],
    /// Principal-days with key reads, decayed.
    pub principal_days: f64,
    /// Hashes of the known accounts by subscription, ascending.
    pub accounts: BTreeMap<Text, Vec<u64>>,
}

impl Scope {
    fn note(&mut self, operation: &TenantOperation) {
        let day = operation.time.day();
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        self.last_day = self.last_day.max(day);
        let Some(account) = operation.cosmos_account() else { return };
        let key: Text =
            operation.subscription.as_ref().map(|s| s.text().clone()).unwrap_or_default();
        if !self.accounts.contains_key(&key) && self.accounts.len() >= SUBSCRIPTIONS_MAX {
            return;
        }
        let known = self.accounts.entry(key).or_default();
        let hash = account_hash(account);
        if let Err(at) = known.binary_search(&hash)
            && known.len() < SUBSCRIPTION_ACCOUNTS_MAX
        {
            known.insert(at, hash);
        }
    }

    fn known_accounts(&self) -> usize {
        self.accounts.values().map(Vec::len).sum()
    }

    /// Rate of new principals of a type, and the chance that one is truly new.
    fn arrival(
        &self,
        day: i64,
        principal_type: PrincipalType,
        profile: &KeysProfile,
    ) -> TenantArrival {
        let prior = HazardPrior { a0: profile.arrival_shape, b0: profile.arrival_days };
        let rate = prior.mean(self.arrivals[type_index(principal_type)], self.exposure_days);
        let unseen = profile.unseen_principals / profile.unseen_days
            * (-f64::from(self.active_days) / profile.unseen_days).exp();
        TenantArrival { day, rate: rate + unseen, weight: rate / (rate + unseen) }
    }

    /// Probability that such a principal turns up within so many days.
    pub(super) fn arrival_probability(
        &self,
        arrival: &TenantArrival,
        days: f64,
        profile: &KeysProfile,
    ) -> f64 {
        let rate = arrival.rate;
        // In a tenant that has only begun to send logs, everyone is still to be seen for the
        // first time: the arrival says nothing then.
        let p = -(-rate * days).exp_m1();
        let learning = (-f64::from(self.active_days) / profile.sweep.estate_days).exp();
        (p + learning).min(1.0)
    }

    /// Share of the subscription's known accounts that the principal touched in 24 hours.
    pub(super) fn share(
        &self,
        subscription: Option<&SubscriptionId>,
        habit: &PrincipalHabit,
        now: Timestamp,
    ) -> f64 {
        let key: Text = subscription.map(|s| s.text().clone()).unwrap_or_default();
        let known = self.accounts.get(&key).map_or(0, Vec::len);
        let touched = habit
            .count(|a| a.last >= now.plus_ms(-DAY_MS) && a.subscription.as_ref() == subscription);
        if known == 0 { 0.0 } else { (touched as f64 / known as f64).min(1.0) }
    }

    /// Tests per account-day: principal-days for known principals, days for arrivals, spread over the
    /// tenant's accounts, since a sweep is filed under one of them.
    pub(super) fn tests_per_account_day(&self, profile: &KeysProfile) -> [f64; 2] {
        let principal_days = (self.principal_days + 1.0) / (self.exposure_days + 1.0);
        let accounts = self.known_accounts().max(1) as f64;
        [principal_days, 1.0].map(|tests| (tests / accounts).max(profile.sweep.tests_min))
    }

    pub(super) fn maturity(&self, now: Timestamp, profile: &KeysProfile) -> Maturity {
        let state = if self.active_days >= profile.mature_days {
            MaturityState::Mature
        } else if self.active_days >= 7 {
            MaturityState::Provisional
        } else {
            MaturityState::Learning
        };
        let age = self.first_day.map_or(0, |first| now.day().saturating_sub(first)).max(0);
        Maturity { state, age_days: age as f64, active_days: self.active_days }
    }

    fn close_day(&mut self, day: i64, kept: f64) {
        self.exposure_days *= kept;
        self.principal_days *= kept;
        self.arrivals.iter_mut().for_each(|a| *a *= kept);
        let begun = self.first_day.is_some_and(|first| first <= day);
        if begun && day.saturating_sub(self.last_day) <= SILENT_DAYS {
            self.active_days = self.active_days.saturating_add(1);
            self.exposure_days += 1.0;
        }
    }
}

fn end_of(minute: i64) -> Timestamp {
    Timestamp::of_minute(minute.saturating_add(1))
}

fn type_index(principal_type: PrincipalType) -> usize {
    match principal_type {
        PrincipalType::User => 0,
        PrincipalType::ServicePrincipal | PrincipalType::Unknown => 1,
        PrincipalType::ManagedIdentity => 2,
    }
}

/// A principal inside its tenant.
pub type PrincipalKey = (Text, PrincipalId);

/// What [`TenantModel::advance`] hands out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advance {
    /// Definitive findings, in the order in which their minutes closed.
    pub findings: Vec<Finding>,
    /// Directories of the midnights that passed, oldest first.
    pub directories: Vec<Arc<PrincipalDirectory>>,
}

/// The tenant model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TenantModel {
    pub(crate) scopes: BTreeMap<Text, Scope>,
    pub(crate) principals: BTreeMap<PrincipalKey, PrincipalHabit>,
    pub(crate) open: BTreeMap<i64, BTreeSet<TenantOperation>>,
    /// Newest watermark that was applied.
    pub(crate) closed: Option<Timestamp>,
    /// The day that is open.
    pub(crate) day: Option<i64>,
    /// Records that came after their minute had closed, with their stamps, in order of arrival;
    /// applied at the next advance.
    pub(crate) late: Vec<(TenantOperation, Timestamp)>,
    /// Operations that did not fit their minute.
    pub(crate) dropped: u64,
}

impl TenantModel {
    /// Takes one record in, with the watermark stamped on it. What comes of it depends on the
    /// sequence of records and stamps only, not on how they were batched.
    pub fn observe(&mut self, operation: TenantOperation, watermark: Timestamp) {
        let minute = operation.time.minute();
        let passed = self.closed.map_or(watermark, |closed| closed.max(watermark));
        if end_of(minute) <= passed {
            self.late.push((operation, passed));
            return;
        }
        let cell = self.open.entry(minute).or_default();
        cell.insert(operation);
        if cell.len() > CELL_OPERATIONS_MAX {
            cell.pop_last();
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Closes the minutes that the watermark has passed, judges and learns them in time order,
    /// and hands out what came of it.
    pub fn advance(&mut self, watermark: Timestamp, profile: &Profile) -> Advance {
        let mut out = Advance::default();
        self.close_until(watermark, &profile.keys, &mut out);
        out
    }

    /// Findings of the minutes that are still open, judged on a copy; learns nothing.
    pub fn judge_open(&self, profile: &Profile) -> Vec<Finding> {
        let mut copy = self.clone();
        let last = self.open.last_key_value().map(|(minute, _)| end_of(*minute));
        let late = self.late.iter().map(|(_, stamp)| *stamp).max();
        let Some(end) = last.max(late) else { return Vec::new() };
        let mut out = Advance::default();
        copy.close_until(end, &profile.keys, &mut out);
        out.findings
    }

    /// Principals known so far, ascending by tenant and principal.
    pub fn principals(&self) -> &BTreeMap<PrincipalKey, PrincipalHabit> {
        &self.principals
    }

    /// Operations that did not fit their minute, so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets one principal in every tenant.
    pub fn forget(&mut self, principal: &PrincipalId) {
        self.principals.retain(|(_, known), _| known != principal);
    }

    /// Heap bytes, for the memory budget.
    pub fn heap_bytes(&self) -> usize {
        let open = self.open.values().map(BTreeSet::len).sum::<usize>() + self.late.len();
        let known: usize = self.scopes.values().map(Scope::known_accounts).sum();
        self.principals
            .values()
            .map(|h| h.heap_bytes() + size_of::<(PrincipalKey, PrincipalHabit)>())
            .sum::<usize>()
            + open * size_of::<TenantOperation>()
            + known * size_of::<u64>()
    }

    fn close_until(&mut self, watermark: Timestamp, profile: &KeysProfile, out: &mut Advance) {
        while let Some(entry) = self.open.first_entry() {
            let minute = *entry.key();
            if end_of(minute) > watermark {
                break;
            }
            let cell = entry.remove();
            self.apply_late(end_of(minute).plus_ms(-1), profile, out);
            self.roll_days(Timestamp::of_minute(minute).day(), profile, out);
            self.close_cell(minute, &cell, false, profile, out);
        }
        self.apply_late(watermark, profile, out);
        if self.day.is_some() {
            self.roll_days(watermark.day(), profile, out);
        }
        self.closed = self.closed.max(Some(watermark));
    }

    /// Applies the late records stamped up to `until`: after the minutes that their stamp had
    /// closed, before the next.
    fn apply_late(&mut self, until: Timestamp, profile: &KeysProfile, out: &mut Advance) {
        let due = self.late.partition_point(|(_, stamp)| *stamp <= until);
        for (operation, stamp) in self.late.drain(..due).collect::<Vec<_>>() {
            if self.day.is_some() {
                self.roll_days(stamp.day(), profile, out);
            }
            let minute = operation.time.minute();
            self.close_cell(minute, &BTreeSet::from([operation]), true, profile, out);
        }
    }

    /// Closes the days before `day`: learns their counts, decays, publishes the directory.
    fn roll_days(&mut self, day: i64, profile: &KeysProfile, out: &mut Advance) {
        let Some(open) = self.day else {
            self.day = Some(day);
            return;
        };
        let first = open.max(day.saturating_sub(DAYS_AT_ONCE_MAX));
        for closing in first..day {
            self.close_day(closing, profile, out);
        }
        self.day = Some(open.max(day));
    }

    fn close_day(&mut self, day: i64, profile: &KeysProfile, out: &mut Advance) {
        let kept = (-1.0 / profile.half_life_days).exp2();
        let midnight = day.saturating_add(1);
        for habit in self.principals.values_mut() {
            habit.decay(kept, midnight);
            habit.learn_day(day, profile.sweep.regular_days);
        }
        for scope in self.scopes.values_mut() {
            scope.close_day(day, kept);
        }
        let directory = PrincipalDirectory::new(midnight, self.directory_entries(profile));
        out.directories.push(Arc::new(directory));
    }

    fn directory_entries(&self, profile: &KeysProfile) -> Vec<DirectoryEntry> {
        let reading = self.principals.iter().filter(|(_, habit)| habit.seen_days > 0);
        reading
            .map(|((_, principal), habit)| DirectoryEntry {
                principal: principal.clone(),
                principal_type: habit.principal_type,
                accounts: u32::try_from(habit.count(|a| a.days >= profile.sweep.regular_days))
                    .unwrap_or(u32::MAX),
                subscriptions: subscriptions(habit),
                runs: habit.runs,
                days: habit.days,
                expansions: habit.expansions,
                first_day: habit.first_seen.day(),
                last_day: habit.last_seen.day(),
            })
            .collect()
    }

    /// Judges and learns one minute, principal by principal. `late`: its turn had passed.
    fn close_cell(
        &mut self,
        minute: i64,
        cell: &BTreeSet<TenantOperation>,
        late: bool,
        profile: &KeysProfile,
        out: &mut Advance,
    ) {
        let mut by_principal: BTreeMap<PrincipalKey, Vec<&TenantOperation>> = BTreeMap::new();
        for operation in finished(cell) {
            let scope = self.scope_key(operation);
            by_principal.entry((scope, operation.principal.clone())).or_default().push(operation);
        }
        for (key, operations) in by_principal {
            if let Some(mut observation) = self.step(&key, &operations, minute, profile) {
                observation.late = late;
                out.findings.extend(key_script::judge(&observation, profile));
            }
        }
        self.enforce_bounds();
    }

    fn scope_key(&self, operation: &TenantOperation) -> Text {
        let key = observe::scope_key(operation);
        if self.scopes.contains_key(&key) || self.scopes.len() < SCOPES_MAX {
            key
        } else {
            Text::default()
        }
    }

    /// Takes a principal's operations of one minute in; an observation if the chain touches a
    /// Cosmos DB account.
    fn step(
        &mut self,
        key: &PrincipalKey,
        operations: &[&TenantOperation],
        minute: i64,
        profile: &KeysProfile,
    ) -> Option<key_script::SweepObservation> {
        let last = *operations.last()?;
        let scope = self.scopes.entry(key.0.clone()).or_default();
        let habit = self.principals.entry(key.clone()).or_insert_with(|| PrincipalHabit::new(last));
        let mut fresh = false;
        for operation in operations {
            scope.note(operation);
            let added = habit.add(operation, profile);
            fresh |= added;
            if added && operation.cosmos_account().is_some() {
                let day = operation.time.day();
                if habit.arrival.is_none() {
                    let arrival = scope.arrival(day, habit.principal_type, profile);
                    scope.arrivals[type_index(habit.principal_type)] += arrival.weight;
                    habit.arrival = Some(arrival);
                }
                if habit.key_day < day {
                    habit.key_day = day;
                    scope.principal_days += 1.0;
                }
            }
        }
        let in_chain = habit.last_keys >= habit.chain.start;
        (fresh && in_chain).then(|| observe::observe(habit, scope, last, minute, profile))
    }

    fn enforce_bounds(&mut self) {
        let uses = |principals: &BTreeMap<PrincipalKey, PrincipalHabit>| {
            principals.values().map(|h| h.accounts.len()).sum::<usize>()
        };
        // Counting rows is only worth it when there could be too many.
        let rows_possible =
            self.principals.len().saturating_mul(super::habit::ACCOUNTS_MAX) > ACCOUNT_USES_MAX;
        while self.principals.len() > PRINCIPALS_MAX
            || (rows_possible && uses(&self.principals) > ACCOUNT_USES_MAX)
        {
            self.evict(self.principals.len().div_ceil(16));
        }
    }

    fn evict(&mut self, count: usize) {
        let mut ranked: Vec<(bool, u32, Timestamp, PrincipalKey)> = self
            .principals
            .iter()
            .map(|(key, h)| (h.arrival.is_some(), h.seen_days, h.last_seen, key.clone()))
            .collect();
        ranked.sort();
        for (_, _, _, key) in ranked.into_iter().take(count) {
            self.principals.remove(&key);
        }
    }
}

fn subscriptions(habit: &PrincipalHabit) -> u32 {
    let distinct: BTreeSet<&SubscriptionId> =
        habit.accounts.iter().filter_map(|a| a.subscription.as_ref()).collect();
    u32::try_from(distinct.len()).unwrap_or(u32::MAX)
}
