//! What the tenant knows of a principal beyond this account: published at event-time midnight,
//! immutable, shared by all accounts.
use std::sync::Arc;

use crate::event::PrincipalType;
use crate::ids::PrincipalId;
use crate::profile::KeysProfile;

/// Midnights whose directories are kept: accounts never lag further behind the tenant.
const DIRECTORIES_KEPT: usize = 8;

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

/// The published directories by midnight. Cheap to clone; carried by every batch.
#[derive(Clone, Debug, Default)]
pub struct DirectoryTable {
    days: Arc<Vec<Arc<PrincipalDirectory>>>,
}

impl DirectoryTable {
    /// The directory that events of `day` are judged with: the newest made *before* that day's
    /// midnight, so that everyone sees the same one whatever the order; an empty one if none is
    /// older.
    pub fn for_day(&self, day: i64) -> Arc<PrincipalDirectory> {
        let end = self.days.partition_point(|d| d.day < day);
        match end.checked_sub(1).and_then(|last| self.days.get(last)) {
            Some(directory) => Arc::clone(directory),
            None => Arc::new(PrincipalDirectory::default()),
        }
    }
    /// Adds a directory; days must rise. The oldest beyond the last eight are dropped.
    pub fn publish(&mut self, directory: Arc<PrincipalDirectory>) {
        let mut days = (*self.days).clone();
        days.push(directory);
        let surplus = days.len().saturating_sub(DIRECTORIES_KEPT);
        days.drain(..surplus);
        self.days = Arc::new(days);
    }
}
