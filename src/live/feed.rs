//! Producers that never end: what is watched, and a made-up fleet that lives on.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::board::{Board, SourceStatus};
use crate::replay::demo::Demo;
use crate::replay::pipeline::{Deliver, FileNote, Piece, Producer};
use crate::source::inbox::{Inbox, Mark};
use crate::source::tail::{Known, Note, Tail, Watched};
use crate::source::{Options, Progress, SourceError};
use crate::store::sources::{FileKey, Sources};
use crate::time::{Clock, HOUR_MS, Timestamp};

/// Longest nap before the flag is looked at again, milliseconds.
const NAP_MS: u64 = 100;
/// A look at the folders that takes long is followed by a pause of so many times its length.
const PAUSE_PER_LOOK: u64 = 4;
/// The same trouble with a source is told again after this, milliseconds.
const SAME_TROUBLE_MS: u64 = 600_000;

/// Asks whoever works to come to an end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Come to an end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    /// It was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What is watched, and how.
pub struct Watch {
    /// Folders and files.
    pub paths: Vec<PathBuf>,
    /// The inbox and its folder.
    pub inbox: Option<(Arc<Inbox>, PathBuf)>,
    /// Bytes that the inbox may hold.
    pub inbox_bytes: u64,
    /// Milliseconds between two looks.
    pub poll_ms: u64,
    /// Records of a chunk.
    pub chunk_records: usize,
}

/// What earlier runs knew of files.
pub(super) fn known(sources: &Sources) -> Known {
    let mut known = Known::default();
    for (FileKey { path, head_len, head }, next) in sources.reached() {
        known.heads.insert(path, (head_len, head));
        known.applied.insert((head_len, head), next);
    }
    known
}

struct Follower {
    tail: Tail,
    inbox: Option<Arc<Inbox>>,
    poll_ms: u64,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    /// What was told of each source last, and when.
    told: HashMap<u32, (String, u64)>,
    /// What is durable of the inbox and was looked at.
    seen: Mark,
}

/// Follows what is watched until it is asked to stop.
pub(super) fn follow(
    watch: Watch,
    known: Known,
    board: &Arc<Board>,
    clock: &Arc<dyn Clock>,
    stop: &Stop,
) -> Producer {
    let Watch { paths, inbox, poll_ms, chunk_records, .. } = watch;
    let mut watched: Vec<Watched> =
        paths.into_iter().map(|path| Watched { path, inbox: false }).collect();
    let (inbox, folder) = inbox.unzip();
    watched.extend(folder.map(|path| Watched { path, inbox: true }));
    let sources = watched.iter().map(source).collect();
    board.write(|status| status.sources = sources);
    let options = Options { chunk_records: chunk_records.max(1), ..Options::default() };
    let mut follower = Follower {
        tail: Tail::new(watched, known, options),
        inbox,
        poll_ms,
        board: Arc::clone(board),
        clock: Arc::clone(clock),
        stop: stop.clone(),
        told: HashMap::new(),
        seen: Mark::default(),
    };
    Box::new(move |deliver| follower.run(deliver))
}

fn source(watched: &Watched) -> SourceStatus {
    let (name, kind) = if watched.inbox {
        ("inbox".to_owned(), "inbox")
    } else {
        (watched.path.display().to_string(), "folder")
    };
    SourceStatus { name, kind, ..SourceStatus::default() }
}

impl Follower {
    fn run(&mut self, deliver: Deliver<'_>) -> Result<(), SourceError> {
        while !self.stop.is_asked() {
            let began = self.clock.monotonic_ms();
            self.seen = self.inbox.as_ref().map(|inbox| inbox.synced()).unwrap_or_default();
            let news = self.tail.look(self.clock.now(), self.seen);
            self.show();
            if news && !self.round(deliver)? {
                return Ok(());
            }
            self.tell_warnings();
            let took = self.clock.monotonic_ms().saturating_sub(began);
            let pause = if news { 0 } else { took.saturating_mul(PAUSE_PER_LOOK) };
            self.wait(self.poll_ms.max(pause));
        }
        Ok(())
    }

    /// Delivers a round; false when nobody listens any more, or it is to stop.
    fn round(&mut self, deliver: Deliver<'_>) -> Result<bool, SourceError> {
        while let Some(chunk) = self.tail.next_chunk()? {
            let files = self.tail.notes(&chunk).into_iter().map(file_note).collect();
            self.show();
            let piece = Piece { chunk, progress: self.progress(), files, warnings: Vec::new() };
            if !deliver(piece) || self.stop.is_asked() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn progress(&self) -> Progress {
        let all = self.tail.status();
        let read = all.iter().map(|s| s.bytes_read).sum();
        let behind: u64 = all.iter().map(|s| s.bytes_behind).sum();
        Progress { bytes_read: read, bytes_total: read + behind, ..Progress::default() }
    }

    fn show(&self) {
        let now = self.tail.status().to_vec();
        self.board.write(|status| {
            for (shown, now) in status.sources.iter_mut().zip(now) {
                shown.files = now.files;
                shown.bytes_read = now.bytes_read;
                shown.bytes_behind = now.bytes_behind;
            }
        });
    }

    /// Shows what went wrong, and logs what was not told lately.
    fn tell_warnings(&mut self) {
        let (now, wall) = (self.clock.monotonic_ms(), self.clock.now());
        for (source, warning) in self.tail.take_warnings() {
            self.board.write(|status| {
                if let Some(shown) = status.sources.get_mut(source as usize) {
                    shown.last_error = Some((wall, warning.clone()));
                }
            });
            let known = self.told.get(&source);
            let lately = known.is_some_and(|(last, at)| {
                *last == warning && now.saturating_sub(*at) < SAME_TROUBLE_MS
            });
            if !lately {
                crate::telemetry::SourceWarned { message: &warning }.emit();
                self.told.insert(source, (warning, now));
            }
        }
    }

    /// Waits for the next look; a batch that is handed over ends it.
    fn wait(&self, ms: u64) {
        let until = self.clock.monotonic_ms().saturating_add(ms);
        while !self.stop.is_asked() {
            let left = until.saturating_sub(self.clock.monotonic_ms());
            if left == 0 {
                return;
            }
            let nap = Duration::from_millis(left.min(NAP_MS));
            match &self.inbox {
                Some(inbox) if inbox.wait_past(self.seen, nap) > self.seen => return,
                Some(_) => {}
                None => thread::sleep(nap),
            }
        }
    }
}

fn file_note(note: Note) -> FileNote {
    let Note { index, watched, name, path, identity } = note;
    let key = FileKey { path, head_len: identity.head_len, head: identity.head };
    FileNote { index, source: watched, name, identity: Some((key, identity.as_known)) }
}

/// A made-up fleet lives on: an hour of event time takes `hour_ms` milliseconds. When its life is
/// over it waits to be stopped.
pub(super) fn live_on(demo: Demo, hour_ms: u64, clock: &Arc<dyn Clock>, stop: &Stop) -> Producer {
    let (clock, stop) = (Arc::clone(clock), stop.clone());
    let wait_until = move |due: u64| {
        while !stop.is_asked() && clock.monotonic_ms() < due {
            let left = due.saturating_sub(clock.monotonic_ms());
            thread::sleep(Duration::from_millis(left.min(NAP_MS)));
        }
        if stop.is_asked() { None } else { Some(clock.monotonic_ms()) }
    };
    Box::new(move |deliver| {
        let mut begun: Option<(Timestamp, u64)> = None;
        let mut goes_on = true;
        demo.live(&mut |at, piece| {
            let Some(now) = wait_until(0) else { return false };
            let (first, since) = *begun.get_or_insert((at, now));
            let event_ms = at.since(first).max(0) as u64;
            let due = since.saturating_add(event_ms.saturating_mul(hour_ms) / HOUR_MS as u64);
            goes_on = wait_until(due).is_some() && deliver(piece);
            goes_on
        });
        if goes_on {
            wait_until(u64::MAX);
        }
        Ok(())
    })
}
