//! What goes to the accounts and what comes back, each in an order that threads cannot change.
use std::collections::HashMap;

use crate::account::message::{Graded, HourRecord, Outcome, Routed};
use crate::baseline::prior::Contribution;
use crate::ids::AccountId;

/// What the accounts said since the last tick, in the order in which everything downstream takes
/// it.
#[derive(Debug, Default)]
pub struct TickHarvest {
    /// Graded findings by (decided, account, kind, sequence).
    pub findings: Vec<(AccountId, Graded)>,
    /// Contributions by (day, account).
    pub contributions: Vec<(i64, AccountId, Contribution)>,
    /// Closed hours by account.
    pub hours: Vec<(AccountId, HourRecord)>,
}

impl TickHarvest {
    /// Takes in what one account said.
    pub(super) fn gather(&mut self, account: &AccountId, outcome: Outcome) {
        self.findings.extend(outcome.findings.into_iter().map(|g| (account.clone(), g)));
        self.contributions
            .extend(outcome.contributions.into_iter().map(|(d, c)| (d, account.clone(), c)));
        self.hours.extend(outcome.hours.into_iter().map(|r| (account.clone(), r)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.contributions.is_empty() && self.hours.is_empty()
    }

    /// The same, in its order.
    pub(super) fn sorted(mut self) -> TickHarvest {
        sort_findings(&mut self.findings);
        self.contributions.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        self.hours.sort_by(|a, b| (&a.0, a.1.hour).cmp(&(&b.0, b.1.hour)));
        self
    }
}

/// Sorts findings by (decided, account, kind, sequence).
pub(super) fn sort_findings(findings: &mut [(AccountId, Graded)]) {
    findings.sort_by(|(a, x), (b, y)| {
        (x.finding.decided, a, x.finding.kind, x.sequence).cmp(&(
            y.finding.decided,
            b,
            y.finding.kind,
            y.sequence,
        ))
    });
}

/// Groups a chunk by account; stream order inside an account, accounts ascending.
pub(super) fn group(events: Vec<Routed>) -> Vec<(AccountId, Vec<Routed>)> {
    let mut index: HashMap<AccountId, usize> = HashMap::new();
    let mut groups: Vec<(AccountId, Vec<Routed>)> = Vec::new();
    for routed in events {
        let Some(account) = &routed.event.account else { continue };
        let at = match index.get(account) {
            Some(at) => *at,
            None => {
                index.insert(account.clone(), groups.len());
                groups.push((account.clone(), Vec::new()));
                groups.len() - 1
            }
        };
        groups[at].1.push(routed);
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    groups
}
