//! What the population or a tenant publishes at event-time midnights: immutable, numbered by day,
//! shared by every batch. A reader of day `d` sees the newest value published *before* `d`, so
//! everyone sees the same one whatever the arrival order, sleep or thread.
use std::sync::Arc;

use crate::limits;

/// Values by the midnight (days since the epoch) at which they were published.
#[derive(Debug)]
pub struct ByDay<T> {
    days: Arc<Vec<(i64, Arc<T>)>>,
    shipped: Arc<T>,
}

impl<T> Clone for ByDay<T> {
    fn clone(&self) -> Self {
        ByDay { days: Arc::clone(&self.days), shipped: Arc::clone(&self.shipped) }
    }
}

impl<T: Default> Default for ByDay<T> {
    fn default() -> Self {
        ByDay { days: Arc::default(), shipped: Arc::default() }
    }
}

impl<T> ByDay<T> {
    /// Nothing published yet: `shipped` applies.
    pub fn new(shipped: T) -> Self {
        ByDay { days: Arc::default(), shipped: Arc::new(shipped) }
    }
    /// The newest value published before `day`; the shipped one if none is.
    pub fn before(&self, day: i64) -> &Arc<T> {
        let end = self.days.partition_point(|(d, _)| *d < day);
        if end == 0 { &self.shipped } else { &self.days[end - 1].1 }
    }
    /// Adds the value published at midnight of `day`; a day already there is left alone.
    pub fn publish(&mut self, day: i64, value: Arc<T>) {
        if self.days.last().is_some_and(|(d, _)| *d >= day) {
            return;
        }
        let days = Arc::make_mut(&mut self.days);
        days.push((day, value));
        let old = days.partition_point(|(d, _)| *d < day.saturating_sub(limits::PUBLISHED_DAYS));
        // The last of the old ones is that of the first day that is kept.
        days.drain(..old.saturating_sub(1));
    }
    /// Everything that is kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Arc<T>)> {
        self.days.iter().map(|(d, v)| (*d, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes() {
        let mut by_day = ByDay::new(-1);
        (0..1000).for_each(|day| by_day.publish(day, Arc::new(day)));
        assert_eq!(by_day.iter().count() as i64, limits::PUBLISHED_DAYS + 2);
        assert_eq!(by_day.iter().next().unwrap().0, 998 - limits::PUBLISHED_DAYS);
        assert_eq!((**by_day.before(1000), **by_day.before(700)), (999, 699));
        assert_eq!(**by_day.before(5), -1, "as if none had been published by then");
    }

    #[test]
    fn a_day_sees_only_what_was_published_before_it() {
        let mut by_day = ByDay::new("shipped");
        by_day.publish(10, Arc::new("ten"));
        by_day.publish(12, Arc::new("twelve"));
        by_day.publish(12, Arc::new("ignored"));
        let seen: Vec<&str> = (9..15).map(|d| **by_day.before(d)).collect();
        assert_eq!(seen, ["shipped", "shipped", "ten", "ten", "twelve", "twelve"]);
    }
}
