//! Several store entries in one entry of the file: key length u32, key, value length u32, value,
//! all little-endian, one after the other.

/// Longest key.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Appends an entry.
pub fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
    }
}

/// The entries of `bytes`; the first that is not whole ends it with an error.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), &'static str>> {
    let mut rest = bytes;
    let mut failed = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || failed {
            return None;
        }
        let entry = take(&mut rest).and_then(|key| Some((key, take(&mut rest)?)));
        let entry = entry.filter(|(key, _)| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
        failed = entry.is_none();
        Some(entry.ok_or("a key and its value are not whole"))
    })
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let (part, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = tail;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_cuts_are_noticed() {
        let mut bytes = Vec::new();
        push(&mut bytes, b"k", b"");
        push(&mut bytes, b"key", b"value");
        let all: Result<Vec<_>, _> = read(&bytes).collect();
        assert_eq!(all.unwrap(), [(b"k".as_slice(), b"".as_slice()), (b"key", b"value")]);
        for cut in 1..bytes.len() {
            let whole = cut == 9;
            assert_eq!(read(&bytes[..cut]).all(|e| e.is_ok()), whole, "{cut}");
        }
        assert!(read(&[255; 40]).any(|e| e.is_err()));
    }
}
