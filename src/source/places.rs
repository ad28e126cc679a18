//! Reads single records once more, by the place at which they were read before.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::input::{self, Input, Packing};

/// Why nothing was read at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no such file, it is none, or it cannot be read up to there.
    Missing,
    /// It is another file than the one that was read before.
    Another,
    /// It ends before the record does.
    Short,
}

/// Takes what was read at a place, with the position of that place.
pub type Visit<'a> = &'a mut dyn FnMut(usize, Result<&[u8], Unreadable>);

/// What reads at an offset of the decompressed bytes.
enum At {
    /// A plain file: goes there.
    Plain(File),
    /// A compressed one: reads up to there.
    Packed(Input, u64),
}

/// Reads the records of `places` (offset and length in the decompressed bytes, ascending) in `path`
/// and gives each to `visit` with its position in `places`. `head` is the number of first bytes by
/// which the file was recognised before, and their hash; without it any file is taken. One record
/// is in memory at a time.
pub fn read_places(
    path: &Path,
    head: Option<(u32, u128)>,
    places: &[(u64, u32)],
    visit: Visit<'_>,
) {
    let mut at = match open(path, head) {
        Ok(at) => at,
        Err(why) => return (0..places.len()).for_each(|n| visit(n, Err(why))),
    };
    let mut bytes = Vec::new();
    for (n, (offset, len)) in places.iter().enumerate() {
        let read = at.read(*offset, *len, &mut bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Unreadable::Short,
            _ => Unreadable::Missing,
        });
        visit(n, read.map(|()| bytes.as_slice()));
    }
}

fn open(path: &Path, head: Option<(u32, u128)>) -> Result<At, Unreadable> {
    let missing = |_| Unreadable::Missing;
    // A pipe that the run reads from would lose what is read of it here.
    if !std::fs::metadata(path).map_err(missing)?.is_file() {
        return Err(Unreadable::Missing);
    }
    let known = head.map(|(len, _)| len);
    let (input, now) = input::open(path, known, &Arc::new(AtomicU64::new(0))).map_err(missing)?;
    let same = |known| (now.head_len, now.head) == known || now.as_known == Some(known);
    if head.is_some_and(|known| !same(known)) {
        return Err(Unreadable::Another);
    }
    let mut file = File::open(path).map_err(missing)?;
    let mut first = Vec::new();
    (&mut file).take(4).read_to_end(&mut first).map_err(missing)?;
    match Packing::of(&first) {
        Packing::Plain => Ok(At::Plain(file)),
        Packing::Gzip | Packing::Zstd => Ok(At::Packed(input, 0)),
    }
}

impl At {
    fn read(&mut self, offset: u64, len: u32, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        let read = match self {
            At::Plain(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.take(u64::from(len)).read_to_end(into)?
            }
            At::Packed(input, at) => {
                let Some(between) = offset.checked_sub(*at) else {
                    return Err(io::ErrorKind::InvalidInput.into());
                };
                *at += io::copy(&mut input.take(between), &mut io::sink())?;
                let read = input.take(u64::from(len)).read_to_end(into)?;
                *at += read as u64;
                read
            }
        };
        if read == len as usize { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(
        path: &Path,
        head: Option<(u32, u128)>,
        places: &[(u64, u32)],
    ) -> Vec<Result<Vec<u8>, Unreadable>> {
        let mut out = Vec::new();
        read_places(path, head, places, &mut |n, bytes| {
            assert_eq!(n, out.len());
            out.push(bytes.map(<[u8]>::to_vec));
        });
        out
    }

    #[test]
    fn records_are_found_in_plain_and_packed_files() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..300_000_u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        for (name, bytes) in [
            ("plain", text.clone()),
            ("gz", gzip.finish().unwrap()),
            ("zst", zstd::encode_all(text.as_slice(), 1).unwrap()),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let places = [(0, 4), (700, 90), (1_100_000, 70_000), (1_199_000, 999), (1_199_999, 2)];
            let found = read(&path, None, &places);
            for ((offset, len), found) in places.iter().zip(&found).take(4) {
                let from = *offset as usize;
                assert_eq!(found.as_deref(), Ok(&text[from..from + *len as usize]), "{name}");
            }
            assert_eq!(found[4], Err(Unreadable::Short), "{name}");
            let hash = xxhash_rust::xxh3::xxh3_128;
            let whole = bytes.len().min(64 << 10);
            let known = (whole as u32, hash(&bytes[..whole]));
            assert!(read(&path, Some(known), &[(0, 4)])[0].is_ok());
            let grown = (100, hash(&bytes[..100]));
            assert!(read(&path, Some(grown), &[(0, 4)])[0].is_ok());
            assert_eq!(read(&path, Some((100, 1)), &[(0, 4)]), [Err(Unreadable::Another)]);
        }
        for nothing in [dir.path().join("none"), dir.path().to_owned()] {
            assert_eq!(read(&nothing, None, &[(0, 1), (5, 1)]), vec![Err(Unreadable::Missing); 2]);
        }
    }
}
