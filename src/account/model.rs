//! The learned picture of one account, pure: events in, graded findings out.
//!
//! The recent past lies in open one-minute cells. When the watermark passes a cell it is applied
//! in time order, and learning, decay and the definitive verdict happen there and only there.
//! Closing is driven by boundaries (minute, ten minutes, hour, day), so that advancing in one
//! step or in many gives the same model; after the last active day is closed nothing happens
//! until the next event, so that sleeping and waking give the same model too.
use std::collections::BTreeMap;

use super::message::{Context, Graded, HourRecord, Outcome, Pending, Routed, SURPRISE_LANES, SurpriseLane, surprise_code};
use crate::baseline::cell::{Cell, LaneMemory};
use crate::baseline::egress::EgressBaseline;
use crate::baseline::listed::ListedBaseline;
use crate::baseline::location::LocationBaseline;
use crate::baseline::principals::{KeyOperation, PrincipalsBaseline};
use crate::baseline::tempo::TempoBaseline;
use crate::detect::{AlertKind, Finding};
use crate::event::{ActivityOperation, Body, Event};
use crate::ids::{AccountId, PrincipalId, Text};
use crate::intel::view::AddressInfo;
use crate::severity;
use crate::time::{DAY_MS, MINUTE_MS, Timestamp};

/// Minutes of the step at which volume is tested.
const SLOT_MINUTES: i64 = 10;
/// Findings of the last day that are kept to tell companions.
const RECENT_FINDINGS_MAX: usize = 16;

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountModel {
    pub(crate) id: AccountId,
    /// ARM id as last logged.
    pub(crate) resource_id: Option<Text>,
    /// Everything that ends at or before this is closed.
    pub(crate) watermark: Timestamp,
    pub(crate) open: BTreeMap<i64, Cell>,
    /// Minutes before this one are rolled; the cell of this one may be applied.
    pub(crate) clock: Option<i64>,
    /// Newest minute with a closed cell.
    pub(crate) last_minute: i64,
    /// A closed cell lies in the current ten-minute step.
    pub(crate) slot_open: bool,
    /// Requests of the current hour, and whether the current day has any record.
    pub(crate) hour_requests: u64,
    pub(crate) day_active: bool,
    pub(crate) hour_surprise: [u8; SURPRISE_LANES],
    pub(crate) lanes: LaneMemory,
    pub(crate) location: LocationBaseline,
    pub(crate) listed: ListedBaseline,
    pub(crate) egress: EgressBaseline,
    pub(crate) principals: PrincipalsBaseline,
    pub(crate) tempo: TempoBaseline,
    pub(crate) sequence: u64,
    pub(crate) recent: Vec<(AlertKind, Timestamp)>,
    pub(crate) records: u64,
    pub(crate) late_records: u64,
    /// Day of the newest published priors that were used (0 = shipped).
    pub(crate) prior_day: i64,
}
