//! Accounts as the store holds them.
use std::collections::BTreeSet;

use crate::account::model::AccountModel;
use crate::account::view::{self, Brief};
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::store::schema::account;
use crate::store::untaught::{self, Untaught};
use crate::store::{StateStore, StoreError, keys};

/// One account of a fleet.
pub struct Member {
    /// Its line.
    pub brief: Brief,
    /// What it is blind to.
    pub blind: Vec<view::Blindness>,
}

/// All accounts that the store holds, ascending, and how many do not open.
pub struct Fleet {
    /// The accounts.
    pub members: Vec<Member>,
    /// Stored models that do not open.
    pub damaged: usize,
    /// What accounts did not learn.
    pub untaught: Vec<(AccountId, Untaught)>,
}

/// Visits every stored model; returns how many do not open.
pub fn each(
    store: &dyn StateStore,
    visit: &mut dyn FnMut(AccountModel),
) -> Result<usize, StoreError> {
    let mut damaged = 0;
    store.scan(keys::ACCOUNT, &mut |_, sealed| {
        match account::open(sealed) {
            Ok(model) => visit(model),
            Err(_) => damaged += 1,
        }
        true
    })?;
    Ok(damaged)
}

/// Names of all accounts that have a stored model, without their cloud.
///
/// # Errors
/// The store failed.
pub fn names(store: &dyn StateStore) -> Result<BTreeSet<String>, StoreError> {
    let mut names = BTreeSet::new();
    store.scan(keys::ACCOUNT, &mut |key, _| {
        names.extend(keys::named(key, keys::ACCOUNT).map(|id| id.name().to_owned()));
        true
    })?;
    Ok(names)
}

/// Reads them.
pub fn load(store: &dyn StateStore, profile: &Profile) -> Result<Fleet, StoreError> {
    let mut members = Vec::new();
    let damaged = each(store, &mut |model| {
        members.push(Member { brief: model.brief(profile), blind: model.blindness() });
    })?;
    Ok(Fleet { members, damaged, untaught: untaught::all(store)? })
}

impl Fleet {
    /// `33 mature, 5 provisional, 2 learning`.
    pub fn states(&self) -> String {
        let mut parts = Vec::new();
        for state in ["mature", "degraded", "provisional", "learning"] {
            let count = self.members.iter().filter(|m| m.brief.state == state).count();
            if count > 0 {
                parts.push(format!("{count} {state}"));
            }
        }
        if self.damaged > 0 {
            parts.push(format!("{} damaged", self.damaged));
        }
        parts.join(", ")
    }

    /// What accounts do not send, with how many: `Activity log by 7`.
    pub fn blind(&self) -> Vec<String> {
        let mut counts: Vec<(view::Blindness, usize)> = Vec::new();
        for blind in self.members.iter().flat_map(|m| m.blind.iter().copied()) {
            match counts.iter_mut().find(|(known, _)| *known == blind) {
                Some((_, count)) => *count += 1,
                None => counts.push((blind, 1)),
            }
        }
        counts.into_iter().map(|(b, n)| format!("{} by {n}", b.missing)).collect()
    }

    /// Hours without logs, and on how many accounts.
    pub fn gaps(&self) -> (u32, usize) {
        let gaps = self.members.iter().map(|m| m.brief.gap_hours).filter(|h| *h > 0);
        (gaps.clone().sum(), gaps.count())
    }
}
