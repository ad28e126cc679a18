//! How a principal's key reads sit against its habit when a minute closes.
use super::habit::{PrincipalHabit, RecentUse};
use super::model::Scope;
use super::operation::TenantOperation;
use crate::detect::key_script::{AccountTouch, SweepObservation, WindowCount, WindowKind};
use crate::event::{CredentialOperation, PrincipalType};
use crate::ids::Text;
use crate::profile::{GammaPrior, KeysProfile, SweepPriors};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Gaps between resources vary less than this in a loop over resources.
const EVEN_VARIATION: f64 = 0.75;
/// … and are no longer than this, milliseconds.
const EVEN_GAP_MS: f64 = 90_000.0;

/// The order in which the public credential dumper (NetSPI's MicroBurst, `Get-AzPasswords`) visits
/// providers.
const TOOL_ORDER: [&str; 7] = [
    "microsoft.keyvault",
    "microsoft.web",
    "microsoft.containerregistry",
    "microsoft.storage",
    "microsoft.automation",
    "microsoft.documentdb",
    "microsoft.containerservice",
];

/// Priors of a type of principal.
pub(super) fn priors(principal_type: PrincipalType, profile: &KeysProfile) -> &SweepPriors {
    match principal_type {
        PrincipalType::User => &profile.sweep.user,
        _ => &profile.sweep.workload,
    }
}

/// Everything the detector needs of a principal, as of the end of `minute`; also raises the day's
/// largest counts, which are learnt when the day closes.
pub(super) fn observe(
    habit: &mut PrincipalHabit,
    scope: &Scope,
    last: &TenantOperation,
    minute: i64,
    profile: &KeysProfile,
) -> SweepObservation {
    let now = Timestamp::of_minute(minute.saturating_add(1));
    let day = last.time.day();
    let hour = habit.count(|a| a.last >= now.plus_ms(-HOUR_MS));
    let in_day = habit.count(|a| a.last >= now.plus_ms(-DAY_MS));
    let fresh = habit.count(|a| a.first_day >= day);
    raise_today(habit, day, [hour, in_day, fresh]);
    let chain: Vec<&RecentUse> = habit.chain_uses().iter().collect();
    let gaps = gap_statistics(&chain);
    let priors = priors(habit.principal_type, profile);
    let regular = profile.sweep.regular_days;
    let even = gaps.map(|(variation, longest)| {
        (priors.script_timing, variation <= EVEN_VARIATION && longest <= EVEN_GAP_MS)
    });
    SweepObservation {
        principal: last.principal.clone(),
        name: habit.name.clone(),
        principal_type: habit.principal_type,
        app_id: last.app_id.clone(),
        ip: last.ip,
        address: last.address.clone(),
        minute,
        accounts: touches(habit, now, day, regular),
        windows: windows(habit, scope, now, [hour, in_day, fresh], profile),
        providers: habit.chain.providers.iter().map(|p| p.to_string()).collect(),
        provider_habit: (
            priors.providers.shape + habit.provider_sum,
            priors.providers.exposure + habit.days,
        ),
        estate: estate(habit, scope, day, profile),
        script_timing: even,
        tool_order: is_tool_order(&chain).map(|ordered| (priors.tool_order, ordered)),
        gap_variation: gaps.map(|(variation, _)| variation),
        timeline: habit.recent.iter().map(timeline_row).collect(),
        places: habit.recent.iter().map(|r| (r.time, r.place)).collect(),
        events: (
            habit.recent.first().map(|r| r.correlation_id.clone()).unwrap_or_default(),
            habit.recent.last().map(|r| r.correlation_id.clone()).unwrap_or_default(),
        ),
        chain_start: habit.chain.start,
        end: habit.last_seen,
        kinds: kinds(&habit.recent),
        share: scope.share(last.subscription.as_ref(), habit, now),
        per_day: scope.tests_per_account_day(profile),
        maturity: scope.maturity(now, profile),
        late: false,
    }
}

/// Chance that a newly seen workload is automation that existed before the logs.
fn estate(habit: &PrincipalHabit, scope: &Scope, day: i64, profile: &KeysProfile) -> f64 {
    let is_new = habit.arrival.is_some_and(|arrival| day <= arrival.day);
    let dumps = habit.chain.providers.len() >= 2
        && habit
            .chain_uses()
            .iter()
            .filter(|r| r.account.is_some())
            .all(|r| r.kind == CredentialOperation::CosmosListKeys);
    if habit.principal_type == PrincipalType::User || !is_new || dumps {
        return 0.0;
    }
    let age = f64::from(scope.active_days) / profile.sweep.estate_days;
    profile.sweep.estate_share * (-age).exp()
}

fn raise_today(habit: &mut PrincipalHabit, day: i64, [hour, in_day, fresh]: [u64; 3]) {
    if day > habit.today.day {
        habit.today = super::habit::DayCounts { day, ..Default::default() };
    }
    if day < habit.today.day {
        return;
    }
    let providers = habit.chain.providers.len() as u64;
    let today = &mut habit.today;
    today.hour = today.hour.max(hour);
    today.day_accounts = today.day_accounts.max(in_day);
    today.new_accounts = today.new_accounts.max(fresh);
    today.providers = today.providers.max(providers);
}

fn touches(habit: &PrincipalHabit, now: Timestamp, day: i64, regular: u32) -> Vec<AccountTouch> {
    let oldest = now.plus_ms(-WindowKind::Month.hours() * HOUR_MS);
    habit
        .accounts
        .iter()
        .filter(|a| a.last >= oldest)
        .map(|a| AccountTouch {
            account: a.account.clone(),
            resource_id: a.resource_id.clone(),
            last: a.last,
            regular: habit.is_regular(a, day, regular),
            new_today: a.first_day >= day,
        })
        .collect()
}

fn windows(
    habit: &PrincipalHabit,
    scope: &Scope,
    now: Timestamp,
    [hour, in_day, fresh]: [u64; 3],
    profile: &KeysProfile,
) -> [WindowCount; 5] {
    let priors = priors(habit.principal_type, profile);
    let day = now.plus_ms(-1).day();
    let irregular = |hours: i64| {
        let from = now.plus_ms(-hours * HOUR_MS);
        habit.count(|a| a.last >= from && !habit.is_regular(a, day, profile.sweep.regular_days))
    };
    let arrival = |kind: WindowKind| {
        let arrival = habit.arrival?;
        let days = (kind.hours() as f64 / 24.0).max(1.0);
        let is_new = day.saturating_sub(arrival.day) < days as i64;
        is_new.then(|| scope.arrival_probability(&arrival, days, profile))
    };
    let window = |kind: WindowKind, accounts: u64, prior: &GammaPrior, (sum, days): (f64, f64)| {
        WindowCount {
            kind,
            accounts,
            shape: prior.shape + sum,
            exposure: prior.exposure + days,
            arrival: arrival(kind),
        }
    };
    let week = irregular(WindowKind::Week.hours());
    let month = irregular(WindowKind::Month.hours());
    // On its first day everything is new to a principal: that is the arrival, not an expansion.
    let fresh = if habit.seen_days == 0 { 0 } else { fresh };
    [
        window(WindowKind::Hour, hour, &priors.hour, (habit.hour_sum, habit.days)),
        window(WindowKind::Day, in_day, &priors.day, (habit.day_sum, habit.days)),
        window(WindowKind::Week, week, &priors.week, habit.week),
        window(WindowKind::Month, month, &priors.month, habit.month),
        window(WindowKind::NewToday, fresh, &priors.new_accounts, (habit.new_sum, habit.days)),
    ]
}

/// Coefficient of variation and median of the gaps between one resource and the next, where the
/// chain has at least three resources.
fn gap_statistics(chain: &[&RecentUse]) -> Option<(f64, f64)> {
    let mut targets = std::collections::BTreeSet::new();
    let times: Vec<i64> =
        chain.iter().filter(|r| targets.insert(r.target)).map(|r| r.time.millis()).collect();
    if times.len() < 3 {
        return None;
    }
    let mut gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let count = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / count;
    let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / count;
    gaps.sort_by(f64::total_cmp);
    let median = gaps[gaps.len() / 2];
    let variation = if mean > 0.0 { variance.sqrt() / mean } else { 0.0 };
    Some((variation, median))
}

/// Whether the providers' first visits keep the public tool's order; `None` below three providers.
fn is_tool_order(chain: &[&RecentUse]) -> Option<bool> {
    let mut ranks: Vec<usize> = Vec::new();
    for recent in chain {
        let provider = recent.operation.split('/').next().unwrap_or_default();
        if let Some(rank) = TOOL_ORDER.iter().position(|known| *known == provider)
            && !ranks.contains(&rank)
        {
            ranks.push(rank);
        }
    }
    (ranks.len() >= 3).then(|| ranks.is_sorted())
}

fn timeline_row(recent: &RecentUse) -> (Timestamp, String, String) {
    let what = match &recent.account {
        Some(account) => account.to_string(),
        None => recent.operation.split('/').next().unwrap_or_default().to_owned(),
    };
    let mut path = recent.operation.trim_end_matches("/action").split('/');
    let action = path.next_back().unwrap_or_default().to_owned();
    (recent.time, what, action)
}

fn kinds(recent: &[RecentUse]) -> Vec<CredentialOperation> {
    let kinds: std::collections::BTreeSet<CredentialOperation> =
        recent.iter().filter(|r| r.account.is_some()).map(|r| r.kind).collect();
    kinds.into_iter().collect()
}

/// Key of the default scope: records that name no Entra tenant.
pub(super) fn scope_key(operation: &TenantOperation) -> Text {
    operation.tenant.as_ref().map(|t| t.text().clone()).unwrap_or_default()
}
