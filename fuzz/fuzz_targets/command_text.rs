//! Any text, read as a command of each API that logs its own requests: no panic, what is kept stays
//! within its bounds, places within the template.
//! `cargo +nightly fuzz run command_text`
#![no_main]
use cosmoguard::command_text::{CommandReader, operators};
use cosmoguard::event::{QueryLanguage, QueryRead};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = CommandReader::default();
    for language in QueryLanguage::ALL {
        if language == QueryLanguage::Sql {
            continue;
        }
        let read = reader.read(language, &text);
        assert!(read.heap_bytes() <= QueryRead::HEAP_MAX);
        assert_eq!(read.tokens.len(), read.starts.len());
        for mark in &read.marked {
            assert!(mark.begin <= mark.end && mark.end as usize <= read.template.len());
        }
        if let Some(failure) = &read.failure {
            assert!(failure.offset as usize <= text.len());
        }
        assert!(operators::for_values(&read.tokens, &read.tokens).is_empty());
    }
});
