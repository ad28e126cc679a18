//! Is a folder of evidence what was written? It needs nothing but the folder.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::EvidenceError;
use super::contents::{ALERT, CONFIG, FEEDS, RAW, README, RECORDS, REPLAY, VERSIONS};
use super::folder::MANIFEST;
use crate::snapshot::hex;

/// Longest list of checksums: a dozen lines of a hundred bytes, and room.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// What every folder of evidence holds.
const ALWAYS: [&str; 7] = [ALERT, RECORDS, FEEDS, CONFIG, VERSIONS, REPLAY, README];
/// Longest line of the records.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that are what the list says.
    pub files: usize,
    /// Raw records that have the SHA-256 that was noted with the alert.
    pub raw_records: usize,
    /// SHA-256 of the list itself.
    pub manifest_sha256: String,
    /// What is wrong, each naming its file. None: the folder is whole.
    pub faults: Vec<String>,
}

/// Looks at the folder `out`.
///
/// # Errors
/// It is no folder of evidence, or cannot be read.
pub fn verify(out: &Path) -> Result<Verified, EvidenceError> {
    let mut verified = Verified::default();
    let listed = listed(out, &mut verified)?;
    let present = present(out, &mut verified.faults)?;
    for name in ALWAYS.iter().filter(|name| !listed.contains_key(**name)) {
        verified
            .faults
            .push(format!("{name}: {MANIFEST} does not name it, and no evidence is without"));
    }
    for name in present.iter().filter(|name| !listed.contains_key(*name)) {
        verified.faults.push(format!("{name}: it is not in {MANIFEST}"));
    }
    for (name, told) in &listed {
        if !present.contains(name) {
            verified.faults.push(format!("{name}: it is missing"));
            continue;
        }
        let path = out.join(name);
        let found = File::open(&path).and_then(|mut file| sum(&mut file));
        if found.map_err(EvidenceError::io(&path, "read"))? == *told {
            verified.files += 1;
        } else {
            verified.faults.push(format!("{name}: it was changed"));
        }
    }
    if present.contains(RAW) && present.contains(RECORDS) {
        raw_records(out, &mut verified)?;
    }
    Ok(verified)
}

/// The list: name and checksum.
fn listed(out: &Path, verified: &mut Verified) -> Result<BTreeMap<String, String>, EvidenceError> {
    let path = out.join(MANIFEST);
    let mut text = Vec::new();
    // A pipe would be waited for, for ever; a link may lead to another list tomorrow.
    if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(EvidenceError::NotEvidence(out.to_owned()));
    }
    match File::open(&path).and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(EvidenceError::NotEvidence(out.to_owned()));
        }
        Err(e) => return Err(EvidenceError::io(&path, "read")(e)),
    }
    verified.manifest_sha256 = hex(&Sha256::digest(&text));
    let mut listed = BTreeMap::new();
    for (number, line) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
        match line.split_once("  ").filter(|(sum, name)| is_sum(sum) && is_name(name)) {
            Some((sum, name)) if !listed.contains_key(name) => {
                listed.insert(name.to_owned(), sum.to_owned());
            }
            _ => verified
                .faults
                .push(format!("{MANIFEST}: line {number} is not the checksum of one more file")),
        }
    }
    Ok(listed)
}

fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file of the folder itself.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name != MANIFEST && !name.starts_with('.') && !name.contains(['/', '\\'])
}

/// Files in the folder, besides the list.
fn present(out: &Path, faults: &mut Vec<String>) -> Result<BTreeSet<String>, EvidenceError> {
    let mut present = BTreeSet::new();
    let entries = std::fs::read_dir(out).map_err(EvidenceError::io(out, "read"))?;
    for entry in entries {
        let entry = entry.map_err(EvidenceError::io(out, "read"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link could lead to a file that says something else tomorrow.
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            faults.push(format!("{name}: it is no plain file"));
        } else if name != MANIFEST {
            present.insert(name);
        }
    }
    Ok(present)
}

fn sum(from: &mut dyn Read) -> io::Result<String> {
    let (mut sha, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hex(&sha.finalize())),
            read => sha.update(&buffer[..read]),
        }
    }
}

/// What of a line of the records is needed here.
#[derive(Deserialize)]
struct Line {
    n: u64,
    source: Option<String>,
    offset: u64,
    sha256: Option<String>,
    raw: Option<Raw>,
}

#[derive(Deserialize)]
struct Raw {
    offset: Option<u64>,
    length: Option<u64>,
}

/// Hashes each raw record by itself: the list of checksums can be made anew by anybody, the hashes
/// were taken when the alert was stored.
fn raw_records(out: &Path, verified: &mut Verified) -> Result<(), EvidenceError> {
    let (records, raw) = (out.join(RECORDS), out.join(RAW));
    let mut lines =
        BufReader::new(File::open(&records).map_err(EvidenceError::io(&records, "read"))?);
    let mut raw_file = File::open(&raw).map_err(EvidenceError::io(&raw, "read"))?;
    let mut end = 0;
    loop {
        let mut line = Vec::new();
        let read = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.map_err(EvidenceError::io(&records, "read"))? == 0 {
            break;
        }
        let Ok(line) = serde_json::from_slice::<Line>(&line) else {
            verified.faults.push(format!("{RECORDS}: a line is not a record"));
            continue;
        };
        let place = line.raw.as_ref().and_then(|raw| raw.offset.zip(raw.length));
        let Some((offset, length)) = place else { continue };
        end = end.max(offset.saturating_add(length).saturating_add(1));
        let found = raw_file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| sum(&mut (&mut raw_file).take(length)))
            .map_err(EvidenceError::io(&raw, "read"))?;
        if line.sha256.as_ref() == Some(&found) {
            verified.raw_records += 1;
        } else {
            verified.faults.push(format!(
                "{RAW}: record {} ({} at {}) has not the SHA-256 that {RECORDS} names",
                line.n,
                line.source.as_deref().unwrap_or("-"),
                line.offset
            ));
        }
    }
    let length = raw_file.metadata().map_err(EvidenceError::io(&raw, "read"))?.len();
    if length > end {
        verified.faults.push(format!("{RAW}: bytes that {RECORDS} does not name follow at {end}"));
    }
    Ok(())
}
