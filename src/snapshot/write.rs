//! Writing a snapshot: the store is read once, entries are summed up on several threads and written
//! in the order of the store's keys. Models and the run's parts are packed in their envelopes, so
//! their entries are stored as they are; alert lines and checksums are packed by the zip.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::write::{PreparedZipFile, SimpleFileOptions};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::manifest::{EventTime, Manifest};
use super::paper::Paper;
use super::{About, SnapshotError, files, frames, names, pool};
use crate::store::census::Group;
use crate::store::schema::run;
use crate::store::{StateStore, StoreError, envelope, keys};
use crate::time::Timestamp;

/// zstd's fastest level.
const LEVEL: i64 = 1;
/// An entry of the run's state is closed when it is this long, so that none has to fit into memory.
const RUN_BYTES: usize = 8 << 20;
/// Longest kind of a key that names an entry.
const KIND_BYTES_MAX: usize = 32;
/// Bytes of entries that are handed on together: a few models. Threads that wake each other for each
/// entry take longer over that than over the entry.
const BUNDLE_BYTES: usize = 128 << 10;

/// Writes what `store` holds at a checkpoint to `out`, which appears whole or not at all and
/// replaces a file of that name. `observer` hears how many accounts were read.
///
/// # Errors
/// The store failed or holds keys that name no account; the file system refused.
pub fn create(
    store: &dyn StateStore,
    out: &Path,
    about: &About,
    observer: &mut dyn FnMut(u64),
) -> Result<Manifest, SnapshotError> {
    let contents = Contents { store, staged: staged(store)? };
    let manifest = Manifest::new(about, event_time(store)?, contents.accounts()?, alerts(store)?);
    let written = files::beside(out)?;
    let mut sheet = Sheet::new(out, written.as_file());
    let first = serde_json::to_vec_pretty(&manifest)
        .map_err(|e| SnapshotError::damaged(out, names::MANIFEST, e))?;
    sheet.add(pack(Plain { name: names::MANIFEST.to_owned(), bytes: first }))?;
    pool::ordered(
        pool::threads(),
        |give| bundled(give, |give| contents.give(give, observer)),
        |bundle: Vec<Plain>| bundle.into_iter().map(pack).collect::<Vec<_>>(),
        |bundle| bundle.into_iter().try_for_each(|packed| sheet.add(packed)),
    )?;
    sheet.alerts(store)?;
    sheet.finish()?;
    files::publish(written, out)?;
    Ok(manifest)
}

/// SHA-256 in hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn alerts(store: &dyn StateStore) -> Result<u64, StoreError> {
    if let Some(known) = store.entries(Group::Alerts) {
        return Ok(known);
    }
    let mut count = 0;
    store.scan(keys::ALERT, &mut |_, _| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn event_time(store: &dyn StateStore) -> Result<EventTime, StoreError> {
    let mut first = None;
    store.scan(keys::PRIORS, &mut |key, _| {
        first = key[keys::PRIORS.len()..].try_into().map(i64::from_be_bytes).ok();
        false
    })?;
    let clock = run::clock(store)?;
    let text = |at: Timestamp| (at > Timestamp::MIN).then(|| at.to_string());
    Ok(EventTime {
        first_midnight: first.map(|day| Timestamp::of_day(day).to_string()),
        watermark: clock.and_then(|(_, watermark)| text(watermark)),
        newest: clock.and_then(|(newest, _)| text(newest)),
    })
}

/// Keys of staged states that belong to the last checkpoint; those of a run that died are not
/// among them. Ordinarily there are none.
fn staged(store: &dyn StateStore) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut staged = Vec::new();
    if store.get(&keys::staged_good())?.is_some() {
        store.scan(keys::STAGED, &mut |key, _| {
            staged.push(key[keys::STAGED.len()..].to_vec());
            true
        })?;
    }
    Ok(staged)
}

/// An entry before it is packed.
struct Plain {
    name: String,
    bytes: Vec<u8>,
}

/// An entry ready to be written, with the digest of what is in it.
struct Packed {
    file: zip::result::ZipResult<PreparedZipFile>,
    name: String,
    sum: String,
}

/// Hands on what `produce` gives, several at a time.
fn bundled(
    give: pool::Give<'_, Vec<Plain>>,
    produce: impl FnOnce(pool::Give<'_, Plain>) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let (mut bundle, mut bytes) = (Vec::new(), 0);
    produce(&mut |plain: Plain| {
        bytes += plain.bytes.len();
        bundle.push(plain);
        if bytes < BUNDLE_BYTES {
            return true;
        }
        bytes = 0;
        give(std::mem::take(&mut bundle))
    })?;
    give(bundle);
    Ok(())
}

fn pack(plain: Plain) -> Packed {
    let Plain { name, bytes } = plain;
    let sum = hex(&Sha256::digest(&bytes));
    Packed { file: PreparedZipFile::from_data(&name, stored(), &bytes), name, sum }
}

/// As it is.
fn stored() -> SimpleFileOptions {
    options().compression_method(CompressionMethod::Stored).compression_level(None)
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Zstd)
        .compression_level(Some(LEVEL))
        // The same state is the same file, whenever it is written.
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
}

/// What goes into the file.
struct Contents<'a> {
    store: &'a dyn StateStore,
    /// Ids whose newest state is a staged one, ascending.
    staged: Vec<Vec<u8>>,
}

impl Contents<'_> {
    /// How many accounts there are.
    fn accounts(&self) -> Result<u64, StoreError> {
        let mut any_staged = false;
        self.store.scan(keys::STAGED, &mut |_, _| {
            any_staged = true;
            false
        })?;
        if let Some(known) = self.store.entries(Group::Accounts).filter(|_| !any_staged) {
            return Ok(known);
        }
        let mut settled = 0;
        self.store.scan(keys::ACCOUNT, &mut |key, _| {
            settled += u64::from(!self.is_staged(key));
            true
        })?;
        Ok(settled + self.staged.len() as u64)
    }

    fn is_staged(&self, key: &[u8]) -> bool {
        let id = &key[keys::ACCOUNT.len()..];
        !self.staged.is_empty() && self.staged.binary_search_by(|s| s.as_slice().cmp(id)).is_ok()
    }

    fn give(
        &self,
        give: pool::Give<'_, Plain>,
        observer: &mut dyn FnMut(u64),
    ) -> Result<(), SnapshotError> {
        // Keys begin with a letter of their kind; these four have entries of their own.
        for letter in (0..=u8::MAX).filter(|b| !b"ahlw".contains(b)) {
            self.give_run(&[letter], give)?;
        }
        let mut done = 0;
        let mut counted = |plain: Plain| {
            done += 1;
            observer(done);
            give(plain)
        };
        self.give_accounts(keys::ACCOUNT, &mut counted)?;
        if !self.staged.is_empty() {
            self.give_accounts(keys::STAGED, &mut counted)?;
        }
        self.give_rings(give)
    }

    /// The run's state: keys by kind, several in an entry.
    fn give_run(&self, letter: &[u8], give: pool::Give<'_, Plain>) -> Result<(), SnapshotError> {
        let mut parts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let (mut kind, mut bytes) = (Vec::new(), Vec::new());
        let mut part = |kind: &[u8], bytes: &mut Vec<u8>| {
            let bytes = std::mem::take(bytes);
            if bytes.is_empty() {
                return true;
            }
            let number = parts.entry(kind.to_vec()).or_default();
            *number += 1;
            give(Plain { name: names::run(kind, *number), bytes })
        };
        let mut more = true;
        self.store.scan(letter, &mut |key, value| {
            if is_of_a_directory(key) {
                return true;
            }
            let its = kind_of(key);
            if kind != its || bytes.len() >= RUN_BYTES {
                more = part(&kind, &mut bytes);
                kind = its.to_vec();
            }
            frames::push(&mut bytes, key, value);
            more
        })?;
        part(&kind, &mut bytes);
        Ok(())
    }

    fn give_accounts(
        &self,
        prefix: &[u8],
        give: pool::Give<'_, Plain>,
    ) -> Result<(), SnapshotError> {
        let mut stranger = None;
        self.store.scan(prefix, &mut |key, value| {
            if prefix == keys::ACCOUNT && self.is_staged(key) {
                return true;
            }
            let key = [keys::ACCOUNT, &key[prefix.len()..]].concat();
            match names::account(&key) {
                Some(name) => give(Plain { name, bytes: value.to_vec() }),
                None => {
                    stranger = Some(key);
                    false
                }
            }
        })?;
        stranger.map_or(Ok(()), |key| Err(nameless(&key)))
    }

    /// The rings of each account, one entry.
    fn give_rings(&self, give: pool::Give<'_, Plain>) -> Result<(), SnapshotError> {
        let mut stranger = None;
        let (mut start, mut bytes) = (Vec::new(), Vec::new());
        let mut finish = |start: &[u8], bytes: &mut Vec<u8>| {
            let bytes = std::mem::take(bytes);
            match names::rings(start) {
                _ if bytes.is_empty() => true,
                Some(name) => give(Plain { name, bytes }),
                None => {
                    stranger = Some(start.to_vec());
                    false
                }
            }
        };
        self.store.scan(keys::RING, &mut |key, value| {
            // Up to the first NUL, so that one account's keys stand together whatever its name is.
            let end = key.iter().position(|b| *b == 0).unwrap_or(key.len());
            if start != key[..end] {
                if !finish(&start, &mut bytes) {
                    return false;
                }
                start = key[..end].to_vec();
            }
            frames::push(&mut bytes, key, value);
            true
        })?;
        finish(&start, &mut bytes);
        stranger.map_or(Ok(()), |key| Err(nameless(&key)))
    }
}

/// What a key begins with, up to the first `/`: names the entry that it goes into.
fn kind_of(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|b| *b == b'/').unwrap_or(key.len());
    &key[..end.min(KIND_BYTES_MAX)]
}

/// Keys that say something of a directory and not of what was learnt.
pub(super) fn is_of_a_directory(key: &[u8]) -> bool {
    key.starts_with(keys::DELIVERED) || key == keys::staged_good()
}

fn nameless(key: &[u8]) -> SnapshotError {
    let key = String::from_utf8_lossy(key).into_owned();
    let cause = envelope::EnvelopeError::Payload("the key names no account".to_owned());
    StoreError::Damaged { key, cause }.into()
}

/// The file under construction.
struct Sheet<'a> {
    zip: ZipWriter<Paper<'a>>,
    sums: String,
    out: &'a Path,
}

impl<'a> Sheet<'a> {
    fn new(out: &'a Path, file: &'a File) -> Sheet<'a> {
        Sheet { zip: ZipWriter::new(Paper::new(file)), sums: String::new(), out }
    }

    fn failed(&self, cause: zip::result::ZipError) -> SnapshotError {
        SnapshotError::io(self.out, "written")(cause.into())
    }

    fn add(&mut self, packed: Packed) -> Result<(), SnapshotError> {
        let added = packed.file.and_then(|file| self.zip.add_prepared_file(file));
        added.map_err(|e| self.failed(e))?;
        self.note(&packed.name, &packed.sum);
        Ok(())
    }

    fn note(&mut self, name: &str, sum: &str) {
        // As `sha256sum --check` reads it.
        let _ = writeln!(self.sums, "{sum}  {name}");
    }

    fn alerts(&mut self, store: &dyn StateStore) -> Result<(), SnapshotError> {
        self.start(names::ALERTS)?;
        let mut sha = Sha256::new();
        let mut failed = None;
        store.scan(keys::ALERT, &mut |key, line| {
            let whole = line
                .split_last()
                .is_some_and(|(end, line)| *end == b'\n' && !line.contains(&b'\n'));
            sha.update(line);
            let written = if whole { self.zip.write_all(line) } else { Err(torn(key)) };
            failed = written.err();
            failed.is_none()
        })?;
        failed.map_or(Ok(()), |e| Err(SnapshotError::io(self.out, "written")(e)))?;
        self.note(names::ALERTS, &hex(&sha.finalize()));
        Ok(())
    }

    fn start(&mut self, name: &str) -> Result<(), SnapshotError> {
        // Their length is not known before, and may pass 4 GiB.
        let started = self.zip.start_file(name, options().large_file(true));
        started.map_err(|e| self.failed(e))
    }

    fn finish(mut self) -> Result<(), SnapshotError> {
        self.start(names::SUMS)?;
        let sums = std::mem::take(&mut self.sums);
        self.zip.write_all(sums.as_bytes()).map_err(SnapshotError::io(self.out, "written"))?;
        let out = self.out;
        let mut file =
            self.zip.finish().map_err(|e| SnapshotError::io(out, "written")(e.into()))?;
        file.flush().map_err(SnapshotError::io(out, "written"))
    }
}

fn torn(key: &[u8]) -> std::io::Error {
    let number = key[keys::ALERT.len()..].try_into().map_or(0, u64::from_be_bytes);
    std::io::Error::other(format!("alert line {number} of the store is not one line"))
}
