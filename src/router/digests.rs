//! Copies of a record are recognised by the 128-bit hash of its bytes, inside the lateness window
//! and a bound; beyond it copies are not recognised.
use std::collections::HashSet;

use crate::limits;
use crate::time::Timestamp;

/// Fingerprints of one part for the store: 16,384 of them take 280 KB.
const PART_DIGESTS: usize = 16_384;

/// A generation of digests.
#[derive(Clone, Debug, Default, PartialEq)]
struct Generation {
    number: u64,
    known: HashSet<u128>,
    /// Of these, the ones that no checkpoint holds yet, in the order in which they came.
    unsaved: Vec<u128>,
    /// Parts that checkpoints hold.
    parts: u32,
}

impl Generation {
    fn new(number: u64) -> Generation {
        Generation { number, ..Generation::default() }
    }
}

/// Two generations of digests: when the younger is full, or older than the lateness, it becomes
/// the older one and the oldest is forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Digests {
    window_ms: i64,
    began: Timestamp,
    young: Generation,
    old: Generation,
    /// Generations that checkpoints hold and that are forgotten: number, parts.
    dropped: Vec<(u64, u32)>,
}

/// A part of a generation for the store: generation, part, digests.
pub type Part = (u64, u32, Vec<u128>);

/// What a checkpoint has to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Parts to put.
    pub put: Vec<Part>,
    /// Parts to delete: generation, part.
    pub delete: Vec<(u64, u32)>,
}

impl Digests {
    /// Remembers for at least `window_ms` of watermark, at most [`limits::DIGESTS_MAX`] records.
    pub fn new(window_ms: i64) -> Digests {
        let (young, old) = (Generation::new(1), Generation::new(0));
        Digests { window_ms, began: Timestamp::MIN, young, old, dropped: Vec::new() }
    }

    /// Goes on from what a checkpoint holds: when the young generation began, its number, and the
    /// parts of it and of the one before.
    pub fn resume(window_ms: i64, began: Timestamp, young: u64, parts: Vec<Part>) -> Digests {
        let mut digests = Digests {
            window_ms,
            began,
            young: Generation::new(young),
            old: Generation::new(young.saturating_sub(1)),
            dropped: Vec::new(),
        };
        for (number, part, values) in parts {
            let generation = if number == young { &mut digests.young } else { &mut digests.old };
            if number == generation.number {
                generation.known.extend(values);
                generation.parts = generation.parts.max(part + 1);
            }
        }
        digests
    }

    /// A copy of the record was remembered; `watermark` is the stream's before the record.
    pub fn knows(&mut self, digest: u128, watermark: Timestamp) -> bool {
        if watermark.since(self.began) > self.window_ms
            || self.young.known.len() >= limits::DIGESTS_MAX / 2
        {
            self.turn(watermark);
        }
        self.old.known.contains(&digest) || self.young.known.contains(&digest)
    }

    /// Remembers a record, once it is applied: a checkpoint taken before must not know it, because
    /// the run that goes on from there reads the record again.
    pub fn remember(&mut self, digest: u128) {
        if self.young.known.insert(digest) {
            self.young.unsaved.push(digest);
        }
    }

    fn turn(&mut self, watermark: Timestamp) {
        self.began = watermark;
        let number = self.young.number + 1;
        std::mem::swap(&mut self.young, &mut self.old);
        let gone = &mut self.young;
        if gone.parts > 0 {
            self.dropped.push((gone.number, gone.parts));
        }
        // The buffers stay: a generation is as large as the one before.
        gone.known.clear();
        gone.unsaved.clear();
        (gone.number, gone.parts) = (number, 0);
    }

    /// When the young generation began, and its number.
    pub fn young(&self) -> (Timestamp, u64) {
        (self.began, self.young.number)
    }

    /// What came and went since the last time.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for (number, parts) in self.dropped.drain(..) {
            changes.delete.extend((0..parts).map(|part| (number, part)));
        }
        for generation in [&mut self.old, &mut self.young] {
            for values in generation.unsaved.chunks(PART_DIGESTS) {
                changes.put.push((generation.number, generation.parts, values.to_vec()));
                generation.parts += 1;
            }
            generation.unsaved.clear();
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// True if the record is new.
    fn insert(digests: &mut Digests, digest: u128, watermark: Timestamp) -> bool {
        let new = !digests.knows(digest, watermark);
        if new {
            digests.remember(digest);
        }
        new
    }

    #[test]
    fn a_copy_is_recognised_within_the_window_and_not_long_after() {
        let mut digests = Digests::new(1000);
        assert!(insert(&mut digests, 1, Timestamp(0)));
        assert!(!insert(&mut digests, 1, Timestamp(500)));
        assert!(insert(&mut digests, 2, Timestamp(1600)));
        assert!(!insert(&mut digests, 1, Timestamp(1600)));
        assert!(insert(&mut digests, 3, Timestamp(2700)));
        assert!(insert(&mut digests, 1, Timestamp(2700)));
    }

    proptest::proptest! {
        /// Saved and resumed at any moments, it says of each record what it would have said anyway.
        #[test]
        fn saving_and_resuming_changes_nothing(
            steps in proptest::collection::vec((0u128..40, 0i64..700, proptest::bool::ANY), 0..200),
        ) {
            let (mut whole, mut split) = (Digests::new(1000), Digests::new(1000));
            let mut stored: BTreeMap<(u64, u32), Vec<u128>> = BTreeMap::new();
            let mut now = 0;
            for (digest, ms, restart) in steps {
                now += ms;
                if restart {
                    let changes = split.take_changes();
                    for key in changes.delete {
                        proptest::prop_assert!(stored.remove(&key).is_some());
                    }
                    stored.extend(changes.put.into_iter().map(|(g, p, v)| ((g, p), v)));
                    let (began, young) = split.young();
                    let parts = stored.iter().map(|((g, p), v)| (*g, *p, v.clone())).collect();
                    split = Digests::resume(1000, began, young, parts);
                }
                proptest::prop_assert_eq!(
                    insert(&mut whole, digest, Timestamp(now)),
                    insert(&mut split, digest, Timestamp(now))
                );
            }
        }
    }
}
