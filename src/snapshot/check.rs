//! Verifying a whole snapshot: nothing missing, nothing strange, every checksum right, every model
//! a model, the counts as told.
use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::most_bytes;
use super::names::Entry;
use super::{Archive, Manifest, SnapshotError, names, pool, write};
use crate::store::memory::MemoryStore;
use crate::store::schema::{account, run};
use crate::store::{display_ring, keys};

/// Bytes that one line of SHA256SUMS may have: a digest and the longest name of a zip.
const SUM_LINE_BYTES_MAX: u64 = 66 + 65_536 + 1;

/// Entries that a thread checks before it says what it found.
const TOGETHER: usize = 32;

/// What was found to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the snapshot says of itself.
    pub manifest: Manifest,
    /// Bytes of the file.
    pub bytes: u64,
    /// Entries, the list of checksums included.
    pub entries: u64,
}

/// Checks the snapshot at `path` whole.
///
/// # Errors
/// The first thing that is wrong with it, by entry.
pub fn verify(path: &Path) -> Result<Verified, SnapshotError> {
    verify_open(&mut Archive::open(path)?)
}

/// The same for one that is open: what is read of it afterwards is what was verified.
pub(super) fn verify_open(archive: &mut Archive) -> Result<Verified, SnapshotError> {
    if archive.is_tangled() {
        let cause = "two entries share a name or bytes";
        return Err(SnapshotError::damaged(archive.path(), "central directory", cause));
    }
    if !archive.ends_with_the_zip() {
        let cause = "bytes follow its end";
        return Err(SnapshotError::damaged(archive.path(), "central directory", cause));
    }
    let sums = sums(archive)?;
    let mut accounts = 0;
    pool::ordered::<_, _, SnapshotError>(
        pool::threads(),
        |give| {
            let _ = sums.chunks(TOGETHER).enumerate().all(give);
            Ok(())
        },
        |(number, sums)| {
            let mut archive = archive.clone();
            let each = (number * TOGETHER..).zip(sums);
            each.map(|(index, sum)| Ok(u64::from(check(&mut archive, index, sum)?))).sum()
        },
        |checked: Result<u64, SnapshotError>| {
            accounts += checked?;
            Ok(())
        },
    )?;
    let alerts = alerts(archive, &sums)?;
    let told = archive.manifest().clone();
    counted(archive, "accounts", told.accounts, accounts)?;
    counted(archive, "alerts", told.alerts, alerts)?;
    run_state(archive)?;
    Ok(Verified { manifest: told, bytes: archive.bytes(), entries: archive.entries() as u64 })
}

fn counted(
    archive: &Archive,
    what: &'static str,
    told: u64,
    found: u64,
) -> Result<(), SnapshotError> {
    if told == found {
        return Ok(());
    }
    Err(SnapshotError::Counts { path: archive.path().to_owned(), what, told, found })
}

/// The digests of all entries but the last, in the order of the file.
fn sums(archive: &mut Archive) -> Result<Vec<String>, SnapshotError> {
    let last = archive.entries().saturating_sub(1);
    let path = archive.path().to_owned();
    if archive.name(last).as_deref() != Some(names::SUMS) {
        return Err(SnapshotError::Missing { path, entry: names::SUMS.to_owned() });
    }
    let bytes = archive.read(last, SUM_LINE_BYTES_MAX * last as u64)?;
    let text = String::from_utf8(bytes).map_err(|e| archive.damaged(last, e))?;
    let pairs = text.lines().map(|line| line.split_once("  "));
    let pairs: Option<Vec<(&str, &str)>> = pairs.collect();
    let pairs = pairs.ok_or_else(|| archive.damaged(last, "a line is not a digest and a name"))?;
    let present: Vec<String> = (0..last).filter_map(|index| archive.name(index)).collect();
    if !pairs.iter().map(|(_, name)| *name).eq(present.iter().map(String::as_str)) {
        return Err(unlike(archive, last, &pairs, &present));
    }
    match present.iter().find(|name| names::parse(name).is_none()) {
        Some(stranger) => Err(SnapshotError::Extra { path, entry: stranger.clone() }),
        None if !present.iter().any(|name| name == names::ALERTS) => {
            Err(SnapshotError::Missing { path, entry: names::ALERTS.to_owned() })
        }
        None => Ok(pairs.iter().map(|(sum, _)| (*sum).to_owned()).collect()),
    }
}

/// What is in the list and not in the file, or the other way round.
fn unlike(
    archive: &Archive,
    last: usize,
    pairs: &[(&str, &str)],
    present: &[String],
) -> SnapshotError {
    let path = archive.path().to_owned();
    let listed: BTreeSet<&str> = pairs.iter().map(|(_, name)| *name).collect();
    let there: BTreeSet<&str> = present.iter().map(String::as_str).collect();
    if let Some(entry) = listed.difference(&there).next() {
        return SnapshotError::Missing { path, entry: (*entry).to_owned() };
    }
    if let Some(entry) = there.difference(&listed).next() {
        return SnapshotError::Extra { path, entry: (*entry).to_owned() };
    }
    archive.damaged(last, "its order is not that of the entries")
}

/// Checks one entry; true if it is an account.
fn check(archive: &mut Archive, index: usize, sum: &str) -> Result<bool, SnapshotError> {
    let Some(entry) = archive.entry(index) else { return Ok(false) };
    if matches!(entry, Entry::Alerts | Entry::Sums) {
        return Ok(false);
    }
    let bytes = archive.read(index, most_bytes(&entry))?;
    if write::hex(&Sha256::digest(&bytes)) != sum {
        return Err(archive.damaged(index, "its checksum does not match"));
    }
    match &entry {
        Entry::Account(key) => {
            let model = account::open(&bytes).map_err(|e| archive.damaged(index, e))?;
            if keys::account(model.id()) != *key {
                let cause = format!("it holds the model of `{}`", model.id());
                return Err(archive.damaged(index, cause));
            }
            return Ok(true);
        }
        Entry::Rings(_) => {
            for (key, value) in archive.framed(index, &entry, &bytes)? {
                let day = key.last_chunk().map_or(0, |day| i64::from_be_bytes(*day));
                if display_ring::read(day, &value).is_empty() {
                    return Err(archive.damaged(index, "a day of it holds no hours"));
                }
            }
        }
        Entry::Run => {
            archive.framed(index, &entry, &bytes)?;
        }
        Entry::Manifest | Entry::Alerts | Entry::Sums => {}
    }
    Ok(false)
}

/// Checks the alert lines and counts them.
fn alerts(archive: &mut Archive, sums: &[String]) -> Result<u64, SnapshotError> {
    let path = archive.path().to_owned();
    let wanted = (0..sums.len()).find(|index| archive.entry(*index) == Some(Entry::Alerts));
    let (mut sha, mut count) = (Sha256::new(), 0);
    archive.each_alert(&mut |line| {
        count += 1;
        sha.update(line);
        sha.update(b"\n");
        let object = line.first() == Some(&b'{');
        match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
            Ok(_) if object => Ok(()),
            _ => Err(SnapshotError::damaged(&path, names::ALERTS, "a line is not JSON")),
        }
    })?;
    let told = wanted.and_then(|index| sums.get(index));
    if told.is_none_or(|told| write::hex(&sha.finalize()) != *told) {
        return Err(SnapshotError::damaged(&path, names::ALERTS, "its checksum does not match"));
    }
    Ok(count)
}

/// What is not of accounts must be such that a run can start from it.
fn run_state(archive: &mut Archive) -> Result<(), SnapshotError> {
    let store = MemoryStore::default();
    archive.load_run(&store)?;
    match run::load(&store, 0) {
        Ok(_) => Ok(()),
        Err(e) => Err(SnapshotError::damaged(archive.path(), "run", e)),
    }
}
