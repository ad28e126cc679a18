//! What a person says of a place that was held back: it is learnt now, it is never learnt, or what
//! was said is taken back.
use super::category::{Area, Category, NetworkKey, Site};
use super::{LocationBaseline, QUARANTINE_MAX, Quarantined};
use crate::profile::LocationProfile;
use crate::time::Timestamp;

/// Places that are kept out for good; beyond it the one longest unseen is held back like any other
/// that is new. The rest of the quarantine stays free for what nobody has judged.
pub const KEPT_OUT_MAX: usize = QUARANTINE_MAX - 2;

impl LocationBaseline {
    /// Teaches what was held back of the category that `is` picks, at full weight; of one that was
    /// unlearnt and not met since, the category alone. False if nothing is held back of it.
    pub fn release_now(
        &mut self,
        is: impl Fn(&Category) -> bool,
        day: i64,
        profile: &LocationProfile,
    ) -> bool {
        let Some(at) = self.quarantine.iter().position(|q| is(&q.category)) else { return false };
        let held = self.quarantine.remove(at);
        if let Some(index) = held.novelty {
            self.count_novelty(index, Timestamp::of_day(day), 1.0, 0.0, profile);
        }
        for visit in &held.visits {
            self.teach(visit, held.last_day, 1.0, profile);
        }
        if held.visits.is_empty() {
            self.teach_category(&held.category, held.last_day, profile);
        }
        true
    }

    fn teach_category(&mut self, category: &Category, day: i64, profile: &LocationProfile) {
        let half_life = profile.half_life_days;
        match category {
            Category::Area(area) => self.areas.teach(area, day, 1.0, half_life),
            Category::Network(network) => self.networks.teach(network, day, 1.0, half_life),
            Category::Combination(combination) => {
                self.combinations.teach(combination, day, 1.0, half_life);
            }
        }
    }

    /// Keeps the category out until this is taken back: what is held back of it stays so, and if it
    /// was learnt it is unlearnt. False if it is neither held back nor known.
    pub fn keep_out(&mut self, is: impl Fn(&Category) -> bool, day: i64) -> bool {
        let done = match self.quarantine.iter_mut().find(|q| is(&q.category)) {
            Some(held) => {
                held.kept_out = true;
                true
            }
            None => self.unlearn(&is, day, true),
        };
        let kept = || self.quarantine.iter().filter(|q| q.kept_out);
        if kept().count() > KEPT_OUT_MAX {
            let oldest = kept().map(|q| (q.last_day, q.first_day)).min();
            let age =
                |q: &&mut Quarantined| q.kept_out && Some((q.last_day, q.first_day)) == oldest;
            if let Some(oldest) = self.quarantine.iter_mut().find(age) {
                oldest.kept_out = false;
            }
        }
        done
    }

    /// Takes [`LocationBaseline::release_now`] back: the category is unknown again and held back.
    pub fn hold_again(&mut self, is: impl Fn(&Category) -> bool, day: i64) -> bool {
        self.unlearn(&is, day, false)
    }

    /// Takes [`LocationBaseline::keep_out`] back: what is held back may prove itself again.
    pub fn let_prove_itself(&mut self, is: impl Fn(&Category) -> bool) -> bool {
        let held = self.quarantine.iter_mut().find(|q| q.kept_out && is(&q.category));
        held.map(|q| q.kept_out = false).is_some()
    }

    /// Removes a known category and what lies inside it, and holds it back.
    fn unlearn(&mut self, is: &impl Fn(&Category) -> bool, day: i64, kept_out: bool) -> bool {
        let Some(category) = self.known_categories().find(|c| is(c)) else { return false };
        match &category {
            Category::Area(area) => {
                self.areas.entries.retain(|e| e.key != *area);
                self.networks.entries.retain(|e| !lies_in(&e.key, *area));
                self.combinations.entries.retain(|e| !is_site_in(&e.key.site, *area));
            }
            Category::Network(network) => self.networks.entries.retain(|e| e.key != *network),
            Category::Combination(combination) => {
                self.combinations.entries.retain(|e| e.key != *combination);
            }
        }
        let held = Quarantined {
            category,
            novelty: None,
            first_day: day,
            last_day: day,
            days: 1,
            visits: Vec::new(),
            kept_out,
        };
        self.hold(held);
        true
    }

    /// Puts something into quarantine; when it is full, what nobody judged and is longest unseen
    /// goes, never the newcomer.
    pub(super) fn hold(&mut self, held: Quarantined) {
        self.quarantine.reserve_exact(1);
        self.quarantine.push(held);
        if self.quarantine.len() > QUARANTINE_MAX {
            let age = |i: &usize| (self.quarantine[*i].kept_out, self.quarantine[*i].last_day);
            let oldest = (0..self.quarantine.len() - 1).min_by_key(age);
            self.quarantine.remove(oldest.unwrap_or(0));
        }
    }

    fn known_categories(&self) -> impl Iterator<Item = Category> {
        let areas = self.areas.entries.iter().map(|e| Category::Area(e.key));
        let networks = self.networks.entries.iter().map(|e| Category::Network(e.key));
        let combinations = self.combinations.entries.iter();
        areas.chain(networks).chain(combinations.map(|e| Category::Combination(e.key.clone())))
    }
}

fn lies_in(network: &NetworkKey, area: Area) -> bool {
    match (network, area) {
        (NetworkKey::Routed(Some(country), _), Area::Country(of)) => *country == of,
        (NetworkKey::Routed(None, _), Area::Unknown)
        | (NetworkKey::Azure(_), Area::Azure)
        | (NetworkKey::Subnet(_), Area::Private) => true,
        _ => false,
    }
}

fn is_site_in(site: &Site, area: Area) -> bool {
    match (site, area) {
        (Site::Area(of), _) => *of == area,
        (Site::Hosting(Some(country), _), Area::Country(of)) => *country == of,
        (Site::Hosting(None, _), Area::Unknown) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::location::tests::{Who, cell_at, lived_in, who};
    use crate::baseline::location::{LocationPrior, PlaceContext, PlaceObservation};
    use crate::intel::view::AddressClass;
    use crate::profile::Profile;

    const MINUTE: i64 = 20_043 * 1440 + 180;
    const DAY: i64 = 20_043;

    fn stranger() -> Who {
        Who { family: "azsdk-rust", ..who("41.2.3.4", AddressClass::Hosting, "BR", 28573) }
    }

    fn brazil(category: &Category) -> bool {
        matches!(category, Category::Area(area) if area.to_string() == "BR")
    }

    /// A day of life with the stranger in it; what was said of it.
    fn day(location: &mut LocationBaseline, day: i64) -> Vec<PlaceObservation> {
        let profile = Profile::default().location;
        let prior = LocationPrior::default();
        let minute = MINUTE + (day - DAY) * 1440;
        let cell = cell_at(minute, &[(stranger(), 3)]);
        let judged =
            location.assess(minute, &cell, &PlaceContext { profile: &profile, prior: &prior });
        location.learn(minute, &cell, &judged, &profile);
        location.close_day(day, true, &profile);
        judged
    }

    fn knows(location: &LocationBaseline) -> bool {
        location.known_categories().any(|c| brazil(&c))
    }

    #[test]
    fn what_is_released_is_known_and_taken_back_it_is_not() {
        let profile = Profile::default().location;
        let mut location = lived_in();
        assert_eq!(day(&mut location, DAY).len(), 1);
        assert!(!knows(&location), "held back");
        assert!(location.release_now(brazil, DAY + 1, &profile));
        assert!(knows(&location) && !location.release_now(brazil, DAY + 1, &profile));
        let judged = day(&mut location, DAY + 1);
        assert!(judged.iter().all(|o| o.novelty.is_none()), "no news any more");
        assert!(location.hold_again(brazil, DAY + 2));
        assert!(!knows(&location));
        // Said again before it came back: the place is known again, by its name alone.
        assert!(location.release_now(brazil, DAY + 2, &profile) && knows(&location));
        assert!(location.hold_again(brazil, DAY + 2));
        assert!(day(&mut location, DAY + 2).iter().any(|o| o.novelty.is_some()));
    }

    #[test]
    fn what_is_kept_out_never_teaches_and_is_told_every_day() {
        let profile = Profile::default().location;
        let (mut kept, mut left) = (lived_in(), lived_in());
        for location in [&mut kept, &mut left] {
            day(location, DAY);
        }
        assert!(kept.keep_out(brazil, DAY));
        for n in 1..60 {
            let judged = day(&mut kept, DAY + n);
            assert!(judged.iter().any(|o| o.novelty.is_some() && !o.returning), "day {n}");
            day(&mut left, DAY + n);
        }
        assert!(!knows(&kept) && knows(&left), "left alone it proves itself");
        assert!(kept.let_prove_itself(brazil) && !kept.let_prove_itself(brazil));
        day(&mut kept, DAY + 60);
        assert!(knows(&kept), "taken back it does, too");
        // Learnt before anybody said so: unlearnt.
        assert!(left.keep_out(brazil, DAY + 60) && !knows(&left));
        assert!(!lived_in().keep_out(brazil, DAY), "nothing to keep out");
        assert!(!lived_in().release_now(brazil, DAY, &profile));
    }

    #[test]
    fn a_full_quarantine_forgets_what_nobody_judged() {
        let mut location = LocationBaseline::new();
        let held = |n: u32, kept_out| Quarantined {
            category: Category::Network(NetworkKey::Routed(None, n)),
            novelty: None,
            first_day: i64::from(n),
            last_day: i64::from(n),
            days: 1,
            visits: Vec::new(),
            kept_out,
        };
        location.hold(held(0, true));
        (1..20).for_each(|n| location.hold(held(n, false)));
        assert_eq!(location.quarantine.len(), QUARANTINE_MAX);
        assert!(location.quarantine[0].kept_out);
        for n in 12..20 {
            let is = |c: &Category| *c == Category::Network(NetworkKey::Routed(None, n));
            location.keep_out(is, DAY);
        }
        assert_eq!(location.quarantine.iter().filter(|q| q.kept_out).count(), KEPT_OUT_MAX);
    }
}
