//! Accounts, and categories of them, that logged regularly and fell silent.
//!
//! A stream is the hours with logs of an account, of one of its categories, or of everything that
//! comes. Its rhythm is how long its silences were so far. The chance of a silence that lasts on is
//! the product, over the lengths in [`EDGES`] that it has outlasted, of the share of earlier
//! silences that outlasted them too; beyond everything it has met it halves from length to
//! length. That times the silences that the stream begins a day is how often an innocent stream
//! would be silent for so long; at [`NOMINAL_PER_DAY`] it is an alarm. So a busy account alarms
//! within hours, one that sleeps at weekends within days, and one that was used on a single
//! afternoon never.
//!
//! An account is held against the fleet's watermark, a category against its account's own last
//! hour, everything together against the clock of the wall, if that is told: with no records at all
//! event time stands still. Accounts that fall silent within an hour of each other are one alarm.
//! Pure; bounds: [`ACCOUNTS_MAX`].
use std::collections::{BTreeMap, BTreeSet};

use crate::event::Category;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// How often an innocent stream may alarm: as often as Medium.
pub const NOMINAL_PER_DAY: f64 = 1.0 / 300.0;
/// Accounts watched; further ones are not.
pub const ACCOUNTS_MAX: usize = 200_000;

/// Whole silent hours at which a silence is asked how many outlasted it: each a quarter longer.
pub const EDGES: [i64; 26] = [
    1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 31, 39, 48, 60, 75, 94, 118, 147, 184, 230, 288, 360,
    450, 562,
];
/// Half-life of what is learnt, hours: that of the rhythm of an account.
const HALF_LIFE_HOURS: f64 = 28.0 * 24.0;
/// Hours from the first to the last log before a rhythm is used: two weekends were seen; that of a
/// stream which was never silent, sooner.
const MATURE_HOURS: i64 = 14 * 24;
const MATURE_DENSE_HOURS: i64 = 72;
/// Silences, decayed, before a rhythm is used: a weekly job after a month.
const SILENCES_MIN: f32 = 3.0;
/// How much a silence that alarmed teaches: a rhythm that changed for good is learnt in the end.
const ALARM_TEACHES: f32 = 0.1;
/// Accounts that fall silent together, at least, and what share of those with a rhythm.
const TOGETHER_MIN: usize = 8;
const TOGETHER_SHARE: f64 = 0.25;
/// A silence counts as one of those if it is at least so improbable: who sleeps at this hour anyhow
/// is none.
const TOGETHER_P: f64 = 0.05;

const CATEGORIES: usize = Category::ALL.len();

/// How long the silences of one stream were.
#[derive(Clone, Debug, PartialEq)]
struct Rhythm {
    first: i64,
    last: i64,
    /// Hours watched, decayed.
    hours: f32,
    /// All silences, those of no hour too, and by the last edge that they outlasted; decayed.
    all: f32,
    outlasted: [f32; EDGES.len()],
}

impl Rhythm {
    fn new(hour: i64) -> Rhythm {
        Rhythm { first: hour, last: hour, hours: 1.0, all: 0.0, outlasted: [0.0; EDGES.len()] }
    }

    /// Logs in `hour`; hours come in order, and what is older than the last one teaches nothing.
    fn note(&mut self, hour: i64, weight: f32) {
        let passed = hour.saturating_sub(self.last);
        if passed <= 0 {
            return;
        }
        let kept = (-(passed as f64) / HALF_LIFE_HOURS).exp2() as f32;
        self.hours = self.hours * kept + passed as f32;
        self.all = self.all * kept + weight;
        self.outlasted.iter_mut().for_each(|n| *n *= kept);
        let edges = EDGES.partition_point(|edge| *edge < passed);
        if let Some(n) = edges.checked_sub(1).and_then(|at| self.outlasted.get_mut(at)) {
            *n += weight;
        }
        self.last = hour;
    }

    fn is_known(&self) -> bool {
        let never_silent = self.outlasted.iter().all(|n| *n == 0.0);
        let least = if never_silent { MATURE_DENSE_HOURS } else { MATURE_HOURS };
        self.last.saturating_sub(self.first) >= least && self.all >= SILENCES_MIN
    }

    /// Whole hours without logs before `hour`.
    fn silent_hours(&self, hour: i64) -> i64 {
        hour.saturating_sub(self.last).saturating_sub(1).max(0)
    }

    /// The chance of a silence of so many hours, and how often an innocent stream has one, a day.
    fn chance(&self, silent: i64) -> (f64, f64) {
        let mut p = 1.0;
        let mut before = f64::from(self.all);
        for at in 0..EDGES.partition_point(|edge| *edge <= silent) {
            let longer: f64 = self.outlasted[at..].iter().map(|n| f64::from(*n)).sum();
            p *= (longer + 0.5) / (before + 1.0);
            before = longer;
        }
        let begun_a_day = f64::from(self.all) / (f64::from(self.hours) / 24.0).max(1.0);
        (p, p * begun_a_day)
    }
}

/// The streams of one account.
#[derive(Clone, Debug)]
struct Streams {
    account: Rhythm,
    categories: [Option<Box<Rhythm>>; CATEGORIES],
}

/// What fell silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silent {
    /// Nothing comes at all.
    Everything,
    /// Several accounts since the same hour, hours since the epoch.
    Together(i64),
    /// One account.
    Account(AccountId),
    /// A category of an account that goes on otherwise.
    Category(AccountId, Category),
}

impl Silent {
    /// The category, where it is one.
    pub fn category(&self) -> Option<Category> {
        match self {
            Silent::Category(_, category) => Some(*category),
            _ => None,
        }
    }
    /// One word for metrics.
    pub fn scope(&self) -> &'static str {
        match self {
            Silent::Everything => "source",
            Silent::Together(_) => "together",
            Silent::Account(_) => "account",
            Silent::Category(..) => "category",
        }
    }
}

/// An alarm: a stream is silent longer than its rhythm explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What.
    pub silent: Silent,
    /// Accounts concerned, ascending; empty where it is everything.
    pub accounts: Vec<AccountId>,
    /// End of the last hour with logs.
    pub since: Timestamp,
    /// When it was noticed, by the clock that it was held against.
    pub noticed: Timestamp,
    /// The chance of a silence that long.
    pub p: f64,
    /// How often an innocent stream has one, a day.
    pub per_day: f64,
}

/// What became of an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is raised.
    Raised(Alarm),
    /// Logs are back, at this time.
    Resolved(Alarm, Timestamp),
}

/// Watches all streams.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    streams: BTreeMap<AccountId, Streams>,
    everything: Option<Rhythm>,
    open: BTreeMap<Silent, Alarm>,
}

impl Watch {
    /// Logs of `account` in `hour`.
    pub fn note(&mut self, account: &AccountId, category: Category, hour: i64) {
        let at = category as usize;
        self.note_account(account, hour);
        let alarmed = self.open.contains_key(&Silent::Category(account.clone(), category));
        let Some(streams) = self.streams.get_mut(account) else { return };
        match streams.categories.get_mut(at) {
            Some(Some(rhythm)) => rhythm.note(hour, teaches(alarmed)),
            Some(none) => *none = Some(Box::new(Rhythm::new(hour))),
            None => {}
        }
    }

    /// Logs of `account` in `hour`, of whichever category.
    pub fn note_account(&mut self, account: &AccountId, hour: i64) {
        if !self.streams.contains_key(account) {
            if self.streams.len() >= ACCOUNTS_MAX {
                return;
            }
            let rhythm = Rhythm::new(hour);
            let streams = Streams { account: rhythm, categories: [const { None }; CATEGORIES] };
            self.streams.insert(account.clone(), streams);
            return;
        }
        let alarmed = self.covers(account);
        if let Some(streams) = self.streams.get_mut(account) {
            streams.account.note(hour, teaches(alarmed));
        }
    }

    /// Something came in `hour`, of whatever account.
    pub fn note_any(&mut self, hour: i64) {
        let alarmed = self.open.contains_key(&Silent::Everything);
        match &mut self.everything {
            Some(rhythm) => rhythm.note(hour, teaches(alarmed)),
            None => self.everything = Some(Rhythm::new(hour)),
        }
    }

    /// The alarms that are open, in order.
    pub fn open(&self) -> impl Iterator<Item = &Alarm> {
        self.open.values()
    }

    /// An open alarm names the account as silent.
    fn covers(&self, account: &AccountId) -> bool {
        !self.open.is_empty()
            && (self.open.contains_key(&Silent::Account(account.clone()))
                || self.open.values().any(|alarm| {
                    matches!(alarm.silent, Silent::Together(_))
                        && alarm.accounts.binary_search(account).is_ok()
                }))
    }

    /// What changed when the fleet's watermark is in `hour`; `wall` is the hour of the wall clock,
    /// where the source is alive.
    pub fn judge(&mut self, hour: i64, wall: Option<i64>) -> Vec<Change> {
        let mut changes = self.resolve(hour);
        if let (Some(wall), Some(rhythm)) = (wall, &self.everything)
            && let Some(alarm) = overdue(rhythm, wall, Silent::Everything, Vec::new())
        {
            self.raise(alarm, &mut changes);
        }
        if self.open.contains_key(&Silent::Everything) {
            return changes;
        }
        for alarm in self.due(hour) {
            self.raise(alarm, &mut changes);
        }
        changes
    }

    fn raise(&mut self, alarm: Alarm, changes: &mut Vec<Change>) {
        if !self.open.contains_key(&alarm.silent) {
            self.open.insert(alarm.silent.clone(), alarm.clone());
            changes.push(Change::Raised(alarm));
        }
    }

    /// Alarms that are due at `hour` and that no open one covers.
    fn due(&self, hour: i64) -> Vec<Alarm> {
        let (mut due, mut done): (Vec<Alarm>, BTreeSet<AccountId>) = (Vec::new(), BTreeSet::new());
        for (account, streams) in &self.streams {
            let silent = Silent::Account(account.clone());
            let alarm = overdue(&streams.account, hour, silent, vec![account.clone()]);
            if let Some(alarm) = alarm.filter(|_| !done.contains(account) && !self.covers(account))
            {
                let alarm = self.together(streams.account.last, hour, &alarm).unwrap_or(alarm);
                done.extend(alarm.accounts.iter().cloned());
                due.push(alarm);
            }
            for (category, rhythm) in Category::ALL.into_iter().zip(&streams.categories) {
                let Some(rhythm) = rhythm else { continue };
                let silent = Silent::Category(account.clone(), category);
                // The account's last hour may still be going on.
                let until = streams.account.last;
                due.extend(overdue(rhythm, until, silent, vec![account.clone()]));
            }
        }
        due
    }

    /// The alarm of all accounts that fell silent within an hour of `last`, if they are many.
    fn together(&self, last: i64, hour: i64, own: &Alarm) -> Option<Alarm> {
        let known = || self.streams.iter().filter(|(_, streams)| streams.account.is_known());
        let fell = |rhythm: &Rhythm| {
            rhythm.last.abs_diff(last) <= 1
                && rhythm.chance(rhythm.silent_hours(hour)).0 <= TOGETHER_P
        };
        let accounts: Vec<AccountId> = known()
            .filter(|(account, streams)| fell(&streams.account) && !self.covers(account))
            .map(|(account, _)| account.clone())
            .collect();
        let many = accounts.len() >= TOGETHER_MIN
            && accounts.len() as f64 >= TOGETHER_SHARE * known().count() as f64;
        many.then(|| Alarm { silent: Silent::Together(last), accounts, ..own.clone() })
    }

    /// Closes what is over: the stream has logs again, or at least half of those that fell silent
    /// together have.
    fn resolve(&mut self, hour: i64) -> Vec<Change> {
        let is_back = |rhythm: Option<&Rhythm>, alarm: &Alarm| {
            rhythm.is_none_or(|rhythm| Timestamp::of_hour(rhythm.last) >= alarm.since)
        };
        let account = |name: &AccountId| self.streams.get(name).map(|streams| &streams.account);
        let over = |alarm: &Alarm| match &alarm.silent {
            Silent::Everything => is_back(self.everything.as_ref(), alarm),
            Silent::Account(name) => is_back(account(name), alarm),
            Silent::Category(name, category) => {
                let of =
                    self.streams.get(name).map(|s| s.categories[*category as usize].as_deref());
                is_back(of.flatten(), alarm)
            }
            Silent::Together(_) => {
                // The hours in which they fell silent may differ by one.
                let since = Timestamp(alarm.since.millis().saturating_add(crate::time::HOUR_MS));
                let late = Alarm { since, ..alarm.clone() };
                let back = alarm.accounts.iter().filter(|a| is_back(account(a), &late)).count();
                back * 2 >= alarm.accounts.len()
            }
        };
        let over: Vec<Silent> =
            self.open.values().filter(|a| over(a)).map(|a| a.silent.clone()).collect();
        let at = Timestamp::of_hour(hour);
        let closed = over.into_iter().filter_map(|silent| self.open.remove(&silent));
        closed.map(|alarm| Change::Resolved(alarm, at)).collect()
    }
}

fn teaches(alarmed: bool) -> f32 {
    if alarmed { ALARM_TEACHES } else { 1.0 }
}

/// The alarm of a stream that is silent at `hour` for longer than its rhythm explains.
fn overdue(rhythm: &Rhythm, hour: i64, silent: Silent, accounts: Vec<AccountId>) -> Option<Alarm> {
    let hours = rhythm.silent_hours(hour);
    if hours < 1 || !rhythm.is_known() {
        return None;
    }
    let (p, per_day) = rhythm.chance(hours);
    (per_day <= NOMINAL_PER_DAY).then(|| Alarm {
        silent,
        accounts,
        since: Timestamp::of_hour(rhythm.last.saturating_add(1)),
        noticed: Timestamp::of_hour(hour),
        p,
        per_day,
    })
}

#[cfg(test)]
mod tests;
