//! Probing: queries to an account fail in a burst that its own errors do not explain, and in ways
//! that differ as probes do: within ten minutes, an hour or a day, from one address or several. One
//! syntax error is never an alert, nor is an apostrophe in a name that fails a hundred times in the
//! same way.
//!
//! Azure often logs no text of a query that failed. Then the burst alone is judged, if its requests
//! differ in length, never above Low.
use super::facts;
use super::{
    AlertKind, BurstEvidence, CallerFacts, Ceiling, Evidence, Facet, Finding, Quantity,
    QueryContext, Severity, Test, Usual,
};
use crate::baseline::query_shapes::BurstObservation;
use crate::baseline::query_shapes::errors::{SPANS, Span};
use crate::event::{Records, Sign};
use crate::ids::Text;
use crate::intel::view::IntelView;
use crate::profile::BurstProfile;
use crate::stats::combine::simes;

/// Addresses that an alert names.
const ADDRESSES_SHOWN_MAX: usize = 6;

/// The finding of the span that is the rarest, where its requests differ as probes do. All spans
/// were looked at: their nominal rates are combined by Simes, as one holds the other.
pub fn judge(
    observed: &[BurstObservation],
    campaign: i64,
    profile: &BurstProfile,
    cx: &QueryContext<'_>,
) -> Option<Finding> {
    let nominal = |finding: &Finding| finding.test.p * finding.test.per_day;
    let mut rates = [f64::INFINITY; SPANS];
    let findings = observed.iter().zip(&mut rates).filter_map(|(o, rate)| {
        let finding = judge_span(o, campaign, profile, cx)?;
        *rate = nominal(&finding);
        Some(finding)
    });
    let mut finding = findings.min_by(|a, b| nominal(a).total_cmp(&nominal(b)))?;
    finding.test.p = (simes(&mut rates) / finding.test.per_day).clamp(0.0, 1.0);
    Some(finding)
}

fn judge_span(
    o: &BurstObservation,
    campaign: i64,
    profile: &BurstProfile,
    cx: &QueryContext<'_>,
) -> Option<Finding> {
    let (factor, ceiling) = variety(o, profile)?;
    let first = o.here.iter().map(|f| f.first.0).min()?;
    let last = o.here.iter().map(|f| f.last.0).max()?;
    Some(Finding {
        kind: AlertKind::SqlFuzzing,
        account: cx.account.clone(),
        resource_id: cx.resource_id.cloned(),
        accounts: vec![(cx.account.clone(), cx.resource_id.cloned())],
        dedup: format!("campaign|{campaign}"),
        // The cell's own, whatever the span: an early verdict on a part of it must open the same
        // alert.
        start: first,
        end: last,
        decided: o.now.plus_ms(crate::time::MINUTE_MS),
        test: Test { p: o.p * factor, per_day: o.per_day, rule: None, ceiling },
        maturity: o.maturity,
        late: o.late,
        caller: caller(o, cx.intel),
        records: records(o),
        evidence: Evidence::Burst(evidence(o)),
        facets: facets(o),
        companions: Vec::new(),
    })
}

fn records(o: &BurstObservation) -> Records {
    let mut failures = o.here.iter().map(|f| f.records());
    let mut records = failures.next().unwrap_or_default();
    failures.for_each(|more| records.merge(&more));
    records
}

/// How rarely an innocent burst differs so, and what that allows; `None` where it does not differ.
fn variety(
    o: &BurstObservation,
    profile: &BurstProfile,
) -> Option<(f64, Option<(Severity, Ceiling)>)> {
    let (span, refused) = (o.span as usize, &o.refused);
    if refused.texts == 0 {
        let lengths = refused.lengths.as_slice().len();
        let without = Some((Severity::Low, Ceiling::WithoutText));
        let many = lengths >= profile.many_lengths;
        // A long time shows several lengths anyhow: only as many as are kept say something.
        let least = if o.span == Span::TenMinutes {
            profile.distinct_lengths
        } else {
            profile.many_lengths
        };
        let p = if many { profile.p_many_lengths[span] } else { profile.p_lengths };
        return (lengths >= least).then_some((p, without));
    }
    let mut factor: f64 = 1.0;
    let mut differs = false;
    let mut when = |holds: bool, p: f64| {
        if holds {
            differs = true;
            factor *= p;
        }
    };
    let places = refused.error_places.as_slice().len() >= profile.distinct_places[span];
    let attack = attack_signs(refused.signs);
    when(places, profile.p_places);
    when(attack >= profile.attack_signs, profile.p_signs[span]);
    when(refused.signs & Sign::Insertion.bit() != 0, profile.p_insertion[span]);
    differs.then_some((factor, None))
}

/// Signs that only attacks carry; unmatched quotes are what an apostrophe leaves as well.
fn attack_signs(bits: u32) -> u32 {
    (bits & !Sign::Unbalanced.bit() & !Sign::Insertion.bit()).count_ones()
}

fn caller(o: &BurstObservation, intel: &IntelView) -> CallerFacts {
    let mut facts = match &o.caller {
        Some((key, row)) => facts::facts_of(key, row, &facts::info_of(key, intel)),
        None => CallerFacts::default(),
    };
    let names = |of: fn(&crate::baseline::cell::FailureRow) -> &Text| {
        let mut names: Vec<Text> = o.here.iter().map(|f| of(f).clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    facts.databases = names(|f| &f.database);
    facts.containers = names(|f| &f.container);
    facts.statuses = o.here.iter().map(|f| f.status).collect();
    facts.statuses.sort_unstable();
    facts.statuses.dedup();
    facts.bytes = None;
    facts.events = o.refused.count;
    let id = |id: [u8; 16]| facts::activity_text(u128::from_be_bytes(id));
    let first = o.here.iter().map(|f| f.first).min();
    let last = o.here.iter().map(|f| f.last).max();
    facts.first_event = first.map(|(_, activity)| id(activity)).unwrap_or_default();
    facts.last_event = last.map(|(_, activity)| id(activity)).unwrap_or_default();
    facts
}

fn evidence(o: &BurstObservation) -> BurstEvidence {
    let refused = &o.refused;
    BurstEvidence {
        count: refused.count,
        within: o.span.as_str(),
        since: refused.first,
        addresses: refused.addresses.as_slice().iter().take(ADDRESSES_SHOWN_MAX).copied().collect(),
        usual: o.usual,
        texts: (refused.texts > 0).then_some(refused.texts),
        error_places: refused.error_places.as_slice().len() as u32,
        lengths: refused.lengths.as_slice().len() as u32,
        signs: Sign::of_bits(refused.signs).collect(),
    }
}

fn facets(o: &BurstObservation) -> Vec<Facet> {
    let mut facets = vec![Facet {
        name: match o.span {
            Span::TenMinutes => "malformed requests, 10 min",
            Span::Hour => "malformed requests, 1 h",
            Span::Day => "malformed requests, 24 h",
        },
        observed: Quantity::Count(o.refused.count as f64),
        usual: Usual::Range(o.usual[0], o.usual[1]),
        p: Some(o.p),
        broke: true,
    }];
    let several = o.refused.addresses.as_slice();
    if several.len() > 1 {
        let names: Vec<String> = several.iter().map(ToString::to_string).collect();
        facets.push(facts::named_facet("addresses", names.join(", "), Vec::new(), true));
    }
    if o.refused.texts > 0 {
        facets.push(Facet {
            name: "places of syntax errors",
            observed: Quantity::Count(o.refused.error_places.as_slice().len() as f64),
            usual: Usual::Unknown,
            p: None,
            broke: true,
        });
    }
    facets
}
