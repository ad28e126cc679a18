//! p-values to severities by false-alarm budget.
use crate::detect::Severity;

/// Whether a severity was measured or follows a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// By false-alarm budget.
    Measured,
    /// By rule (Tor, listed addresses).
    Rule,
}

/// A graded finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// What is printed.
    pub severity: Severity,
    /// Measured or rule.
    pub basis: Basis,
    /// p·r: nominal false alerts per benign account-day at this surprise.
    pub nominal_per_day: f64,
    /// Largest p·r that this kind may have for Low, Medium, High (its share of the budgets).
    pub limits_per_day: [f64; 3],
    /// Our severity by budget (equals `severity` in budget mode).
    pub by_budget: Severity,
    /// Microsoft's severities of 2022 and 2024.
    pub defender: [Severity; 2],
    /// Why not one higher.
    pub not_higher: NotHigher,
}

/// Why a grade is not one higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotHigher {
    /// It is High.
    Highest,
    /// The next band asks for a rarer observation.
    TooOrdinary {
        /// p·r that the next band allows.
        needed_per_day: f64,
    },
    /// The kind's cap.
    KindCap,
    /// The finding's own ceiling.
    Ceiling(crate::detect::Ceiling),
    /// The rule says so.
    Rule(crate::detect::RuleClause),
}
