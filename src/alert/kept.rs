//! What is kept of an alert's records, so that they can be shown and proved after the desk has
//! forgotten the story.
use crate::event::{Place, Records};
use crate::ids::AccountId;
use crate::limits::RECORDS_SAMPLED_MAX;
use crate::time::Timestamp;

/// Most records of one alert: the first, the last and the sample.
pub const KEPT_MAX: usize = RECORDS_SAMPLED_MAX + 2;

/// A story's account and the records that stand for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Touched {
    /// Filed under this account.
    pub account: AccountId,
    /// Its first event.
    pub start: Timestamp,
    /// Its records.
    pub records: Records,
}

/// The records of one alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Key of the account that it is filed under.
    pub account: String,
    /// Its first event.
    pub start: Timestamp,
    /// Number and name of each file that its records lie in, ascending.
    pub sources: Vec<(u32, String)>,
    /// Its records, ascending by place; at most [`KEPT_MAX`].
    pub records: Vec<KeptRecord>,
    /// Their redacted forms, packed, in the same order.
    pub redacted: Vec<u8>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// Its time, or at most a cell's length before it.
    pub time: Timestamp,
    /// Where it was read.
    pub place: Place,
    /// It is the story's first.
    pub first: bool,
    /// It is the story's last.
    pub last: bool,
    /// What was found there when the alert was stored.
    pub found: Found,
}

/// What was found at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Bytes with this SHA-256.
    Bytes([u8; 32]),
    /// Nothing, and why.
    Nothing(NotRead),
}

/// Why a record could not be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRead {
    /// It came from standard input or was made: there is nowhere to read it again.
    Nowhere,
    /// The file is gone, or cannot be read.
    Missing,
    /// Another file lies where it was.
    Another,
    /// The file ends before the record does.
    Short,
    /// It was not tried.
    NotTried,
}

impl NotRead {
    /// Every reason; the position is the stored form.
    pub const ALL: [NotRead; 5] =
        [NotRead::Nowhere, NotRead::Missing, NotRead::Another, NotRead::Short, NotRead::NotTried];
    /// A word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            NotRead::Nowhere => "not addressable",
            NotRead::Missing => "file missing",
            NotRead::Another => "another file",
            NotRead::Short => "file too short",
            NotRead::NotTried => "not read",
        }
    }
}

impl Kept {
    /// The records of `touched` that can be named, none of them read yet.
    pub fn unread(touched: &Touched) -> Kept {
        let records = &touched.records;
        let ends = [records.first, records.last];
        let mut all: Vec<(Timestamp, Place)> =
            ends.into_iter().flatten().chain(records.sampled().iter().copied()).collect();
        // Of one place the ends come first: their time is exact.
        all.sort_by_key(|(_, place)| *place);
        all.dedup_by_key(|(_, place)| *place);
        let is = |end: Option<(Timestamp, Place)>, place| end.is_some_and(|(_, p)| p == place);
        let record = |(time, place): (Timestamp, Place)| KeptRecord {
            time,
            place,
            first: is(records.first, place),
            last: is(records.last, place),
            found: Found::Nothing(NotRead::NotTried),
        };
        Kept {
            account: touched.account.key(),
            start: touched.start,
            sources: Vec::new(),
            records: all.into_iter().map(record).collect(),
            redacted: Vec::new(),
        }
    }

    /// The name of the file that `place` lies in.
    pub fn source(&self, place: Place) -> Option<&str> {
        let number = place.source()?;
        self.sources.iter().find(|(n, _)| *n == number).map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_marked_and_every_place_comes_once() {
        let at = |time, offset| (Timestamp(time), Place::new(3, offset, 5));
        let mut records = Records::between(at(100, 50), at(900, 10));
        records.sample(Timestamp(80), Place::new(3, 50, 5));
        records.sample(Timestamp(500), Place::new(3, 20, 5));
        let touched =
            Touched { account: AccountId::parse("public/a"), start: Timestamp(100), records };
        let kept = Kept::unread(&touched);
        let seen: Vec<_> = kept
            .records
            .iter()
            .map(|r| (r.place.offset(), r.time.millis(), r.first, r.last))
            .collect();
        assert_eq!(seen, [(10, 900, false, true), (20, 500, false, false), (50, 100, true, false)]);
    }
}
