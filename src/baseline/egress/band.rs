//! What an hour usually holds, and from where it would alert.
use super::EgressBaseline;
use super::observe::volume_score;
use super::prior::EgressPrior;
use crate::baseline::prior::Priors;
use crate::profile::EgressProfile;
use crate::stats::{gamma, normal};

/// Quantiles of the outer and inner band and the median.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// All that turns one hour's expectation into bands and thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandModel {
    /// Response-size scale A, bytes.
    pub size: f64,
    /// Over-dispersion of an hour, floor included.
    pub dispersion: f64,
    /// The account's median and spread of daily maxima of the one-hour test.
    pub scale: [f64; 2],
    /// Weight of that test.
    pub weight: f64,
    /// Least material excess, bytes.
    pub material: f64,
}

/// One hour's bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourBand {
    /// Bytes expected.
    pub expected: f64,
    /// q05, q25, q50, q75, q95.
    pub quantiles: [f64; 5],
    /// Bytes from which the hour alone would be Low, Medium, High by its p (volume alone is
    /// capped at Low whatever its p).
    pub thresholds: [f64; 3],
}

impl BandModel {
    fn variance(&self, expected: f64) -> f64 {
        self.size * expected + self.dispersion * expected * expected
    }

    /// Bands of an hour with this expectation. `limits_per_day`: nominal false alerts a day at
    /// which Low, Medium and High begin.
    pub fn band(&self, expected: f64, limits_per_day: [f64; 3], prior: &EgressPrior) -> HourBand {
        let variance = self.variance(expected);
        if expected <= 0.0 || variance <= 0.0 {
            return HourBand { expected, quantiles: [0.0; 5], thresholds: [f64::NAN; 3] };
        }
        let (shape, scale) = (expected * expected / variance, variance / expected);
        let at = |u: f64| scale * gamma::quantile_of_score(shape, u);
        let quantiles = QUANTILES.map(|q| at(normal::quantile(q)));
        let thresholds = limits_per_day.map(|limit| {
            let standardised = prior.value_at(0, limit * self.weight);
            let u = self.scale[0] + self.scale[1] * standardised;
            at(u.max(0.0)).max(expected + self.material)
        });
        HourBand { expected, quantiles, thresholds }
    }

    /// Usual range (5th, 50th, 95th percentile) of a window with this expectation and variance.
    pub fn usual(expected: f64, variance: f64) -> [f64; 3] {
        if expected <= 0.0 || variance <= 0.0 {
            return [0.0; 3];
        }
        let (shape, scale) = (expected * expected / variance, variance / expected);
        [0.05, 0.5, 0.95].map(|q| scale * gamma::quantile_of_score(shape, normal::quantile(q)))
    }

    /// Normal score of an hour with so many bytes.
    pub fn score(&self, observed: f64, expected: f64) -> f64 {
        volume_score(super::Span { observed, expected }, self.variance(expected))
    }
}

impl EgressBaseline {
    /// The band model in force on the day of `hour`.
    pub(crate) fn band_model(
        &self,
        hour: i64,
        priors: &Priors,
        profile: &EgressProfile,
    ) -> BandModel {
        BandModel {
            size: self.streams[0].size,
            dispersion: self.phi(0, 0, priors, profile).own + profile.dispersion_floor,
            scale: self.scale[0],
            weight: profile.weights[0] / profile.weights.iter().sum::<f64>() / profile.combination,
            material: profile.materiality[0] * self.day_scale(hour.div_euclid(24), profile),
        }
    }

    /// Bands of `hour` (today, or one of the last 72) at today's model; thresholds at the given
    /// limits.
    pub fn hour_band(
        &self,
        hour: i64,
        limits_per_day: [f64; 3],
        priors: &Priors,
        profile: &EgressProfile,
    ) -> HourBand {
        let model = self.band_model(hour, priors, profile);
        model.band(self.streams[0].expected(hour), limits_per_day, &priors.egress)
    }
}
