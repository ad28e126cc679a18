//! Files to lists. A broken feed is refused; the last good one stays.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FeedFormat, FeedStatus, ParseError, Parsed, detect_format};
use super::{abusech, onionoo, plain, spamhaus, stix, tor_exit_addresses};
use crate::ids::Text;
use crate::intel::view::{List, ListKind};
use crate::limits;

/// Why a feed was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be read.
    #[error("feed `{path}` cannot be read: {reason}")]
    Unreadable {
        /// File.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is larger than any feed.
    #[error("feed `{path}` is larger than {} MiB; split it", limits::FEED_BYTES_MAX >> 20)]
    TooLarge {
        /// File.
        path: String,
    },
    /// The content is not what its format wants.
    #[error("feed `{path}` is broken at line {line}: {reason} (read as {format})")]
    Broken {
        /// File.
        path: String,
        /// Line, from 1; 1 for JSON documents.
        line: usize,
        /// Why.
        reason: String,
        /// The format it was taken for.
        format: &'static str,
    },
}

/// Parses `bytes` as `format`.
pub fn parse(format: FeedFormat, bytes: &[u8]) -> Result<Parsed, ParseError> {
    match format {
        FeedFormat::Plain | FeedFormat::SpamhausText => plain::parse(bytes),
        FeedFormat::TorExitAddresses => tor_exit_addresses::parse(bytes),
        FeedFormat::Onionoo => onionoo::parse(bytes),
        FeedFormat::AbuseCh => abusech::parse(bytes),
        FeedFormat::SpamhausJsonLines => spamhaus::parse(bytes),
        FeedFormat::Stix => stix::parse(bytes),
    }
}

/// Reads the file at `path` as a list of `kind`; its name is the file's stem. The format is
/// recognised by content.
///
/// # Errors
/// The file cannot be read, is too large, or is broken; nothing of it is used then.
pub fn load_file(path: &Path, kind: ListKind) -> Result<(List, FeedStatus), FeedError> {
    let shown = path.display().to_string();
    let unreadable =
        |e: std::io::Error| FeedError::Unreadable { path: shown.clone(), reason: e.to_string() };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte over the limit tells a file at the limit from one beyond it.
    let most = limits::FEED_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limits::FEED_BYTES_MAX {
        return Err(FeedError::TooLarge { path: shown });
    }
    load_bytes(&feed_name(path), &shown, kind, &bytes)
}

/// The same for bytes that are in memory already; `path` is for messages.
///
/// # Errors
/// The feed is broken.
pub fn load_bytes(
    name: &str,
    path: &str,
    kind: ListKind,
    bytes: &[u8],
) -> Result<(List, FeedStatus), FeedError> {
    let format = detect_format(bytes);
    let parsed = parse(format, bytes).map_err(|e| FeedError::Broken {
        path: path.to_owned(),
        line: e.line,
        reason: e.reason,
        format: format.as_str(),
    })?;
    let name = Text::from(name);
    let status = FeedStatus {
        name: name.clone(),
        kind,
        format: Some(format),
        entries: parsed.entries.len(),
        dropped: parsed.dropped,
        newest: parsed.newest,
        last_error: None,
    };
    Ok((List { name, kind, entries: parsed.entries }, status))
}

/// Tries `bytes` in every format, and in the recognised one once more; gives the number of times
/// that they were taken. The body of the
/// fuzz target and of the property tests: whatever the bytes, no panic and no entry that a feed
/// must not have.
pub fn try_every_format(bytes: &[u8]) -> usize {
    let parsed = FeedFormat::ALL.into_iter().filter_map(|format| parse(format, bytes).ok());
    parsed.map(|parsed| debug_assert!(parsed.is_sound(), "{parsed:?}")).count()
        + usize::from(load_bytes("bytes", "bytes", ListKind::Threat, bytes).is_ok())
}

fn feed_name(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Feeds by file, each with its last good list.
#[derive(Debug, Default)]
pub struct FeedStore {
    feeds: BTreeMap<(PathBuf, ListKind), Held>,
}

#[derive(Debug)]
struct Held {
    list: Option<Arc<List>>,
    status: FeedStatus,
}

impl FeedStore {
    /// Reads `path` again. If it is broken, the last good list stays in use and the status
    /// carries the error.
    ///
    /// # Errors
    /// Why the file was refused.
    pub fn refresh(&mut self, path: &Path, kind: ListKind) -> Result<(), FeedError> {
        let key = (path.to_owned(), kind);
        match load_file(path, kind) {
            Ok((list, status)) => {
                self.feeds.insert(key, Held { list: Some(Arc::new(list)), status });
                Ok(())
            }
            Err(error) => {
                let held = self.feeds.entry(key).or_insert_with(|| never_read(path, kind));
                held.status.last_error = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// The lists in use, by path.
    pub fn lists(&self) -> impl Iterator<Item = &Arc<List>> {
        self.feeds.values().filter_map(|held| held.list.as_ref())
    }

    /// All feeds, by path, broken ones included.
    pub fn statuses(&self) -> impl Iterator<Item = &FeedStatus> {
        self.feeds.values().map(|held| &held.status)
    }
}

fn never_read(path: &Path, kind: ListKind) -> Held {
    let status = FeedStatus {
        name: Text::from(feed_name(path)),
        kind,
        format: None,
        entries: 0,
        dropped: super::Dropped::default(),
        newest: None,
        last_error: None,
    };
    Held { list: None, status }
}
