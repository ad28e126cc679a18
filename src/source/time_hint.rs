//! A record's time without decoding it: good enough to order files by.
use memchr::memmem;

use crate::time::Timestamp;

/// Spellings of the time's key in all known forms of the logs.
const KEYS: [&str; 6] = [
    "\"time\"",
    "\"Time\"",
    "\"TimeGenerated\"",
    "\"timeGenerated\"",
    "\"eventTimestamp\"",
    "\"EventTimestamp\"",
];

/// The time that stands behind the first time key of `record`.
pub(super) fn time_hint(record: &[u8]) -> Option<Timestamp> {
    KEYS.iter().find_map(|key| {
        let rest = record.get(memmem::find(record, key.as_bytes())? + key.len()..)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let text = rest.get(..memchr::memchr(b'"', rest.get(..rest.len().min(64))?)?)?;
        Timestamp::parse(std::str::from_utf8(text).ok()?)
    })
}
