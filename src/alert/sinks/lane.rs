//! One sink's thread and all it works with: its queue, its pace, and what is shown of it.
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::notice::{Heartbeat, Notice};
use super::queue::{Queue, Taken};
use super::retry::wait_ms;
use super::settings::{Common, SinkSettings};
use super::{SendError, Sent, Sink, Takes};
use crate::time::{Clock, HOUR_MS, MINUTE_MS, Timestamp};

/// Longest sleep between two looks at the queue, milliseconds: a request to retry is seen then.
const LOOK_MS: i64 = 500;
/// Its presence in a sink's folder asks for what was set aside to be tried again.
pub const RETRY_FILE: &str = "retry";

/// What is shown of a sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Where it sends to, without anything secret.
    pub place: String,
    /// Messages that wait.
    pub queued: u64,
    /// How long the oldest of these waits, milliseconds.
    pub oldest_ms: i64,
    /// Messages delivered since the queue was made.
    pub delivered: u64,
    /// Messages that were set aside and are kept.
    pub dead_letters: u64,
    /// Messages that were set aside and dropped for want of room.
    pub dropped: u64,
    /// Failures in a row.
    pub failures: u32,
    /// What went wrong last, and when by the wall clock, milliseconds.
    pub last_error: Option<(i64, String)>,
    /// When a message last arrived, wall clock, milliseconds.
    pub last_delivered: Option<i64>,
}

/// What changes.
struct State {
    queue: Queue,
    /// Nothing is sent before this wall clock: the last try failed.
    wait_until: i64,
    failures: u32,
    last_error: Option<(i64, String)>,
    last_delivered: Option<(i64, String)>,
    next_heartbeat: Option<i64>,
    /// So many messages are sent one by one: some of them may be at fault.
    alone: usize,
    stopping: bool,
    finished: bool,
}

/// A sink with its queue. The thread holds the lock while it looks, never while it sends.
pub struct Lane {
    common: Common,
    kind: &'static str,
    place: String,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wake: Condvar,
}

impl Lane {
    /// A lane whose queue lies in `folder`.
    ///
    /// # Errors
    /// The file system refused.
    pub fn open(
        settings: &SinkSettings,
        folder: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Lane> {
        let state = State {
            queue: Queue::open(&folder)?,
            wait_until: 0,
            failures: 0,
            last_error: None,
            last_delivered: None,
            next_heartbeat: None,
            alone: 0,
            stopping: false,
            finished: false,
        };
        Ok(Lane {
            common: settings.common.clone(),
            kind: settings.kind(),
            place: settings.place(),
            folder,
            clock,
            state: Mutex::new(state),
            wake: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Its name.
    pub fn name(&self) -> &str {
        &self.common.name
    }

    /// Puts a message in its queue; durable after [`Lane::sync`].
    ///
    /// # Errors
    /// The file system refused.
    pub fn put(&self, notice: &Notice) -> std::io::Result<()> {
        self.lock().queue.put(notice).map(|_| ())
    }
    /// Makes what was put in durable, and wakes the thread.
    ///
    /// # Errors
    /// The file system refused.
    pub fn sync(&self) -> std::io::Result<()> {
        self.lock().queue.sync()?;
        self.wake.notify_all();
        Ok(())
    }

    /// What is shown of it.
    pub fn status(&self) -> SinkStatus {
        let now = self.clock.now().millis();
        let state = self.lock();
        SinkStatus {
            name: self.common.name.clone(),
            kind: self.kind,
            place: self.place.clone(),
            queued: state.queue.waiting() as u64,
            oldest_ms: state.queue.oldest().map_or(0, |at| now.saturating_sub(at).max(0)),
            delivered: state.queue.counts().delivered,
            dead_letters: state.queue.dead_letters() as u64,
            dropped: state.queue.counts().dropped,
            failures: state.failures,
            last_error: state.last_error.clone(),
            last_delivered: state.last_delivered.as_ref().map(|(at, _)| *at),
        }
    }

    /// Asks the thread to send what it can and end.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.wake.notify_all();
    }
    /// Waits until the thread has ended, at most `patience`. Says whether it has.
    pub fn wait_finished(&self, patience: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.lock(), patience, |s| !s.finished);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.finished
    }

    /// The thread: sends until it is told to stop. `watermark` says up to which event time
    /// everything is judged.
    pub fn run(&self, sink: &mut dyn Sink, watermark: &dyn Fn() -> Option<Timestamp>) {
        loop {
            let now = self.clock.now();
            let mut state = self.lock();
            self.heed_retry(&mut state, now);
            let batch = self.next(&mut state, sink.takes(), now);
            if batch.is_empty() {
                if state.stopping {
                    state.finished = true;
                    self.wake.notify_all();
                    return;
                }
                if let Some(beat) = self.heartbeat(&mut state, now, watermark) {
                    drop(state);
                    let sent = send(sink, &[&beat], now);
                    self.note_heartbeat(&sent, now);
                    continue;
                }
                let sleep = self.sleep(&state, now);
                drop(self.wake.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            drop(state);
            let notices: Vec<&Notice> = batch.iter().map(|taken| &taken.notice).collect();
            let sent = send(sink, &notices, now);
            self.settle(&batch, sent);
        }
    }

    /// Somebody asked for what was set aside to be tried again.
    fn heed_retry(&self, state: &mut State, now: Timestamp) {
        if std::fs::remove_file(self.folder.join(RETRY_FILE)).is_err() {
            return;
        }
        state.wait_until = 0;
        if let Err(error) = state.queue.again() {
            state.last_error = Some((now.millis(), format!("its queue: {error}")));
        }
    }

    fn next(&self, state: &mut State, takes: Takes, now: Timestamp) -> Vec<Taken> {
        if now.millis() < state.wait_until {
            return Vec::new();
        }
        let (most, any) = match takes {
            _ if state.alone > 0 => (1, false),
            Takes::One => (1, false),
            Takes::Group(most) => (most, false),
            Takes::Many(most) => (most, true),
        };
        let hurry = state.stopping;
        state.queue.take(now.millis(), most, any, hurry).unwrap_or_else(|error| {
            state.last_error = Some((now.millis(), format!("its queue: {error}")));
            state.wait_until = now.millis() + wait_ms(&self.common.name, 1, None);
            Vec::new()
        })
    }

    fn sleep(&self, state: &State, now: Timestamp) -> Duration {
        let due = state.queue.next_due().unwrap_or(i64::MAX).max(state.wait_until);
        let ms = due.saturating_sub(now.millis()).clamp(1, LOOK_MS);
        Duration::from_millis(ms.unsigned_abs())
    }

    /// Writes down how it went.
    fn settle(&self, batch: &[Taken], sent: Sent) {
        let now = self.clock.now().millis();
        let mut state = self.lock();
        let delivered = sent.delivered.min(batch.len());
        let (arrived, rest) = batch.split_at(delivered);
        let mut written = Ok(());
        if let Some(last) = arrived.last() {
            let numbers: Vec<u64> = arrived.iter().map(|taken| taken.number).collect();
            written = state.queue.done(&numbers);
            state.last_delivered = Some((now, last.notice.key.clone()));
            (state.failures, state.wait_until) = (0, 0);
            state.alone = state.alone.saturating_sub(delivered);
        }
        if let Some(error) = sent.error {
            state.last_error = Some((now, error.to_string()));
            let settled = self.settle_failed(&mut state, rest, &error, now);
            written = written.and(settled);
        }
        if let Err(error) = written {
            state.last_error = Some((now, format!("its queue: {error}")));
        }
    }

    fn settle_failed(
        &self,
        state: &mut State,
        rest: &[Taken],
        error: &SendError,
        now: i64,
    ) -> std::io::Result<()> {
        let Some(first) = rest.first() else { return Ok(()) };
        match error {
            SendError::Refused(_) if rest.len() > 1 => {
                // One of them is at fault: each is tried alone.
                state.alone = state.alone.max(rest.len());
                Ok(())
            }
            SendError::Refused(why) => {
                state.alone = state.alone.saturating_sub(1);
                state.queue.dead(&[first.number], why)
            }
            SendError::Later { why, wait_ms: asked } => {
                state.failures = state.failures.saturating_add(1);
                state.wait_until = now + wait_ms(&self.common.name, state.failures, *asked);
                let age_max = i64::from(self.common.max_age_hours) * HOUR_MS;
                let mut given_up = Vec::new();
                for taken in rest {
                    let tries = taken.tries.saturating_add(1);
                    let is_old = now.saturating_sub(taken.notice.at) >= age_max;
                    if tries >= self.common.max_tries || is_old {
                        given_up.push(taken.number);
                    } else {
                        let wait = wait_ms(&taken.notice.key, tries, *asked);
                        state.queue.failed(taken.number, now + wait);
                    }
                }
                if given_up.is_empty() { Ok(()) } else { state.queue.dead(&given_up, why) }
            }
        }
    }

    /// The heartbeat, when it is time for it.
    fn heartbeat(
        &self,
        state: &mut State,
        now: Timestamp,
        watermark: &dyn Fn() -> Option<Timestamp>,
    ) -> Option<Notice> {
        if self.common.heartbeat_minutes == 0 || now.millis() < state.wait_until {
            return None;
        }
        let every = i64::from(self.common.heartbeat_minutes) * MINUTE_MS;
        if now.millis() < *state.next_heartbeat.get_or_insert(now.millis()) {
            return None;
        }
        state.next_heartbeat = Some(now.millis().saturating_add(every));
        let beat = Heartbeat {
            at: now.millis(),
            watermark: watermark().map(Timestamp::millis),
            last: state.last_delivered.as_ref().map(|(_, key)| key.clone()).unwrap_or_default(),
            last_at: state.last_delivered.as_ref().map(|(at, _)| *at),
            queued: state.queue.waiting() as u64,
            dead_letters: state.queue.dead_letters() as u64,
        };
        Some(Notice::heartbeat(&self.common.name, beat))
    }

    /// One that did not arrive is not tried again: the next one says more.
    fn note_heartbeat(&self, sent: &Sent, now: Timestamp) {
        let mut state = self.lock();
        match &sent.error {
            None => state.failures = 0,
            Some(error) => {
                state.failures = state.failures.saturating_add(1);
                state.last_error = Some((now.millis(), error.to_string()));
            }
        }
    }
}

/// A panic is one more way to fail: the thread lives on, and the queue with it.
fn send(sink: &mut dyn Sink, notices: &[&Notice], now: Timestamp) -> Sent {
    let sending = std::panic::AssertUnwindSafe(|| sink.send(notices, now));
    std::panic::catch_unwind(sending).unwrap_or_else(|_| Sent {
        delivered: 0,
        error: Some(SendError::later("the sink panicked; this is a fault of the program")),
    })
}
