//! The population: each account's last contribution, and the priors made of them.
use super::packed::Packed;
use crate::baseline::prior::{Contribution, Priors};
use crate::ids::AccountId;

/// The model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetModel {
    /// Last contribution of each account, sleepers included, by account key.
    members: Vec<Packed>,
    /// Day of the newest priors.
    pub(crate) published: i64,
}

impl FleetModel {
    /// A model that goes on from what it knew.
    pub(crate) fn restore(
        contributions: Vec<(i64, AccountId, Contribution)>,
        published: i64,
    ) -> FleetModel {
        let mut model = FleetModel { members: Vec::new(), published };
        model.contribute(contributions);
        model
    }

    /// Takes in contributions, each for a day; one that is older than what is known of its account
    /// is ignored, of two for the same day the later counts.
    pub fn contribute(&mut self, contributions: Vec<(i64, AccountId, Contribution)>) {
        if contributions.is_empty() {
            return;
        }
        self.members.reserve_exact(contributions.len());
        let packed = contributions.iter().map(|(day, account, c)| Packed::new(*day, account, c));
        self.members.extend(packed);
        // Stable, and quick on runs that are sorted already.
        self.members.sort_by(|a, b| (a.key(), a.day()).cmp(&(b.key(), b.day())));
        self.members.dedup_by(|later, kept| {
            let same = later.key() == kept.key();
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        self.members.shrink_to_fit();
    }

    /// Replaces what is known of `account`; `None`: it has never contributed.
    pub fn replace(&mut self, account: &AccountId, last: Option<(i64, Contribution)>) {
        self.members.retain(|member| member.account() != *account);
        self.contribute(last.into_iter().map(|(day, c)| (day, account.clone(), c)).collect());
    }

    /// The last contribution of `account`, with its day.
    pub fn last_of(&self, account: &AccountId) -> Option<(i64, Contribution)> {
        let member = self.members.iter().find(|member| member.account() == *account)?;
        Some((member.day(), member.contribution()))
    }

    /// The priors of the midnight that begins `day`, once: in account order, so that equal
    /// contributions give equal bits.
    pub fn publish(&mut self, day: i64) -> Option<Priors> {
        if day <= self.published || self.members.is_empty() {
            return None;
        }
        self.published = day;
        let contributions: Vec<Contribution> =
            self.members.iter().map(Packed::contribution).collect();
        Some(Priors::from_contributions(day, contributions.iter()))
    }

    /// Last contributions with their days, by account.
    pub(crate) fn contributions(&self) -> impl Iterator<Item = (AccountId, i64, Contribution)> {
        self.members.iter().map(|p| (p.account(), p.day(), p.contribution()))
    }

    /// Accounts that contributed.
    pub fn accounts(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::location::LocationContribution;
    use crate::ids::Cloud;

    fn said(day: i64, name: &str, exposure_days: f64) -> (i64, AccountId, Contribution) {
        let location = LocationContribution { exposure_days, ..LocationContribution::default() };
        let contribution = Contribution { egress: None, location: Some(location) };
        (day, AccountId::new(name, Cloud::Public), contribution)
    }

    #[test]
    fn the_newest_contribution_of_each_account_counts() {
        let mut fleet = FleetModel::default();
        fleet.contribute(vec![said(3, "b", 3.0), said(4, "a", 4.0)]);
        fleet.contribute(vec![said(2, "a", 2.0), said(3, "b", 3.5), said(5, "c", 5.0)]);
        let known: Vec<(String, i64, f64)> = fleet
            .contributions()
            .map(|(a, day, c)| (a.to_string(), day, c.location.unwrap().exposure_days))
            .collect();
        let expected = [("a", 4, 4.0), ("b", 3, 3.5), ("c", 5, 5.0)];
        assert_eq!(known, expected.map(|(a, day, e)| (a.to_owned(), day, e)));
        assert_eq!(fleet.accounts(), 3);
    }

    #[test]
    fn a_day_is_published_once() {
        let mut fleet = FleetModel::default();
        assert!(fleet.publish(9).is_none(), "nobody has said anything");
        fleet.contribute(vec![said(8, "a", 8.0)]);
        assert!(fleet.publish(9).is_some_and(|priors| priors.day == 9));
        assert!(fleet.publish(9).is_none());
        assert!(fleet.publish(8).is_none());
    }
}
