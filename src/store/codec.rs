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

/// Checks the envelope and decodes the payload.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, EnvelopeError> {
    let (_, payload) = envelope::open(bytes, limit)?;
    options(limit).deserialize(payload).map_err(|e| EnvelopeError::Payload(e.to_string()))
}
