//! The records of one file, one after the other, in a buffer that moves along.
use std::io::Read;

use super::RefusedRecord;
use super::growing::Place;
use super::inbox::segment::Part;
use super::input::Input;
use super::split::{Splitter, Step};
use crate::event::{Refusal, RefusalReason};

/// Bytes of one read where many files are open.
pub(super) const READ_SMALL: usize = 64 << 10;
/// Bytes of one read where one file is open.
pub(super) const READ_LARGE: usize = 1 << 20;

/// What comes next in a stream.
#[derive(Debug)]
pub(super) enum Item {
    /// A record at `start..start + len` of the buffer.
    Record {
        start: usize,
        len: usize,
        offset: u64,
    },
    Refused(RefusedRecord),
    End,
}

/// One file being read.
pub(super) struct Stream {
    pub(super) file: u32,
    input: Input,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// The splitter's window begins here.
    at: usize,
    /// Offset in the file of that place.
    offset: u64,
    /// Bytes before this belong to records that somebody still needs.
    keep: usize,
    read_bytes: usize,
    eof: bool,
    /// More may be written behind the end of the bytes.
    grows: bool,
    /// That end was reached.
    dry: bool,
    /// The input broke off, and that has not been said yet.
    damage: Option<String>,
}

impl Stream {
    pub(super) fn new(file: u32, input: Input, read_bytes: usize) -> Stream {
        Stream {
            file,
            input,
            splitter: Splitter::default(),
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            keep: 0,
            read_bytes,
            eof: false,
            grows: false,
            dry: false,
            damage: None,
        }
    }

    /// Of a file that grows, whose input stands at `offset`, where `splitter` goes on.
    pub(super) fn going_on(self, offset: u64, splitter: Splitter) -> Stream {
        Stream { offset, splitter, grows: true, ..self }
    }

    /// Where it stopped at the end of what is there, and what the disk said if it is not the end.
    pub(super) fn stopped(self) -> (Place, Option<String>) {
        let place = match &self.input {
            Input::Inbox(segment) => Place::Inbox { offset: segment.offset() },
            Input::Whole(_) if self.grows => {
                Place::Plain { offset: self.offset, splitter: Box::new(self.splitter) }
            }
            Input::Whole(_) => Place::Packed,
        };
        (place, self.damage)
    }

    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Keeps what was read so far in the buffer until [`Stream::hand_over`].
    pub(super) fn keep(&mut self) {
        self.keep = self.at;
    }

    /// Bytes kept so far.
    pub(super) fn kept(&self) -> usize {
        self.keep
    }

    /// The kept bytes, whose place `empty` takes.
    pub(super) fn hand_over(&mut self, mut empty: Vec<u8>) -> Vec<u8> {
        empty.clear();
        empty.extend_from_slice(self.buffer.get(self.at..).unwrap_or_default());
        let mut full = std::mem::replace(&mut self.buffer, empty);
        full.truncate(self.keep);
        (self.at, self.keep) = (0, 0);
        full
    }

    /// The next record or refusal. The previous record's bytes may be gone unless kept.
    pub(super) fn next(&mut self) -> Item {
        loop {
            let window = self.buffer.get(self.at..).unwrap_or_default();
            let step = match self.splitter.step(window, self.eof) {
                Step::More if self.dry => match self.splitter.settle(window) {
                    Step::More => return Item::End,
                    step => step,
                },
                step => step,
            };
            match step {
                Step::Record { start, end } => {
                    let (at, offset) = (self.at + start, self.offset + start as u64);
                    self.pass(end);
                    return Item::Record { start: at, len: end - start, offset };
                }
                Step::Refused { start, sample_end, end, refusal } => {
                    let sample = window.get(start..sample_end).unwrap_or_default().to_vec();
                    let offset = self.offset + start as u64;
                    let refusal = self.with_damage(refusal);
                    self.pass(end);
                    return Item::Refused(RefusedRecord {
                        file: self.file,
                        offset,
                        refusal,
                        sample,
                    });
                }
                Step::Skip(bytes) => self.pass(bytes),
                Step::More => self.fill(),
                Step::End => {
                    if let Some(item) = self.end() {
                        return item;
                    }
                }
            }
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
    }

    fn fill(&mut self) {
        if self.at > self.keep {
            self.buffer.copy_within(self.at.., self.keep);
            self.buffer.truncate(self.keep + self.buffer.len() - self.at);
            self.at = self.keep;
        }
        if self.keep == 0 && self.buffer.capacity() > 16 * READ_LARGE.min(self.read_bytes) {
            // A giant record went by; many open files must not each remember one.
            self.buffer.shrink_to(self.buffer.len() + self.read_bytes);
        }
        let want = self.read_bytes as u64;
        let ended = match self.input.by_ref().take(want).read_to_end(&mut self.buffer) {
            Ok(read) => (read as u64) < want,
            Err(error) => {
                self.damage = Some(format!("the file cannot be read on from here: {error}"));
                true
            }
        };
        (self.eof, self.dry) = (ended && !self.grows, ended && self.grows);
    }

    /// A record that was cut off by damage says so.
    fn with_damage(&mut self, refusal: Refusal) -> Refusal {
        match self.damage.take() {
            Some(detail) if refusal.reason == RefusalReason::CutOff => {
                Refusal { detail, ..refusal }
            }
            damage => {
                self.damage = damage;
                refusal
            }
        }
    }

    /// What is to be said at the end of the bytes; `None` if further ones follow, which have
    /// nothing to do with those before.
    fn end(&mut self) -> Option<Item> {
        if let Some(detail) = self.damage.take() {
            return Some(self.lost(self.offset, detail));
        }
        match self.input.next_part() {
            Part::Batch(offset) => {
                self.splitter = Splitter::default();
                self.eof = false;
                self.offset = offset;
                None
            }
            Part::Lost { offset, detail, .. } => Some(self.lost(offset, detail)),
            Part::End => Some(Item::End),
        }
    }

    fn lost(&self, offset: u64, detail: String) -> Item {
        let refusal = Refusal { reason: RefusalReason::CutOff, at: 0, detail };
        Item::Refused(RefusedRecord { file: self.file, offset, refusal, sample: Vec::new() })
    }
}
