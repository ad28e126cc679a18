//! Durable alert lines go on to the sinks.
use super::writer::Listener;
use crate::alert::sinks::dispatch::Feed;

impl Listener for Feed {
    fn delivered(&mut self, number: u64, line: &[u8]) {
        self.deliver(number, line);
    }
}
