//! One file a kind of sink.
use std::path::Path;

use super::Sink;
use super::settings::{SinkSettings, Target};

mod chat;
mod file;
mod rows;
mod syslog;
mod webhook;

/// The sink that `settings` describe. `folder` is its own in the data directory, if there is one;
/// `group_max` bounds what a chat tells in one message.
///
/// # Errors
/// In words: a file of certificates cannot be read.
pub fn build(
    settings: &SinkSettings,
    folder: Option<&Path>,
    group_max: usize,
) -> Result<Box<dyn Sink>, String> {
    let timeout = settings.common.timeout_seconds;
    Ok(match &settings.target {
        Target::File(target) => Box::new(file::FileSink::new(target, folder)),
        Target::Webhook(target) => Box::new(webhook::Webhook::new(target, timeout)?),
        Target::Syslog(target) => Box::new(syslog::Syslog::new(target, timeout)?),
        Target::LogAnalytics(target) => Box::new(rows::Rows::new(target, timeout)?),
        Target::Slack(target) => {
            Box::new(chat::Chat::new(target, chat::Dialect::Slack, timeout, group_max)?)
        }
        Target::Teams(target) => {
            Box::new(chat::Chat::new(target, chat::Dialect::Teams, timeout, group_max)?)
        }
    })
}
