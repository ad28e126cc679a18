//! One sink's durable queue: a log of what was put in, taken and set aside, in a file of its own.
//! A message that was put in and synced is there until it was delivered, or set aside and dropped.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::notice::Notice;

/// Messages that wait; more are set aside at once. A position takes some 200 bytes of memory.
pub const WAITING_MAX: usize = 100_000;
/// Messages that stay set aside; the oldest ones beyond are dropped, and counted.
pub const DEAD_MAX: usize = 10_000;
/// Keys of delivered messages that are known, so that a line planned twice is sent once.
const RECENT_MAX: usize = 4096;
/// The log is written anew when it is larger than this and more than half of it is past.
const COMPACT_BYTES_MIN: u64 = 1 << 20;
/// Longest line of the log.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The log's name in the sink's folder.
pub const FILE: &str = "queue.jsonl";

/// One line of the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    /// A message was put in.
    Put(u64, Box<Notice>),
    /// Messages were delivered.
    Done(Vec<u64>),
    /// Messages were set aside.
    Dead(Vec<u64>, String),
    /// Messages that were set aside wait again.
    Again(Vec<u64>),
    /// Counts so far, at the head of a log that was written anew.
    Counts(Counts),
}

/// What was counted over the queue's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages delivered.
    pub delivered: u64,
    /// Messages that were set aside and dropped for want of room.
    pub dropped: u64,
    /// Lines of the log that could not be read.
    pub damaged: u64,
    /// Number of the next message.
    next: u64,
}

/// Where a message lies, and how it stands.
#[derive(Clone, Debug)]
struct Position {
    offset: u64,
    length: u64,
    at: i64,
    due: i64,
    tries: u32,
    group: String,
    key: String,
}

/// The queue.
pub struct Queue {
    path: PathBuf,
    file: File,
    length: u64,
    live_bytes: u64,
    waiting: BTreeMap<u64, Position>,
    dead: BTreeMap<u64, (Position, String)>,
    keys: BTreeSet<String>,
    recent: VecDeque<String>,
    counts: Counts,
}

/// A message that was taken: its number, how often it failed, itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its number in this queue.
    pub number: u64,
    /// Failures so far in this run.
    pub tries: u32,
    /// The message.
    pub notice: Notice,
}

impl Queue {
    /// Opens the queue in `folder`, which is made if it is not there. A torn last line is cut off;
    /// others that cannot be read are counted and passed over.
    ///
    /// # Errors
    /// The file system refused.
    pub fn open(folder: &Path) -> io::Result<Queue> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut queue = Queue {
            path,
            file: file.try_clone()?,
            length: 0,
            live_bytes: 0,
            waiting: BTreeMap::new(),
            dead: BTreeMap::new(),
            keys: BTreeSet::new(),
            recent: VecDeque::new(),
            counts: Counts::default(),
        };
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? as u64;
            if read == 0 || (!line.ends_with(b"\n") && read < LINE_BYTES_MAX) {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(entry) => queue.replay(entry, read),
                Err(_) => queue.counts.damaged += 1,
            }
            queue.length += read;
        }
        drop(reader);
        queue.file.set_len(queue.length)?;
        Ok(queue)
    }

    fn replay(&mut self, entry: Entry, bytes: u64) {
        match entry {
            Entry::Put(number, notice) => self.note_put(number, &notice, self.length, bytes),
            Entry::Done(numbers) => numbers.into_iter().for_each(|n| self.note_done(n)),
            Entry::Dead(numbers, why) => {
                numbers.into_iter().for_each(|n| self.note_dead(n, &why));
            }
            Entry::Again(numbers) => numbers.into_iter().for_each(|n| self.note_again(n)),
            Entry::Counts(counts) => {
                let damaged = self.counts.damaged + counts.damaged;
                self.counts = Counts { damaged, ..counts };
            }
        }
    }

    fn note_put(&mut self, number: u64, notice: &Notice, offset: u64, length: u64) {
        let position = Position {
            offset,
            length,
            at: notice.at,
            due: notice.due,
            tries: 0,
            group: notice.group.clone(),
            key: notice.key.clone(),
        };
        self.keys.insert(position.key.clone());
        self.waiting.insert(number, position);
        self.live_bytes += length;
        self.counts.next = self.counts.next.max(number.saturating_add(1));
    }
    fn note_done(&mut self, number: u64) {
        if let Some(position) = self.waiting.remove(&number) {
            self.counts.delivered += 1;
            self.live_bytes = self.live_bytes.saturating_sub(position.length);
            self.recent.push_back(position.key);
            if self.recent.len() > RECENT_MAX
                && let Some(oldest) = self.recent.pop_front()
            {
                self.keys.remove(&oldest);
            }
        }
    }
    fn note_dead(&mut self, number: u64, why: &str) {
        if let Some(position) = self.waiting.remove(&number) {
            self.dead.insert(number, (position, why.to_owned()));
        }
        if self.dead.len() > DEAD_MAX
            && let Some((_, (position, _))) = self.dead.pop_first()
        {
            self.keys.remove(&position.key);
            self.live_bytes = self.live_bytes.saturating_sub(position.length);
            self.counts.dropped += 1;
        }
    }
    fn note_again(&mut self, number: u64) {
        if let Some((position, _)) = self.dead.remove(&number) {
            self.waiting.insert(number, Position { tries: 0, ..position });
        }
    }

    fn append(&mut self, entry: &Entry) -> io::Result<u64> {
        let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
        line.push(b'\n');
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(io::Error::other("a message is larger than a queue takes"));
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(&line) {
            // What was half written is not there.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(line.len() as u64)
    }

    /// Puts a message in; one whose key waits, is set aside or was delivered lately is not put in
    /// again. Durable after [`Queue::sync`]. Says whether it was put in.
    ///
    /// # Errors
    /// The file system refused; nothing was put in.
    pub fn put(&mut self, notice: &Notice) -> io::Result<bool> {
        if self.keys.contains(&notice.key) {
            return Ok(false);
        }
        let (number, offset) = (self.counts.next, self.length);
        let bytes = self.append(&Entry::Put(number, Box::new(notice.clone())))?;
        self.note_put(number, notice, offset, bytes);
        if self.waiting.len() > WAITING_MAX {
            self.dead(&[number], "too many messages wait")?;
        }
        Ok(true)
    }

    /// Makes what was put in durable.
    ///
    /// # Errors
    /// The file system refused.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// When the next message is due, wall clock.
    pub fn next_due(&self) -> Option<i64> {
        self.waiting.values().map(|position| position.due).min()
    }

    /// Messages to send now, at most `most`: the one that is due first, and with it those of its
    /// group, or, if `any`, whatever else is due. `hurry`: what never failed is due, whatever it
    /// waits for.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn take(
        &mut self,
        now: i64,
        most: usize,
        any: bool,
        hurry: bool,
    ) -> io::Result<Vec<Taken>> {
        let due = |p: &Position| p.due <= now || (hurry && p.tries == 0);
        let ready = self.waiting.iter().filter(|(_, p)| due(p));
        let Some((first, head)) = ready.min_by_key(|(number, p)| (p.due, **number)) else {
            return Ok(Vec::new());
        };
        let mut numbers = vec![*first];
        let joins = |p: &Position| {
            (any && due(p)) || (!any && !head.group.is_empty() && p.group == head.group)
        };
        numbers
            .extend(self.waiting.iter().filter(|(n, p)| *n != first && joins(p)).map(|(n, _)| n));
        numbers.truncate(most.max(1));
        numbers.sort_unstable();
        let mut taken = Vec::with_capacity(numbers.len());
        let mut unreadable = Vec::new();
        for number in numbers {
            let Some(position) = self.waiting.get(&number) else { continue };
            let (tries, offset, length) = (position.tries, position.offset, position.length);
            match self.read(offset, length)? {
                Some(notice) => taken.push(Taken { number, tries, notice }),
                None => unreadable.push(number),
            }
        }
        if !unreadable.is_empty() {
            self.dead(&unreadable, "the queue's file is damaged here")?;
        }
        Ok(taken)
    }

    fn read(&mut self, offset: u64, length: u64) -> io::Result<Option<Notice>> {
        let mut line = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut line)?;
        Ok(match serde_json::from_slice(&line) {
            Ok(Entry::Put(_, notice)) => Some(*notice),
            _ => None,
        })
    }

    /// They were delivered.
    ///
    /// # Errors
    /// The file system refused; they will be sent once more after a restart.
    pub fn done(&mut self, numbers: &[u64]) -> io::Result<()> {
        let written = self.append(&Entry::Done(numbers.to_vec()));
        numbers.iter().for_each(|n| self.note_done(*n));
        written?;
        self.compact()
    }

    /// It failed and is due again at `due`.
    pub fn failed(&mut self, number: u64, due: i64) {
        if let Some(position) = self.waiting.get_mut(&number) {
            position.tries = position.tries.saturating_add(1);
            position.due = due;
        }
    }

    /// They are set aside.
    ///
    /// # Errors
    /// The file system refused; they wait again after a restart.
    pub fn dead(&mut self, numbers: &[u64], why: &str) -> io::Result<()> {
        let written = self.append(&Entry::Dead(numbers.to_vec(), why.to_owned()));
        numbers.iter().for_each(|n| self.note_dead(*n, why));
        written?;
        self.sync()
    }

    /// All that were set aside wait again. Says how many.
    ///
    /// # Errors
    /// The file system refused.
    pub fn again(&mut self) -> io::Result<usize> {
        let numbers: Vec<u64> = self.dead.keys().copied().collect();
        if numbers.is_empty() {
            return Ok(0);
        }
        self.append(&Entry::Again(numbers.clone()))?;
        numbers.iter().for_each(|n| self.note_again(*n));
        self.sync()?;
        Ok(numbers.len())
    }

    /// Writes the log anew without what is past, when that is worth it.
    fn compact(&mut self) -> io::Result<()> {
        if self.length < COMPACT_BYTES_MIN || self.live_bytes * 2 > self.length {
            return Ok(());
        }
        let temporary = self.path.with_extension("new");
        let mut out = File::create(&temporary)?;
        let mut head = vec![Entry::Counts(self.counts)];
        let mut write = |entry: &Entry| -> io::Result<()> {
            let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
            line.push(b'\n');
            out.write_all(&line)
        };
        head.drain(..).try_for_each(|entry| write(&entry))?;
        let waiting = self.waiting.iter().map(|(n, p)| (*n, p.offset, p.length, None));
        let dead = self.dead.iter().map(|(n, (p, w))| (*n, p.offset, p.length, Some(w.clone())));
        let mut all: Vec<_> = waiting.chain(dead).collect();
        all.sort_unstable_by_key(|(number, ..)| *number);
        for (number, offset, length, why) in all {
            let Some(notice) = self.read(offset, length)? else { continue };
            write(&Entry::Put(number, Box::new(notice)))?;
            if let Some(why) = why {
                write(&Entry::Dead(vec![number], why))?;
            }
        }
        out.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        File::open(&folder)?.sync_all()?;
        self.reopen(&folder)
    }

    /// Reads the log that took this one's place; what is known of failures stays.
    fn reopen(&mut self, folder: &Path) -> io::Result<()> {
        let mut fresh = Queue::open(folder)?;
        for (number, position) in &mut fresh.waiting {
            if let Some(known) = self.waiting.get(number) {
                (position.tries, position.due) = (known.tries, known.due);
            }
        }
        fresh.keys.extend(self.recent.iter().cloned());
        fresh.recent = std::mem::take(&mut self.recent);
        *self = fresh;
        Ok(())
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
    /// When the oldest of these was put in.
    pub fn oldest(&self) -> Option<i64> {
        self.waiting.values().map(|position| position.at).min()
    }
    /// Messages that are set aside.
    pub fn dead_letters(&self) -> usize {
        self.dead.len()
    }
    /// Why the newest of these was.
    pub fn last_dead(&self) -> Option<&str> {
        self.dead.values().next_back().map(|(_, why)| why.as_str())
    }
    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
