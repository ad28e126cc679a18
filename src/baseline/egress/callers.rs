//! The few callers that take most, for attribution: at most four by (network, family,
//! credential), kept by the Misra–Gries rule over a fading half hour, so that whoever takes more
//! than a fifth of the recent bytes is among them.
use super::networks::NetworkKey;
use crate::baseline::cell::{CallerKey, CallerRow, ROW_HEAP_MAX, row_heap};
use crate::event::{Credential, Place, Records};
use crate::limits::CELL_MINUTES;
use crate::profile::EgressProfile;
use crate::time::Timestamp;

/// Callers kept.
pub(crate) const CALLERS_MAX: usize = 4;
/// Newest cells of which a heavy caller keeps the place of a record, so that a window that began
/// after midnight has records of its own.
pub(crate) const CELLS_PLACED: usize = 4;
/// Half-life of the competition for a place, minutes.
const CONTEST_HALF_LIFE_MINUTES: f64 = 30.0;

/// One heavy caller.
#[derive(Clone, Debug, PartialEq)]
pub struct HeavyCaller {
    /// Who; the address is the one that took most in a minute.
    pub(crate) key: CallerKey,
    /// What it did since midnight (or since it entered).
    pub(crate) row: CallerRow,
    /// Its newest cells, each with the place of a record, newest first.
    pub(crate) cells: [(u32, Place); CELLS_PLACED],
    /// Bytes by hour, ring of 24.
    pub(crate) hours: [u64; 24],
    /// Most bytes in a minute, of `key.ip`.
    pub(crate) best_minute: u64,
    /// Fading bytes: the place in the contest.
    pub(crate) recent: f64,
    /// Decayed bytes of closed days, and decayed days.
    pub(crate) usual_bytes: f64,
    /// See `usual_bytes`.
    pub(crate) usual_days: f64,
    /// Bytes since midnight.
    pub(crate) today: u64,
}

/// Hash of who takes: network, client family, credential.
pub(crate) fn caller_hash(key: &CallerKey) -> u64 {
    let mut h = xxhash_rust::xxh3::Xxh3::new();
    h.update(&NetworkKey::of(&key.network).0.to_le_bytes());
    h.update(key.family.as_bytes());
    h.update(&credential_hash(&key.credential).to_le_bytes());
    h.digest()
}

/// Hash of a principal, domain-separated from families.
pub(crate) fn credential_hash(credential: &Credential) -> u64 {
    let mut h = xxhash_rust::xxh3::Xxh3::with_seed(1);
    match credential {
        Credential::Key(kind) => h.update(&[1, *kind as u8]),
        Credential::Entra(principal) => {
            h.update(&[2]);
            h.update(principal.as_str().as_bytes());
        }
        Credential::ResourceToken => h.update(&[3]),
        Credential::System => h.update(&[4]),
        Credential::Unknown => h.update(&[5]),
    }
    h.digest()
}

/// Hash of a client family.
pub(crate) fn family_hash(family: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(family.as_bytes(), 2)
}

impl HeavyCaller {
    fn new(key: &CallerKey, row: &CallerRow) -> HeavyCaller {
        HeavyCaller {
            key: key.clone(),
            row: row.clone(),
            cells: [(0, Place::NOWHERE); CELLS_PLACED],
            hours: [0; 24],
            best_minute: row.bytes,
            recent: row.bytes as f64,
            usual_bytes: 0.0,
            usual_days: 0.0,
            today: row.bytes,
        }
    }
    fn same(&self, key: &CallerKey) -> bool {
        NetworkKey::of(&self.key.network) == NetworkKey::of(&key.network)
            && self.key.family == key.family
            && self.key.credential == key.credential
    }
    /// Keeps the place of a record of a cell.
    fn place(&mut self, minute: i64, row: &CallerRow) {
        let minute = u32::try_from(minute).unwrap_or_default();
        if let Some(place) = row.places.iter().next() {
            self.cells.rotate_right(1);
            self.cells[0] = (minute, place);
        }
    }
    /// The records that stand for what it took since midnight.
    pub(crate) fn records(&self) -> Records {
        let mut records = self.row.records();
        for (minute, place) in self.cells {
            // Of a cell its last minute is known; the record may lie nine before it.
            records.sample(Timestamp::of_minute(i64::from(minute) + 1 - CELL_MINUTES), place);
        }
        records
    }
    fn count(&mut self, hour: i64, bytes: u64) {
        let cell = &mut self.hours[hour.rem_euclid(24) as usize];
        *cell = cell.saturating_add(bytes);
    }
    /// Bytes in the `hours` hours up to and including `hour` (at most 24).
    pub(crate) fn taken(&self, hour: i64, hours: i64) -> u64 {
        (hour - hours.clamp(1, 24) + 1..=hour)
            .fold(0, |sum, h| sum.saturating_add(self.hours[h.rem_euclid(24) as usize]))
    }
    /// Bytes beyond what this caller usually takes in so many hours.
    pub(crate) fn excess(&self, hour: i64, hours: i64) -> f64 {
        let usual = if self.usual_days > 0.0 { self.usual_bytes / self.usual_days } else { 0.0 };
        self.taken(hour, hours) as f64 - usual * hours.clamp(1, 24) as f64 / 24.0
    }
}

/// The heavy callers of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Callers {
    pub(crate) heavy: Vec<HeavyCaller>,
    /// Minute to which `recent` of all is faded.
    pub(crate) faded_to: i64,
}

impl Callers {
    /// Lets the contest fade to `minute`; call once before the rows of a minute.
    pub(crate) fn fade(&mut self, minute: i64) {
        let elapsed = (minute - self.faded_to).max(0) as f64;
        let factor = (-elapsed / CONTEST_HALF_LIFE_MINUTES).exp2();
        self.heavy.iter_mut().for_each(|c| c.recent *= factor);
        self.faded_to = minute;
    }

    /// One caller's row of a minute.
    pub(crate) fn add(&mut self, minute: i64, key: &CallerKey, row: &CallerRow) {
        let hour = minute.div_euclid(60);
        if let Some(c) = self.heavy.iter_mut().find(|c| c.same(key)) {
            if c.row.last.0.day() < Timestamp::of_minute(minute).day() {
                // A row tells of one day: first and last event stay near the story.
                c.row = row.clone();
                c.best_minute = 0;
            } else {
                c.row.merge(row);
            }
            c.place(minute, row);
            c.count(hour, row.bytes);
            c.recent += row.bytes as f64;
            c.today = c.today.saturating_add(row.bytes);
            if row.bytes > c.best_minute {
                c.best_minute = row.bytes;
                c.key.ip = key.ip;
            }
            return;
        }
        let mut new = HeavyCaller::new(key, row);
        new.place(minute, row);
        new.count(hour, row.bytes);
        if self.heavy.len() < CALLERS_MAX {
            self.heavy.push(new);
            return;
        }
        let least = self.heavy.iter_mut().min_by(|a, b| a.recent.total_cmp(&b.recent));
        if let Some(least) = least {
            if least.recent < new.recent {
                *least = new;
            } else {
                least.recent -= new.recent;
            }
        }
    }

    /// The open hour moves from `from` to `to`.
    pub(crate) fn advance(&mut self, from: i64, to: i64) {
        for c in &mut self.heavy {
            for h in from.max(to - 24) + 1..=to {
                c.hours[h.rem_euclid(24) as usize] = 0;
            }
        }
    }

    /// Midnight: what today was teaches what is usual; rows start afresh.
    pub(crate) fn midnight(&mut self, days: f64, profile: &EgressProfile) {
        let factor = (-days / profile.half_life_days).exp2();
        for c in &mut self.heavy {
            c.usual_bytes = c.usual_bytes * factor + c.today as f64;
            c.usual_days = c.usual_days * factor + 1.0;
            c.today = 0;
        }
        self.heavy.retain(|c| c.usual_bytes >= 1.0);
    }

    /// Who took most beyond its habit in the `hours` hours up to `hour`.
    pub(crate) fn top(&self, hour: i64, hours: i64) -> Option<&HeavyCaller> {
        self.heavy
            .iter()
            .filter(|c| c.taken(hour, hours) > 0)
            .max_by(|a, b| a.excess(hour, hours).total_cmp(&b.excess(hour, hours)))
    }

    /// The table is no fuller than it may be.
    pub(crate) fn within_bounds(&self) -> bool {
        self.heavy.len() <= CALLERS_MAX
    }

    /// Most heap bytes.
    pub(crate) const HEAP_MAX: usize = CALLERS_MAX * (size_of::<HeavyCaller>() + ROW_HEAP_MAX);

    pub(crate) fn heap_bytes(&self) -> usize {
        self.heavy.capacity() * size_of::<HeavyCaller>()
            + self.heavy.iter().map(|c| row_heap(&c.row)).sum::<usize>()
    }
}
