//! Persisted form of what the population says of volume. The tail curves are shipped, never
//! learned, and so not stored.
use serde::{Deserialize, Serialize};

use crate::baseline::egress::prior::{CLASSES, SCALED};
use crate::baseline::egress::{EgressContribution, EgressPrior};

/// Mirror of the learned part of [`EgressPrior`].
#[derive(Debug, Serialize, Deserialize)]
pub struct EgressPriorV1 {
    centre: [[f32; SCALED]; CLASSES],
    spread: [[f32; SCALED]; CLASSES],
    dispersion: [[f32; 3]; 2],
    size: f32,
}

impl From<&EgressPrior> for EgressPriorV1 {
    fn from(p: &EgressPrior) -> EgressPriorV1 {
        EgressPriorV1 { centre: p.centre, spread: p.spread, dispersion: p.dispersion, size: p.size }
    }
}

impl TryFrom<EgressPriorV1> for EgressPrior {
    type Error = &'static str;
    fn try_from(v: EgressPriorV1) -> Result<EgressPrior, &'static str> {
        let numbers =
            v.centre.iter().chain(&v.spread).flatten().chain(v.dispersion.iter().flatten());
        if !numbers.chain([&v.size]).all(|n| n.is_finite()) {
            return Err("a volume prior is not a number");
        }
        let EgressPriorV1 { centre, spread, dispersion, size } = v;
        Ok(EgressPrior { centre, spread, dispersion, size, ..EgressPrior::default() })
    }
}

/// Mirror of [`EgressContribution`].
#[derive(Debug, Serialize, Deserialize)]
pub struct EgressContributionV1 {
    class: u8,
    days: u32,
    centre: [f32; SCALED],
    spread: [f32; SCALED],
    dispersion: [[f32; 3]; 2],
    size: f32,
}

impl From<&EgressContribution> for EgressContributionV1 {
    fn from(c: &EgressContribution) -> EgressContributionV1 {
        EgressContributionV1 {
            class: c.class,
            days: c.days,
            centre: c.centre,
            spread: c.spread,
            dispersion: c.dispersion,
            size: c.size,
        }
    }
}

impl TryFrom<EgressContributionV1> for EgressContribution {
    type Error = &'static str;
    fn try_from(v: EgressContributionV1) -> Result<EgressContribution, &'static str> {
        let numbers = v.centre.iter().chain(&v.spread).chain(v.dispersion.iter().flatten());
        if usize::from(v.class) >= CLASSES || !numbers.chain([&v.size]).all(|n| n.is_finite()) {
            return Err("a volume contribution is not sound");
        }
        let EgressContributionV1 { class, days, centre, spread, dispersion, size } = v;
        Ok(EgressContribution { class, days, centre, spread, dispersion, size })
    }
}
