//! Reading the baseline: what of a minute is new or rare, and how surprising that is.
use std::collections::BTreeMap;

use super::category::{
    Area, Category, LANE_KINDS, Lane, Level, NOVELTIES, NetworkKey, Novelty, Site, Visit,
};
use super::prior::LocationPrior;
use super::seen::{Seen, SeenSet};
use super::{LocationBaseline, PlaceObservation, Quarantined, TravelEvidence, Traveller};
use crate::baseline::cell::{CallerKey, CallerRow, Cell};
use crate::event::KeyKind;
use crate::profile::LocationProfile;
use crate::stats::dirichlet;
use crate::time::{MINUTE_MS, Timestamp};

/// Known places with a larger p are no observation: no band is that wide.
const RARE_P_MAX: f64 = 0.05;
/// … and so are places that were seen in the last two weeks: people and jobs come in runs.
const RARE_AFTER_DAYS: i64 = 14;
/// A category judged today is judged again only if it is more surprising by this factor (say, a
/// stolen key from where an administrator opened the portal in the morning).
const AGAIN_FACTOR: f64 = 0.5;

/// What judging needs besides the baseline.
#[derive(Clone, Copy, Debug)]
pub struct PlaceContext<'a> {
    /// Settings.
    pub profile: &'a LocationProfile,
    /// The population's prior in force.
    pub prior: &'a LocationPrior,
}

/// A test that a visit calls for.
struct Question {
    category: Category,
    novelty: Option<Novelty>,
    p: f64,
}

/// All hazards of one day, and the rates of rare known places.
pub(super) struct Hazards {
    pub(super) novelty: [Option<f64>; NOVELTIES],
    /// What each kind of novelty weighs among the tests of a day: kinds of credential that the
    /// account does not use bring little.
    weight: [f64; NOVELTIES],
    /// See [`Hazards::oddness`].
    level_weights: [f64; 3],
    /// p of each known area and network, in the sets' order.
    rare: [Vec<f64>; 2],
    /// Distinct areas and networks a day.
    visits_per_day: [f64; 2],
}

impl Hazards {
    pub(super) fn at(baseline: &LocationBaseline, now: Timestamp, cx: &PlaceContext) -> Hazards {
        let half_life = cx.profile.half_life_days;
        let exposure = baseline.exposure.value(now, half_life);
        let mut novelty = [None; NOVELTIES];
        for (index, p) in novelty.iter_mut().enumerate() {
            let (n, _) = baseline.novelty_history(index, now, half_life);
            *p = cx.prior.hazard(index, cx.profile).map(|h| h.p_day(n, exposure));
        }
        if !baseline.is_private(cx.profile) {
            novelty[Novelty::FirstPublic.index()] = None;
        }
        let rare = [
            rare_ps(&baseline.areas, now, cx, area_base),
            rare_ps(&baseline.networks, now, cx, network_base),
        ];
        let a_day = |total: f64| (total / exposure.max(1.0)).max(1.0);
        let visits_per_day = [
            a_day(baseline.areas.total(now, half_life)),
            a_day(baseline.networks.total(now, half_life)),
        ];
        Hazards {
            novelty,
            weight: baseline.lane_weights(cx.profile),
            level_weights: cx.profile.novelty.level_weights,
            rare,
            visits_per_day,
        }
    }

    /// How odd something of probability `p` is: a new country weighs more than a new network, that
    /// more than a new combination or a place known but rare (`None`).
    pub(super) fn oddness(&self, novelty: Option<usize>, p: f64) -> f64 {
        let weight = novelty.map_or(self.level_weights[2], |index| match index % LANE_KINDS / 2 {
            _ if index == Novelty::FirstPublic.index() => self.level_weights[0],
            level => self.level_weights[level],
        });
        p / weight.max(f64::MIN_POSITIVE)
    }

    /// Expected findings a day that are at least this odd (see [`Hazards::oddness`]): whatever the
    /// order, their probabilities add up.
    pub(super) fn nominal(&self, odd: f64) -> f64 {
        let new: f64 = self
            .novelty
            .iter()
            .zip(self.weight)
            .enumerate()
            .filter_map(|(index, (q, weight))| q.map(|q| (index, q, weight)))
            .filter(|(index, q, _)| self.oddness(Some(*index), *q) <= odd)
            .map(|(_, q, weight)| q * weight)
            .sum();
        let rare: f64 = self
            .rare
            .iter()
            .zip(self.visits_per_day)
            .map(|(ps, a_day)| {
                let counts = |q: &&f64| self.oddness(None, **q) <= odd && **q <= RARE_P_MAX;
                ps.iter().filter(counts).fold(0.0, |m, q| q.max(m)) * a_day
            })
            .sum();
        new + rare
    }
}

fn area_base(area: &Area, prior: &LocationPrior) -> f64 {
    match area {
        Area::Country(c) => prior.share(*c),
        Area::Private | Area::Azure | Area::Unknown => 0.25,
    }
}

fn network_base(network: &NetworkKey, prior: &LocationPrior) -> f64 {
    match network {
        NetworkKey::Routed(Some(c), _) | NetworkKey::Azure(c) => prior.share(*c),
        NetworkKey::Routed(None, _) => 0.005,
        NetworkKey::Subnet(_) => 0.25,
    }
}

/// p of each known category, in the set's order: the Dirichlet predictive's mass of all known
/// categories with a share at or below its own. The mass of unknown ones is the hazards' matter.
fn rare_ps<K: Ord + Clone, const MAX: usize>(
    set: &SeenSet<K, MAX>,
    now: Timestamp,
    cx: &PlaceContext,
    base: fn(&K, &LocationPrior) -> f64,
) -> Vec<f64> {
    let half_life = cx.profile.half_life_days;
    let strength = cx.profile.base_share_days;
    let (total, bases) = (
        set.total(now, half_life),
        set.entries.iter().map(|e| base(&e.key, cx.prior)).collect::<Vec<f64>>(),
    );
    let all_bases: f64 = bases.iter().sum();
    let shares: Vec<f64> = set
        .entries
        .iter()
        .zip(bases)
        .map(|(e, base)| {
            let base = base / all_bases.max(f64::MIN_POSITIVE);
            dirichlet::share(e.days.value(now, half_life), total, strength, base)
        })
        .collect();
    shares.iter().map(|s| dirichlet::mass_at_or_below(&shares, *s)).collect()
}

impl LocationBaseline {
    /// What of a minute is new or rare. Reads only; at most one observation per category, and
    /// none that was judged today already (unless clearly more surprising now). Call
    /// [`LocationBaseline::close_day`] for a day before the next day's first minute.
    pub fn assess(&self, minute: i64, cell: &Cell, cx: &PlaceContext) -> Vec<PlaceObservation> {
        let day = Timestamp::of_minute(minute).day();
        if self.in_burn_in(day, cx.profile) {
            return Vec::new();
        }
        let mut hazards = None;
        let mut found: BTreeMap<Category, (Question, CallerKey, Visit, CallerRow)> =
            BTreeMap::new();
        for (key, row) in cell.callers() {
            if row.authenticated == 0 {
                continue;
            }
            let Some(visit) = Visit::of(key).filter(|v| !v.trusted) else { continue };
            if self.is_everyday(&visit, day) {
                continue;
            }
            let hazards = hazards.get_or_insert_with(|| Hazards::at(self, self.now(day), cx));
            let Some(question) = self.question(&visit, day, hazards, cx) else { continue };
            match found.get_mut(&question.category) {
                None => {
                    let entry = (question, key.clone(), visit, row.clone());
                    found.insert(entry.0.category.clone(), entry);
                }
                Some((best, best_key, best_visit, rows)) => {
                    rows.merge(row);
                    if question.p < best.p {
                        (*best, *best_key, *best_visit) = (question, key.clone(), visit);
                    }
                }
            }
        }
        let Some(hazards) = hazards else { return Vec::new() };
        let journeys = journeys(cell, minute);
        found
            .into_values()
            .map(|(question, key, visit, row)| {
                let travel = self.travel(&visit, minute, &journeys, cx.profile);
                self.observation(minute, question, (key, visit, row), travel, &hazards, cx)
            })
            .collect()
    }

    /// 1 for every kind of novelty in a lane that is in use, the profile's share for the others.
    fn lane_weights(&self, profile: &LocationProfile) -> [f64; NOVELTIES] {
        let mut weights = [profile.novelty.unused_lane.clamp(0.0, 1.0); NOVELTIES];
        weights[Novelty::FirstPublic.index()] = 1.0;
        for entry in &self.combinations.entries {
            let first = entry.key.lane() as usize * LANE_KINDS;
            weights[first..first + LANE_KINDS].fill(1.0);
        }
        weights
    }

    /// Decay is read at the start of the day, and never before the last day that taught.
    fn now(&self, day: i64) -> Timestamp {
        Timestamp::of_day(day.max(self.last_active_day))
    }

    /// The hot path: everything about this visit was already met today or is met every day.
    fn is_everyday(&self, visit: &Visit, day: i64) -> bool {
        let today = |first: i64, last: i64| first < day && last >= day;
        let area = self.areas.get(&visit.area).is_some_and(|e| today(e.first_day, e.last_day));
        let network = visit
            .network
            .is_none_or(|n| self.networks.get(&n).is_some_and(|e| today(e.first_day, e.last_day)));
        area && network && self.combinations.contains(&visit.combination)
    }

    fn question(
        &self,
        visit: &Visit,
        day: i64,
        hazards: &Hazards,
        cx: &PlaceContext,
    ) -> Option<Question> {
        if self.is_private(cx.profile) && visit.is_public() {
            let category = Category::Area(visit.area);
            return self.ask(category, Novelty::FirstPublic, None, day, hazards);
        }
        let area = Category::Area(visit.area);
        let known = self.areas.get(&visit.area).map(|e| e.first_day);
        let tested = matches!(visit.area, Area::Azure | Area::Country(_));
        if tested && known.is_none_or(|first| first >= day) {
            return self.ask(area, self.novelty_of(visit, Level::Country), known, day, hazards);
        }
        if let Some(network) = visit.network {
            let known = self.networks.get(&network).map(|e| e.first_day);
            let failover =
                visit.area == Area::Azure && self.combinations.contains(&visit.combination);
            if known.is_none_or(|first| first >= day) && !failover {
                let novelty = self.novelty_of(visit, Level::Network);
                return self.ask(Category::Network(network), novelty, known, day, hazards);
            }
        }
        if !self.combinations.contains(&visit.combination) {
            let novelty = self.novelty_of(visit, Level::Combination);
            let category = Category::Combination(visit.combination.clone());
            return self.ask(category, novelty, None, day, hazards);
        }
        self.rare(visit, day, hazards)
    }

    /// The hazard of `novelty`, unless the category was judged today or its test is off. A
    /// category that became known today is asked again only by something more surprising.
    fn ask(
        &self,
        category: Category,
        novelty: Novelty,
        first_day: Option<i64>,
        day: i64,
        hazards: &Hazards,
    ) -> Option<Question> {
        let p = hazards.novelty[novelty.index()]?;
        match self.judged_p(&category, day) {
            Some(before) if p > before * AGAIN_FACTOR => None,
            None if first_day.is_some() => None,
            _ => Some(Question { category, novelty: Some(novelty), p }),
        }
    }

    fn rare(&self, visit: &Visit, day: i64, hazards: &Hazards) -> Option<Question> {
        let area = position(&self.areas, &visit.area, day)
            .map(|at| (hazards.rare[0][at], Category::Area(visit.area)));
        let network = visit.network.and_then(|n| {
            position(&self.networks, &n, day).map(|at| (hazards.rare[1][at], Category::Network(n)))
        });
        let (p, category) = area
            .into_iter()
            .chain(network)
            .find(|(p, category)| *p <= RARE_P_MAX && self.judged_p(category, day).is_none())?;
        Some(Question { category, novelty: None, p })
    }

    /// What the category got on `day`. Of another day than today (a late record) only the
    /// quarantine knows: what it holds was judged then.
    fn judged_p(&self, category: &Category, day: i64) -> Option<f64> {
        if self.judged_day != day {
            let held = |q: &Quarantined| q.first_day <= day && q.last_day >= day;
            let held = self.quarantine.iter().any(|q| q.category == *category && held(q));
            return held.then_some(0.0);
        }
        self.judged.iter().filter(|j| j.category == *category).map(|j| j.p).reduce(f64::min)
    }

    fn novelty_of(&self, visit: &Visit, level: Level) -> Novelty {
        let counts = matches!(visit.lane, Lane::Key | Lane::Entra | Lane::Private);
        let unseen_key = level != Level::Combination && self.unseen_key(visit.key_kind);
        Novelty::New {
            lane: visit.lane,
            level,
            unseen_client: counts && (self.unseen_client(visit) || unseen_key),
        }
    }

    /// A client without a name is no news.
    fn unseen_client(&self, visit: &Visit) -> bool {
        let family = &visit.combination.family;
        !family.is_empty() && !self.families.contains(family)
    }

    fn unseen_key(&self, kind: Option<KeyKind>) -> bool {
        kind.is_some_and(|kind| self.key_kinds & (1 << kind as u8) == 0)
    }

    /// Decayed days with the kind of novelty at `index`: those that taught, and all.
    pub(super) fn novelty_history(
        &self,
        index: usize,
        now: Timestamp,
        half_life: f64,
    ) -> (f64, f64) {
        self.novelty
            .iter()
            .find(|n| usize::from(n.index) == index)
            .map_or((0.0, 0.0), |n| (n.taught.value(now, half_life), n.met.value(now, half_life)))
    }

    /// Another country of the same principal within the travel time, hosting and clouds aside.
    fn travel(
        &self,
        visit: &Visit,
        minute: i64,
        journeys: &[Traveller],
        profile: &LocationProfile,
    ) -> Option<TravelEvidence> {
        let here = journey(visit, minute)?;
        self.travellers
            .iter()
            .chain(journeys)
            .filter(|t| t.principal == here.principal && t.country != here.country)
            .map(|t| TravelEvidence {
                from: t.country,
                minutes: minute.saturating_sub(t.minute).saturating_abs(),
            })
            .filter(|t| t.minutes <= profile.travel_minutes)
            .min_by_key(|t| (t.minutes, t.from))
    }

    fn observation(
        &self,
        minute: i64,
        question: Question,
        (caller, visit, row): (CallerKey, Visit, CallerRow),
        travel: Option<TravelEvidence>,
        hazards: &Hazards,
        cx: &PlaceContext,
    ) -> PlaceObservation {
        let Question { category, novelty, p } = question;
        let day = Timestamp::of_minute(minute).day();
        let (now, half_life) = (self.now(day), cx.profile.half_life_days);
        let n = novelty.map_or(0.0, |n| self.novelty_history(n.index(), now, half_life).0);
        let factor = if travel.is_some() { cx.profile.travel_factor } else { 1.0 };
        PlaceObservation {
            p: p * factor,
            per_day: (hazards.nominal(hazards.oddness(novelty.map(Novelty::index), p))
                / p.max(f64::MIN_POSITIVE))
            .max(1.0),
            last_seen_days: self
                .last_seen(&category)
                .map(|last| day.saturating_sub(last).max(0) as f64),
            history: (n, self.exposure.value(now, half_life)),
            returning: self
                .quarantine
                .iter()
                .any(|q| q.category == category && q.first_day < day && !q.kept_out),
            unseen_network: !self.knows(&visit).network,
            unseen_client: self.unseen_client(&visit),
            unseen_key: self.unseen_key(visit.key_kind),
            unseen_actor: !self
                .combinations
                .entries
                .iter()
                .any(|e| e.key.actor == visit.combination.actor),
            travel,
            usual_areas: self.usual_areas(now, half_life),
            usual_networks: self.usual_networks(now, half_life),
            usual_clients: self.usual_clients(now, half_life),
            watched_days: self.first_day.map_or(0.0, |first| {
                Timestamp(minute.saturating_mul(MINUTE_MS)).since(Timestamp::of_day(first)) as f64
                    / crate::time::DAY_MS as f64
            }),
            category,
            novelty,
            minute,
            caller,
            visit,
            row,
        }
    }

    fn last_seen(&self, category: &Category) -> Option<i64> {
        match category {
            Category::Area(a) => self.areas.get(a).map(|e| e.last_day),
            Category::Network(n) => self.networks.get(n).map(|e| e.last_day),
            Category::Combination(c) => self.combinations.get(c).map(|e| e.last_day),
        }
    }
}

/// Position of `key` if it is known, and not from lately.
fn position<K: Ord + Clone, const MAX: usize>(
    set: &SeenSet<K, MAX>,
    key: &K,
    day: i64,
) -> Option<usize> {
    let at = set.entries.binary_search_by(|e: &Seen<K>| e.key.cmp(key)).ok()?;
    (set.entries[at].last_day < day.saturating_sub(RARE_AFTER_DAYS)).then_some(at)
}

/// Where a principal was in this minute; `None` for keys, clouds, hosting and trusted networks.
pub(super) fn journey(visit: &Visit, minute: i64) -> Option<Traveller> {
    match (&visit.combination.actor, visit.combination.site) {
        (super::category::Actor::Entra(principal), Site::Area(Area::Country(country)))
            if !visit.trusted =>
        {
            Some(Traveller { principal: principal.clone(), country, minute })
        }
        _ => None,
    }
}

fn journeys(cell: &Cell, minute: i64) -> Vec<Traveller> {
    cell.callers()
        .filter(|(_, row)| row.authenticated > 0)
        .filter_map(|(key, _)| journey(&Visit::of(key)?, minute))
        .collect()
}
