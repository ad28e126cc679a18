//! The splitter ends on any bytes, and what it says does not depend on how they arrive.
#![no_main]
use cosmoguard::source::split::{Splitter, Step};
use libfuzzer_sys::fuzz_target;

/// Records and refusals (start, end) when the window grows by `grow` bytes at a time.
fn split(bytes: &[u8], grow: usize) -> Vec<(bool, usize, usize)> {
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    let (mut from, mut seen) = (0, 0);
    loop {
        match splitter.step(&bytes[from..seen], seen == bytes.len()) {
            Step::Record { start, end } => {
                assert!(
                    start < end && bytes[from + start] == b'{' && bytes[from + end - 1] == b'}'
                );
                out.push((true, from + start, from + end));
                from += end;
            }
            Step::Refused { start, end, .. } => {
                out.push((false, from + start, 0));
                from += end;
            }
            Step::Skip(skip) => from += skip,
            Step::More => {
                assert!(seen < bytes.len(), "asks for more at the end");
                seen = bytes.len().min(seen + grow);
            }
            Step::End => return out,
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (grow, bytes) = input;
    assert_eq!(split(bytes, usize::from(grow) + 1), split(bytes, bytes.len() + 1));
});
