//! A file that is written from its beginning to its end, by a writer that keeps asking where it is.
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Knows its place. The zip asks for it at both ends of every entry, and a `BufWriter` that is asked
/// asks the system, and empties itself before: two small writes an entry instead of few large ones.
pub struct Paper<'a> {
    file: BufWriter<&'a File>,
    at: u64,
}

impl<'a> Paper<'a> {
    /// `file` is empty.
    pub fn new(file: &'a File) -> Paper<'a> {
        Paper { file: BufWriter::with_capacity(BUFFER_BYTES, file), at: 0 }
    }
}

impl Write for Paper<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Paper<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Current(0) && to != SeekFrom::Start(self.at) {
            self.at = self.file.seek(to)?;
        }
        Ok(self.at)
    }
    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_place_is_that_of_the_file_and_asking_writes_nothing() {
        let file = tempfile::tempfile().unwrap();
        let mut paper = Paper::new(&file);
        paper.write_all(b"head ").unwrap();
        assert_eq!(paper.stream_position().unwrap(), 5);
        assert_eq!(paper.seek(SeekFrom::Start(5)).unwrap(), 5);
        assert_eq!(file.metadata().unwrap().len(), 0, "it is still collected");
        paper.write_all(b"tail").unwrap();
        assert_eq!(paper.seek(SeekFrom::Start(0)).unwrap(), 0);
        paper.write_all(b"HEAD").unwrap();
        assert_eq!(paper.seek(SeekFrom::End(0)).unwrap(), 9);
        paper.write_all(b".").unwrap();
        paper.flush().unwrap();
        assert_eq!((paper.stream_position().unwrap(), file.metadata().unwrap().len()), (10, 10));
        let mut text = String::new();
        (&file).rewind().unwrap();
        io::Read::read_to_string(&mut &file, &mut text).unwrap();
        assert_eq!(text, "HEAD tail.");
    }
}
