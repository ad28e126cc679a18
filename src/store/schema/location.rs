//! Persisted form of an account's places.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::tempo::{DecayedV1, decayed, restore_decayed};
use crate::baseline::location::category::{
    Actor, Area, Category, Combination, Lane, NOVELTIES, NetworkKey, Site, Visit,
};
use crate::baseline::location::{
    JUDGED_MAX, Judged, LocationBaseline, NoveltyCount, QUARANTINE_MAX, QUARANTINE_VISITS_MAX,
    Quarantined, Seen, SeenSet, TRAVELLERS_MAX, Traveller,
};
use crate::event::KeyKind;
use crate::ids::{PrincipalId, Text};
use crate::intel::view::Country;

/// Two letters.
pub(super) type CountryV1 = [u8; 2];

#[derive(Debug, Serialize, Deserialize)]
enum AreaV1 {
    Private,
    Azure,
    Country(CountryV1),
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
enum NetworkV1 {
    Subnet(IpAddr),
    Azure(CountryV1),
    Routed(Option<CountryV1>, u32),
}

#[derive(Debug, Serialize, Deserialize)]
enum SiteV1 {
    Area(AreaV1),
    Hosting(Option<CountryV1>, Option<u32>),
}

#[derive(Debug, Serialize, Deserialize)]
enum ActorV1 {
    Key,
    ReadonlyKey,
    Entra(Text),
    Token,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
struct CombinationV1 {
    site: SiteV1,
    actor: ActorV1,
    family: Text,
}

#[derive(Debug, Serialize, Deserialize)]
enum CategoryV1 {
    Area(AreaV1),
    Network(NetworkV1),
    Combination(CombinationV1),
}

#[derive(Debug, Serialize, Deserialize)]
struct VisitV1 {
    area: AreaV1,
    network: Option<NetworkV1>,
    combination: CombinationV1,
    lane: u8,
    key_kind: Option<u8>,
    trusted: bool,
}

/// Key, decayed days, first and last day.
type SeenV1<K> = (K, DecayedV1, i64, i64);

#[derive(Debug, Serialize, Deserialize)]
struct JudgedV1 {
    category: CategoryV1,
    novelty: Option<u8>,
    p: f64,
    quarantined: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct QuarantinedV1 {
    category: CategoryV1,
    novelty: Option<u8>,
    first_day: i64,
    last_day: i64,
    days: u32,
    visits: Vec<VisitV1>,
    kept_out: bool,
}

/// Mirror of [`LocationBaseline`].
#[derive(Debug, Serialize, Deserialize)]
pub struct LocationV1 {
    areas: Vec<SeenV1<AreaV1>>,
    networks: Vec<SeenV1<NetworkV1>>,
    combinations: Vec<SeenV1<CombinationV1>>,
    families: Vec<SeenV1<Text>>,
    key_kinds: u8,
    novelty: Vec<(u8, DecayedV1, DecayedV1)>,
    exposure: DecayedV1,
    first_day: Option<i64>,
    active: (u32, i64),
    private: (u32, i64),
    public_seen: bool,
    judged_day: i64,
    judged: Vec<JudgedV1>,
    quarantine: Vec<QuarantinedV1>,
    travellers: Vec<(Text, CountryV1, i64)>,
    other_finding_day: Option<i64>,
}

pub(super) fn country(letters: CountryV1) -> Result<Country, &'static str> {
    std::str::from_utf8(&letters)
        .ok()
        .and_then(Country::parse)
        .filter(|c| c.0 == letters)
        .ok_or("a country is no country code")
}

impl From<&Area> for AreaV1 {
    fn from(a: &Area) -> AreaV1 {
        match a {
            Area::Private => AreaV1::Private,
            Area::Azure => AreaV1::Azure,
            Area::Country(c) => AreaV1::Country(c.0),
            Area::Unknown => AreaV1::Unknown,
        }
    }
}

impl TryFrom<AreaV1> for Area {
    type Error = &'static str;
    fn try_from(a: AreaV1) -> Result<Area, &'static str> {
        Ok(match a {
            AreaV1::Private => Area::Private,
            AreaV1::Azure => Area::Azure,
            AreaV1::Country(c) => Area::Country(country(c)?),
            AreaV1::Unknown => Area::Unknown,
        })
    }
}

impl From<&NetworkKey> for NetworkV1 {
    fn from(n: &NetworkKey) -> NetworkV1 {
        match n {
            NetworkKey::Subnet(ip) => NetworkV1::Subnet(*ip),
            NetworkKey::Azure(c) => NetworkV1::Azure(c.0),
            NetworkKey::Routed(c, asn) => NetworkV1::Routed(c.map(|c| c.0), *asn),
        }
    }
}

impl TryFrom<NetworkV1> for NetworkKey {
    type Error = &'static str;
    fn try_from(n: NetworkV1) -> Result<NetworkKey, &'static str> {
        Ok(match n {
            NetworkV1::Subnet(ip) => NetworkKey::Subnet(ip),
            NetworkV1::Azure(c) => NetworkKey::Azure(country(c)?),
            NetworkV1::Routed(c, asn) => NetworkKey::Routed(c.map(country).transpose()?, asn),
        })
    }
}

impl From<&Combination> for CombinationV1 {
    fn from(c: &Combination) -> CombinationV1 {
        CombinationV1 {
            site: match &c.site {
                Site::Area(area) => SiteV1::Area(area.into()),
                Site::Hosting(country, asn) => SiteV1::Hosting(country.map(|c| c.0), *asn),
            },
            actor: match &c.actor {
                Actor::Key => ActorV1::Key,
                Actor::ReadonlyKey => ActorV1::ReadonlyKey,
                Actor::Entra(principal) => ActorV1::Entra(principal.text().clone()),
                Actor::Token => ActorV1::Token,
                Actor::Unknown => ActorV1::Unknown,
            },
            family: c.family.clone(),
        }
    }
}

impl TryFrom<CombinationV1> for Combination {
    type Error = &'static str;
    fn try_from(c: CombinationV1) -> Result<Combination, &'static str> {
        Ok(Combination {
            site: match c.site {
                SiteV1::Area(area) => Site::Area(area.try_into()?),
                SiteV1::Hosting(c, asn) => Site::Hosting(c.map(country).transpose()?, asn),
            },
            actor: match c.actor {
                ActorV1::Key => Actor::Key,
                ActorV1::ReadonlyKey => Actor::ReadonlyKey,
                ActorV1::Entra(text) => Actor::Entra(PrincipalId::from_lowercase(text)),
                ActorV1::Token => Actor::Token,
                ActorV1::Unknown => Actor::Unknown,
            },
            family: c.family,
        })
    }
}

impl From<&Category> for CategoryV1 {
    fn from(c: &Category) -> CategoryV1 {
        match c {
            Category::Area(a) => CategoryV1::Area(a.into()),
            Category::Network(n) => CategoryV1::Network(n.into()),
            Category::Combination(c) => CategoryV1::Combination(c.into()),
        }
    }
}

impl TryFrom<CategoryV1> for Category {
    type Error = &'static str;
    fn try_from(c: CategoryV1) -> Result<Category, &'static str> {
        Ok(match c {
            CategoryV1::Area(a) => Category::Area(a.try_into()?),
            CategoryV1::Network(n) => Category::Network(n.try_into()?),
            CategoryV1::Combination(c) => Category::Combination(c.try_into()?),
        })
    }
}

const LANES: [Lane; 5] = [Lane::Key, Lane::Entra, Lane::Interactive, Lane::Token, Lane::Private];
const KEY_KINDS: [KeyKind; 4] = [
    KeyKind::PrimaryMaster,
    KeyKind::SecondaryMaster,
    KeyKind::PrimaryReadonly,
    KeyKind::SecondaryReadonly,
];

impl From<&Visit> for VisitV1 {
    fn from(v: &Visit) -> VisitV1 {
        VisitV1 {
            area: (&v.area).into(),
            network: v.network.as_ref().map(Into::into),
            combination: (&v.combination).into(),
            lane: v.lane as u8,
            key_kind: v.key_kind.map(|k| k as u8),
            trusted: v.trusted,
        }
    }
}

impl TryFrom<VisitV1> for Visit {
    type Error = &'static str;
    fn try_from(v: VisitV1) -> Result<Visit, &'static str> {
        let key_kind = match v.key_kind {
            None => None,
            Some(k) => Some(*KEY_KINDS.get(usize::from(k)).ok_or("a key kind is unknown")?),
        };
        Ok(Visit {
            area: v.area.try_into()?,
            network: v.network.map(TryInto::try_into).transpose()?,
            combination: v.combination.try_into()?,
            lane: *LANES.get(usize::from(v.lane)).ok_or("a credential lane is unknown")?,
            key_kind,
            trusted: v.trusted,
        })
    }
}

fn seen<K, V1, const MAX: usize>(set: &SeenSet<K, MAX>, key: fn(&K) -> V1) -> Vec<SeenV1<V1>> {
    set.entries.iter().map(|e| (key(&e.key), decayed(&e.days), e.first_day, e.last_day)).collect()
}

fn restore_seen<K: Ord + Clone, V1, const MAX: usize>(
    entries: Vec<SeenV1<V1>>,
    key: fn(V1) -> Result<K, &'static str>,
) -> Result<SeenSet<K, MAX>, &'static str> {
    let entries = entries
        .into_iter()
        .map(|(k, days, first_day, last_day)| {
            Ok(Seen { key: key(k)?, days: restore_decayed(days)?, first_day, last_day })
        })
        .collect::<Result<Vec<_>, &'static str>>()?;
    let set = SeenSet { entries };
    if set.is_valid() { Ok(set) } else { Err("known categories are out of order or too many") }
}

impl From<&LocationBaseline> for LocationV1 {
    fn from(l: &LocationBaseline) -> LocationV1 {
        LocationV1 {
            areas: seen(&l.areas, |k| k.into()),
            networks: seen(&l.networks, |k| k.into()),
            combinations: seen(&l.combinations, |k| k.into()),
            families: seen(&l.families, Clone::clone),
            key_kinds: l.key_kinds,
            novelty: l
                .novelty
                .iter()
                .map(|n| (n.index, decayed(&n.taught), decayed(&n.met)))
                .collect(),
            exposure: decayed(&l.exposure),
            first_day: l.first_day,
            active: (l.active_days, l.last_active_day),
            private: (l.private_days, l.last_private_day),
            public_seen: l.public_seen,
            judged_day: l.judged_day,
            judged: l.judged.iter().map(Into::into).collect(),
            quarantine: l.quarantine.iter().map(Into::into).collect(),
            travellers: l
                .travellers
                .iter()
                .map(|t| (t.principal.text().clone(), t.country.0, t.minute))
                .collect(),
            other_finding_day: l.other_finding_day,
        }
    }
}

impl From<&Judged> for JudgedV1 {
    fn from(j: &Judged) -> JudgedV1 {
        JudgedV1 {
            category: (&j.category).into(),
            novelty: j.novelty,
            p: j.p,
            quarantined: j.quarantined,
        }
    }
}

impl From<&Quarantined> for QuarantinedV1 {
    fn from(q: &Quarantined) -> QuarantinedV1 {
        QuarantinedV1 {
            category: (&q.category).into(),
            novelty: q.novelty,
            first_day: q.first_day,
            last_day: q.last_day,
            days: q.days,
            visits: q.visits.iter().map(Into::into).collect(),
            kept_out: q.kept_out,
        }
    }
}

fn novelty_index(index: Option<u8>) -> Result<Option<u8>, &'static str> {
    match index {
        Some(i) if usize::from(i) >= NOVELTIES => Err("a kind of novelty is unknown"),
        other => Ok(other),
    }
}

impl TryFrom<JudgedV1> for Judged {
    type Error = &'static str;
    fn try_from(v: JudgedV1) -> Result<Judged, &'static str> {
        if !(0.0..=1.0).contains(&v.p) {
            return Err("a judged p is no probability");
        }
        Ok(Judged {
            category: v.category.try_into()?,
            novelty: novelty_index(v.novelty)?,
            p: v.p,
            quarantined: v.quarantined,
        })
    }
}

impl TryFrom<QuarantinedV1> for Quarantined {
    type Error = &'static str;
    fn try_from(v: QuarantinedV1) -> Result<Quarantined, &'static str> {
        if v.visits.len() > QUARANTINE_VISITS_MAX {
            return Err("too many visits in quarantine");
        }
        Ok(Quarantined {
            category: v.category.try_into()?,
            novelty: novelty_index(v.novelty)?,
            first_day: v.first_day,
            last_day: v.last_day,
            days: v.days,
            visits: v.visits.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            kept_out: v.kept_out,
        })
    }
}

fn restore_novelty(
    counts: Vec<(u8, DecayedV1, DecayedV1)>,
) -> Result<Vec<NoveltyCount>, &'static str> {
    if !counts.is_sorted_by(|a, b| a.0 < b.0)
        || counts.iter().any(|(index, _, _)| usize::from(*index) >= NOVELTIES)
    {
        return Err("novelty counts are out of order");
    }
    counts
        .into_iter()
        .map(|(index, taught, met)| {
            let (taught, met) = (restore_decayed(taught)?, restore_decayed(met)?);
            Ok(NoveltyCount { index, taught, met })
        })
        .collect()
}

fn restore_travellers(
    travellers: Vec<(Text, CountryV1, i64)>,
) -> Result<Vec<Traveller>, &'static str> {
    if travellers.len() > TRAVELLERS_MAX || !travellers.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("travellers are out of order");
    }
    travellers
        .into_iter()
        .map(|(principal, letters, minute)| {
            let principal = PrincipalId::from_lowercase(principal);
            Ok(Traveller { principal, country: country(letters)?, minute })
        })
        .collect()
}

impl TryFrom<LocationV1> for LocationBaseline {
    type Error = &'static str;
    fn try_from(v: LocationV1) -> Result<LocationBaseline, &'static str> {
        if v.judged.len() > JUDGED_MAX || v.quarantine.len() > QUARANTINE_MAX {
            return Err("more observations than are kept");
        }
        Ok(LocationBaseline {
            areas: restore_seen(v.areas, TryInto::try_into)?,
            networks: restore_seen(v.networks, TryInto::try_into)?,
            combinations: restore_seen(v.combinations, TryInto::try_into)?,
            families: restore_seen(v.families, Ok)?,
            key_kinds: v.key_kinds,
            novelty: restore_novelty(v.novelty)?,
            exposure: restore_decayed(v.exposure)?,
            first_day: v.first_day,
            active_days: v.active.0,
            last_active_day: v.active.1,
            private_days: v.private.0,
            last_private_day: v.private.1,
            public_seen: v.public_seen,
            judged_day: v.judged_day,
            judged: v.judged.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            quarantine: v
                .quarantine
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            travellers: restore_travellers(v.travellers)?,
            other_finding_day: v.other_finding_day,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::location::tests::lived_in;

    #[test]
    fn places_come_back() {
        let baseline = lived_in();
        assert!(!baseline.quarantine.is_empty() && !baseline.judged.is_empty());
        assert!(!baseline.travellers.is_empty() && !baseline.novelty.is_empty());
        assert!(serde_json::to_string(&LocationV1::from(&baseline)).is_ok());
        assert_eq!(LocationBaseline::try_from(LocationV1::from(&baseline)), Ok(baseline));
    }

    #[test]
    fn what_no_baseline_can_hold_is_refused() {
        let broken: [fn(&mut LocationV1); 6] = [
            |v| v.areas.reverse(),
            |v| v.areas[0].1.1 = f64::INFINITY,
            |v| v.areas.push((AreaV1::Country(*b"n1"), (0, 1.0), 0, 0)),
            |v| v.novelty[0].0 = 200,
            |v| v.judged[0].p = 2.0,
            |v| v.quarantine[0].visits[0].lane = 9,
        ];
        for (at, break_it) in broken.iter().enumerate() {
            let mut mirror = LocationV1::from(&lived_in());
            break_it(&mut mirror);
            assert!(LocationBaseline::try_from(mirror).is_err(), "{at}");
        }
    }
}
