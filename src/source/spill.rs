//! Runs of merged records on disk, for when more files overlap in time than may be open.
use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use super::merge::Head;
use super::{RefusedRecord, SourceError};
use crate::event::{Refusal, RefusalReason};
use crate::limits::{RECORD_BYTES_MAX, REFUSED_BYTES_MAX};
use crate::time::Timestamp;

/// A run is read back once and soon: the fastest level.
const ZSTD_LEVEL: i32 = 1;
const BUFFER_BYTES: usize = 32 << 10;
const RECORD: u8 = 0;
const REFUSED: u8 = 1;
/// Reasons by the byte that stands for them in a run.
const REASONS: [RefusalReason; 9] = [
    RefusalReason::BadJson,
    RefusalReason::CutOff,
    RefusalReason::TooLong,
    RefusalReason::TooDeep,
    RefusalReason::BadTime,
    RefusalReason::FutureTime,
    RefusalReason::NotALogRecord,
    RefusalReason::NoAccount,
    RefusalReason::BadNumber,
];

/// What comes next in a run.
pub(super) enum Spilled {
    Record(Head),
    Refused(RefusedRecord),
    End,
}

/// Writes one run to a temporary file that has no name.
pub(super) struct SpillWriter(zstd::stream::write::Encoder<'static, File>);

impl SpillWriter {
    pub(super) fn new() -> Result<SpillWriter, SourceError> {
        let encoder = tempfile::tempfile()
            .and_then(|file| zstd::stream::write::Encoder::new(file, ZSTD_LEVEL));
        encoder.map(SpillWriter).map_err(spill_error)
    }

    pub(super) fn record(&mut self, head: &Head, bytes: &[u8]) -> Result<(), SourceError> {
        let mut frame = vec![RECORD];
        frame.extend_from_slice(&head.file.to_le_bytes());
        frame.extend_from_slice(&head.offset.to_le_bytes());
        frame.extend_from_slice(&head.key.0.to_le_bytes());
        frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.0.write_all(&frame).and_then(|()| self.0.write_all(bytes)).map_err(spill_error)
    }

    pub(super) fn refused(&mut self, refused: &RefusedRecord) -> Result<(), SourceError> {
        let RefusedRecord { file, offset, refusal, sample } = refused;
        let reason = REASONS.iter().position(|r| *r == refusal.reason).unwrap_or_default();
        let mut frame = vec![REFUSED];
        frame.extend_from_slice(&file.to_le_bytes());
        frame.extend_from_slice(&offset.to_le_bytes());
        frame.push(reason as u8);
        frame.extend_from_slice(&(refusal.at as u64).to_le_bytes());
        for bytes in [refusal.detail.as_bytes(), sample] {
            frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            frame.extend_from_slice(bytes);
        }
        self.0.write_all(&frame).map_err(spill_error)
    }

    /// Ends the run and turns to its beginning.
    pub(super) fn finish(self) -> Result<SpillReader, SourceError> {
        let rewound = self.0.finish().and_then(|mut file| {
            io::Seek::rewind(&mut file)?;
            zstd::stream::read::Decoder::new(file)
        });
        let decoder = rewound.map_err(spill_error)?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, decoder);
        Ok(SpillReader { reader, bytes: Vec::new() })
    }
}

fn spill_error(error: io::Error) -> SourceError {
    SourceError::Spill { error }
}

/// Reads a run.
pub(super) struct SpillReader {
    reader: BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>,
    bytes: Vec<u8>,
}

impl SpillReader {
    /// The bytes that the last [`Head`] points into.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn next(&mut self) -> Result<Spilled, SourceError> {
        self.frame().map_err(spill_error)
    }

    fn frame(&mut self) -> io::Result<Spilled> {
        let mut kind = [0];
        if self.reader.read(&mut kind)? == 0 {
            return Ok(Spilled::End);
        }
        let file = u32::from_le_bytes(self.array()?);
        let offset = u64::from_le_bytes(self.array()?);
        if kind[0] == RECORD {
            let key = Timestamp(i64::from_le_bytes(self.array()?));
            let len = self.block(RECORD_BYTES_MAX)?;
            return Ok(Spilled::Record(Head { key, file, offset, start: 0, len }));
        }
        let [reason] = self.array()?;
        let reason = REASONS.get(usize::from(reason)).copied().unwrap_or(RefusalReason::BadJson);
        let at = u64::from_le_bytes(self.array()?) as usize;
        self.block(RECORD_BYTES_MAX)?;
        let detail = String::from_utf8_lossy(&self.bytes).into_owned();
        self.block(REFUSED_BYTES_MAX)?;
        let (refusal, sample) = (Refusal { reason, at, detail }, self.bytes.clone());
        Ok(Spilled::Refused(RefusedRecord { file, offset, refusal, sample }))
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.reader.read_exact(&mut array)?;
        Ok(array)
    }

    /// Reads a length and as many bytes.
    fn block(&mut self, max: usize) -> io::Result<usize> {
        let len = u32::from_le_bytes(self.array()?) as usize;
        if len > max {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        self.bytes.resize(len, 0);
        self.reader.read_exact(&mut self.bytes)?;
        Ok(len)
    }
}
