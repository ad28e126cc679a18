//! A file that grows is split as far as it is there.
use super::super::scan::{Scan, ScanEnd};
use super::{Container, Mode, Splitter, Step};

impl Splitter {
    /// A step over a window behind which nothing is there *yet*: what is whole by its own brackets
    /// is given out, and nothing is refused for what it lacks. `window` begins where
    /// [`Splitter::step`] asked for more.
    pub fn settle(&mut self, window: &[u8]) -> Step {
        let waits = matches!(self.mode, Mode::Items) && self.stack.is_empty();
        if !waits || window.first() != Some(&b'{') {
            return Step::More;
        }
        match Scan::object(0).run(window) {
            ScanEnd::Complete | ScanEnd::Records => self.object(window, false, 0, Scan::object(0)),
            // The line is judged as ever once it is over.
            ScanEnd::Partial | ScanEnd::Broken | ScanEnd::TooDeep => Step::More,
        }
    }

    /// For a place at a record of a file that begins with `head`: its records are taken to lie in
    /// the same kind of container as its first one. `None` if there is no record in `head`.
    pub fn inside_of(head: &[u8]) -> Option<Splitter> {
        let mut splitter = Splitter::default();
        let mut at = 0;
        loop {
            let window = head.get(at..)?;
            match splitter.step(window, false) {
                Step::Record { .. } => break,
                Step::Refused { end, .. } => at += end,
                Step::Skip(bytes) => at += bytes,
                Step::More => match splitter.settle(window) {
                    Step::Record { .. } => break,
                    Step::Skip(bytes) => at += bytes,
                    _ => return None,
                },
                Step::End => return None,
            }
        }
        let stack: Vec<Container> = splitter.stack;
        // Brackets that the guess does not explain are no news.
        Some(Splitter { stack, at_start: false, resynced: true, ..Splitter::default() })
    }
}
