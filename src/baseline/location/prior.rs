//! What the population says about places.
use super::category::NOVELTIES;
use crate::intel::view::Country;
use crate::profile::LocationProfile;
use crate::stats::hazard::HazardPrior;

/// Most countries kept in a prior or a contribution.
const COUNTRIES_MAX: usize = 64;
/// Most that one account may weigh in the population.
const ACCOUNT_WEIGHT_MAX: f64 = 0.01;
/// A fitted prior stays within this factor of the shipped one: a fleet of one kind, or a poisoned
/// one, cannot switch a test off.
const FIT_FACTOR_MAX: f64 = 10.0;

/// Population prior of places. The default (both lists empty) is the shipped one: every country
/// alike, and the hazards of the profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationPrior {
    /// Share of account-days by country, ascending by country; countries that are not listed share
    /// what is left evenly.
    pub country_shares: Vec<(Country, f64)>,
    /// Shapes of the novelty hazards, by [`super::category::Novelty::index`]; empty = the profile's.
    pub novelty_shapes: Vec<f64>,
}

/// What one account gives to the population at midnight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationContribution {
    /// Exposure, decayed days.
    pub exposure_days: f64,
    /// Days with something new, decayed, by [`super::category::Novelty::index`]. Quarantined
    /// observations count here, since they are part of what accounts meet.
    pub novelty_days: Vec<f64>,
    /// Share of days by country, ascending by country.
    pub country_shares: Vec<(Country, f64)>,
}

impl LocationPrior {
    /// Base share of a country. Some 200 countries have Azure customers.
    pub fn share(&self, country: Country) -> f64 {
        const COUNTRIES: f64 = 200.0;
        match self.country_shares.binary_search_by_key(&country, |(c, _)| *c) {
            Ok(at) => self.country_shares[at].1,
            Err(_) => {
                let known: f64 = self.country_shares.iter().map(|(_, s)| s).sum();
                let rest = COUNTRIES - self.country_shares.len() as f64;
                ((1.0 - known) / rest.max(1.0)).max(1e-4)
            }
        }
    }

    /// The hazard prior of the kind of novelty at `index`; `None` where the test is off.
    pub fn hazard(&self, index: usize, profile: &LocationProfile) -> Option<HazardPrior> {
        let a0 = match self.novelty_shapes.get(index) {
            Some(shape) => *shape,
            None => shipped_shape(index, profile),
        };
        (a0 > 0.0).then_some(HazardPrior { a0, b0: profile.novelty.exposure_days })
    }

    /// Fits the population: the mean of the accounts' rates, one account weighing at most 1 %; the
    /// shipped prior stands for the accounts that are missing to a hundred. `contributions` in
    /// account order.
    pub fn fit(contributions: &[LocationContribution], profile: &LocationProfile) -> LocationPrior {
        let grown: Vec<&LocationContribution> = contributions
            .iter()
            .filter(|c| c.exposure_days >= f64::from(profile.mature_days) / 2.0)
            .collect();
        let weight = (1.0 / grown.len().max(1) as f64).min(ACCOUNT_WEIGHT_MAX);
        let shipped_weight = (1.0 - weight * grown.len() as f64).max(0.0);
        let b0 = profile.novelty.exposure_days;
        let novelty_shapes = (0..NOVELTIES)
            .map(|i| {
                let shipped = shipped_shape(i, profile);
                let rates: f64 = grown
                    .iter()
                    .map(|c| c.novelty_days.get(i).copied().unwrap_or(0.0) / c.exposure_days)
                    .sum();
                (shipped * shipped_weight + rates * weight * b0)
                    .clamp(shipped / FIT_FACTOR_MAX, shipped * FIT_FACTOR_MAX)
            })
            .collect();
        LocationPrior { country_shares: fit_countries(&grown, weight), novelty_shapes }
    }
}

fn fit_countries(grown: &[&LocationContribution], weight: f64) -> Vec<(Country, f64)> {
    let mut shares = std::collections::BTreeMap::new();
    for (country, share) in grown.iter().flat_map(|c| &c.country_shares) {
        *shares.entry(*country).or_insert(0.0) += share * weight;
    }
    let mut largest: Vec<(Country, f64)> = shares.into_iter().collect();
    largest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    largest.truncate(COUNTRIES_MAX);
    largest.sort_by_key(|(c, _)| *c);
    largest
}

/// The profile's shape of the kind of novelty at `index`.
pub(super) fn shipped_shape(index: usize, profile: &LocationProfile) -> f64 {
    let n = &profile.novelty;
    let lanes = [&n.key, &n.entra, &n.interactive, &n.token, &n.private];
    match lanes.get(index / 6) {
        Some(lane) => lane[index % 6],
        None => n.first_public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn few_accounts_barely_move_the_prior_and_many_replace_it() {
        let profile = Profile::default().location;
        let account = LocationContribution {
            exposure_days: 100.0,
            novelty_days: vec![0.5; NOVELTIES],
            country_shares: vec![(Country(*b"NL"), 1.0)],
        };
        let few = LocationPrior::fit(&[account.clone(), account.clone()], &profile);
        assert!((few.novelty_shapes[0] - (0.04 * 0.98 + 0.125 * 0.02)).abs() < 1e-12);
        assert!((few.share(Country(*b"NL")) - 0.02).abs() < 1e-12);
        let many = LocationPrior::fit(&vec![account; 400], &profile);
        assert!((many.novelty_shapes[0] - 0.125).abs() < 1e-9);
        assert!(many.share(Country(*b"NL")) > 0.99);
        assert!(many.share(Country(*b"RO")) < 0.01);
        // A switched-off test stays off.
        assert_eq!(many.novelty_shapes[13], 0.0);
        assert!(many.hazard(13, &profile).is_none());
    }

    #[test]
    fn nobody_gives_the_shipped_prior() {
        let profile = Profile::default().location;
        let fitted = LocationPrior::fit(&[], &profile);
        for i in 0..NOVELTIES {
            assert_eq!(fitted.hazard(i, &profile), LocationPrior::default().hazard(i, &profile));
        }
    }
}
