//! Copies of a record are recognised by the 128-bit hash of its bytes, inside the lateness window
//! and a bound; beyond it copies are not recognised.
use std::collections::HashSet;

use crate::limits;
use crate::time::Timestamp;

/// Two generations of digests: when the younger is full, or older than the lateness, it becomes
/// the older one and the oldest is forgotten.
#[derive(Debug)]
pub struct Digests {
    window_ms: i64,
    began: Timestamp,
    young: HashSet<u128>,
    old: HashSet<u128>,
}

impl Digests {
    /// Remembers for at least `window_ms` of watermark, at most [`limits::DIGESTS_MAX`] records.
    pub fn new(window_ms: i64) -> Digests {
        Digests { window_ms, began: Timestamp::MIN, young: HashSet::new(), old: HashSet::new() }
    }
    /// True if the record is new.
    pub fn insert(&mut self, digest: u128, watermark: Timestamp) -> bool {
        if watermark.since(self.began) > self.window_ms
            || self.young.len() >= limits::DIGESTS_MAX / 2
        {
            self.began = watermark;
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        !self.old.contains(&digest) && self.young.insert(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_recognised_within_the_window_and_not_long_after() {
        let mut digests = Digests::new(1000);
        assert!(digests.insert(1, Timestamp(0)));
        assert!(!digests.insert(1, Timestamp(500)));
        assert!(digests.insert(2, Timestamp(1600)));
        assert!(!digests.insert(1, Timestamp(1600)));
        assert!(digests.insert(3, Timestamp(2700)));
        assert!(digests.insert(1, Timestamp(2700)));
    }
}
