//! The one place that knows bincode: 1.3.3, varint, little-endian, bounded, no trailing bytes.
use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::envelope::{self, EnvelopeError};

fn options(limit: usize) -> impl Options {
    bincode::DefaultOptions::new().with_limit(limit as u64).reject_trailing_bytes()
}

/// Encodes and seals `value`.
///
/// # Errors
/// The encoding is over `limit` bytes.
pub fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Vec<u8>, EnvelopeError> {
    let payload =
        options(limit).serialize(value).map_err(|e| EnvelopeError::Payload(e.to_string()))?;
    Ok(envelope::seal(&payload))
}

/// A type whose stored form has changed: writes its newest version and reads every older one, each
/// through its own frozen mirror and a `From` to the next. A type that has only one version needs
/// no history: [`encode`] and [`decode`] do.
pub trait History: Serialize + DeserializeOwned {
    /// Schema version under which this type is written, the newest that can be read.
    const VERSION: u16;

    /// Reads an older version: `payload.read::<V1>()`, then `From`.
    ///
    /// # Errors
    /// The payload does not decode.
    fn from_older(version: u16, payload: Payload<'_>) -> Result<Self, EnvelopeError>;
}

/// The payload of an older version.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    limit: usize,
}

impl Payload<'_> {
    /// Decodes it as `V`.
    ///
    /// # Errors
    /// It is no `V`, or bytes follow.
    pub fn read<V: DeserializeOwned>(self) -> Result<V, EnvelopeError> {
        options(self.limit)
            .deserialize(self.bytes)
            .map_err(|e| EnvelopeError::Payload(e.to_string()))
    }
}

/// Encodes and seals the newest version of a type with a history.
///
/// # Errors
/// The encoding is over `limit` bytes.
pub fn encode_newest<T: History>(value: &T, limit: usize) -> Result<Vec<u8>, EnvelopeError> {
    let payload =
        options(limit).serialize(value).map_err(|e| EnvelopeError::Payload(e.to_string()))?;
    Ok(envelope::seal_as(T::VERSION, &payload))
}

/// Checks the envelope and decodes whichever version lies in it.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn decode_any<T: History>(bytes: &[u8], limit: usize) -> Result<T, EnvelopeError> {
    let (version, bytes) = envelope::open_up_to(bytes, limit, T::VERSION)?;
    let payload = Payload { bytes: &bytes, limit };
    if version == T::VERSION { payload.read() } else { T::from_older(version, payload) }
}

/// Checks the envelope and decodes the payload.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, EnvelopeError> {
    let (_, payload) = envelope::open(bytes, limit)?;
    options(limit).deserialize(&payload).map_err(|e| EnvelopeError::Payload(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    const LIMIT: usize = 100;

    /// What the first release wrote: frozen.
    #[derive(Serialize, Deserialize)]
    struct CupV1 {
        sips: u32,
    }

    /// What is written now.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct CupV2 {
        sips: u64,
        of: String,
    }

    impl From<CupV1> for CupV2 {
        fn from(old: CupV1) -> CupV2 {
            CupV2 { sips: old.sips.into(), of: "tea".to_owned() }
        }
    }

    impl History for CupV2 {
        const VERSION: u16 = 2;
        fn from_older(version: u16, payload: Payload<'_>) -> Result<CupV2, EnvelopeError> {
            match version {
                1 => payload.read::<CupV1>().map(CupV2::from),
                found => Err(EnvelopeError::FutureVersion { found, newest: Self::VERSION }),
            }
        }
    }

    #[test]
    fn an_older_version_is_lifted_and_a_newer_one_refused_by_name() {
        let old = encode(&CupV1 { sips: 300 }, LIMIT).unwrap();
        let lifted: CupV2 = decode_any(&old, LIMIT).unwrap();
        assert_eq!(lifted, CupV2 { sips: 300, of: "tea".to_owned() });
        let new = encode_newest(&lifted, LIMIT).unwrap();
        assert_eq!(decode_any::<CupV2>(&new, LIMIT), Ok(lifted));
        // The build that wrote version 1 does not guess at version 2.
        let refused = decode::<CupV1>(&new, LIMIT).map(|_| ());
        assert_eq!(refused, Err(EnvelopeError::FutureVersion { found: 2, newest: 1 }));
        let later = envelope::seal_as(3, &[]);
        assert_eq!(
            decode_any::<CupV2>(&later, LIMIT),
            Err(EnvelopeError::FutureVersion { found: 3, newest: 2 })
        );
    }

    #[test]
    fn neither_trailing_bytes_nor_more_than_the_limit_are_read() {
        let trailing = envelope::seal_as(1, &[1, 0]);
        assert!(matches!(decode_any::<CupV2>(&trailing, LIMIT), Err(EnvelopeError::Payload(_))));
        let large = CupV2 { sips: 1, of: "x".repeat(LIMIT) };
        assert!(encode_newest(&large, LIMIT).is_err());
        // A length of four billion inside a payload of ten bytes allocates nothing.
        let huge = envelope::seal_as(2, &[1, 252, 255, 255, 255, 255, 1, 1, 1, 1]);
        assert!(decode_any::<CupV2>(&huge, LIMIT).is_err());
    }
}
