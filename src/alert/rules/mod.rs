//! What people decide about alerts, as one ledger: rules that silence, what is expected, networks
//! that are trusted, verdicts, and the end of each of them.
//!
//! A decision works from a moment of *event time* on, and so does its end. Entries are only ever
//! added, so the ledger and the log together say which alert was marked by what, and a replay of
//! both says the same. Nothing here hides an alert: it is marked, kept, counted, and not notified.
use std::collections::BTreeMap;
use std::fmt;

use crate::detect::Severity;
use crate::limits::CELL_MINUTES;
use crate::time::{DAY_MS, MINUTE_MS, Timestamp};

mod expect;
mod filter;
mod mark;
mod subject;
mod suppress;
#[cfg(test)]
mod tests;
mod trust;
mod verdict;
mod view;

pub use expect::Expectation;
pub use filter::{Filter, FilterText, Pattern};
pub use mark::{Mark, Marks, Silence};
pub use subject::{Subject, exact_agents};
pub use suppress::{Hits, Rule, Simulation, hits, simulate};
pub use trust::{Trust, Trusted};
pub use verdict::{Ruling, Verdict};
pub use view::{DecisionView, Disposition, Notice};

/// Longest reason, characters.
pub const REASON_CHARS_MAX: usize = 1000;
/// Longest name of an author or a ticket, characters.
pub const NAME_CHARS_MAX: usize = 120;
/// Decisions that may be in effect at a time: each alert is held against all of them.
pub const ACTIVE_MAX: usize = 2000;
/// Longest time that anything may stay silent, milliseconds: nothing is silenced for ever.
pub const STANDS_MS_MAX: i64 = 2 * 366 * DAY_MS;

/// Why a decision cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the sentence says it
pub enum RuleError {
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("the {what} is longer than {max}")]
    TooLong { what: &'static str, max: usize },
    #[error("`{0}` is no kind of alert; write an alertType, such as CosmosDB_GeoAnomaly")]
    Kind(String),
    #[error("`{0}` is neither an address nor a network; write 203.0.113.7 or 203.0.113.0/24")]
    Network(String),
    #[error("`{0}` is no country; write two letters, such as NL")]
    Country(String),
    #[error(
        "a rule without any condition would silence everything; name a kind, an account, a principal, an address, a country or an agent"
    )]
    Everything,
    #[error("an expectation names a principal, a place or a volume; this one names none")]
    ExpectsNothing,
    #[error("it ends ({until}) before it begins ({from}); give a later end")]
    EndsBefore { from: Timestamp, until: Timestamp },
    #[error("it would last longer than two years; give an earlier end")]
    Endless,
    #[error("there are {ACTIVE_MAX} decisions in effect already; remove one first")]
    TooMany,
    #[error("there is no decision {0}")]
    Unknown(Name),
    #[error("{0} was ended already")]
    Ended(Name),
    #[error("`{0}` is no name of a decision; write one as `list` shows it, such as S12")]
    NotAName(String),
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Alerts of this kind are not notified.
    Suppress(Rule),
    /// This was announced.
    Expect(Expectation),
    /// This network is ours.
    Trust(Trust),
    /// This alert was judged by a person.
    Verdict(Verdict),
    /// An earlier decision no longer works.
    End {
        /// Its number.
        of: u64,
    },
}

impl What {
    fn letter(&self) -> char {
        match self {
            What::Suppress(_) => 'S',
            What::Expect(_) => 'E',
            What::Trust(_) => 'T',
            What::Verdict(_) => 'V',
            What::End { .. } => 'X',
        }
    }
    /// When it ends by itself; `None`: never.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            What::Suppress(rule) => Some(rule.until),
            What::Expect(expectation) => Some(expectation.end),
            What::Trust(trust) => Some(trust.until),
            What::Verdict(_) | What::End { .. } => None,
        }
    }
    /// Checks what its parts cannot check alone. `from` is when it begins.
    fn check(&self, from: Timestamp) -> Result<(), RuleError> {
        match self {
            What::Suppress(rule) if rule.filter.is_everything() => {
                return Err(RuleError::Everything);
            }
            What::Expect(expectation) if expectation.says_nothing() => {
                return Err(RuleError::ExpectsNothing);
            }
            _ => {}
        }
        let Some(until) = self.until() else { return Ok(()) };
        let from = if let What::Expect(expectation) = self { expectation.start } else { from };
        if until <= from {
            return Err(RuleError::EndsBefore { from, until });
        }
        // Before the first record there is no beginning to count from.
        if from > Timestamp::MIN && until.since(from) > STANDS_MS_MAX {
            return Err(RuleError::Endless);
        }
        Ok(())
    }
}

/// Name of a decision: a letter for people and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    letter: char,
    /// Number of the decision.
    pub number: u64,
}

impl Name {
    /// Reads `S12`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Name, RuleError> {
        let wrong = || RuleError::NotAName(crate::alert::words::clean(text));
        let mut chars = text.trim().chars();
        let letter = chars.next().map(|c| c.to_ascii_uppercase()).filter(|c| "SETV".contains(*c));
        let digits = chars.as_str();
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok());
        match (letter, number.flatten()) {
            (Some(letter), Some(number)) => Ok(Name { letter, number }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.letter, self.number)
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Rises by one, from 1.
    pub number: u64,
    /// Works on what is raised at this event time or later.
    pub from: Timestamp,
    /// When it was taken, by the wall clock; for people only.
    pub made: Timestamp,
    /// Who took it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// What.
    pub what: What,
}

impl Decision {
    /// Its name.
    pub fn name(&self) -> Name {
        Name { letter: self.what.letter(), number: self.number }
    }
}

/// The moment from which a decision works that is taken when `newest` is the newest event time
/// seen: the end of its cell. No alert that was raised before has met it, none after has missed
/// it, so that a replay marks the same ones.
pub fn works_from(newest: Timestamp) -> Timestamp {
    if newest == Timestamp::MIN {
        return newest;
    }
    let cell = CELL_MINUTES * MINUTE_MS;
    Timestamp((newest.millis().div_euclid(cell) + 1).saturating_mul(cell))
}

/// A text that a person gave: trimmed, within its bound, and not empty.
fn said(what: &'static str, text: &str, max: usize) -> Result<String, RuleError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(RuleError::Empty(what)),
        n if n > max => Err(RuleError::TooLong { what, max }),
        _ => Ok(crate::alert::words::visible(text)),
    }
}

/// All decisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    decisions: BTreeMap<u64, Decision>,
    /// By the number of a decision: event time from which it no longer works, and the number of the
    /// decision that says so.
    ended: BTreeMap<u64, (Timestamp, u64)>,
}

impl Ledger {
    /// Of decisions that were recorded.
    pub fn of(decisions: impl IntoIterator<Item = Decision>) -> Ledger {
        let mut ledger = Ledger::default();
        decisions.into_iter().for_each(|decision| ledger.push(decision));
        ledger
    }

    /// The next decision, if it may be taken: the caller records it, then pushes it.
    ///
    /// # Errors
    /// It may not: the sentence says why.
    pub fn draft(
        &self,
        what: What,
        [from, made]: [Timestamp; 2],
        author: &str,
        reason: &str,
    ) -> Result<Decision, RuleError> {
        what.check(from)?;
        if let What::End { of } = what {
            let Some(decision) = self.decisions.get(&of) else {
                return Err(RuleError::Unknown(Name { letter: '#', number: of }));
            };
            if self.ended.contains_key(&of) {
                return Err(RuleError::Ended(decision.name()));
            }
        } else if self.active(from).count() >= ACTIVE_MAX {
            return Err(RuleError::TooMany);
        }
        let author = said("author", author, NAME_CHARS_MAX)?;
        let reason = said("reason", reason, REASON_CHARS_MAX)?;
        Ok(Decision { number: self.next_number(), from, made, author, reason, what })
    }

    fn next_number(&self) -> u64 {
        self.decisions.last_key_value().map_or(1, |(number, _)| number.saturating_add(1))
    }

    /// Adds a decision that was recorded.
    pub fn push(&mut self, decision: Decision) {
        if let What::End { of } = decision.what {
            self.ended.entry(of).or_insert((decision.from, decision.number));
        }
        self.decisions.insert(decision.number, decision);
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.values()
    }

    /// The decision of this name.
    ///
    /// # Errors
    /// There is none, or it has another letter.
    pub fn find(&self, name: Name) -> Result<&Decision, RuleError> {
        let found = self.decisions.get(&name.number).filter(|d| d.name() == name);
        found.ok_or(RuleError::Unknown(name))
    }

    /// When a decision stops, by itself or by a later one.
    pub fn ends(&self, decision: &Decision) -> Option<Timestamp> {
        let ended = self.ended.get(&decision.number).map(|(at, _)| *at);
        [ended, decision.what.until()].into_iter().flatten().min()
    }

    /// It was ended by a later decision.
    pub fn was_ended(&self, number: u64) -> bool {
        self.ended.contains_key(&number)
    }

    /// Works at `at`.
    pub fn works(&self, decision: &Decision, at: Timestamp) -> bool {
        decision.from <= at && self.ends(decision).is_none_or(|end| at < end)
    }

    /// Rules, expectations and trusted networks that work at `at`, and such that begin later.
    pub fn active(&self, at: Timestamp) -> impl Iterator<Item = &Decision> {
        let counts =
            |d: &&Decision| matches!(d.what, What::Suppress(_) | What::Expect(_) | What::Trust(_));
        self.iter().filter(counts).filter(move |d| self.ends(d).is_none_or(|end| at < end))
    }

    /// What marks an alert, by number.
    pub fn marks(&self, subject: &Subject) -> Vec<Mark> {
        let mark = |d: &Decision| {
            let silence = match &d.what {
                What::Suppress(rule) => rule.covers(subject).then_some(Silence::Suppressed),
                What::Expect(expected) => expected.covers(subject).then_some(Silence::Expected),
                What::Verdict(verdict) => verdict.covers(subject).then_some(Silence::Expected),
                What::Trust(_) | What::End { .. } => None,
            };
            silence.map(|silence| Mark { silence, by: d.name() })
        };
        let works = |d: &&Decision| self.works(d, subject.raised);
        self.iter().filter(works).filter_map(mark).collect()
    }
}

/// A severity is at most another; without one, always.
fn up_to(severity: Severity, max: Option<Severity>) -> bool {
    max.is_none_or(|max| severity <= max)
}
