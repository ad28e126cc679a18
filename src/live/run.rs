//! The loop of the engine's thread.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ask::Ask;
use super::board::{Board, Phase};
use super::feed::Stop;
use crate::replay::engine::{Engine, Look, Observer};
use crate::replay::pipeline::{DecodedChunk, Pipeline};
use crate::replay::writer::AlertWriter;
use crate::source::inbox::Inbox;
use crate::telemetry::{ServiceCheckpointed, ServiceDrained};
use crate::time::{Clock, DAY_MS, HOUR_MS, Timestamp};

/// A look that takes long is followed by a pause of so many times its length.
const PAUSE_PER_LOOK: u64 = 4;
/// Milliseconds between two looks at the flags while nothing comes.
const TURN_MS: u64 = 100;
/// Milliseconds between two changes of the board while chunks come.
const BOARD_MS: u64 = 250;
/// Milliseconds between two checkpoints for the sake of a full inbox, at least.
const PRESSING_MS: u64 = 500;
/// Records so far beyond now have a broken clock.
const FUTURE_MS: i64 = 2 * DAY_MS;
/// Event time for which a segment of the inbox stays after it is applied, milliseconds: a verdict on
/// its records comes when their cells are closed, and reads them once more as evidence.
const EVIDENCE_MS: i64 = 3 * HOUR_MS;

/// Knows when no record has come for a while, and says so once.
#[derive(Debug)]
pub(super) struct Quiet {
    after_ms: u64,
    events: u64,
    /// Since when; `None`: it was said, or nothing came yet.
    since: Option<u64>,
}

impl Quiet {
    pub(super) fn after(ms: u64) -> Quiet {
        Quiet { after_ms: ms, events: 0, since: None }
    }

    /// It has just become quiet, with so many events by `now` (monotonic milliseconds).
    fn has_begun(&mut self, events: u64, now: u64) -> bool {
        if events != self.events {
            (self.events, self.since) = (events, Some(now));
        }
        let is_over = |since: u64| now.saturating_sub(since) >= self.after_ms;
        self.since.take_if(|since| is_over(*since)).is_some()
    }
}

/// What the loop works with besides the engine.
pub(super) struct Shell {
    pub(super) writer: AlertWriter,
    pub(super) observer: Box<dyn Observer + Send>,
    pub(super) board: Arc<Board>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) stop: Stop,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inbox: Option<Arc<Inbox>>,
    /// Bytes in it beyond which evidence has to give way to what comes.
    pub(super) inbox_pressing: u64,
    /// Which of the sources it is.
    pub(super) inbox_source: usize,
    /// Newest event time of its segments, by who they are.
    pub(super) segments: HashMap<(u32, u128), Timestamp>,
    /// Who they are, by index.
    pub(super) segment_of: HashMap<u32, (u32, u128)>,
    /// The store's folder, for its size.
    pub(super) state: Option<PathBuf>,
    /// How long what is read already may take to be applied when it is to stop.
    pub(super) drain_ms: u64,
    /// Milliseconds between two looks at what is open, at least.
    pub(super) look_ms: u64,
    /// When to tell what waits for more records.
    pub(super) quiet: Quiet,
    /// `not_after` follows the wall clock.
    pub(super) follows_clock: bool,
    /// Which source each file belongs to, by index.
    pub(super) source_of: HashMap<u32, usize>,
    /// Who fell silent.
    pub(super) silence: super::silence::Keeper,
    pub(super) next_look: u64,
    pub(super) next_release: u64,
    pub(super) next_board: u64,
}

impl Shell {
    /// Runs chunks until they end or it is asked to stop; then what is read already is applied.
    pub(super) async fn run(
        &mut self,
        engine: &mut Engine,
        mut pipeline: Pipeline,
    ) -> anyhow::Result<()> {
        let mut deadline = None;
        loop {
            if self.stop.is_asked() {
                let now = self.clock.monotonic_ms();
                let until = *deadline.get_or_insert(now.saturating_add(self.drain_ms));
                self.board.write(|status| status.phase = Phase::Draining);
                if now >= until {
                    // What is left is not applied, and so not released: the next start reads it.
                    return Ok(());
                }
            }
            tokio::select! {
                chunk = pipeline.next() => match chunk? {
                    Some(chunk) => self.chunk(engine, chunk).await?,
                    None => return Ok(()),
                },
                Some(ask) = self.asks.recv() => self.answer(engine, ask).await?,
                () = tokio::time::sleep(Duration::from_millis(TURN_MS)) => {}
            }
            while let Ok(ask) = self.asks.try_recv() {
                self.answer(engine, ask).await?;
            }
            self.turn(engine).await?;
        }
    }

    async fn chunk(&mut self, engine: &mut Engine, chunk: DecodedChunk) -> anyhow::Result<()> {
        for note in &chunk.files {
            self.source_of.insert(note.index, note.source as usize);
            let segment = note.identity.filter(|_| note.source as usize == self.inbox_source);
            match segment {
                Some((key, _)) => self.segment_of.insert(note.index, (key.head_len, key.head)),
                None => self.segment_of.remove(&note.index),
            };
        }
        self.note_sources(&chunk);
        let came = (self.follows_clock && self.is_running()).then(|| self.clock.now());
        self.silence.note(&chunk.events, came);
        let progress = chunk.progress;
        engine.chunk(chunk, &mut self.writer, self.observer.as_mut()).await?;
        self.observer.progress(engine.counts(), &progress, engine.newest());
        Ok(())
    }

    fn note_sources(&mut self, chunk: &DecodedChunk) {
        let mut came: HashMap<usize, (u64, u64, Timestamp)> = HashMap::new();
        let of = |file: &u32| self.source_of.get(file).copied().unwrap_or_default();
        for located in &chunk.events {
            let entry = came.entry(of(&located.file)).or_insert((0, 0, Timestamp::MIN));
            entry.0 += 1;
            entry.2 = entry.2.max(located.event.time);
            if let Some(segment) = self.segment_of.get(&located.file) {
                let newest = self.segments.entry(*segment).or_insert(Timestamp::MIN);
                *newest = located.event.time.max(*newest);
            }
        }
        for refused in &chunk.refused {
            came.entry(of(&refused.file)).or_insert((0, 0, Timestamp::MIN)).1 += 1;
        }
        if came.is_empty() {
            return;
        }
        let now = self.clock.now();
        self.board.write(|status| {
            for (source, (records, refused, newest)) in came {
                let Some(shown) = status.sources.get_mut(source) else { continue };
                shown.records += records;
                shown.refused += refused;
                shown.newest = shown.newest.max(Some(newest).filter(|t| *t != Timestamp::MIN));
                shown.last_record = Some(now);
            }
        });
    }

    /// What is due by the clock.
    async fn turn(&mut self, engine: &mut Engine) -> anyhow::Result<()> {
        let began = self.clock.monotonic_ms();
        if began >= self.next_look {
            if self.follows_clock {
                engine.set_not_after(self.clock.now().plus_ms(FUTURE_MS));
            }
            // Volume and Low wait for the watermark, which stands still while nothing comes.
            let quiet = self.quiet.has_begun(engine.counts().events, began);
            let look = if quiet { Look::Last } else { Look::Urgent };
            engine.look(look, &mut self.writer).await?;
            self.checkpoint_if_due(engine).await?;
            let now = self.clock.monotonic_ms();
            let took = now.saturating_sub(began);
            self.next_look =
                now.saturating_add(self.look_ms.max(took.saturating_mul(PAUSE_PER_LOOK)));
        }
        if self.clock.monotonic_ms() >= self.next_board {
            self.show(engine);
        }
        if self.is_running() {
            let wall = self.follows_clock.then(|| self.clock.now());
            self.silence.judge(engine.watermark(), wall, &mut self.writer, &self.board);
        }
        Ok(())
    }

    /// History is over: what falls silent now is told.
    fn is_running(&self) -> bool {
        self.board.phase() == Phase::Running
    }

    /// By count or by age; and when the inbox fills, because only a checkpoint lets go of what is
    /// applied.
    async fn checkpoint_if_due(&mut self, engine: &mut Engine) -> anyhow::Result<()> {
        let presses = self.inbox.as_ref().is_some_and(|i| i.status().bytes > self.inbox_pressing);
        let now = self.clock.monotonic_ms();
        if presses && now >= self.next_release {
            engine.checkpoint_now(&mut self.writer).await?;
            self.checkpointed(engine);
            let after = self.clock.monotonic_ms();
            let pause = PRESSING_MS.max((after - now).saturating_mul(PAUSE_PER_LOOK));
            self.next_release = after.saturating_add(pause);
        } else if engine.checkpoint_if_due(&mut self.writer).await? {
            self.checkpointed(engine);
        }
        Ok(())
    }

    fn show(&mut self, engine: &Engine) {
        self.next_board = self.clock.monotonic_ms().saturating_add(BOARD_MS.min(self.look_ms));
        let seen = |at: Timestamp| Some(at).filter(|at| *at != Timestamp::MIN);
        let inbox = self.inbox.as_ref().map(|inbox| inbox.status()).unwrap_or_default();
        self.board.write(|status| {
            status.watermark = seen(engine.watermark());
            status.newest = seen(engine.newest());
            status.counts = engine.counts().clone();
            status.router = engine.router().counters();
            status.accounts = engine.router().population();
            status.mailbox_depth = engine.router().in_flight();
            status.inbox = inbox;
        });
    }

    async fn answer(&mut self, engine: &mut Engine, ask: Ask) -> anyhow::Result<()> {
        // Whoever asked may have gone; that is no concern of ours.
        match ask {
            Ask::Model { account, reply } => {
                let _ = reply.send(engine.model(&account).await);
            }
            Ask::Checkpoint { reply } => {
                engine.checkpoint_now(&mut self.writer).await?;
                self.checkpointed(engine);
                let _ = reply.send(Ok(()));
            }
            Ask::Decide { wish, reply } => {
                let (taken, refused) = wish.record(engine.ledger(), engine.decides_from());
                for decision in &taken {
                    engine.decide(decision.clone()).await?;
                }
                let _ = reply.send(refused.map(|()| taken));
            }
            Ask::Intel { view, reply } => {
                engine.set_intel(view);
                let _ = reply.send(());
            }
            Ask::Profile { profile, reply } => {
                engine.set_profile(profile);
                let _ = reply.send(());
            }
        }
        Ok(())
    }

    /// A checkpoint was written: gives back what it covers.
    pub(super) fn checkpointed(&mut self, engine: &Engine) {
        let released = self.release(engine);
        let bytes = self.state.as_deref().map_or(0, folder_bytes);
        let now = self.clock.now();
        self.board.write(|status| {
            status.checkpointed = Some(now);
            status.store_bytes = bytes;
        });
        self.show(engine);
        ServiceCheckpointed { events: engine.counts().events, released }.emit();
    }

    /// Gives back segments of the inbox; returns their bytes.
    fn release(&mut self, engine: &Engine) -> u64 {
        let Some(inbox) = &self.inbox else { return 0 };
        let presses = inbox.status().bytes > self.inbox_pressing;
        let (now, segments) = (engine.newest(), &mut self.segments);
        let done = inbox.release(&mut |identity, offset| {
            let who = (identity.head_len, identity.head);
            if !engine.is_applied_through(identity.head_len, identity.head, offset) {
                return false;
            }
            let newest = segments.get(&who).copied().unwrap_or(Timestamp::MIN);
            let goes = presses || now.since(newest) >= EVIDENCE_MS;
            if goes {
                segments.remove(&who);
            }
            goes
        });
        done.map(|done| done.bytes).unwrap_or_else(|cause| {
            let message = cause.to_string();
            crate::telemetry::SourceWarned { message: &message }.emit();
            0
        })
    }

    /// Everything that is read is applied: judges what is open and makes all of it durable.
    pub(super) async fn finish(&mut self, engine: &mut Engine) -> anyhow::Result<()> {
        let began = self.clock.monotonic_ms();
        self.board.write(|status| status.phase = Phase::Draining);
        engine.look(Look::Last, &mut self.writer).await?;
        engine.checkpoint_now(&mut self.writer).await?;
        self.checkpointed(engine);
        let took_ms = self.clock.monotonic_ms().saturating_sub(began);
        ServiceDrained { events: engine.counts().events, took_ms }.emit();
        Ok(())
    }
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    files.filter_map(|f| f.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}
