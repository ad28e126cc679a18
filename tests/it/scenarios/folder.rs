//! A scenario on disk: the life before it as a few words, the episode in native records, and what
//! must come of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot set its scene fails")]
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cosmoguard::detect::Severity;
use cosmoguard::simulate::scenario::{activity, data_plane};
use cosmoguard::time::{DAY_MS, MINUTE_MS, Timestamp};
use serde::Deserialize;

use crate::support::query_text;

/// The Monday on which every scenario's everyday life begins.
const START: Timestamp = Timestamp(1_789_344_000_000);

/// `scenario.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens, in a sentence.
    pub title: String,
    /// Folder of the other one of the pair.
    pub pair: String,
    /// Episode, relative to the folder.
    pub events: PathBuf,
    /// Tor list, relative to the folder.
    pub tor: Option<PathBuf>,
    /// Threat list, relative to the folder.
    pub threats: Option<PathBuf>,
    /// Days of everyday life.
    #[serde(default)]
    days: i64,
    #[serde(default)]
    traffic: Vec<Traffic>,
    #[serde(default)]
    queries: Vec<Queries>,
    #[serde(default)]
    keys: Vec<Keys>,
}

/// Requests at a steady pace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traffic {
    account: String,
    /// Addresses taken in turn.
    ips: Vec<IpAddr>,
    every_minutes: i64,
    /// Smallest and largest response.
    bytes: [u64; 2],
    /// Minutes of the day between which it runs.
    #[serde(default = "whole_day")]
    between: [i64; 2],
    /// Change to the next address once a day only.
    #[serde(default)]
    one_address_a_day: bool,
    agent: Option<String>,
    region: Option<String>,
}

fn whole_day() -> [i64; 2] {
    [0, 1440]
}

/// A query at a steady pace, logged with its text, from where [`data_plane`] calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Queries {
    account: String,
    /// Its text; `{n}` is another number each time.
    text: String,
    every_minutes: i64,
    /// Least and most rows.
    rows: [u64; 2],
}

/// Key operations that recur.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    accounts: Vec<String>,
    /// Operations on every account, in order.
    operations: Vec<String>,
    who: Who,
    ip: IpAddr,
    first_day: i64,
    every_days: i64,
    /// Minute of the day.
    at: i64,
}

/// Who acts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    User(u128, String),
    ServicePrincipal(u128, u128),
    ManagedIdentity(u128, u128),
}

/// `expected.json`: one alert that must come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub kind: String,
    pub account: String,
    /// Highest severity of the story: at least this.
    pub min: String,
    /// No line is higher.
    pub max: String,
}

impl Expected {
    pub fn min(&self) -> Severity {
        Severity::parse(&self.min).unwrap()
    }
    pub fn max(&self) -> Severity {
        Severity::parse(&self.max).unwrap()
    }
}

impl Scenario {
    /// Reads the folder's description and what it expects.
    pub fn read(folder: &Path) -> (Scenario, Vec<Expected>) {
        let text = std::fs::read_to_string(folder.join("scenario.toml")).unwrap();
        let scenario =
            toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let expected = std::fs::read(folder.join("expected.json")).unwrap();
        (scenario, serde_json::from_slice(&expected).unwrap())
    }

    /// Everyday life and the episode, in order of time.
    pub fn records(&self, folder: &Path) -> Vec<Vec<u8>> {
        let mut records: BTreeMap<(Timestamp, usize), Vec<u8>> = BTreeMap::new();
        let mut push = |at: Timestamp, record: Vec<u8>| {
            records.insert((at, records.len()), record);
        };
        for traffic in &self.traffic {
            traffic.play(self.days, &mut push);
        }
        for (nth, queries) in self.queries.iter().enumerate() {
            queries.play(nth as u128, self.days, &mut push);
        }
        for keys in &self.keys {
            keys.play(self.days, &mut push);
        }
        let episode = std::fs::read_to_string(folder.join(&self.events)).unwrap();
        for line in episode.lines() {
            let fields: serde_json::Value = serde_json::from_str(line).unwrap();
            let at = Timestamp::parse(fields["time"].as_str().unwrap()).unwrap();
            push(at, line.as_bytes().to_vec());
        }
        records.into_values().collect()
    }
}

type Push<'a> = &'a mut dyn FnMut(Timestamp, Vec<u8>);

impl Traffic {
    fn play(&self, days: i64, push: Push<'_>) {
        let [from, to] = self.between;
        let [least, most] = self.bytes;
        let mut turn = 0_usize;
        for day in 0..days {
            let mut minute = from;
            while minute < to {
                let at = START.plus_ms(day * DAY_MS + minute * MINUTE_MS + 17 * (turn as i64 % 97));
                let place = if self.one_address_a_day { day as usize } else { turn };
                // A low-discrepancy spread over the range: varied, and the same in every run.
                let spread = (turn as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let bytes = least + (most - least) * spread / (1 << 24);
                let mut record =
                    data_plane(&self.account, at).ip(self.ips[place % self.ips.len()]).bytes(bytes);
                if let Some(agent) = &self.agent {
                    record = record.agent(agent);
                }
                if let Some(region) = &self.region {
                    record = record.region(region);
                }
                push(at, record.json());
                turn += 1;
                minute += self.every_minutes;
            }
        }
    }
}

impl Queries {
    fn play(&self, nth: u128, days: i64, push: Push<'_>) {
        let [least, most] = self.rows;
        for n in 0..days * 1440 / self.every_minutes {
            let at = START.plus_ms(n * self.every_minutes * MINUTE_MS + nth as i64 * 20_000);
            let rows = least + n as u64 % (most - least + 1);
            // The text tells the moment's request by its id.
            let activity = (nth + 1) << 64 | n as u128;
            let request = data_plane(&self.account, at).bytes(150 + rows * 400).activity(activity);
            push(at, request.json());
            let text = self.text.replace("{n}", &n.to_string());
            let at = at.plus_ms(700);
            push(at, query_text(&self.account, at, activity, &text, rows));
        }
    }
}

impl Keys {
    fn play(&self, days: i64, push: Push<'_>) {
        let mut day = self.first_day;
        while day < days {
            let mut at = START.plus_ms(day * DAY_MS + self.at * MINUTE_MS);
            for account in &self.accounts {
                for operation in &self.operations {
                    let operation =
                        format!("Microsoft.DocumentDB/databaseAccounts/{operation}/action");
                    let record = activity(account, at, &operation).ip(self.ip);
                    let record = match &self.who {
                        Who::User(object, name) => record.user(*object, name),
                        Who::ServicePrincipal(object, app) => {
                            record.service_principal(*object, *app)
                        }
                        Who::ManagedIdentity(object, app) => record.managed_identity(*object, *app),
                    };
                    push(at, record.json());
                    at = at.plus_ms(900);
                }
            }
            day += self.every_days;
        }
    }
}
