//! A file that several readers look into, each at a place of its own.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes fetched at a time: the header of an entry and most of a model.
const FETCH_BYTES: usize = 16 << 10;

/// One reader's look at a file.
#[derive(Debug)]
pub struct Window {
    file: Arc<Mutex<File>>,
    len: u64,
    at: u64,
    fetched: Vec<u8>,
    fetched_at: u64,
}

impl Clone for Window {
    fn clone(&self) -> Window {
        let (file, len) = (Arc::clone(&self.file), self.len);
        Window { file, len, at: 0, fetched: Vec::new(), fetched_at: 0 }
    }
}

impl Window {
    /// Looks at `file`.
    ///
    /// # Errors
    /// Its length cannot be told.
    pub fn new(mut file: File) -> io::Result<Window> {
        let len = file.seek(SeekFrom::End(0))?;
        let file = Arc::new(Mutex::new(file));
        Ok(Window { file, len, at: 0, fetched: Vec::new(), fetched_at: 0 })
    }
    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The file's bytes from here on, as many as were fetched or fit into `out`.
    fn fetch(&mut self) -> io::Result<&[u8]> {
        let inside = self.at.checked_sub(self.fetched_at).map(|skip| skip as usize);
        let skip = match inside.filter(|skip| *skip < self.fetched.len()) {
            Some(skip) => skip,
            None => {
                let wanted = self.len.saturating_sub(self.at).min(FETCH_BYTES as u64) as usize;
                self.fetched.resize(wanted, 0);
                self.fetched_at = self.at;
                if wanted == 0 {
                    return Ok(&[]);
                }
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.at))?;
                file.read_exact(&mut self.fetched)?;
                0
            }
        };
        Ok(&self.fetched[skip..])
    }
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let have = self.fetch()?;
        let count = have.len().min(out.len());
        out[..count].copy_from_slice(&have[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn readers_do_not_disturb_each_other() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..50_000u32).flat_map(|n| n.to_le_bytes()).collect();
        file.write_all(&bytes).unwrap();
        let mut one = Window::new(file).unwrap();
        let mut other = one.clone();
        other.seek(SeekFrom::End(-8)).unwrap();
        let (mut all, mut tail) = (Vec::new(), Vec::new());
        one.read_to_end(&mut all).unwrap();
        other.read_to_end(&mut tail).unwrap();
        assert!(all == bytes && tail == bytes[bytes.len() - 8..]);
        one.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(one.read(&mut [0; 9]).unwrap(), 0);
    }
}
