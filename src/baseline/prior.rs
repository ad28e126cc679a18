//! What the population says, for accounts that cannot speak for themselves yet: numbered by day,
//! computed by the fleet at event-time midnight, shipped values where none is published.
use std::sync::Arc;

/// Population priors in force for one day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Priors {
    /// The midnight (days since the epoch) at which they were computed; 0 = shipped.
    pub day: i64,
    /// Places.
    pub location: super::location::LocationPrior,
}

/// What one account gives to the population at its midnight: small, bounded, order-free to merge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contribution {
    /// Places, once the account has any.
    pub location: Option<super::location::LocationContribution>,
}

/// The published priors by day. Cheap to clone; carried by every batch.
#[derive(Clone, Debug, Default)]
pub struct PriorTable {
    days: Arc<Vec<Arc<Priors>>>,
}

impl PriorTable {
    /// The priors that a midnight of `day` may use: the newest computed *before* it, so that
    /// everyone who rolls over at `day` sees the same ones whatever the order; shipped ones if
    /// none is older.
    pub fn for_midnight(&self, day: i64) -> Arc<Priors> {
        let end = self.days.partition_point(|p| p.day < day);
        if end == 0 { Arc::new(Priors::default()) } else { Arc::clone(&self.days[end - 1]) }
    }
    /// Adds priors; days must rise.
    pub fn publish(&mut self, priors: Priors) {
        let mut days = (*self.days).clone();
        days.push(Arc::new(priors));
        self.days = Arc::new(days);
    }
}
