//! What a decoder remembers between records: each distinct raw string is worked on once, and
//! records share the result. Lookups allocate nothing; nothing here is ever iterated.
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::event::account::ResourceRef;
use crate::event::agent::Agent;
use crate::event::request::NamedOperation;
use crate::event::scalar::{cut, normal_id};
use crate::ids::{Cloud, PrincipalId, Text};
use crate::limits;

/// Bytes of raw keys that one table keeps before it starts afresh: the entry limit alone would
/// let hostile agents of the longest length hold 64 MiB.
const KEY_BYTES_MAX: usize = 8 << 20;

/// XXH3 in one shot: the keys are short, so the streaming state would cost more than the hash.
#[derive(Default)]
pub(super) struct OneShot(u64);

impl Hasher for OneShot {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }
    // `str` ends its bytes with 0xff to keep tuples apart; our keys are single strings.
    fn write_u8(&mut self, _: u8) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A bounded table from a raw string to what it means. Full, it starts afresh: results are
/// values, so forgetting costs time and never changes an event.
pub(super) struct Memo<V> {
    known: HashMap<Box<str>, V, BuildHasherDefault<OneShot>>,
    key_bytes: usize,
}

impl<V: Clone> Memo<V> {
    pub(super) fn new() -> Memo<V> {
        Memo { known: HashMap::default(), key_bytes: 0 }
    }

    /// The meaning of `raw`, worked out by `work` when it is met for the first time.
    pub(super) fn get(&mut self, raw: &str, work: impl FnOnce(&str) -> V) -> V {
        if let Some(found) = self.known.get(raw) {
            return found.clone();
        }
        let value = work(raw);
        if self.known.len() >= limits::INTERNER_ENTRIES_MAX
            || self.key_bytes.saturating_add(raw.len()) > KEY_BYTES_MAX
        {
            self.known.clear();
            self.key_bytes = 0;
        }
        self.key_bytes += raw.len();
        self.known.insert(Box::from(raw), value.clone());
        value
    }
}

/// A region as logged: squeezed name and the cloud it lies in, unless none is logged.
#[derive(Clone)]
pub(super) struct Region {
    pub(super) name: Text,
    pub(super) cloud: Option<Cloud>,
}

/// All tables of one decoder.
pub(super) struct Tables {
    strings: Memo<Text>,
    agents: Memo<Agent>,
    resources: Memo<ResourceRef>,
    regions: Memo<Region>,
    operations: Memo<NamedOperation>,
    principals: Memo<PrincipalId>,
    empty: Text,
}

impl Tables {
    pub(super) fn new() -> Tables {
        Tables {
            strings: Memo::new(),
            agents: Memo::new(),
            resources: Memo::new(),
            regions: Memo::new(),
            operations: Memo::new(),
            principals: Memo::new(),
            empty: Text::from(""),
        }
    }

    /// The shared empty text.
    pub(super) fn empty(&self) -> Text {
        self.empty.clone()
    }

    /// `raw`, cut to the string limit, shared.
    pub(super) fn text(&mut self, raw: Option<&str>) -> Text {
        match raw {
            Some(raw) => self.strings.get(cut(raw, limits::STRING_BYTES_MAX), |raw| raw.into()),
            None => self.empty(),
        }
    }

    /// A user agent, cut to its limit, with its family.
    pub(super) fn agent(&mut self, raw: Option<&str>) -> Agent {
        let raw = cut(raw.unwrap_or_default(), limits::USER_AGENT_BYTES_MAX);
        self.agents.get(raw, Agent::of)
    }

    /// What a resource id or bare account name refers to.
    pub(super) fn resource(&mut self, raw: &str) -> ResourceRef {
        self.resources.get(cut(raw, limits::STRING_BYTES_MAX), ResourceRef::of)
    }

    /// A region, squeezed: `Central India` is `centralindia`.
    pub(super) fn region(&mut self, raw: Option<&str>) -> Region {
        let Some(raw) = raw else {
            return Region { name: self.empty(), cloud: None };
        };
        self.regions.get(cut(raw, limits::STRING_BYTES_MAX), |raw| {
            let squeezed: String =
                raw.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()).collect();
            Region { cloud: Some(Cloud::of_region(&squeezed)), name: Text::from(squeezed) }
        })
    }

    /// An Entra object id, in one spelling.
    pub(super) fn principal(&mut self, raw: &str) -> PrincipalId {
        self.principals
            .get(cut(raw, limits::STRING_BYTES_MAX), |raw| PrincipalId::new(&normal_id(raw)))
    }

    /// An operation of the NoSQL data plane.
    pub(super) fn operation(&mut self, raw: Option<&str>) -> NamedOperation {
        let raw = cut(raw.unwrap_or_default(), limits::STRING_BYTES_MAX);
        self.operations.get(raw, NamedOperation::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_worked_on_once_and_shared() {
        let mut tables = Tables::new();
        let (first, second) = (tables.text(Some("orders")), tables.text(Some("orders")));
        assert!(std::sync::Arc::ptr_eq(&first, &second));
        assert_eq!(&*tables.text(None), "");
    }

    #[test]
    fn a_full_table_starts_afresh_and_answers_the_same() {
        let mut memo: Memo<usize> = Memo::new();
        for i in 0..limits::INTERNER_ENTRIES_MAX + 10 {
            let key = format!("agent-{i}");
            assert_eq!(memo.get(&key, str::len), key.len());
        }
        assert!(memo.known.len() <= limits::INTERNER_ENTRIES_MAX);
        assert_eq!(memo.get("agent-0", str::len), 7);
        let mut long: Memo<usize> = Memo::new();
        for i in 0..20_000 {
            long.get(&format!("{i:01024}"), str::len);
            assert!(long.key_bytes <= KEY_BYTES_MAX);
        }
    }

    #[test]
    fn regions_are_squeezed_and_name_their_cloud() {
        let mut tables = Tables::new();
        let region = tables.region(Some("Central India"));
        assert_eq!((&*region.name, region.cloud), ("centralindia", Some(Cloud::Public)));
        assert_eq!(tables.region(Some("China North 2")).cloud, Some(Cloud::China));
        assert_eq!(tables.region(Some("USGov Virginia")).cloud, Some(Cloud::UsGov));
        assert_eq!(tables.region(None).cloud, None);
        assert_eq!(tables.region(Some("US Gov Virginia")).cloud, Some(Cloud::UsGov));
    }
}
