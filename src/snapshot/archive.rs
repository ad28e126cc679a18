//! Reading a snapshot: the manifest at once, the rest as it is asked for. All sizes are bounded
//! before memory is given to them, so a hostile file costs time at most.
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::names::Entry;
use super::window::Window;
use super::{Manifest, SnapshotError, frames, names, pool, write};
use crate::ids::AccountId;
use crate::store::envelope::HEADER_BYTES;
use crate::store::schema::account::CHECKPOINT_BYTES_MAX;
use crate::store::schema::run;
use crate::store::{StateStore, WriteBatch, keys};

/// Longest manifest, bytes.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// The record that ends a zip without a comment.
const LAST_RECORD_BYTES: u64 = 22;
/// Longest model.
const ACCOUNT_BYTES_MAX: u64 = (CHECKPOINT_BYTES_MAX + HEADER_BYTES) as u64;
/// Longest rings of an account: a thousand times the ordinary.
const RINGS_BYTES_MAX: u64 = 16 << 20;
/// Longest entry of the run's state: one part may pass the mark at which an entry is closed.
const RUN_BYTES_MAX: u64 = (run::PART_BYTES_MAX + (16 << 20)) as u64;
/// Longest alert line.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// Bytes written to a store in one batch.
const BATCH_BYTES: usize = 4 << 20;

/// A snapshot that is open for reading. What is read of it passed the zip's own checksum; the whole
/// is checked by [`super::verify`].
#[derive(Clone)]
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<Window>,
    manifest: Manifest,
    bytes: u64,
    /// It ends with the zip's last record, which in our files has no comment.
    ends: bool,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({})", self.path.display())
    }
}

impl Archive {
    /// Opens the file and reads its manifest.
    ///
    /// # Errors
    /// The file cannot be read, is no regular file or none of ours, is cut off, or is of a newer program.
    pub fn open(path: &Path) -> Result<Archive, SnapshotError> {
        // A pipe would be waited for.
        let kind = std::fs::metadata(path).map_err(SnapshotError::io(path, "read"))?;
        if !kind.is_file() {
            return Err(SnapshotError::NotAFile(path.to_owned()));
        }
        let mut window =
            File::open(path).and_then(Window::new).map_err(SnapshotError::io(path, "read"))?;
        let mut magic = Vec::new();
        (&mut window).take(4).read_to_end(&mut magic).map_err(SnapshotError::io(path, "read"))?;
        if magic != *b"PK\x03\x04" {
            return Err(SnapshotError::NotASnapshot(path.to_owned()));
        }
        let bytes = window.len();
        let mut last = Vec::new();
        window
            .seek(SeekFrom::Start(bytes.saturating_sub(LAST_RECORD_BYTES)))
            .and_then(|_| (&mut window).take(4).read_to_end(&mut last))
            .map_err(SnapshotError::io(path, "read"))?;
        let ends = last == *b"PK\x05\x06";
        let zip = ZipArchive::new(window).map_err(|e| match e {
            zip::result::ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
                SnapshotError::io(path, "read")(e)
            }
            _ => SnapshotError::CutOff(path.to_owned()),
        })?;
        let path = path.to_owned();
        let mut archive = Archive { path, zip, manifest: Manifest::default(), bytes, ends };
        if archive.name(0).as_deref() != Some(names::MANIFEST) {
            return Err(SnapshotError::NotASnapshot(archive.path));
        }
        let manifest = archive.read(0, MANIFEST_BYTES_MAX)?;
        archive.manifest = Manifest::read(&archive.path, &manifest)?;
        Ok(archive)
    }

    /// A quick look at whether it is complete: all that it counts is there. Nothing is read but the
    /// names; [`super::verify`] reads everything.
    ///
    /// # Errors
    /// Accounts or the ends of the file are missing.
    pub fn glance(&mut self) -> Result<(), SnapshotError> {
        for name in [names::ALERTS, names::SUMS] {
            if self.zip.index_for_name(name).is_none() {
                let path = self.path.clone();
                return Err(SnapshotError::Missing { path, entry: name.to_owned() });
            }
        }
        let accounts = (0..self.entries())
            .filter(|index| matches!(self.entry(*index), Some(Entry::Account(_))));
        let (what, told, found) = ("accounts", self.manifest.accounts, accounts.count() as u64);
        if told == found {
            return Ok(());
        }
        Err(SnapshotError::Counts { path: self.path.clone(), what, told, found })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
    /// Nothing follows the zip's end.
    pub(super) fn ends_with_the_zip(&self) -> bool {
        self.ends
    }
    /// Entries of the file.
    pub(super) fn entries(&self) -> usize {
        self.zip.len()
    }
    /// Two entries have one name, or share bytes.
    pub(super) fn is_tangled(&mut self) -> bool {
        self.zip.has_duplicate_names() || self.zip.has_overlapping_entries().unwrap_or(true)
    }

    /// The name of entry `index`.
    pub(super) fn name(&self, index: usize) -> Option<String> {
        self.zip.name_for_index(index)?.ok().map(|name| name.into_owned())
    }
    /// What entry `index` holds; `None` for what no snapshot has.
    pub(super) fn entry(&self, index: usize) -> Option<Entry> {
        names::parse(&self.name(index)?)
    }

    /// The accounts inside, ascending.
    pub fn accounts(&self) -> Vec<AccountId> {
        let ids = (0..self.entries()).filter_map(|index| match self.entry(index)? {
            Entry::Account(key) => account_of(&key),
            _ => None,
        });
        let mut ids: Vec<AccountId> = ids.collect();
        ids.sort();
        ids
    }

    /// The sealed model of an account, if it is there; nothing else is read.
    ///
    /// # Errors
    /// The entry is damaged or cannot be read.
    pub fn account(&mut self, id: &AccountId) -> Result<Option<Vec<u8>>, SnapshotError> {
        self.find(names::account(&keys::account(id)), ACCOUNT_BYTES_MAX)
    }

    /// The rings of an account: store keys and values.
    ///
    /// # Errors
    /// The entry is damaged or cannot be read.
    pub fn rings(&mut self, id: &AccountId) -> Result<Values, SnapshotError> {
        let prefix = keys::rings(id);
        let start = prefix.split(|b| *b == 0).next().unwrap_or_default();
        let Some(name) = names::rings(start) else { return Ok(Vec::new()) };
        let bytes = self.find(Some(name.clone()), RINGS_BYTES_MAX)?.unwrap_or_default();
        let mut rings = Vec::new();
        for frame in frames::read(&bytes) {
            let (key, value) = frame.map_err(|e| SnapshotError::damaged(&self.path, &name, e))?;
            if key.starts_with(&prefix) && key.len() == prefix.len() + 8 {
                rings.push((key.to_vec(), value.to_vec()));
            }
        }
        Ok(rings)
    }

    fn find(&mut self, name: Option<String>, most: u64) -> Result<Option<Vec<u8>>, SnapshotError> {
        match name.and_then(|name| self.zip.index_for_name(&name)) {
            Some(index) => self.read(index, most).map(Some),
            None => Ok(None),
        }
    }

    /// Visits the sealed models in the order of the file, until `visit` returns false.
    ///
    /// # Errors
    /// An entry is damaged or cannot be read.
    pub fn each_account(
        &mut self,
        visit: &mut dyn FnMut(AccountId, Vec<u8>) -> bool,
    ) -> Result<(), SnapshotError> {
        for index in 0..self.entries() {
            let Some(Entry::Account(key)) = self.entry(index) else { continue };
            let Some(id) = account_of(&key) else { continue };
            if !visit(id, self.read(index, ACCOUNT_BYTES_MAX)?) {
                break;
            }
        }
        Ok(())
    }

    /// Puts everything that is not of an account and no alert into `into`.
    ///
    /// # Errors
    /// An entry is damaged or cannot be read; the store failed.
    pub fn load_run(&mut self, into: &dyn StateStore) -> Result<(), SnapshotError> {
        let mut load = Load::new(into);
        for index in 0..self.entries() {
            if self.entry(index) == Some(Entry::Run) {
                load.put(self.values(index)?)?;
            }
        }
        load.write()
    }

    /// Puts everything into `into`, which should be empty; `observer` hears how many accounts were
    /// asked for. To be called after [`super::verify`].
    ///
    /// # Errors
    /// An entry is damaged or cannot be read; the store failed.
    pub fn load_all(
        &mut self,
        into: &dyn StateStore,
        observer: &mut dyn FnMut(u64),
    ) -> Result<(), SnapshotError> {
        let mut load = Load::new(into);
        pool::ordered(
            pool::threads(),
            |give| {
                self.give_all(give, observer);
                Ok(())
            },
            |index| self.clone().values(index),
            |values| load.put(values?),
        )?;
        let mut number = 0;
        let mut lines = |line: &[u8]| {
            let value = [line, b"\n"].concat();
            number += 1;
            load.put(vec![(keys::alert(number - 1), value)])
        };
        self.each_alert(&mut lines)?;
        load.write()
    }

    fn give_all(&self, give: pool::Give<'_, usize>, observer: &mut dyn FnMut(u64)) {
        let mut done = 0;
        for index in 0..self.entries() {
            if matches!(self.entry(index), Some(Entry::Account(_))) {
                done += 1;
                observer(done);
            }
            if !give(index) {
                return;
            }
        }
    }

    /// Visits the alert lines, without their line ends.
    ///
    /// # Errors
    /// The entry is damaged or cannot be read, or what `visit` says.
    pub fn each_alert(
        &mut self,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let Some(index) = self.zip.index_for_name(names::ALERTS) else { return Ok(()) };
        let path = self.path.clone();
        let failed =
            |cause: &dyn std::fmt::Display| SnapshotError::damaged(&path, names::ALERTS, cause);
        let mut lines = BufReader::new(self.zip.by_index(index).map_err(|e| failed(&e))?);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut lines).take(LINE_BYTES_MAX);
            bounded.read_until(b'\n', &mut line).map_err(|e| failed(&e))?;
            match line.pop() {
                None => return Ok(()),
                Some(b'\n') => visit(&line)?,
                Some(_) => return Err(failed(&"a line is cut off or too long")),
            }
        }
    }

    /// The store entries that entry `index` holds; none for alerts and what is about the file.
    pub(super) fn values(&mut self, index: usize) -> Result<Values, SnapshotError> {
        let Some(entry) = self.entry(index) else { return Ok(Vec::new()) };
        let most = most_bytes(&entry);
        match &entry {
            Entry::Account(key) => Ok(vec![(key.clone(), self.read(index, most)?)]),
            Entry::Run | Entry::Rings(_) => {
                let bytes = self.read(index, most)?;
                self.framed(index, &entry, &bytes)
            }
            Entry::Manifest | Entry::Alerts | Entry::Sums => Ok(Vec::new()),
        }
    }

    /// The store entries framed in `bytes`; each must belong where it stands.
    pub(super) fn framed(
        &self,
        index: usize,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<Values, SnapshotError> {
        let mut values = Vec::new();
        for frame in frames::read(bytes) {
            let (key, value) = frame.map_err(|e| self.damaged(index, e))?;
            let belongs = match entry {
                Entry::Rings(start) => {
                    key.strip_prefix(start.as_slice()).is_some_and(|k| k.first() == Some(&0))
                }
                _ => !b"ahlw".contains(&key[0]) && !write::is_of_a_directory(key),
            };
            if !belongs {
                return Err(self.damaged(index, "a key in it belongs elsewhere"));
            }
            values.push((key.to_vec(), value.to_vec()));
        }
        Ok(values)
    }

    /// The bytes of entry `index`, of which there must be `most` at most.
    pub(super) fn read(&mut self, index: usize, most: u64) -> Result<Vec<u8>, SnapshotError> {
        let name = self.name(index).unwrap_or_default();
        let path = self.path.clone();
        let failed = |cause: &dyn std::fmt::Display| SnapshotError::damaged(&path, &name, cause);
        let mut file: ZipFile<'_, Window> = self.zip.by_index(index).map_err(|e| failed(&e))?;
        let too_long = || failed(&format!("it is longer than the {most} bytes allowed"));
        if file.size() > most {
            return Err(too_long());
        }
        // What an entry says of its size is believed up to a model's; beyond it memory follows bytes.
        let mut bytes = Vec::with_capacity(file.size().min(1 << 16) as usize);
        (&mut file).take(most + 1).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        if bytes.len() as u64 > most { Err(too_long()) } else { Ok(bytes) }
    }

    pub(super) fn damaged(&self, index: usize, cause: impl std::fmt::Display) -> SnapshotError {
        SnapshotError::damaged(&self.path, &self.name(index).unwrap_or_default(), cause)
    }
}

/// Keys and values of a store.
pub type Values = Vec<(Vec<u8>, Vec<u8>)>;

/// Most bytes of an entry that is read whole.
pub(super) fn most_bytes(entry: &Entry) -> u64 {
    match entry {
        Entry::Manifest => MANIFEST_BYTES_MAX,
        Entry::Run => RUN_BYTES_MAX,
        Entry::Account(_) => ACCOUNT_BYTES_MAX,
        Entry::Rings(_) => RINGS_BYTES_MAX,
        Entry::Alerts | Entry::Sums => 0,
    }
}

fn account_of(key: &[u8]) -> Option<AccountId> {
    let id = std::str::from_utf8(key.strip_prefix(keys::ACCOUNT)?).ok()?;
    Some(AccountId::parse(id))
}

/// Puts values into a store, some megabytes at a time.
struct Load<'a> {
    into: &'a dyn StateStore,
    batch: WriteBatch,
    bytes: usize,
}

impl<'a> Load<'a> {
    fn new(into: &'a dyn StateStore) -> Load<'a> {
        Load { into, batch: WriteBatch::default(), bytes: 0 }
    }
    fn put(&mut self, values: Values) -> Result<(), SnapshotError> {
        for (key, value) in values {
            self.bytes += key.len() + value.len();
            self.batch.put(key, value);
            if self.bytes >= BATCH_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }
    fn write(&mut self) -> Result<(), SnapshotError> {
        self.bytes = 0;
        Ok(self.into.write(std::mem::take(&mut self.batch))?)
    }
}
