//! The records of several files in the order of [`super::order`]: plain files merged by time, a
//! blob layout hour by hour.
use std::collections::VecDeque;

use super::files::FileTable;
use super::merge::{Merge, Settled};
use super::order::Opener;
use super::{Chunk, SourceError};
use crate::time::{HOUR_MS, Timestamp};

/// A blob layout that has nothing new holds the watermark back while other files are not further
/// ahead of it than this; then it is taken to have ended.
const HELD_MS: i64 = 3 * HOUR_MS;

/// The hour that is being read.
struct Hour {
    hour: i64,
    /// Blobs of it that are not in `merge` yet.
    rest: VecDeque<u32>,
    merge: Merge,
}

/// Several files.
pub(super) struct Ordered {
    plain: Merge,
    has_plain: bool,
    hour: Option<Hour>,
    /// Hours that were not begun, ascending, with their blobs.
    hours: VecDeque<(i64, Vec<u32>)>,
    /// The last hour of blobs, if more of it may come: it stays the frontier for plain records that
    /// are not far ahead of it.
    held: Option<i64>,
    group: usize,
    chunk_records: usize,
}

/// Blobs by their hours, ascending.
pub(super) fn by_hour(
    files: &FileTable,
    blobs: impl Iterator<Item = u32>,
) -> VecDeque<(i64, Vec<u32>)> {
    let mut hours: VecDeque<(i64, Vec<u32>)> = VecDeque::new();
    for blob in blobs {
        let Some(hour) = files.blob_hour(blob) else { continue };
        match hours.back_mut() {
            Some((last, same)) if *last == hour => same.push(blob),
            _ => hours.push_back((hour, vec![blob])),
        }
    }
    hours
}

impl Ordered {
    /// Of `plain` files (none: `has_plain` is false) and blobs, of which `group` may be open at
    /// once.
    pub(super) fn new(
        plain: Merge,
        has_plain: bool,
        hours: VecDeque<(i64, Vec<u32>)>,
        group: usize,
        chunk_records: usize,
    ) -> Ordered {
        let group = group.max(1);
        Ordered { plain, has_plain, hour: None, hours, held: None, group, chunk_records }
    }

    /// More of the blobs of `hour` may come.
    pub(super) fn hold(self, hour: Option<i64>) -> Ordered {
        Ordered { held: hour, ..self }
    }

    /// Fills `chunk` up to a change of the frontier; true when all is read.
    pub(super) fn read(
        &mut self,
        opener: &mut Opener,
        chunk: &mut Chunk,
    ) -> Result<bool, SourceError> {
        while !chunk.is_full(self.chunk_records) {
            let upcoming = match &self.hour {
                Some(hour) => Some(hour.hour),
                None => self.hours.front().map(|(hour, _)| *hour),
            };
            let frontier = upcoming.or(self.held).map(Timestamp::of_hour);
            if chunk.is_empty() {
                chunk.frontier = frontier;
            } else if chunk.frontier != frontier {
                return Ok(false);
            }
            match (&mut self.hour, upcoming) {
                (Some(_), _) => self.in_hour(opener, chunk)?,
                (None, Some(hour)) => {
                    // Plain records from before this hour come first.
                    if !self.plain_before(Timestamp::of_hour(hour), opener, chunk)? {
                        self.begin_hour();
                    }
                }
                (None, None) => {
                    let end = frontier.map_or(Timestamp::MAX, |held| held.plus_ms(HELD_MS));
                    if !self.plain_before(end, opener, chunk)? && self.held.take().is_none() {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn begin_hour(&mut self) {
        self.hour = self.hours.pop_front().map(|(hour, blobs)| Hour {
            hour,
            rest: blobs.into(),
            merge: Merge::default(),
        });
    }

    /// Takes one plain record (or refusal) older than `end`; false if there is none.
    fn plain_before(
        &mut self,
        end: Timestamp,
        opener: &mut Opener,
        chunk: &mut Chunk,
    ) -> Result<bool, SourceError> {
        match self.plain.settle(opener)? {
            Settled::Ready(key) if key < end => self.plain.take(chunk),
            Settled::Refused(refused) => chunk.refused.push(refused),
            Settled::Ready(_) | Settled::Empty => return Ok(false),
        }
        Ok(true)
    }

    /// One record of the hour, from a blob or a plain file; or its next group; or its end.
    fn in_hour(&mut self, opener: &mut Opener, chunk: &mut Chunk) -> Result<(), SourceError> {
        let Some(hour) = &mut self.hour else { return Ok(()) };
        let end = Timestamp::of_hour(hour.hour.saturating_add(1));
        match hour.merge.settle(opener)? {
            Settled::Refused(refused) => chunk.refused.push(refused),
            Settled::Ready(key) => {
                let until = if self.has_plain { key.min(end) } else { Timestamp::MIN };
                if !self.plain_before(until, opener, chunk)?
                    && let Some(hour) = &mut self.hour
                {
                    hour.merge.take(chunk);
                }
            }
            Settled::Empty if !hour.rest.is_empty() => {
                let group: Vec<u32> = hour.rest.drain(..self.group.min(hour.rest.len())).collect();
                let keyed = group.len() > 1 || self.has_plain;
                hour.merge = Merge::group(group, keyed);
            }
            Settled::Empty => {
                if !self.plain_before(end, opener, chunk)? {
                    self.hour = None;
                }
            }
        }
        Ok(())
    }
}
