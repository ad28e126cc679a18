//! What a feed looks like from outside: shown by `intel status`, and written beside alerts.
use super::{Dropped, FeedFormat};
use crate::ids::Text;
use crate::intel::view::ListKind;
use crate::time::Timestamp;

/// One feed, as last loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedStatus {
    /// The feed's name: the file's stem.
    pub name: Text,
    /// What being listed means.
    pub kind: ListKind,
    /// Its format; `None` while it was never read.
    pub format: Option<FeedFormat>,
    /// Entries in use.
    pub entries: usize,
    /// Entries left out, by reason.
    pub dropped: Dropped,
    /// The newest moment that the feed itself mentions; `None` if it has no dates.
    pub newest: Option<Timestamp>,
    /// Why the last reading was refused; the entries are then those of the reading before.
    pub last_error: Option<String>,
}

impl FeedStatus {
    /// How old the newest thing in the feed is at `now`, milliseconds; never negative.
    pub fn age_ms(&self, now: Timestamp) -> Option<i64> {
        self.newest.map(|newest| now.since(newest).max(0))
    }
}
