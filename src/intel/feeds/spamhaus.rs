//! Spamhaus DROP as JSON lines: `{"cidr": …, "sblid": …}` rows and a metadata row. The text form
//! is read by the plain parser.
use serde::Deserialize;

use super::collect::{Collector, ParseError, Parsed, Validity, parse_network, shown, text};
use crate::time::Timestamp;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    cidr: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// Seconds since the epoch, in the metadata row.
    #[serde(default)]
    timestamp: Option<i64>,
}

/// Parses `bytes`. Rows have no dates: valid for all time.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let mut collector = Collector::default();
    for (number, line) in (1..).zip(text(bytes)?.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let row: Row =
            serde_json::from_str(line).map_err(|e| ParseError::at(number, e.to_string()))?;
        match (row.cidr, row.kind.as_deref()) {
            (Some(cidr), _) => {
                let network = parse_network(&cidr).ok_or_else(|| {
                    ParseError::at(number, format!("`{}` is not a CIDR", shown(&cidr)))
                })?;
                collector.add(number, network, Validity::default())?;
            }
            (None, Some("metadata")) => {
                collector.saw(row.timestamp.map(|s| Timestamp(s.saturating_mul(1000))));
            }
            (None, _) => return Err(ParseError::at(number, "neither a `cidr` nor metadata")),
        }
    }
    Ok(collector.finish())
}
