//! From where a model is built again, and where the fleet stands.
use super::super::snapshots::ScheduledSnapshots;
use crate::account::left_out::{LeftOut, Part};
use crate::account::model::AccountModel;
use crate::alert::dedup::Lane;
use crate::alert::rules::Ledger;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::ids::AccountId;
use crate::snapshot::archive::Values;
use crate::snapshot::{Archive, SnapshotError};
use crate::store::ladder::SnapshotSource as _;
use crate::store::memory::MemoryStore;
use crate::store::run_state::RunState;
use crate::store::schema::{account as schema_account, left_out, run};
use crate::store::sources::Sources;
use crate::store::untaught::{self, Untaught};
use crate::store::{StateStore, StoreError, decisions, keys};
use crate::time::Timestamp;

/// Where a rebuild starts.
#[derive(Debug)]
pub struct Base {
    /// The snapshot; `None`: a model that knows nothing, before the first record.
    pub snapshot: Option<String>,
    pub(super) model: Option<AccountModel>,
    pub(super) run: RunState,
    pub(super) rings: Values,
    pub(super) left_out: LeftOut,
    /// What had come to the account by then and is not in its model.
    pub(super) untaught: Untaught,
}

impl Base {
    /// Before the first record.
    ///
    /// # Errors
    /// None that an empty store could give.
    pub fn empty(lateness_ms: i64) -> Result<Base, StoreError> {
        let run = run::load(&MemoryStore::default(), lateness_ms)?;
        let (rings, left_out) = (Values::new(), LeftOut::default());
        let untaught = Untaught::default();
        Ok(Base { snapshot: None, model: None, run, rings, left_out, untaught })
    }

    /// What a snapshot holds of `account`. Accounts that it does not know start afresh there.
    ///
    /// # Errors
    /// What is read of it is damaged.
    pub fn of(
        archive: &mut Archive,
        account: &AccountId,
        lateness_ms: i64,
    ) -> Result<Base, SnapshotError> {
        let model = opened(archive.account(account)?, account)?;
        let store = MemoryStore::default();
        archive.load_run(&store)?;
        Ok(Base {
            snapshot: Some(archive.path().display().to_string()),
            model,
            run: run::load(&store, lateness_ms)?,
            rings: archive.rings(account)?,
            left_out: left_out::load(&store, account)?,
            untaught: untaught::load(&store, account)?,
        })
    }

    /// The newest snapshot of `folder` that is an earlier state of `present`, and whose model of
    /// `account` knows nothing of `from` or later, nor of what was left out since; `None` if there is none. What is damaged or
    /// foreign is passed over.
    pub fn newest_before(
        snapshots: &mut ScheduledSnapshots,
        account: &AccountId,
        from: Timestamp,
        present: &Present,
        lateness_ms: i64,
    ) -> Option<Base> {
        snapshots.newest_first().iter().find_map(|candidate| {
            let mut archive = Archive::open(&snapshots.path(&candidate.name)).ok()?;
            let base = Base::of(&mut archive, account, lateness_ms).ok()?;
            let clean = base.reaches() < from && base.knows_of(&present.left_out) == 0;
            (clean && present.follows(&base)).then_some(base)
        })
    }

    /// Of what was left out of the account, how many parts it may know.
    pub(super) fn knows_of(&self, left_out: &LeftOut) -> usize {
        let known = |part: &&Part| {
            part.from <= self.reaches() && !self.left_out.parts.contains(part) && self.is_known()
        };
        left_out.parts.iter().filter(known).count()
    }

    /// The account is known.
    pub fn is_known(&self) -> bool {
        self.model.is_some()
    }

    /// Newest event time that has gone into the model.
    pub fn reaches(&self) -> Timestamp {
        self.model.as_ref().map_or(Timestamp::MIN, AccountModel::now)
    }

    /// Newest event time of the stream.
    pub fn newest(&self) -> Timestamp {
        self.run.watermark.newest()
    }

    /// Records that had come to the account, with those left out.
    pub(super) fn records(&self) -> u64 {
        self.model.as_ref().map_or(0, |m| m.records) + self.left_out.records
    }
}

/// The state of an account and its fleet as it is.
#[derive(Debug)]
pub struct Present {
    /// The account's model; `None` if it has none.
    pub model: Option<AccountModel>,
    pub(super) run: RunState,
    pub(super) left_out: LeftOut,
    pub(super) decided: Ledger,
}

impl Present {
    /// Reads it.
    ///
    /// # Errors
    /// The store failed or holds damaged state.
    pub fn load(
        store: &dyn StateStore,
        account: &AccountId,
        lateness_ms: i64,
    ) -> Result<Present, StoreError> {
        Ok(Present {
            model: opened(newest(store, account)?, account)?,
            run: run::load(store, lateness_ms)?,
            left_out: left_out::load(store, account)?,
            decided: decisions::load(store)?,
        })
    }

    /// `base` is an earlier state of this one.
    pub fn follows(&self, base: &Base) -> bool {
        self.run.sources.rewound_to(&base.run.sources).is_some()
            && self.run.watermark.newest() >= base.newest()
    }

    /// Newest event time of the stream.
    pub fn newest(&self) -> Timestamp {
        self.run.watermark.newest()
    }

    /// Priors published so far.
    pub fn priors(&self) -> &ByDay<Priors> {
        &self.run.priors
    }

    /// The register of files.
    pub fn sources(&self) -> &Sources {
        &self.run.sources
    }

    /// The newest last sequence anybody has seen of the account.
    pub(super) fn sequence(&self, account: &AccountId) -> u64 {
        let said = self.model.as_ref().map_or(0, |m| m.sequence);
        let seen = self.run.desk.seen.get(&(Lane::Account, account.clone())).copied();
        said.max(seen.unwrap_or(0))
    }

    /// Records that came to the account so far, as far as anybody knows.
    pub(super) fn records(&self) -> Option<u64> {
        Some(self.model.as_ref()?.records + self.left_out.records)
    }
}

/// The newest checkpoint of `account`: one that a run staged and sealed and did not come to move
/// counts before the one in its place.
fn newest(store: &dyn StateStore, account: &AccountId) -> Result<Option<Vec<u8>>, StoreError> {
    if store.get(&keys::staged_good())?.is_some()
        && let Some(staged) = store.get(&keys::staged(account))?
    {
        return Ok(Some(staged));
    }
    store.get(&keys::account(account))
}

fn opened(
    sealed: Option<Vec<u8>>,
    account: &AccountId,
) -> Result<Option<AccountModel>, StoreError> {
    let key = || String::from_utf8_lossy(&keys::account(account)).into_owned();
    let opened = sealed.map(|sealed| schema_account::open(&sealed)).transpose();
    opened.map_err(|cause| StoreError::Damaged { key: key(), cause })
}
