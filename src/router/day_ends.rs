//! When which sleeper has to be woken to end its day. Sleepers are many and wake-up moments few
//! (midnights), so an account costs the bytes of its name.
use std::collections::BTreeMap;

use crate::ids::AccountId;
use crate::time::Timestamp;

/// Names by moment.
#[derive(Debug, Default)]
pub(super) struct DayEnds(BTreeMap<Timestamp, Names>);

/// Account keys, each behind its length.
#[derive(Debug, Default)]
struct Names {
    bytes: Vec<u8>,
    /// Length after the last removal of doubles.
    once: usize,
}

/// Below this many bytes doubles do not matter.
const SMALL: usize = 4096;

impl DayEnds {
    /// `account` sleeps, and its day ends at `at`.
    pub fn insert(&mut self, at: Timestamp, account: &AccountId) {
        let names = self.0.entry(at).or_default();
        names.push(account.key().as_bytes());
        // An account that wakes and sleeps again is noted again.
        if names.bytes.len() > 2 * names.once.max(SMALL) {
            names.remove_doubles();
        }
    }

    /// Takes out the accounts whose day ends at or before `watermark`, ascending, each once. Some
    /// may have woken in the meantime.
    pub fn take(&mut self, watermark: Timestamp) -> Vec<AccountId> {
        let mut due = Vec::new();
        while let Some(entry) = self.0.first_entry().filter(|e| *e.key() <= watermark) {
            let keys = entry.remove();
            due.extend(keys.iter().map(|k| AccountId::parse(&String::from_utf8_lossy(k))));
        }
        due.sort_unstable();
        due.dedup();
        due
    }
}

impl DayEnds {
    /// Everything noted, ascending by moment; some names twice.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, AccountId)> {
        let ids = |names: &Names| -> Vec<AccountId> {
            names.iter().map(|k| AccountId::parse(&String::from_utf8_lossy(k))).collect()
        };
        self.0.iter().flat_map(move |(at, names)| ids(names).into_iter().map(|id| (*at, id)))
    }
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        // Names are cut to a thousand bytes when they are decoded.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(&name[..usize::from(length)]);
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = after;
            Some(name)
        })
    }

    fn remove_doubles(&mut self) {
        let mut names: Vec<&[u8]> = self.iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut once = Names::default();
        names.into_iter().for_each(|name| once.push(name));
        once.once = once.bytes.len();
        *self = once;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cloud;

    #[test]
    fn each_account_is_due_once_and_none_too_early() {
        let id = |name: &str| AccountId::new(name, Cloud::China);
        let mut ends = DayEnds::default();
        for (at, name) in [(2, "b\nc"), (2, "a"), (1, "c"), (3, "d"), (2, "a")] {
            ends.insert(Timestamp(at), &id(name));
        }
        assert!(ends.take(Timestamp(0)).is_empty());
        assert_eq!(ends.take(Timestamp(2)), [id("a"), id("b\nc"), id("c")]);
        assert!(ends.take(Timestamp(2)).is_empty());
        assert_eq!(ends.take(Timestamp(9)), [id("d")]);
    }

    #[test]
    fn an_account_that_sleeps_again_and_again_does_not_pile_up() {
        let mut ends = DayEnds::default();
        for n in 0..100_000 {
            ends.insert(Timestamp(1), &AccountId::new(&format!("a{}", n % 7), Cloud::Public));
        }
        assert!(ends.0[&Timestamp(1)].bytes.len() <= 2 * SMALL);
        assert_eq!(ends.take(Timestamp(1)).len(), 7);
    }
}
