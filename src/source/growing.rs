//! Files that are read while they grow: where the reading of one stopped, and how it goes on there.
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::files::Identity;
use super::inbox::frame::{HEADER_BYTES, version};
use super::inbox::segment::SegmentReader;
use super::input::{self, HEAD_BYTES, Input, Packing};
use super::split::Splitter;
use super::stream::Stream;

/// Where the reading of a file stopped.
#[derive(Clone, Debug, Default)]
pub(super) enum Place {
    /// Nothing of it was read in this run.
    #[default]
    Begin,
    /// Records, as they lie.
    Plain { offset: u64, splitter: Box<Splitter> },
    /// A segment of an inbox, before a frame.
    Inbox { offset: u64 },
    /// A packed file, read to its end.
    Packed,
}

/// How a file is to be opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    pub(super) place: Place,
    /// The first bytes that it had when it was read last, and their hash. Another file begins anew.
    pub(super) known: Option<(u32, u128)>,
    /// Bytes that may be read.
    pub(super) limit: u64,
    /// Nobody has written to it for a while: a packed file may be read.
    pub(super) at_rest: bool,
}

/// Where the reading of a file stopped, and why.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) file: u32,
    pub(super) place: Place,
    /// The disk refused to give more.
    pub(super) trouble: Option<String>,
}

/// What an earlier run applied of files, by their first bytes: the first offset that is not.
pub(super) type Applied = HashMap<(u32, u128), u64>;

/// The files of one round.
#[derive(Default)]
pub(super) struct Growing {
    pub(super) starts: HashMap<u32, Start>,
    pub(super) stopped: Vec<Stopped>,
    pub(super) applied: Applied,
}

impl Growing {
    /// Opens a file where it goes on.
    pub(super) fn open(
        &mut self,
        file: u32,
        path: &Path,
        read_bytes: usize,
        count: &Arc<AtomicU64>,
    ) -> io::Result<(Stream, Identity)> {
        let Start { place, known, limit, at_rest } = self.starts.remove(&file).unwrap_or_default();
        let mut raw = File::open(path)?;
        if raw.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let mut head = Vec::new();
        (&mut raw).take(HEAD_BYTES.min(limit)).read_to_end(&mut head)?;
        if version(&head).is_some() {
            return segment(file, (raw, head), place, limit, count, read_bytes);
        }
        let identity = Identity::of(&head, known.map(|(len, _)| len));
        if !matches!(Packing::of(&head), Packing::Plain) {
            if !at_rest {
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            raw.seek(SeekFrom::Start(0))?;
            let (input, identity) = input::wrap(Box::new(raw), known.map(|(len, _)| len), count)?;
            return Ok((Stream::new(file, input, read_bytes), identity));
        }
        let same = known.is_none_or(|known| {
            known == (identity.head_len, identity.head) || identity.as_known == Some(known)
        });
        let (offset, splitter) = match place {
            Place::Plain { offset, splitter } if same && offset <= limit => (offset, *splitter),
            _ => self.after_applied(&head, &identity).unwrap_or_default(),
        };
        raw.seek(SeekFrom::Start(offset))?;
        let rest = input::counted(Box::new(raw.take(limit.saturating_sub(offset))), count);
        let stream = Stream::new(file, Input::Whole(rest), read_bytes);
        Ok((stream.going_on(offset, splitter), identity))
    }

    /// Behind what an earlier run applied: at its last record, which is met once more.
    fn after_applied(&self, head: &[u8], identity: &Identity) -> Option<(u64, Splitter)> {
        let now = (identity.head_len, identity.head);
        let next = self.applied.get(&now).or_else(|| self.applied.get(&identity.as_known?))?;
        let last = next.checked_sub(1)?;
        Some((last, Splitter::inside_of(head)?))
    }
}

/// A segment of an inbox: up to what is durable, from a frame on.
fn segment(
    file: u32,
    (mut raw, head): (File, Vec<u8>),
    place: Place,
    limit: u64,
    count: &Arc<AtomicU64>,
    read_bytes: usize,
) -> io::Result<(Stream, Identity)> {
    raw.seek(SeekFrom::Start(0))?;
    let Place::Inbox { offset } = place else {
        let (input, identity) = input::wrap(Box::new(raw.take(limit)), None, count)?;
        return Ok((Stream::new(file, input, read_bytes), identity));
    };
    let identity = Identity::of(head.get(..HEADER_BYTES).unwrap_or(&head), None);
    raw.seek(SeekFrom::Start(offset))?;
    let rest = input::counted(Box::new(raw.take(limit.saturating_sub(offset))), count);
    let segment = SegmentReader::going_on(rest, offset);
    Ok((Stream::new(file, Input::Inbox(Box::new(segment)), read_bytes), identity))
}
