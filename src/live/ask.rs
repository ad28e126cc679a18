//! What others want of the engine's thread.
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::alert::rules::{Decision, Ledger};
use crate::ids::AccountId;
use crate::intel::view::IntelView;
use crate::profile::Profile;
use crate::store::StateStore;
use crate::store::decisions::{self, DecideError, Draft};
use crate::store::layout::DataDir;
use crate::time::Timestamp;

/// Questions that wait; more make the asker wait.
const WAITING_MAX: usize = 64;

/// A question or a request. The engine answers between two chunks of records; an answer that nobody
/// waits for any more is dropped.
#[derive(Debug)]
pub enum Ask {
    /// The account's model as it is now, sealed as in a checkpoint; `None`: it has none.
    Model {
        /// Which account.
        account: AccountId,
        /// Where the answer goes.
        reply: oneshot::Sender<anyhow::Result<Option<Vec<u8>>>>,
    },
    /// Make everything durable now.
    Checkpoint {
        /// Where the answer goes.
        reply: oneshot::Sender<anyhow::Result<()>>,
    },
    /// Judge by other settings from now on.
    Profile {
        /// The new settings.
        profile: Arc<Profile>,
        /// Where the answer goes, once they are in use.
        reply: oneshot::Sender<()>,
    },
    /// Take decisions: written down, then in effect.
    Decide {
        /// Which.
        wish: Decide,
        /// Where the answer goes, once they are in effect.
        reply: oneshot::Sender<Result<Vec<Decision>, DecideError>>,
    },
    /// Look addresses up in another view from now on.
    Intel {
        /// The new view.
        view: Arc<IntelView>,
        /// Where the answer goes, once it is in use.
        reply: oneshot::Sender<()>,
    },
}

/// Decisions to be taken, one after the other. The engine's thread writes them down itself: it alone
/// knows the moment from which they work, and it alone numbers them.
pub struct Decide {
    /// The data directory, for the audit log.
    pub dir: DataDir,
    /// Where decisions lie.
    pub store: Arc<dyn StateStore>,
    /// Which.
    pub drafts: Vec<Draft>,
    /// The wall clock.
    pub made: Timestamp,
}

impl std::fmt::Debug for Decide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decide").field("drafts", &self.drafts).finish_non_exhaustive()
    }
}

impl Decide {
    /// Writes them down. `from` is the moment from which they work. Says which were, even where the
    /// disk failed at a later one: these are decided.
    pub fn record(
        self,
        ledger: &Ledger,
        from: Timestamp,
    ) -> (Vec<Decision>, Result<(), DecideError>) {
        let (mut ledger, mut taken) = (ledger.clone(), Vec::new());
        let times = [from, self.made];
        // All or none: one that may not be taken is found before any is written.
        let mut tried = ledger.clone();
        for Draft { what, author, reason, .. } in &self.drafts {
            match tried.draft(what.clone(), times, author, reason) {
                Ok(decision) => tried.push(decision),
                Err(refused) => return (taken, Err(refused.into())),
            }
        }
        for draft in self.drafts {
            match decisions::record(&self.dir, self.store.as_ref(), &mut ledger, draft, times) {
                Ok(decision) => taken.push(decision),
                Err(failed) => return (taken, Err(failed)),
            }
        }
        (taken, Ok(()))
    }
}

/// Where questions are put.
#[derive(Clone, Debug)]
pub struct Desk(mpsc::Sender<Ask>);

/// The engine is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is stopping; ask again when it runs")]
pub struct Gone;

/// A desk, and what the engine's thread takes questions from.
pub fn desk() -> (Desk, mpsc::Receiver<Ask>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Desk(sender), receiver)
}

impl Desk {
    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.0.send(ask(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// See [`Ask::Model`].
    ///
    /// # Errors
    /// [`Gone`]; inside, what the store said.
    pub async fn model(&self, account: AccountId) -> Result<anyhow::Result<Option<Vec<u8>>>, Gone> {
        self.ask(|reply| Ask::Model { account, reply }).await
    }

    /// See [`Ask::Checkpoint`].
    ///
    /// # Errors
    /// [`Gone`]; inside, what the store said.
    pub async fn checkpoint(&self) -> Result<anyhow::Result<()>, Gone> {
        self.ask(|reply| Ask::Checkpoint { reply }).await
    }

    /// See [`Ask::Decide`].
    ///
    /// # Errors
    /// [`Gone`]; inside, why one was not taken.
    pub async fn decide(&self, wish: Decide) -> Result<Result<Vec<Decision>, DecideError>, Gone> {
        self.ask(|reply| Ask::Decide { wish, reply }).await
    }

    /// See [`Ask::Intel`].
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn intel(&self, view: Arc<IntelView>) -> Result<(), Gone> {
        self.ask(|reply| Ask::Intel { view, reply }).await
    }

    /// See [`Ask::Profile`].
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn profile(&self, profile: Arc<Profile>) -> Result<(), Gone> {
        self.ask(|reply| Ask::Profile { profile, reply }).await
    }

    /// Asks from a thread that may wait.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn reload_blocking(&self, view: Arc<IntelView>, profile: Arc<Profile>) -> Result<(), Gone> {
        let ask = |ask| self.0.blocking_send(ask).map_err(|_| Gone);
        let (reply, answer) = oneshot::channel();
        ask(Ask::Intel { view, reply })?;
        answer.blocking_recv().map_err(|_| Gone)?;
        let (reply, answer) = oneshot::channel();
        ask(Ask::Profile { profile, reply })?;
        answer.blocking_recv().map_err(|_| Gone)
    }
}
