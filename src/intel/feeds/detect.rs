//! Which format a feed has, by its content: names and endings say little.
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::abusech;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeedFormat {
    /// Addresses and CIDRs, one a line: Tor's bulk exit list, netsets, anything simple.
    Plain,
    /// Tor's `exit-addresses`.
    TorExitAddresses,
    /// Onionoo's details document.
    Onionoo,
    /// abuse.ch CSV.
    AbuseCh,
    /// Spamhaus DROP, text.
    SpamhausText,
    /// Spamhaus DROP, JSON lines.
    SpamhausJsonLines,
    /// STIX 2.1.
    Stix,
}

impl FeedFormat {
    /// All of them.
    pub const ALL: [FeedFormat; 7] = [
        FeedFormat::Plain,
        FeedFormat::TorExitAddresses,
        FeedFormat::Onionoo,
        FeedFormat::AbuseCh,
        FeedFormat::SpamhausText,
        FeedFormat::SpamhausJsonLines,
        FeedFormat::Stix,
    ];

    /// Name for output and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            FeedFormat::Plain => "plain",
            FeedFormat::TorExitAddresses => "tor-exit-addresses",
            FeedFormat::Onionoo => "onionoo",
            FeedFormat::AbuseCh => "abusech-csv",
            FeedFormat::SpamhausText => "spamhaus-text",
            FeedFormat::SpamhausJsonLines => "spamhaus-jsonl",
            FeedFormat::Stix => "stix",
        }
    }
}

/// Keys at the top of a JSON feed.
#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    relays: Option<IgnoredAny>,
    #[serde(default)]
    cidr: Option<IgnoredAny>,
}

/// The format of `bytes`. What fits nothing else is taken as plain, whose parser then says which
/// line is wrong.
pub fn detect_format(bytes: &[u8]) -> FeedFormat {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        return json_format(bytes);
    }
    let lines = || bytes.split(|b| *b == b'\n').map(|l| String::from_utf8_lossy(l.trim_ascii()));
    let head = || lines().filter(|line| !line.is_empty()).take(HEAD_LINES);
    if head().any(|line| line.starts_with("ExitNode ") || line.starts_with("ExitAddress ")) {
        FeedFormat::TorExitAddresses
    } else if head().any(|line| abusech::is_header(&line)) {
        FeedFormat::AbuseCh
    } else if head().any(|line| line.starts_with(';') && line.contains("Spamhaus")) {
        FeedFormat::SpamhausText
    } else {
        FeedFormat::Plain
    }
}

/// Lines without which a format must show itself; published feeds need at most a dozen.
const HEAD_LINES: usize = 64;

/// The same for JSON documents, bytes.
const HEAD_BYTES: usize = 1024;

fn json_format(bytes: &[u8]) -> FeedFormat {
    // JSON lines: the first value alone says it; a document is one value.
    let first = serde_json::Deserializer::from_slice(bytes).into_iter::<Probe>().next();
    match first {
        Some(Ok(Probe { relays: Some(_), .. })) => FeedFormat::Onionoo,
        Some(Ok(Probe { cidr: Some(_), .. })) => FeedFormat::SpamhausJsonLines,
        Some(Ok(_)) => FeedFormat::Stix,
        // Broken: its beginning says which parser has the better words for what is wrong.
        _ if begins_with_key(bytes, b"\"relays") => FeedFormat::Onionoo,
        _ if begins_with_key(bytes, b"\"cidr\"") => FeedFormat::SpamhausJsonLines,
        _ => FeedFormat::Stix,
    }
}

fn begins_with_key(bytes: &[u8], key: &[u8]) -> bool {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    memchr::memmem::find(head, key).is_some()
}
