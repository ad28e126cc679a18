//! What a snapshot says of the program, its configuration and its lists.
use super::common::Lists;
use crate::config::{self, Resolved};
use crate::snapshot::About;
use crate::time::Timestamp;

/// Describes this build under `resolved`, with `lists` in use, at `now`.
pub fn about(resolved: &Resolved, lists: &Lists, now: Timestamp) -> anyhow::Result<About> {
    config::about::about(resolved, &lists.tor_exits, &lists.threat_ips, now)
}
