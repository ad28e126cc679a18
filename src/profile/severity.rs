//! Severity settings: budgets, floors, caps.
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Which severity is printed: ours, or the one Microsoft published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityMode {
    /// By false-alarm budget.
    #[default]
    Budget,
    /// Microsoft's table of 2022.
    #[serde(rename = "defender-2022")]
    Defender2022,
    /// Microsoft's table of 2024.
    #[serde(rename = "defender-2024")]
    Defender2024,
}

/// Nominal false alerts per benign account-day, over all kinds together. Bands are disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// High, at most.
    pub high: f64,
    /// Medium, at most.
    pub medium: f64,
    /// Low, at most.
    pub low: f64,
}

/// One kind's share of the budgets, its floor and cap.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindSeverity {
    /// Share of each band's budget, relative to the other kinds.
    pub weight: f64,
    /// Lowest severity that is raised ("Low", "Medium", "High").
    #[serde(deserialize_with = "severity_word")]
    pub floor: String,
    /// Highest severity.
    #[serde(deserialize_with = "severity_word")]
    pub cap: String,
    /// Microsoft's severity of 2022.
    #[serde(deserialize_with = "severity_word")]
    pub defender_2022: String,
    /// Microsoft's severity of 2024.
    #[serde(deserialize_with = "severity_word")]
    pub defender_2024: String,
}

/// Refuses anything but the three words where it stands, so that a slip is not a silent default.
fn severity_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    match word.as_str() {
        "Low" | "Medium" | "High" => Ok(word),
        _ => Err(serde::de::Error::custom(format!(
            "severity `{word}` is not one of Low, Medium, High"
        ))),
    }
}

/// Severity settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityProfile {
    /// Which severity is printed.
    pub mode: SeverityMode,
    /// The budgets.
    pub budget: Budgets,
    /// By alert type.
    pub kinds: BTreeMap<String, KindSeverity>,
}
