//! Persisted form of the records that an alert rests on.
use serde::{Deserialize, Serialize};

use crate::alert::kept::{Found, KEPT_MAX, Kept, KeptRecord, NotRead};
use crate::event::Place;
use crate::store::codec;
use crate::store::envelope::EnvelopeError;
use crate::time::Timestamp;

/// Longest value: the records' redacted forms before packing, their files' names, and room.
pub const KEPT_BYTES_MAX: usize = 512 << 10;

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
struct KeptV1 {
    account: String,
    start: i64,
    sources: Vec<(u32, String)>,
    records: Vec<RecordV1>,
    redacted: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordV1 {
    time: i64,
    place: [u32; 3],
    first: bool,
    last: bool,
    /// The SHA-256, or which of [`NotRead::ALL`].
    found: Result<[u8; 32], u8>,
}

/// Encodes and seals it.
///
/// # Errors
/// It is larger than its bound.
pub fn seal(kept: &Kept) -> Result<Vec<u8>, EnvelopeError> {
    let record = |r: &KeptRecord| RecordV1 {
        time: r.time.millis(),
        place: r.place.packed(),
        first: r.first,
        last: r.last,
        found: match r.found {
            Found::Bytes(sha256) => Ok(sha256),
            Found::Nothing(why) => {
                Err(NotRead::ALL.iter().position(|w| *w == why).unwrap_or_default() as u8)
            }
        },
    };
    let stored = KeptV1 {
        account: kept.account.clone(),
        start: kept.start.millis(),
        sources: kept.sources.clone(),
        records: kept.records.iter().map(record).collect(),
        redacted: kept.redacted.clone(),
    };
    codec::encode(&stored, KEPT_BYTES_MAX)
}

/// Opens and decodes it.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn open(sealed: &[u8]) -> Result<Kept, EnvelopeError> {
    let stored: KeptV1 = codec::decode(sealed, KEPT_BYTES_MAX)?;
    if stored.records.len() > KEPT_MAX {
        let cause = format!("{} records of one alert", stored.records.len());
        return Err(EnvelopeError::Payload(cause));
    }
    let record = |r: RecordV1| {
        let found = match r.found {
            Ok(sha256) => Found::Bytes(sha256),
            Err(why) => Found::Nothing(*NotRead::ALL.get(usize::from(why)).ok_or_else(|| {
                EnvelopeError::Payload(format!("reason {why} is unknown to this build"))
            })?),
        };
        let (time, place) = (Timestamp(r.time), Place::unpack(r.place));
        Ok(KeptRecord { time, place, first: r.first, last: r.last, found })
    };
    Ok(Kept {
        account: stored.account,
        start: Timestamp(stored.start),
        sources: stored.sources,
        records: stored.records.into_iter().map(record).collect::<Result<_, EnvelopeError>>()?,
        redacted: stored.redacted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_too_much_is_refused() {
        let record = |found| KeptRecord {
            time: Timestamp(7),
            place: Place::new(1, 2, 3),
            first: true,
            last: false,
            found,
        };
        let mut kept = Kept {
            account: "public/a".to_owned(),
            start: Timestamp(5),
            sources: vec![(1, "a.json".to_owned())],
            records: NotRead::ALL.into_iter().map(|why| record(Found::Nothing(why))).collect(),
            redacted: vec![1, 2, 3],
        };
        kept.records.push(record(Found::Bytes([9; 32])));
        assert_eq!(open(&seal(&kept).unwrap()), Ok(kept.clone()));
        kept.records = vec![record(Found::Bytes([9; 32])); KEPT_MAX + 1];
        assert!(open(&seal(&kept).unwrap()).is_err());
    }
}
