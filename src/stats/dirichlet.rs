//! Shares of categories with a Dirichlet prior: known but rare, and how novel a set is.

/// Predictive share of a category seen `count` times of `total` (decayed counts), with a prior of
/// `strength` observations spread by `base`, the category's share in the population.
pub fn share(count: f64, total: f64, strength: f64, base: f64) -> f64 {
    let denominator = total.max(0.0) + strength.max(0.0);
    if denominator <= 0.0 {
        return base.clamp(0.0, 1.0);
    }
    (count.max(0.0) + strength.max(0.0) * base.clamp(0.0, 1.0)) / denominator
}

/// P(a category at most this common) = Σ of the `shares` that are ≤ `observed` (ties by a hair of
/// rounding included): the p-value of meeting a rare category.
pub fn mass_at_or_below(shares: &[f64], observed: f64) -> f64 {
    shares.iter().filter(|s| **s <= observed * (1.0 + 1e-12)).sum::<f64>().min(1.0)
}

/// Novelty of meeting a category seen `count` times of `total` among `categories`, in nats:
/// −ln((n + α)/(N + αK)).
pub fn novelty(count: f64, total: f64, alpha: f64, categories: f64) -> f64 {
    -((count.max(0.0) + alpha) / (total.max(0.0) + alpha * categories.max(1.0))).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prior_fades_with_data() {
        assert_eq!(share(0.0, 0.0, 4.0, 0.25), 0.25);
        assert_eq!(share(6.0, 12.0, 4.0, 0.25), 7.0 / 16.0);
        assert_eq!(share(0.0, 0.0, 0.0, 0.25), 0.25);
    }

    #[test]
    fn rare_mass_counts_ties() {
        let shares = [0.7, 0.2, 0.05, 0.05];
        assert!((mass_at_or_below(&shares, 0.05) - 0.1).abs() < 1e-15);
        assert!((mass_at_or_below(&shares, 0.7) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_new_category_is_more_novel_than_a_known_one() {
        assert!(novelty(0.0, 100.0, 0.5, 10.0) > novelty(5.0, 100.0, 0.5, 10.0));
        assert!((novelty(0.0, 0.0, 1.0, 4.0) - 4.0f64.ln()).abs() < 1e-15);
    }
}
