//! Arbitrary bytes as a snapshot file, as they are and as changes to a sound one: it is refused, or
//! all that it holds is read. Never a panic, never more memory than the bounds allow.
//! `cargo +nightly fuzz run snapshot fuzz/corpus/snapshot snapshots/demo`
#![no_main]
use std::path::Path;

use cosmoguard::snapshot::{self, Archive};
use cosmoguard::store::memory::MemoryStore;

const SOUND: &[u8] = include_bytes!("../../snapshots/demo/demo.cgsnap");

/// What `snapshot verify`, `list`, `inspect` and `restore` read.
fn read(path: &Path) {
    let verified = snapshot::verify(path);
    if let Ok(mut archive) = Archive::open(path) {
        let _ = archive.glance();
        for id in archive.accounts().iter().take(3) {
            let _ = archive.account(id);
            let _ = archive.rings(id);
        }
        let store = MemoryStore::default();
        let run = archive.load_run(&store);
        if verified.is_ok() {
            run.expect("what is verified can be read");
            archive.load_all(&store, &mut |_| ()).expect("what is verified can be read");
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("x.cgsnap");
    std::fs::write(&path, bytes).expect("it is written");
    read(&path);
    // Each three bytes say where the sound one is changed, and to what; the first how it ends.
    let mut changed = SOUND.to_vec();
    for change in bytes.chunks_exact(3) {
        let [low, high, value] = *change else { return };
        let place = usize::from(u16::from_le_bytes([low, high]));
        // Both ends, where the manifest and the directory are.
        let end = changed.len() - 1;
        let at = if place % 2 == 0 { place / 2 } else { end - place / 2 };
        changed[at] ^= value;
    }
    std::fs::write(&path, &changed).expect("it is written");
    read(&path);
});
