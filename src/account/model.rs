//! The learned picture of one account, pure: events in, graded findings out.
//!
//! The recent past lies in open cells of ten minutes, the step at which volume is tested. When the watermark passes a cell it is applied
//! in time order, and learning, decay and the definitive verdict happen there and only there.
//! Closing is driven by boundaries (minute, ten minutes, hour, day), so that advancing in one
//! step or in many gives the same model; after the last active day is closed nothing happens
//! until the next event, so that sleeping and waking give the same model too.
use std::collections::BTreeMap;

use super::logic::AccountState;
use super::message::{Context, Graded, Outcome, Pending, Routed, SURPRISE_LANES};
use super::verdict::{HourQueries, Nearest};
use crate::baseline::cell::{CallerKey, Cell, LaneMemory, Ran, query_key};
use crate::baseline::egress::EgressBaseline;
use crate::baseline::listed::ListedBaseline;
use crate::baseline::location::LocationBaseline;
use crate::baseline::principals::{KeyOperation, PrincipalsBaseline};
use crate::baseline::query_shapes::{ErrorsBaseline, QueryShapes};
use crate::baseline::tempo::TempoBaseline;
use crate::detect::AlertKind;
use crate::event::{ActivityOperation, Body, Event, Place};
use crate::ids::{AccountId, PrincipalId, Text};
use crate::intel::view::AddressInfo;
use crate::limits;
use crate::time::{DAY_MS, MINUTE_MS, Timestamp};

/// Minutes of a cell, and of the step at which volume is tested.
pub(super) const SLOT_MINUTES: i64 = limits::CELL_MINUTES;

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountModel {
    pub(crate) id: AccountId,
    /// ARM id as last logged.
    pub(crate) resource_id: Option<Text>,
    /// Everything that ends at or before this is closed.
    pub(crate) watermark: Timestamp,
    /// Cells by their last minute, which is when they end and are judged.
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
    pub(crate) hour_nearest: [Nearest; SURPRISE_LANES],
    pub(crate) hour_queries: HourQueries,
    pub(crate) lanes: LaneMemory,
    pub(crate) location: LocationBaseline,
    pub(crate) listed: ListedBaseline,
    pub(crate) egress: EgressBaseline,
    pub(crate) principals: PrincipalsBaseline,
    pub(crate) tempo: TempoBaseline,
    /// `None` until a query's text is seen.
    pub(crate) shapes: Option<Box<QueryShapes>>,
    pub(crate) errors: ErrorsBaseline,
    pub(crate) sequence: u64,
    pub(crate) recent: Vec<(AlertKind, Timestamp)>,
    pub(crate) records: u64,
    pub(crate) late_records: u64,
    /// Day of the newest published priors that were used (0 = shipped).
    pub(crate) prior_day: i64,
    /// Lessons up to this moment are taken.
    pub(crate) taught_until: Timestamp,
}

const _: () =
    assert!(AccountModel::bytes_max(limits::LATENESS_MINUTES) <= limits::ACCOUNT_BYTES_MAX);

impl AccountModel {
    /// A model that knows nothing.
    pub fn new(id: AccountId) -> AccountModel {
        AccountModel {
            id,
            resource_id: None,
            watermark: Timestamp::MIN,
            open: BTreeMap::new(),
            clock: None,
            last_minute: i64::MIN,
            slot_open: false,
            hour_requests: 0,
            day_active: false,
            hour_surprise: [0; SURPRISE_LANES],
            hour_nearest: [Nearest::default(); SURPRISE_LANES],
            hour_queries: HourQueries::default(),
            lanes: LaneMemory::default(),
            location: LocationBaseline::new(),
            listed: ListedBaseline::new(),
            egress: EgressBaseline::new(),
            principals: PrincipalsBaseline::default(),
            tempo: TempoBaseline::new(),
            shapes: None,
            errors: ErrorsBaseline::default(),
            sequence: 0,
            recent: Vec::new(),
            records: 0,
            late_records: 0,
            prior_day: 0,
            taught_until: Timestamp::MIN,
        }
    }

    /// Whose model it is.
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Applies events in stream order.
    pub fn apply<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Routed>,
        cx: &Context,
    ) -> Outcome {
        let mut out = Outcome { idle: true, ..Outcome::default() };
        for routed in events {
            out.idle = false;
            if routed.watermark > self.watermark {
                self.advance(routed.watermark, cx, &mut out);
            }
            self.take(routed, cx, &mut out);
        }
        out.pending = self.pending(cx);
        out
    }

    /// Moves on to `watermark` without an event. A model that has nothing to do until then stays
    /// as it is, to the byte: how often it is looked at leaves no trace.
    pub fn tick(&mut self, watermark: Timestamp, cx: &Context) -> Outcome {
        let mut out = Outcome::default();
        if watermark > self.watermark && self.pending(cx).is_due(watermark) {
            self.advance(watermark, cx, &mut out);
        } else {
            out.idle = true;
        }
        out.pending = self.pending(cx);
        out
    }

    /// Judges open cells as if the watermark passed them, on a copy: an early verdict.
    pub fn judge_open(&self, cx: &Context) -> Vec<Graded> {
        if self.pending(cx) != Pending::Cells {
            return Vec::new();
        }
        let newest = self.open.keys().next_back().copied().unwrap_or(self.last_minute);
        let slot_end = (newest.div_euclid(SLOT_MINUTES) + 1) * SLOT_MINUTES;
        let due = self.due(cx).map_or(slot_end, |due| due + 1);
        let mut copy = self.clone();
        copy.tick(Timestamp::of_minute(slot_end.max(due)), cx).findings
    }

    /// A small picture of the state.
    pub fn state(&self) -> AccountState {
        AccountState {
            records: self.records,
            late_records: self.late_records,
            open_cells: self.open.len(),
            bytes: self.bytes(),
            sequence: self.sequence,
        }
    }

    /// Most bytes of a model at a lateness: every facet full at once. See [`limits`] for the sum.
    pub const fn bytes_max(lateness_minutes: i64) -> usize {
        size_of::<AccountModel>()
            + limits::open_cells_max(lateness_minutes) * (size_of::<(i64, Cell)>() + Cell::HEAP_MAX)
            + EgressBaseline::HEAP_MAX
            + LocationBaseline::HEAP_MAX
            + AlertKind::ALL.len().next_power_of_two() * size_of::<(AlertKind, Timestamp)>()
            + PrincipalsBaseline::HEAP_MAX
            + TempoBaseline::HEAP_MAX
            + ListedBaseline::HEAP_MAX
            + size_of::<QueryShapes>()
            + QueryShapes::HEAP_MAX
            + ErrorsBaseline::HEAP_MAX
    }

    /// Bytes the model takes, heap included.
    pub fn bytes(&self) -> usize {
        size_of::<AccountModel>()
            + self.recent.capacity() * size_of::<(AlertKind, Timestamp)>()
            + self.bytes_by_facet().iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Heap bytes by facet.
    pub fn bytes_by_facet(&self) -> [(&'static str, usize); 7] {
        let cells = self.open.values().map(|c| size_of::<(i64, Cell)>() + c.heap_bytes()).sum();
        [
            ("open cells", cells),
            ("egress", self.egress.heap_bytes()),
            ("places", self.location.heap_bytes()),
            ("principals", self.principals.heap_bytes()),
            ("tempo", self.tempo.heap_bytes()),
            ("listed", self.listed.heap_bytes()),
            (
                "queries",
                self.shapes.as_ref().map_or(0, |s| size_of::<QueryShapes>() + s.heap_bytes())
                    + self.errors.heap_bytes(),
            ),
        ]
    }

    /// What remains to do when the watermark moves on.
    fn pending(&self, cx: &Context) -> Pending {
        if !self.open.is_empty() || self.slot_open || self.due(cx).is_some() {
            return Pending::Cells;
        }
        match self.clock {
            Some(clock) if clock < self.last_day_end() => {
                Pending::DayEnd(Timestamp::of_minute(self.last_day_end()))
            }
            _ => Pending::Nothing,
        }
    }

    /// The minute at whose end a run of key operations is judged although nothing arrives: that of
    /// its cell, because the rest of the cell may go on with the run.
    fn key_run_due(&self, cx: &Context) -> Option<i64> {
        self.principals.next_due(&cx.profile.keys).map(last_minute_of_cell)
    }

    /// The minute at whose end queries are judged although their requests did not come.
    fn queries_due(&self) -> Option<i64> {
        self.shapes.as_ref().and_then(|s| s.due())
    }

    /// The next minute that is judged although nothing arrives.
    fn due(&self, cx: &Context) -> Option<i64> {
        let (keys, queries) = (self.key_run_due(cx), self.queries_due());
        keys.into_iter().chain(queries).min()
    }

    /// The last such minute that is known of.
    fn last_due(&self, cx: &Context) -> Option<i64> {
        self.key_run_due(cx).max(self.queries_due())
    }

    fn close_due(&mut self, due: i64, cx: &Context, out: &mut Outcome) {
        if self.key_run_due(cx) == Some(due) {
            self.close_key_runs(due, cx, out);
        }
        if self.queries_due() == Some(due) {
            self.close_waiting_queries(due, cx, out);
        }
    }

    /// First minute after the last active day.
    fn last_day_end(&self) -> i64 {
        (self.last_minute.div_euclid(1440).saturating_add(1)).saturating_mul(1440)
    }

    fn take(&mut self, routed: &Routed, cx: &Context, out: &mut Outcome) {
        self.records += 1;
        let event = &routed.event;
        if let Some(id) = &event.resource_id
            && self.resource_id.as_ref() != Some(id)
            && matches!(event.body, Body::Request(_) | Body::Control(_))
        {
            self.resource_id = Some(id.clone());
        }
        let minute = cell_minute(event);
        if Timestamp::of_minute(minute + 1) <= self.watermark {
            self.late_records += 1;
            let mut cell = Cell::default();
            add(&mut cell, routed, false);
            cell.mark_late();
            self.close_late(minute, cell, cx, out);
            return;
        }
        let settled = settled_before(minute, cx.profile.time.lateness_minutes);
        let texts = self.shapes.as_ref().is_some_and(|s| s.had_text(settled));
        let known = self.knew_query(routed, settled);
        let cell = self.open.entry(minute).or_default();
        if let Body::Request(r) = &event.body {
            let day = Timestamp::of_minute(settled).day();
            let familiar = |key: &CallerKey| self.location.was_familiar(key, day);
            let at = (event.time, routed.place);
            cell.add_request_of(at, r, &routed.address, &familiar, texts);
            add_text(cell, routed, known);
        } else {
            add(cell, routed, known);
        }
        // Only clocks that run ahead open more: the farthest time is judged at once, as a late one.
        if self.open.len() > limits::open_cells_max(cx.profile.time.lateness_minutes)
            && let Some((minute, mut cell)) = self.open.pop_last()
        {
            cell.mark_late();
            self.close_late(minute, cell, cx, out);
        }
    }

    fn knew_query(&self, routed: &Routed, settled: i64) -> bool {
        let (Some(shapes), Some(read)) = (&self.shapes, &routed.query) else { return false };
        ran(&routed.event).is_some_and(|run| shapes.knew(query_key(read, run.container), settled))
    }

    fn advance(&mut self, watermark: Timestamp, cx: &Context, out: &mut Outcome) {
        self.watermark = watermark;
        while let Some(entry) = self.open.first_entry() {
            let minute = *entry.key();
            if Timestamp::of_minute(minute + 1) > watermark {
                break;
            }
            let cell = entry.remove();
            self.roll_to(minute, cx, out);
            self.close_cell(minute, cell, cx, out);
        }
        if self.clock.is_some() {
            let due = self.last_due(cx).map_or(i64::MIN, |due| due + 1);
            self.roll_to(watermark.minute().min(self.last_day_end().max(due)), cx, out);
        }
    }

    /// Passes every boundary up to the start of `minute`.
    fn roll_to(&mut self, minute: i64, cx: &Context, out: &mut Outcome) {
        let Some(mut at) = self.clock else {
            self.clock = Some(minute);
            return;
        };
        while at < minute {
            let step = if self.slot_open { SLOT_MINUTES } else { 60 };
            let boundary = (at.div_euclid(step) + 1) * step;
            if let Some(due) = self.due(cx)
                && due < boundary.min(minute)
            {
                at = at.max(due);
                self.close_due(due, cx, out);
                continue;
            }
            if boundary > minute {
                break;
            }
            at = boundary;
            if self.slot_open {
                self.close_slot(Timestamp::of_minute(at), cx, out);
            }
            if at % 60 == 0 {
                self.close_hour(at / 60 - 1, cx, out);
            }
            if at % 1440 == 0 {
                self.close_day(at / 1440 - 1, cx, out);
            }
        }
        self.clock = Some(at.max(minute));
    }
}

/// The last minute of the cell that takes an event. An aggregated row speaks at the end of its interval, when
/// it is known whether single requests cover the same time.
fn cell_minute(event: &Event) -> i64 {
    let ends = match &event.body {
        Body::Request(r) if r.interval_ms > 0 => {
            event.time.plus_ms((r.interval_ms - MINUTE_MS).clamp(0, DAY_MS))
        }
        _ => event.time,
    };
    last_minute_of_cell(ends.minute())
}

/// What an open cell asks of the model, it asks of the model as it was before this minute: the start
/// of the cell's hour, less the lateness. Where logs are read by the hour no cell after it may be
/// closed when a record of this hour comes, where they are read as they come some are, and where the
/// input ended in between they are from then on; up to it all are closed in each case. So a cell is
/// the same however the stream was split.
fn settled_before(minute: i64, lateness_minutes: i64) -> i64 {
    let hour = minute.div_euclid(60).saturating_mul(60);
    hour.saturating_sub(lateness_minutes.max(0))
}

fn last_minute_of_cell(minute: i64) -> i64 {
    let first = minute.div_euclid(SLOT_MINUTES).saturating_mul(SLOT_MINUTES);
    first.saturating_add(SLOT_MINUTES - 1)
}

fn add(cell: &mut Cell, routed: &Routed, known: bool) {
    let Routed { event, address, place, .. } = routed;
    add_text(cell, routed, known);
    match &event.body {
        Body::Request(r) => cell.add_request((event.time, *place), r, address),
        Body::Activity(operation) => {
            if let Some(key_operation) = key_operation(event, operation, address, *place) {
                cell.add_key_operation(key_operation);
            } else if let Some(category) = event.category() {
                cell.categories |= category.bit();
            }
        }
        Body::Query(_) | Body::Control(_) | Body::Coverage(_) => {
            if let Some(category) = event.category() {
                cell.categories |= category.bit();
            }
        }
    }
}

/// Adds what the text of a query says.
fn add_text(cell: &mut Cell, routed: &Routed, known: bool) {
    let (Some(read), Some(run)) = (&routed.query, ran(&routed.event)) else { return };
    cell.add_query((routed.event.time, routed.place), run, read, known);
}

fn ran(event: &Event) -> Option<Ran<'_>> {
    match &event.body {
        Body::Query(run) => Some((&**run).into()),
        Body::Request(request) => Some((&**request).into()),
        _ => None,
    }
}

fn key_operation(
    event: &Event,
    operation: &ActivityOperation,
    address: &AddressInfo,
    place: Place,
) -> Option<KeyOperation> {
    let credential = operation.credential.filter(|c| c.is_cosmos())?;
    Some(KeyOperation {
        time: event.time,
        digest: event.digest as u64,
        place,
        correlation_id: operation.correlation_id.clone(),
        operation: credential,
        outcome: operation.outcome,
        principal: operation.principal.clone().unwrap_or_else(|| PrincipalId::new("unknown")),
        principal_name: operation.principal_name.clone(),
        principal_type: operation.principal_type,
        guest: operation.guest,
        app_id: operation.app_id.clone(),
        role: operation.role.clone(),
        ip: operation.client_ip,
        address: address.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::cell::QueryCell;

    /// What the table at [`limits::ACCOUNT_BYTES_MAX`] should say.
    fn table() -> Vec<(&'static str, usize)> {
        let cells = limits::open_cells_max(limits::LATENESS_MINUTES);
        let queries = cells * QueryCell::HEAP_MAX;
        let shapes = size_of::<QueryShapes>() + QueryShapes::HEAP_MAX + ErrorsBaseline::HEAP_MAX;
        let recent = AlertKind::ALL.len().next_power_of_two() * size_of::<(AlertKind, Timestamp)>();
        let all = AccountModel::bytes_max(limits::LATENESS_MINUTES);
        vec![
            ("the model itself", size_of::<AccountModel>()),
            ("open cells", cells * size_of::<(i64, Cell)>()),
            ("their callers, pools and key operations", cells * Cell::HEAP_MAX - queries),
            ("egress", EgressBaseline::HEAP_MAX),
            ("places", LocationBaseline::HEAP_MAX),
            ("principals", PrincipalsBaseline::HEAP_MAX),
            (
                "listed addresses, tempo, recent kinds",
                ListedBaseline::HEAP_MAX + TempoBaseline::HEAP_MAX + recent,
            ),
            ("shapes of queries, and their failures", shapes),
            ("queries of open cells", queries),
            ("together", all),
            ("without texts of queries", all - shapes - queries),
        ]
    }

    /// As tables are written in comments: 1,234.
    fn grouped(bytes: usize) -> String {
        let digits = bytes.to_string();
        let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(text).collect();
        parts.join(",")
    }

    fn text(digits: &[u8]) -> &str {
        std::str::from_utf8(digits).unwrap()
    }

    #[test]
    fn the_table_of_the_bound_says_what_is_counted() {
        let written = include_str!("../limits.rs");
        let parts = table();
        let sum: usize = parts[..parts.len() - 2].iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, AccountModel::bytes_max(limits::LATENESS_MINUTES));
        let missing: Vec<String> = parts
            .into_iter()
            .map(|(what, bytes)| (format!("/// | {what} | "), format!(" | {} |", grouped(bytes))))
            .filter(|(begins, ends)| {
                !written.lines().any(|l| l.starts_with(begins) && l.ends_with(ends))
            })
            .map(|(begins, ends)| format!("{begins}…{ends}"))
            .collect();
        assert!(missing.is_empty(), "not in limits.rs: {missing:#?}");
        let bound = format!("of {}", grouped(limits::ACCOUNT_BYTES_MAX));
        assert!(written.contains(&bound), "no `{bound}` in limits.rs");
    }
}
