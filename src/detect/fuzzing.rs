//! Probing: queries of one caller to one container fail in a burst that the account's own errors do
//! not explain, and in ways that differ as probes do. One syntax error is never an alert, nor is an
//! apostrophe in a name that fails a hundred times in the same way.
//!
//! Azure often logs no text of a query that failed. Then the burst alone is judged, if its requests
//! differ in length, never above Low.
use super::facts;
use super::{
    AlertKind, BurstEvidence, CallerFacts, Ceiling, Evidence, Facet, Finding, Quantity,
    QueryContext, Severity, Test, Usual,
};
use crate::baseline::query_shapes::BurstObservation;
use crate::event::Sign;
use crate::intel::view::IntelView;
use crate::profile::BurstProfile;

/// A finding, where the requests differ as probes do.
pub fn judge(
    o: &BurstObservation,
    profile: &BurstProfile,
    cx: &QueryContext<'_>,
) -> Option<Finding> {
    let (factor, ceiling) = variety(o, profile)?;
    let failure = &o.failure;
    Some(Finding {
        kind: AlertKind::SqlFuzzing,
        account: cx.account.clone(),
        resource_id: cx.resource_id.cloned(),
        accounts: vec![(cx.account.clone(), cx.resource_id.cloned())],
        dedup: facts::campaign(&failure.container, o.caller.as_ref().map(|(k, _)| k)),
        start: failure.first.0,
        end: failure.last.0,
        decided: o.now.plus_ms(crate::time::MINUTE_MS),
        test: Test { p: (o.p * factor).clamp(0.0, 1.0), per_day: o.per_day, rule: None, ceiling },
        maturity: o.maturity,
        late: o.late,
        caller: caller(o, cx.intel),
        records: failure.records(),
        evidence: Evidence::Burst(evidence(o)),
        facets: facets(o),
        companions: Vec::new(),
    })
}

/// How rarely an innocent burst differs so, and what that allows; `None` where it does not differ.
fn variety(
    o: &BurstObservation,
    profile: &BurstProfile,
) -> Option<(f64, Option<(Severity, Ceiling)>)> {
    let Some(texts) = &o.texts else {
        let lengths = o.failure.lengths.as_slice().len();
        let without = Some((Severity::Low, Ceiling::WithoutText));
        let many = lengths >= profile.many_lengths;
        let p = if many { profile.p_many_lengths } else { profile.p_lengths };
        return (lengths >= profile.distinct_lengths).then_some((p, without));
    };
    let mut factor: f64 = 1.0;
    let mut differs = false;
    let mut when = |holds: bool, p: f64| {
        if holds {
            differs = true;
            factor *= p;
        }
    };
    let places = texts.error_places.as_slice().len() >= profile.distinct_places;
    let attack = attack_signs(texts.signs);
    when(places, profile.p_places);
    when(attack >= profile.attack_signs, profile.p_signs);
    when(texts.signs & Sign::Insertion.bit() != 0, profile.p_insertion);
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
    facts.databases = vec![o.failure.database.clone()];
    facts.containers = vec![o.failure.container.clone()];
    facts.statuses = vec![400];
    facts.bytes = None;
    facts.events = o.failure.count;
    facts.first_event = facts::activity_text(u128::from_be_bytes(o.failure.first.1));
    facts.last_event = facts::activity_text(u128::from_be_bytes(o.failure.last.1));
    facts
}

fn evidence(o: &BurstObservation) -> BurstEvidence {
    let texts = o.texts.as_ref();
    BurstEvidence {
        count: o.failure.count,
        usual: o.usual,
        texts: texts.map(|t| t.count),
        error_places: texts.map_or(0, |t| t.error_places.as_slice().len() as u32),
        lengths: o.failure.lengths.as_slice().len() as u32,
        signs: texts.map(|t| Sign::of_bits(t.signs).collect()).unwrap_or_default(),
    }
}

fn facets(o: &BurstObservation) -> Vec<Facet> {
    let mut facets = vec![Facet {
        name: "malformed requests, 10 min",
        observed: Quantity::Count(o.failure.count as f64),
        usual: Usual::Range(o.usual[0], o.usual[1]),
        p: Some(o.p),
        broke: true,
    }];
    if let Some(texts) = &o.texts {
        facets.push(Facet {
            name: "places of syntax errors",
            observed: Quantity::Count(texts.error_places.as_slice().len() as f64),
            usual: Usual::Unknown,
            p: None,
            broke: true,
        });
    }
    facets
}
