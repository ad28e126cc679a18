//! Any bytes, read as a query: no panic, places within the text, and what parses prints as a query
//! with the same text and the same template.
//! `cargo +nightly fuzz run query`
#![no_main]
use cosmoguard::cosmos_sql::template::{self, Scratch, Sequence};
use cosmoguard::cosmos_sql::{Workspace, print};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut workspace = Workspace::new();
    let mut scratch = Scratch::new();
    match workspace.parse(bytes) {
        Ok(query) => {
            let once = print(&query);
            let mut again = Workspace::new();
            let query = again.parse(&once).expect("what was printed parses");
            assert_eq!(once, print(&query));
            let shape = template::of(&query, &mut scratch).shape;
            let text = template::text(&query, &mut scratch);
            let query = workspace.parse(bytes).expect("it parsed before");
            assert_eq!(shape, template::of(&query, &mut scratch).shape);
            assert_eq!(text, template::text(&query, &mut scratch));
            let sequence = Sequence::of_query(&query, &mut scratch);
            assert_eq!(sequence.tokens.len(), sequence.spans.len());
        }
        Err(error) => {
            assert!(error.at as usize <= bytes.len());
            let sequence = Sequence::of_refused(bytes, &workspace);
            let _ = template::lineage(&sequence.tokens, &sequence);
        }
    }
    for token in workspace.tokens() {
        assert!(token.span.start <= token.span.end && token.span.end as usize <= bytes.len());
    }
});
