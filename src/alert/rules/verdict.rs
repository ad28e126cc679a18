//! What a person says of one alert.
use super::{Subject, up_to};
use crate::alert::AlertId;
use crate::detect::{AlertKind, Severity};

/// The three things that can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    /// Harmless this time: the alert is dismissed and nothing else changes.
    BenignOnce,
    /// Harmless from now on: what was held back of it is learnt, and its like is expected.
    Benign,
    /// An attack: what was held back of it is never learnt.
    Malicious,
}

impl Ruling {
    /// All of them.
    pub const ALL: [Ruling; 3] = [Ruling::BenignOnce, Ruling::Benign, Ruling::Malicious];
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Ruling::BenignOnce => "benign-once",
            Ruling::Benign => "benign",
            Ruling::Malicious => "malicious",
        }
    }
    /// Reads the word.
    pub fn parse(text: &str) -> Option<Ruling> {
        Ruling::ALL.into_iter().find(|r| r.as_str() == text)
    }
    /// It changes what is learnt.
    pub fn teaches(self) -> bool {
        self != Ruling::BenignOnce
    }
}

/// A verdict, with what is needed of the alert after its line is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The alert.
    pub alert: AlertId,
    /// Its kind.
    pub kind: AlertKind,
    /// Key of its account.
    pub account: String,
    /// What tells its story from others.
    pub story: String,
    /// Its severity when it was judged.
    pub severity: Severity,
    /// What was said.
    pub ruling: Ruling,
}

impl Verdict {
    /// On an alert.
    pub fn of(subject: &Subject, ruling: Ruling) -> Verdict {
        Verdict {
            alert: subject.id,
            kind: subject.kind,
            account: subject.account.clone(),
            story: subject.story.clone(),
            severity: subject.severity,
            ruling,
        }
    }

    /// More of what was judged benign from now on: the same kind, account and story, and no more
    /// severe than what was judged.
    pub fn covers(&self, subject: &Subject) -> bool {
        self.ruling == Ruling::Benign
            && (self.kind, &self.account, &self.story)
                == (subject.kind, &subject.account, &subject.story)
            && up_to(subject.severity, Some(self.severity))
    }
}
