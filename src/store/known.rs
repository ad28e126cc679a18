//! What a store holds, as far as whoever writes it knows without asking: a batch subtracts from the
//! [`Census`](super::census::Census) what it replaces, and reading that back costs as much as writing.
//!
//! Two things are known. What was written since the store was opened: the tallies of as many keys as
//! there is room for, models before the rest. And of a store that was empty when it was opened, that
//! nothing lies behind the last key of a kind: whoever fills it in the order of the keys need not ask.
use std::collections::{BTreeMap, HashMap};

use super::census::{Group, Tally};

/// Tallies of models; with their keys some 130 bytes each.
const MODELS_MAX: usize = 1 << 17;
/// Other tallies: the hours of some 2,000 accounts.
const OTHERS_MAX: usize = 1 << 16;

/// See above. Only ever asked by key, so that its order is nobody's.
#[derive(Debug, Default)]
pub struct Known {
    models: HashMap<Vec<u8>, Tally>,
    others: HashMap<Vec<u8>, Tally>,
    /// The last key that was written, by first byte; `None` for a store that held something before.
    last: Option<BTreeMap<u8, Vec<u8>>>,
}

impl Known {
    /// Of a store that is empty.
    pub fn empty() -> Known {
        Known { last: Some(BTreeMap::new()), ..Known::default() }
    }

    /// The entry of `key`: `Some(None)` where there surely is none, `None` where the store must be
    /// asked.
    pub fn find(&self, key: &[u8]) -> Option<Option<Tally>> {
        let kept = if is_model(key) { &self.models } else { &self.others };
        if let Some(tally) = kept.get(key) {
            return Some(Some(*tally));
        }
        let last = self.last.as_ref()?.get(key.first()?);
        last.is_none_or(|last| key > last.as_slice()).then_some(None)
    }

    /// `key` now has this entry, or none.
    pub fn note(&mut self, key: Vec<u8>, entry: Option<Tally>) {
        let (kept, most) = if is_model(&key) {
            (&mut self.models, MODELS_MAX)
        } else {
            (&mut self.others, OTHERS_MAX)
        };
        let Some(entry) = entry else {
            kept.remove(&key);
            return;
        };
        if let (Some(last), Some(first)) = (&mut self.last, key.first()) {
            let last = last.entry(*first).or_default();
            if key > *last {
                last.clone_from(&key);
            }
        }
        if kept.len() < most || kept.contains_key(&key) {
            kept.insert(key, entry);
        }
    }
}

fn is_model(key: &[u8]) -> bool {
    Group::of(key) == Group::Accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(n: u32) -> Tally {
        Tally::of(b"key", &n.to_le_bytes())
    }

    #[test]
    fn what_is_behind_the_last_key_of_an_empty_store_is_not_there() {
        let mut known = Known::empty();
        assert_eq!(known.find(b"a/b"), Some(None));
        known.note(b"a/b".to_vec(), Some(tally(1)));
        assert_eq!(known.find(b"a/b"), Some(Some(tally(1))));
        assert_eq!((known.find(b"a/c"), known.find(b"h/a")), (Some(None), Some(None)));
        assert_eq!(known.find(b"a/a"), None, "it is before the last one");
        known.note(b"a/b".to_vec(), None);
        assert_eq!(known.find(b"a/b"), None, "and so is what was deleted");
        let mut of_before = Known::default();
        assert_eq!(of_before.find(b"z"), None);
        of_before.note(b"z".to_vec(), Some(tally(2)));
        assert_eq!((of_before.find(b"z"), of_before.find(b"zz")), (Some(Some(tally(2))), None));
    }

    #[test]
    fn when_there_is_no_more_room_the_store_is_asked() {
        let key = |n: usize| [&b"h/"[..], &n.to_be_bytes()].concat();
        let mut known = Known::empty();
        for n in 0..OTHERS_MAX + 9 {
            known.note(key(n), Some(tally(n as u32)));
        }
        assert_eq!(known.others.len(), OTHERS_MAX);
        assert_eq!(known.find(&key(OTHERS_MAX)), None);
        known.note(key(5), Some(tally(77)));
        assert_eq!(known.find(&key(5)), Some(Some(tally(77))));
        known.note(b"a/model".to_vec(), Some(tally(1)));
        assert_eq!(known.find(b"a/model"), Some(Some(tally(1))), "models have room of their own");
    }
}
