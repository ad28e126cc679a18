//! Alerts through every sink, to receivers on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cosmoguard::alert::sinks::dispatch::{DispatchSettings, Dispatcher};
use cosmoguard::alert::sinks::inventory::Inventory;
use cosmoguard::alert::sinks::lane::SinkStatus;
use cosmoguard::alert::sinks::notice::Event;
use cosmoguard::alert::sinks::sample;
use cosmoguard::alert::sinks::settings::{Routes, SinkSettings};
use cosmoguard::profile::Profile;
use cosmoguard::time::{Clock, SystemClock, Timestamp};
use serde_json::Value;

mod commands;
mod delivery;
mod grammar;
mod hostile;
mod http;
mod receivers;

/// A clock that runs two hundred times as fast: what waits minutes waits a second.
#[derive(Default)]
pub struct FastClock(SystemClock);

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_794_700_800_000 + self.0.monotonic_ms() as i64 * 200)
    }
    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms()
    }
}

/// One `[[sinks]]` section.
pub fn sink(text: &str) -> SinkSettings {
    let table: toml::Table = text.parse().unwrap();
    SinkSettings::try_from(table).unwrap()
}

/// Routes that hold nothing back and wait for nothing.
pub fn open_routes() -> Routes {
    Routes { false_alerts_per_week: f64::MAX, group_wait_seconds: 0, ..Routes::default() }
}

pub fn start(sinks: Vec<SinkSettings>, routes: Routes, data_dir: &Path) -> Dispatcher {
    let severity = Profile::default().severity;
    let settings = DispatchSettings { sinks, routes, severity };
    let clock = Arc::new(FastClock::default());
    Dispatcher::start(&settings, data_dir, clock, Inventory::default()).unwrap()
}

/// Alert lines in Defender's shape, one a kind.
pub fn lines() -> Vec<String> {
    let text = |event: Event| match event {
        Event::Alert { line, .. } => line,
        other => panic!("no alert: {other:?}"),
    };
    sample::notices(Timestamp(0)).into_iter().map(|notice| text(notice.event)).collect()
}

/// The line with another id and revision.
pub fn renumbered(line: &str, id: u32, revision: u32) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    value["properties"]["systemAlertId"] = format!("{id:032x}").into();
    value["properties"]["extendedProperties"]["Revision"] = revision.to_string().into();
    value.to_string()
}

/// Waits until `done` says so of a sink's status; fails after a minute.
pub fn wait_until(
    dispatcher: &Dispatcher,
    done: impl Fn(&[SinkStatus]) -> bool,
) -> Vec<SinkStatus> {
    for _ in 0..6000 {
        let status = dispatcher.status();
        if done(&status) {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("still waiting: {:?}", dispatcher.status());
}
