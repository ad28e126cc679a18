//! The files under an inbox, behind a trait, so that tests can be a disk that fails.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Ending of a segment's name.
pub(in crate::source) const EXTENSION: &str = "inbox";

/// One segment being written.
pub(super) trait SegmentFile: Send {
    /// Writes behind what is there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written is durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of segments, by number.
pub(super) trait Disk: Send + Sync {
    /// Number and bytes of all segments.
    fn list(&self) -> io::Result<Vec<(u64, u64)>>;
    /// A new segment, empty; it is durable that it exists.
    fn create(&self, number: u64) -> io::Result<Box<dyn SegmentFile>>;
    /// The bytes of a segment.
    fn read(&self, number: u64) -> io::Result<Box<dyn Read + Send>>;
    /// Shortens a segment, durably.
    fn cut(&self, number: u64, bytes: u64) -> io::Result<()>;
    /// Deletes a segment.
    fn remove(&self, number: u64) -> io::Result<()>;
}

/// A folder of the file system.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The one at `path`, which is made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        if !path.is_dir() {
            std::fs::create_dir_all(path)?;
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_folder(parent)?;
            }
        }
        Ok(Folder { path: path.to_owned() })
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:012}.{EXTENSION}"))
    }
}

/// Makes the names in a folder durable. Windows cannot open folders.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|n| n.strip_suffix(EXTENSION)?.strip_suffix('.'));
            // Whatever else a person puts there is no segment, and stays.
            if let Some(number) = number.and_then(|n| n.parse().ok())
                && entry.path() == self.segment(number)
            {
                found.push((number, entry.metadata()?.len()));
            }
        }
        Ok(found)
    }

    fn create(&self, number: u64) -> io::Result<Box<dyn SegmentFile>> {
        let path = self.segment(number);
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        sync_folder(&self.path)?;
        Ok(Box::new(file))
    }

    fn read(&self, number: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.segment(number))?))
    }

    fn cut(&self, number: u64, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.segment(number))?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        std::fs::remove_file(self.segment(number))?;
        sync_folder(&self.path)
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
