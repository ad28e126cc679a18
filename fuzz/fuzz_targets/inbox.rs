//! Any bytes as a segment of an inbox, as they are and behind a sound head: the reading ends, and
//! every record that comes out is where it says. A record of a frame whose checksum is right comes
//! out whatever stands before it.
#![no_main]
use std::io::Cursor;

use cosmoguard::source::Reader;
use cosmoguard::source::inbox::{Inbox, Options};
use cosmoguard::time::Timestamp;

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::from_read("fuzz", Box::new(Cursor::new(bytes.to_vec())));
    let mut found = Vec::new();
    while let Some(chunk) = reader.next_chunk().expect("nothing is written") {
        for record in &chunk.records {
            let text = chunk.record(record);
            // Compressed bytes have other offsets.
            if bytes.starts_with(b"CGIB") {
                let at = record.offset as usize;
                assert_eq!(&bytes[at..at + text.len()], text);
            }
            found.push(text.to_vec());
        }
    }
    found
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    records(bytes);
    records(&[b"CGIB\x01\0", bytes].concat());
    if bytes.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let options = Options::default();
    let (inbox, _) = Inbox::open(folder.path(), options, Timestamp(7)).expect("it opens");
    let good = b"{\"time\": \"2026-01-01T00:00:00Z\"}";
    inbox.submit(bytes.to_vec()).expect("it takes anything");
    let at = inbox.submit(good.to_vec()).expect("it takes anything");
    let segment = std::fs::read(folder.path().join("000000000001.inbox")).expect("a segment");
    assert_eq!(records(&segment).last().map(Vec::as_slice), Some(&good[..]));
    assert_eq!(&segment[at.offset as usize..], good);
});
