//! Any bytes, read as a query: no panic, places within the text, and what parses prints as a query
//! with the same text.
//! `cargo +nightly fuzz run query`
#![no_main]
use cosmoguard::cosmos_sql::{Workspace, print};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut workspace = Workspace::new();
    match workspace.parse(bytes) {
        Ok(query) => {
            let once = print(&query);
            let mut again = Workspace::new();
            let query = again.parse(&once).expect("what was printed parses");
            assert_eq!(once, print(&query));
        }
        Err(error) => assert!(error.at as usize <= bytes.len()),
    }
    for token in workspace.tokens() {
        assert!(token.span.start <= token.span.end && token.span.end as usize <= bytes.len());
    }
});
