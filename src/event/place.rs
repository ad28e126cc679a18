//! Where a record was read.

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

    #[test]
    fn what_does_not_fit_is_no_place() {
        assert_eq!(size_of::<Place>(), 12);
        assert_eq!(Place::new(1, 1 << 40, 1), Place::NOWHERE);
        assert_eq!(Place::new(1, 1, 1 << 24).source(), None);
        assert!(Place::NOWHERE.is_empty());
    }
}
