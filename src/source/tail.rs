//! Folders and an inbox that are read while others write to them.
//!
//! A *round* reads what is there now and was not read before, of all of them together and in the
//! order in which a replay reads files: by time, a blob layout by the hour. So a backlog is
//! taken in the order in which it happened, whichever source it lies in, and a service that was
//! away reads what a replay would. Between rounds nothing is open; of a file it is remembered where
//! its reading stopped and in which state the splitter was, so that half a record waits for its
//! other half, and an envelope `{"records":[…` may be open for an hour.
//!
//! A file is told from another one under the same name by the file system's number and by its first
//! bytes. A log that is renamed is read to its end under its new name; one that was cut is read
//! anew; packed files are read once nobody has written to them for some seconds.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use self::listing::Seen;
use super::files::{Entry, FileTable, Identity, segment_number};
use super::growing::{Growing, Place, Start};
use super::inbox::Mark;
use super::merge::Merge;
use super::order::{Opener, descriptors};
use super::ordered::{Ordered, by_hour};
use super::paths::blob_hour;
use super::{Chunk, Options, SourceError};
use crate::time::{HOUR_MS, Timestamp};

mod listing;

/// Nobody writes to a file that was not changed for so long, milliseconds.
const AT_REST_MS: i64 = 5_000;
/// The index of a file that was not read for so long is given to others, milliseconds.
const INDEX_KEPT_MS: i64 = 2 * HOUR_MS;

/// Something to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// A folder, or one file.
    pub path: PathBuf,
    /// It is the folder of an [`super::inbox::Inbox`]: what is durable of it is read.
    pub inbox: bool,
}

/// What earlier runs knew of files.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// First bytes and their hash, by [`FileTable::relative_hash`].
    pub heads: HashMap<u128, (u32, u128)>,
    /// First offset that is not applied, by first bytes and their hash.
    pub applied: HashMap<(u32, u128), u64>,
}

/// A file of which records are about to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its index in chunks from now on; another file may have had it before.
    pub index: u32,
    /// Which of the watched it belongs to.
    pub watched: u32,
    /// Its path for people.
    pub name: String,
    /// [`FileTable::relative_hash`].
    pub path: u128,
    /// Who it is.
    pub identity: Identity,
}

/// One of the watched, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Files there.
    pub files: u64,
    /// Bytes read, as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes there that are not read yet.
    pub bytes_behind: u64,
}

#[derive(Debug, Default)]
struct Tracked {
    index: Option<u32>,
    /// It was noted with this index.
    noted: bool,
    seen_size: u64,
    modified: Timestamp,
    number: u64,
    /// How many bytes may be read now: of a segment, what is durable.
    limit: u64,
    read_to: u64,
    /// When it had been changed last, when it was read.
    read_modified: Timestamp,
    /// First bytes and their hash, as it was noted last.
    head: Option<(u32, u128)>,
    place: Place,
    hour: Option<i64>,
    last_read: Timestamp,
}

impl Tracked {
    /// It has other bytes than were read; of a file written anew the size may be the same.
    fn has_news(&self) -> bool {
        self.limit != self.read_to || (self.modified != self.read_modified && self.limit > 0)
    }
}

type Key = (u32, PathBuf);

/// Reads on and on. See the module's head.
pub struct Tail {
    watched: Vec<Watched>,
    opener: Opener,
    known_heads: HashMap<u128, (u32, u128)>,
    files: BTreeMap<Key, Tracked>,
    /// Whose each index is.
    owners: Vec<Option<Key>>,
    free: Vec<u32>,
    round: Option<Ordered>,
    now: Timestamp,
    options: Options,
    status: Vec<Status>,
    warnings: Vec<(u32, String)>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Tail {
    /// Of `watched`; nothing is read yet.
    pub fn new(watched: Vec<Watched>, known: Known, options: Options) -> Tail {
        let roots = watched.iter().map(|w| w.path.clone()).collect();
        let mut opener = Opener::new(FileTable { roots, entries: Vec::new() });
        opener.growing = Some(Growing { applied: known.applied, ..Growing::default() });
        Tail {
            status: vec![Status::default(); watched.len()],
            watched,
            opener,
            known_heads: known.heads,
            files: BTreeMap::new(),
            owners: Vec::new(),
            free: Vec::new(),
            round: None,
            now: Timestamp::MIN,
            options,
            warnings: Vec::new(),
        }
    }

    /// Looks what is there at `now` (wall clock) and plans a round over what is new; false if
    /// nothing is. `synced`: what is durable of the inbox.
    pub fn look(&mut self, now: Timestamp, synced: Mark) -> bool {
        self.now = now;
        let followed: HashSet<u64> = self.files.values().map(|file| file.number).collect();
        let mut seen: Vec<(Key, Seen)> = Vec::new();
        for (watched, root) in self.watched.iter().enumerate() {
            let watched = watched as u32;
            let mut warn = |warning| self.warnings.push((watched, warning));
            let found = listing::list(&root.path, &followed, &mut warn);
            seen.extend(found.into_iter().map(|s| ((watched, s.relative.clone()), s)));
        }
        self.adopt(seen);
        self.note_limits(synced);
        self.give_back_indices();
        self.count();
        self.plan()
    }

    /// Takes over what was seen: files that are gone go, renamed ones stay who they are.
    fn adopt(&mut self, seen: Vec<(Key, Seen)>) {
        let mut before = std::mem::take(&mut self.files);
        let mut moved: HashMap<u64, Tracked> = HashMap::new();
        let here: HashMap<&Key, u64> = seen.iter().map(|(key, s)| (key, s.number)).collect();
        let left: Vec<Key> = before
            .iter()
            .filter(|(key, file)| here.get(key).is_none_or(|number| *number != file.number))
            .map(|(key, _)| key.clone())
            .collect();
        let mut heads = HashMap::new();
        for key in left {
            let Some(mut file) = before.remove(&key) else { continue };
            heads.insert(key.clone(), file.head);
            // Numbers of deleted files are given to new ones at once. Of a log its first bytes tell
            // whether it is the one that was there; a segment is who its name says.
            let inbox = self.watched.get(key.0 as usize).is_some_and(|w| w.inbox);
            if file.head.is_some() && !inbox {
                moved.insert(file.number, file);
            } else if let Some(index) = file.index.take() {
                self.release(index);
            }
        }
        for (key, seen) in seen {
            let known = before.remove(&key).or_else(|| {
                let renamed = (seen.number != 0).then(|| moved.remove(&seen.number)).flatten();
                renamed.inspect(|file| self.rename(file.index, &key))
            });
            // Of another file under the name: if it begins like the one before, it is that one.
            let begins = || heads.get(&key).copied().flatten();
            let mut file =
                known.unwrap_or_else(|| Tracked { head: begins(), ..Tracked::default() });
            if seen.size < file.read_to {
                // Cut, or written anew: it is looked at from its begin.
                (file.place, file.noted, file.read_to) = (Place::Begin, false, 0);
            }
            if file.number != seen.number || file.hour.is_none() {
                file.hour = self
                    .watched
                    .get(key.0 as usize)
                    .and_then(|w| blob_hour(&w.path.join(&key.1)).filter(|_| !w.inbox));
            }
            (file.seen_size, file.modified, file.number) = (seen.size, seen.modified, seen.number);
            self.files.insert(key, file);
        }
        for index in moved.into_values().filter_map(|file| file.index) {
            self.release(index);
        }
    }

    fn rename(&mut self, index: Option<u32>, key: &Key) {
        let Some(index) = index.map(|i| i as usize) else { return };
        if let Some(entry) = self.opener.files.entries.get_mut(index) {
            (entry.root, entry.relative) = (key.0, key.1.clone().into_boxed_path());
        }
        if let Some(owner) = self.owners.get_mut(index) {
            *owner = Some(key.clone());
        }
    }

    fn release(&mut self, index: u32) {
        if let Some(owner) = self.owners.get_mut(index as usize) {
            *owner = None;
            self.free.push(index);
        }
    }

    fn note_limits(&mut self, synced: Mark) {
        for ((watched, relative), file) in &mut self.files {
            let inbox = self.watched.get(*watched as usize).is_some_and(|w| w.inbox);
            if inbox {
                // A segment only ever grows.
                file.read_modified = file.modified;
            }
            file.limit = match (inbox, segment_number(relative)) {
                (false, _) => file.seen_size,
                (true, Some(number)) if number < synced.segment => file.seen_size,
                (true, Some(number)) if number == synced.segment => {
                    synced.offset.min(file.seen_size)
                }
                // Not durable yet, or no segment.
                (true, _) => file.read_to,
            };
        }
    }

    fn give_back_indices(&mut self) {
        let mut idle = Vec::new();
        for file in self.files.values_mut() {
            if !file.has_news() && self.now.since(file.last_read) > INDEX_KEPT_MS {
                idle.extend(file.index.take());
            }
        }
        idle.into_iter().for_each(|index| self.release(index));
    }

    fn count(&mut self) {
        for status in &mut self.status {
            (status.files, status.bytes_behind) = (0, 0);
        }
        for ((watched, _), file) in &self.files {
            if let Some(status) = self.status.get_mut(*watched as usize) {
                status.files += 1;
                status.bytes_behind += file.limit.saturating_sub(file.read_to);
            }
        }
    }

    fn plan(&mut self) -> bool {
        let news: Vec<Key> = self
            .files
            .iter()
            .filter(|(_, file)| file.has_news())
            .map(|(key, _)| key.clone())
            .collect();
        if news.is_empty() {
            return false;
        }
        let (mut plain, mut blobs) = (Vec::new(), Vec::new());
        for key in news {
            let Some(index) = self.start(&key) else { continue };
            match self.opener.files.blob_hour(index) {
                Some(hour) => blobs.push((hour, key, index)),
                None => plain.push(index),
            }
        }
        blobs.sort();
        let hours = by_hour(&self.opener.files, blobs.into_iter().map(|(_, _, index)| index));
        let held = self.files.values().filter_map(|file| file.hour).max();
        let group = self.options.max_open_blobs.min(descriptors()).max(1);
        let open = self.options.max_open_merge.min(descriptors().saturating_sub(group));
        let has_plain = !plain.is_empty();
        let (plain, follows) = self.opener.files.chained(plain);
        self.opener.follows = follows;
        let first = self.first_times(plain);
        let merge = Merge::new(first, open);
        let round = Ordered::new(merge, has_plain, hours, group, self.options.chunk_records);
        self.round = Some(round.hold(held));
        true
    }

    /// New files are opened when their time has come, others at once: they go on with what is new.
    fn first_times(&self, plain: Vec<u32>) -> Vec<(Timestamp, u32)> {
        let begins = |index: u32| {
            let owner = self.owners.get(index as usize)?.as_ref()?;
            matches!(self.files.get(owner)?.place, Place::Begin).then_some(())?;
            self.opener.first_time(index)
        };
        let many = plain.len() > 1;
        let time = |index| if many { begins(index) } else { None };
        plain.into_iter().map(|index| (time(index).unwrap_or(Timestamp::MIN), index)).collect()
    }

    /// Gives a file an index and says where it goes on.
    fn start(&mut self, key: &Key) -> Option<u32> {
        let index = match self.files.get(key)?.index {
            Some(index) => index,
            None => self.index_for(key)?,
        };
        let path = self.opener.files.relative_hash(index);
        let file = self.files.get_mut(key)?;
        if file.index.is_none() {
            (file.index, file.noted) = (Some(index), false);
        }
        let first_time = file.last_read == Timestamp::default();
        let known =
            file.head.or_else(|| self.known_heads.get(&path).copied().filter(|_| first_time));
        let start = Start {
            place: std::mem::take(&mut file.place),
            known,
            limit: file.limit,
            at_rest: self.now.since(file.modified).abs() >= AT_REST_MS,
        };
        // Until it is read to the end of this round.
        file.place = start.place.clone();
        self.opener.growing.as_mut()?.starts.insert(index, start);
        Some(index)
    }

    fn index_for(&mut self, key: &Key) -> Option<u32> {
        let entry = Entry {
            root: key.0,
            relative: key.1.clone().into_boxed_path(),
            size: 0,
            hour: self.files.get(key)?.hour,
            identity: None,
        };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.owners.len()).ok()?;
                self.owners.push(None);
                index
            }
        };
        let at = index as usize;
        self.owners[at] = Some(key.clone());
        match self.opener.files.entries.get_mut(at) {
            Some(place) => *place = entry,
            None => self.opener.files.entries.push(entry),
        }
        Some(index)
    }

    /// The next records of the round; `None` when it is over.
    ///
    /// # Errors
    /// Only when temporary files for merging cannot be written or read.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        while let Some(round) = &mut self.round {
            let mut chunk = Chunk::default();
            if round.read(&mut self.opener, &mut chunk)? {
                self.round = None;
                self.end_round();
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    fn end_round(&mut self) {
        let Some(growing) = &mut self.opener.growing else { return };
        growing.starts.clear();
        for stopped in std::mem::take(&mut growing.stopped) {
            let Some(Some(key)) = self.owners.get(stopped.file as usize) else { continue };
            let Some(file) = self.files.get_mut(key) else { continue };
            (file.place, file.last_read) = (stopped.place, self.now);
            if let Some(trouble) = stopped.trouble {
                let name = self.opener.files.display(stopped.file);
                self.warnings.push((key.0, format!("{name}: {trouble}")));
                continue;
            }
            if let Some(status) = self.status.get_mut(key.0 as usize) {
                status.bytes_read += file.limit.saturating_sub(file.read_to);
            }
            (file.read_to, file.read_modified) = (file.limit, file.modified);
        }
        for warning in std::mem::take(&mut self.opener.warnings).kept {
            let named = |w: &Watched| warning.starts_with(&*w.path.to_string_lossy());
            let watched = self.watched.iter().position(named).unwrap_or_default() as u32;
            self.warnings.push((watched, warning));
        }
        self.count();
    }

    /// Files of `chunk` that were not named with their index yet, or are known by more bytes now.
    pub fn notes(&mut self, chunk: &Chunk) -> Vec<Note> {
        let records = chunk.records.iter().map(|r| r.file);
        let mut indices: Vec<u32> = records.chain(chunk.refused.iter().map(|r| r.file)).collect();
        indices.sort_unstable();
        indices.dedup();
        let mut notes = Vec::new();
        for index in indices {
            let Some(Some(key)) = self.owners.get(index as usize) else { continue };
            let files = &self.opener.files;
            let (Some(file), Some(identity)) = (self.files.get_mut(key), files.identity(index))
            else {
                continue;
            };
            let head = (identity.head_len, identity.head);
            if file.noted && file.head == Some(head) {
                continue;
            }
            (file.noted, file.head) = (true, Some(head));
            let (name, path) = (files.display(index), files.relative_hash(index));
            notes.push(Note { index, watched: key.0, name, path, identity });
        }
        notes
    }

    /// What went wrong since the last time, and with which of the watched.
    pub fn take_warnings(&mut self) -> Vec<(u32, String)> {
        std::mem::take(&mut self.warnings)
    }

    /// The watched in numbers, in their order.
    pub fn status(&self) -> &[Status] {
        &self.status
    }
}

#[cfg(test)]
mod tests;
