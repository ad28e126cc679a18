//! Persisted form of the tenant model and of the directories it published.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::words;
use crate::baseline::principals::{DirectoryEntry, PrincipalDirectory};
use crate::event::Place;
use crate::ids::{AccountId, PrincipalId, SubscriptionId, TenantId, Text};
use crate::intel::view::{AddressInfo, Country};
use crate::tenant::habit::{
    ACCOUNTS_MAX, AccountUse, Chain, DayCounts, PrincipalHabit, RECENT_MAX, RecentUse,
    TenantArrival, account_hash,
};
use crate::tenant::model::{PRINCIPALS_MAX, Scope, TenantModel};
use crate::tenant::operation::TenantOperation;
use crate::time::Timestamp;

/// Mirror of [`TenantModel`].
#[derive(Debug, Serialize, Deserialize)]
pub struct TenantV1 {
    scopes: Vec<(Text, ScopeV1)>,
    principals: Vec<HabitV1>,
    /// Operations of open minutes, ascending.
    open: Vec<OperationV1>,
    /// Late operations with their stamps, in order of arrival.
    late: Vec<(OperationV1, i64)>,
    closed: Option<i64>,
    day: Option<i64>,
    dropped: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ScopeV1 {
    first_day: Option<i64>,
    last_day: i64,
    active_days: u32,
    exposure_days: f64,
    arrivals: [f64; 3],
    principal_days: f64,
    accounts: Vec<(Text, Vec<u64>)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HabitV1 {
    scope: Text,
    principal: Text,
    name: Text,
    principal_type: u8,
    /// Day, rate, weight.
    arrival: Option<(i64, f64, f64)>,
    /// First and last operation, last on a key.
    seen: (i64, i64, i64),
    key_day: i64,
    runs: u32,
    seen_days: u32,
    /// Days, hour, day, new accounts, expansions, providers; weeks and months as (sum, number).
    sums: [f64; 6],
    week: (f64, f64),
    month: (f64, f64),
    accounts: Vec<AccountUseV1>,
    hash_limit: u64,
    recent: Vec<RecentV1>,
    /// Start, last, providers.
    chain: (i64, i64, Vec<Text>),
    /// Day; busiest hour, day, new accounts, providers.
    today: (i64, [u64; 4]),
}

#[derive(Debug, Serialize, Deserialize)]
struct AccountUseV1 {
    account: String,
    resource_id: Option<Text>,
    subscription: Option<Text>,
    last: i64,
    /// First and last day.
    days: (i64, i64),
    distinct_days: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecentV1 {
    time: i64,
    identity: u64,
    accepted: bool,
    target: u64,
    account: Option<String>,
    operation: Text,
    kind: u8,
    correlation_id: Text,
    place: [u32; 3],
}

#[derive(Debug, Serialize, Deserialize)]
struct OperationV1 {
    time: i64,
    digest: u128,
    place: [u32; 3],
    tenant: Option<Text>,
    subscription: Option<Text>,
    account: Option<String>,
    target: Text,
    operation: Text,
    /// Kind, outcome, type of principal.
    codes: [u8; 3],
    principal: Text,
    principal_name: Text,
    app_id: Text,
    correlation_id: Text,
    ip: Option<IpAddr>,
    address: PlaceV1,
}

/// What an address is.
#[derive(Debug, Serialize, Deserialize)]
struct PlaceV1 {
    class: u8,
    country: Option<[u8; 2]>,
    asn: Option<u32>,
    organisation: Text,
    city: Option<Text>,
    azure_region: Option<Text>,
    listed_ever: bool,
}

/// Mirror of [`PrincipalDirectory`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DirectoryV1 {
    day: i64,
    entries: Vec<DirectoryEntryV1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DirectoryEntryV1 {
    principal: Text,
    principal_type: u8,
    /// Accounts, subscriptions, runs.
    counts: [u32; 3],
    /// Days, expansions.
    days: (f64, f64),
    /// First and last day.
    seen: (i64, i64),
}

fn sound(values: &[f64]) -> bool {
    values.iter().all(|v| v.is_finite() && *v >= 0.0)
}

impl From<&TenantModel> for TenantV1 {
    fn from(m: &TenantModel) -> TenantV1 {
        TenantV1 {
            scopes: m.scopes.iter().map(|(key, s)| (key.clone(), s.into())).collect(),
            principals: m.principals.iter().map(|(key, h)| habit_v1(key, h)).collect(),
            open: m.open.values().flatten().map(OperationV1::from).collect(),
            late: m.late.iter().map(|(o, stamp)| (o.into(), stamp.0)).collect(),
            closed: m.closed.map(|t| t.0),
            day: m.day,
            dropped: m.dropped,
        }
    }
}

impl From<&Scope> for ScopeV1 {
    fn from(s: &Scope) -> ScopeV1 {
        ScopeV1 {
            first_day: s.first_day,
            last_day: s.last_day,
            active_days: s.active_days,
            exposure_days: s.exposure_days,
            arrivals: s.arrivals,
            principal_days: s.principal_days,
            accounts: s.accounts.iter().map(|(key, known)| (key.clone(), known.clone())).collect(),
        }
    }
}

fn habit_v1((scope, principal): &(Text, PrincipalId), h: &PrincipalHabit) -> HabitV1 {
    let t = &h.today;
    HabitV1 {
        scope: scope.clone(),
        principal: principal.text().clone(),
        name: h.name.clone(),
        principal_type: words::principal_type_code(h.principal_type),
        arrival: h.arrival.map(|a| (a.day, a.rate, a.weight)),
        seen: (h.first_seen.0, h.last_seen.0, h.last_keys.0),
        key_day: h.key_day,
        runs: h.runs,
        seen_days: h.seen_days,
        sums: [h.days, h.hour_sum, h.day_sum, h.new_sum, h.expansions, h.provider_sum],
        week: h.week,
        month: h.month,
        accounts: h.accounts.iter().map(AccountUseV1::from).collect(),
        hash_limit: h.hash_limit,
        recent: h.recent.iter().map(RecentV1::from).collect(),
        chain: (h.chain.start.0, h.chain.last.0, h.chain.providers.clone()),
        today: (t.day, [t.hour, t.day_accounts, t.new_accounts, t.providers]),
    }
}

impl From<&AccountUse> for AccountUseV1 {
    fn from(a: &AccountUse) -> AccountUseV1 {
        AccountUseV1 {
            account: a.account.key(),
            resource_id: a.resource_id.clone(),
            subscription: a.subscription.as_ref().map(|s| s.text().clone()),
            last: a.last.0,
            days: (a.first_day, a.last_day),
            distinct_days: a.days,
        }
    }
}

impl From<&RecentUse> for RecentV1 {
    fn from(r: &RecentUse) -> RecentV1 {
        RecentV1 {
            time: r.time.0,
            identity: r.identity,
            accepted: r.accepted,
            target: r.target,
            account: r.account.as_ref().map(AccountId::key),
            operation: r.operation.clone(),
            kind: words::operation_code(r.kind),
            correlation_id: r.correlation_id.clone(),
            place: r.place.packed(),
        }
    }
}

impl From<&TenantOperation> for OperationV1 {
    fn from(o: &TenantOperation) -> OperationV1 {
        OperationV1 {
            time: o.time.0,
            digest: o.digest,
            place: o.place.packed(),
            tenant: o.tenant.as_ref().map(|t| t.text().clone()),
            subscription: o.subscription.as_ref().map(|s| s.text().clone()),
            account: o.account.as_ref().map(AccountId::key),
            target: o.target.clone(),
            operation: o.operation.clone(),
            codes: [
                words::operation_code(o.kind),
                words::outcome_code(o.outcome),
                words::principal_type_code(o.principal_type),
            ],
            principal: o.principal.text().clone(),
            principal_name: o.principal_name.clone(),
            app_id: o.app_id.clone(),
            correlation_id: o.correlation_id.clone(),
            ip: o.ip,
            address: (&o.address).into(),
        }
    }
}

impl From<&AddressInfo> for PlaceV1 {
    fn from(a: &AddressInfo) -> PlaceV1 {
        PlaceV1 {
            class: words::class_code(a.class),
            country: a.country.map(|c| c.0),
            asn: a.asn,
            organisation: a.organisation.clone(),
            city: a.city.clone(),
            azure_region: a.azure_region.clone(),
            listed_ever: a.listed_ever,
        }
    }
}

impl TryFrom<TenantV1> for TenantModel {
    type Error = &'static str;

    fn try_from(v: TenantV1) -> Result<TenantModel, &'static str> {
        if v.principals.len() > PRINCIPALS_MAX {
            return Err("more principals than a tenant model keeps");
        }
        let mut open: BTreeMap<i64, BTreeSet<TenantOperation>> = BTreeMap::new();
        for operation in v.open {
            let operation = TenantOperation::try_from(operation)?;
            open.entry(operation.time.minute()).or_default().insert(operation);
        }
        let late = |(operation, stamp): (OperationV1, i64)| {
            Ok((TenantOperation::try_from(operation)?, Timestamp(stamp)))
        };
        let scope = |(key, scope): (Text, ScopeV1)| Ok((key, Scope::try_from(scope)?));
        Ok(TenantModel {
            scopes: v.scopes.into_iter().map(scope).collect::<Result<_, &'static str>>()?,
            principals: v.principals.into_iter().map(habit).collect::<Result<_, _>>()?,
            open,
            late: v.late.into_iter().map(late).collect::<Result<_, &'static str>>()?,
            closed: v.closed.map(Timestamp),
            day: v.day,
            dropped: v.dropped,
        })
    }
}

impl TryFrom<ScopeV1> for Scope {
    type Error = &'static str;

    fn try_from(v: ScopeV1) -> Result<Scope, &'static str> {
        if !sound(&v.arrivals) || !sound(&[v.exposure_days, v.principal_days]) {
            return Err("a tenant's count is negative or not finite");
        }
        if !v.accounts.iter().all(|(_, known)| known.is_sorted_by(|a, b| a < b)) {
            return Err("known accounts are out of order");
        }
        Ok(Scope {
            first_day: v.first_day,
            last_day: v.last_day,
            active_days: v.active_days,
            exposure_days: v.exposure_days,
            arrivals: v.arrivals,
            principal_days: v.principal_days,
            accounts: v.accounts.into_iter().collect(),
        })
    }
}

fn habit(v: HabitV1) -> Result<((Text, PrincipalId), PrincipalHabit), &'static str> {
    let arrival = v.arrival.map(|(day, rate, weight)| TenantArrival { day, rate, weight });
    let [days, hour_sum, day_sum, new_sum, expansions, provider_sum] = v.sums;
    let arrival_sound = arrival.is_none_or(|a| sound(&[a.rate, a.weight]));
    if !sound(&v.sums) || !sound(&[v.week.0, v.week.1, v.month.0, v.month.1]) || !arrival_sound {
        return Err("a principal's count is negative or not finite");
    }
    if v.accounts.len() > ACCOUNTS_MAX || v.recent.len() > RECENT_MAX {
        return Err("a principal has more rows than are kept");
    }
    let accounts: Vec<AccountUse> = v.accounts.into_iter().map(AccountUse::from).collect();
    if !accounts.is_sorted_by(|a, b| a.account < b.account) {
        return Err("a principal's accounts are out of order");
    }
    let (start, last, providers) = v.chain;
    let (day, [hour, day_accounts, new_accounts, provider_count]) = v.today;
    let habit = PrincipalHabit {
        name: v.name,
        principal_type: words::principal_type(v.principal_type)
            .ok_or("unknown kind of principal")?,
        arrival,
        first_seen: Timestamp(v.seen.0),
        last_seen: Timestamp(v.seen.1),
        last_keys: Timestamp(v.seen.2),
        key_day: v.key_day,
        runs: v.runs,
        seen_days: v.seen_days,
        days,
        hour_sum,
        day_sum,
        week: v.week,
        month: v.month,
        new_sum,
        expansions,
        provider_sum,
        accounts,
        hash_limit: v.hash_limit,
        recent: v.recent.into_iter().map(RecentUse::try_from).collect::<Result<_, _>>()?,
        chain: Chain { start: Timestamp(start), last: Timestamp(last), providers },
        today: DayCounts { day, hour, day_accounts, new_accounts, providers: provider_count },
    };
    Ok(((v.scope, PrincipalId::from_lowercase(v.principal)), habit))
}

impl From<AccountUseV1> for AccountUse {
    fn from(v: AccountUseV1) -> AccountUse {
        let account = AccountId::parse(&v.account);
        AccountUse {
            hash: account_hash(&account),
            account,
            resource_id: v.resource_id,
            subscription: v.subscription.map(SubscriptionId::from_lowercase),
            last: Timestamp(v.last),
            first_day: v.days.0,
            last_day: v.days.1,
            days: v.distinct_days,
        }
    }
}

impl TryFrom<RecentV1> for RecentUse {
    type Error = &'static str;

    fn try_from(v: RecentV1) -> Result<RecentUse, &'static str> {
        Ok(RecentUse {
            time: Timestamp(v.time),
            identity: v.identity,
            accepted: v.accepted,
            target: v.target,
            account: v.account.as_deref().map(AccountId::parse),
            operation: v.operation,
            kind: words::operation(v.kind).ok_or("unknown credential operation")?,
            correlation_id: v.correlation_id,
            place: Place::unpack(v.place),
        })
    }
}

impl TryFrom<OperationV1> for TenantOperation {
    type Error = &'static str;

    fn try_from(v: OperationV1) -> Result<TenantOperation, &'static str> {
        let [kind, outcome, principal_type] = v.codes;
        Ok(TenantOperation {
            time: Timestamp(v.time),
            digest: v.digest,
            place: Place::unpack(v.place),
            tenant: v.tenant.map(TenantId::from_lowercase),
            subscription: v.subscription.map(SubscriptionId::from_lowercase),
            account: v.account.as_deref().map(AccountId::parse),
            target: v.target,
            operation: v.operation,
            kind: words::operation(kind).ok_or("unknown credential operation")?,
            outcome: words::outcome(outcome).ok_or("unknown outcome")?,
            principal: PrincipalId::from_lowercase(v.principal),
            principal_name: v.principal_name,
            principal_type: words::principal_type(principal_type)
                .ok_or("unknown kind of principal")?,
            app_id: v.app_id,
            correlation_id: v.correlation_id,
            ip: v.ip,
            address: v.address.try_into()?,
        })
    }
}

impl TryFrom<PlaceV1> for AddressInfo {
    type Error = &'static str;

    fn try_from(v: PlaceV1) -> Result<AddressInfo, &'static str> {
        Ok(AddressInfo {
            class: words::class(v.class).ok_or("unknown address class")?,
            country: v.country.map(Country),
            asn: v.asn,
            organisation: v.organisation,
            city: v.city,
            azure_region: v.azure_region,
            listed_ever: v.listed_ever,
        })
    }
}

impl From<&PrincipalDirectory> for DirectoryV1 {
    fn from(d: &PrincipalDirectory) -> DirectoryV1 {
        let entry = |e: &DirectoryEntry| DirectoryEntryV1 {
            principal: e.principal.text().clone(),
            principal_type: words::principal_type_code(e.principal_type),
            counts: [e.accounts, e.subscriptions, e.runs],
            days: (e.days, e.expansions),
            seen: (e.first_day, e.last_day),
        };
        DirectoryV1 { day: d.day, entries: d.entries().iter().map(entry).collect() }
    }
}

impl TryFrom<DirectoryV1> for PrincipalDirectory {
    type Error = &'static str;

    fn try_from(v: DirectoryV1) -> Result<PrincipalDirectory, &'static str> {
        let entry = |e: DirectoryEntryV1| {
            if !sound(&[e.days.0, e.days.1]) {
                return Err("a directory's days are out of range");
            }
            let [accounts, subscriptions, runs] = e.counts;
            Ok(DirectoryEntry {
                principal: PrincipalId::from_lowercase(e.principal),
                principal_type: words::principal_type(e.principal_type)
                    .ok_or("unknown kind of principal")?,
                accounts,
                subscriptions,
                runs,
                days: e.days.0,
                expansions: e.days.1,
                first_day: e.seen.0,
                last_day: e.seen.1,
            })
        };
        let entries = v.entries.into_iter().map(entry).collect::<Result<_, _>>()?;
        Ok(PrincipalDirectory::new(v.day, entries))
    }
}

#[cfg(test)]
mod tests;
