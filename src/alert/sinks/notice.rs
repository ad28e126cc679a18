//! What is put into a sink's queue: one message, whole, so that it can be sent after any restart.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One message for one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same for the same message, however often it is sent: alert id, revision, and status.
    pub key: String,
    /// Wall clock when it was queued.
    pub at: i64,
    /// Wall clock before which it need not be sent: more of its story may come.
    pub due: i64,
    /// Messages of one group may be told together; empty: it stands alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What it says.
    pub event: Event,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// An alert.
    Alert {
        /// What is new about it.
        change: Change,
        /// The alert's line in Defender's shape.
        line: String,
    },
    /// The daily digest.
    Digest(Digest),
    /// The sink is alive and so are we.
    Heartbeat(Heartbeat),
    /// Logs that used to come come no more, or come again.
    Silence(Silence),
}

/// What is new about an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// It was not told before.
    New,
    /// It was told before and its severity rose, or what is known of it.
    Update,
    /// Somebody changed its status.
    Status {
        /// `Active`, `InProgress`, `Resolved`, `Dismissed`.
        status: String,
        /// In whose words.
        #[serde(default)]
        reason: String,
    },
}

impl Change {
    /// One word, for headers and titles.
    pub fn word(&self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Update => "update",
            Change::Status { status, .. } if status == "Resolved" || status == "Dismissed" => {
                "resolve"
            }
            Change::Status { .. } => "status",
        }
    }
}

/// A day's counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Start of the span, wall clock.
    pub from: i64,
    /// Its end.
    pub until: i64,
    /// Alerts that were pushed.
    pub pushed: u64,
    /// Alerts that the fleet's budget held back; they stay in the store.
    pub held_back: u64,
    /// By severity.
    pub severities: BTreeMap<String, u64>,
    /// By kind.
    pub kinds: BTreeMap<String, u64>,
    /// By account; beyond a bound under `…`.
    pub accounts: BTreeMap<String, u64>,
    /// The rarest ones that were held back: id, severity, what it is, account.
    pub rarest: Vec<HeldBack>,
}

/// An alert that nobody was told of at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Its id.
    pub id: String,
    /// Its severity.
    pub severity: String,
    /// Its display name.
    pub title: String,
    /// Its account.
    pub account: String,
    /// False alerts a week that the fleet would bring at this surprise.
    pub a_week: f64,
}

/// Says that nothing is said because nothing happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Wall clock.
    pub at: i64,
    /// Everything before this event time is judged.
    pub watermark: Option<i64>,
    /// Key of the last message that this sink took.
    pub last: String,
    /// When it took it, wall clock.
    pub last_at: Option<i64>,
    /// Messages that wait for it.
    pub queued: u64,
    /// Messages that were set aside.
    pub dead_letters: u64,
}

/// Logs that used to come. No alert: nothing is claimed of an attacker, and no budget is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// `Cosmoguard_LogSilence`.
    pub alert_type: String,
    /// `Informational`.
    pub severity: String,
    /// `Active` or `Resolved`.
    pub status: String,
    /// `source`, `together`, `account`, `category`.
    pub scope: String,
    /// Accounts, the first ones by name.
    pub accounts: Vec<String>,
    /// How many in all.
    pub accounts_in_all: u64,
    /// Category, where it is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// Since when.
    pub since: String,
    /// When it was noticed, or was over.
    pub at: String,
    /// The chance of a silence that long.
    pub tail_probability: String,
    /// How often an innocent stream has one, a day.
    pub nominal_per_day: String,
    /// All that in a sentence.
    pub description: String,
}

impl Notice {
    /// A silence, for one sink.
    pub fn silence(silence: Silence, now: Timestamp) -> Notice {
        let name = silence.accounts.first().map_or("", String::as_str);
        let Silence { status, scope, category, since, .. } = &silence;
        let key = format!("silence.{scope}.{name}.{category}.{since}.{status}");
        let (at, event) = (now.millis(), Event::Silence(silence));
        Notice { key, at, due: at, group: String::new(), event }
    }
    /// A heartbeat, which is never queued.
    pub fn heartbeat(sink: &str, beat: Heartbeat) -> Notice {
        let at = beat.at;
        let key = format!("heartbeat.{sink}.{at}");
        Notice { key, at, due: at, group: String::new(), event: Event::Heartbeat(beat) }
    }
    /// Kind of event, for headers.
    pub fn word(&self) -> &'static str {
        match &self.event {
            Event::Alert { change, .. } => change.word(),
            Event::Digest(_) => "digest",
            Event::Heartbeat(_) => "heartbeat",
            Event::Silence(_) => "silence",
        }
    }
    /// When it was queued.
    pub fn queued(&self) -> Timestamp {
        Timestamp(self.at)
    }
}
