//! The shapes in which alerts leave the house, one file a format. Each line ends in `\n` and holds
//! no other.
use serde_json::Value;

use super::Alert;
use super::kinds::KindCard;
use crate::detect::Severity;

mod cef;
mod defender;
mod ecs;
mod ocsf;
mod securityalert;

/// Name of the product in every format.
pub const PRODUCT: &str = "cosmoguard";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `Microsoft.Security/locations/alerts` 2022-01-01.
    #[default]
    Defender,
    /// Open Cybersecurity Schema Framework, Detection Finding (2004).
    Ocsf,
    /// Elastic Common Schema.
    Ecs,
    /// ArcSight Common Event Format.
    Cef,
    /// A row of Log Analytics' `SecurityAlert` table.
    SecurityAlert,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] =
        [Format::Defender, Format::Ocsf, Format::Ecs, Format::Cef, Format::SecurityAlert];
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Defender => "defender",
            Format::Ocsf => "ocsf",
            Format::Ecs => "ecs",
            Format::Cef => "cef",
            Format::SecurityAlert => "securityalert",
        }
    }
    /// Reads the word.
    pub fn parse(text: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.as_str() == text)
    }
}

/// Appends `alert` as one line.
pub fn write_line(alert: &Alert, format: Format, out: &mut Vec<u8>) {
    let line = match format {
        Format::Defender => defender::value(alert).to_string(),
        Format::Ocsf => ocsf::value(alert).to_string(),
        Format::Ecs => ecs::value(alert).to_string(),
        Format::Cef => cef::line(alert),
        Format::SecurityAlert => securityalert::value(alert).to_string(),
    };
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

/// ATT&CK's name of the card's tactic.
pub(super) fn tactic_name(card: &KindCard) -> &'static str {
    match card.tactic.as_str() {
        "TA0001" => "Initial Access",
        "TA0006" => "Credential Access",
        "TA0009" => "Collection",
        "TA0010" => "Exfiltration",
        _ => "Unknown",
    }
}

/// Severity on a scale, by position.
fn scale<T: Copy>(severity: Severity, values: [T; 3]) -> T {
    values[severity as usize]
}

/// `value` unless it is empty.
fn present(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| Value::from(value))
}

#[cfg(test)]
mod tests;
