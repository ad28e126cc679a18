//! Checkpoints of accounts, and where they lie between two checkpoints of the whole run.
//!
//! An account that falls asleep writes its state at once, but the run's positions are written
//! only with the next checkpoint of everything. If the process died in between, the records since
//! would be read again and applied to a model that had them already. So a sleeper's state is
//! *staged* under its own key; the checkpoint puts a marker that makes all staged states good in
//! the same atomic batch, and then they are moved to their place at leisure. Staged states
//! without the marker are remains of a run that died, and are dropped.
use std::sync::Arc;

use crate::ids::AccountId;
use crate::store::schema::due::{self, Due};
use crate::store::{StateStore, StoreError, WriteBatch, keys};

/// Staged states moved in one batch, so that a large fleet is not in memory at once.
const MOVED_AT_ONCE: usize = 256;

/// The checkpoints in the store.
pub(super) struct Sleepers {
    store: Arc<dyn StateStore>,
    /// Something may be staged.
    staged: bool,
}

impl Sleepers {
    /// Over `store`, whose remains of an earlier run [`Sleepers::restore`] tidies.
    pub fn new(store: Arc<dyn StateStore>) -> Sleepers {
        Sleepers { store, staged: false }
    }

    /// The store.
    pub fn store(&self) -> &dyn StateStore {
        self.store.as_ref()
    }

    /// Moves or drops what an earlier run left staged, calls `known` for each account, and returns
    /// what they still have to do, if that is known.
    pub fn restore(&mut self, mut known: impl FnMut(AccountId)) -> Result<Option<Due>, StoreError> {
        if self.store.get(&keys::staged_good())?.is_some() {
            self.move_staged()?;
        } else {
            while self.take_staged(|_, _, _| ())? {}
        }
        self.store.scan(keys::ACCOUNT, &mut |key, _| {
            if let Some(account) = keys::named(key, keys::ACCOUNT) {
                known(account);
            }
            true
        })?;
        due::load(self.store.as_ref())
    }

    /// The newest checkpoint of an account.
    pub fn load(&self, account: &AccountId) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        let staged = if self.staged { self.store.get(&keys::staged(account))? } else { None };
        let sealed = match staged {
            Some(sealed) => Some(sealed),
            None => self.store.get(&keys::account(account))?,
        };
        Ok(sealed.map(Arc::new))
    }

    /// Stages checkpoints, atomically.
    pub fn stage(&mut self, sealed: Vec<(AccountId, Arc<Vec<u8>>)>) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for (account, sealed) in sealed {
            batch.put(keys::staged(&account), sealed.to_vec());
            self.staged = true;
        }
        self.store.write(batch)
    }

    /// Puts an account's checkpoint into the run's.
    pub fn put(&self, account: &AccountId, sealed: &[u8], batch: &mut WriteBatch) {
        batch.put(keys::account(account), sealed.to_vec());
        if self.staged {
            batch.delete(keys::staged(account));
        }
    }

    /// Makes what is staged part of the run's checkpoint.
    pub fn seal(&self, batch: &mut WriteBatch) {
        if self.staged {
            batch.put(keys::staged_good(), crate::store::envelope::seal(&[]));
        }
    }

    /// The run's checkpoint is written: moves what was staged to its place.
    pub fn sealed(&mut self) -> Result<(), StoreError> {
        if self.staged { self.move_staged() } else { Ok(()) }
    }

    fn move_staged(&mut self) -> Result<(), StoreError> {
        while self.take_staged(|batch, account, sealed| {
            batch.put(keys::account(account), sealed.to_vec());
        })? {}
        let mut batch = WriteBatch::default();
        batch.delete(keys::staged_good());
        self.store.write(batch)?;
        self.staged = false;
        Ok(())
    }

    /// Removes some staged states, each after `use_it`; false when none was left.
    fn take_staged(
        &self,
        use_it: impl Fn(&mut WriteBatch, &AccountId, &[u8]),
    ) -> Result<bool, StoreError> {
        let mut batch = WriteBatch::default();
        let mut taken = 0;
        self.store.scan(keys::STAGED, &mut |key, sealed| {
            if let Some(account) = keys::named(key, keys::STAGED) {
                use_it(&mut batch, &account, sealed);
            }
            batch.delete(key.to_vec());
            taken += 1;
            taken < MOVED_AT_ONCE
        })?;
        self.store.write(batch)?;
        Ok(taken > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cloud;
    use crate::store::memory::MemoryStore;

    fn id(name: &str) -> AccountId {
        AccountId::new(name, Cloud::Public)
    }

    fn stage(sleepers: &mut Sleepers, name: &str, state: &[u8]) {
        sleepers.stage(vec![(id(name), Arc::new(state.to_vec()))]).unwrap();
    }

    fn restored(store: &Arc<dyn StateStore>) -> Vec<(AccountId, Vec<u8>)> {
        let mut sleepers = Sleepers::new(Arc::clone(store));
        let mut known = Vec::new();
        sleepers.restore(|account| known.push(account)).unwrap();
        let state = |a: AccountId| {
            let sealed = sleepers.load(&a).unwrap().unwrap().to_vec();
            (a, sealed)
        };
        known.into_iter().map(state).collect()
    }

    #[test]
    fn a_sleeper_counts_only_with_the_runs_next_checkpoint() {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        let mut sleepers = Sleepers::new(Arc::clone(&store));
        let mut batch = WriteBatch::default();
        sleepers.put(&id("a"), b"1", &mut batch);
        store.write(batch).unwrap();
        stage(&mut sleepers, "a", b"2");
        assert_eq!(sleepers.load(&id("a")).unwrap().unwrap().as_slice(), b"2");
        // The process dies here: the account is as the run's checkpoint knew it.
        assert_eq!(restored(&store), [(id("a"), b"1".to_vec())]);

        let mut sleepers = Sleepers::new(Arc::clone(&store));
        stage(&mut sleepers, "a", b"3");
        let mut batch = WriteBatch::default();
        sleepers.seal(&mut batch);
        store.write(batch).unwrap();
        // It dies between the checkpoint and the move.
        assert_eq!(restored(&store), [(id("a"), b"3".to_vec())]);
        assert_eq!(restored(&store), [(id("a"), b"3".to_vec())]);
    }

    #[test]
    fn a_newer_checkpoint_is_not_overwritten_by_a_staged_one_and_many_are_moved() {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        let mut sleepers = Sleepers::new(Arc::clone(&store));
        for n in 0..1000 {
            stage(&mut sleepers, &format!("a{n:04}"), b"old");
        }
        let mut batch = WriteBatch::default();
        sleepers.put(&id("a0007"), b"new", &mut batch);
        sleepers.seal(&mut batch);
        store.write(batch).unwrap();
        sleepers.sealed().unwrap();
        let all = restored(&store);
        assert_eq!(all.len(), 1000);
        assert_eq!(all[7], (id("a0007"), b"new".to_vec()));
        assert!(all.iter().enumerate().all(|(n, (_, s))| n == 7 || s == b"old"));
    }
}
