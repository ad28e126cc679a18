//! Words that a setting may be.
use serde::Deserialize;

use crate::alert::formats::Format;
use crate::detect::Severity;

/// A format by its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct FormatWord(pub Format);

impl TryFrom<String> for FormatWord {
    type Error = String;
    fn try_from(word: String) -> Result<FormatWord, String> {
        Format::parse(&word).map(FormatWord).ok_or_else(|| {
            "`format` must be one of defender, ocsf, ecs, cef, securityalert".to_owned()
        })
    }
}

/// A severity by its word.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct SeverityWord(pub Severity);

impl TryFrom<String> for SeverityWord {
    type Error = String;
    fn try_from(word: String) -> Result<SeverityWord, String> {
        let severity = Severity::parse(&word).map(SeverityWord);
        severity.ok_or_else(|| "`min_severity` must be one of Low, Medium, High".to_owned())
    }
}
