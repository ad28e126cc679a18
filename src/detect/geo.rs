//! Access from an unusual location: a country, network or combination of site, credential and
//! client that this account hardly ever meets.
use crate::baseline::location::category::{Category, Level, Novelty};
use crate::baseline::location::{LocationBaseline, PlaceObservation};
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::baseline::tempo::TempoBaseline;
use crate::detect::facts::{broken_first, credential_name, facts_of, info_of, named_facet};
use crate::detect::{
    AlertKind, Ceiling, Evidence, Facet, Finding, PlaceEvidence, PlaceLevel, Quantity, Severity,
    Test, Travel, Usual,
};
use crate::ids::{AccountId, Text};
use crate::intel::view::IntelView;
use crate::profile::LocationProfile;
use crate::time::Timestamp;

/// What a finding needs besides its observation.
#[derive(Clone, Copy, Debug)]
pub struct GeoContext<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its ARM id.
    pub resource_id: Option<&'a Text>,
    /// Who an address is.
    pub intel: &'a IntelView,
    /// Settings.
    pub profile: &'a LocationProfile,
    /// The baseline that was asked, for its maturity.
    pub location: &'a LocationBaseline,
    /// The account's rhythm, for the hour of the day.
    pub tempo: &'a TempoBaseline,
}

/// One finding an observation, however ordinary: severity decides what is raised.
pub fn judge(observations: &[PlaceObservation], cx: &GeoContext) -> Vec<Finding> {
    observations.iter().map(|o| finding(o, cx)).collect()
}

fn finding(o: &PlaceObservation, cx: &GeoContext) -> Finding {
    // The first request from a place decides.
    let decided = Timestamp::of_minute(o.row.first.0.minute().min(o.minute).saturating_add(1));
    let maturity = cx.location.maturity(decided, cx.profile);
    let info = info_of(&o.caller, cx.intel);
    Finding {
        kind: AlertKind::GeoAnomaly,
        account: cx.account.clone(),
        resource_id: cx.resource_id.cloned(),
        accounts: vec![(cx.account.clone(), cx.resource_id.cloned())],
        dedup: story(&o.category),
        start: o.row.first.0,
        end: o.row.last.0.min(decided),
        decided,
        test: Test { p: o.p, per_day: o.per_day, rule: None, ceiling: ceiling(o, maturity) },
        maturity,
        late: o.row.late,
        facets: facets(o, &info, cx),
        caller: facts_of(&o.caller, &o.row, &info),
        records: o.row.records(),
        evidence: Evidence::Place(PlaceEvidence {
            level: match o.category.level() {
                Level::Country => PlaceLevel::Country,
                Level::Network => PlaceLevel::Asn,
                Level::Combination => PlaceLevel::Combination,
            },
            last_seen_days: o.last_seen_days,
            usual_countries: o.usual_areas.clone(),
            usual_networks: o.usual_networks.clone(),
            novelty: o.history,
            travel: o
                .travel
                .as_ref()
                .map(|t| Travel { from: t.from.to_string(), minutes: t.minutes as f64 }),
        }),
        companions: Vec::new(),
    }
}

/// The place alone, so that early and final verdicts, and every client from there, are one story.
pub fn story(category: &Category) -> String {
    match category {
        Category::Area(area) => format!("country {area}"),
        Category::Network(network) => format!("network {network}"),
        Category::Combination(c) => format!("combination {} {} {}", c.site, c.actor, c.family),
    }
}

/// What is merely rare, or a new combination at known places, is never more than Low.
fn ceiling(o: &PlaceObservation, maturity: Maturity) -> Option<(Severity, Ceiling)> {
    // A place that comes back was told at its own severity on its first day.
    if o.novelty.is_none() || o.returning || o.category.level() == Level::Combination {
        return Some((Severity::Low, Ceiling::PlaceKnown));
    }
    let young = matches!(maturity.state, MaturityState::Learning | MaturityState::Provisional);
    young.then_some((Severity::Low, Ceiling::NotMature))
}

fn facets(
    o: &PlaceObservation,
    info: &crate::intel::view::AddressInfo,
    cx: &GeoContext,
) -> Vec<Facet> {
    let level = o.category.level();
    let mut tested = named_facet("country", o.visit.area.to_string(), o.usual_areas.clone(), false);
    if level == Level::Country {
        (tested.p, tested.broke) = (Some(o.p), true);
    }
    let mut facets = vec![tested];
    if let Some(network) = o.visit.network {
        let mut facet =
            named_facet("network", network.to_string(), o.usual_networks.clone(), false);
        facet.broke = o.unseen_network;
        facet.p = (level == Level::Network).then_some(o.p);
        facets.push(facet);
    }
    let family = o.visit.combination.family.to_string();
    facets.push(named_facet("client", family, o.usual_clients.clone(), o.unseen_client));
    let credential = credential_name(&o.caller.credential);
    let never =
        |broke: bool| if broke { Usual::NeverIn { days: o.watched_days } } else { Usual::Unknown };
    facets.push(Facet {
        name: if o.visit.key_kind.is_some() { "key kind" } else { "principal" },
        observed: Quantity::Name(credential),
        usual: never(o.unseen_key || o.unseen_actor),
        p: None,
        broke: o.unseen_key || o.unseen_actor,
    });
    if level == Level::Combination {
        facets.push(Facet {
            name: "combination",
            observed: Quantity::Name(format!(
                "{} with {}",
                o.visit.combination.actor, o.visit.combination.family
            )),
            usual: never(true),
            p: Some(o.p),
            broke: true,
        });
    }
    if o.novelty == Some(Novelty::FirstPublic) {
        facets.push(named_facet(
            "access",
            "public".to_owned(),
            vec![("private".to_owned(), 1.0)],
            true,
        ));
    }
    if let Some(travel) = &o.travel {
        facets.push(Facet {
            name: "travel",
            observed: Quantity::Hours(travel.minutes as f64 / 60.0),
            usual: Usual::Shares(vec![(travel.from.to_string(), 1.0)]),
            p: None,
            broke: true,
        });
    }
    facets.push(hour_facet(o.row.first.0, cx.tempo));
    facets.push(named_facet("address class", info.class.as_str().to_owned(), Vec::new(), false));
    broken_first(facets)
}

/// The hour beside the account's busiest ones: broken where hardly anything ever happens then.
fn hour_facet(at: Timestamp, tempo: &TempoBaseline) -> Facet {
    const QUIET_SHARE: f64 = 0.001;
    let shares = tempo.hour_shares();
    let name = |hour: usize| format!("{hour:02}:00 UTC");
    let hour = at.hour_of_day();
    let mut usual: Vec<(String, f64)> =
        shares.iter().enumerate().map(|(h, s)| (name(h), *s)).collect();
    usual.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    usual.truncate(5);
    let known = usual.first().is_some_and(|(_, s)| *s > 0.0);
    let broke = known && shares[hour] < QUIET_SHARE;
    named_facet("hour of day", name(hour), if known { usual } else { Vec::new() }, broke)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::location::tests::{KEY, Who, cell_at, lived_in, who};
    use crate::baseline::location::{LocationPrior, PlaceContext};
    use crate::event::{Access, Credential, KeyKind};
    use crate::ids::Cloud;
    use crate::intel::view::AddressClass;
    use crate::profile::Profile;

    const MINUTE: i64 = 20_043 * 1440 + 180;

    fn judged(callers: &[(Who, u64)], late: bool) -> Vec<Finding> {
        let profile = Profile::default().location;
        let (location, tempo) = (lived_in(), TempoBaseline::new());
        let (prior, intel) = (LocationPrior::default(), IntelView::default());
        let account = AccountId::new("orders", Cloud::Public);
        let mut cell = cell_at(MINUTE, callers);
        if late {
            cell.mark_late();
        }
        let seen =
            location.assess(MINUTE, &cell, &PlaceContext { profile: &profile, prior: &prior });
        let cx = GeoContext {
            account: &account,
            resource_id: None,
            intel: &intel,
            profile: &profile,
            location: &location,
            tempo: &tempo,
        };
        judge(&seen, &cx)
    }

    fn stranger() -> Who {
        Who { family: "azsdk-rust", ..who("41.2.3.4", AddressClass::Hosting, "BR", 28573) }
    }

    #[test]
    fn a_new_country_may_be_medium_and_tells_what_broke() {
        let found = judged(&[(stranger(), 3)], true);
        assert_eq!(found.len(), 1);
        let f = &found[0];
        assert_eq!((f.dedup.as_str(), f.test.ceiling, f.late), ("country BR", None, true));
        let broke: Vec<&str> = f.facets.iter().filter(|f| f.broke).map(|f| f.name).collect();
        assert_eq!(broke, ["country", "network", "client"]);
        let Evidence::Place(e) = &f.evidence else { panic!("wrong evidence") };
        assert_eq!((e.level, e.last_seen_days), (PlaceLevel::Country, None));
        assert_eq!(e.usual_countries[0].0, "Azure");
        assert!(f.decided > f.end && f.end >= f.start);
    }

    #[test]
    fn a_new_combination_stays_low_and_home_stays_silent() {
        let secondary = Credential::Key(KeyKind::SecondaryMaster);
        let home = who("145.1.2.3", AddressClass::Residential, "NL", 1136);
        let tool = Who { family: "azsdk-rust", ..home.clone() };
        let found = judged(&[(tool, 3)], false);
        assert_eq!(found[0].test.ceiling, Some((Severity::Low, Ceiling::PlaceKnown)));
        let rotated = Who { credential: secondary, ..home.clone() };
        assert_eq!(judged(&[(home, 5), (rotated, 5)], false), []);
        let refused = Who { access: Access::Refused, credential: KEY, ..stranger() };
        assert_eq!(judged(&[(refused, 5)], false), []);
    }
}
