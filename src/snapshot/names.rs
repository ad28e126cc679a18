//! Names of entries, and the store keys they stand for.
//!
//! Account names come from logs, so what is not a letter, a digit, `-` or `_` is written as `%XX`:
//! no name leaves its folder, hides, or meets another one on a file system that ignores case. Long
//! names are broken into folders, because file systems end at 255 bytes.
use crate::store::keys;

/// The first entry.
pub const MANIFEST: &str = "manifest.json";
/// The alert lines.
pub const ALERTS: &str = "alerts.jsonl";
/// The last entry.
pub const SUMS: &str = "SHA256SUMS";
const ACCOUNTS: &str = "accounts/";
const RUN: &str = "run/";
const STATE: &str = ".state";
const RINGS: &str = ".rings";
/// Longest part of a path, so that any file system takes it.
const PART_BYTES: usize = 200;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `manifest.json`.
    Manifest,
    /// Framed keys of the run's own state.
    Run,
    /// A sealed model; its store key.
    Account(Vec<u8>),
    /// Framed rings; what their store keys begin with, up to the first NUL.
    Rings(Vec<u8>),
    /// `alerts.jsonl`.
    Alerts,
    /// `SHA256SUMS`.
    Sums,
}

/// The entry of the model under store key `key`; `None` if the key names no account.
pub fn account(key: &[u8]) -> Option<String> {
    below_accounts(key.strip_prefix(keys::ACCOUNT)?, STATE)
}

/// The entry of rings whose keys begin with `start` (up to the first NUL).
pub fn rings(start: &[u8]) -> Option<String> {
    below_accounts(start.strip_prefix(keys::RING)?, RINGS)
}

/// The `number`-th entry of the run's state of this kind (what keys begin with, up to `/`).
pub fn run(kind: &[u8], number: u32) -> String {
    format!("{RUN}{}-{number:04}{STATE}", encode(kind))
}

fn below_accounts(id: &[u8], ending: &str) -> Option<String> {
    let slash = id.iter().position(|b| *b == b'/')?;
    let (cloud, name) = (encode(&id[..slash]), encode(&id[slash + 1..]));
    Some(format!("{ACCOUNTS}{cloud}/{name}{ending}"))
}

/// What the entry called `name` holds; `None` for what no snapshot has.
pub fn parse(name: &str) -> Option<Entry> {
    match name {
        MANIFEST => return Some(Entry::Manifest),
        ALERTS => return Some(Entry::Alerts),
        SUMS => return Some(Entry::Sums),
        _ => {}
    }
    if let Some(rest) = name.strip_prefix(RUN) {
        let (kind, number) = rest.strip_suffix(STATE)?.rsplit_once('-')?;
        let same = number.parse().ok().map(|n| run(&decode(kind).unwrap_or_default(), n));
        return (same.as_deref() == Some(name)).then_some(Entry::Run);
    }
    let (cloud, rest) = name.strip_prefix(ACCOUNTS)?.split_once('/')?;
    let key =
        |prefix: &[u8], rest: &str| Some([prefix, &decode(cloud)?, b"/", &decode(rest)?].concat());
    let entry = if let Some(rest) = rest.strip_suffix(STATE) {
        Entry::Account(key(keys::ACCOUNT, rest)?)
    } else {
        Entry::Rings(key(keys::RING, rest.strip_suffix(RINGS)?)?)
    };
    // One name a key: anything else that decodes to it is not ours.
    let same = match &entry {
        Entry::Account(key) => account(key),
        Entry::Rings(start) => rings(start),
        _ => None,
    };
    (same.as_deref() == Some(name)).then_some(entry)
}

fn encode(raw: &[u8]) -> String {
    if raw.is_empty() {
        // Otherwise only a folder's name would be left. Nothing else begins like this.
        return "%".to_owned();
    }
    let (mut out, mut part) = (String::new(), 0);
    for &byte in raw {
        if part >= PART_BYTES {
            out.push('/');
            part = 0;
        }
        let before = out.len();
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        part += out.len() - before;
    }
    out
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text == "%" {
        return Some(Vec::new());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().filter(|b| *b != b'/');
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(16).map(|d| d as u8);
        out.push(digit(bytes.next())? << 4 | digit(bytes.next())?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_safe_and_come_back() {
        let name = |id: &[u8]| account(&[b"a/public/", id].concat()).unwrap();
        assert_eq!(name(b"contoso-orders"), "accounts/public/contoso-orders.state");
        assert_eq!(
            name(b"../../etc/Passwd"),
            "accounts/public/%2E%2E%2F%2E%2E%2Fetc%2F%50asswd.state"
        );
        assert_eq!(name(b""), "accounts/public/%.state");
        assert_eq!(account(b"a/no-cloud"), None);
        assert_eq!(run(b"p", 3), "run/p-0003.state");
        assert_eq!(parse("run/p-0003.state"), Some(Entry::Run));
        for stranger in [
            "",
            "readme",
            "accounts/x",
            "accounts/public/a.b.state",
            "run/p-3.state",
            "accounts/public/A.state",
            "accounts/public/%2e.state",
            "accounts/public/../x.state",
        ] {
            assert_eq!(parse(stranger), None, "{stranger}");
        }
    }

    proptest! {
        #[test]
        fn any_key_has_one_name(id in prop::collection::vec(any::<u8>(), 0..700)) {
            let key = [b"a/usgov/".as_slice(), &id].concat();
            let name = account(&key).unwrap();
            prop_assert!(name.is_ascii() && name.split('/').all(|part| part.len() < 255 && part != ".."));
            prop_assert_eq!(parse(&name), Some(Entry::Account(key)));
        }
        #[test]
        fn any_text_parses_or_not(name in ".{0,80}") {
            let _ = parse(&name);
            let _ = parse(&format!("accounts/{name}.state"));
        }
    }
}
