//! What the tenant knows of a principal beyond this account: published at event-time midnight,
//! immutable, shared by all accounts.
use crate::event::PrincipalType;
use crate::ids::PrincipalId;
use crate::profile::KeysProfile;

/// One principal's habits over the whole tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryEntry {
    /// Who.
    pub principal: PrincipalId,
    /// Kind of principal.
    pub principal_type: PrincipalType,
    /// Accounts on which it reads keys regularly.
    pub accounts: u32,
    /// Subscriptions in which it reads keys.
    pub subscriptions: u32,
    /// Runs so far.
    pub runs: u32,
    /// Days with key reads, decayed.
    pub days: f64,
    /// Days, decayed, on which it went beyond its set of accounts after its first days.
    pub expansions: f64,
    /// First day seen (days since the epoch).
    pub first_day: i64,
    /// Last day seen.
    pub last_day: i64,
}

impl DirectoryEntry {
    /// Probability that a day's work of this principal touches an account that it never touched.
    pub fn expansion_probability(&self, profile: &KeysProfile) -> f64 {
        profile.expansion.predictive(self.expansions, self.days)
    }
}

/// All key-reading principals of a tenant as of one midnight, ascending by principal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrincipalDirectory {
    /// The midnight (days since the epoch) it was made at.
    pub day: i64,
    pub(crate) entries: Vec<DirectoryEntry>,
}

impl PrincipalDirectory {
    /// From entries in any order; of equal principals (several tenants) the busiest stays.
    pub fn new(day: i64, mut entries: Vec<DirectoryEntry>) -> Self {
        entries.sort_by(|a, b| {
            (&a.principal, std::cmp::Reverse((a.accounts, a.runs, a.last_day)))
                .cmp(&(&b.principal, std::cmp::Reverse((b.accounts, b.runs, b.last_day))))
        });
        entries.dedup_by(|later, kept| later.principal == kept.principal);
        PrincipalDirectory { day, entries }
    }
    /// One principal's habits, if it has any.
    pub fn get(&self, principal: &PrincipalId) -> Option<&DirectoryEntry> {
        let at = self.entries.binary_search_by(|e| e.principal.cmp(principal)).ok()?;
        self.entries.get(at)
    }
    /// Ascending by principal.
    pub fn entries(&self) -> &[DirectoryEntry] {
        &self.entries
    }
}
