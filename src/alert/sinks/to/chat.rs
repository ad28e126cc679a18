//! Chats: one message a story.
use super::super::http::Http;
use super::super::notice::Notice;
use super::super::say::{slack, teams};
use super::super::secret::SecretRef;
use super::super::settings::ChatTarget;
use super::super::{SendError, Sent, Sink, Takes};
use crate::time::Timestamp;

/// Whose form a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Block Kit.
    Slack,
    /// An Adaptive Card.
    Teams,
}

/// A chat's webhook.
pub struct Chat {
    http: Http,
    url: SecretRef,
    dialect: Dialect,
    group_max: usize,
}

impl Chat {
    /// The sink that `target` describes.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(
        target: &ChatTarget,
        dialect: Dialect,
        timeout: u32,
        group_max: usize,
    ) -> Result<Chat, String> {
        let http = Http::new(timeout, target.allow_private, None)?;
        Ok(Chat { http, url: target.url.clone(), dialect, group_max })
    }

    fn post(&self, notices: &[&Notice]) -> Result<(), SendError> {
        let url = self.url.read().map_err(SendError::later)?;
        let body = match self.dialect {
            Dialect::Slack => slack::message(notices),
            Dialect::Teams => teams::message(notices),
        };
        let headers = [("Content-Type", "application/json")];
        self.http.post(url.expose(), &headers, body.to_string().as_bytes())?;
        Ok(())
    }
}

impl Sink for Chat {
    fn takes(&self) -> Takes {
        Takes::Group(self.group_max)
    }
    fn send(&mut self, notices: &[&Notice], _: Timestamp) -> Sent {
        Sent::whole(notices.len(), self.post(notices))
    }
}
