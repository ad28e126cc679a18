//! Onionoo's details document: relays with addresses, flags, first and last seen.
use serde::Deserialize;

use super::collect::{Collector, ParseError, Parsed, Validity, parse_network, shown, text};
use super::tor_exit_addresses::{AFTER_MS, feed_time};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    relays_published: Option<String>,
    relays: Vec<Relay>,
}

#[derive(Deserialize)]
struct Relay {
    #[serde(default)]
    or_addresses: Vec<String>,
    #[serde(default)]
    exit_addresses: Vec<String>,
    #[serde(default)]
    first_seen: Option<String>,
    #[serde(default)]
    last_seen: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// Parses `bytes`. A relay's exit addresses are valid from its `first_seen` until two days after
/// its `last_seen`. A relay with the Exit flag that lists none leaves through its own addresses;
/// other relays are not exits.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let document: Document =
        serde_json::from_str(text(bytes)?).map_err(|e| ParseError::json(&e))?;
    let mut collector = Collector::default();
    collector.saw(document.relays_published.as_deref().and_then(feed_time));
    for (number, relay) in (1..).zip(&document.relays) {
        let exit = relay.flags.iter().any(|flag| flag == "Exit");
        let addresses = match (&relay.exit_addresses, exit) {
            (listed, _) if !listed.is_empty() => listed,
            (_, true) => &relay.or_addresses,
            (_, false) => {
                collector.unsupported();
                continue;
            }
        };
        let validity = validity(number, relay)?;
        for address in addresses {
            let network = parse_network(without_port(address))
                .ok_or_else(|| broken(number, format!("`{}` is not an address", shown(address))))?;
            collector.add(1, network, validity)?;
        }
    }
    Ok(collector.finish())
}

fn validity(number: usize, relay: &Relay) -> Result<Validity, ParseError> {
    let read = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => feed_time(text)
            .map(Some)
            .ok_or_else(|| broken(number, format!("`{}` is not a time", shown(text)))),
    };
    let until = read(&relay.last_seen)?.map(|last| last.plus_ms(AFTER_MS));
    Ok(Validity { since: read(&relay.first_seen)?, until, confidence: None })
}

/// JSON has no useful lines: the relay's number says where.
fn broken(number: usize, reason: String) -> ParseError {
    ParseError::at(1, format!("relay {number}: {reason}"))
}

/// `192.0.2.1:9001` and `[2001:db8::1]:9001` without port; anything else as it is.
pub(crate) fn without_port(text: &str) -> &str {
    if let Some((address, _)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => address,
        _ => text,
    }
}
