//! Broken, cut, swapped, forged and future files: each is refused for what it is, and none panics.
use std::fs::{self, File};
use std::io::{Read, Write};

use cosmoguard::snapshot::{SnapshotError, hex, verify};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::*;

/// Names and contents.
pub type Entries = Vec<(String, Vec<u8>)>;

/// As any zip tool reads them.
pub fn entries(path: &Path) -> Entries {
    let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let count = zip.len();
    let read = |index| {
        let mut file = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        (file.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(read).collect()
}

pub fn write(path: &Path, entries: &Entries) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Zstd);
    for (name, bytes) in entries {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Makes the list of checksums right again.
pub fn sign(entries: &mut Entries) {
    let sum =
        |(name, bytes): &(String, Vec<u8>)| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
    let (last, rest) = entries.split_last_mut().unwrap();
    last.1 = rest.iter().map(sum).collect::<String>().into_bytes();
}

/// What verifying says of the fleet's snapshot after `edit`, signed again or not.
fn verdict(signed: bool, edit: impl FnOnce(&mut Entries)) -> SnapshotError {
    let (_dir, path) = snapshot_of(FLEET.store.as_ref());
    let mut all = entries(&path);
    edit(&mut all);
    if signed {
        sign(&mut all);
    }
    write(&path, &all);
    let error = verify(&path).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

pub fn manifest(entries: &mut Entries, edit: impl FnOnce(&mut serde_json::Value)) {
    let mut manifest = serde_json::from_slice(&entries[0].1).unwrap();
    edit(&mut manifest);
    entries[0].1 = serde_json::to_vec(&manifest).unwrap();
}

fn position(entries: &Entries, ending: &str) -> usize {
    entries.iter().position(|(name, _)| name.ends_with(ending)).unwrap()
}

#[test]
fn each_damage_has_its_own_words() {
    let state =
        |all: &Entries| all.iter().position(|(name, _)| name.starts_with("accounts/")).unwrap();
    let says = |error: SnapshotError, words: &str| {
        assert!(error.to_string().contains(words), "{error} lacks {words}");
    };
    says(
        verdict(false, |all| {
            let at = state(all);
            all.remove(at);
        }),
        "lacks `accounts/",
    );
    says(
        verdict(true, |all| {
            let at = state(all);
            all.remove(at);
        }),
        "should hold 3 accounts and holds 2",
    );
    says(
        verdict(false, |all| all.insert(1, ("run/x-0001.state".into(), vec![]))),
        "which does not belong there",
    );
    says(
        verdict(true, |all| all.insert(1, ("readme".into(), vec![]))),
        "`readme`, which does not belong there",
    );
    says(
        verdict(true, |all| {
            let at = position(all, "alerts.jsonl");
            all.remove(at);
        }),
        "lacks `alerts.jsonl`",
    );
    says(
        verdict(false, |all| {
            all.pop();
        }),
        "lacks `SHA256SUMS`",
    );
    says(verdict(false, |all| all[1].1.push(0)), "its checksum does not match");
    says(verdict(true, |all| all[1].1.push(0)), "not whole");
    says(
        verdict(true, |all| {
            let at = state(all);
            all[at].1[40] ^= 1;
        }),
        "its checksum does not match",
    );
    says(
        verdict(true, |all| {
            let at = state(all);
            all[at].1 = all[at + 1].1.clone();
        }),
        "it holds the model of",
    );
    says(
        verdict(true, |all| {
            let at = position(all, ".rings");
            all[at].1 = vec![1, 0, 0, 0, b'a', 0, 0, 0, 0];
        }),
        "belongs elsewhere",
    );
    says(
        verdict(true, |all| {
            let at = position(all, "alerts.jsonl");
            all[at].1.extend(b"x\n");
        }),
        "a line is not JSON",
    );
    says(
        verdict(true, |all| {
            let at = position(all, "alerts.jsonl");
            all[at].1.pop();
        }),
        "a line is cut off",
    );
    says(
        verdict(true, |all| {
            let at = state(all);
            all[at].1 = vec![0; 64 << 20];
        }),
        "longer than",
    );
    says(verdict(true, |all| manifest(all, |m| m["alerts"] = 1.into())), "should hold 1 alerts");
    says(
        verdict(true, |all| {
            manifest(all, |m| {
                m["format_version"] = 9.into();
                m["program_version"] = "7.1.0".into();
            })
        }),
        "has snapshot format 9, written by cosmoguard 7.1.0",
    );
    says(
        verdict(true, |all| manifest(all, |m| m["schema_version"] = 8.into())),
        "holds models of schema 8",
    );
    says(verdict(true, |all| all[0].1 = b"{}".to_vec()), "is not a snapshot of cosmoguard");
    says(
        verdict(true, |all| {
            all.remove(0);
        }),
        "is not a snapshot of cosmoguard",
    );
}

#[test]
fn what_is_no_zip_and_what_has_no_end() {
    let (dir, path) = snapshot_of(FLEET.store.as_ref());
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 30]).unwrap();
    assert!(matches!(verify(&path), Err(SnapshotError::CutOff(_))));
    fs::write(&path, [&good[..], b"more"].concat()).unwrap();
    let more = verify(&path).unwrap_err().to_string();
    assert!(more.contains("bytes follow its end"), "{more}");
    for bytes in [&b""[..], b"PK", b"{\"records\":[]}"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(verify(&path), Err(SnapshotError::NotASnapshot(_))));
    }
    assert!(matches!(verify(dir.path()), Err(SnapshotError::NotAFile(_))));
    assert!(matches!(verify(&dir.path().join("none")), Err(SnapshotError::Io { .. })));
}

/// A small snapshot: one model, no run.
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let store = MemoryStore::default();
    let (key, value) = FLEET.accounts().pop_first().unwrap();
    let stored = FLEET.stored(keys::ALERT);
    put(&store, &[(&key, &value), (&keys::alert(0), stored.values().next().unwrap())]);
    let (_dir, path) = snapshot_of(&store);
    fs::read(path).unwrap()
});

/// What `list` and `inspect` read before anybody has verified it.
fn looked_into(path: &Path) {
    let Ok(mut archive) = Archive::open(path) else { return };
    let _ = archive.glance();
    for id in archive.accounts() {
        let _ = (archive.account(&id), archive.rings(&id));
    }
    let _ = archive.load_run(&MemoryStore::default());
}

/// Refused, or what is read of it is what was written.
fn noticed(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let (path, good) = (dir.path().join("x"), dir.path().join("good"));
    fs::write(&path, bytes).unwrap();
    fs::write(&good, &*SMALL).unwrap();
    looked_into(&path);
    if verify(&path).is_ok() {
        assert_eq!(loaded(&path), loaded(&good));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn flipped_bits_are_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = SMALL.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        noticed(&bytes);
    }

    /// The last bytes steer a zip.
    #[test]
    fn broken_directories_are_noticed(back in 1usize..1200, to in any::<u8>(), more in prop::collection::vec(any::<u8>(), 0..6)) {
        let mut bytes = SMALL.clone();
        let at = bytes.len().saturating_sub(back);
        bytes[at] = to;
        bytes.extend(more);
        noticed(&bytes);
    }

    #[test]
    fn cuts_are_noticed(at in any::<prop::sample::Index>()) {
        noticed(&SMALL[..at.index(SMALL.len())]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        noticed(&bytes);
        bytes.splice(0..0, *b"PK\x03\x04");
        noticed(&bytes);
    }
}
