//! Lists what there is to read, in an order that does not depend on the file system.
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::SourceError;
use super::files::FileTable;
use crate::time::Timestamp;

/// Endings of log files; in a folder everything else is passed over.
const ENDINGS: [&str; 9] =
    ["json", "jsonl", "ndjson", "log", "txt", "concatjson", "gz", "zst", super::inbox::EXTENSION];
/// What this program writes itself beside logs.
const OWN_FILES: [&str; 7] = [
    "refused.jsonl",
    "labels.json",
    "alerts.jsonl",
    "audit.jsonl",
    "recovery.jsonl",
    "tor-exits.txt",
    "threat-ips.txt",
];
/// A folder with this file is a database of ours, not logs.
pub(super) const DATABASE_MARK: &str = "mark.json";
/// Warnings kept word for word; the rest is counted.
const WARNINGS_MAX: usize = 100;

/// Files in folders that were passed over, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Not the ending of a log file.
    pub other_ending: u64,
    /// `refused.jsonl`, `labels.json`, `alerts.jsonl` and the lists beside a simulated fleet: written
    /// by this program.
    pub own_output: u64,
    /// Hidden: the name begins with a dot.
    pub hidden: u64,
}

impl Skipped {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.other_ending + self.own_output + self.hidden
    }
}

/// Sentences for the person at the terminal, a bounded number of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings {
    pub(super) kept: Vec<String>,
    pub(super) more: u64,
}

impl Warnings {
    pub(super) fn push(&mut self, warning: String) {
        if self.kept.len() < WARNINGS_MAX { self.kept.push(warning) } else { self.more += 1 }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: FileTable,
    pub(super) skipped: Skipped,
    pub(super) warnings: Warnings,
}

pub(super) fn list(paths: &[PathBuf]) -> Result<Listing, SourceError> {
    if paths.is_empty() {
        return Err(SourceError::NoPath);
    }
    let mut listing = Listing::default();
    let mut seen: Vec<&PathBuf> = Vec::new();
    for path in paths {
        if seen.contains(&path) {
            listing.warnings.push(format!("{} was given twice and is read once", path.display()));
            continue;
        }
        seen.push(path);
        let root = listing.files.roots.len() as u32;
        listing.files.roots.push(path.clone());
        if is_stdin(path) {
            listing.files.add(root, PathBuf::new(), 0);
            continue;
        }
        let metadata = std::fs::metadata(path)
            .map_err(|error| SourceError::Path { path: path.clone(), error })?;
        if metadata.is_dir() {
            walk(&mut listing, root, path);
        } else {
            listing.files.add(root, PathBuf::new(), metadata.len());
        }
    }
    if listing.files.is_empty() {
        let paths = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(SourceError::Nothing { paths, skipped: listing.skipped.total() });
    }
    if u32::try_from(listing.files.len()).is_err() {
        return Err(SourceError::TooManyFiles);
    }
    listing.files.sort();
    Ok(listing)
}

pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn walk(listing: &mut Listing, root: u32, folder: &Path) {
    let mut walk = WalkDir::new(folder).follow_links(true).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                listing.warnings.push(walk_warning(folder, &error));
                continue;
            }
        };
        if entry.file_name().to_string_lossy().starts_with('.') {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            listing.skipped.hidden += 1;
        } else if entry.file_type().is_dir() && entry.path().join(DATABASE_MARK).is_file() {
            walk.skip_current_dir();
            listing.skipped.own_output += 1;
        } else if entry.file_type().is_file() && wanted(entry.path(), &mut listing.skipped) {
            let size = entry.metadata().map_or(0, |m| m.len());
            let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            listing.files.add(root, relative, size);
        }
    }
}

pub(super) fn walk_warning(folder: &Path, error: &walkdir::Error) -> String {
    let path = error.path().unwrap_or(folder).display();
    match error.loop_ancestor() {
        Some(ancestor) => format!(
            "{path} leads back to {}: a directory loop, not followed again",
            ancestor.display()
        ),
        None => format!("{path} cannot be listed and is left out: {error}"),
    }
}

pub(super) fn wanted(path: &Path, skipped: &mut Skipped) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let kept_aside = name.starts_with("alerts.before-");
    if OWN_FILES.contains(&name.as_ref()) || kept_aside {
        skipped.own_output += 1;
        false
    } else if !ENDINGS.contains(&ending.as_str()) {
        skipped.other_ending += 1;
        false
    } else {
        true
    }
}

/// Hours since the epoch in `…/y=2023/m=06/d=26/h=12/m=00/PT1H.json`, the path of a blob that a
/// diagnostic setting writes.
pub(super) fn blob_hour(path: &Path) -> Option<i64> {
    let parts: Vec<&str> = path.iter().filter_map(|p| p.to_str()).collect();
    parts.windows(4).rev().find_map(|window| {
        let [year, month, day, hour] = window else { return None };
        let (year, month) = (year.strip_prefix("y=")?, month.strip_prefix("m=")?);
        let (day, hour) = (day.strip_prefix("d=")?, hour.strip_prefix("h=")?);
        Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:00:00Z")).map(Timestamp::hour)
    })
}
