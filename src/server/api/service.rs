//! The service itself.
use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::json;
use crate::alert::sinks::lane::SinkStatus;
use crate::event::Category;
use crate::fleet::silence::Alarm;
use crate::ids::AccountId;
use crate::live::board::{Phase, SourceStatus, Status};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, openapi as document};
use crate::time::Timestamp;

/// Accounts that one alarm names; the rest is counted.
const SILENT_NAMED_MAX: usize = 100;

/// One source of records.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// A folder as it was given, or `inbox`, or `demo`.
    pub name: String,
    /// `folder`, `inbox`, `demo`.
    pub kind: &'static str,
    /// Files seen.
    pub files: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes that wait.
    pub bytes_behind: u64,
    /// Records taken in.
    pub records: u64,
    /// Records refused.
    pub refused: u64,
    /// Event time of the newest record.
    pub newest: Option<String>,
    /// When the last record came.
    pub last_record: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it did.
    pub last_error_at: Option<String>,
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<SourceStatus> for SourceView {
    fn from(source: SourceStatus) -> SourceView {
        let (at, error) = source.last_error.unzip();
        SourceView {
            name: source.name,
            kind: source.kind,
            files: source.files,
            bytes_read: source.bytes_read,
            bytes_behind: source.bytes_behind,
            records: source.records,
            refused: source.refused,
            newest: text(source.newest),
            last_record: text(source.last_record),
            last_error: error,
            last_error_at: text(at),
        }
    }
}

/// Logs that used to come and come no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct SilenceView {
    /// `source`, `together`, `account`, `category`.
    pub scope: &'static str,
    /// Accounts; the first hundred by name.
    pub accounts: Vec<String>,
    /// How many in all.
    pub accounts_in_all: usize,
    /// Category, where it is one.
    pub category: Option<&'static str>,
    /// Since when.
    pub since: String,
    /// When it was noticed.
    pub noticed: String,
    /// The chance of a silence that long.
    pub tail_probability: f64,
    /// How often an innocent stream has one, a day.
    pub nominal_per_day: f64,
}

impl From<&Alarm> for SilenceView {
    fn from(alarm: &Alarm) -> SilenceView {
        SilenceView {
            scope: alarm.silent.scope(),
            accounts: alarm.accounts.iter().take(SILENT_NAMED_MAX).map(|a| a.to_string()).collect(),
            accounts_in_all: alarm.accounts.len(),
            category: alarm.silent.category().map(|category| category.as_str()),
            since: alarm.since.to_string(),
            noticed: alarm.noticed.to_string(),
            tail_probability: alarm.p,
            nominal_per_day: alarm.per_day,
        }
    }
}

/// Where alerts are sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// `webhook`, `syslog` ….
    pub kind: &'static str,
    /// Where it sends to, without anything secret.
    pub place: String,
    /// Messages that wait.
    pub queued: u64,
    /// How long the oldest of these waits, seconds.
    pub oldest_seconds: u64,
    /// Messages delivered since its queue was made.
    pub delivered: u64,
    /// Messages that were set aside and are kept.
    pub dead_letters: u64,
    /// Messages that were set aside and dropped for want of room.
    pub dropped: u64,
    /// Failures in a row.
    pub failures: u32,
    /// When a message last arrived.
    pub last_delivered: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it did.
    pub last_error_at: Option<String>,
}

impl From<SinkStatus> for SinkView {
    fn from(sink: SinkStatus) -> SinkView {
        let (at, error) = sink.last_error.unzip();
        SinkView {
            name: sink.name,
            kind: sink.kind,
            place: sink.place,
            queued: sink.queued,
            oldest_seconds: u64::try_from(sink.oldest_ms / 1000).unwrap_or_default(),
            delivered: sink.delivered,
            dead_letters: sink.dead_letters,
            dropped: sink.dropped,
            failures: sink.failures,
            last_delivered: text(sink.last_delivered.map(Timestamp)),
            last_error: error,
            last_error_at: text(at.map(Timestamp)),
        }
    }
}

/// Open alarms that name an account, or everything.
pub(crate) fn silences_of(alarms: &[Alarm], account: &AccountId) -> Vec<SilenceView> {
    let names =
        |alarm: &&Alarm| alarm.accounts.is_empty() || alarm.accounts.binary_search(account).is_ok();
    let only = |alarm: &Alarm| {
        let mut view = SilenceView::from(alarm);
        // Of the others an asker may not see anything.
        view.accounts = vec![account.to_string()];
        view
    };
    alarms.iter().filter(names).map(only).collect()
}

/// What is said of the whole fleet.
#[derive(Debug, Serialize, ToSchema)]
pub struct FleetStatus {
    /// Accounts known.
    pub accounts: usize,
    /// Of these, in memory.
    pub awake: usize,
    /// Records since the start, by category.
    pub records: BTreeMap<&'static str, u64>,
    /// Records refused since the start, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Records of categories that are not known.
    pub unknown: u64,
    /// Copies that were recognised.
    pub copies: u64,
    /// Records that came too late to be judged in their place.
    pub late: u64,
    /// Panics of account models, and accounts that were set aside for them.
    pub panics: u64,
    /// See `panics`.
    pub quarantined: u64,
    /// Messages that wait in the fullest mailbox.
    pub mailbox_depth: usize,
    /// When everything was made durable last.
    pub checkpointed: Option<String>,
    /// Bytes of the store's files.
    pub store_bytes: u64,
    /// Bytes of the inbox that wait to be applied.
    pub inbox_bytes: u64,
    /// The sources.
    pub sources: Vec<SourceView>,
    /// Where alerts are sent.
    pub sinks: Vec<SinkView>,
    /// What had to be repaired at the opening.
    pub recovery: Vec<String>,
    /// Logs that used to come and come no more.
    pub silences: Vec<SilenceView>,
}

/// The service in a page.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusView {
    /// Version of the program.
    pub version: &'static str,
    /// `opening`, `warming`, `running`, `draining`.
    pub phase: &'static str,
    /// Share of the history that is replayed, while it warms.
    pub warming: Option<f64>,
    /// Seconds that it may still take.
    pub warming_seconds: Option<u64>,
    /// Since when it runs.
    pub started: String,
    /// Its clock.
    pub now: String,
    /// Everything before this event time is judged for good.
    pub watermark: Option<String>,
    /// Newest event time seen.
    pub newest: Option<String>,
    /// Alerts known.
    pub alerts: usize,
    /// Alert lines known.
    pub as_of: u64,
    /// Why the engine ended, if it did.
    pub failed: Option<String>,
    /// Of the whole fleet; absent for tokens that see some accounts only.
    pub fleet: Option<FleetStatus>,
}

/// Records by category, those that came.
pub(crate) fn by_category(status: &Status) -> BTreeMap<&'static str, u64> {
    let counts = Category::ALL.iter().zip(status.counts.by_category);
    counts.filter(|(_, n)| *n > 0).map(|(category, n)| (category.as_str(), n)).collect()
}

fn fleet(status: Status, sinks: Vec<SinkStatus>) -> FleetStatus {
    let recovery = status
        .recovery
        .clone()
        .map(|(rung, reasons)| std::iter::once(rung).chain(reasons).collect::<Vec<String>>());
    FleetStatus {
        accounts: status.accounts.0,
        awake: status.accounts.1,
        records: by_category(&status),
        refused: status.counts.refused.clone(),
        unknown: status.counts.unknown_categories.values().sum(),
        copies: status.counts.duplicates,
        late: status.counts.late,
        panics: status.router.panics,
        quarantined: status.router.quarantined,
        mailbox_depth: status.mailbox_depth,
        checkpointed: text(status.checkpointed),
        store_bytes: status.store_bytes,
        inbox_bytes: status.inbox.bytes,
        sinks: sinks.into_iter().map(SinkView::from).collect(),
        recovery: recovery.unwrap_or_default(),
        silences: status.silences.iter().map(SilenceView::from).collect(),
        sources: status.sources.into_iter().map(SourceView::from).collect(),
    }
}

/// What the service does, how far it is, and how its sources are.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "service",
    responses(
        (status = 200, description = "The status.", body = StatusView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn status(
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let status = service.shared.board.read();
    let sees = |account: &str| caller.scope().sees(account);
    let (alerts, as_of) = {
        let book = service.shared.book.read();
        (book.entries().iter().filter(|e| book.is_seen(e, &sees)).count(), book.lines())
    };
    let sinks = service.shared.sinks.as_ref().map(|d| d.status()).unwrap_or_default();
    json(&StatusView {
        version: env!("CARGO_PKG_VERSION"),
        phase: status.phase.as_str(),
        warming: status.warming.map(|(share, _)| share),
        warming_seconds: status.warming.map(|(_, seconds)| seconds),
        started: service.started.to_string(),
        now: service.shared.clock.now().to_string(),
        watermark: text(status.watermark),
        newest: text(status.newest),
        alerts,
        as_of,
        failed: status.failed.clone(),
        fleet: caller.scope().is_all().then(|| fleet(status, sinks)),
    })
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// The service takes records and raises alerts; 503 before and after that.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    security(()),
    responses(
        (status = 200, description = "It does.", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or not any more.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn readyz(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let status = service.shared.board.read();
    if status.failed.is_some() {
        let detail = "the engine ended; the service's log says why";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    if status.phase != Phase::Running {
        return Err(Problem::unavailable(format!("the service is {}", status.phase.as_str())));
    }
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"))
}

/// This API, described (OpenAPI 3.1).
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    security(()),
    responses((status = 200, description = "The description.", body = Object))
)]
pub(crate) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document::text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_shown_with_what_waits_and_what_went_wrong() {
        let view = SinkView::from(SinkStatus {
            name: "soc".to_owned(),
            kind: "webhook",
            queued: 3,
            oldest_ms: 61_900,
            dead_letters: 1,
            last_error: Some((1_000, "refused".to_owned())),
            last_delivered: None,
            ..SinkStatus::default()
        });
        assert_eq!((view.queued, view.oldest_seconds, view.dead_letters), (3, 61, 1));
        assert_eq!(view.last_error.as_deref(), Some("refused"));
        assert_eq!(view.last_error_at.as_deref(), Some("1970-01-01T00:00:01Z"));
        assert_eq!(view.last_delivered, None);
    }
}
