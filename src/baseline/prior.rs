//! What the population says, for accounts that cannot speak for themselves yet: numbered by day,
//! computed by the fleet at event-time midnight, shipped values where none is published.

/// Population priors in force for one day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Priors {
    /// The midnight (days since the epoch) at which they were computed; 0 = shipped.
    pub day: i64,
    /// Volume.
    pub egress: super::egress::EgressPrior,
    /// Places.
    pub location: super::location::LocationPrior,
}

/// What one account gives to the population at its midnight: small, bounded, order-free to merge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contribution {
    /// Volume, on days with logs.
    pub egress: Option<super::egress::EgressContribution>,
    /// Places, once it has taught any.
    pub location: Option<super::location::LocationContribution>,
}

impl Priors {
    /// The priors of the midnight that begins `day`, from the accounts' contributions in account
    /// order.
    pub fn from_contributions<'a>(
        day: i64,
        contributions: impl Iterator<Item = &'a Contribution> + Clone,
    ) -> Priors {
        let volumes: Vec<_> = contributions.clone().filter_map(|c| c.egress.clone()).collect();
        Priors {
            day,
            egress: super::egress::EgressPrior::from_contributions(&volumes),
            location: super::location::LocationPrior::fit(
                contributions.filter_map(|c| c.location.as_ref()),
            ),
        }
    }
}
