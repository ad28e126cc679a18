//! At a checkpoint: the records of stories that took findings are read once more where they lie,
//! hashed and redacted, and put beside the alert. What was read for the same alert before is not
//! read again, so that a file that is gone by then takes nothing away.
use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::packed;
use crate::alert::AlertId;
use crate::alert::kept::{Found, Kept, NotRead, Touched};
use crate::event::{Place, redacted};
use crate::source::{Unreadable, read_places};
use crate::store::schema::evidence;
use crate::store::sources::Sources;
use crate::store::{StateStore, StoreError, WriteBatch, keys};

/// Stories whose records are in memory at once, redacted: some megabytes.
const STORIES_AT_ONCE: usize = 128;

/// What was found at a place, and its redacted form.
type Seen = (Found, Option<String>);

/// Where the files of a register lie now.
pub struct Register<'a> {
    /// Who they are.
    pub sources: &'a Sources,
    /// Where this run found those that it read, by number.
    pub paths: &'a BTreeMap<u32, &'a str>,
    /// Where they lay when they were first met.
    pub store: &'a dyn StateStore,
}

impl Register<'_> {
    fn path(&self, number: u32) -> Result<Option<String>, StoreError> {
        match self.paths.get(&number) {
            Some(path) => Ok(Some((*path).to_owned())),
            None => Sources::name(self.store, number),
        }
    }
}

/// Puts the records of `touched` into a checkpoint.
///
/// # Errors
/// The store failed or holds damaged state.
pub fn keep(
    touched: &BTreeMap<AlertId, Touched>,
    register: &Register<'_>,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let all: Vec<(&AlertId, &Touched)> = touched.iter().collect();
    for some in all.chunks(STORIES_AT_ONCE) {
        keep_some(some, register, batch)?;
    }
    Ok(())
}

fn keep_some(
    touched: &[(&AlertId, &Touched)],
    register: &Register<'_>,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let mut seen: BTreeMap<Place, Seen> = BTreeMap::new();
    let mut all = Vec::with_capacity(touched.len());
    for (id, touched) in touched {
        seen.extend(known(register.store, **id)?);
        all.push((**id, Kept::unread(touched)));
    }
    let mut wanted: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
    for place in all.iter().flat_map(|(_, kept)| kept.records.iter().map(|r| r.place)) {
        if let Some(source) = place.source().filter(|_| !seen.contains_key(&place)) {
            wanted.entry(source).or_default().push(place);
        }
    }
    for (source, mut places) in wanted {
        places.sort();
        places.dedup();
        read(register, source, &places, &mut seen)?;
    }
    for (id, mut kept) in all {
        fill(&mut kept, register, &seen)?;
        let key = keys::evidence(id);
        let sealed = evidence::seal(&kept)
            .map_err(|cause| StoreError::Damaged { key: format!("e/{id}"), cause })?;
        batch.put(key, sealed);
    }
    Ok(())
}

/// What was read for an alert before.
fn known(store: &dyn StateStore, id: AlertId) -> Result<Vec<(Place, Seen)>, StoreError> {
    let Some(kept) = kept(store, id)? else { return Ok(Vec::new()) };
    let shown = shown(&kept);
    let read = kept.records.iter().zip(shown).filter(|(r, _)| matches!(r.found, Found::Bytes(_)));
    Ok(read.map(|(record, shown)| (record.place, (record.found, shown))).collect())
}

/// The records kept of an alert.
///
/// # Errors
/// The store failed or they are damaged.
pub fn kept(store: &dyn StateStore, id: AlertId) -> Result<Option<Kept>, StoreError> {
    let Some(sealed) = store.get(&keys::evidence(id))? else { return Ok(None) };
    let damaged = |cause| StoreError::Damaged { key: format!("e/{id}"), cause };
    evidence::open(&sealed).map(Some).map_err(damaged)
}

/// The redacted form of each record.
pub fn shown(kept: &Kept) -> Vec<Option<String>> {
    let mut lines = packed::unpack(&kept.redacted);
    lines.resize(kept.records.len(), None);
    lines
}

/// Reads the records at `places`, all of file `source`, ascending.
fn read(
    register: &Register<'_>,
    source: u32,
    places: &[Place],
    seen: &mut BTreeMap<Place, Seen>,
) -> Result<(), StoreError> {
    let identity = register.sources.identity(source);
    let nothing = match (identity, register.path(source)?) {
        (Some(key), None) if key.is_file() => NotRead::Missing,
        (Some(key), Some(path)) if key.is_file() => {
            let spans: Vec<(u64, u32)> = places.iter().map(|p| (p.offset(), p.len())).collect();
            let head = Some((key.head_len, key.head));
            read_places(Path::new(&path), head, &spans, &mut |n, bytes| {
                seen.insert(places[n], look(bytes));
            });
            return Ok(());
        }
        _ => NotRead::Nowhere,
    };
    seen.extend(places.iter().map(|place| (*place, (Found::Nothing(nothing), None))));
    Ok(())
}

/// Hashes and redacts what was read.
pub fn look(bytes: Result<&[u8], Unreadable>) -> Seen {
    match bytes {
        Ok(bytes) => (Found::Bytes(Sha256::digest(bytes).into()), redacted(bytes)),
        Err(Unreadable::Missing) => (Found::Nothing(NotRead::Missing), None),
        Err(Unreadable::Another) => (Found::Nothing(NotRead::Another), None),
        Err(Unreadable::Short) => (Found::Nothing(NotRead::Short), None),
    }
}

fn fill(
    kept: &mut Kept,
    register: &Register<'_>,
    seen: &BTreeMap<Place, Seen>,
) -> Result<(), StoreError> {
    let mut lines = Vec::with_capacity(kept.records.len());
    for record in &mut kept.records {
        let nowhere = (Found::Nothing(NotRead::Nowhere), None);
        let (found, line) = seen.get(&record.place).cloned().unwrap_or(nowhere);
        record.found = found;
        lines.push(line);
    }
    kept.redacted = packed::pack(&lines);
    let mut numbers: Vec<u32> = kept.records.iter().filter_map(|r| r.place.source()).collect();
    numbers.dedup();
    for number in numbers {
        kept.sources.push((number, register.path(number)?.unwrap_or_default()));
    }
    Ok(())
}
