//! Follows the structure of one JSON object across windows, without looking into its scalars.
use memchr::memchr3;

use crate::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};

/// Why [`Scan::run`] stopped. [`Scan::at`] is the position that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanEnd {
    /// The object is complete; one past its last byte.
    Complete,
    /// The object is an envelope; one past the `[` of its `records`.
    Records,
    /// The window is used up.
    Partial,
    /// The structure breaks at this byte.
    Broken,
    /// This bracket nests too deep.
    TooDeep,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Key,
    KeyText,
    Colon,
    Value,
    Text,
    Scalar,
    /// A comma or a closing bracket.
    Next,
}

/// The state between two windows.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    at: usize,
    depth: usize,
    /// One bit a level, the innermost lowest: set for an object.
    objects: u128,
    expect: Expect,
    key_start: usize,
    key_is_records: bool,
    /// Up to here `records` makes an envelope; beyond, the object is refused for its length.
    records_until: usize,
}

// One bit a level must be enough for every level that is followed.
const _: () = assert!(JSON_DEPTH_MAX <= 128);

impl Scan {
    /// For the object whose `{` is at `start`.
    pub(super) fn object(start: usize) -> Scan {
        Scan {
            at: start + 1,
            depth: 1,
            objects: 1,
            expect: Expect::Key,
            key_start: 0,
            key_is_records: false,
            records_until: start.saturating_add(RECORD_BYTES_MAX),
        }
    }

    /// For an envelope whose `records` have just ended.
    pub(super) fn tail() -> Scan {
        Scan { at: 0, expect: Expect::Next, records_until: 0, ..Scan::object(0) }
    }

    /// Position in the window.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The window's first `dropped` bytes are gone, and with them what could make an envelope.
    pub(super) fn rebase(&mut self, dropped: usize) {
        self.at = self.at.saturating_sub(dropped);
        self.records_until = 0;
    }

    /// What was missing where the structure broke.
    pub(super) fn complaint(&self) -> &'static str {
        match self.expect {
            Expect::Key => "expected a key",
            Expect::KeyText | Expect::Text => "a line break inside a string",
            Expect::Colon => "expected a colon behind a key",
            Expect::Value => "expected a value",
            Expect::Scalar => "expected the end of a number or word",
            Expect::Next => "expected a comma or a closing bracket",
        }
    }

    /// Goes on through `window`.
    pub(super) fn run(&mut self, window: &[u8]) -> ScanEnd {
        while let Some(&byte) = window.get(self.at) {
            let stop = match self.expect {
                Expect::Text | Expect::KeyText => self.text(window),
                _ if byte.is_ascii_whitespace() => {
                    if self.expect == Expect::Scalar {
                        self.expect = Expect::Next;
                    }
                    self.at += 1;
                    None
                }
                _ => self.structure(byte),
            };
            if let Some(end) = stop {
                return end;
            }
        }
        ScanEnd::Partial
    }

    fn text(&mut self, window: &[u8]) -> Option<ScanEnd> {
        let rest = window.get(self.at..).unwrap_or_default();
        let Some(hit) = memchr3(b'"', b'\\', b'\n', rest) else {
            self.at = window.len();
            return Some(ScanEnd::Partial);
        };
        self.at += hit;
        match (rest[hit], rest.get(hit + 1)) {
            (b'"', _) => {
                self.close_text(window);
                self.at += 1;
                None
            }
            (b'\\', None) => Some(ScanEnd::Partial),
            (b'\\', Some(next)) if *next != b'\n' => {
                self.at += 2;
                None
            }
            _ => Some(ScanEnd::Broken),
        }
    }

    fn close_text(&mut self, window: &[u8]) {
        if self.expect == Expect::Text {
            self.expect = Expect::Next;
            return;
        }
        self.expect = Expect::Colon;
        self.key_is_records = self.depth == 1
            && self.at < self.records_until
            && window
                .get(self.key_start..self.at)
                .is_some_and(|key| key.eq_ignore_ascii_case(b"records"));
    }

    fn structure(&mut self, byte: u8) -> Option<ScanEnd> {
        let in_object = self.objects & 1 == 1;
        self.expect = match (self.expect, byte) {
            (Expect::Key, b'"') => {
                self.key_start = self.at + 1;
                Expect::KeyText
            }
            (Expect::Key | Expect::Scalar | Expect::Next, b'}') if in_object => {
                return self.close();
            }
            (Expect::Value | Expect::Scalar | Expect::Next, b']') if !in_object => {
                return self.close();
            }
            (Expect::Colon, b':') => Expect::Value,
            (Expect::Value, b'"') => Expect::Text,
            (Expect::Value, b'{' | b'[') => return self.open(byte == b'{'),
            (Expect::Scalar | Expect::Next, b',') if in_object => Expect::Key,
            (Expect::Scalar | Expect::Next, b',') => Expect::Value,
            (Expect::Value, b',' | b'}' | b']' | b':')
            | (Expect::Scalar, b'"' | b'{' | b'[' | b':' | b'}' | b']')
            | (Expect::Key | Expect::Colon | Expect::Next, _) => return Some(ScanEnd::Broken),
            _ => Expect::Scalar,
        };
        self.at += 1;
        None
    }

    fn open(&mut self, object: bool) -> Option<ScanEnd> {
        if !object && self.depth == 1 && self.key_is_records {
            self.at += 1;
            return Some(ScanEnd::Records);
        }
        if self.depth >= JSON_DEPTH_MAX {
            return Some(ScanEnd::TooDeep);
        }
        self.at += 1;
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.expect = if object { Expect::Key } else { Expect::Value };
        None
    }

    fn close(&mut self) -> Option<ScanEnd> {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        self.expect = Expect::Next;
        (self.depth == 0).then_some(ScanEnd::Complete)
    }
}
