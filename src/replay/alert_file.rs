//! How much of an alert file that is there already is to be kept.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use super::writer::WriterError;
use crate::alert::formats::Format;
use crate::store::{StateStore, StoreError, keys};

/// What to do with the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Bytes that stay.
    pub length: u64,
    /// Numbers of delivered lines that are missing behind them.
    pub missing: Range<u64>,
}

/// Whole lines of a file.
struct Lines {
    /// The first one, without its end.
    first: Vec<u8>,
    /// How many, of those asked for.
    count: u64,
    /// Bytes of these.
    length: u64,
}

/// Number of the next alert line: one more than the last, so that a lost one in between makes none
/// be overwritten.
pub(super) fn next_number(store: &dyn StateStore) -> Result<u64, StoreError> {
    let mut next = 0;
    store.scan(keys::ALERT, &mut |key, _| {
        let number = key[keys::ALERT.len()..].try_into().map(u64::from_be_bytes);
        next = number.map_or(next, |n| n.saturating_add(1));
        true
    })?;
    Ok(next)
}

/// Plans for the file at `path`, of which `delivered` bytes are known to be good, or nothing is
/// known: then its first line tells whether it is this store's, whose directory was moved or
/// restored, or another's, which is only appended to. `known`: lines in the store.
pub(super) fn plan(
    path: &Path,
    format: Format,
    store: &dyn StateStore,
    delivered: Option<u64>,
    known: u64,
) -> anyhow::Result<Plan> {
    if (delivered == Some(0) && is_torn_start(path)?) || !holds_lines(path)? {
        return Ok(Plan { length: 0, missing: 0..0 });
    }
    let io = |cause| WriterError::Io { path: path.to_owned(), cause };
    let present = path.metadata().map_err(io)?.len();
    if let Some(length) = delivered.filter(|length| *length <= present) {
        return Ok(Plan { length, missing: 0..0 });
    }
    let ours = format == Format::Defender && known > 0 && {
        let first = store.get(&keys::alert(0))?.unwrap_or_default();
        lines(path, 1).map_err(io)?.first == first.trim_ascii_end()
    };
    let kept = lines(path, if ours { known } else { u64::MAX }).map_err(io)?;
    let missing = if ours { kept.count..known } else { 0..0 };
    Ok(Plan { length: kept.length, missing })
}

/// There is something that is no file: a device, a pipe, or a name of standard output, which may
/// be a file and is not to be renamed or cut.
///
/// # Errors
/// It is a folder.
pub(super) fn is_stream(path: &Path) -> Result<bool, WriterError> {
    let Ok(found) = path.metadata() else { return Ok(false) };
    if found.is_dir() {
        return Err(WriterError::IsFolder(path.to_owned()));
    }
    let of_system = ["/dev", "/proc"].iter().any(|at| path.starts_with(at));
    let is_name = of_system && path.symlink_metadata().is_ok_and(|link| link.is_symlink());
    Ok(!found.is_file() || is_name)
}

/// There is a file with alerts in it.
///
/// # Errors
/// It holds something else, or cannot be read.
pub(super) fn holds_lines(path: &Path) -> Result<bool, WriterError> {
    let io = |cause| WriterError::Io { path: path.to_owned(), cause };
    if !path.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    File::open(path).and_then(|f| f.take(4096).read_to_end(&mut head)).map_err(io)?;
    let text = String::from_utf8_lossy(&head);
    let ours = text.contains("Microsoft.Security") || text.contains("cosmoguard");
    match head.as_slice() {
        [] => Ok(false),
        head if head.starts_with(b"CEF:0|") || (head.starts_with(b"{") && ours) => Ok(true),
        _ => Err(WriterError::NotAlerts(path.to_owned())),
    }
}

/// All there is, is the begin of a line: too little to tell whose, so only a file that was begun
/// here may be cut for it.
fn is_torn_start(path: &Path) -> Result<bool, WriterError> {
    let io = |cause| WriterError::Io { path: path.to_owned(), cause };
    let mut head = Vec::new();
    if path.is_file() {
        File::open(path).and_then(|f| f.take(65_536).read_to_end(&mut head)).map_err(io)?;
    }
    Ok(head.len() < 65_536 && !head.contains(&b'\n'))
}

/// The first whole lines, at most `most`.
fn lines(path: &Path, most: u64) -> io::Result<Lines> {
    let mut file = BufReader::new(File::open(path)?);
    let mut found = Lines { first: Vec::new(), count: 0, length: 0 };
    let mut line = Vec::new();
    while found.count < most {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        if found.count == 0 {
            found.first = line.trim_ascii_end().to_vec();
        }
        found.count += 1;
        found.length += line.len() as u64;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WriteBatch;
    use crate::store::memory::MemoryStore;

    fn line(n: u64) -> String {
        format!("{{\"type\":\"Microsoft.Security/locations/alerts\",\"n\":{n}}}\n")
    }

    #[test]
    fn what_is_no_file_is_known_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alerts.jsonl");
        assert!(!is_stream(&file).unwrap(), "not there yet");
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("link")).unwrap();
        assert!(!is_stream(&file).unwrap());
        assert!(!is_stream(&folder.path().join("link")).unwrap(), "a link of one's own is a file");
        assert!(is_stream(Path::new("/dev/null")).unwrap());
        assert!(is_stream(Path::new("/dev/stdout")).unwrap());
        assert!(is_stream(folder.path()).unwrap_err().to_string().contains("is a folder"));
    }

    #[test]
    fn a_file_is_cut_completed_or_only_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let store = MemoryStore::default();
        let mut batch = WriteBatch::default();
        (0..3).for_each(|n| batch.put(keys::alert(n), line(n).into_bytes()));
        store.write(batch).unwrap();
        let known = next_number(&store).unwrap();
        assert_eq!(known, 3);
        let size = line(0).len() as u64;
        let all: String = (0..3).map(line).collect();
        let planned = |text: &str, delivered| {
            std::fs::write(&path, text).unwrap();
            let plan = plan(&path, Format::Defender, &store, delivered, known).unwrap();
            (plan.length / size, plan.length % size, plan.missing)
        };
        assert_eq!(planned("", Some(3 * size)), (0, 0, 0..0), "moved away by its reader");
        assert_eq!(planned(&format!("{all}{}", line(9)), Some(3 * size)), (3, 0, 0..0));
        assert_eq!(planned("{\"id\":\"/subscr", Some(0)), (0, 0, 0..0), "the first line is torn");
        // Torn or short of what was delivered.
        assert_eq!(planned(&all[..all.len() - 5], Some(3 * size)), (2, 0, 2..3));
        // The directory was moved, or restored.
        assert_eq!(planned(&all, None), (3, 0, 3..3));
        assert_eq!(planned(&format!("{all}{}", line(9)), None), (3, 0, 3..3));
        assert_eq!(planned(&line(0), None), (1, 0, 1..3));
        // Somebody else's.
        assert_eq!(planned(&format!("{}{}{{", line(7), line(8)), None), (2, 0, 0..0));
        std::fs::write(&path, "something else").unwrap();
        let refused = plan(&path, Format::Defender, &store, None, known);
        assert!(refused.unwrap_err().to_string().contains("does not hold alerts"));
    }
}
