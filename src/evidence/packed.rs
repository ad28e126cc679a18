//! The redacted forms of an alert's records in few bytes: they are alike, so one block of zstd
//! takes a tenth of them.
use crate::alert::kept::KEPT_MAX;
use crate::limits::REDACTED_BYTES_MAX;

/// Fast, and as small as the slower ones for so little text.
const LEVEL: i32 = 3;

/// Packs lines; an absent one becomes an empty one.
pub(super) fn pack(lines: &[Option<String>]) -> Vec<u8> {
    if lines.iter().all(Option::is_none) {
        return Vec::new();
    }
    let text: String =
        lines.iter().flat_map(|line| [line.as_deref().unwrap_or_default(), "\n"]).collect();
    // Packing in memory fails for want of memory only; without the forms the hashes still stand.
    zstd::bulk::compress(text.as_bytes(), LEVEL).unwrap_or_default()
}

/// The lines again; none for what is no packed text.
pub(super) fn unpack(packed: &[u8]) -> Vec<Option<String>> {
    const BYTES_MAX: usize = KEPT_MAX * (REDACTED_BYTES_MAX + 1);
    let text = zstd::bulk::decompress(packed, BYTES_MAX).ok();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    text.lines().map(|line| (!line.is_empty()).then(|| line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let lines = [Some("{\"a\":1}".to_owned()), None, Some("{}".to_owned())];
        assert_eq!(unpack(&pack(&lines)), lines);
        assert!(pack(&[None, None]).is_empty());
        assert!(unpack(&[]).is_empty() && unpack(b"noise").is_empty());
        let full = vec![Some("x".repeat(REDACTED_BYTES_MAX)); KEPT_MAX];
        assert_eq!(unpack(&pack(&full)), full);
    }
}
