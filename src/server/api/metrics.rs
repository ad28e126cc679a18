//! `/metrics`: Prometheus text. Every name is in `docs/operating.md`.
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::service::by_category;
use crate::alert::book::{AlertBook, Status as AlertStatus};
use crate::alert::sinks::lane::SinkStatus;
use crate::live::board::{Phase, Status};
use crate::server::Service;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::severity;
use crate::time::Timestamp;

/// The text under way.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ =
            writeln!(self.0, "# HELP cosmoguard_{name} {help}\n# TYPE cosmoguard_{name} {kind}");
    }
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "cosmoguard_{name}");
        for (n, (label, text)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.value(name, &[], value);
    }
    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.value(name, &[], value);
    }
}

/// A label's value: what comes from logs or settings may hold anything.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn age(now: Timestamp, at: Option<Timestamp>) -> f64 {
    at.map_or(f64::NAN, |at| now.since(at) as f64 / 1000.0)
}

/// Numbers for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses(
        (status = 200, description = "The numbers.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn metrics(
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    let (status, now) = (service.shared.board.read(), service.shared.clock.now());
    let mut text = Text::default();
    phase(&mut text, &status, now);
    records(&mut text, &status);
    sources(&mut text, &status, now);
    actors(&mut text, &status);
    silences(&mut text, &status);
    let profile = &service.shared.config.config.profile.severity;
    let account_days = status.counts.account_days as f64;
    promise(&mut text, severity::expected_false_alerts(profile, account_days));
    alerts(&mut text, &service.shared.book.read());
    if let Some(dispatcher) = &service.shared.sinks {
        sinks(&mut text, &dispatcher.status());
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text.0))
}

fn phase(text: &mut Text, status: &Status, now: Timestamp) {
    text.head("phase", "gauge", "1 for what the service is doing.");
    for phase in [Phase::Opening, Phase::Warming, Phase::Running, Phase::Draining] {
        text.value("phase", &[("phase", phase.as_str())], u8::from(phase == status.phase));
    }
    let failed = u8::from(status.failed.is_some());
    text.gauge("engine_failed", "1 if the engine ended although nobody told it to.", failed);
    let help = "Seconds since everything was made durable.";
    text.gauge("checkpoint_age_seconds", help, age(now, status.checkpointed));
    let help = "Seconds from the watermark, event time, to the clock.";
    text.gauge("watermark_age_seconds", help, age(now, status.watermark));
    text.gauge("store_bytes", "Bytes of the store's files.", status.store_bytes);
    let inbox = &status.inbox;
    text.gauge("inbox_bytes", "Bytes of the inbox on the disk.", inbox.bytes);
    text.gauge("inbox_waiting_batches", "Batches that wait to be written.", inbox.waiting);
    text.counter("inbox_accepted_batches_total", "Batches accepted.", inbox.accepted);
    text.counter("inbox_syncs_total", "Syncs that they took.", inbox.syncs);
}

fn records(text: &mut Text, status: &Status) {
    let counts = &status.counts;
    text.head("records_total", "counter", "Records taken in, by category.");
    for (category, n) in by_category(status) {
        text.value("records_total", &[("category", category)], n);
    }
    text.head("records_refused_total", "counter", "Records refused, by reason.");
    for (reason, n) in &counts.refused {
        text.value("records_refused_total", &[("reason", reason)], n);
    }
    let unknown: u64 = counts.unknown_categories.values().sum();
    text.counter("records_unknown_total", "Records of categories not known.", unknown);
    text.counter("records_copies_total", "Copies that were recognised.", counts.duplicates);
    text.counter("records_late_total", "Records too late for their place.", counts.late);
}

fn sources(text: &mut Text, status: &Status, now: Timestamp) {
    type Value = fn(&crate::live::board::SourceStatus, Timestamp) -> f64;
    let columns: [(&str, &str, &str, Value); 5] = [
        ("source_lag_bytes", "gauge", "Bytes that are not read yet.", |s, _| s.bytes_behind as f64),
        ("source_lag_seconds", "gauge", "From its newest record to the clock.", |s, now| {
            age(now, s.newest)
        }),
        ("source_read_bytes_total", "counter", "Bytes read.", |s, _| s.bytes_read as f64),
        ("source_records_total", "counter", "Records taken in.", |s, _| s.records as f64),
        ("source_refused_total", "counter", "Records refused.", |s, _| s.refused as f64),
    ];
    for (name, kind, help, value) in columns {
        text.head(name, kind, help);
        for source in &status.sources {
            let labels = [("source", source.name.as_str()), ("kind", source.kind)];
            text.value(name, &labels, value(source, now));
        }
    }
}

fn actors(text: &mut Text, status: &Status) {
    text.gauge("accounts", "Accounts known.", status.accounts.0);
    text.gauge("accounts_awake", "Accounts in memory.", status.accounts.1);
    text.gauge("mailbox_depth", "Messages in the fullest mailbox.", status.mailbox_depth);
    let router = &status.router;
    text.counter("passivations_total", "Times an account fell asleep.", router.passivations);
    text.counter("wakes_total", "Times one was woken.", router.wakes);
    text.counter("panics_total", "Panics of account models.", router.panics);
    text.counter("dead_letters_total", "Events set aside unapplied.", router.dead_letters);
    text.gauge("accounts_quarantined", "Accounts set aside.", router.quarantined);
}

fn silences(text: &mut Text, status: &Status) {
    let help = "Alarms that are open because logs that used to come come no more, by scope.";
    text.head("log_silences", "gauge", help);
    for scope in ["source", "together", "account", "category"] {
        let n = status.silences.iter().filter(|alarm| alarm.silent.scope() == scope).count();
        text.value("log_silences", &[("scope", scope)], n);
    }
}

fn sinks(text: &mut Text, all: &[SinkStatus]) {
    type Value = fn(&SinkStatus) -> f64;
    let columns: [(&str, &str, &str, Value); 5] = [
        ("sink_queued", "gauge", "Messages that wait.", |s| s.queued as f64),
        ("sink_oldest_seconds", "gauge", "How long the oldest of them waits.", |s| {
            s.oldest_ms as f64 / 1000.0
        }),
        ("sink_delivered_total", "counter", "Messages delivered.", |s| s.delivered as f64),
        ("sink_dead_letters", "gauge", "Messages set aside.", |s| s.dead_letters as f64),
        ("sink_failures", "gauge", "Failures in a row.", |s| f64::from(s.failures)),
    ];
    for (name, kind, help, value) in columns {
        text.head(name, kind, help);
        for sink in all {
            text.value(name, &[("sink", &sink.name), ("kind", sink.kind)], value(sink));
        }
    }
}

fn promise(text: &mut Text, allowed: [f64; 3]) {
    let help = "Alerts that innocent life brings at most in the account-days seen, by severity.";
    text.head("alerts_allowed", "gauge", help);
    for (severity, n) in ["Low", "Medium", "High"].into_iter().zip(allowed) {
        text.value("alerts_allowed", &[("severity", severity)], n);
    }
}

fn alerts(text: &mut Text, book: &AlertBook) {
    let mut counts: BTreeMap<(&str, &str), (u64, f64)> = BTreeMap::new();
    let mut statuses = [0_u64; 4];
    for entry in book.entries() {
        let newest = entry.newest();
        let count = counts.entry((book.kind(entry), newest.severity.as_str())).or_default();
        count.0 += 1;
        count.1 += Some(newest.per_day).filter(|p| p.is_finite()).unwrap_or(0.0);
        statuses[entry.status() as usize] += 1;
    }
    text.head("alerts", "gauge", "Alerts known, by kind and severity.");
    for ((kind, severity), (n, _)) in &counts {
        text.value("alerts", &[("kind", kind), ("severity", severity)], n);
    }
    let help = "Sum of their rates on innocent accounts, by kind and severity.";
    text.head("alerts_nominal", "gauge", help);
    for ((kind, severity), (_, nominal)) in &counts {
        text.value("alerts_nominal", &[("kind", kind), ("severity", severity)], nominal);
    }
    text.head("alerts_by_status", "gauge", "Alerts known, by where they stand.");
    for (status, n) in AlertStatus::ALL.into_iter().zip(statuses) {
        text.value("alerts_by_status", &[("status", status.as_str())], n);
    }
}
