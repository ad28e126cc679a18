//! A look at a batch before it is taken: how many records it has, and what of it is none.
use std::collections::BTreeMap;

use super::split::{Splitter, Step};

/// What a batch holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchCount {
    /// Records by their structure; what they mean is seen when they are decoded.
    pub records: u64,
    /// What is no record, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// Splits a batch as its reader will, and keeps the counts.
pub fn count(batch: &[u8]) -> BatchCount {
    let (mut splitter, mut rest) = (Splitter::default(), batch);
    let mut counted = BatchCount::default();
    loop {
        let passed = match splitter.step(rest, true) {
            Step::Record { end, .. } => {
                counted.records += 1;
                end
            }
            Step::Refused { end, refusal, .. } => {
                *counted.refused.entry(refusal.reason.as_str()).or_default() += 1;
                end
            }
            Step::Skip(bytes) => bytes,
            Step::More | Step::End => return counted,
        };
        rest = rest.get(passed..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_counted_and_what_is_no_record_by_reason() {
        for (text, records, refused) in [
            ("", 0, vec![]),
            ("{\"a\":1}", 1, vec![]),
            ("{\"a\":1}\n{\"b\":2}\n", 2, vec![]),
            ("[{\"a\":1},{\"b\":2}]", 2, vec![]),
            ("{\"records\":[{\"a\":1},{\"b\":{}}],\"more\":1}", 2, vec![]),
            ("hello", 0, vec![("bad_json", 1)]),
            ("[{\"a\":1},7]", 1, vec![("bad_json", 1)]),
            ("{\"a\":1}\n{\"b\":", 1, vec![("cut_off", 1)]),
        ] {
            let counted = count(text.as_bytes());
            assert_eq!(counted.records, records, "{text}");
            assert_eq!(counted.refused.into_iter().collect::<Vec<_>>(), refused, "{text}");
        }
    }
}
