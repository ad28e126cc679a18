//! Where records were read, and the few records that stand for many.
use crate::limits::RECORDS_SAMPLED_MAX;
use crate::time::Timestamp;

/// Bits of an offset.
const OFFSET_BITS: u32 = 40;
/// Bits of a length.
const LEN_BITS: u32 = 24;

/// Source number, offset and length of a record, in twelve bytes, because rows of open cells hold
/// many. The number is that of the store's register of sources; offset and length are those of the
/// decompressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place([u32; 3]);

impl Place {
    /// Of records that were made and not read.
    pub const NOWHERE: Place = Place([u32::MAX, 0, 0]);

    /// A place; an offset beyond a terabyte or a length beyond 16 MiB is no place.
    pub fn new(source: u32, offset: u64, len: u32) -> Place {
        if offset >> OFFSET_BITS != 0 || len >> LEN_BITS != 0 {
            return Place::NOWHERE;
        }
        Place([source, (offset >> 8) as u32, ((offset & 0xFF) as u32) << LEN_BITS | len])
    }
    /// Number of the source; `None` for [`Place::NOWHERE`].
    pub fn source(self) -> Option<u32> {
        (self.0[0] != u32::MAX).then_some(self.0[0])
    }
    /// First byte.
    pub fn offset(self) -> u64 {
        u64::from(self.0[1]) << 8 | u64::from(self.0[2] >> LEN_BITS)
    }
    /// Bytes.
    pub fn len(self) -> u32 {
        self.0[2] & ((1 << LEN_BITS) - 1)
    }
    /// There are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
    /// The packed form, for the store.
    pub fn packed(self) -> [u32; 3] {
        self.0
    }
    /// From the packed form.
    pub fn unpack(packed: [u32; 3]) -> Place {
        Place(packed)
    }
    /// Decides who stays in a sample: a hash, so that it is even and knows no order. What was not
    /// read comes last.
    fn rank(self) -> u64 {
        if self == Place::NOWHERE {
            return u64::MAX;
        }
        let [a, b, c] = self.0.map(u64::from);
        xxhash_rust::xxh3::xxh3_64(&[a | b << 32, c].map(u64::to_le_bytes).concat())
    }
}

/// The `K` places of smallest hash among all that were added: an even sample, whatever the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceSample<const K: usize>([Place; K]);

impl<const K: usize> Default for PlaceSample<K> {
    fn default() -> Self {
        PlaceSample([Place::NOWHERE; K])
    }
}

impl<const K: usize> PlaceSample<K> {
    /// Adds a place, unless it is known, none, or falls out at once.
    pub fn insert(&mut self, place: Place) {
        let rank = place.rank();
        let at = self.0.iter().position(|p| p.rank() >= rank);
        if let Some(at) = at.filter(|at| self.0[*at] != place) {
            self.0[at..].rotate_right(1);
            self.0[at] = place;
        }
    }
    /// Adds another sample.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|place| self.insert(place));
    }
    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = Place> {
        self.0.into_iter().filter(|p| *p != Place::NOWHERE)
    }
}

/// The records that a finding or a story rests on: the first, the last, and an even sample of those
/// between. Whatever the order in which they were added, they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The first.
    pub first: Option<(Timestamp, Place)>,
    /// The last.
    pub last: Option<(Timestamp, Place)>,
    /// The places of smallest hash, each with a time that is its record's or at most a cell's length
    /// before it.
    sample: Vec<(Timestamp, Place)>,
}

impl Records {
    /// The records from `first` to `last`.
    pub fn between(first: (Timestamp, Place), last: (Timestamp, Place)) -> Records {
        let read = |at: (Timestamp, Place)| Some(at).filter(|(_, p)| *p != Place::NOWHERE);
        Records { first: read(first), last: read(last), sample: Vec::new() }
    }
    /// Adds to the sample.
    pub fn sample(&mut self, time: Timestamp, place: Place) {
        if place == Place::NOWHERE {
            return;
        }
        let key = |(_, p): &(Timestamp, Place)| (p.rank(), *p);
        match self.sample.binary_search_by_key(&key(&(time, place)), key) {
            Ok(at) => self.sample[at].0 = self.sample[at].0.min(time),
            Err(at) if at < RECORDS_SAMPLED_MAX => {
                self.sample.insert(at, (time, place));
                self.sample.truncate(RECORDS_SAMPLED_MAX);
            }
            Err(_) => {}
        }
    }
    /// Adds all of another.
    pub fn merge(&mut self, other: &Records) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        other.sample.iter().for_each(|(time, place)| self.sample(*time, *place));
    }
    /// Forgets what lies before `start`.
    pub fn forget_before(&mut self, start: Timestamp) {
        self.first = self.first.filter(|(time, _)| *time >= start);
        self.last = self.last.filter(|(time, _)| *time >= start);
        self.sample.retain(|(time, _)| *time >= start);
    }
    /// The sample, in an order without meaning.
    pub fn sampled(&self) -> &[(Timestamp, Place)] {
        &self.sample
    }
    /// Every place once, ascending by source and offset.
    pub fn places(&self) -> Vec<Place> {
        let ends = [self.first, self.last].into_iter().flatten();
        let mut places: Vec<Place> =
            ends.chain(self.sample.iter().copied()).map(|(_, place)| place).collect();
        places.sort();
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_packed_comes_out(source in 0u32..u32::MAX, offset in 0u64..1 << 40, len in 0u32..1 << 24) {
            let place = Place::new(source, offset, len);
            proptest::prop_assert_eq!(
                (place.source(), place.offset(), place.len()),
                (Some(source), offset, len)
            );
            proptest::prop_assert_eq!(Place::unpack(place.packed()), place);
        }
    }

    proptest::proptest! {
        #[test]
        fn records_know_no_order(mut added in proptest::collection::vec((0i64..50, 0u64..60), 0..80), split in 0usize..80) {
            let records = |added: &[(i64, u64)]| {
                let mut all = Records::default();
                for (time, offset) in added {
                    let at = (Timestamp(*time), Place::new(0, *offset, 1));
                    all.merge(&Records::between(at, at));
                    all.sample(at.0, at.1);
                }
                all
            };
            let forward = records(&added);
            let mut halves = records(&added[..split.min(added.len())]);
            halves.merge(&records(&added[split.min(added.len())..]));
            proptest::prop_assert_eq!(&halves, &forward);
            added.reverse();
            proptest::prop_assert_eq!(&records(&added), &forward);
            proptest::prop_assert!(forward.places().len() <= RECORDS_SAMPLED_MAX + 2);
            let (mut a, mut b) = (PlaceSample::<2>::default(), PlaceSample::<2>::default());
            added.iter().for_each(|(_, offset)| a.insert(Place::new(0, *offset, 1)));
            added.iter().rev().for_each(|(_, offset)| b.insert(Place::new(0, *offset, 1)));
            proptest::prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn what_does_not_fit_is_no_place() {
        assert_eq!(size_of::<Place>(), 12);
        assert_eq!(Place::new(1, 1 << 40, 1), Place::NOWHERE);
        assert_eq!(Place::new(1, 1, 1 << 24).source(), None);
        assert!(Place::NOWHERE.is_empty());
    }
}
