//! What the rules of Tor exits and threat lists share: a finding for each listed address that got
//! in during a minute.
use crate::baseline::listed::{ListedBaseline, ListedState, ListedUse};
use crate::baseline::location::LocationBaseline;
use crate::detect::facts::{broken_first, facts_of, info_of, named_facet, place_facets};
use crate::detect::{
    AlertKind, Evidence, Facet, Finding, ListedEvidence, Quantity, RuleClause, RuleSeverity,
    Severity, Test, Usual,
};
use crate::ids::{AccountId, Text};
use crate::intel::view::{IntelView, ListKind};
use crate::profile::LocationProfile;
use crate::time::Timestamp;

/// What the rules need besides the uses and the history.
#[derive(Clone, Copy, Debug)]
pub struct ListedContext<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its ARM id.
    pub resource_id: Option<&'a Text>,
    /// Who an address is.
    pub intel: &'a IntelView,
    /// Settings.
    pub profile: &'a LocationProfile,
    /// The account's places, for the facets.
    pub location: &'a LocationBaseline,
    /// 95th percentile of the account's bytes an hour, where known.
    pub p95_hourly_bytes: Option<f64>,
    /// A key operation on this account at about the same time (the account decides how near).
    pub key_operation_near: bool,
    /// The kind's share of High's budget: findings a benign account-day.
    pub high_per_day: f64,
}

/// One kind's rule: which clause decides, before the check whether High fits.
pub(super) type Rule = fn(&Circumstances) -> RuleClause;

/// What a rule looks at.
pub(super) struct Circumstances {
    /// First use by this address on an account without such history.
    pub first_use: bool,
    /// Data beyond the account's P95 of an hour went to this address.
    pub data_beyond_p95: bool,
    /// A key operation is near.
    pub key_operation: bool,
}

/// Findings of one kind for the listed addresses of a minute, ascending by address.
pub(super) fn judge(
    (kind, list): (AlertKind, ListKind),
    uses: &[ListedUse],
    minute: i64,
    baseline: &ListedBaseline,
    rule: Rule,
    cx: &ListedContext,
) -> Vec<Finding> {
    let day = Timestamp::of_minute(minute).day();
    let state = baseline.state(list, day, cx.profile);
    uses.iter()
        .filter(|used| used.hit.kind == list)
        .map(|used| {
            let bytes = baseline.recent_bytes(list, used.ip, minute).saturating_add(used.row.bytes);
            let circumstances = Circumstances {
                first_use: baseline.is_new_address(list, used.ip, day)
                    && baseline.is_without(list, day, cx.profile),
                data_beyond_p95: cx.p95_hourly_bytes.is_some_and(|p95| bytes as f64 > p95),
                key_operation: cx.key_operation_near,
            };
            let severity = severity(rule(&circumstances), &state, cx);
            finding(kind, used, minute, &state, (severity, bytes), baseline, cx)
        })
        .collect()
}

/// High where a clause says so, unless such use is too common here to be High's.
fn severity(clause: RuleClause, state: &ListedState, cx: &ListedContext) -> RuleSeverity {
    match clause {
        RuleClause::Plain | RuleClause::TooCommonForHigh => {
            RuleSeverity { severity: Severity::Medium, clause }
        }
        _ if state.measured_per_day > cx.high_per_day => {
            RuleSeverity { severity: Severity::Medium, clause: RuleClause::TooCommonForHigh }
        }
        _ => RuleSeverity { severity: Severity::High, clause },
    }
}

fn finding(
    kind: AlertKind,
    used: &ListedUse,
    minute: i64,
    state: &ListedState,
    (rule, bytes): (RuleSeverity, u64),
    baseline: &ListedBaseline,
    cx: &ListedContext,
) -> Finding {
    let decided = Timestamp::of_minute(minute.saturating_add(1));
    let maturity = baseline.maturity(decided, cx.profile);
    let list = match used.hit.kind {
        ListKind::TorExit => "tor",
        ListKind::Threat => "listed",
    };
    Finding {
        kind,
        account: cx.account.clone(),
        resource_id: cx.resource_id.cloned(),
        accounts: vec![(cx.account.clone(), cx.resource_id.cloned())],
        dedup: format!("{list} {}", used.ip),
        start: used.row.first.0,
        end: used.row.last.0,
        decided,
        // One test a day and kind of list: on most days nobody comes from one.
        test: Test { p: state.p, per_day: 1.0, rule: Some(rule), ceiling: None },
        maturity,
        late: used.row.late,
        caller: facts_of(&used.caller, &used.row, &info_of(&used.caller, cx.intel)),
        evidence: Evidence::Listed(ListedEvidence {
            hit: used.hit.clone(),
            history_days: state.history_days,
            data_returned: used.row.data_reads > 0,
            p95_bytes: cx.p95_hourly_bytes,
        }),
        facets: facets(used, state, (rule, bytes), (decided, maturity.age_days), cx),
        companions: Vec::new(),
    }
}

fn facets(
    used: &ListedUse,
    state: &ListedState,
    (rule, bytes): (RuleSeverity, u64),
    (now, age_days): (Timestamp, f64),
    cx: &ListedContext,
) -> Vec<Facet> {
    let listing = |hit: &crate::intel::view::ListHit| format!("{} ({})", hit.entry, hit.feed);
    let mut facets = vec![Facet {
        name: "list",
        observed: Quantity::Name(listing(&used.hit)),
        usual: if state.history_days > 0.0 {
            Usual::Unknown
        } else {
            Usual::NeverIn { days: age_days }
        },
        p: Some(state.p),
        broke: true,
    }];
    if let Some(also) = &used.also {
        facets.push(named_facet("also listed", listing(also), Vec::new(), true));
    }
    if let Some(p95) = cx.p95_hourly_bytes {
        facets.push(Facet {
            name: "bytes in the hour",
            observed: Quantity::Bytes(bytes as f64),
            usual: Usual::Range(0.0, p95),
            p: None,
            broke: bytes as f64 > p95,
        });
    }
    if rule.clause == RuleClause::KeyOperation {
        facets.push(named_facet("key operation", "near".to_owned(), Vec::new(), true));
    }
    facets.extend(place_facets(&used.caller, cx.location, now, cx.profile.half_life_days));
    broken_first(facets)
}
