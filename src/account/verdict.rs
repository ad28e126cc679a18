//! What an hour keeps of its findings for `why-not`: how near they came to an alert, and what held
//! them back. Two bytes a test, because an account carries them.
use crate::detect::{Ceiling, Severity};
use crate::severity::{BANDS, Judgement, NotHigher};

use super::message::surprise_code;

/// What came of the findings of one test in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// There was none.
    #[default]
    None,
    /// More ordinary than Low.
    TooOrdinary,
    /// It earned a severity and a bound held it.
    Silent(Severity, Hold),
    /// An alert of this severity.
    Raised(Severity),
}

/// What holds a finding back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // as in `detect::Ceiling`
pub enum Hold {
    /// The kind raises nothing so low.
    Floor,
    /// The kind's highest severity.
    Cap,
    VolumeAlone,
    NeedsAnotherKind,
    PlaceKnown,
    NotMature,
    WithoutText,
}

impl Hold {
    const ALL: [Hold; 7] = [
        Hold::Floor,
        Hold::Cap,
        Hold::VolumeAlone,
        Hold::NeedsAnotherKind,
        Hold::PlaceKnown,
        Hold::NotMature,
        Hold::WithoutText,
    ];

    fn of(bound: Option<NotHigher>) -> Hold {
        match bound {
            Some(NotHigher::KindCap) => Hold::Cap,
            Some(NotHigher::Ceiling(ceiling)) => match ceiling {
                Ceiling::VolumeAlone => Hold::VolumeAlone,
                Ceiling::NeedsAnotherKind => Hold::NeedsAnotherKind,
                Ceiling::PlaceKnown => Hold::PlaceKnown,
                Ceiling::NotMature => Hold::NotMature,
                Ceiling::WithoutText => Hold::WithoutText,
            },
            _ => Hold::Floor,
        }
    }

    /// In words, to be read after "held back: ".
    pub fn as_str(self) -> &'static str {
        match self {
            Hold::Floor => "it is more ordinary than what this kind raises",
            Hold::Cap => "this kind reaches no higher",
            Hold::VolumeAlone => "volume alone, to callers that it serves anyway",
            Hold::NeedsAnotherKind => "no other kind of finding stood beside it",
            Hold::PlaceKnown => "the place is rare here, not new",
            Hold::NotMature => "the baseline is not mature",
            Hold::WithoutText => "failed queries are judged without their text",
        }
    }
}

impl Fate {
    /// Of one finding.
    pub fn of(judgement: &Judgement) -> Fate {
        match judgement {
            Judgement::Raised(grade) => Fate::Raised(grade.severity),
            Judgement::Silent { earned, bound } => Fate::Silent(*earned, Hold::of(*bound)),
            Judgement::TooOrdinary => Fate::TooOrdinary,
            Judgement::Unknown => Fate::None,
        }
    }

    fn code(self) -> u8 {
        match self {
            Fate::None => 0,
            Fate::TooOrdinary => 1,
            Fate::Silent(earned, hold) => 0x40 | (earned as u8) << 4 | hold as u8,
            Fate::Raised(severity) => 0x80 | (severity as u8) << 4,
        }
    }

    fn of_code(code: u8) -> Fate {
        let severity = BANDS.get(usize::from(code >> 4 & 3)).copied();
        let hold = Hold::ALL.get(usize::from(code & 15)).copied();
        match (code >> 6, severity, hold) {
            (2, Some(severity), _) => Fate::Raised(severity),
            (1, Some(severity), Some(hold)) => Fate::Silent(severity, hold),
            (0, _, _) if code == 1 => Fate::TooOrdinary,
            _ => Fate::None,
        }
    }
}

/// The finding of one test in one hour that came nearest to an alert: what became of it, and its
/// p·r as [`surprise_code`]. Ordered by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearest {
    /// What became of it.
    pub fate: Fate,
    /// Its p·r.
    pub per_day: u8,
}

impl Nearest {
    /// Of one finding with this p·r.
    pub fn of(judgement: &Judgement, nominal_per_day: f64) -> Nearest {
        Nearest { fate: Fate::of(judgement), per_day: surprise_code(nominal_per_day) }
    }

    /// As stored.
    pub fn bytes(self) -> [u8; 2] {
        [self.fate.code(), self.per_day]
    }

    /// From [`Nearest::bytes`]; what is none is nothing.
    pub fn of_bytes([fate, per_day]: [u8; 2]) -> Nearest {
        Nearest { fate: Fate::of_code(fate), per_day }
    }
}

/// What an hour had of queries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HourQueries {
    /// The text of one was logged.
    pub texts: bool,
    /// Queries that the account did not know, as [`count_code`].
    pub new: u8,
    /// Requests refused as malformed, as [`count_code`].
    pub malformed: u8,
    /// Signs of the new ones, as a set.
    pub signs: u32,
}

impl HourQueries {
    /// Adds a cell's.
    pub fn add(&mut self, texts: bool, new: usize, malformed: u64, signs: u32) {
        self.texts |= texts;
        self.new = count_code(count_of(self.new) + new as u64);
        self.malformed = count_code(count_of(self.malformed).saturating_add(malformed));
        self.signs |= signs;
    }
}

/// A count in a byte: exact to 20, then in steps of less than a twentieth, up to some 60,000.
pub fn count_code(count: u64) -> u8 {
    ((count as f64 + 1.0).log2() * 16.0).round().min(255.0) as u8
}

/// The count of a code.
pub fn count_of(code: u8) -> u64 {
    ((f64::from(code) / 16.0).exp2() - 1.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let severities = BANDS.into_iter();
        let silent = severities.clone().flat_map(|s| Hold::ALL.map(|hold| Fate::Silent(s, hold)));
        let fates = [Fate::None, Fate::TooOrdinary].into_iter().chain(silent);
        for fate in fates.chain(severities.map(Fate::Raised)) {
            let nearest = Nearest { fate, per_day: 77 };
            assert_eq!(Nearest::of_bytes(nearest.bytes()), nearest);
        }
        assert_eq!(Nearest::of_bytes([0xff, 3]).fate, Fate::None);
        assert!(Fate::Raised(Severity::Low) > Fate::Silent(Severity::High, Hold::NotMature));
    }

    #[test]
    fn small_counts_are_exact_and_large_ones_near() {
        for count in 0..20 {
            assert_eq!(count_of(count_code(count)), count);
        }
        let large = count_of(count_code(5_000));
        assert!((4_800..5_200).contains(&large), "{large}");
        let mut hour = HourQueries::default();
        (0..10).for_each(|_| hour.add(true, 1, 0, 4));
        assert_eq!((count_of(hour.new), hour.texts, hour.signs), (10, true, 4));
    }
}
