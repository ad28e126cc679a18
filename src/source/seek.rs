//! Looks for the next place where a record can begin, after one that broke.

/// A place where a record can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Offset in the bytes that were fed.
    pub(super) at: usize,
    /// The place is outside of every container.
    pub(super) outside: bool,
    /// Blanks before it, if it is the first thing on its line.
    pub(super) indent: Option<usize>,
}

/// The last bytes that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Other,
    /// `}`
    Close,
    /// `}` and a comma
    CloseComma,
}

/// The state between two windows.
#[derive(Clone, Debug)]
pub(super) struct Seek {
    indent_max: usize,
    in_container: bool,
    /// Places inside a line count too, not only the heads of lines.
    inline: bool,
    last: Last,
    /// Blanks since the last line break, while there was nothing else.
    indent: Option<usize>,
}

impl Seek {
    /// `indent_max`: how deep the line of the broken record is indented; a deeper line belongs to
    /// the inside of a record.
    pub(super) fn new(indent_max: usize, in_container: bool) -> Seek {
        Seek { indent_max, in_container, inline: true, last: Last::Other, indent: None }
    }

    /// Goes through the `bytes` of a broken record in front of the place where it broke. Inside a
    /// line everything up to there was in order, so `},{` belongs to the record; a line as little
    /// indented as the record's own is the sign of one that was cut off.
    pub(super) fn feed_intact(&mut self, bytes: &[u8]) -> Option<Found> {
        self.inline = false;
        let found = self.feed(bytes);
        self.inline = true;
        found
    }

    /// Goes on through `bytes`.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<Found> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => self.indent = Some(0),
                b' ' | b'\t' => self.indent = self.indent.map(|i| i.saturating_add(1)),
                b'\r' | 0 => {}
                b'{' | b'[' => {
                    if let Some(outside) = self.begins(*byte == b'{') {
                        return Some(Found { at, outside, indent: self.indent });
                    }
                    (self.last, self.indent) = (Last::Other, None);
                }
                b'}' => (self.last, self.indent) = (Last::Close, None),
                b',' if self.last == Last::Close => {
                    (self.last, self.indent) = (Last::CloseComma, None);
                }
                _ => (self.last, self.indent) = (Last::Other, None),
            }
        }
        None
    }

    /// Can a record (or an array of them) begin here, and is it then outside of containers?
    fn begins(&self, object: bool) -> Option<bool> {
        let element = self.in_container && self.last == Last::CloseComma;
        match (object, self.indent) {
            (true, Some(indent)) => (indent <= self.indent_max).then_some(!element),
            (true, None) if !self.inline => None,
            (true, None) if self.last == Last::Close => Some(true),
            (true, None) => element.then_some(false),
            (false, indent) => (indent == Some(0)).then_some(true),
        }
    }
}
