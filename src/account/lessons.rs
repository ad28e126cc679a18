//! What people say of alerts, as the account's model takes it: each lesson at its moment of event
//! time, so that a replay, a restart and a night's sleep all learn the same.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Context;
use super::model::AccountModel;
use crate::baseline::location::category::Category;
use crate::detect::geo;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// What is to be done with what was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Teach {
    /// It is learnt now.
    Release,
    /// It is never learnt.
    KeepOut,
}

/// One lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Taken at the first cell or day that closes at this event time or later; of one moment by
    /// number.
    pub given: (Timestamp, u64),
    /// Taken back then, in the same order.
    pub undone: Option<(Timestamp, u64)>,
    /// What tells the story of the alert from others on its account.
    pub story: String,
    /// What is to be done.
    pub teach: Teach,
}

/// All lessons, by account, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lessons(Arc<BTreeMap<AccountId, Vec<Lesson>>>);

impl Lessons {
    /// Adds one.
    pub fn add(&mut self, account: AccountId, lesson: Lesson) {
        Arc::make_mut(&mut self.0).entry(account).or_default().push(lesson);
    }
    /// Those of an account.
    pub fn of(&self, account: &AccountId) -> &[Lesson] {
        self.0.get(account).map_or(&[], Vec::as_slice)
    }
}

/// What a lesson asks for at one moment.
#[derive(Clone, Copy)]
struct Due<'a> {
    at: (Timestamp, u64),
    lesson: &'a Lesson,
    undo: bool,
}

impl AccountModel {
    /// Takes the lessons whose moment has come at `now`, in the order of their moments. One that is
    /// given and taken back in the same step is not taken at all: unlearning would lose the visits
    /// that it was about, and a verdict given again would find nothing to teach. Returns how many
    /// changed something.
    pub fn take_lessons(&mut self, now: Timestamp, cx: &Context) -> usize {
        let since = self.taught_until;
        self.taught_until = since.max(now);
        let given = cx.published.lessons.of(&self.id);
        let give = given.iter().map(|lesson| Due { at: lesson.given, lesson, undo: false });
        let undo = |lesson| Lesson::undo(lesson);
        let mut due: Vec<Due> = give.chain(given.iter().filter_map(undo)).collect();
        // The first moment counts for a model that has closed nothing yet.
        let is_new = |at: Timestamp| at > since || since == Timestamp::MIN;
        let is_due = |at: Timestamp| is_new(at) && at <= now;
        let is_void = |lesson: &Lesson| {
            is_due(lesson.given.0) && lesson.undone.is_some_and(|(at, _)| is_due(at))
        };
        due.retain(|d| is_due(d.at.0) && !is_void(d.lesson));
        due.sort_by_key(|d| d.at);
        due.into_iter().filter(|d| self.take_lesson(d, now, cx)).count()
    }

    fn take_lesson(&mut self, due: &Due, now: Timestamp, cx: &Context) -> bool {
        let (profile, day) = (&cx.profile.location, now.day());
        let is = |category: &Category| geo::story(category) == due.lesson.story;
        match (due.lesson.teach, due.undo) {
            (Teach::Release, false) => self.location.release_now(is, day, profile),
            (Teach::Release, true) => self.location.hold_again(is, day),
            (Teach::KeepOut, false) => self.location.keep_out(is, day),
            (Teach::KeepOut, true) => self.location.let_prove_itself(is),
        }
    }
}

impl Lesson {
    fn undo(&self) -> Option<Due<'_>> {
        self.undone.map(|at| Due { at, lesson: self, undo: true })
    }
}
