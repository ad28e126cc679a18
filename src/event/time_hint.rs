//! A record's time without parsing it: good enough to merge files, never for detection.
use crate::time::Timestamp;

/// Keys that hold a record's time, with their closing quote.
const KEYS: [&[u8]; 3] = [b"time\"", b"timegenerated\"", b"eventtimestamp\""];

/// Longest time text looked at, bytes.
const TIME_BYTES_MAX: usize = 64;

/// A cheap scan for the value of `time`, `TimeGenerated` or `eventTimestamp` in any case. The
/// first one found may belong to something inside the record, so it is for ordering only; the
/// decoder has the last word.
pub fn time_hint(record: &[u8]) -> Option<Timestamp> {
    memchr::memchr_iter(b'"', record).find_map(|quote| value_at(record.get(quote + 1..)?))
}

/// The time, if `rest` begins with one of the keys and its value.
fn value_at(rest: &[u8]) -> Option<Timestamp> {
    let key = KEYS
        .iter()
        .find(|key| rest.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key)))?;
    let rest = rest.get(key.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let value = rest.get(..rest.len().min(TIME_BYTES_MAX))?;
    let end = memchr::memchr(b'"', value)?;
    Timestamp::parse(std::str::from_utf8(value.get(..end)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_in_every_shape() {
        let expected = Timestamp::parse("2023-06-26T12:03:57.043Z");
        for record in [
            r#"{"time": "2023-06-26T12:03:57.0436924Z"}"#,
            r#"{"a":{"b":"time"},"TimeGenerated":"2023-06-26T12:03:57.0436924Z"}"#,
            r#"{"time":7,"eventTimestamp" : "2023-06-26T12:03:57.0436924Z"}"#,
            r#"{"TIME":"Mon, 26 Jun 2023 12:03:57.043 GMT"}"#,
        ] {
            assert_eq!(time_hint(record.as_bytes()), expected, "{record}");
        }
        for record in [
            &b""[..],
            b"\"",
            b"{\"time\"",
            b"{\"time\":\"",
            b"{\"time\":\"x\"}",
            b"\xff\"time\":\"\xff\"",
        ] {
            assert_eq!(time_hint(record), None);
        }
    }
}
