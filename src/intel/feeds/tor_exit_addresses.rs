//! Tor's `exit-addresses`: blocks of `ExitNode`, `Published`, `LastStatus` and one or more
//! `ExitAddress ip time`, the time at which a probe last left through that address.
use super::collect::{Collector, ParseError, Parsed, Validity, parse_network, shown, text};
use crate::time::{DAY_MS, Timestamp};

/// A relay publishes its descriptor every 18 hours, so it was up for the better part of a day
/// before the first date that the file mentions.
const BEFORE_MS: i64 = DAY_MS;
/// The file is a snapshot of relays seen within a day; an exit that leaves unannounced is believed
/// for another.
pub(crate) const AFTER_MS: i64 = 2 * DAY_MS;

/// Parses `bytes`. An address is valid from a day before the earliest date of its block (its
/// `Published` or its own) until two days after the last of its own and `LastStatus`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let mut collector = Collector::default();
    let (mut published, mut status) = (None, None);
    for (number, line) in (1..).zip(text(bytes)?.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '@']) {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ExitNode" => (published, status) = (None, None),
            "Published" => published = Some(time(number, rest)?),
            "LastStatus" => status = Some(time(number, rest)?),
            "ExitAddress" => {
                let (address, seen) = rest.split_once(' ').unwrap_or((rest, ""));
                let network = parse_network(address).ok_or_else(|| {
                    ParseError::at(number, format!("`{}` is not an address", shown(address)))
                })?;
                let seen = time(number, seen)?;
                let first = published.map_or(seen, |p: Timestamp| p.min(seen));
                let last = status.map_or(seen, |s: Timestamp| s.max(seen));
                collector.saw(Some(last));
                let validity = Validity {
                    since: Some(first.plus_ms(-BEFORE_MS)),
                    until: Some(last.plus_ms(AFTER_MS)),
                    confidence: None,
                };
                collector.add(number, network, validity)?;
            }
            other => {
                let reason = format!("`{}` is not a word of exit-addresses", shown(other));
                return Err(ParseError::at(number, reason));
            }
        }
    }
    Ok(collector.finish())
}

fn time(line: usize, text: &str) -> Result<Timestamp, ParseError> {
    feed_time(text)
        .ok_or_else(|| ParseError::at(line, format!("`{}` is not a time in UTC", shown(text))))
}

/// `2026-03-13 19:08:23`, with or without ` UTC`, or anything that [`Timestamp::parse`] reads.
pub(crate) fn feed_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text.trim().trim_end_matches(" UTC"))
}
