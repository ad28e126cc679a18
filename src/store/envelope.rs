//! What wraps every stored value: magic `CGRD`, schema version u16, codec u8, payload length u32,
//! CRC-32C of the payload, payload. All integers little-endian. bincode accepts a flipped bit in
//! silence in nine of ten cases, so the checksum is not optional.
//!
//! A payload of [`PACKED_FROM_BYTES`] or more is stored packed where that makes it shorter: its length
//! u32, then a zstd frame. Length and checksum in the header are those of the stored bytes, so that a
//! value is checked without unpacking it.
use std::borrow::Cow;
use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// First bytes of every envelope.
pub const MAGIC: [u8; 4] = *b"CGRD";
/// Newest schema version this build writes and reads.
pub const SCHEMA_VERSION: u16 = 1;
/// bincode 1.3, fixed limit, varint, no trailing bytes. 2 is reserved for postcard.
pub const CODEC_BINCODE: u8 = 1;
/// The same, packed.
pub const CODEC_PACKED: u8 = 3;
/// Payloads from here on are packed, bytes: shorter ones gain nothing.
pub const PACKED_FROM_BYTES: usize = 1024;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 15;

/// zstd's fastest ordinary level: models shrink to .53, higher levels gain .01.
const LEVEL: i32 = 1;
/// Bytes of the length before a packed payload.
const LENGTH_BYTES: usize = 4;

thread_local! {
    // A context is some hundred kilobytes to set up, more than a model is to pack.
    static PACKER: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// Why an envelope was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Shorter than a header, or than the header says.
    #[error("it is cut off: {have} bytes where {need} are needed")]
    Truncated {
        /// Bytes present.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// Does not begin with the magic.
    #[error("it is not state of cosmoguard")]
    NotOurs,
    /// Written by a newer build.
    #[error("it is schema {found}, this build reads up to {newest}; use a newer cosmoguard")]
    FutureVersion {
        /// Version found.
        found: u16,
        /// Newest version that the reader knows.
        newest: u16,
    },
    /// A codec we do not have.
    #[error("codec {found} is unknown")]
    UnknownCodec {
        /// Codec found.
        found: u8,
    },
    /// Longer than the bound for its kind.
    #[error("it claims {claimed} bytes, more than the {limit} allowed")]
    TooLong {
        /// Length claimed.
        claimed: usize,
        /// The bound.
        limit: usize,
    },
    /// Bytes after the payload.
    #[error("{extra} bytes follow the payload")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The checksum does not match: a flipped bit or a torn write.
    #[error("its checksum does not match")]
    Checksum,
    /// The payload does not decode.
    #[error("its payload does not decode: {0}")]
    Payload(String),
}

/// Wraps `payload` of the newest schema version.
pub fn seal(payload: &[u8]) -> Vec<u8> {
    seal_as(SCHEMA_VERSION, payload)
}

/// Wraps `payload` of schema version `version`.
pub fn seal_as(version: u16, payload: &[u8]) -> Vec<u8> {
    match pack(payload) {
        Some(packed) => wrap(version, CODEC_PACKED, &packed),
        None => wrap(version, CODEC_BINCODE, payload),
    }
}

fn wrap(version: u16, codec: u8, stored: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + stored.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&version.to_le_bytes());
    out.push(codec);
    out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(stored).to_le_bytes());
    out.extend_from_slice(stored);
    out
}

/// Packs what is long enough and gets shorter.
fn pack(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < PACKED_FROM_BYTES {
        return None;
    }
    let length = u32::try_from(payload.len()).ok()?;
    let frame =
        PACKER.with(|packer| packer.try_borrow_mut().ok()?.as_mut()?.compress(payload).ok())?;
    (LENGTH_BYTES + frame.len() < payload.len())
        .then(|| [&length.to_le_bytes(), &frame[..]].concat())
}

/// Unpacks a payload of at most `limit` bytes; no more memory is given to it than it claims.
fn unpack(stored: &[u8], limit: usize) -> Result<Vec<u8>, EnvelopeError> {
    let broken = |why: &str| EnvelopeError::Payload(why.to_owned());
    let (length, frame) =
        stored.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| broken("it has no length"))?;
    let claimed = u32::from_le_bytes(*length) as usize;
    if claimed > limit {
        return Err(EnvelopeError::TooLong { claimed, limit });
    }
    let unpacked = UNPACKER
        .with(|unpacker| unpacker.try_borrow_mut().ok()?.as_mut()?.decompress(frame, claimed).ok());
    let payload = unpacked.ok_or_else(|| broken("it does not unpack to the length it claims"))?;
    if payload.len() == claimed {
        Ok(payload)
    } else {
        Err(broken("it unpacks to another length than it claims"))
    }
}

/// The header of what looks like a whole envelope: magic and length fit. The payload is not looked
/// at.
pub fn header(bytes: &[u8]) -> Option<&[u8; HEADER_BYTES]> {
    let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let claimed = u32::from_le_bytes([header[7], header[8], header[9], header[10]]) as usize;
    (header.starts_with(&MAGIC) && claimed == payload.len()).then_some(header)
}

/// Checks header and checksum, and unpacks nothing.
///
/// # Errors
/// Each kind of damage has its own error.
pub fn check(bytes: &[u8], limit: usize) -> Result<(), EnvelopeError> {
    stored(bytes, limit, SCHEMA_VERSION).map(|_| ())
}

/// Checks everything and returns schema version and payload.
///
/// # Errors
/// Each kind of damage has its own error.
pub fn open(bytes: &[u8], limit: usize) -> Result<(u16, Cow<'_, [u8]>), EnvelopeError> {
    open_up_to(bytes, limit, SCHEMA_VERSION)
}

/// The same for a reader that knows schema versions 1 to `newest`.
///
/// # Errors
/// As [`open`].
pub fn open_up_to(
    bytes: &[u8],
    limit: usize,
    newest: u16,
) -> Result<(u16, Cow<'_, [u8]>), EnvelopeError> {
    let (version, codec, stored) = stored(bytes, limit, newest)?;
    let payload = match codec {
        CODEC_PACKED => Cow::Owned(unpack(stored, limit)?),
        _ => Cow::Borrowed(stored),
    };
    Ok((version, payload))
}

/// Schema version, codec and payload as it is stored.
fn stored(bytes: &[u8], limit: usize, newest: u16) -> Result<(u16, u8, &[u8]), EnvelopeError> {
    let truncated = |need| EnvelopeError::Truncated { have: bytes.len(), need };
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(truncated(HEADER_BYTES))?;
    let [m0, m1, m2, m3, v0, v1, codec, l0, l1, l2, l3, c0, c1, c2, c3] = *header else {
        return Err(truncated(HEADER_BYTES));
    };
    if [m0, m1, m2, m3] != MAGIC {
        return Err(EnvelopeError::NotOurs);
    }
    let found = u16::from_le_bytes([v0, v1]);
    if found == 0 {
        return Err(EnvelopeError::NotOurs);
    }
    if found > newest {
        return Err(EnvelopeError::FutureVersion { found, newest });
    }
    if ![CODEC_BINCODE, CODEC_PACKED].contains(&codec) {
        return Err(EnvelopeError::UnknownCodec { found: codec });
    }
    let claimed = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if claimed > limit {
        return Err(EnvelopeError::TooLong { claimed, limit });
    }
    let payload = rest.get(..claimed).ok_or(truncated(HEADER_BYTES + claimed))?;
    if rest.len() > claimed {
        return Err(EnvelopeError::Trailing { extra: rest.len() - claimed });
    }
    if crc32c::crc32c(payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(EnvelopeError::Checksum);
    }
    Ok((found, codec, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_has_its_own_error() {
        let sealed = seal(b"payload");
        assert_eq!(open(&sealed, 100), Ok((1, Cow::Borrowed(&b"payload"[..]))));
        let changed = |at: usize, to: u8| {
            let mut bytes = sealed.clone();
            bytes[at] = to;
            bytes
        };
        assert_eq!(open(&sealed[..10], 100), Err(EnvelopeError::Truncated { have: 10, need: 15 }));
        assert_eq!(open(&sealed[..20], 100), Err(EnvelopeError::Truncated { have: 20, need: 22 }));
        assert_eq!(open(&changed(0, b'X'), 100), Err(EnvelopeError::NotOurs));
        assert_eq!(
            open(&changed(4, 9), 100),
            Err(EnvelopeError::FutureVersion { found: 9, newest: 1 })
        );
        assert_eq!(open(&changed(6, 2), 100), Err(EnvelopeError::UnknownCodec { found: 2 }));
        assert_eq!(open(&sealed, 3), Err(EnvelopeError::TooLong { claimed: 7, limit: 3 }));
        assert_eq!(open(&changed(20, b'!'), 100), Err(EnvelopeError::Checksum));
        let mut longer = sealed.clone();
        longer.push(0);
        assert_eq!(open(&longer, 100), Err(EnvelopeError::Trailing { extra: 1 }));
    }

    #[test]
    fn long_payloads_are_packed_the_same_way_each_time_and_older_ones_open() {
        let long: Vec<u8> = (0..9_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let sealed = seal(&long);
        assert_eq!((sealed[6], sealed.len() < long.len() / 2), (CODEC_PACKED, true));
        assert_eq!(sealed, seal(&long));
        assert_eq!(open(&sealed, long.len()), Ok((1, Cow::Borrowed(&long[..]))));
        let plain = wrap(1, CODEC_BINCODE, &long);
        assert_eq!(open(&plain, long.len()), Ok((1, Cow::Borrowed(&long[..]))));
        assert_eq!(seal(&long[..PACKED_FROM_BYTES - 1])[6], CODEC_BINCODE);
    }

    #[test]
    fn what_unpacks_to_more_than_it_claims_or_may_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
        let packed =
            |claimed: u32| wrap(1, CODEC_PACKED, &[&claimed.to_le_bytes()[..], &bomb].concat());
        let limit = 1 << 20;
        let refused = |claimed| open(&packed(claimed), limit).unwrap_err();
        assert_eq!(refused(64 << 20), EnvelopeError::TooLong { claimed: 64 << 20, limit });
        assert!(matches!(refused(limit as u32), EnvelopeError::Payload(_)));
        assert!(matches!(refused(0), EnvelopeError::Payload(_)));
        let short = wrap(1, CODEC_PACKED, &[1, 0]);
        assert!(matches!(open(&short, limit), Err(EnvelopeError::Payload(_))));
        let longer = seal(&[7; 5000]);
        let mut stored = longer[HEADER_BYTES..].to_vec();
        stored[..4].copy_from_slice(&6000_u32.to_le_bytes());
        let claims_more = wrap(1, CODEC_PACKED, &stored);
        assert!(matches!(open(&claims_more, limit), Err(EnvelopeError::Payload(_))));
        assert_eq!(check(&claims_more, limit), Ok(()), "the checksum is right");
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = open(&bytes, 1 << 20);
        }
        #[test]
        fn any_flipped_bit_is_noticed(at in 0usize..22, bit in 0u8..8) {
            let mut bytes = seal(b"payload");
            bytes[at] ^= 1 << bit;
            proptest::prop_assert!(open(&bytes, 100).is_err());
        }
    }
}
