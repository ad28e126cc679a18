//! The bytes of a segment. Pure. All integers are little-endian.
//!
//! A segment begins with `CGIB`, version u16, two zeros, its number u64, when it was made
//! (milliseconds, i64) and the CRC-32C of those. Then frames: a mark that no text in UTF-8
//! contains, the payload's length u32, its CRC-32C, and the CRC-32C of those and of the frame's own
//! offset, so that a length can be trusted before the payload is read, and bytes that lie where
//! they do not belong are not taken for a frame.
use crate::limits::INBOX_BATCH_BYTES_MAX;
use crate::time::Timestamp;

/// First bytes of every segment.
pub(in crate::source) const MAGIC: [u8; 4] = *b"CGIB";
/// The version this build writes, and the newest that it reads.
pub(in crate::source) const VERSION: u16 = 1;
/// Bytes before the first frame.
pub(in crate::source) const HEADER_BYTES: usize = 28;
/// Bytes of a frame before its payload.
pub(in crate::source) const FRAME_BYTES: usize = 16;
/// First bytes of every frame.
pub(super) const MARK: [u8; 4] = [0xFF, 0xC6, 0xB1, 0xFE];

/// What a frame's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of its payload.
    pub(super) len: usize,
    /// Their CRC-32C.
    pub(super) crc: u32,
}

/// The head of segment `number`, made at `created`.
pub(super) fn segment_header(number: u64, created: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&created.millis().to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The version that the first bytes of a segment name; `None` if they are no segment's.
pub(in crate::source) fn version(head: &[u8]) -> Option<u16> {
    match *head {
        [m0, m1, m2, m3, v0, v1, ..] if [m0, m1, m2, m3] == MAGIC => {
            Some(u16::from_le_bytes([v0, v1]))
        }
        _ => None,
    }
}

/// The checksum of a segment's head fits.
pub(super) fn is_whole_header(head: &[u8]) -> bool {
    let Some((head, [c0, c1, c2, c3])) = head.split_last_chunk::<4>() else { return false };
    crc32c::crc32c(head) == u32::from_le_bytes([*c0, *c1, *c2, *c3])
}

/// Appends the frame of `payload`, which will lie at `offset` of its segment.
pub(super) fn push_frame(out: &mut Vec<u8>, offset: u64, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    let crc = head_crc(out.get(start..).unwrap_or_default(), offset);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(payload);
}

fn head_crc(head: &[u8], offset: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), &offset.to_le_bytes())
}

/// What the head of a frame at `offset` says; `None` if there is none.
pub(super) fn head(bytes: &[u8], offset: u64) -> Option<Head> {
    let (head, [c0, c1, c2, c3]) = bytes.get(..FRAME_BYTES)?.split_last_chunk::<4>()?;
    let [m0, m1, m2, m3, l0, l1, l2, l3, p0, p1, p2, p3] = *head else { return None };
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let sound = [m0, m1, m2, m3] == MARK
        && head_crc(head, offset) == u32::from_le_bytes([*c0, *c1, *c2, *c3])
        && len <= INBOX_BATCH_BYTES_MAX;
    sound.then_some(Head { len, crc: u32::from_le_bytes([p0, p1, p2, p3]) })
}
