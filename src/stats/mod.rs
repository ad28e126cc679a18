//! Small pure numerics: decayed counts, quantiles, hazards, tails, priors, surprise.
pub mod combine;
pub mod decay;
pub mod dirichlet;
pub mod gamma;
pub mod hazard;
pub mod histogram;
pub mod independent;
pub mod nbinom;
pub mod normal;
pub mod tail;
