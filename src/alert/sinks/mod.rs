//! Where alerts are sent: files, webhooks, syslog, Log Analytics, chats.
//!
//! ```text
//! durable alert line -> plan (who is told what) -> one queue a sink on the disk -> one thread a sink
//! ```
//!
//! [`plan`] is pure; [`queue`] keeps what was planned over restarts; [`lane`] sends it, again and
//! again if it must; [`dispatch`] is the handle that the service holds. At least once: a message that
//! is sent twice has the same key both times. A sink that is down holds up nobody but itself.
use crate::time::Timestamp;

pub mod dispatch;
mod guard;
mod http;
pub mod inventory;
pub mod lane;
pub mod line;
pub mod notice;
pub mod plan;
pub mod queue;
mod retry;
mod route;
pub mod sample;
pub mod say;
pub mod secret;
pub mod settings;
pub mod to;

use notice::Notice;

/// Sends messages somewhere.
pub trait Sink: Send {
    /// How many at a time.
    fn takes(&self) -> Takes;
    /// Sends `notices` in their order.
    fn send(&mut self, notices: &[&Notice], now: Timestamp) -> Sent;
}

/// How many messages a sink takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// One after the other.
    One,
    /// Those of one story together, at most so many.
    Group(usize),
    /// Whatever is there, at most so many.
    Many(usize),
}

/// How far a sink came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// So many from the front arrived.
    pub delivered: usize,
    /// Why no more did.
    pub error: Option<SendError>,
}

impl Sent {
    /// All or nothing.
    pub fn whole(count: usize, result: Result<(), SendError>) -> Sent {
        match result {
            Ok(()) => Sent { delivered: count, error: None },
            Err(error) => Sent { delivered: 0, error: Some(error) },
        }
    }
}

/// Why a message did not arrive. Texts name no secret and no address but a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It never will: the receiver does not take this message.
    #[error("{0}")]
    Refused(String),
    /// It may later.
    #[error("{why}")]
    Later {
        /// In words.
        why: String,
        /// How long the receiver asks to wait.
        wait_ms: Option<i64>,
    },
}

impl SendError {
    /// It may later, at our own pace.
    pub fn later(why: impl Into<String>) -> SendError {
        SendError::Later { why: why.into(), wait_ms: None }
    }
}
