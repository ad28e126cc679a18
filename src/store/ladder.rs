//! Opening a data directory whose state may be damaged.
//!
//! ```text
//! open, verify              what is there is what was written: nothing is said
//! single accounts damaged   each from the newest snapshot that has it, or afresh
//! rebuild                   a copy without the engine's index opens and is whole
//! snapshot                  the newest good one takes the store's place
//! empty
//! ```
//! A state that is gone while its alerts or its snapshots are there begins at the snapshots.
//!
//! Then the logs are replayed from the positions that were restored. The damaged directory is kept
//! as `state.damaged-<n>`. Nothing is replaced before its successor is written, flushed, closed and
//! verified, so a process that dies on the ladder leaves the damaged store where it was.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{ALERTS, DataDir};
use super::lock::DirLock;
use super::mark::Mark;
use super::recovery::{Recovery, Rung};
use super::sled_store::SledStore;
use super::swap::{self, Old};
use super::verify::{self, Damage, Depth, Judgement};
use super::{StateStore, StoreError, WriteBatch, keys, repair};
use crate::ids::AccountId;
use crate::store::schema::run;
use crate::time::Timestamp;

/// A snapshot that may take the store's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, for people.
    pub name: String,
    /// Event time that it reaches: its watermark.
    pub reaches: Timestamp,
}

/// Where snapshots come from. The room of snapshots stands on this one, so it cannot be asked
/// directly.
pub trait SnapshotSource {
    /// What there is, newest first. Unreadable ones may be left out.
    fn newest_first(&mut self) -> Vec<Candidate>;
    /// Verifies a snapshot whole, then loads it into an empty store.
    ///
    /// # Errors
    /// It is damaged or cannot be read; what it wrote is of no use.
    fn load(&mut self, name: &str, into: &dyn StateStore) -> Result<(), String>;
    /// The sealed model of an account; `None` if it has none.
    ///
    /// # Errors
    /// The snapshot is damaged or cannot be read.
    fn account(&mut self, name: &str, account: &AccountId) -> Result<Option<Vec<u8>>, String>;
}

/// There are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSnapshots;

impl SnapshotSource for NoSnapshots {
    fn newest_first(&mut self) -> Vec<Candidate> {
        Vec::new()
    }
    fn load(&mut self, name: &str, _: &dyn StateStore) -> Result<(), String> {
        Err(format!("there is no snapshot {name}"))
    }
    fn account(&mut self, _: &str, _: &AccountId) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

/// An open data directory.
#[derive(Debug)]
pub struct Opened {
    /// Its store.
    pub store: Arc<SledStore>,
    /// What had to be done, if anything.
    pub recovery: Option<Recovery>,
    /// No other process has it open.
    pub lock: DirLock,
}

/// Opens data directory `dir`, which must exist, for writing; climbs down as far as it must. `now`
/// is the wall clock's, for the report.
///
/// # Errors
/// The directory is in use, cannot be read or written, has no room for what must be written, or holds
/// what a newer build wrote.
pub fn open(
    dir: &Path,
    snapshots: &mut dyn SnapshotSource,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let lock = DirLock::take(dir)?;
    swap::settle(dir).map_err(|e| StoreError::at(dir, "opened", &e))?;
    if let Some(left) = left_behind(dir, snapshots) {
        let mut climb = Climb::new(dir, snapshots, now);
        climb.report.is_gone = true;
        climb.report.why.push(left);
        // An empty one is nothing to keep.
        let _ = std::fs::remove_dir(swap::state(dir));
        let store = Arc::new(climb.replaced()?);
        climb.report.emit();
        return Ok(Opened { store, recovery: Some(climb.report), lock });
    }
    let (store, recovery) = match look(&swap::state(dir), Depth::Checksums)? {
        Look::Opens(store, judgement) if judgement.is_sound() => {
            if judgement.uncounted {
                store.recount()?;
            }
            (*store, None)
        }
        Look::Opens(store, judgement) if is_kept(&store, &judgement, snapshots)? => {
            let mut report = Recovery::new(now, Vec::new());
            mend(dir, &store, &judgement, snapshots, &mut report)?;
            let path = DataDir::new(dir).recovery();
            report.append(dir).map_err(|e| StoreError::at(&path, "written", &e))?;
            (*store, Some(report))
        }
        beyond => {
            let mut climb = Climb::new(dir, snapshots, now);
            climb.give_up(beyond);
            let store = climb.down()?;
            (store, Some(climb.report))
        }
    };
    if let Some(report) = &recovery {
        report.emit();
    }
    Ok(Opened { store: Arc::new(store), recovery, lock })
}

/// What says that there was a state where there is none; `None` if there is one, or never was.
fn left_behind(dir: &Path, snapshots: &mut dyn SnapshotSource) -> Option<String> {
    let is_there =
        std::fs::read_dir(swap::state(dir)).is_ok_and(|mut files| files.next().is_some());
    if is_there {
        return None;
    }
    let alerts = std::fs::metadata(DataDir::new(dir).alerts()).map_or(0, |file| file.len());
    let mut left = Vec::new();
    if alerts > 0 {
        left.push(format!("{ALERTS} has {alerts} bytes"));
    }
    match snapshots.newest_first().len() {
        0 => {}
        1 => left.push("there is a snapshot".to_owned()),
        more => left.push(format!("there are {more} snapshots")),
    }
    (!left.is_empty()).then(|| format!("there is no state, but {}", left.join(", and ")))
}

/// Opens data directory `dir` for reading. Damage is reported and left as it is.
///
/// # Errors
/// As [`open`]; the state is damaged.
pub fn open_sound(dir: &Path) -> Result<Opened, StoreError> {
    let lock = DirLock::take(dir)?;
    swap::settle(dir).map_err(|e| StoreError::at(dir, "opened", &e))?;
    let wrong = match look(&swap::state(dir), Depth::Checksums)? {
        Look::Opens(store, judgement) if judgement.is_sound() => {
            return Ok(Opened { store: Arc::new(*store), recovery: None, lock });
        }
        Look::Opens(_, judgement) => words(&judgement).join("; "),
        Look::Damaged(cause) => cause,
    };
    Err(StoreError::NeedsRepair { place: dir.display().to_string(), cause: wrong })
}

/// What a look into a directory shows.
#[allow(clippy::large_enum_variant, reason = "one is made an opening")]
enum Look {
    /// It opens and can be read to the end.
    Opens(Box<SledStore>, Judgement),
    /// It does not.
    Damaged(String),
}

fn look(state: &Path, depth: Depth) -> Result<Look, StoreError> {
    std::fs::create_dir_all(state).map_err(|e| StoreError::at(state, "opened", &e))?;
    // Read before the engine touches the directory.
    let mark = Mark::read(state);
    let examined = SledStore::open(state).and_then(|store| {
        let examined = verify::examine(&store, depth)?;
        Ok((store, examined))
    });
    match examined {
        Ok((store, examined)) => {
            let mut judgement = verify::judge(&examined, store.found(), mark);
            if let Some(Damage { key, cause }) = judgement.newer {
                let place = state.parent().unwrap_or(state).display().to_string();
                let key = String::from_utf8_lossy(&key).into_owned();
                return Err(StoreError::Newer { place, key, cause });
            }
            if judgement.whole.is_none()
                && let Err(cause) = run::load(&store, 0)
            {
                judgement.whole = Some(cause.to_string());
            }
            Ok(Look::Opens(Box::new(store), judgement))
        }
        Err(StoreError::DamagedFiles { cause, .. }) => Ok(Look::Damaged(cause)),
        Err(other) => Err(other),
    }
}

/// The store can be kept: nothing is wrong with the whole, and if it is an earlier one there is no
/// snapshot that reaches further.
fn is_kept(
    store: &SledStore,
    judgement: &Judgement,
    snapshots: &mut dyn SnapshotSource,
) -> Result<bool, StoreError> {
    if judgement.whole.is_some() {
        return Ok(false);
    }
    let reaches = run::summary(store)?.watermark;
    let newest = snapshots.newest_first().into_iter().next();
    Ok(judgement.behind.is_none() || newest.is_none_or(|newest| newest.reaches <= reaches))
}

fn words(judgement: &Judgement) -> Vec<String> {
    let mut words: Vec<String> = judgement.whole.iter().cloned().collect();
    words.extend(judgement.incomplete.iter().map(|what| format!("lost of {what}")));
    words.extend(judgement.evidence.iter().map(|damage| {
        format!("records of an alert (`evidence`) are damaged and dropped: {}", damage.cause)
    }));
    words.extend(judgement.behind.map(|(has, had)| {
        format!("the log lost its end: it holds {has} of {had} batches and is whole up to there")
    }));
    words.extend(
        judgement
            .accounts
            .iter()
            .map(|damage| format!("`{}`: {}", String::from_utf8_lossy(&damage.key), damage.cause)),
    );
    words
}

/// Repairs single values in a store that is kept.
fn mend(
    dir: &Path,
    store: &SledStore,
    judgement: &Judgement,
    snapshots: &mut dyn SnapshotSource,
    report: &mut Recovery,
) -> Result<(), StoreError> {
    report.why.extend(words(&Judgement { accounts: Vec::new(), ..judgement.clone() }));
    if judgement.behind.is_some() {
        report.reaches = Some(run::summary(store)?.watermark);
        if keep_alerts(dir, report) {
            begin_alerts_anew(dir, store)?;
        }
    }
    if !judgement.accounts.is_empty() {
        repair::accounts(store, &judgement.accounts, snapshots, report)?;
    }
    let mut batch = WriteBatch::default();
    judgement.evidence.iter().for_each(|damage| batch.delete(damage.key.clone()));
    store.write(batch)?;
    store.recount()?;
    store.flush()
}

/// The alert file is cut to what the state knows; what was in it is kept. False: it could not be.
fn keep_alerts(dir: &Path, report: &mut Recovery) -> bool {
    let place = DataDir::new(dir);
    let file = place.alerts();
    if !file.is_file() {
        return true;
    }
    let to = (1_u32..).map(|n| place.before(ALERTS, n)).find(|p| !p.exists());
    let Some(to) = to else { return false };
    match std::fs::copy(&file, &to) {
        Ok(_) => {
            report.set_aside.push(to);
            true
        }
        Err(cause) => {
            // A torn copy would be taken for a whole one.
            let _ = std::fs::remove_file(&to);
            report.notes.push(format!("alerts.jsonl could not be copied: {cause}"));
            false
        }
    }
}

/// A state that knows of no alert yet will raise all of them again: their file, of which a copy was
/// kept, is to begin anew. Without this its lines would be taken for another's and stay.
fn begin_alerts_anew(dir: &Path, store: &dyn StateStore) -> Result<(), StoreError> {
    let key = keys::delivered(&DataDir::new(dir).alerts());
    let mut knows_alerts = store.get(&key)?.is_some();
    store.scan(keys::ALERT, &mut |_, _| {
        knows_alerts = true;
        false
    })?;
    if knows_alerts {
        return Ok(());
    }
    let mut batch = WriteBatch::default();
    batch.put(key, 0_u64.to_be_bytes().to_vec());
    store.write(batch)
}

/// The way down from a store that cannot be kept.
struct Climb<'a> {
    dir: &'a Path,
    snapshots: &'a mut dyn SnapshotSource,
    report: Recovery,
    /// Accounts that could be read by name.
    named: Vec<AccountId>,
    mark: Option<Mark>,
}

impl<'a> Climb<'a> {
    fn new(dir: &'a Path, snapshots: &'a mut dyn SnapshotSource, now: Timestamp) -> Climb<'a> {
        let mark = Mark::read(&swap::state(dir));
        let report = Recovery::new(now, Vec::new());
        Climb { dir, snapshots, report, named: Vec::new(), mark }
    }

    /// Notes why a store is not used, and the accounts it knows.
    fn give_up(&mut self, look: Look) {
        match look {
            Look::Damaged(cause) => self.report.why.push(cause),
            Look::Opens(store, judgement) => {
                self.report.why.extend(words(&judgement));
                let named = &mut self.named;
                // What cannot be read cannot be named.
                let _ = store.scan(keys::ACCOUNT, &mut |key, _| {
                    named.extend(keys::named(key, keys::ACCOUNT));
                    true
                });
                named.sort_unstable();
                named.dedup();
            }
        }
    }

    fn down(&mut self) -> Result<SledStore, StoreError> {
        match self.rebuilt()? {
            Some(store) => Ok(store),
            None => self.replaced(),
        }
    }

    /// Another in its place.
    fn replaced(&mut self) -> Result<SledStore, StoreError> {
        let alerts_are_kept = keep_alerts(self.dir, &mut self.report);
        for candidate in self.snapshots.newest_first() {
            match self.restored(&candidate, alerts_are_kept)? {
                Ok(store) => return Ok(store),
                Err(cause) => {
                    self.report.notes.push(format!("snapshot {}: {cause}", candidate.name));
                }
            }
        }
        self.emptied(alerts_are_kept)
    }

    /// The pages without the index.
    fn rebuilt(&mut self) -> Result<Option<SledStore>, StoreError> {
        let new = self.fresh()?;
        match swap::copy_without_index(&swap::state(self.dir), &new) {
            Ok(()) => {}
            Err(cause) => return self.rebuilt_in_place(&cause),
        }
        let (store, judgement) = match look(&new, Depth::Decoded) {
            Ok(Look::Opens(store, judgement)) if judgement.whole.is_none() => (store, judgement),
            Ok(look) => {
                self.give_up(look);
                return Ok(None);
            }
            Err(newer @ StoreError::Newer { .. }) => return Err(newer),
            Err(cause) => {
                self.report.why.push(cause.to_string());
                return Ok(None);
            }
        };
        if !is_kept(&store, &judgement, self.snapshots)? {
            self.give_up(Look::Opens(store, judgement));
            return Ok(None);
        }
        self.report.rung = Rung::Rebuilt;
        if !judgement.is_sound() {
            mend(self.dir, &store, &judgement, self.snapshots, &mut self.report)?;
        }
        store.flush()?;
        drop(store);
        self.take_over().map(Some)
    }

    /// There is no room for a copy: the index is moved away and the rest is used where it lies.
    fn rebuilt_in_place(
        &mut self,
        cause: &std::io::Error,
    ) -> Result<Option<SledStore>, StoreError> {
        swap::settle(self.dir).map_err(|e| StoreError::at(self.dir, "written", &e))?;
        let state = swap::state(self.dir);
        let aside = swap::next_aside(self.dir);
        self.report
            .notes
            .push(format!("no copy could be made ({cause}): only the engine's index is set aside"));
        swap::move_index(&state, &aside).map_err(|e| StoreError::at(&aside, "written", &e))?;
        self.report.set_aside.push(aside);
        match look(&state, Depth::Decoded) {
            Ok(Look::Opens(store, judgement)) if is_kept(&store, &judgement, self.snapshots)? => {
                self.report.rung = Rung::Rebuilt;
                if !judgement.is_sound() {
                    mend(self.dir, &store, &judgement, self.snapshots, &mut self.report)?;
                }
                self.say()?;
                Ok(Some(*store))
            }
            Ok(look) => {
                self.give_up(look);
                Ok(None)
            }
            Err(newer @ StoreError::Newer { .. }) => Err(newer),
            Err(cause) => {
                self.report.why.push(cause.to_string());
                Ok(None)
            }
        }
    }

    /// A snapshot in its place; the inner error is the snapshot's.
    fn restored(
        &mut self,
        candidate: &Candidate,
        alerts_are_kept: bool,
    ) -> Result<Result<SledStore, String>, StoreError> {
        let new = self.fresh()?;
        let store = SledStore::open(&new)?;
        if let Err(cause) = self.snapshots.load(&candidate.name, &store) {
            return Ok(Err(cause));
        }
        store.flush()?;
        drop(store);
        let (store, judgement) = match look(&new, Depth::Decoded)? {
            Look::Opens(store, judgement) => (store, judgement),
            Look::Damaged(cause) => return Ok(Err(cause)),
        };
        if !judgement.is_sound() {
            return Ok(Err(words(&judgement).join("; ")));
        }
        let reaches = Some(run::summary(store.as_ref())?.watermark);
        repair::name_all(store.as_ref(), &self.named, reaches, &mut self.report)?;
        if alerts_are_kept {
            begin_alerts_anew(self.dir, store.as_ref())?;
            store.flush()?;
        }
        self.report.rung = Rung::Snapshot { name: candidate.name.clone() };
        self.report.reaches = reaches;
        drop(store);
        Ok(Ok(self.take_over()?))
    }

    /// Nothing in its place.
    fn emptied(&mut self, alerts_are_kept: bool) -> Result<SledStore, StoreError> {
        let store = SledStore::open(&self.fresh()?)?;
        if alerts_are_kept {
            begin_alerts_anew(self.dir, &store)?;
        }
        store.flush()?;
        self.report.rung = Rung::Empty;
        repair::name_all(&store, &self.named, None, &mut self.report)?;
        if self.named.is_empty() {
            self.report.accounts_unnamed = self.mark.map(|mark| mark.accounts);
        }
        drop(store);
        self.take_over()
    }

    fn fresh(&self) -> Result<PathBuf, StoreError> {
        swap::fresh(self.dir).map_err(|e| StoreError::at(self.dir, "written", &e))
    }

    /// Puts what was made in the place of the damaged store, which is kept.
    fn take_over(&mut self) -> Result<SledStore, StoreError> {
        if !self.report.is_gone {
            self.report.set_aside.push(swap::next_aside(self.dir));
        }
        // Said before it is done: a process that dies in between says it twice, never not at all.
        self.say()?;
        swap::commit(self.dir, Old::Kept).map_err(|e| StoreError::at(self.dir, "written", &e))?;
        SledStore::open(&swap::state(self.dir))
    }

    fn say(&self) -> Result<(), StoreError> {
        let path = DataDir::new(self.dir).recovery();
        self.report.append(self.dir).map_err(|e| StoreError::at(&path, "written", &e))
    }
}
