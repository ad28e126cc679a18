//! Persisted form of what the population says of places.
use serde::{Deserialize, Serialize};

use super::location::{CountryV1, country};
use crate::baseline::location::category::NOVELTIES;
use crate::baseline::location::{LocationContribution, LocationPrior};
use crate::intel::view::Country;

/// Mirror of [`LocationPrior`].
#[derive(Debug, Serialize, Deserialize)]
pub struct LocationPriorV1 {
    country_shares: Vec<(CountryV1, f64)>,
    novelty_rates: Vec<f64>,
    weight: f64,
}

/// Mirror of [`LocationContribution`].
#[derive(Debug, Serialize, Deserialize)]
pub struct LocationContributionV1 {
    exposure_days: f64,
    novelty_days: Vec<f64>,
    country_shares: Vec<(CountryV1, f64)>,
}

fn restore_shares(shares: Vec<(CountryV1, f64)>) -> Result<Vec<(Country, f64)>, &'static str> {
    if !shares.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("countries are out of order");
    }
    shares
        .into_iter()
        .map(|(letters, share)| match share {
            s if (0.0..=1.0 + 1e-9).contains(&s) => Ok((country(letters)?, s)),
            _ => Err("a country's share is no share"),
        })
        .collect()
}

fn restore_rates(rates: Vec<f64>) -> Result<Vec<f64>, &'static str> {
    if rates.len() > NOVELTIES || !rates.iter().all(|r| r.is_finite() && *r >= 0.0) {
        return Err("novelty rates are not sound");
    }
    Ok(rates)
}

impl From<&LocationPrior> for LocationPriorV1 {
    fn from(p: &LocationPrior) -> LocationPriorV1 {
        LocationPriorV1 {
            country_shares: p.country_shares.iter().map(|(c, s)| (c.0, *s)).collect(),
            novelty_rates: p.novelty_rates.clone(),
            weight: p.weight,
        }
    }
}

impl TryFrom<LocationPriorV1> for LocationPrior {
    type Error = &'static str;
    fn try_from(v: LocationPriorV1) -> Result<LocationPrior, &'static str> {
        if !(0.0..=1.0 + 1e-9).contains(&v.weight) {
            return Err("the population's weight is no share");
        }
        Ok(LocationPrior {
            country_shares: restore_shares(v.country_shares)?,
            novelty_rates: restore_rates(v.novelty_rates)?,
            weight: v.weight,
        })
    }
}

impl From<&LocationContribution> for LocationContributionV1 {
    fn from(c: &LocationContribution) -> LocationContributionV1 {
        LocationContributionV1 {
            exposure_days: c.exposure_days,
            novelty_days: c.novelty_days.clone(),
            country_shares: c.country_shares.iter().map(|(c, s)| (c.0, *s)).collect(),
        }
    }
}

impl TryFrom<LocationContributionV1> for LocationContribution {
    type Error = &'static str;
    fn try_from(v: LocationContributionV1) -> Result<LocationContribution, &'static str> {
        if !(v.exposure_days.is_finite() && v.exposure_days >= 0.0) {
            return Err("an exposure is no number of days");
        }
        Ok(LocationContribution {
            exposure_days: v.exposure_days,
            novelty_days: restore_rates(v.novelty_days)?,
            country_shares: restore_shares(v.country_shares)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn population_values_come_back() {
        let contribution = LocationContribution {
            exposure_days: 30.0,
            novelty_days: vec![0.25; NOVELTIES],
            country_shares: vec![(Country(*b"DE"), 0.25), (Country(*b"NL"), 0.75)],
        };
        let prior = LocationPrior::fit([&contribution]);
        assert_eq!(LocationPrior::try_from(LocationPriorV1::from(&prior)), Ok(prior));
        let mirror = LocationContributionV1::from(&contribution);
        assert_eq!(LocationContribution::try_from(mirror), Ok(contribution));
    }
}
