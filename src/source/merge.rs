//! Records of many files in order of time, with a bounded number of files open.
//!
//! A record's key is the latest time that its file has shown up to it, so that every file counts
//! as sorted and a record that comes late in its file is not held back. Merging by (key, file) is
//! then associative: whether files are merged at once or in several passes over the disk, the
//! order of what comes out is the same.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::order::Opener;
use super::spill::{SpillReader, SpillWriter, Spilled};
use super::stream::{Item, READ_SMALL, Stream};
use super::time_hint::time_hint;
use super::{Chunk, RefusedRecord, SourceError};
use crate::time::Timestamp;

/// The record that a source stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: Timestamp,
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) start: usize,
    pub(super) len: usize,
}

enum Source {
    File(Box<Stream>),
    Spill(Box<SpillReader>),
}

/// One open file or run.
struct Slot {
    source: Source,
    head: Head,
    /// How many passes its records have made over the disk.
    level: u32,
}

impl Slot {
    fn file(stream: Stream) -> Slot {
        let head = Head { key: Timestamp::MIN, file: stream.file, offset: 0, start: 0, len: 0 };
        Slot { source: Source::File(Box::new(stream)), head, level: 0 }
    }

    fn record(&self) -> &[u8] {
        let bytes = match &self.source {
            Source::File(stream) => stream.buffer(),
            Source::Spill(run) => run.bytes(),
        };
        bytes.get(self.head.start..self.head.start + self.head.len).unwrap_or_default()
    }

    /// It is read to the end of what is there. What goes on in another file goes on there, and
    /// with its time: a chain of files is one file.
    fn ended(self, opener: &mut Opener) -> Option<Slot> {
        let Source::File(stream) = self.source else { return None };
        let mut file = stream.file;
        opener.stopped(*stream);
        loop {
            file = opener.follows.remove(&file)?;
            if let Some(stream) = opener.stream(file, READ_SMALL) {
                let mut next = Slot::file(stream);
                next.head.key = self.head.key;
                return Some(Slot { level: self.level, ..next });
            }
        }
    }

    /// Goes to the next record. `keyed`: its time is wanted.
    fn advance(&mut self, keyed: bool) -> Result<Advanced, SourceError> {
        match &mut self.source {
            Source::File(stream) => match stream.next() {
                Item::Record { start, len, offset } => {
                    self.head = Head { start, len, offset, ..self.head };
                    if keyed {
                        let hint = time_hint(self.record()).unwrap_or(Timestamp::MIN);
                        self.head.key = self.head.key.max(hint);
                    }
                    Ok(Advanced::Record)
                }
                Item::Refused(refused) => Ok(Advanced::Refused(refused)),
                Item::End => Ok(Advanced::End),
            },
            Source::Spill(run) => match run.next()? {
                Spilled::Record(head) => {
                    self.head = head;
                    Ok(Advanced::Record)
                }
                Spilled::Refused(refused) => Ok(Advanced::Refused(refused)),
                Spilled::End => Ok(Advanced::End),
            },
        }
    }
}

enum Advanced {
    Record,
    Refused(RefusedRecord),
    End,
}

/// Where a merge stands.
#[derive(Debug)]
pub(super) enum Settled {
    /// A record with this key is next.
    Ready(Timestamp),
    /// Something was refused on the way to it.
    Refused(RefusedRecord),
    /// All is read.
    Empty,
}

/// A merge of files.
#[derive(Default)]
pub(super) struct Merge {
    /// Files not opened yet, by the time of their first record.
    waiting: VecDeque<(Timestamp, u32)>,
    heap: BinaryHeap<Reverse<(Timestamp, u32, usize)>>,
    slots: Vec<Option<Slot>>,
    /// Empty places in `slots`.
    free: Vec<usize>,
    /// The source whose record was taken last: its next record is not known yet.
    moving: Option<Slot>,
    bound: usize,
    keyed: bool,
}

impl Merge {
    /// Of files that start at the times given, at most `bound` (at least 2) open at once.
    pub(super) fn new(mut files: Vec<(Timestamp, u32)>, bound: usize) -> Merge {
        files.sort_unstable();
        Merge { waiting: files.into(), bound: bound.max(2), keyed: true, ..Merge::default() }
    }

    /// Of few files that are all opened at once. `keyed`: their order matters.
    pub(super) fn group(files: Vec<u32>, keyed: bool) -> Merge {
        let bound = files.len();
        let files = files.into_iter().map(|file| (Timestamp::MIN, file)).collect();
        let merge = Merge::new(files, bound);
        Merge { keyed, ..merge }
    }

    /// Finds out which record is next.
    pub(super) fn settle(&mut self, opener: &mut Opener) -> Result<Settled, SourceError> {
        loop {
            if let Some(mut slot) = self.moving.take() {
                match slot.advance(self.keyed)? {
                    Advanced::Record => self.insert(slot),
                    Advanced::Refused(refused) => {
                        self.moving = Some(slot);
                        return Ok(Settled::Refused(refused));
                    }
                    Advanced::End => self.moving = slot.ended(opener),
                }
                continue;
            }
            let top = self.heap.peek().map(|Reverse((key, file, _))| (*key, *file));
            match self.waiting.front() {
                Some(first) if top.is_none_or(|top| *first <= top) => {
                    if self.heap.len() >= self.bound {
                        self.spill(opener)?;
                    }
                    let next = self.waiting.pop_front().map(|(_, file)| file);
                    self.moving =
                        next.and_then(|file| opener.stream(file, READ_SMALL)).map(Slot::file);
                }
                _ => return Ok(top.map_or(Settled::Empty, |(key, _)| Settled::Ready(key))),
            }
        }
    }

    /// Moves the record that is next to the end of `chunk`. Does nothing unless settled as ready.
    pub(super) fn take(&mut self, chunk: &mut Chunk) {
        if let Some(slot) = self.pop() {
            chunk.push(slot.record(), slot.head.file, slot.head.offset);
        }
    }

    fn pop(&mut self) -> Option<&Slot> {
        let Reverse((_, _, index)) = self.heap.pop()?;
        self.moving = self.slots.get_mut(index).and_then(Option::take);
        self.free.push(index);
        self.moving.as_ref()
    }

    fn insert(&mut self, slot: Slot) {
        let index = self.free.pop().unwrap_or(self.slots.len());
        self.heap.push(Reverse((slot.head.key, slot.head.file, index)));
        match self.slots.get_mut(index) {
            Some(place) => *place = Some(slot),
            None => self.slots.push(Some(slot)),
        }
    }

    /// Merges the open sources that have made the fewest passes into one run on disk.
    fn spill(&mut self, opener: &mut Opener) -> Result<(), SourceError> {
        self.heap.clear();
        self.free.clear();
        let mut open: Vec<Slot> = self.slots.drain(..).flatten().collect();
        open.sort_by_key(|slot| slot.level);
        let lowest = open.first().map_or(0, |slot| slot.level);
        let few = open.iter().take_while(|slot| slot.level == lowest).count().max(2);
        let rest = open.split_off(few.min(open.len()));
        rest.into_iter().for_each(|slot| self.insert(slot));

        let level = open.last().map_or(0, |slot| slot.level) + 1;
        let mut merge = Merge { bound: usize::MAX, keyed: self.keyed, ..Merge::default() };
        open.into_iter().for_each(|slot| merge.insert(slot));
        let mut writer = SpillWriter::new()?;
        loop {
            match merge.settle(opener)? {
                Settled::Ready(_) => {
                    if let Some(slot) = merge.pop() {
                        writer.record(&slot.head, slot.record())?;
                    }
                }
                Settled::Refused(refused) => writer.refused(&refused)?,
                Settled::Empty => break,
            }
        }
        let head = Head { key: Timestamp::MIN, file: 0, offset: 0, start: 0, len: 0 };
        let mut slot = Slot { source: Source::Spill(Box::new(writer.finish()?)), head, level };
        // A run begins with a record: its sources stood at records when it was begun.
        if let Advanced::Record = slot.advance(true)? {
            self.insert(slot);
        }
        opener.runs += 1;
        Ok(())
    }
}

/// The time of the first record of each of the files, without keeping one open.
pub(super) fn first_times(files: Vec<u32>, opener: &Opener) -> Vec<(Timestamp, u32)> {
    let first = |file| (opener.first_time(file).unwrap_or(Timestamp::MIN), file);
    files.into_iter().map(first).collect()
}
