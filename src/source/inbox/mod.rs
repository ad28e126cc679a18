//! Batches that are handed over rather than found: what a sender is told is accepted is on the disk
//! before it is told so, and is read like any other file, with positions.
//!
//! A folder of segments (`frame` has their bytes), which grow at the end only. Many threads
//! [`Inbox::submit`] at once; the first one writes for all that wait by then, and one sync covers
//! them (group commit), so the rate of batches does not hang on the rate of syncs. Segments are
//! left for a new one by size, at every opening, and after every failure: what an earlier process
//! wrote, or a failed disk may hold, is never written behind, so an offset that somebody has read
//! never comes to mean other bytes. What is applied is given back by the segment,
//! [`Inbox::release`].
//!
//! Reading is `SegmentReader` below [`super::Reader`]. A batch that was written when the power
//! failed, but not accepted yet, may be read: its sender was told nothing, and sends it again; so
//! at least once holds. A batch is read whole or not at all.
//!
//! One process an inbox: the caller holds the lock of the data directory.
mod disk;
pub(super) mod frame;
pub(super) mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::disk::{Disk, Folder, SegmentFile};
use self::frame::{FRAME_BYTES, HEADER_BYTES};
use self::segment::{Part, SegmentReader};
use super::files::Identity;
use super::input;
use super::stream::{Item, READ_SMALL, Stream};
use crate::limits::{
    INBOX_BATCH_BYTES_MAX, INBOX_BYTES_MAX, INBOX_SEGMENT_BYTES, INBOX_WAITING_BYTES_MAX,
};
use crate::time::Timestamp;

pub(super) use self::disk::EXTENSION;

/// Bounds of an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment is left for the next one beyond this, bytes; at most a quarter of `bytes_max`,
    /// because space is given back by the segment.
    pub segment_bytes: u64,
    /// Bytes kept on the disk that are not released; beyond it nothing is taken.
    pub bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { segment_bytes: INBOX_SEGMENT_BYTES, bytes_max: INBOX_BYTES_MAX }
    }
}

/// A place in an inbox: everything before it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in its file.
    pub offset: u64,
}

/// Why a batch was not taken. Its sender must be told: it is not on the disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// There is no room until what is there is applied; to be tried again later.
    #[error(
        "the inbox is full: {held} of {limit} bytes wait to be applied; send the batch again later"
    )]
    Full {
        /// Bytes held, those that wait to be written included.
        held: u64,
        /// The bound that they reach.
        limit: u64,
    },
    /// Larger than any batch may be.
    #[error("the batch has {bytes} bytes, more than the {limit} allowed; send it in parts")]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// There is nothing in it.
    #[error("the batch is empty")]
    Empty,
    /// The disk refused. Batches may be taken again once it does not.
    #[error("the inbox cannot be {action}: {cause}; the batch is not kept, send it again")]
    Disk {
        /// "read", "written", "opened", "released".
        action: &'static str,
        /// The system's words.
        cause: String,
    },
}

fn disk_error(action: &'static str) -> impl Fn(io::Error) -> InboxError {
    move |error| InboxError::Disk { action, cause: error.to_string() }
}

/// What opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Segments of earlier processes.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of a batch that was being written when the last one was killed, and that was never
    /// accepted: cut off.
    pub cut_bytes: u64,
    /// Damaged places of the last segment; a reader names them and what they hold is lost.
    pub damaged: u64,
}

/// An inbox in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Segments on the disk.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Batches that wait to be written.
    pub waiting: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// Batches accepted since opening.
    pub accepted: u64,
    /// Syncs that this took.
    pub syncs: u64,
    /// Everything before this is durable.
    pub synced: Mark,
}

/// What [`Inbox::release`] gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Segments deleted.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The segment that is written.
struct Open {
    number: u64,
    len: u64,
    file: Box<dyn SegmentFile>,
}

#[derive(Default)]
struct State {
    /// Ticket and batch, in the order of their submission.
    queue: Vec<(u64, Vec<u8>)>,
    queued_bytes: usize,
    next_ticket: u64,
    /// What became of batches, until their submitters look.
    done: BTreeMap<u64, Result<Mark, InboxError>>,
    /// Somebody writes for all.
    writing: bool,
    open: Option<Open>,
    /// Bytes of all segments, by number.
    segments: BTreeMap<u64, u64>,
    last_number: u64,
    /// Who the closed segments are and where their last record begins, once somebody asked.
    ends: BTreeMap<u64, (Identity, Option<u64>)>,
    accepted: u64,
    syncs: u64,
    synced: Mark,
}

/// Takes batches. See the module's head.
pub struct Inbox {
    options: Options,
    created: Timestamp,
    disk: Box<dyn Disk>,
    state: Mutex<State>,
    changed: Condvar,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Inbox {
    /// Opens the inbox in `folder`, which is made if it is not there. `now` tells its segments from
    /// those of an inbox that was here before.
    ///
    /// # Errors
    /// The folder cannot be made or read, or what a killed process left cannot be cut off.
    pub fn open(
        folder: &Path,
        options: Options,
        now: Timestamp,
    ) -> Result<(Inbox, Found), InboxError> {
        let disk = Folder::open(folder).map_err(disk_error("opened"))?;
        Inbox::on(Box::new(disk), options, now)
    }

    fn on(
        disk: Box<dyn Disk>,
        options: Options,
        now: Timestamp,
    ) -> Result<(Inbox, Found), InboxError> {
        let segment_bytes = options.segment_bytes.min(options.bytes_max / 4);
        let mut inbox = Inbox {
            options: Options { segment_bytes, ..options },
            created: now,
            disk,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        let found = inbox.recover().map_err(disk_error("opened"))?;
        if found.cut_bytes > 0 || found.damaged > 0 {
            let (cut_bytes, damaged) = (found.cut_bytes, found.damaged);
            crate::telemetry::InboxRecovered { cut_bytes, damaged }.emit();
        }
        Ok((inbox, found))
    }

    /// Cuts off what a killed process began to write. Only the last segment can end like that.
    fn recover(&mut self) -> io::Result<Found> {
        let mut segments: BTreeMap<u64, u64> = self.disk.list()?.into_iter().collect();
        let mut found = Found::default();
        let last = segments.last_key_value().map(|(number, bytes)| (*number, *bytes));
        if let Some((number, bytes)) = last {
            let mut reader = SegmentReader::new(self.disk.read(number)?);
            loop {
                match reader.next_part() {
                    Part::Batch(_) => {}
                    Part::Lost { offset, cut_off: true, .. } => {
                        found.cut_bytes = bytes.saturating_sub(offset);
                        self.disk.cut(number, offset)?;
                        segments.insert(number, offset);
                    }
                    Part::Lost { .. } => found.damaged += 1,
                    Part::End => break,
                }
            }
        }
        found.segments = segments.len();
        found.bytes = segments.values().sum();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, bytes)) = segments.last_key_value() {
            state.last_number = *number;
            state.synced = Mark { segment: *number, offset: *bytes };
        }
        state.segments = segments;
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one batch: records in any form that a file may have, not compressed. Returns when it
    /// is durable, with the place of its first byte. Blocks meanwhile, so a server calls it from a
    /// thread that may.
    ///
    /// # Errors
    /// The batch is not kept: the inbox is full, the batch is too long or empty, or the disk failed.
    pub fn submit(&self, batch: Vec<u8>) -> Result<Mark, InboxError> {
        let mut state = self.lock();
        self.admit(&state, batch.len())?;
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queued_bytes += batch.len();
        state.queue.push((ticket, batch));
        loop {
            if let Some(outcome) = state.done.remove(&ticket) {
                return outcome;
            }
            state = if state.writing { self.wait(state) } else { self.write_for_all(state) };
        }
    }

    fn admit(&self, state: &State, bytes: usize) -> Result<(), InboxError> {
        if bytes == 0 {
            return Err(InboxError::Empty);
        }
        if bytes > INBOX_BATCH_BYTES_MAX {
            return Err(InboxError::TooLong { bytes, limit: INBOX_BATCH_BYTES_MAX });
        }
        let waiting = state.queued_bytes + bytes + FRAME_BYTES * (state.queue.len() + 1);
        let held = state.segments.values().sum::<u64>() + waiting as u64;
        let limit = self.options.bytes_max;
        if held > limit {
            return Err(InboxError::Full { held, limit });
        }
        let limit = INBOX_WAITING_BYTES_MAX;
        if waiting > limit {
            return Err(InboxError::Full { held: waiting as u64, limit: limit as u64 });
        }
        Ok(())
    }

    /// Writes what waits, while others may come to wait.
    fn write_for_all<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let batches = std::mem::take(&mut state.queue);
        let mut open = state.open.take();
        let mut last_number = state.last_number;
        state.writing = true;
        drop(state);

        let mut bytes = Vec::new();
        let outcome = self.segment(&mut open, &mut last_number).and_then(|open| {
            let marks = frames(open, &batches, &mut bytes);
            open.file.append(&bytes)?;
            open.file.sync()?;
            open.len += bytes.len() as u64;
            Ok((marks, Mark { segment: open.number, offset: open.len }))
        });
        let kept = if outcome.is_err() { self.leave(open.take()) } else { None };

        let mut state = self.lock();
        state.writing = false;
        state.last_number = last_number;
        state.queued_bytes = state.queue.iter().map(|(_, batch)| batch.len()).sum();
        state.segments.extend(kept);
        state.open = open;
        match outcome {
            Ok((marks, synced)) => {
                state.segments.insert(synced.segment, synced.offset);
                state.synced = synced;
                state.accepted += batches.len() as u64;
                state.syncs += 1;
                state.done.extend(batches.iter().map(|(n, _)| *n).zip(marks.into_iter().map(Ok)));
            }
            Err(error) => {
                let error = disk_error("written")(error);
                crate::telemetry::InboxRefused { batches: batches.len(), cause: &error }.emit();
                state.done.extend(batches.iter().map(|(n, _)| (*n, Err(error.clone()))));
            }
        }
        self.changed.notify_all();
        state
    }

    /// The segment to write to: the open one, or a new one.
    fn segment<'a>(
        &self,
        open: &'a mut Option<Open>,
        last_number: &mut u64,
    ) -> io::Result<&'a mut Open> {
        let full = |open: &Open| open.len >= self.options.segment_bytes;
        let current = match open.take().filter(|open| !full(open)) {
            Some(open) => open,
            None => {
                *last_number += 1;
                let number = *last_number;
                self.create(number).inspect_err(|_| {
                    // It holds nothing; one that cannot be deleted either is an empty segment.
                    let _ = self.disk.remove(number);
                })?
            }
        };
        Ok(open.insert(current))
    }

    fn create(&self, number: u64) -> io::Result<Open> {
        let mut file = self.disk.create(number)?;
        let header = frame::segment_header(number, self.created);
        file.append(&header)?;
        Ok(Open { number, len: header.len() as u64, file })
    }

    /// After a failure: what is durable of the segment stays, what may be of the failed batches
    /// goes, and nobody writes to it again. Its number and bytes, if something stays.
    fn leave(&self, failed: Option<Open>) -> Option<(u64, u64)> {
        let Open { number, len, file } = failed?;
        drop(file);
        if len <= HEADER_BYTES as u64 {
            let removed = self.disk.remove(number);
            return removed.is_err().then_some((number, len));
        }
        // If this fails too, a reader tells what is whole by its checksum.
        let _ = self.disk.cut(number, len);
        Some((number, len))
    }

    /// Everything before this is durable, and may be read.
    pub fn synced(&self) -> Mark {
        self.lock().synced
    }

    /// Waits until more than `seen` is durable, or `patience` is over; says what is.
    pub fn wait_past(&self, seen: Mark, patience: Duration) -> Mark {
        let nothing_new = |state: &mut State| state.synced <= seen;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, nothing_new);
        waited.unwrap_or_else(PoisonError::into_inner).0.synced
    }

    /// The inbox in numbers.
    pub fn status(&self) -> Status {
        let state = self.lock();
        Status {
            segments: state.segments.len(),
            bytes: state.segments.values().sum(),
            waiting: state.queue.len(),
            waiting_bytes: state.queued_bytes,
            accepted: state.accepted,
            syncs: state.syncs,
            synced: state.synced,
        }
    }

    /// Deletes segments that are applied to their end; to be called after a checkpoint, with what
    /// that checkpoint says: is the record that begins at this offset, and all before it, of the
    /// file with this identity applied for good? The newest segment always stays, so that numbers
    /// go on.
    ///
    /// # Errors
    /// A segment cannot be read or deleted; the ones before it are.
    pub fn release(
        &self,
        is_applied: &mut dyn FnMut(&Identity, u64) -> bool,
    ) -> Result<Released, InboxError> {
        self.begin_another().map_err(disk_error("written"))?;
        let mut numbers: Vec<u64> = self.lock().segments.keys().copied().collect();
        // Nothing behind the newest one tells where numbers go on.
        numbers.pop();
        let mut released = Released::default();
        for number in numbers {
            let (identity, last) = self.end_of(number).map_err(disk_error("read"))?;
            if last.is_some_and(|offset| !is_applied(&identity, offset)) {
                continue;
            }
            self.disk.remove(number).map_err(disk_error("released"))?;
            let mut state = self.lock();
            state.ends.remove(&number);
            released.segments += 1;
            released.bytes += state.segments.remove(&number).unwrap_or_default();
        }
        Ok(released)
    }

    /// Begins a segment behind one that is full: the newest one stays, and while it fills the inbox
    /// no batch is admitted that would begin another.
    fn begin_another(&self) -> io::Result<()> {
        let writing = |state: &mut State| state.writing;
        let waited = self.changed.wait_while(self.lock(), writing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let newest = state.segments.last_key_value().map(|(_, bytes)| *bytes);
        if newest.is_none_or(|bytes| bytes < self.options.segment_bytes) {
            return Ok(());
        }
        let mut last_number = state.last_number;
        let created =
            self.segment(&mut state.open, &mut last_number).map(|open| (open.number, open.len));
        state.last_number = last_number;
        let (number, bytes) = created?;
        state.segments.insert(number, bytes);
        Ok(())
    }

    /// Who a closed segment is, and where the last thing in it begins, record or refusal.
    fn end_of(&self, number: u64) -> io::Result<(Identity, Option<u64>)> {
        if let Some(known) = self.lock().ends.get(&number) {
            return Ok(*known);
        }
        let (input, identity) =
            input::wrap(self.disk.read(number)?, None, &std::sync::Arc::default())?;
        let mut stream = Stream::new(0, input, READ_SMALL);
        let mut last = None;
        loop {
            match stream.next() {
                Item::Record { offset, .. } => last = Some(offset),
                Item::Refused(refused) => last = Some(refused.offset),
                Item::End => break,
            }
        }
        self.lock().ends.insert(number, (identity, last));
        Ok((identity, last))
    }
}

/// Appends the frames of `batches` to `bytes`; returns the places of their first bytes.
fn frames(open: &Open, batches: &[(u64, Vec<u8>)], bytes: &mut Vec<u8>) -> Vec<Mark> {
    let frame = |(_, batch): &(u64, Vec<u8>)| {
        let offset = open.len + bytes.len() as u64;
        frame::push_frame(bytes, offset, batch);
        Mark { segment: open.number, offset: offset + FRAME_BYTES as u64 }
    };
    batches.iter().map(frame).collect()
}
