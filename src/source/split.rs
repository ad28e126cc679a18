//! Bytes in, record boundaries out. Pure: no file, no allocation in proportion to the input.
//!
//! Four shapes go through one machine: JSON Lines (a fast path that only looks at braces and line
//! ends), concatenated or pretty-printed objects, arrays, and envelopes `{"records":[…]}` with any
//! further keys. Containers are entered and left as they stream by, so that their size does not
//! matter. The machine follows the structure of JSON outside of strings; what is inside strings
//! and numbers is the decoder's affair.
//!
//! A record whose structure breaks is refused, and the splitter looks for the next place where a
//! record can begin: the next line that begins with `{` and is indented no deeper than the broken
//! record's own line, `}{`, or inside a container `},{`. Heads of lines inside the broken record
//! count too, because a record that was cut off may have swallowed its successor.
use memchr::{memchr_iter, memchr2, memchr3_iter};

use super::scan::{Scan, ScanEnd};
use super::seek::{Found, Seek};
use crate::event::{Refusal, RefusalReason};
use crate::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX, REFUSED_BYTES_MAX};

mod growing;

/// Longest line that the fast path looks at, bytes; the state machine takes longer ones. Whether a
/// line is plain must depend on its content and not on where a read happened to end.
const PLAIN_LINE_MAX: usize = 64 << 10;
/// Bytes looked at behind a line to see that the next one does not continue it.
const AHEAD_MAX: usize = 64;

/// What the splitter says of the window it was given. All positions are offsets in that window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `start..end` is a record; drop everything before `end`.
    Record {
        /// First byte, a `{`.
        start: usize,
        /// One past the last byte, a `}`.
        end: usize,
    },
    /// Something from `start` on is not a record; keep at most `start..sample_end` of it for
    /// people and drop everything before `end`.
    Refused {
        /// First byte of what is refused.
        start: usize,
        /// One past the bytes worth keeping.
        sample_end: usize,
        /// Everything before is done with.
        end: usize,
        /// Why.
        refusal: Refusal,
    },
    /// Drop this many bytes and call again.
    Skip(usize),
    /// Call again with the same window and more bytes behind it, or with `eof`.
    More,
    /// Nothing is left. Only with `eof`.
    End,
}

/// What surrounds the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Array,
    Envelope,
}

#[derive(Clone, Debug)]
enum Mode {
    /// Between records.
    Items,
    /// Inside an object that began at `start` and may turn out to be an envelope.
    Object { start: usize, scan: Scan },
    /// Inside an object that is already refused for its length.
    SkipObject(Scan),
    /// Behind the `records` of an envelope, inside its further keys.
    Tail(Scan),
    /// Looking for the next place where a record can begin.
    Resync(Seek),
    /// The rest of the input is not for us.
    Ignore,
}

/// The state between two windows.
#[derive(Clone, Debug)]
pub struct Splitter {
    stack: Vec<Container>,
    mode: Mode,
    /// Nothing has been consumed yet: a byte-order mark may come.
    at_start: bool,
    /// A broken record was passed: brackets left over from it are no news.
    resynced: bool,
    /// Blanks at the head of the current line.
    indent: usize,
    /// Only blanks so far on the current line.
    blank: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter {
            stack: Vec::new(),
            mode: Mode::Items,
            at_start: true,
            resynced: false,
            indent: 0,
            blank: true,
        }
    }
}

impl Splitter {
    /// One step over `window`, the bytes that no earlier step dropped. `eof`: none will follow.
    /// Each step drops bytes, asks for more or changes the mode, so a loop over it ends.
    pub fn step(&mut self, window: &[u8], eof: bool) -> Step {
        match std::mem::replace(&mut self.mode, Mode::Items) {
            Mode::Items => self.items(window, eof),
            Mode::Object { start, scan } => self.object(window, eof, start, scan),
            Mode::SkipObject(scan) => self.skip_object(window, eof, scan),
            Mode::Tail(scan) => self.tail(window, eof, scan),
            Mode::Resync(seek) => self.resync(window, eof, seek),
            Mode::Ignore => {
                self.mode = Mode::Ignore;
                drop_all(window.len(), eof)
            }
        }
    }

    fn items(&mut self, window: &[u8], eof: bool) -> Step {
        if self.at_start {
            if window.len() < 3 && !eof {
                return Step::More;
            }
            self.at_start = false;
            if window.starts_with(&[0xFF, 0xFE]) || window.starts_with(&[0xFE, 0xFF]) {
                self.mode = Mode::Ignore;
                let detail = "UTF-16 text: convert the file to UTF-8 first";
                return refused(window, 0, window.len(), bad_json(0, detail));
            }
        }
        let at = self.skip_blanks(window);
        let Some(&byte) = window.get(at) else { return self.items_end(window, eof) };
        match byte {
            b'{' => self.object_start(window, eof, at),
            b'[' if self.stack.len() < JSON_DEPTH_MAX => {
                self.stack.push(Container::Array);
                self.past(at)
            }
            b']' if !self.stack.is_empty() => {
                if self.stack.pop() == Some(Container::Envelope) {
                    self.mode = Mode::Tail(Scan::tail());
                }
                self.past(at)
            }
            b']' | b'}' if self.resynced => self.past(at),
            0xEF if !eof && window.len() - at < 3 => wait(at),
            _ if self.stack.is_empty() => self.garbage(window, eof, at),
            _ => self.element(window, eof, at),
        }
    }

    /// Consumes one byte of structure at `at`.
    fn past(&mut self, at: usize) -> Step {
        self.blank = false;
        Step::Skip(at + 1)
    }

    /// Blanks, separators, NUL padding of preallocated blobs, byte-order marks of joined files.
    fn skip_blanks(&mut self, window: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = window.get(at) {
            match byte {
                b'\n' => (self.indent, self.blank) = (0, true),
                b' ' | b'\t' => self.indent += usize::from(self.blank),
                b'\r' | 0 => {}
                b',' => self.blank = false,
                0xEF if window[at..].starts_with(&[0xEF, 0xBB, 0xBF]) => at += 2,
                _ => break,
            }
            at += 1;
        }
        at
    }

    fn items_end(&mut self, window: &[u8], eof: bool) -> Step {
        let open = std::mem::take(&mut self.stack);
        if eof && !open.is_empty() && !self.resynced {
            let detail = "the input ends inside an array of records";
            let refusal = Refusal { reason: RefusalReason::CutOff, at: 0, detail: detail.into() };
            return refused(window, window.len(), window.len(), refusal);
        }
        if !eof {
            self.stack = open;
        }
        drop_all(window.len(), eof)
    }

    fn object_start(&mut self, window: &[u8], eof: bool, at: usize) -> Step {
        if self.stack.is_empty() {
            match plain_line(&window[at..], eof) {
                Line::Plain(len) => {
                    self.blank = false;
                    return Step::Record { start: at, end: at + len };
                }
                Line::Unknown => return wait(at),
                Line::Other => {}
            }
        }
        self.object(window, eof, at, Scan::object(at))
    }

    fn object(&mut self, window: &[u8], eof: bool, start: usize, mut scan: Scan) -> Step {
        let end = scan.run(window);
        let long = scan.at().saturating_sub(start) > RECORD_BYTES_MAX;
        match end {
            ScanEnd::Complete if long => {
                self.blank = false;
                refused(window, start, scan.at(), too_long())
            }
            ScanEnd::Complete => {
                self.blank = false;
                Step::Record { start, end: scan.at() }
            }
            ScanEnd::Records => {
                if self.stack.len() >= JSON_DEPTH_MAX {
                    // Only left-over containers of broken envelopes nest like this.
                    self.stack.clear();
                }
                self.stack.push(Container::Envelope);
                self.blank = false;
                Step::Skip(scan.at())
            }
            ScanEnd::Partial if long => {
                let end = scan.at();
                scan.rebase(end);
                self.mode = Mode::SkipObject(scan);
                refused(window, start, end, too_long())
            }
            ScanEnd::Partial if eof => {
                let detail = "the input ends inside a record";
                let reason = RefusalReason::CutOff;
                let refusal = Refusal { reason, at: window.len() - start, detail: detail.into() };
                self.broken(window, start, window.len(), refusal)
            }
            ScanEnd::Partial => {
                self.mode = Mode::Object { start, scan };
                Step::More
            }
            ScanEnd::Broken | ScanEnd::TooDeep if long => {
                self.mode = Mode::Resync(self.seek());
                refused(window, start, scan.at(), too_long())
            }
            ScanEnd::Broken => {
                let refusal = bad_json(scan.at() - start, scan.complaint());
                self.broken(window, start, scan.at(), refusal)
            }
            ScanEnd::TooDeep => {
                let detail = format!("nested deeper than {JSON_DEPTH_MAX} levels");
                let (reason, at) = (RefusalReason::TooDeep, scan.at() - start);
                self.broken(window, start, scan.at(), Refusal { reason, at, detail })
            }
        }
    }

    /// Refuses what begins at `start` and broke at `upto`, and finds where to go on.
    fn broken(&mut self, window: &[u8], start: usize, upto: usize, refusal: Refusal) -> Step {
        let mut seek = self.seek();
        let inside = window.get(start + 1..upto).unwrap_or_default();
        match seek.feed_intact(inside) {
            Some(found) => {
                let end = start + 1 + found.at;
                self.found(found);
                refused(window, start, end, refusal)
            }
            None => {
                self.mode = Mode::Resync(seek);
                refused(window, start, upto.max(start + 1).min(window.len()), refusal)
            }
        }
    }

    fn seek(&self) -> Seek {
        Seek::new(self.indent, !self.stack.is_empty())
    }

    fn found(&mut self, found: Found) {
        self.resynced = true;
        if found.outside {
            self.stack.clear();
        }
        match found.indent {
            Some(indent) => (self.indent, self.blank) = (indent, true),
            None => self.blank = false,
        }
    }

    fn skip_object(&mut self, window: &[u8], eof: bool, mut scan: Scan) -> Step {
        match scan.run(window) {
            ScanEnd::Partial if eof => {
                self.stack.clear();
                drop_all(window.len(), eof)
            }
            ScanEnd::Partial => {
                let at = scan.at();
                scan.rebase(at);
                self.mode = Mode::SkipObject(scan);
                wait(at)
            }
            ScanEnd::Complete => Step::Skip(scan.at()),
            ScanEnd::Records | ScanEnd::Broken | ScanEnd::TooDeep => {
                self.mode = Mode::Resync(self.seek());
                Step::Skip(scan.at())
            }
        }
    }

    fn tail(&mut self, window: &[u8], eof: bool, mut scan: Scan) -> Step {
        match scan.run(window) {
            // Every record of the envelope was seen: nothing is lost with its last keys.
            ScanEnd::Partial if eof => drop_all(window.len(), eof),
            ScanEnd::Partial => {
                let at = scan.at();
                scan.rebase(at);
                self.mode = Mode::Tail(scan);
                wait(at)
            }
            ScanEnd::Complete => Step::Skip(scan.at()),
            ScanEnd::Records | ScanEnd::Broken | ScanEnd::TooDeep => {
                let at = scan.at().min(window.len());
                self.mode = Mode::Resync(self.seek());
                refused(window, at, at, bad_json(0, "an envelope does not end well"))
            }
        }
    }

    fn resync(&mut self, window: &[u8], eof: bool, mut seek: Seek) -> Step {
        match seek.feed(window) {
            Some(found) => {
                self.found(found);
                Step::Skip(found.at)
            }
            None if eof => {
                self.stack.clear();
                drop_all(window.len(), eof)
            }
            None => {
                self.mode = Mode::Resync(seek);
                wait(window.len())
            }
        }
    }

    /// Text between top-level records: refused up to the next place where a record can begin.
    fn garbage(&mut self, window: &[u8], eof: bool, at: usize) -> Step {
        let rest = &window[at..];
        let line = memchr::memchr(b'\n', rest);
        if line.is_none() && rest.len() < REFUSED_BYTES_MAX && !eof {
            return wait(at);
        }
        // Behind a broken record this may be the rest of it, with its envelope's elements to come.
        self.mode = Mode::Resync(Seek::new(usize::MAX, self.resynced));
        self.resynced = true;
        let end = at + line.unwrap_or(rest.len()).clamp(1, REFUSED_BYTES_MAX);
        let mut step = refused(window, at, end, bad_json(0, "not a JSON object"));
        if let Step::Refused { end, .. } = &mut step {
            // The search must see these bytes too: a record may begin among them.
            *end = at;
        }
        step
    }

    /// Something in an array of records that is no object.
    fn element(&mut self, window: &[u8], eof: bool, at: usize) -> Step {
        let rest = &window[at..];
        match element_end(rest) {
            Some(len) => refused(window, at, at + len, bad_json(0, "an element is not an object")),
            None if eof || rest.len() > REFUSED_BYTES_MAX => {
                self.mode = Mode::Resync(Seek::new(usize::MAX, true));
                refused(window, at, window.len(), bad_json(0, "an element is not an object"))
            }
            None => wait(at),
        }
    }
}

/// Length of the scalar at the head of `rest`, at least 1, if its end is in sight.
fn element_end(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'"') {
        return rest.iter().skip(1).position(|b| b",]}{[\n".contains(b)).map(|i| i + 1);
    }
    let mut at = 1;
    loop {
        let hit = at + memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest[hit] == b'"' {
            return Some(hit + 1);
        }
        at = hit + 2;
    }
}

/// Drops `at` blanks, or asks for more if there is nothing to drop.
fn wait(at: usize) -> Step {
    if at == 0 { Step::More } else { Step::Skip(at) }
}

fn drop_all(len: usize, eof: bool) -> Step {
    match (len, eof) {
        (0, true) => Step::End,
        (0, false) => Step::More,
        _ => Step::Skip(len),
    }
}

fn refused(window: &[u8], start: usize, end: usize, refusal: Refusal) -> Step {
    let sample_end = end.min(start.saturating_add(REFUSED_BYTES_MAX)).min(window.len());
    Step::Refused { start, sample_end, end, refusal }
}

fn bad_json(at: usize, detail: &str) -> Refusal {
    Refusal { reason: RefusalReason::BadJson, at, detail: detail.into() }
}

fn too_long() -> Refusal {
    let detail = format!("longer than {RECORD_BYTES_MAX} bytes");
    Refusal { reason: RefusalReason::TooLong, at: RECORD_BYTES_MAX, detail }
}

/// What the fast path says of a line.
enum Line {
    /// One record of this length, and nothing else.
    Plain(usize),
    /// The line or what follows it is not all there.
    Unknown,
    /// Let the state machine look.
    Other,
}

/// Is the object at the head of `rest` one line of JSON Lines? Braces are counted inside strings
/// too, which can only turn a plain line into [`Line::Other`] — except that two effects could
/// cancel out. For well-formed input they cannot: several objects on the line show as `}` before
/// `{`, and an object that goes on behind the line goes on with `,`, `}` or `]`.
fn plain_line(rest: &[u8], eof: bool) -> Line {
    let seen = &rest[..rest.len().min(PLAIN_LINE_MAX)];
    let unknown =
        if eof || rest.len() >= PLAIN_LINE_MAX + AHEAD_MAX { Line::Other } else { Line::Unknown };
    let mut depth = 0_usize;
    for hit in memchr3_iter(b'{', b'}', b'\n', seen) {
        match seen[hit] {
            b'{' => depth += 1,
            b'}' if depth > 1 => {
                depth -= 1;
                let next = seen[hit + 1..].iter().find(|b| !b" \t".contains(b));
                if next == Some(&b'{') {
                    return Line::Other;
                }
            }
            b'}' => return line_end(rest, hit + 1, eof),
            _ => return Line::Other,
        }
    }
    unknown
}

/// The braces are balanced at `end`: does the line end there, and with it the record?
fn line_end(rest: &[u8], end: usize, eof: bool) -> Line {
    let ahead = &rest[end..rest.len().min(end + AHEAD_MAX)];
    let mut line_over = false;
    for byte in ahead {
        match byte {
            b'\n' => line_over = true,
            b' ' | b'\t' | b'\r' | 0 => {}
            b',' | b'}' | b']' => return Line::Other,
            _ if !line_over => return Line::Other,
            _ => return plain_unless_envelope(&rest[..end]),
        }
    }
    match (ahead.len() == AHEAD_MAX, eof) {
        (true, _) if !line_over => Line::Other,
        (false, false) => Line::Unknown,
        _ => plain_unless_envelope(&rest[..end]),
    }
}

fn plain_unless_envelope(line: &[u8]) -> Line {
    let opens_records = |bracket: usize| {
        let before =
            line[..bracket].trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        let key = before.and_then(|b| b.get(b.len().checked_sub(9)?..));
        key.is_some_and(|k| k.eq_ignore_ascii_case(b"\"records\""))
    };
    if memchr_iter(b'[', line).any(opens_records) { Line::Other } else { Line::Plain(line.len()) }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
