//! What an alert carries of decisions and of its incident.
use super::Name;
use crate::alert::incident::Membership;

/// Why an alert is not notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// A rule says so.
    Suppressed,
    /// It was announced, or judged benign before.
    Expected,
}

impl Silence {
    /// Name of the property that says so.
    pub fn property(self) -> &'static str {
        Marks::PROPERTIES[self as usize]
    }
}

/// A decision that covers an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it does.
    pub silence: Silence,
    /// The decision.
    pub by: Name,
}

/// What an alert carries besides its finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Decisions that cover it, ascending by number.
    pub silenced: Vec<Mark>,
    /// The incident that it belongs to.
    pub incident: Option<Membership>,
}

impl Marks {
    /// Properties that name decisions, in the order of [`Silence`].
    pub const PROPERTIES: [&'static str; 2] = ["Suppressed by", "Expected by"];

    /// It is kept and counted, and nobody is notified.
    pub fn is_silenced(&self) -> bool {
        !self.silenced.is_empty()
    }

    /// The decisions by name, suppressing ones first.
    pub fn silenced_by(&self) -> impl Iterator<Item = (Silence, String)> {
        let of = |silence: Silence| {
            let marks = self.silenced.iter().filter(move |mark| mark.silence == silence);
            marks.map(|mark| (mark.silence, mark.by.to_string()))
        };
        of(Silence::Suppressed).chain(of(Silence::Expected))
    }
}
