//! Arbitrary bytes as a feed of every format: no panic, no entry that a feed must not have.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cosmoguard::intel::feeds::try_every_format(bytes);
});
