//! Single accounts whose stored model is damaged, in a store that is otherwise what it should be.
use super::ladder::SnapshotSource;
use super::recovery::{Fate, Recovery};
use super::schema::{account, run};
use super::verify::Damage;
use super::{StateStore, StoreError, WriteBatch, display_ring, keys};
use crate::account::model::AccountModel;
use crate::alert::dedup::{DeskState, Lane};
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Puts the newest model that can be had in the place of each damaged one, or none; says so in
/// `report`.
///
/// The desk ignores numbers that it has seen. A model of before would give out such numbers again,
/// and its next findings would be swallowed: it goes on after the last one seen. A fresh model
/// begins at one, so the desk forgets what it saw.
///
/// # Errors
/// The store failed.
pub fn accounts(
    store: &dyn StateStore,
    damaged: &[Damage],
    snapshots: &mut dyn SnapshotSource,
    report: &mut Recovery,
) -> Result<(), StoreError> {
    let sealed_staged = store.get(&keys::staged_good())?.is_some();
    let run = run::summary(store)?;
    let mut desk = run::desk(store)?;
    let mut batch = WriteBatch::default();
    for Damage { key, cause } in damaged {
        batch.delete(key.clone());
        let staged = keys::named(key, keys::STAGED);
        let Some(id) = keys::named(key, keys::ACCOUNT).or_else(|| staged.clone()) else { continue };
        // What is not in use: a staged model that no checkpoint took in, or one that a staged one
        // replaces.
        if (staged.is_some() && !sealed_staged)
            || (staged.is_none() && sealed_staged && good(store, &keys::staged(&id))?.is_some())
        {
            continue;
        }
        report.why.push(format!("model of `{}`: {cause}", id.key()));
        let kept = if staged.is_some() { good(store, &keys::account(&id))? } else { None };
        match kept.or_else(|| from_snapshots(snapshots, &id)) {
            Some(model) => {
                let since = model.now();
                replace(&mut batch, model, &desk)?;
                report.lose(&id, Fate::Older, Some(since), Some(run.watermark));
            }
            None => {
                batch.delete(keys::account(&id));
                display_ring::forget(store, &id, &mut batch)?;
                desk.seen.remove(&(Lane::Account, id.clone()));
                report.lose(&id, Fate::Afresh, None, Some(run.watermark));
            }
        }
    }
    run::put_desk(&mut batch, &desk)?;
    store.write(batch)
}

fn replace(
    batch: &mut WriteBatch,
    mut model: AccountModel,
    desk: &DeskState,
) -> Result<(), StoreError> {
    let id = model.id().clone();
    let seen = desk.seen.get(&(Lane::Account, id.clone())).copied().unwrap_or(0);
    model.sequence = model.sequence.max(seen);
    let key = keys::account(&id);
    let damaged =
        |cause| StoreError::Damaged { key: String::from_utf8_lossy(&key).into_owned(), cause };
    let sealed = account::seal(&model).map_err(damaged)?;
    batch.put(key, sealed);
    Ok(())
}

fn good(store: &dyn StateStore, key: &[u8]) -> Result<Option<AccountModel>, StoreError> {
    Ok(store.get(key)?.and_then(|sealed| account::open(&sealed).ok()))
}

fn from_snapshots(snapshots: &mut dyn SnapshotSource, id: &AccountId) -> Option<AccountModel> {
    for candidate in snapshots.newest_first() {
        if let Ok(Some(sealed)) = snapshots.account(&candidate.name, id)
            && let Ok(model) = account::open(&sealed)
        {
            return Some(model);
        }
    }
    None
}

/// Names all accounts that are not what they were after the whole store was replaced: `before`
/// are the names that could be read of the damaged one.
///
/// # Errors
/// The store failed.
pub fn name_all(
    store: &dyn StateStore,
    before: &[AccountId],
    reaches: Option<Timestamp>,
    report: &mut Recovery,
) -> Result<(), StoreError> {
    let mut there = Vec::new();
    store.scan(keys::ACCOUNT, &mut |key, _| {
        there.extend(keys::named(key, keys::ACCOUNT));
        true
    })?;
    there.sort_unstable();
    for id in &there {
        report.lose(id, Fate::Older, reaches, None);
    }
    for id in before.iter().filter(|id| there.binary_search(id).is_err()) {
        report.lose(id, Fate::Afresh, reaches, None);
    }
    Ok(())
}
