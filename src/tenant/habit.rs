//! What is remembered of one principal across the tenant. Plain fields: the store mirrors them.
use super::operation::TenantOperation;
use crate::event::{CredentialOperation, Outcome, Place, PrincipalType};
use crate::ids::{AccountId, SubscriptionId, Text};
use crate::profile::KeysProfile;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// Accounts kept exactly for one principal; beyond it those with the smallest hash are kept and
/// counts are scaled up (a bottom-k sample: which accounts stay does not depend on order).
pub const ACCOUNTS_MAX: usize = 512;
/// Operations of the last 26 hours that are kept for the story.
pub const RECENT_MAX: usize = 64;
/// Providers remembered of one chain.
pub const PROVIDERS_MAX: usize = 16;
/// How long they are kept.
pub const RECENT_MS: i64 = 26 * HOUR_MS;
/// Accounts unseen for this long are forgotten.
const ACCOUNT_FORGOTTEN_DAYS: i64 = 180;

/// One account that a principal touched.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountUse {
    /// Which.
    pub account: AccountId,
    /// Its ARM id.
    pub resource_id: Option<Text>,
    /// Its subscription.
    pub subscription: Option<SubscriptionId>,
    /// Hash of the account: decides who stays in a full table.
    pub hash: u64,
    /// When last.
    pub last: Timestamp,
    /// First day (days since the epoch).
    pub first_day: i64,
    /// Last day.
    pub last_day: i64,
    /// Distinct days.
    pub days: u32,
}

/// One recent credential operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecentUse {
    /// When.
    pub time: Timestamp,
    /// Identity over Start, Accept and Success.
    pub identity: u64,
    /// It ended with Accept so far.
    pub accepted: bool,
    /// Hash of the target.
    pub target: u64,
    /// The Cosmos DB account; `None` for other providers.
    pub account: Option<AccountId>,
    /// Operation as logged, lower-cased.
    pub operation: Text,
    /// What kind.
    pub kind: CredentialOperation,
    /// Correlation id.
    pub correlation_id: Text,
    /// Where it was read.
    pub place: Place,
}

/// Largest counts of the current day, learnt when it closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// The day.
    pub day: i64,
    /// Most accounts in an hour.
    pub hour: u64,
    /// Most accounts in 24 hours.
    pub day_accounts: u64,
    /// Accounts never touched before.
    pub new_accounts: u64,
    /// Most other providers in a chain.
    pub providers: u64,
}

/// Credential operations without a long pause.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// First.
    pub start: Timestamp,
    /// Last.
    pub last: Timestamp,
    /// Providers other than Cosmos DB in it, ascending; at most [`PROVIDERS_MAX`].
    pub providers: Vec<Text>,
}

/// How a principal came to the tenant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TenantArrival {
    /// The day.
    pub day: i64,
    /// New principals of its type a day, expected then.
    pub rate: f64,
    /// Chance that it was truly new rather than one from before the logs.
    pub weight: f64,
}

/// One principal.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalHabit {
    /// Name for people.
    pub name: Text,
    /// Kind.
    pub principal_type: PrincipalType,
    /// First operation on a Cosmos DB account; `None` while it only touched other providers.
    pub arrival: Option<TenantArrival>,
    /// First and last credential operation.
    pub first_seen: Timestamp,
    /// Last one.
    pub last_seen: Timestamp,
    /// Last operation on a Cosmos DB account.
    pub last_keys: Timestamp,
    /// Last day with key operations that was counted for the tenant.
    pub key_day: i64,
    /// Runs of key operations.
    pub runs: u32,
    /// Distinct days with key operations.
    pub seen_days: u32,
    /// The same, decayed: exposure of the sums below.
    pub days: f64,
    /// Σ accounts beyond the first in the busiest hour of a day, decayed.
    pub hour_sum: f64,
    /// Σ the same in 24 hours.
    pub day_sum: f64,
    /// Σ irregular accounts beyond the first in closed weeks, and their number.
    pub week: (f64, f64),
    /// The same in closed 30 days.
    pub month: (f64, f64),
    /// Σ accounts new to it, after its first day.
    pub new_sum: f64,
    /// Days with new accounts, after its first three.
    pub expansions: f64,
    /// Σ other providers in chains.
    pub provider_sum: f64,
    /// Accounts, ascending.
    pub accounts: Vec<AccountUse>,
    /// Accounts with a hash at or above this were dropped; `u64::MAX` while all are kept.
    pub hash_limit: u64,
    /// Operations of the last 26 hours, ascending.
    pub recent: Vec<RecentUse>,
    /// The current chain.
    pub chain: Chain,
    /// The current day.
    pub today: DayCounts,
}

/// Hash of an account, stable for ever (it decides which ones a full table keeps).
pub fn account_hash(account: &AccountId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(account.key().as_bytes())
}

impl PrincipalHabit {
    /// A principal at its first operation.
    pub fn new(first: &TenantOperation) -> PrincipalHabit {
        PrincipalHabit {
            name: first.principal_name.clone(),
            principal_type: first.principal_type,
            arrival: None,
            first_seen: first.time,
            last_seen: first.time,
            last_keys: Timestamp::MIN,
            key_day: i64::MIN,
            runs: 0,
            seen_days: 0,
            days: 0.0,
            hour_sum: 0.0,
            day_sum: 0.0,
            week: (0.0, 0.0),
            month: (0.0, 0.0),
            new_sum: 0.0,
            expansions: 0.0,
            provider_sum: 0.0,
            accounts: Vec::new(),
            hash_limit: u64::MAX,
            recent: Vec::new(),
            chain: Chain { start: first.time, last: first.time, providers: Vec::new() },
            today: DayCounts { day: first.time.day(), ..DayCounts::default() },
        }
    }

    /// Takes one finished operation in. False if it was known (the Success after an Accept).
    pub fn add(&mut self, operation: &TenantOperation, profile: &KeysProfile) -> bool {
        let identity = operation.identity();
        let succeeded = operation.outcome == Outcome::Succeeded;
        if succeeded && self.recent.iter().any(|r| r.accepted && r.identity == identity) {
            return false;
        }
        if !operation.principal_name.is_empty() {
            self.name = operation.principal_name.clone();
        }
        self.first_seen = self.first_seen.min(operation.time);
        self.last_seen = self.last_seen.max(operation.time);
        self.remember(operation, identity);
        self.follow_chain(operation, profile.sweep.chain_minutes.saturating_mul(MINUTE_MS));
        if let Some(account) = operation.cosmos_account() {
            let run_gap_ms = profile.run_gap_minutes.saturating_mul(MINUTE_MS);
            let new_run = operation.time.since(self.last_keys) > run_gap_ms;
            self.runs = self.runs.saturating_add(u32::from(new_run));
            self.last_keys = self.last_keys.max(operation.time);
            self.touch(account, operation);
        }
        true
    }

    fn remember(&mut self, operation: &TenantOperation, identity: u64) {
        let recent = RecentUse {
            time: operation.time,
            identity,
            accepted: operation.outcome == Outcome::Accepted,
            target: xxhash_rust::xxh3::xxh3_64(operation.target.as_bytes()),
            account: operation.cosmos_account().cloned(),
            operation: operation.operation.clone(),
            kind: operation.kind,
            correlation_id: operation.correlation_id.clone(),
            place: operation.place,
        };
        let at = self.recent.partition_point(|r| *r < recent);
        self.recent.insert(at, recent);
        let oldest = self.last_seen.plus_ms(-RECENT_MS);
        let gone = self.recent.partition_point(|r| r.time < oldest);
        self.recent.drain(..gone.max(self.recent.len().saturating_sub(RECENT_MAX)));
    }

    fn follow_chain(&mut self, operation: &TenantOperation, pause_ms: i64) {
        let chain = &mut self.chain;
        if operation.time.since(chain.last) > pause_ms {
            *chain = Chain { start: operation.time, last: operation.time, providers: Vec::new() };
        } else if operation.time < chain.start.plus_ms(-pause_ms) {
            return;
        }
        chain.start = chain.start.min(operation.time);
        chain.last = chain.last.max(operation.time);
        if operation.cosmos_account().is_some() || chain.providers.len() >= PROVIDERS_MAX {
            return;
        }
        let provider = Text::from(operation.provider());
        if let Err(at) = chain.providers.binary_search(&provider) {
            chain.providers.insert(at, provider);
        }
    }

    fn touch(&mut self, account: &AccountId, operation: &TenantOperation) {
        let day = operation.time.day();
        match self.accounts.binary_search_by(|a| a.account.cmp(account)) {
            Ok(at) => {
                let known = &mut self.accounts[at];
                known.last = known.last.max(operation.time);
                known.first_day = known.first_day.min(day);
                if known.last_day < day {
                    known.last_day = day;
                    known.days = known.days.saturating_add(1);
                }
            }
            Err(at) => {
                let hash = account_hash(account);
                if hash >= self.hash_limit {
                    return;
                }
                let target = (!operation.target.is_empty()).then(|| operation.target.clone());
                self.accounts.insert(
                    at,
                    AccountUse {
                        account: account.clone(),
                        resource_id: target,
                        subscription: operation.subscription.clone(),
                        hash,
                        last: operation.time,
                        first_day: day,
                        last_day: day,
                        days: 1,
                    },
                );
                if self.accounts.len() > ACCOUNTS_MAX {
                    self.drop_largest();
                }
            }
        }
    }

    fn drop_largest(&mut self) {
        let largest = self
            .accounts
            .iter()
            .enumerate()
            .max_by_key(|(_, a)| a.hash)
            .map(|(at, a)| (at, a.hash));
        if let Some((at, hash)) = largest {
            self.accounts.remove(at);
            self.hash_limit = hash;
        }
    }

    /// How many accounts one kept account stands for.
    pub fn scale(&self) -> f64 {
        if self.hash_limit == u64::MAX {
            1.0
        } else {
            (u64::MAX as f64) / (self.hash_limit as f64).max(1.0)
        }
    }

    /// Kept accounts that satisfy `test`, scaled up.
    pub fn count(&self, test: impl Fn(&AccountUse) -> bool) -> u64 {
        let kept = self.accounts.iter().filter(|a| test(a)).count() as f64;
        (kept * self.scale()).round() as u64
    }

    /// One of the principal's own accounts: touched on enough days before `day`, or already on
    /// the first day it read keys (that set was judged when it arrived).
    pub fn is_regular(&self, account: &AccountUse, day: i64, regular_days: u32) -> bool {
        let today = u32::from(account.last_day >= day);
        let from_arrival = self.arrival.is_some_and(|a| account.first_day <= a.day && a.day < day);
        from_arrival || account.days.saturating_sub(today) >= regular_days
    }

    /// Kept operations of the current chain.
    pub fn chain_uses(&self) -> &[RecentUse] {
        let from = self.recent.partition_point(|r| r.time < self.chain.start);
        self.recent.get(from..).unwrap_or_default()
    }

    /// Forgets one day's worth of weight and accounts long unseen.
    pub fn decay(&mut self, kept: f64, day: i64) {
        let sums = [
            &mut self.days,
            &mut self.hour_sum,
            &mut self.day_sum,
            &mut self.new_sum,
            &mut self.expansions,
            &mut self.provider_sum,
            &mut self.week.0,
            &mut self.week.1,
            &mut self.month.0,
            &mut self.month.1,
        ];
        for sum in sums {
            *sum *= kept;
        }
        let oldest = Timestamp::of_day(day.saturating_sub(ACCOUNT_FORGOTTEN_DAYS));
        self.accounts.retain(|a| a.last >= oldest);
        let recent = Timestamp::of_day(day).plus_ms(-RECENT_MS);
        self.recent.retain(|r| r.time >= recent);
    }

    /// Learns the closed day: its largest counts, and at the end of a week or 30 days since the
    /// first day the irregular accounts of that block.
    pub fn learn_day(&mut self, day: i64, regular_days: u32) {
        let first_day = self.arrival.map_or(day, |a| a.day);
        if self.today.day == day && self.today.day_accounts > 0 {
            self.days += 1.0;
            self.seen_days = self.seen_days.saturating_add(1);
            self.hour_sum += self.today.hour.saturating_sub(1) as f64;
            self.day_sum += self.today.day_accounts.saturating_sub(1) as f64;
            self.provider_sum += self.today.providers as f64;
            if self.seen_days > 1 {
                self.new_sum += self.today.new_accounts as f64;
            }
            if self.seen_days > 3 && self.today.new_accounts > 0 {
                self.expansions += 1.0;
            }
        }
        let now = Timestamp::of_day(day.saturating_add(1));
        let age = day.saturating_sub(first_day).saturating_add(1);
        for (length, is_week) in [(7, true), (30, false)] {
            let block = now.plus_ms(-length * DAY_MS);
            let irregular = self.count(|a| {
                a.last >= block && !self.is_regular(a, day.saturating_add(1), regular_days)
            });
            let touched = self.accounts.iter().any(|a| a.last >= block);
            if age > 0 && age % length == 0 && touched {
                let sums = if is_week { &mut self.week } else { &mut self.month };
                sums.0 += irregular.saturating_sub(1) as f64;
                sums.1 += 1.0;
            }
        }
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.accounts.capacity() * size_of::<AccountUse>()
            + self.recent.capacity() * size_of::<RecentUse>()
            + self.name.len()
    }
}
