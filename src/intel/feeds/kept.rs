//! Feeds of a data directory: fetched at intervals or added by hand, each with its last good list.
//!
//! A feed is `intel/<name>.list`, the bytes as they came, and `intel/<name>.json`, what is known of
//! them. New bytes take the place of the old ones only when they fit their checksum, parse as a
//! whole, hold an entry, and have not lost nine tenths of what was there: an error page, a cut
//! download or an emptied file never does. Nothing else in the program needs the network, and
//! without it the last good list goes on being used, however old; its age is told.
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fetch::{Fetch, Fetched};
use super::load_bytes;
use crate::intel::view::ListKind;
use crate::limits;
use crate::time::{HOUR_MS, Timestamp};

/// Longest name of a feed.
const NAME_MAX: usize = 64;
/// Bytes of a checksum file that are looked at.
const CHECKSUM_BYTES_MAX: usize = 4096;
/// A list with fewer than this share of its entries is taken for damaged.
const SHRINK_SHARE: usize = 10;
/// After a failure a feed is tried again no later than this, hours.
const RETRY_HOURS: u32 = 1;

/// Where a feed comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A URL, `https://…` or `http://…`.
    Url(String),
    /// A file of this machine.
    File(PathBuf),
}

impl From {
    /// `https://…`, `http://…`, or else a path.
    pub fn parse(text: &str) -> From {
        let scheme = text.split("://").next().unwrap_or_default();
        if text.contains("://") && ["http", "https"].contains(&scheme) {
            From::Url(text.to_owned())
        } else {
            From::File(PathBuf::from(text))
        }
    }
    /// For people; what may be a secret in a URL is not shown.
    pub fn shown(&self) -> String {
        match self {
            From::Url(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                let host = rest.split('/').next().unwrap_or_default();
                let path = rest.get(host.len()..).unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}{path}")
            }
            From::File(path) => path.display().to_string(),
        }
    }
}

/// A feed that is to be kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSource {
    /// Its name, by which alerts call it.
    pub name: String,
    /// What being listed means.
    pub kind: ListKind,
    /// Where it comes from.
    pub from: From,
    /// SHA-256 in hexadecimal, or a URL or file whose first such word it is.
    pub checksum: Option<String>,
    /// Hours between two fetches.
    pub every_hours: u32,
    /// Hours after the last good contact beyond which the list is old.
    pub stale_after_hours: u32,
}

/// What is known of a kept list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The feed's name.
    pub name: String,
    /// `tor-exit` or `threat`.
    pub kind: String,
    /// Where it came from, for people.
    pub from: String,
    /// It was added by hand, and is used whether or not a configuration names it.
    pub by_hand: bool,
    /// The last try, by the wall clock.
    #[serde(with = "moment")]
    pub tried: Option<Timestamp>,
    /// The last good contact: its bytes came, or the server said that they are the same.
    #[serde(with = "moment")]
    pub fetched: Option<Timestamp>,
    /// When the bytes last changed.
    #[serde(with = "moment")]
    pub changed: Option<Timestamp>,
    /// The server's name for them.
    pub etag: Option<String>,
    /// Their SHA-256.
    pub sha256: Option<String>,
    /// Entries in use.
    pub entries: usize,
    /// Why the last try came to nothing.
    pub error: Option<String>,
}

impl Kept {
    fn new(source: &FeedSource, by_hand: bool) -> Kept {
        Kept {
            name: source.name.clone(),
            kind: kind_word(source.kind).to_owned(),
            from: source.from.shown(),
            by_hand,
            tried: None,
            fetched: None,
            changed: None,
            etag: None,
            sha256: None,
            entries: 0,
            error: None,
        }
    }
    /// What being listed means.
    pub fn list_kind(&self) -> Option<ListKind> {
        kind_of(&self.kind)
    }
    /// Hours since the last good contact; `None` if there was none.
    pub fn age_hours(&self, now: Timestamp) -> Option<i64> {
        self.fetched.map(|at| now.since(at).max(0) / HOUR_MS)
    }
    /// It is older than `source` allows.
    pub fn is_stale(&self, source: &FeedSource, now: Timestamp) -> bool {
        self.age_hours(now).is_none_or(|hours| hours >= i64::from(source.stale_after_hours))
    }
}

/// What a refresh did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list is what it was.
    Unchanged,
    /// Another list is in use: entries before, entries now.
    Replaced(usize, usize),
}

/// Why a feed was not refreshed; the last good list stays in use.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The name cannot be a file's.
    #[error(
        "`{0}` cannot be the name of a feed; use lower-case letters, digits and hyphens, at most 64"
    )]
    Name(String),
    /// It could not be fetched or read.
    #[error("feed {name} cannot be fetched from {from}: {cause}; the last good list stays in use")]
    Fetch {
        /// The feed.
        name: String,
        /// Where from.
        from: String,
        /// What was said.
        cause: String,
    },
    /// What came is not what it should be.
    #[error("feed {name} from {from} is refused: {cause}; the last good list stays in use")]
    Refused {
        /// The feed.
        name: String,
        /// Where from.
        from: String,
        /// Why.
        cause: String,
    },
    /// The folder of kept lists cannot be used.
    #[error("{path} cannot be written or read: {cause}; check its permissions and free space")]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// The folder of a data directory that holds its lists.
#[derive(Clone, Debug)]
pub struct FeedFolder(PathBuf);

impl FeedFolder {
    /// The folder at `path`; nothing is touched.
    pub fn new(path: &Path) -> FeedFolder {
        FeedFolder(path.to_owned())
    }

    /// The file with the list of feed `name`.
    pub fn list(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.list"))
    }

    fn facts(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    /// What is known of feed `name`; `None` if it is not kept, or what is known cannot be read.
    pub fn kept(&self, name: &str) -> Option<Kept> {
        serde_json::from_slice(&fs::read(self.facts(name)).ok()?).ok()
    }

    /// All kept feeds, by name.
    pub fn all(&self) -> Vec<Kept> {
        let Ok(files) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<String> = files
            .filter_map(|file| {
                let name = file.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".json").filter(|stem| is_name(stem)).map(str::to_owned)
            })
            .collect();
        names.sort_unstable();
        names.iter().filter_map(|name| self.kept(name)).collect()
    }

    /// It is time to fetch `source`.
    pub fn is_due(&self, source: &FeedSource, now: Timestamp) -> bool {
        let Some(kept) = self.kept(&source.name) else { return true };
        if kept.from != source.from.shown() || !self.list(&source.name).is_file() {
            return true;
        }
        let hours = match kept.error {
            None => source.every_hours,
            Some(_) => source.every_hours.min(RETRY_HOURS),
        };
        kept.tried.is_none_or(|at| now.since(at) >= i64::from(hours) * HOUR_MS)
    }

    /// Fetches `source` and takes it in the last good list's place if it is good. With `force` a list
    /// that lost nearly all its entries is believed.
    ///
    /// # Errors
    /// Nothing better came; the last good list is untouched, and why is noted beside it.
    pub fn refresh(
        &self,
        source: &FeedSource,
        by_hand: bool,
        force: bool,
        now: Timestamp,
        fetch: &dyn Fetch,
    ) -> Result<Change, RefreshError> {
        if !is_name(&source.name) {
            return Err(RefreshError::Name(source.name.clone()));
        }
        fs::create_dir_all(&self.0).map_err(|cause| self.failed(&self.0, cause))?;
        let before = self.kept(&source.name).filter(|kept| kept.from == source.from.shown());
        let mut kept = before.unwrap_or_else(|| Kept::new(source, by_hand));
        kept.kind = kind_word(source.kind).to_owned();
        kept.by_hand |= by_hand;
        kept.tried = Some(now);
        let outcome = self.replace(source, &mut kept, force, now, fetch);
        kept.error = outcome.as_ref().err().map(ToString::to_string);
        self.note(&kept)?;
        outcome
    }

    fn replace(
        &self,
        source: &FeedSource,
        kept: &mut Kept,
        force: bool,
        now: Timestamp,
        fetch: &dyn Fetch,
    ) -> Result<Change, RefreshError> {
        let from = source.from.shown();
        let name = source.name.clone();
        let refused =
            |cause: String| RefreshError::Refused { name: name.clone(), from: from.clone(), cause };
        let unfetched =
            |cause: String| RefreshError::Fetch { name: name.clone(), from: from.clone(), cause };
        let here = self.list(&source.name).is_file();
        let etag = kept.etag.as_deref().filter(|_| here && !force);
        let fetched = match &source.from {
            From::Url(url) => fetch.get(url, etag, limits::FEED_BYTES_MAX),
            From::File(path) => {
                read(path, limits::FEED_BYTES_MAX).map(|bytes| Fetched::Body { bytes, etag: None })
            }
        };
        let (bytes, etag) = match fetched.map_err(unfetched)? {
            Fetched::Unchanged => {
                kept.fetched = Some(now);
                return Ok(Change::Unchanged);
            }
            Fetched::Body { bytes, etag } => (bytes, etag),
        };
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        if let Some(checksum) = &source.checksum {
            let wanted = self.checksum(checksum, fetch).map_err(unfetched)?;
            if wanted != sha256 {
                return Err(refused(format!("its SHA-256 is {sha256}, not {wanted}")));
            }
        }
        let (list, _) = load_bytes(&source.name, &from, source.kind, &bytes)
            .map_err(|e| refused(e.to_string()))?;
        let (had, has) = (kept.entries, list.entries.len());
        if has == 0 {
            return Err(refused("it lists nothing that can be used".to_owned()));
        }
        if here && !force && has.saturating_mul(SHRINK_SHARE) < had {
            return Err(refused(format!(
                "it has {has} entries where it had {had}; if that is right, `cosmoguard intel update {} --force`",
                source.name
            )));
        }
        kept.fetched = Some(now);
        kept.etag = etag;
        if here && kept.sha256.as_deref() == Some(&sha256) {
            return Ok(Change::Unchanged);
        }
        let path = self.list(&source.name);
        put(&path, &bytes).map_err(|cause| self.failed(&path, cause))?;
        (kept.sha256, kept.entries, kept.changed) = (Some(sha256), has, Some(now));
        Ok(Change::Replaced(if here { had } else { 0 }, has))
    }

    /// Drops feed `name`; false if it is not kept.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, RefreshError> {
        if !is_name(name) || !self.facts(name).is_file() {
            return Ok(false);
        }
        for path in [self.facts(name), self.list(name)] {
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed(&path, cause));
                }
                _ => {}
            }
        }
        Ok(true)
    }

    fn checksum(&self, checksum: &str, fetch: &dyn Fetch) -> Result<String, String> {
        if is_sha256(checksum) {
            return Ok(checksum.to_ascii_lowercase());
        }
        let bytes = match From::parse(checksum) {
            From::Url(url) => match fetch.get(&url, None, CHECKSUM_BYTES_MAX)? {
                Fetched::Body { bytes, .. } => bytes,
                Fetched::Unchanged => Vec::new(),
            },
            From::File(path) => read(&path, CHECKSUM_BYTES_MAX)?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut words = text.split_ascii_whitespace();
        let found = words.find(|word| is_sha256(word)).map(str::to_ascii_lowercase);
        found.ok_or_else(|| "its checksum file holds no SHA-256".to_owned())
    }

    fn note(&self, kept: &Kept) -> Result<(), RefreshError> {
        let path = self.facts(&kept.name);
        let mut bytes =
            serde_json::to_vec_pretty(kept).map_err(|cause| self.failed(&path, cause.into()))?;
        bytes.push(b'\n');
        put(&path, &bytes).map_err(|cause| self.failed(&path, cause))
    }

    fn failed(&self, path: &Path, cause: io::Error) -> RefreshError {
        RefreshError::Folder { path: path.to_owned(), cause }
    }
}

/// Moments as people write them.
mod moment {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Timestamp;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.as_deref().and_then(Timestamp::parse))
    }
}

/// The word for a kind of list in settings and files.
pub fn kind_word(kind: ListKind) -> &'static str {
    match kind {
        ListKind::TorExit => "tor-exit",
        ListKind::Threat => "threat",
    }
}

/// The kind of list that a word means.
pub fn kind_of(word: &str) -> Option<ListKind> {
    [ListKind::TorExit, ListKind::Threat].into_iter().find(|kind| kind_word(*kind) == word)
}

/// Lower-case letters, digits, hyphens: a file name everywhere.
pub fn is_name(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(known)
}

fn is_sha256(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    // One byte over the bound tells a file at the bound from one beyond it.
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() > most { Err(format!("it is larger than {most} bytes")) } else { Ok(bytes) }
}

/// Written aside, flushed, renamed.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
