//! One row of "what broke, what held" in words.
use crate::alert::words::{byte_range, bytes, clean, count, days, number, once_in, plural, shares};
use crate::detect::{Facet, Quantity, Usual};

/// A facet in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetWords {
    /// What.
    pub name: String,
    /// What was observed.
    pub observed: String,
    /// What is usual.
    pub usual: String,
    /// How rare, or empty where it was not tested by itself.
    pub rarity: String,
    /// It broke its baseline.
    pub broke: bool,
}

/// Puts `facet` into words; `tests_per_day` turns its p into a frequency.
pub fn facet(facet: &Facet, tests_per_day: f64) -> FacetWords {
    let tests = if tests_per_day.is_finite() { tests_per_day.max(0.0) } else { 1.0 };
    let rarity = match (&facet.usual, facet.p) {
        (Usual::NeverIn { days: n }, _) => format!("never in {}", days(*n)),
        (_, Some(p)) if p.is_finite() && facet.broke => once_in(p.clamp(0.0, 1.0) * tests),
        _ => String::new(),
    };
    FacetWords {
        name: clean(facet.name),
        observed: quantity(&facet.observed),
        usual: usual(&facet.usual, &facet.observed),
        rarity,
        broke: facet.broke,
    }
}

fn quantity(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Bytes(v) => bytes(*v),
        Quantity::Count(v) => count(*v),
        Quantity::Hours(v) => hours(*v),
        Quantity::Name(name) => clean(name),
    }
}

fn hours(value: f64) -> String {
    format!("{} h", number(value))
}

fn usual(usual: &Usual, like: &Quantity) -> String {
    match usual {
        Usual::Range(low, high) => match like {
            Quantity::Bytes(_) => byte_range(*low, *high),
            Quantity::Hours(_) => format!("{} to {} h", number(*low), number(*high)),
            Quantity::Count(_) | Quantity::Name(_) => {
                format!("{} to {}", count(*low), count(*high))
            }
        },
        Usual::Shares(values) if values.is_empty() => "nothing known yet".to_owned(),
        Usual::Shares(values) => shares(values),
        Usual::NeverIn { .. } => "none".to_owned(),
        Usual::Queries { known: 0, .. } => "nothing known yet".to_owned(),
        Usual::Queries { known, days: age } => {
            format!("{} known in {}", plural(f64::from(*known), "query", "queries"), days(*age))
        }
        Usual::Unknown => "nothing known yet".to_owned(),
    }
}
