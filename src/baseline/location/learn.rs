//! Teaching the baseline, quarantine and the end of a day.
use super::PlaceObservation;
use super::assess::journey;
use super::category::{Area, Category, Visit};
use super::prior::LocationContribution;
use super::{
    JUDGED_MAX, Judged, LocationBaseline, NoveltyCount, QUARANTINE_VISITS_MAX, Quarantined,
    TRAVELLERS_MAX, Traveller,
};
use crate::baseline::cell::Cell;
use crate::profile::LocationProfile;
use crate::stats::decay::Decayed;
use crate::time::Timestamp;

/// What has decayed below so many days is forgotten: a single visit of a year and a half ago.
const FORGET_BELOW_DAYS: f64 = 0.015;

/// Quarantines after which a place that keeps coming back is released whatever else was found.
const SETTLED_QUARANTINES: i64 = 4;

impl LocationBaseline {
    /// Applies a closed minute. `judged` is what [`LocationBaseline::assess`] said of it: what
    /// was too surprising goes to quarantine, everything else teaches.
    pub fn learn(
        &mut self,
        minute: i64,
        cell: &Cell,
        judged: &[PlaceObservation],
        profile: &LocationProfile,
    ) {
        let day = Timestamp::of_minute(minute).day();
        self.roll(day, profile);
        for observation in judged {
            self.note_judged(observation, day, profile);
        }
        for (key, row) in cell.callers() {
            if row.authenticated == 0 {
                continue;
            }
            let Some(visit) = Visit::of(key) else { continue };
            if let Some(here) = journey(&visit, minute) {
                self.note_journey(here);
            }
            if !self.recurs_in_quarantine(&visit, day) {
                self.teach(&visit, day, 1.0, profile);
            }
        }
    }

    /// Applies a cell of records that came after their minute had closed: first seen is a
    /// minimum, a place unknown so far is learned (or quarantined) as on its own day, and the
    /// state of today is left alone.
    pub fn learn_late(
        &mut self,
        minute: i64,
        cell: &Cell,
        judged: &[PlaceObservation],
        profile: &LocationProfile,
    ) {
        let (today, kept) = (self.judged_day, std::mem::take(&mut self.judged));
        let day = Timestamp::of_minute(minute).day();
        self.judged_day = day;
        self.learn(minute, cell, judged, profile);
        if day < today {
            self.roll(day + 1, profile);
            (self.judged_day, self.judged) = (today, kept);
        } else {
            self.judged.extend(kept);
            self.trim_judged();
        }
    }

    /// A finding of another kind on this account: what is in quarantine stays there.
    pub fn note_other_finding(&mut self, at: Timestamp) {
        self.other_finding_day = self.other_finding_day.max(Some(at.day()));
    }

    /// Ends a day. `active`: the day had logs; only such days are exposure. Returns what the
    /// account gives to the population, once it has taught anything.
    pub fn close_day(
        &mut self,
        day: i64,
        active: bool,
        profile: &LocationProfile,
    ) -> Option<LocationContribution> {
        self.roll(day.saturating_add(1), profile);
        let first = self.first_day?;
        let now = Timestamp::of_day(day);
        if active && day >= first {
            self.exposure.add(now, 1.0, profile.half_life_days);
        }
        self.release(day, profile);
        self.areas.forget_below(FORGET_BELOW_DAYS, now, profile.half_life_days);
        self.networks.forget_below(FORGET_BELOW_DAYS, now, profile.half_life_days);
        self.combinations.forget_below(FORGET_BELOW_DAYS, now, profile.half_life_days);
        self.families.forget_below(FORGET_BELOW_DAYS, now, profile.half_life_days);
        Some(self.contribution(now, profile.half_life_days))
    }

    fn contribution(&self, now: Timestamp, half_life_days: f64) -> LocationContribution {
        let mut novelty_days = vec![0.0; super::category::NOVELTIES];
        for count in &self.novelty {
            if let Some(slot) = novelty_days.get_mut(usize::from(count.index)) {
                *slot = count.met.value(now, half_life_days);
            }
        }
        let mut country_shares: Vec<_> = self
            .areas
            .shares(now, half_life_days, 16)
            .into_iter()
            .filter_map(|(area, share)| match area {
                Area::Country(c) => Some((*c, share)),
                _ => None,
            })
            .collect();
        country_shares.sort_by_key(|(c, _)| *c);
        LocationContribution {
            exposure_days: self.exposure.value(now, half_life_days),
            novelty_days,
            country_shares,
        }
    }

    /// Counts the novelties of the judged day, once per kind, when it is over: all tests of one
    /// day meet the same history.
    fn roll(&mut self, day: i64, profile: &LocationProfile) {
        if day <= self.judged_day {
            return;
        }
        let at = Timestamp::of_day(self.judged_day);
        let judged = std::mem::take(&mut self.judged);
        for index in 0..super::category::NOVELTIES as u8 {
            let kind = || judged.iter().filter(|j| j.novelty == Some(index));
            let taught = kind().any(|j| !j.quarantined);
            // What is in quarantine since an earlier day is judged again, but was news only once.
            let held = |j: &Judged| {
                let since = |q: &Quarantined| q.first_day < self.judged_day;
                self.quarantine.iter().any(|q| q.category == j.category && since(q))
            };
            let met = kind().any(|j| !held(j));
            let weight = self.arrival_share(index, self.judged_day, profile);
            if taught || met {
                let count = |yes: bool, weight: f64| if yes { weight } else { 0.0 };
                self.count_novelty(index, at, count(taught, weight), count(met, 1.0), profile);
            }
        }
        self.judged_day = day;
    }

    /// P(a place that first shows itself on `day` is an arrival, not one that was there before the
    /// logs began): the shipped rate of arrivals against the places not seen yet, which fade
    /// exponentially as they show themselves.
    fn arrival_share(&self, index: u8, day: i64, profile: &LocationProfile) -> f64 {
        let novelty = &profile.novelty;
        let age = self.first_day.map_or(0, |first| day.saturating_sub(first).max(0)) as f64;
        let arrivals = super::prior::shipped_shape(usize::from(index), profile)
            / novelty.exposure_days.max(f64::MIN_POSITIVE);
        let fade = novelty.unseen_days.max(f64::MIN_POSITIVE);
        let unseen = novelty.unseen_places.max(0.0) / fade * (-age / fade).exp();
        if unseen > 0.0 { arrivals / (arrivals + unseen) } else { 1.0 }
    }

    pub(super) fn count_novelty(
        &mut self,
        index: u8,
        at: Timestamp,
        taught: f64,
        met: f64,
        profile: &LocationProfile,
    ) {
        let slot = match self.novelty.binary_search_by_key(&index, |n| n.index) {
            Ok(slot) => slot,
            Err(slot) => {
                let (taught, met) = (Decayed::default(), Decayed::default());
                self.novelty.reserve_exact(1);
                self.novelty.insert(slot, NoveltyCount { index, taught, met });
                slot
            }
        };
        let count = &mut self.novelty[slot];
        if taught > 0.0 {
            count.taught.add(at, taught, profile.half_life_days);
        }
        if met > 0.0 {
            count.met.add(at, met, profile.half_life_days);
        }
    }

    fn note_judged(&mut self, o: &PlaceObservation, day: i64, profile: &LocationProfile) {
        let quarantined = o.p < profile.quarantine_p;
        let novelty = o.novelty.map(|n| n.index() as u8);
        if !self.quarantine.iter().any(|q| q.category == o.category) && quarantined {
            self.hold(Quarantined {
                category: o.category.clone(),
                novelty,
                first_day: day,
                last_day: i64::MIN,
                days: 0,
                visits: Vec::new(),
                kept_out: false,
            });
        }
        let category = o.category.clone();
        self.judged.reserve_exact(1);
        self.judged.push(Judged { category, novelty, p: o.p, quarantined });
        self.trim_judged();
    }

    fn trim_judged(&mut self) {
        while self.judged.len() > JUDGED_MAX {
            let ordinary = (0..self.judged.len())
                .max_by(|a, b| self.judged[*a].p.total_cmp(&self.judged[*b].p));
            self.judged.remove(ordinary.unwrap_or(0));
        }
    }

    /// The visit belongs to something in quarantine: counted there, not taught.
    fn recurs_in_quarantine(&mut self, visit: &Visit, day: i64) -> bool {
        if visit.trusted {
            return false;
        }
        let Some(q) = self.quarantine.iter_mut().find(|q| match &q.category {
            Category::Area(a) => *a == visit.area,
            Category::Network(n) => Some(*n) == visit.network,
            Category::Combination(c) => *c == visit.combination,
        }) else {
            return false;
        };
        if day > q.last_day {
            q.days += 1;
            q.last_day = day;
        }
        q.first_day = q.first_day.min(day);
        if let Err(at) = q.visits.binary_search(visit)
            && q.visits.len() < QUARANTINE_VISITS_MAX
        {
            q.visits.reserve_exact(1);
            q.visits.insert(at, visit.clone());
        }
        true
    }

    pub(super) fn teach(
        &mut self,
        visit: &Visit,
        day: i64,
        weight: f64,
        profile: &LocationProfile,
    ) {
        let half_life = profile.half_life_days;
        self.areas.teach(&visit.area, day, weight, half_life);
        if let Some(network) = &visit.network {
            self.networks.teach(network, day, weight, half_life);
        }
        self.combinations.teach(&visit.combination, day, weight, half_life);
        if !visit.combination.family.is_empty() {
            self.families.teach(&visit.combination.family, day, weight, half_life);
        }
        if let Some(kind) = visit.key_kind {
            self.key_kinds |= 1 << kind as u8;
        }
        if self.first_day.is_none() || day > self.last_active_day {
            self.active_days = self.active_days.saturating_add(1);
            self.last_active_day = day;
        }
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        self.public_seen |= visit.is_public();
        if visit.area == Area::Private && (self.private_days == 0 || day > self.last_private_day) {
            self.private_days = self.private_days.saturating_add(1);
            self.last_private_day = day;
        }
    }

    fn note_journey(&mut self, here: Traveller) {
        match self.travellers.binary_search_by(|t| t.principal.cmp(&here.principal)) {
            Ok(at) if self.travellers[at].minute <= here.minute => self.travellers[at] = here,
            Ok(_) => {}
            Err(at) => {
                self.travellers.reserve_exact(1);
                self.travellers.insert(at, here);
                if self.travellers.len() > TRAVELLERS_MAX {
                    let oldest = (0..self.travellers.len())
                        .min_by_key(|i| self.travellers[*i].minute)
                        .unwrap_or(0);
                    self.travellers.remove(oldest);
                }
            }
        }
    }

    /// Lets out of quarantine what has proved itself, and forgets what did not come back. Both
    /// count as novelty at the reduced weight unless another finding says that it was no
    /// accident.
    fn release(&mut self, day: i64, profile: &LocationProfile) {
        let quarantine = std::mem::take(&mut self.quarantine);
        for q in quarantine {
            let age = day.saturating_sub(q.first_day);
            // What came back for so long in spite of another finding is how this account lives now:
            // it was told again and again.
            let settled = age >= profile.quarantine_days.saturating_mul(SETTLED_QUARANTINES);
            let clean = settled || self.other_finding_day.is_none_or(|d| d < q.first_day);
            let proven =
                age >= profile.quarantine_days && q.days >= profile.quarantine_distinct_days;
            let gone =
                day.saturating_sub(q.last_day.max(q.first_day)) >= profile.quarantine_expiry_days;
            if q.kept_out || !(gone || (proven && clean)) {
                self.quarantine.reserve_exact(1);
                self.quarantine.push(q);
                continue;
            }
            if !clean {
                continue;
            }
            if let Some(index) = q.novelty {
                let weight = profile.quarantine_weight;
                self.count_novelty(index, Timestamp::of_day(day), weight, 0.0, profile);
            }
            if proven {
                for visit in &q.visits {
                    self.teach(visit, q.last_day, profile.quarantine_weight, profile);
                }
            }
        }
    }
}
