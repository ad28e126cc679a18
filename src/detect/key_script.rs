//! Keys of many accounts read by one principal, as a script does: how many distinct accounts in an hour,
//! a day, a week, a month and how many new ones, against the principal's own habit; whether it is
//! new itself; how many other providers' credentials it took in the same breath; whether it goes as evenly
//! and in the order that the public tools do.
//!
//! The parts are independent under "benign" only within one window, so each window is a test of
//! its own and the best of the five pays for having been chosen (weighted Bonferroni).
use std::net::IpAddr;

use super::key_principal::operation_name;
use super::{
    AlertKind, CallerFacts, Evidence, Facet, Finding, Quantity, SweepEvidence, Test, Usual,
};
use crate::baseline::maturity::Maturity;
use crate::event::{CredentialOperation, Place, PrincipalType, Records};
use crate::ids::{AccountId, PrincipalId, Text};
use crate::intel::view::AddressInfo;
use crate::profile::KeysProfile;
use crate::stats::independent::{counted_tail, product_tail};
use crate::stats::nbinom::predictive_upper_tail;
use crate::time::{HOUR_MS, Timestamp};

/// Longest an alert may reach back, whatever the window that decided.
const REACH_MS: i64 = 26 * HOUR_MS;
/// Rows of a timeline.
const TIMELINE_MAX: usize = 40;
/// Providers beyond this many make no difference.
const PROVIDERS_COUNTED: u64 = 16;

/// Which count of accounts a window tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Distinct accounts in an hour.
    Hour,
    /// In 24 hours.
    Day,
    /// Irregular accounts in 7 days.
    Week,
    /// Irregular accounts in 30 days.
    Month,
    /// Accounts that the principal never touched before today.
    NewToday,
}

impl WindowKind {
    /// All, in the order of [`crate::profile::SweepProfile::weights`].
    pub const ALL: [WindowKind; 5] = [
        WindowKind::Hour,
        WindowKind::Day,
        WindowKind::Week,
        WindowKind::Month,
        WindowKind::NewToday,
    ];
    /// Length, hours.
    pub fn hours(self) -> i64 {
        match self {
            WindowKind::Hour => 1,
            WindowKind::Day | WindowKind::NewToday => 24,
            WindowKind::Week => 7 * 24,
            WindowKind::Month => 30 * 24,
        }
    }
    fn name(self) -> &'static str {
        match self {
            WindowKind::Hour => "accounts, 1 h",
            WindowKind::Day => "accounts, 24 h",
            WindowKind::Week => "irregular accounts, 7 d",
            WindowKind::Month => "irregular accounts, 30 d",
            WindowKind::NewToday => "accounts new to the principal, 24 h",
        }
    }
    /// An account is part of this window's count.
    fn counts(self, account: &AccountTouch, now: Timestamp) -> bool {
        let inside = account.last >= now.plus_ms(-self.hours() * HOUR_MS);
        match self {
            WindowKind::Hour | WindowKind::Day => inside,
            WindowKind::Week | WindowKind::Month => inside && !account.regular,
            WindowKind::NewToday => account.new_today,
        }
    }
}

/// One window's count against the principal's habit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowCount {
    /// Which.
    pub kind: WindowKind,
    /// Counted accounts (scaled up where only a sample is kept).
    pub accounts: u64,
    /// Accounts beyond the first, or new ones, follow a negative binomial of this Gamma shape …
    pub shape: f64,
    /// … and exposure in days.
    pub exposure: f64,
    /// Probability that a principal of this type turns up within the window, if this one did.
    pub arrival: Option<f64>,
}

impl WindowCount {
    fn excess(&self) -> u64 {
        match self.kind {
            WindowKind::NewToday => self.accounts,
            _ => self.accounts.saturating_sub(1),
        }
    }
    fn expected(&self) -> f64 {
        let mean = self.shape / self.exposure;
        if self.kind == WindowKind::NewToday { mean } else { mean + 1.0 }
    }
    fn tail(&self) -> f64 {
        predictive_upper_tail(self.shape, self.exposure, 1.0, self.excess())
    }
}

/// One account that the principal touched within the last 30 days.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountTouch {
    /// Which.
    pub account: AccountId,
    /// Its ARM id, where logged.
    pub resource_id: Option<Text>,
    /// When last.
    pub last: Timestamp,
    /// One of the principal's own accounts.
    pub regular: bool,
    /// Never touched before today.
    pub new_today: bool,
}

/// One principal's key reads as they stood when a minute closed.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepObservation {
    /// Who.
    pub principal: PrincipalId,
    /// Name for people.
    pub name: Text,
    /// Kind.
    pub principal_type: PrincipalType,
    /// Application of the last operation.
    pub app_id: Text,
    /// Address of the last operation.
    pub ip: Option<IpAddr>,
    /// What that address is.
    pub address: AddressInfo,
    /// Minute that decided.
    pub minute: i64,
    /// Accounts of the last 30 days, ascending.
    pub accounts: Vec<AccountTouch>,
    /// The five counts.
    pub windows: [WindowCount; 5],
    /// Other providers in the chain, ascending.
    pub providers: Vec<String>,
    /// Gamma shape and exposure of their number.
    pub provider_habit: (f64, f64),
    /// Chance that this is automation which read the whole estate long before its logs began: then no
    /// count is odd. 0 where the principal is known, or where it goes like a credential dump
    /// (several providers, nothing but `listKeys`).
    pub estate: f64,
    /// Evenly timed: (probability on an innocent day, it was), where it can be told.
    pub script_timing: Option<(f64, bool)>,
    /// In the order of the public tool: the same.
    pub tool_order: Option<(f64, bool)>,
    /// Coefficient of variation of the gaps.
    pub gap_variation: Option<f64>,
    /// Operations of the last 26 hours: time, account or provider, operation; oldest first.
    pub timeline: Vec<(Timestamp, String, String)>,
    /// Where each of them was read.
    pub places: Vec<(Timestamp, Place)>,
    /// Correlation ids of the first and last of them.
    pub events: (Text, Text),
    /// First operation of the chain that the last one belongs to.
    pub chain_start: Timestamp,
    /// Last operation.
    pub end: Timestamp,
    /// Kinds of key operations in the timeline.
    pub kinds: Vec<CredentialOperation>,
    /// Share of the subscription's known accounts touched in 24 hours.
    pub share: f64,
    /// Tests per account-day in this tenant: of a known principal's day, and of an arrival.
    pub per_day: [f64; 2],
    /// Trust in the tenant's picture.
    pub maturity: Maturity,
    /// Records that came after their cell had closed took part.
    pub late: bool,
}

/// The finding, if the principal read the keys of several accounts, or of one and of several
/// other providers, and innocent life rarely does. Never without a Cosmos DB account.
pub fn judge(o: &SweepObservation, profile: &KeysProfile) -> Option<Finding> {
    let now = Timestamp::of_minute(o.minute.saturating_add(1));
    let weighted = |(at, window): (usize, &WindowCount)| {
        let weight = profile.sweep.weights.get(at).copied().unwrap_or(0.0);
        (window_p(o, window) / weight.max(f64::MIN_POSITIVE), *window)
    };
    let tests = o.windows.iter().enumerate().map(weighted);
    let (p, window) = tests.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let touched: Vec<&AccountTouch> =
        o.accounts.iter().filter(|a| window.kind.counts(a, now)).collect();
    let several = touched.len() >= 2 || (o.providers.len() >= 2 && !touched.is_empty());
    let first = touched.first()?;
    if !several || p > profile.report_p {
        return None;
    }
    let per_day = o.per_day[usize::from(window.arrival.is_some())];
    Some(Finding {
        kind: AlertKind::MaliciousScript,
        account: first.account.clone(),
        resource_id: first.resource_id.clone(),
        accounts: touched.iter().map(|a| (a.account.clone(), a.resource_id.clone())).collect(),
        dedup: o.principal.as_str().to_owned(),
        start: start(o, &window),
        end: o.end,
        decided: now,
        test: Test { p: p.min(1.0), per_day, rule: None, ceiling: None },
        maturity: o.maturity,
        late: o.late,
        caller: caller(o),
        records: records(o, start(o, &window)),
        evidence: Evidence::Sweep(evidence(o, &window, &touched)),
        facets: facets(o, &window),
        companions: Vec::new(),
    })
}

/// P(at least this odd | benign) of one window: the count, the chain of providers, and the yes-or-no
/// properties together.
fn window_p(o: &SweepObservation, window: &WindowCount) -> f64 {
    let (shape, exposure) = o.provider_habit;
    let at_least = |k: u64| predictive_upper_tail(shape, exposure, 1.0, k);
    let masses: Vec<f64> =
        (0..PROVIDERS_COUNTED).map(|k| (at_least(k) - at_least(k + 1)).max(0.0)).collect();
    let providers = (o.providers.len() as u64).min(PROVIDERS_COUNTED - 1);
    let mut properties = Vec::new();
    properties.extend(o.script_timing);
    properties.extend(o.tool_order);
    let observed = window.tail() * at_least(providers);
    let odd = product_tail(&properties, observed, |x| counted_tail(&masses, x));
    // A newcomer is judged by its type's prior, a known principal by its own days: two populations,
    // so that "one arrives, and is as odd as this among its like" is a plain product.
    let odd = odd * window.arrival.unwrap_or(1.0);
    o.estate + (1.0 - o.estate) * odd
}

/// Windows of a day and less tell the whole window; longer ones the last 26 hours of it.
fn start(o: &SweepObservation, window: &WindowCount) -> Timestamp {
    let reach = window.kind.hours().saturating_mul(HOUR_MS).min(REACH_MS);
    let earliest = o.end.plus_ms(-reach);
    let inside = o.timeline.iter().map(|(time, _, _)| *time).find(|time| *time >= earliest);
    inside.unwrap_or(o.end).min(o.chain_start.max(o.end.plus_ms(-REACH_MS))).min(o.end)
}

/// Those of the operations since `start`.
fn records(o: &SweepObservation, start: Timestamp) -> Records {
    let mut records = Records::default();
    for at in o.places.iter().filter(|(time, _)| *time >= start) {
        records.merge(&Records::between(*at, *at));
        records.sample(at.0, at.1);
    }
    records
}

fn caller(o: &SweepObservation) -> CallerFacts {
    CallerFacts {
        ip: o.ip,
        country: o.address.country,
        city: o.address.city.clone(),
        asn: o.address.asn,
        organisation: o.address.organisation.clone(),
        class: Some(o.address.class),
        principal: Some(o.principal.clone()),
        principal_name: o.name.clone(),
        principal_type: Some(o.principal_type),
        app_id: o.app_id.clone(),
        operations: o.kinds.iter().map(|k| Text::from(operation_name(*k))).collect(),
        events: o.timeline.len() as u64,
        first_event: o.events.0.to_string(),
        last_event: o.events.1.to_string(),
        ..CallerFacts::default()
    }
}

fn evidence(
    o: &SweepObservation,
    window: &WindowCount,
    touched: &[&AccountTouch],
) -> SweepEvidence {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut timeline = o.timeline.clone();
    // Accounts that only the long windows remember: their last use stands for them.
    for account in touched {
        let name = account.account.to_string();
        if !timeline.iter().any(|(_, what, _)| *what == name) {
            timeline.push((account.last, name, "key operation".to_owned()));
        }
    }
    timeline.sort();
    let surplus = timeline.len().saturating_sub(TIMELINE_MAX);
    timeline.drain(..surplus);
    SweepEvidence {
        accounts: u32::try_from(window.accounts).unwrap_or(u32::MAX),
        window_hours: window.kind.hours() as f64,
        expected_accounts: window.expected(),
        share: o.share,
        new_accounts: count(touched.iter().filter(|a| a.new_today).count()),
        providers: o.providers.clone(),
        operations: count(o.timeline.len()),
        gap_variation: o.gap_variation,
        timeline,
    }
}

fn facets(o: &SweepObservation, decided: &WindowCount) -> Vec<Facet> {
    let mut facets = Vec::new();
    for window in &o.windows {
        facets.push(Facet {
            name: window.kind.name(),
            observed: Quantity::Count(window.accounts as f64),
            usual: usual(window.shape, window.exposure, window.kind != WindowKind::NewToday),
            p: Some(window.tail()),
            broke: window.kind == decided.kind && window.tail() < 0.05,
        });
    }
    let (shape, exposure) = o.provider_habit;
    let chain = predictive_upper_tail(shape, exposure, 1.0, o.providers.len() as u64);
    facets.push(Facet {
        name: "other providers in the chain",
        observed: Quantity::Count(o.providers.len() as f64),
        usual: usual(shape, exposure, false),
        p: Some(chain),
        broke: chain < 0.05,
    });
    if let Some(p) = decided.arrival {
        let name = if o.name.is_empty() { o.principal.as_str() } else { &o.name };
        facets.push(Facet {
            name: "principal",
            observed: Quantity::Name(name.to_owned()),
            usual: Usual::NeverIn { days: f64::from(o.maturity.active_days) },
            p: Some(p),
            broke: p < 0.05,
        });
    }
    let yes_or_no = [("even timing", o.script_timing), ("order of providers", o.tool_order)];
    for (name, property) in yes_or_no {
        if let Some((p, broke)) = property {
            let observed = if broke { "like a script" } else { "like a person" };
            facets.push(Facet {
                name,
                observed: Quantity::Name(observed.to_owned()),
                usual: Usual::Unknown,
                p: broke.then_some(p),
                broke,
            });
        }
    }
    facets.sort_by_key(|f| !f.broke);
    facets
}

/// 5th to 95th percentile of a count under the habit.
fn usual(shape: f64, exposure: f64, beyond_first: bool) -> Usual {
    let quantile = |above: f64| {
        let mut k = 0_u64;
        while k < 4096 && predictive_upper_tail(shape, exposure, 1.0, k + 1) > above {
            k += 1 + k / 64;
        }
        (k + u64::from(beyond_first)) as f64
    };
    Usual::Range(quantile(0.95), quantile(0.05))
}
