//! Small pure numerics: decayed counts, quantiles, hazards, tails, priors, surprise.
pub mod decay;
pub mod dirichlet;
pub mod gamma;
pub mod hazard;
pub mod independent;
pub mod nbinom;
pub mod normal;
