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
    // The first use decides; where more data decided, the last.
    let at = if rule.clause == RuleClause::DataBeyondP95 { used.row.last } else { used.row.first };
    let decided = Timestamp::of_minute(at.0.minute().min(minute).saturating_add(1));
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
        end: used.row.last.0.min(decided),
        decided,
        // One test a day and kind of list: on most days nobody comes from one.
        test: Test { p: state.p, per_day: 1.0, rule: Some(rule), ceiling: None },
        maturity,
        late: used.row.late,
        caller: facts_of(&used.caller, &used.row, &info_of(&used.caller, cx.intel)),
        records: used.row.records(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::listed::tests::{DAY, exit, hit, lived_in, uses_at};
    use crate::baseline::location::tests::{Who, cell_at};
    use crate::detect::{suspicious_ip, tor};
    use crate::event::Access;
    use crate::ids::Cloud;
    use crate::profile::Profile;

    struct Case {
        account: AccountId,
        intel: IntelView,
        profile: LocationProfile,
        location: LocationBaseline,
        p95: Option<f64>,
        key_operation: bool,
    }

    impl Case {
        fn new() -> Case {
            Case {
                account: AccountId::new("orders", Cloud::Public),
                intel: IntelView::default(),
                profile: Profile::default().location,
                location: LocationBaseline::new(),
                p95: Some(1e6),
                key_operation: false,
            }
        }
        fn judge(
            &self,
            baseline: &ListedBaseline,
            minute: i64,
            uses: &[ListedUse],
        ) -> Vec<Finding> {
            let cx = ListedContext {
                account: &self.account,
                resource_id: None,
                intel: &self.intel,
                profile: &self.profile,
                location: &self.location,
                p95_hourly_bytes: self.p95,
                key_operation_near: self.key_operation,
                high_per_day: 2e-5,
            };
            let mut all = tor::judge_uses(uses, minute, baseline, &cx);
            all.extend(suspicious_ip::judge_uses(uses, minute, baseline, &cx));
            all
        }
    }

    fn rules(findings: &[Finding]) -> Vec<(AlertKind, Severity, RuleClause)> {
        findings
            .iter()
            .filter_map(|f| f.test.rule.map(|r| (f.kind, r.severity, r.clause)))
            .collect()
    }

    fn quiet() -> ListedBaseline {
        let profile = Profile::default().location;
        let mut baseline = ListedBaseline::new();
        for day in DAY..DAY + 20 {
            baseline.learn(day * 1440, &[], &profile);
            baseline.close_day(day, true, &profile);
        }
        baseline
    }

    const NOW: i64 = (DAY + 20) * 1440 + 7;

    #[test]
    fn first_use_is_high_and_says_so() {
        let found = Case::new().judge(&quiet(), NOW, &uses_at(NOW, &[(exit(4), 2)]));
        assert_eq!(rules(&found), [(AlertKind::TorAnomaly, Severity::High, RuleClause::FirstUse)]);
        let f = &found[0];
        assert_eq!(f.dedup, "tor 185.220.101.4");
        assert_eq!(f.decided, Timestamp::of_minute(NOW + 1));
        assert!(f.test.p < 1e-3 && f.start >= Timestamp::of_minute(NOW));
        assert_eq!(f.caller.bytes, Some(2000));
        let Evidence::Listed(e) = &f.evidence else { panic!("wrong evidence") };
        assert!(e.data_returned && e.history_days == 0.0);
    }

    #[test]
    fn later_days_are_medium_unless_data_or_keys_go_with_it() {
        let mut case = Case::new();
        let baseline = lived_in();
        let judge = |case: &Case, count| {
            rules(&case.judge(&baseline, NOW, &uses_at(NOW, &[(exit(9), count)])))
        };
        let tor = |severity, clause| [(AlertKind::TorAnomaly, severity, clause)];
        assert_eq!(judge(&case, 1), tor(Severity::Medium, RuleClause::Plain));
        assert_eq!(judge(&case, 5000), tor(Severity::High, RuleClause::DataBeyondP95));
        case.key_operation = true;
        assert_eq!(judge(&case, 1), tor(Severity::High, RuleClause::KeyOperation));
        (case.key_operation, case.p95) = (false, None);
        assert_eq!(judge(&case, 5000), tor(Severity::Medium, RuleClause::Plain));
    }

    #[test]
    fn an_account_that_uses_tor_all_the_time_is_never_high() {
        let case = Case { key_operation: true, ..Case::new() };
        let mut baseline = quiet();
        for day in DAY + 20..DAY + 50 {
            baseline.learn(day * 1440, &uses_at(day * 1440, &[(exit(4), 1)]), &case.profile);
            baseline.close_day(day, true, &case.profile);
        }
        let minute = (DAY + 50) * 1440;
        let found = case.judge(&baseline, minute, &uses_at(minute, &[(exit(5), 1)]));
        assert_eq!(
            rules(&found),
            [(AlertKind::TorAnomaly, Severity::Medium, RuleClause::TooCommonForHigh)]
        );
    }

    #[test]
    fn bytes_of_an_address_add_up_over_the_hour() {
        let case = Case::new();
        let mut baseline = quiet();
        for minute in NOW..NOW + 6 {
            let uses = uses_at(minute, &[(exit(4), 190)]);
            let clause = rules(&case.judge(&baseline, minute, &uses))[0].2;
            let expected =
                if minute < NOW + 5 { RuleClause::FirstUse } else { RuleClause::DataBeyondP95 };
            assert_eq!(clause, expected, "{}", minute - NOW);
            baseline.learn(minute, &uses, &case.profile);
        }
    }

    #[test]
    fn a_threat_list_is_medium_and_both_lists_are_one_tor_finding() {
        let case = Case::new();
        let cell = cell_at(NOW, &[(exit(4), 2)]);
        let threat =
            ListedUse::by(&cell, &|_, _| vec![hit(ListKind::Threat, Some(DAY), Some(DAY + 90))]);
        let found = case.judge(&quiet(), NOW, &threat);
        assert_eq!(rules(&found), [(AlertKind::SuspiciousIp, Severity::Medium, RuleClause::Plain)]);
        assert_eq!(found[0].dedup, "listed 185.220.101.4");
        let both = ListedUse::by(&cell, &|_, _| {
            vec![hit(ListKind::TorExit, None, None), hit(ListKind::Threat, None, None)]
        });
        let found = case.judge(&quiet(), NOW, &both);
        assert_eq!(found.len(), 1);
        assert!(found[0].facets.iter().any(|f| f.name == "also listed"));
    }

    #[test]
    fn access_without_data_is_marked_and_refused_access_is_silent() {
        let case = Case::new();
        let not_found = Who { access: Access::Authenticated, ..exit(4) };
        let found = case.judge(&quiet(), NOW, &uses_at(NOW, &[(not_found, 2)]));
        let Evidence::Listed(e) = &found[0].evidence else { panic!("wrong evidence") };
        assert!(!e.data_returned);
        let refused = Who { access: Access::Refused, ..exit(4) };
        assert_eq!(case.judge(&quiet(), NOW, &uses_at(NOW, &[(refused, 2)])), []);
    }
}
