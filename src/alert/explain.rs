//! An alert's line, read back and told to a person. The line alone is enough: its evidence was
//! frozen when it was judged. Colours are the command line's business: spans carry roles.
use std::collections::BTreeMap;

use crate::detect::Severity;

mod draw;
mod page;
mod view;

pub use page::render;
pub use view::{AlertView, ExplainError, Hours};

/// What a span is, for whoever colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Plain,
    /// A severity's letter, word or block.
    Severity(Severity),
    /// The alert's title.
    Title,
    /// The word in front of a row.
    Label,
    /// What broke.
    Broke,
    /// Secondary.
    Dim,
}

/// Text of one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text, harmless to a terminal.
    pub text: String,
    /// Its role.
    pub role: Role,
}

/// One line of the page, without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Span>);

impl Line {
    /// Adds a span.
    fn push(&mut self, text: impl Into<String>, role: Role) {
        self.0.push(Span { text: text.into(), role });
    }
    fn of(text: impl Into<String>, role: Role) -> Line {
        let mut line = Line::default();
        line.push(text, role);
        line
    }
    /// The text without roles.
    pub fn text(&self) -> String {
        self.0.iter().map(|s| s.text.as_str()).collect()
    }
}

/// Characters to draw with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Blocks and box drawing.
    Unicode,
    /// For terminals without UTF-8.
    Ascii,
}

/// What came of looking for an alert.
#[derive(Debug)]
pub enum Lookup {
    /// No id begins so.
    None,
    /// Its newest line.
    One(Box<AlertView>),
    /// These ids begin so; ascending.
    Several(Vec<String>),
    /// The line is not what we write.
    Broken(ExplainError),
}

/// Looks for the alert whose id begins with `prefix` (any case) in the lines of an alert file.
/// Lines that are not alerts are passed over; of several revisions the highest counts.
pub fn find<'a>(lines: impl IntoIterator<Item = &'a str>, prefix: &str) -> Lookup {
    let prefix = prefix.trim().to_ascii_lowercase();
    let mut found: BTreeMap<String, (u32, &str)> = BTreeMap::new();
    for line in lines {
        let Some((id, revision)) = view::head(line) else { continue };
        if !id.starts_with(&prefix) {
            continue;
        }
        let newest = found.entry(id).or_insert((revision, line));
        if revision >= newest.0 {
            *newest = (revision, line);
        }
    }
    match (found.len(), found.values().next()) {
        (1, Some((_, line))) => match AlertView::read(line) {
            Ok(view) => Lookup::One(Box::new(view)),
            Err(error) => Lookup::Broken(error),
        },
        (0, _) | (_, None) => Lookup::None,
        _ => Lookup::Several(found.into_keys().collect()),
    }
}

#[cfg(test)]
mod tests;
