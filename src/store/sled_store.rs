//! The store on disk: sled 0.34, one tree. The only file that knows sled.
//!
//! Every batch carries the [`Census`] with it. The engine's panics are answered as errors; after
//! one the store is of no use and is to be opened again.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::census::{Census, Group, Tally};
use super::envelope::EnvelopeError;
use super::known::Known;
use super::mark::Mark;
use super::{StateStore, StoreError, Visit, WriteBatch, keys, lock, quiet};

/// Page cache, bytes as the engine counts them: 64 for each of its 256 shards. Pages of models mostly
/// lie in files of their own, of which it counts the pointer, some 32 bytes: two stay in a shard.
/// Any other page is longer than a share, and the last one of each stays. Working sets are models
/// of awake accounts, which live in the actors; the cache only serves what is near each other.
const CACHE_BYTES: u64 = 256 * 64;
/// A shard looks whether it is full at every 64th access, whatever was read meanwhile. One access
/// more for each so many bytes makes it look at every 128 KiB, about a page of models.
const BYTES_PER_ACCESS: usize = 2 << 10;

/// A sled database in a directory.
pub struct SledStore {
    /// `None` only while it is dropped.
    db: Option<sled::Db>,
    dir: PathBuf,
    place: String,
    books: Mutex<Books>,
    /// The census as it was found at open.
    found: Found,
}

/// What is kept up with every batch.
#[derive(Debug)]
struct Books {
    census: Census,
    known: Known,
}

/// A batch as the engine takes it, and what is so once it has.
struct Counted {
    inner: sled::Batch,
    census: Census,
    entries: Vec<(Vec<u8>, Option<Tally>)>,
}

/// The census that a database was opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There was one.
    Census(Box<Census>),
    /// There was none, and nothing else.
    Nothing,
    /// There was none: written before there was a census, or lost.
    NoCensus,
    /// It does not open.
    Damaged(EnvelopeError),
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SledStore({})", self.place)
    }
}

impl SledStore {
    /// Opens or creates the database in `dir`.
    ///
    /// # Errors
    /// The directory cannot be used, is held by another process, or is damaged (sled panics on
    /// some damage; the panic is caught and reported).
    pub fn open(dir: &Path) -> Result<SledStore, StoreError> {
        lock::patiently(|| SledStore::try_open(dir))
    }

    fn try_open(dir: &Path) -> Result<SledStore, StoreError> {
        let place = dir.display().to_string();
        let config = sled::Config::default()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace);
        let opened = quiet::caught(|| {
            let db = config.open()?;
            let found = found(&db)?;
            Ok((db, found))
        });
        let (db, found) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(e)) => return Err(failed(&place, "opened", e)),
            Err(panic) => {
                return Err(StoreError::DamagedFiles {
                    place,
                    cause: format!("the engine stopped: {panic}"),
                });
            }
        };
        let census = match &found {
            Found::Census(census) => **census,
            _ => Census::default(),
        };
        let known = if found == Found::Nothing { Known::empty() } else { Known::default() };
        let books = Mutex::new(Books { census, known });
        let store = SledStore { db: Some(db), dir: dir.to_owned(), place, books, found };
        if matches!(store.found, Found::NoCensus | Found::Damaged(_)) {
            store.lock().census = store.count()?;
        }
        Ok(store)
    }

    /// What it should hold now.
    pub fn census(&self) -> Census {
        self.lock().census
    }

    /// The census that it was opened with.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes what is there for what should be there: after a repair.
    ///
    /// # Errors
    /// The engine failed.
    pub fn recount(&self) -> Result<(), StoreError> {
        let mut counted = self.count()?;
        let mut books = self.lock();
        counted.writes = books.census.writes + 1;
        self.apply(sled::Batch::default(), &counted)?;
        // What was written may not be what is there.
        *books = Books { census: counted, known: Known::default() };
        Ok(())
    }

    fn count(&self) -> Result<Census, StoreError> {
        let mut counted = Census::default();
        self.scan(b"", &mut |key, value| {
            counted.add(key, value);
            true
        })?;
        Ok(counted)
    }

    /// Counts the bytes of a value towards the cache's bound.
    fn account_for(&self, key: &[u8], bytes: usize) -> Result<(), StoreError> {
        for _ in 0..bytes / BYTES_PER_ACCESS {
            self.ask("read", |db| db.contains_key(key))?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // They are changed after their batch was written, by what does not panic.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the engine, whose panics become errors.
    fn ask<T>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&sled::Db) -> Result<T, sled::Error>,
    ) -> Result<T, StoreError> {
        let cause = |cause: String| StoreError::Engine { place: self.place.clone(), action, cause };
        let Some(db) = &self.db else { return Err(cause("it is closed".to_owned())) };
        match quiet::caught(|| ask(db)) {
            Ok(answer) => answer.map_err(|e| failed(&self.place, action, e)),
            Err(panic) => Err(StoreError::DamagedFiles {
                place: self.place.clone(),
                cause: format!("the engine stopped: {panic}"),
            }),
        }
    }

    /// What the engine is to do, and what is so once it has.
    fn counted(&self, batch: WriteBatch, books: &Books) -> Result<Counted, StoreError> {
        let changes: BTreeMap<_, _> = batch.entries.into_iter().collect();
        let (mut census, mut inner) = (books.census, sled::Batch::default());
        let mut entries = Vec::with_capacity(changes.len());
        for (key, value) in changes.into_iter().filter(|(key, _)| key != keys::CENSUS) {
            let old = match books.known.find(&key) {
                Some(known) => known,
                None => self.ask("read", |db| db.get(&key))?.map(|old| Tally::of(&key, &old)),
            };
            if let Some(old) = old {
                census.strike(&key, &old);
            }
            let new = value.as_ref().map(|value| Tally::of(&key, value));
            if let Some(new) = &new {
                census.enter(&key, new);
            }
            match value {
                Some(value) => inner.insert(key.as_slice(), value),
                None => inner.remove(key.as_slice()),
            }
            entries.push((key, new));
        }
        census.writes += 1;
        Ok(Counted { inner, census, entries })
    }

    /// Takes over what a batch made so, or forgets what is known where it may not have.
    fn settle(
        books: &mut Books,
        census: Census,
        entries: Vec<(Vec<u8>, Option<Tally>)>,
        written: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if written.is_err() {
            books.known = Known::default();
            return written;
        }
        books.census = census;
        entries.into_iter().for_each(|(key, entry)| books.known.note(key, entry));
        Ok(())
    }

    /// Writes and flushes a batch without its census, which the next [`StateStore::write`] brings: for
    /// filling a store that nobody opens before that. One more page a batch makes the
    /// files a third larger.
    ///
    /// # Errors
    /// The engine failed.
    pub fn fill(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut books = self.lock();
        let Counted { inner, census, entries } = self.counted(batch, &books)?;
        let written = self.ask("written", |db| db.apply_batch(inner).and_then(|()| db.flush()));
        SledStore::settle(&mut books, census, entries, written.map(drop))
    }

    fn apply(&self, mut batch: sled::Batch, census: &Census) -> Result<(), StoreError> {
        let sealed = census.seal().map_err(|cause| StoreError::Damaged {
            key: String::from_utf8_lossy(keys::CENSUS).into_owned(),
            cause,
        })?;
        batch.insert(keys::CENSUS, sealed);
        self.ask("written", |db| db.apply_batch(batch))
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing flushes, and may panic where the files are damaged; that was or will be told.
        let _ = quiet::caught(|| drop(db));
    }
}

fn found(db: &sled::Db) -> Result<Found, sled::Error> {
    Ok(match db.get(keys::CENSUS)? {
        Some(sealed) => match Census::open(&sealed) {
            Ok(census) => Found::Census(Box::new(census)),
            Err(cause) => Found::Damaged(cause),
        },
        None if db.is_empty() => Found::Nothing,
        None => Found::NoCensus,
    })
}

fn failed(place: &str, action: &'static str, error: sled::Error) -> StoreError {
    let place = place.to_owned();
    match &error {
        sled::Error::Io(e) if lock_is_held(e) => StoreError::InUse { place },
        sled::Error::Io(e) if is_full(e) => StoreError::NoRoom { place, cause: full_words(e) },
        sled::Error::Io(e) if e.raw_os_error().is_some() => {
            StoreError::Engine { place, action, cause: e.to_string() }
        }
        // The rest is the engine's own judgement of what it read: lengths, checksums, settings.
        sled::Error::Corruption { .. } => StoreError::DamagedFiles {
            place,
            cause: "the database's files do not fit together, or a checksum in them does not match"
                .to_owned(),
        },
        sled::Error::Io(_) | sled::Error::ReportableBug(_) | sled::Error::Unsupported(_) => {
            StoreError::DamagedFiles { place, cause: error.to_string().chars().take(160).collect() }
        }
        _ => StoreError::Engine { place, action, cause: error.to_string() },
    }
}

/// A database directory that no other process may open while this is kept.
#[derive(Debug)]
pub struct Held {
    _lock: Option<std::fs::File>,
}

/// Holds the database in `dir`, damaged or not, so that it can be moved; one that is not there is
/// held as well.
///
/// # Errors
/// Another process has it open, or the file system refused.
pub fn hold(dir: &Path) -> Result<Held, StoreError> {
    lock::patiently(|| try_hold(dir))
}

fn try_hold(dir: &Path) -> Result<Held, StoreError> {
    let place = dir.display().to_string();
    let engine = |cause: std::io::Error| StoreError::Engine {
        place: place.clone(),
        action: "opened",
        cause: cause.to_string(),
    };
    // The engine's own lock lies on this file.
    let file = match std::fs::OpenOptions::new().read(true).write(true).open(dir.join("db")) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Held { _lock: None }),
        Err(e) => return Err(engine(e)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Held { _lock: Some(file) }),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse { place }),
        Err(std::fs::TryLockError::Error(e)) => Err(engine(e)),
    }
}

/// sled wraps a held lock as an I/O error of kind `Other` whose text says so.
fn lock_is_held(e: &std::io::Error) -> bool {
    e.kind() == std::io::ErrorKind::WouldBlock || e.to_string().contains("could not acquire lock")
}

/// sled hands some errors on in the words of its debugger.
fn full_words(e: &std::io::Error) -> String {
    let known = ["File too large", "No space left on device", "Disk quota exceeded"];
    let text = e.to_string();
    known.into_iter().find(|words| text.contains(words)).map_or(text.clone(), str::to_lowercase)
}

/// The disk, the quota or the limit on a file's size leaves no room.
fn is_full(e: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    // sled hands some errors on as text only.
    matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded)
        || ["File too large", "No space left", "quota exceeded"]
            .iter()
            .any(|words| e.to_string().contains(words))
}

impl StateStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.ask("read", |db| db.get(key))?.map(|v| v.to_vec()))
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut books = self.lock();
        let Counted { inner, census, entries } = self.counted(batch, &books)?;
        let written = self.apply(inner, &census);
        SledStore::settle(&mut books, census, entries, written)
    }
    fn scan(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        let mut entries = db.scan_prefix(prefix);
        while let Some((key, value)) = self.ask("read", |_| entries.next().transpose())? {
            if key != keys::CENSUS && !visit(&key, &value) {
                break;
            }
            self.account_for(&key, value.len())?;
        }
        Ok(())
    }
    fn entries(&self, group: Group) -> Option<u64> {
        Some(self.lock().census.group(group).entries)
    }
    fn flush(&self) -> Result<(), StoreError> {
        let census = self.census();
        self.ask("flushed", |db| db.flush())?;
        // Only now: what the mark promises is on the disk.
        Mark::of(&census).write(&self.dir).map_err(|e| failed(&self.place, "flushed", e.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    fn twin(store: &dyn StateStore) {
        let mut batch = WriteBatch::default();
        batch.put(b"a/2".to_vec(), b"two".to_vec());
        batch.put(b"a/1".to_vec(), b"one".to_vec());
        batch.put(b"b/1".to_vec(), b"other".to_vec());
        batch.put(b"a/3".to_vec(), b"gone".to_vec());
        batch.delete(b"a/3".to_vec());
        store.write(batch).unwrap();
        store.flush().unwrap();
        let mut seen = Vec::new();
        store
            .scan(b"a/", &mut |k, v| {
                seen.push((k.to_vec(), v.to_vec()));
                true
            })
            .unwrap();
        assert_eq!(seen, [(b"a/1".to_vec(), b"one".to_vec()), (b"a/2".to_vec(), b"two".to_vec())]);
        assert_eq!(store.get(b"a/3").unwrap(), None);
        let mut visits = 0;
        store
            .scan(b"", &mut |_, _| {
                visits += 1;
                false
            })
            .unwrap();
        assert_eq!(visits, 1);
    }

    #[test]
    fn memory_and_sled_behave_alike() {
        let dir = tempfile::tempdir().unwrap();
        twin(&MemoryStore::default());
        twin(&SledStore::open(dir.path()).unwrap());
    }

    #[test]
    fn what_was_flushed_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        {
            let store = SledStore::open(dir.path()).unwrap();
            let mut batch = WriteBatch::default();
            batch.put(b"k".to_vec(), b"v".to_vec());
            store.write(batch).unwrap();
            store.flush().unwrap();
        }
        assert_eq!(SledStore::open(dir.path()).unwrap().get(b"k").unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn a_second_opener_is_told_that_the_directory_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let _held = SledStore::open(dir.path()).unwrap();
        let second = SledStore::open(dir.path());
        assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
        assert!(matches!(hold(dir.path()), Err(StoreError::InUse { .. })));
    }

    #[test]
    fn what_is_held_is_not_opened_by_others() {
        let dir = tempfile::tempdir().unwrap();
        drop(SledStore::open(dir.path()).unwrap());
        let held = hold(dir.path()).unwrap();
        assert!(matches!(SledStore::open(dir.path()), Err(StoreError::InUse { .. })));
        drop(held);
        SledStore::open(dir.path()).unwrap();
        hold(&dir.path().join("nothing")).unwrap();
    }

    #[test]
    fn the_census_is_right_after_any_writes_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let expected = {
            let store = SledStore::open(dir.path()).unwrap();
            assert_eq!(store.found(), &Found::Nothing);
            for n in 0..200_u32 {
                let mut batch = WriteBatch::default();
                let key = |n: u32| format!("a/{}", n % 17).into_bytes();
                batch.put(key(n), b"overwritten in the same batch".to_vec());
                batch.put(key(n), vec![1; n as usize]);
                batch.delete(key(n + 5));
                batch.put(keys::CENSUS.to_vec(), b"nonsense".to_vec());
                store.write(batch).unwrap();
            }
            store.flush().unwrap();
            assert!(store.census().same_entries(&store.count().unwrap()));
            store.census()
        };
        assert_eq!(expected.writes, 200);
        let store = SledStore::open(dir.path()).unwrap();
        assert_eq!(store.found(), &Found::Census(Box::new(expected)));
        assert_eq!(Mark::read(dir.path()), Some(Mark::of(&expected)));
        store.recount().unwrap();
        assert_eq!(store.census().writes, 201);
    }
}
