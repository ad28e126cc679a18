//! Reads one segment, batch by batch. A batch is read apart from its neighbours, so that one with
//! a bracket too many does no harm to the next.
use std::io::{self, Read};

use super::frame::{self, FRAME_BYTES, HEADER_BYTES};

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

/// What comes next in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) enum Part {
    /// A batch whose first byte lies at this offset of the file.
    Batch(u64),
    /// Bytes that are no batch, at this offset.
    Lost {
        offset: u64,
        detail: String,
        /// The file ends inside of a batch; nothing is wrong with the bytes that are there.
        cut_off: bool,
    },
    End,
}

/// One segment being read. Its offsets are those in the file, so that a batch has the same place
/// whatever became of the ones before it.
pub(in crate::source) struct SegmentReader {
    inner: Box<dyn Read + Send>,
    window: Vec<u8>,
    /// What is not consumed yet begins here.
    at: usize,
    /// Offset in the file of that place.
    offset: u64,
    /// Bytes from there on that belong to the current batch.
    left: usize,
    eof: bool,
    /// The segment's own head is passed.
    begun: bool,
    /// Why the file cannot be read on.
    broke_off: Option<io::Error>,
}

impl SegmentReader {
    /// Of a file's bytes from its first one on.
    pub(in crate::source) fn new(inner: Box<dyn Read + Send>) -> SegmentReader {
        SegmentReader {
            inner,
            window: Vec::new(),
            at: 0,
            offset: 0,
            left: 0,
            eof: false,
            begun: false,
            broke_off: None,
        }
    }

    /// Goes on at a frame, at `offset` of the file, where `inner` stands.
    pub(in crate::source) fn going_on(inner: Box<dyn Read + Send>, offset: u64) -> SegmentReader {
        SegmentReader { offset, begun: true, ..SegmentReader::new(inner) }
    }

    /// Everything before this offset of the file was given up.
    pub(in crate::source) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes to the next batch, which [`Read`] then gives up to its end.
    pub(in crate::source) fn next_part(&mut self) -> Part {
        self.pass(self.left);
        if !self.begun {
            self.begun = true;
            if let Some(lost) = self.header() {
                return lost;
            }
        }
        if !self.fill(FRAME_BYTES) {
            return self.cut_off();
        }
        let Some(head) = frame::head(self.rest(), self.offset) else { return self.resync() };
        let whole = FRAME_BYTES + head.len;
        if !self.fill(whole) {
            return self.cut_off();
        }
        let sum = self.rest().get(FRAME_BYTES..whole).map(crc32c::crc32c);
        if sum != Some(head.crc) {
            let offset = self.offset;
            self.pass(whole);
            return lost(offset, format!("a batch of {} bytes", head.len));
        }
        self.pass(FRAME_BYTES);
        self.left = head.len;
        Part::Batch(self.offset)
    }

    fn header(&mut self) -> Option<Part> {
        if !self.fill(HEADER_BYTES) {
            return Some(self.cut_off());
        }
        let whole = self.rest().get(..HEADER_BYTES).is_some_and(frame::is_whole_header);
        self.pass(HEADER_BYTES);
        (!whole).then(|| lost(0, "the segment's own head".to_owned()))
    }

    /// Looks for the next head of a frame.
    fn resync(&mut self) -> Part {
        let start = self.offset;
        self.pass(1);
        while self.fill(FRAME_BYTES) {
            let hit = memchr::memmem::find(self.rest(), &frame::MARK);
            match hit {
                Some(0) if frame::head(self.rest(), self.offset).is_some() => break,
                Some(0) => self.pass(1),
                Some(at) => self.pass(at),
                // The mark may begin in the last bytes.
                None => self.pass(self.rest().len() + 1 - frame::MARK.len()),
            }
        }
        if self.rest().len() < FRAME_BYTES {
            self.pass(self.rest().len());
        }
        lost(start, format!("{} bytes", self.offset - start))
    }

    /// There are fewer bytes than must be.
    fn cut_off(&mut self) -> Part {
        let (offset, left) = (self.offset, self.rest().len());
        self.pass(left);
        if let Some(error) = self.broke_off.take() {
            let detail = format!("the file cannot be read on from here: {error}");
            return Part::Lost { offset, detail, cut_off: false };
        }
        if left == 0 {
            return Part::End;
        }
        let detail = format!(
            "the file ends inside of a batch, after {left} bytes of it: it was being written, or \
             the program was killed before it accepted the batch"
        );
        Part::Lost { offset, detail, cut_off: true }
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.at..).unwrap_or_default()
    }

    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
        self.left = self.left.saturating_sub(bytes);
    }

    /// Reads on until `bytes` are there; false if the file has fewer.
    fn fill(&mut self, bytes: usize) -> bool {
        while self.rest().len() < bytes && !self.eof {
            self.window.drain(..self.at.min(self.window.len()));
            self.at = 0;
            let want = (bytes - self.window.len()).max(READ_BYTES) as u64;
            match self.inner.by_ref().take(want).read_to_end(&mut self.window) {
                Ok(read) => self.eof = (read as u64) < want,
                Err(error) => {
                    self.eof = true;
                    self.broke_off = Some(error);
                }
            }
        }
        self.rest().len() >= bytes
    }
}

fn lost(offset: u64, what: String) -> Part {
    let detail = format!("{what} of the inbox: damaged on the disk, and passed over");
    Part::Lost { offset, detail, cut_off: false }
}

impl Read for SegmentReader {
    /// The current batch; 0 at its end.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.rest().get(..self.left.min(buf.len())).unwrap_or_default();
        let read = bytes.len();
        if let Some(target) = buf.get_mut(..read) {
            target.copy_from_slice(bytes);
        }
        self.pass(read);
        Ok(read)
    }
}
