//! What the population says about places.
use super::category::NOVELTIES;
use crate::intel::view::Country;
use crate::profile::LocationProfile;
use crate::stats::hazard::HazardPrior;

/// Most countries kept in a prior or a contribution.
const COUNTRIES_MAX: usize = 64;
/// Most that one account may weigh in the population.
const ACCOUNT_WEIGHT_MAX: f64 = 0.01;
/// Exposure from which an account's rates say something.
const GROWN_DAYS: f64 = 7.0;
/// A fitted prior stays within this factor of the shipped one: a fleet of one kind, or a poisoned
/// one, cannot switch a test off.
const FIT_FACTOR_MAX: f64 = 10.0;

/// Population prior of places. The default is the shipped one: every country alike, and the
/// hazards of the profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationPrior {
    /// Share of account-days by country, ascending by country; countries that are not listed share
    /// what is left evenly.
    pub country_shares: Vec<(Country, f64)>,
    /// The accounts' part of the mean rate of novelty, a day, by
    /// [`super::category::Novelty::index`]; empty = none.
    pub novelty_rates: Vec<f64>,
    /// What the accounts weigh against the profile's hazards, 0 to 1.
    pub weight: f64,
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

    /// The hazard prior of the kind of novelty at `index`; `None` where the profile switches the
    /// test off.
    pub fn hazard(&self, index: usize, profile: &LocationProfile) -> Option<HazardPrior> {
        let (shipped, b0) = (shipped_shape(index, profile), profile.novelty.exposure_days);
        if shipped <= 0.0 {
            return None;
        }
        let rate = self.novelty_rates.get(index).copied().unwrap_or(0.0);
        let a0 = (shipped * (1.0 - self.weight).max(0.0) + rate * b0)
            .clamp(shipped / FIT_FACTOR_MAX, shipped * FIT_FACTOR_MAX);
        Some(HazardPrior { a0, b0 })
    }

    /// Fits the population: the mean of the accounts' rates, one account weighing at most 1 %; the
    /// profile stands for the accounts that are missing to a hundred. `contributions` in account
    /// order; accounts that are too young are left out.
    pub fn fit<'a>(
        contributions: impl IntoIterator<Item = &'a LocationContribution>,
    ) -> LocationPrior {
        let grown: Vec<&LocationContribution> =
            contributions.into_iter().filter(|c| c.exposure_days >= GROWN_DAYS).collect();
        if grown.is_empty() {
            return LocationPrior::default();
        }
        let each = (1.0 / grown.len() as f64).min(ACCOUNT_WEIGHT_MAX);
        let rate = |i: usize| -> f64 {
            grown
                .iter()
                .map(|c| c.novelty_days.get(i).copied().unwrap_or(0.0) / c.exposure_days * each)
                .sum()
        };
        LocationPrior {
            country_shares: fit_countries(&grown, each),
            novelty_rates: (0..NOVELTIES).map(rate).collect(),
            weight: each * grown.len() as f64,
        }
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
        let shape = |prior: &LocationPrior, i| prior.hazard(i, &profile).map(|h| h.a0);
        let few = LocationPrior::fit([&account, &account]);
        assert!((shape(&few, 0).unwrap() - (0.04 * 0.98 + 0.125 * 0.02)).abs() < 1e-12);
        assert!((few.share(Country(*b"NL")) - 0.02).abs() < 1e-12);
        let many = LocationPrior::fit(&vec![account; 400]);
        assert!((shape(&many, 0).unwrap() - 0.125).abs() < 1e-9);
        assert!(many.share(Country(*b"NL")) > 0.99);
        assert!(many.share(Country(*b"RO")) < 0.01);
        // A switched-off test stays off.
        assert_eq!(shape(&many, 13), None);
    }

    #[test]
    fn nobody_gives_the_shipped_prior() {
        let young = LocationContribution { exposure_days: 1.0, ..LocationContribution::default() };
        assert_eq!(LocationPrior::fit([&young]), LocationPrior::default());
    }
}
