//! What wraps every stored value: magic `CGRD`, schema version u16, codec u8, payload length u32,
//! CRC-32C of the payload, payload. All integers little-endian. bincode accepts a flipped bit in
//! silence in nine of ten cases, so the checksum is not optional.

/// First bytes of every envelope.
pub const MAGIC: [u8; 4] = *b"CGRD";
/// Newest schema version this build writes and reads.
pub const SCHEMA_VERSION: u16 = 1;
/// bincode 1.3, fixed limit, varint, no trailing bytes. 2 is reserved for postcard.
pub const CODEC_BINCODE: u8 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 15;

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
    let mut out = Vec::with_capacity(HEADER_BYTES + payload.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&version.to_le_bytes());
    out.push(CODEC_BINCODE);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
    out
}

/// The header of what looks like a whole envelope: magic and length fit. The payload is not looked
/// at.
pub fn header(bytes: &[u8]) -> Option<&[u8; HEADER_BYTES]> {
    let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let claimed = u32::from_le_bytes([header[7], header[8], header[9], header[10]]) as usize;
    (header.starts_with(&MAGIC) && claimed == payload.len()).then_some(header)
}

/// Checks everything and returns schema version and payload.
///
/// # Errors
/// Each kind of damage has its own error.
pub fn open(bytes: &[u8], limit: usize) -> Result<(u16, &[u8]), EnvelopeError> {
    open_up_to(bytes, limit, SCHEMA_VERSION)
}

/// The same for a reader that knows schema versions 1 to `newest`.
///
/// # Errors
/// As [`open`].
pub fn open_up_to(bytes: &[u8], limit: usize, newest: u16) -> Result<(u16, &[u8]), EnvelopeError> {
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
    if codec != CODEC_BINCODE {
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
    Ok((found, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_has_its_own_error() {
        let sealed = seal(b"payload");
        assert_eq!(open(&sealed, 100), Ok((1, &b"payload"[..])));
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
