//! Addresses and CIDRs, one a line; `#` and `;` begin a comment, also after an entry. Tor's bulk
//! list, FireHOL netsets and Spamhaus DROP in text form are of this kind.
use super::collect::{Collector, ParseError, Parsed, Validity, parse_network, shown, text};
use crate::time::Timestamp;

/// Parses `bytes`. Entries have no dates: valid for all time. `newest` is what a comment gives as
/// `Last-Modified` or `This File Date`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let mut collector = Collector::default();
    for (number, line) in (1..).zip(text(bytes)?.lines()) {
        let (entry, comment) = match line.find(['#', ';']) {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let entry = entry.trim();
        if entry.is_empty() {
            collector.saw(modified(comment));
            continue;
        }
        let network = parse_network(entry).ok_or_else(|| {
            ParseError::at(number, format!("`{}` is neither an address nor a CIDR", shown(entry)))
        })?;
        collector.add(number, network, Validity::default())?;
    }
    Ok(collector.finish())
}

fn modified(comment: &str) -> Option<Timestamp> {
    let (name, value) = comment.trim_start_matches(['#', ';', ' ']).split_once(':')?;
    match name.trim() {
        "Last-Modified" | "This File Date" => Timestamp::parse(value.trim()),
        _ => None,
    }
}
