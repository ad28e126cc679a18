//! How far event time has come: pure, one per stream.
//!
//! The watermark is the newest event time seen, less the allowed lateness. One record with a
//! clock far ahead must not close everybody's cells, so a jump of more than an hour counts only
//! after several records agree on it; in a blob layout the hour being read is a bound as well.
use crate::time::{HOUR_MS, Timestamp};

/// A jump ahead by more than this needs corroboration.
const JUMP_MS: i64 = HOUR_MS;
/// Records that must stand beyond a jump before it is believed.
const WITNESSES: usize = 4;

/// Tracks the watermark of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    lateness_ms: i64,
    newest: Timestamp,
    /// Times beyond a jump that is not believed yet, ascending, fewer than [`WITNESSES`]. A sparse
    /// stream stands beyond one all the time; keeping them lets it move on with every record.
    doubted: Vec<Timestamp>,
    frontier: Option<Timestamp>,
    current: Timestamp,
}

impl Watermark {
    /// Starts before all time.
    pub fn new(lateness_ms: i64) -> Watermark {
        Watermark {
            lateness_ms,
            newest: Timestamp::MIN,
            doubted: Vec::new(),
            frontier: None,
            current: Timestamp::MIN,
        }
    }
    /// Goes on where an earlier run stopped, with the times that it had doubted, ascending.
    pub fn resume(
        lateness_ms: i64,
        newest: Timestamp,
        current: Timestamp,
        doubted: Vec<Timestamp>,
    ) -> Watermark {
        Watermark { newest, current, doubted, ..Watermark::new(lateness_ms) }
    }
    /// The bound from the source: while it stands, nothing newer counts.
    pub fn set_frontier(&mut self, frontier: Option<Timestamp>) {
        self.frontier = frontier;
        self.update();
    }
    /// Takes a record's time in stream order and returns the watermark to stamp on it.
    pub fn observe(&mut self, time: Timestamp) -> Timestamp {
        if time <= self.newest {
            return self.current;
        }
        let ahead = self.newest != Timestamp::MIN && time.since(self.newest) > JUMP_MS;
        if ahead && self.frontier.is_none() {
            self.doubt(time);
        } else {
            self.newest = time;
            self.doubted.clear();
        }
        self.update();
        self.current
    }

    /// Believes the earliest doubted time once enough records stand at or beyond it, and all that
    /// follow it without another jump.
    fn doubt(&mut self, time: Timestamp) {
        let at = self.doubted.partition_point(|t| *t <= time);
        self.doubted.insert(at, time);
        if self.doubted.len() < WITNESSES {
            return;
        }
        self.newest = self.doubted.remove(0);
        while self.doubted.first().is_some_and(|t| t.since(self.newest) <= JUMP_MS) {
            self.newest = self.doubted.remove(0);
        }
    }

    fn update(&mut self) {
        if self.newest == Timestamp::MIN {
            return;
        }
        let bound = self.frontier.map_or(self.newest, |f| self.newest.min(f));
        self.current = self.current.max(bound.plus_ms(-self.lateness_ms));
    }
    /// The watermark now.
    pub fn current(&self) -> Timestamp {
        self.current
    }
    /// Times beyond a jump that is not believed yet, ascending.
    pub fn doubted(&self) -> &[Timestamp] {
        &self.doubted
    }
    /// The newest believed event time.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    #[test]
    fn follows_the_newest_event_less_the_lateness_and_never_goes_back() {
        let mut w = Watermark::new(15 * MIN);
        assert_eq!(w.observe(Timestamp(100 * MIN)), Timestamp(85 * MIN));
        assert_eq!(w.observe(Timestamp(90 * MIN)), Timestamp(85 * MIN));
        assert_eq!(w.observe(Timestamp(101 * MIN)), Timestamp(86 * MIN));
    }

    #[test]
    fn one_clock_far_ahead_does_not_close_everything() {
        let mut w = Watermark::new(15 * MIN);
        w.observe(Timestamp(100 * MIN));
        assert_eq!(w.observe(Timestamp(9_000_000 * MIN)), Timestamp(85 * MIN));
        assert_eq!(w.observe(Timestamp(101 * MIN)), Timestamp(86 * MIN));
    }

    #[test]
    fn a_gap_that_several_records_agree_on_is_believed() {
        let mut w = Watermark::new(15 * MIN);
        w.observe(Timestamp(100 * MIN));
        let last = (0..4).map(|i| w.observe(Timestamp((1000 + i) * MIN))).last();
        assert_eq!(last, Some(Timestamp(988 * MIN)));
    }

    #[test]
    fn a_sparse_stream_moves_on_with_every_record() {
        let mut w = Watermark::new(15 * MIN);
        let stamps: Vec<i64> =
            (0..8).map(|i| w.observe(Timestamp((10_000 + 120 * i) * MIN)).0 / MIN).collect();
        let behind: Vec<i64> = (4..8).map(|i| 10_000 + 120 * i - stamps[i as usize]).collect();
        assert_eq!(behind, [375; 4], "three records and the lateness behind");
    }

    #[test]
    fn a_run_that_goes_on_counts_the_witnesses_of_the_one_before() {
        let mut whole = Watermark::new(15 * MIN);
        whole.observe(Timestamp(100 * MIN));
        for i in 0..2 {
            whole.observe(Timestamp((1000 + i) * MIN));
        }
        let mut resumed =
            Watermark::resume(15 * MIN, whole.newest(), whole.current(), whole.doubted().to_vec());
        for i in 2..12 {
            let time = Timestamp((1000 + i) * MIN);
            assert_eq!(resumed.observe(time), whole.observe(time));
        }
        assert_eq!(resumed, whole);
    }

    #[test]
    fn the_hour_being_read_is_a_bound() {
        let mut w = Watermark::new(15 * MIN);
        w.set_frontier(Some(Timestamp(60 * MIN)));
        assert_eq!(w.observe(Timestamp(119 * MIN)), Timestamp(45 * MIN));
        w.set_frontier(Some(Timestamp(120 * MIN)));
        assert_eq!(w.current(), Timestamp(104 * MIN));
    }
}
