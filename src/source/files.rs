//! The files of one reading, kept compactly: a blob layout easily has fifty thousand.
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::inbox::EXTENSION;
use super::paths::blob_hour;

/// Recognises a file in a later run: the first bytes stay the same while a log grows, and when it
/// is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Bytes that were hashed: 64 KiB, or all if the file was shorter.
    pub head_len: u32,
    /// XXH3-128 of them, as they are on disk.
    pub head: u128,
    /// XXH3-128 of as many first bytes as the file had when it was met before
    /// ([`super::Reader::know_heads`]): a log that was shorter than 64 KiB then and has grown.
    pub as_known: Option<(u32, u128)>,
}

impl Identity {
    /// Of the first bytes of a file that had `known` bytes before.
    pub(super) fn of(head: &[u8], known: Option<u32>) -> Identity {
        let as_known = known.and_then(|len| {
            let shorter = head.get(..len as usize).filter(|h| h.len() < head.len())?;
            Some((len, xxhash_rust::xxh3::xxh3_128(shorter)))
        });
        let head_len = head.len() as u32;
        Identity { head_len, head: xxhash_rust::xxh3::xxh3_128(head), as_known }
    }
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Index of the path under which it was found.
    pub(super) root: u32,
    /// Below that path; empty if the file itself was given.
    pub(super) relative: Box<Path>,
    /// Bytes on disk.
    pub(super) size: u64,
    /// Hour since the epoch, from an Azure blob path.
    pub(super) hour: Option<i64>,
    pub(super) identity: Option<Identity>,
}

/// Index to file.
#[derive(Clone, Debug, Default)]
pub struct FileTable {
    pub(super) roots: Vec<PathBuf>,
    pub(super) entries: Vec<Entry>,
}

impl FileTable {
    /// A table of one input that is no file.
    pub(super) fn single(name: &str) -> FileTable {
        let relative = PathBuf::new().into_boxed_path();
        let entry = Entry { root: 0, relative, size: 0, hour: None, identity: None };
        FileTable { roots: vec![PathBuf::from(name)], entries: vec![entry] }
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Of `files`, those that begin something, and where each of the others belongs: the segments of
    /// an inbox follow each other, in the order of their numbers.
    pub(super) fn chained(
        &self,
        files: impl IntoIterator<Item = u32>,
    ) -> (Vec<u32>, HashMap<u32, u32>) {
        let (mut first, mut follows) = (Vec::new(), HashMap::new());
        let mut inboxes: BTreeMap<PathBuf, Vec<(u64, u32)>> = BTreeMap::new();
        for file in files {
            let mut path = self.path(file);
            match segment_number(&path) {
                Some(number) => {
                    path.pop();
                    inboxes.entry(path).or_default().push((number, file));
                }
                None => first.push(file),
            }
        }
        for mut segments in inboxes.into_values() {
            segments.sort_unstable();
            first.extend(segments.first().map(|(_, file)| *file));
            follows.extend(segments.windows(2).filter_map(|pair| match pair {
                [(_, before), (_, after)] => Some((*before, *after)),
                _ => None,
            }));
        }
        (first, follows)
    }

    fn entry(&self, file: u32) -> Option<(&Path, &Entry)> {
        let entry = self.entries.get(file as usize)?;
        Some((self.roots.get(entry.root as usize)?, entry))
    }

    /// Where the file is: the path as given, and the rest below it.
    pub(super) fn path(&self, file: u32) -> PathBuf {
        match self.entry(file) {
            Some((root, entry)) if entry.relative.as_os_str().is_empty() => root.to_owned(),
            Some((root, entry)) => root.join(&entry.relative),
            None => PathBuf::new(),
        }
    }

    /// It is standard input.
    pub fn is_stdin(&self, file: u32) -> bool {
        super::paths::is_stdin(&self.path(file))
    }

    /// The file's path for people, as they gave it.
    pub fn display(&self, file: u32) -> String {
        self.path(file).to_string_lossy().into_owned()
    }

    /// The path below the folder that was given, or the name of a file that was given: the part of
    /// a file's identity that does not depend on where the program runs.
    pub fn relative(&self, file: u32) -> Cow<'_, str> {
        match self.entry(file) {
            Some((root, entry)) if entry.relative.as_os_str().is_empty() => {
                root.file_name().unwrap_or(root.as_os_str()).to_string_lossy()
            }
            Some((_, entry)) => entry.relative.to_string_lossy(),
            None => Cow::Borrowed(""),
        }
    }

    /// [`FileTable::relative`] in 128 bits.
    pub fn relative_hash(&self, file: u32) -> u128 {
        xxhash_rust::xxh3::xxh3_128(self.relative(file).as_bytes())
    }

    /// The other part of its identity; `None` until the file is opened.
    pub fn identity(&self, file: u32) -> Option<Identity> {
        self.entry(file)?.1.identity
    }

    /// Hours since the epoch of a blob's path. It is the hour of arrival, not that of the events.
    pub fn blob_hour(&self, file: u32) -> Option<i64> {
        self.entry(file)?.1.hour
    }

    /// The lower-cased category that an `insights-logs-…` folder in the path names.
    pub fn category(&self, file: u32) -> Option<String> {
        let path = self.path(file);
        path.iter().find_map(|part| {
            let part = part.to_str()?.to_ascii_lowercase();
            part.strip_prefix("insights-logs-").map(str::to_owned)
        })
    }

    pub(super) fn add(&mut self, root: u32, relative: PathBuf, size: u64) {
        let whole = match self.roots.get(root as usize) {
            Some(root) => root.join(&relative),
            None => relative.clone(),
        };
        let (hour, relative) = (blob_hour(&whole), relative.into_boxed_path());
        self.entries.push(Entry { root, relative, size, hour, identity: None });
    }

    /// Plain files first, then blobs by hour; each in order of their paths.
    pub(super) fn sort(&mut self) {
        self.entries
            .sort_by(|a, b| (a.hour, a.root, &a.relative).cmp(&(b.hour, b.root, &b.relative)));
    }
}

/// The number of an inbox's segment, by its name.
pub(super) fn segment_number(relative: &Path) -> Option<u64> {
    let name = relative.file_name()?.to_str()?;
    name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other_by_number_and_other_files_stand_alone() {
        let mut files = FileTable { roots: vec![PathBuf::from("guard")], ..FileTable::default() };
        for name in ["inbox/10", "inbox/9", "other/3", "inbox/11"] {
            files.add(0, PathBuf::from(format!("{name}.{EXTENSION}")), 1);
        }
        files.add(0, PathBuf::from("a.jsonl"), 1);
        let (mut first, follows) = files.chained(0..5);
        first.sort_unstable();
        assert_eq!(first, [1, 2, 4]);
        assert_eq!(follows, HashMap::from([(1, 0), (0, 3)]));
    }
}
