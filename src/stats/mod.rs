//! Small pure numerics: decayed counts, quantiles, hazards, tails, priors, surprise.
