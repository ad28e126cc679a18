//! When a tick is held: whenever the watermark comes to another hour.
use crate::limits;
use crate::time::Timestamp;

/// The last tick: its number since the epoch, and the day it lay in.
pub type LastTick = Option<(i64, i64)>;

/// A tick to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When.
    pub at: Timestamp,
    /// The day that begins, if it is the first tick of one.
    pub midnight: Option<i64>,
}

/// The tick that is due when the watermark has come to `watermark`; notes it in `last`.
pub fn due(last: &mut LastTick, watermark: Timestamp) -> Option<Tick> {
    if watermark == Timestamp::MIN {
        return None;
    }
    let number = watermark.millis().div_euclid(limits::TICK_MS);
    let at = time_of(number);
    match *last {
        Some((before, _)) if number <= before => None,
        before => {
            *last = Some((number, at.day()));
            let (_, day) = before?;
            Some(Tick { at, midnight: (at.day() > day).then_some(at.day()) })
        }
    }
}

/// When tick `number` is held.
pub fn time_of(number: i64) -> Timestamp {
    Timestamp(number.saturating_mul(limits::TICK_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY_MS, HOUR_MS};

    #[test]
    fn the_first_hour_is_only_noted_and_no_hour_comes_twice() {
        let mut last = None;
        assert_eq!(due(&mut last, Timestamp::MIN), None);
        let start = 3 * DAY_MS - 2 * HOUR_MS;
        assert_eq!(due(&mut last, Timestamp(start + 5)), None);
        assert_eq!(due(&mut last, Timestamp(start + HOUR_MS - 1)), None);
        let next = Tick { at: Timestamp(start + HOUR_MS), midnight: None };
        assert_eq!(due(&mut last, Timestamp(start + HOUR_MS + 7)), Some(next));
        let jump = Tick { at: Timestamp(3 * DAY_MS + HOUR_MS), midnight: Some(3) };
        assert_eq!(due(&mut last, jump.at), Some(jump));
        assert_eq!(due(&mut last, Timestamp(start)), None, "never back");
        assert_eq!(last, Some((jump.at.millis() / HOUR_MS, 3)));
    }
}
