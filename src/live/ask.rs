//! What others want of the engine's thread.
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::ids::AccountId;
use crate::intel::view::IntelView;
use crate::profile::Profile;

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
    /// Look addresses up in another view from now on.
    Intel {
        /// The new view.
        view: Arc<IntelView>,
        /// Where the answer goes, once it is in use.
        reply: oneshot::Sender<()>,
    },
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
