//! Any bytes decode to the same answer twice, and never panic.
//! `cargo +nightly fuzz run decode_record fuzz/corpus/decode_record tests/fixtures/logs`
#![no_main]
use cosmoguard::event::{Decoder, time_hint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new();
    let first = decoder.decode(bytes);
    assert_eq!(first, decoder.decode(bytes));
    if let Err(refusal) = first {
        assert!(refusal.at <= bytes.len());
    }
    let _ = time_hint(bytes);
});
