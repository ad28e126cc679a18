//! News as they come: server-sent events.
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use utoipa::ToSchema;

use super::alerts::{AlertItem, DecisionView};
use crate::alert::AlertId;
use crate::alert::book::AlertBook;
use crate::server::book::News;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, Shared};

/// Listeners at a time.
pub(crate) const SUBSCRIBERS_MAX: usize = 64;
/// Time between two ticks.
const TICK: Duration = Duration::from_secs(5);
/// Events that wait for a slow listener.
const WAITING_MAX: usize = 64;
/// A listener that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most missed events that are told again; who missed more is told to read the list.
const MISSED_MAX: usize = 500;

/// The data of a `tick`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tick {
    /// What the service is doing.
    pub phase: &'static str,
    /// Everything before this event time is judged for good.
    pub watermark: Option<String>,
    /// Alert lines known.
    pub as_of: u64,
    /// The service's clock.
    pub now: String,
}

/// The data of a `status`.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusNews {
    /// The alert.
    pub id: String,
    /// The decision.
    pub decision: DecisionView,
}

/// How far a listener has come: lines, decisions.
type Position = (u64, u64);

fn position(text: &str) -> Option<Position> {
    let (lines, decided) = text.trim().split_once('-')?;
    Some((lines.parse().ok()?, decided.parse().ok()?))
}

struct Events(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Events {
    type Item = Result<Bytes, std::convert::Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(Ok))
    }
}

/// News as server-sent events: `alert` and `revision` carry an item of the list, `status` a decision,
/// `tick` comes every five seconds, `gap` says that events were missed and the list is to be read.
/// `Last-Event-ID` goes on behind what was heard.
#[utoipa::path(
    get,
    path = "/v1/alerts/stream",
    tag = "alerts",
    params(("Last-Event-ID" = Option<String>, Header, description = "Id of the last event heard.")),
    responses(
        (status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stream(
    request: HttpRequest,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let Ok(room) = Arc::clone(&service.streams).try_acquire_owned() else {
        let detail = format!("{SUBSCRIBERS_MAX} listen already; ask again later");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry(30));
    };
    let last = request.headers().get("last-event-id").map(|v| v.to_str().unwrap_or_default());
    let last = match last {
        None | Some("") => None,
        Some(text) => {
            let wrong = || Problem::field("Last-Event-ID", "not the id of an event");
            Some(position(text).ok_or_else(wrong)?)
        }
    };
    let (sender, events) = mpsc::channel(WAITING_MAX);
    let shared = service.shared.clone();
    // Before the answer, and before the book is read: whatever comes from now on is heard.
    let news = shared.book.listen();
    let position = now(&shared.book.read());
    let teller = Teller { shared, caller, sender, position };
    actix_web::rt::spawn(teller.run(last, news, service.stopping.clone(), room));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Events(events)))
}

/// Nobody listens any more.
struct Left;

struct Teller {
    shared: Shared,
    caller: Caller,
    sender: mpsc::Sender<Bytes>,
    position: Position,
}

impl Teller {
    async fn run(
        mut self,
        last: Option<Position>,
        mut news: broadcast::Receiver<News>,
        mut stopping: watch::Receiver<bool>,
        _room: OwnedSemaphorePermit,
    ) {
        if self.begin(last).await.is_err() {
            return;
        }
        let mut ticks = tokio::time::interval(TICK);
        loop {
            let told = tokio::select! {
                _ = stopping.changed() => return,
                _ = ticks.tick() => self.tick().await,
                heard = news.recv() => match heard {
                    Ok(news) => self.tell(news).await,
                    Err(RecvError::Lagged(_)) => self.gap().await,
                    Err(RecvError::Closed) => return,
                },
            };
            if told.is_err() {
                return;
            }
        }
    }

    async fn begin(&mut self, last: Option<Position>) -> Result<(), Left> {
        let Some((lines, decided)) = last else { return self.send("hello", "{}").await };
        let now = self.position;
        // An id of another life of the data says nothing of this one.
        let last = (lines.min(now.0), decided.min(now.1));
        let missed = missed(&self.shared.book.read(), last);
        if missed.len() > MISSED_MAX {
            return self.gap().await;
        }
        self.position = last;
        for news in missed {
            self.tell(news).await?;
        }
        self.position = (self.position.0.max(now.0), self.position.1.max(now.1));
        Ok(())
    }

    async fn tell(&mut self, news: News) -> Result<(), Left> {
        let event = match news {
            News::Line(number, id) => self.line(number, id),
            News::Decided(id) => self.decided(id),
        };
        match event {
            Some((name, data)) => self.send(name, &data).await,
            None => Ok(()),
        }
    }

    fn line(&mut self, number: u64, id: AlertId) -> Option<(&'static str, String)> {
        if number < self.position.0 {
            return None;
        }
        self.position.0 = number + 1;
        let book = self.shared.book.read();
        let entry = book.get(id)?;
        let revision = *entry.revisions.iter().find(|r| r.number == number)?;
        let sees = |account: &str| self.caller.scope().sees(account);
        let name = if entry.first().number == number { "alert" } else { "revision" };
        let item = AlertItem::of(&book, entry, revision);
        book.is_seen(entry, &sees).then(|| Some((name, serde_json::to_string(&item).ok()?)))?
    }

    fn decided(&mut self, id: AlertId) -> Option<(&'static str, String)> {
        let book = self.shared.book.read();
        let entry = book.get(id)?;
        let position = self.position.1;
        let decision = entry.decisions.iter().find(|d| d.number > position)?;
        self.position.1 = decision.number;
        let sees = |account: &str| self.caller.scope().sees(account);
        let news = StatusNews { id: id.to_string(), decision: DecisionView::from(decision) };
        book.is_seen(entry, &sees).then(|| Some(("status", serde_json::to_string(&news).ok()?)))?
    }

    async fn tick(&mut self) -> Result<(), Left> {
        let status = self.shared.board.read();
        let tick = Tick {
            phase: status.phase.as_str(),
            watermark: status.watermark.map(|at| at.to_string()),
            as_of: self.shared.book.read().lines(),
            now: self.shared.clock.now().to_string(),
        };
        let data = serde_json::to_string(&tick).unwrap_or_default();
        self.send("tick", &data).await
    }

    async fn gap(&mut self) -> Result<(), Left> {
        self.position = now(&self.shared.book.read());
        self.send("gap", "{}").await
    }

    async fn send(&self, event: &str, data: &str) -> Result<(), Left> {
        let (lines, decided) = self.position;
        // JSON has no line ends outside of its own blanks, and we write none of those.
        let text = format!("id: {lines}-{decided}\nevent: {event}\ndata: {data}\n\n");
        match tokio::time::timeout(PATIENCE, self.sender.send(Bytes::from(text))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Left),
        }
    }
}

/// Where who has heard everything is.
fn now(book: &AlertBook) -> Position {
    (book.lines(), book.decided())
}

/// What came behind a position: lines by number, then decisions by number.
fn missed(book: &AlertBook, (lines, decided): Position) -> Vec<News> {
    let mut missed: Vec<(u64, News)> = Vec::new();
    let mut later: Vec<(u64, News)> = Vec::new();
    for entry in book.entries() {
        let fresh = entry.revisions.iter().filter(|r| r.number >= lines);
        missed.extend(fresh.map(|r| (r.number, News::Line(r.number, entry.id))));
        let fresh = entry.decisions.iter().filter(|d| d.number > decided);
        later.extend(fresh.map(|d| (d.number, News::Decided(entry.id))));
    }
    missed.sort_by_key(|(number, _)| *number);
    later.sort_by_key(|(number, _)| *number);
    missed.into_iter().chain(later).map(|(_, news)| news).collect()
}
