//! From a text to what is said of it: all of it ([`Inspection`]), or what is kept ([`QueryRead`]).
use std::sync::Arc;

use super::template::{self, Scratch, Sequence};
use super::token::Span;
use super::{SqlError, Workspace, insertion, redact, signs};
use crate::event::{
    Failure, HIDDEN_READINGS_MAX, HIDDEN_TOKENS_MAX, Marked, QueryLanguage, QueryRead, SIGNS_MAX,
    Sign, TEMPLATE_BYTES_MAX, TOKENS_MAX,
};
use crate::ids::Text;

/// Reads texts, with buffers that are reused.
#[derive(Default)]
pub struct Reader {
    workspace: Workspace,
    scratch: Scratch,
}

/// All that can be said of a text by itself; places are bytes of the text.
#[derive(Debug)]
pub struct Inspection {
    /// Why it is no query.
    pub error: Option<SqlError>,
    /// Hash of the template; of a text that is no query, of what stands before the error.
    pub shape: u64,
    /// Hash of what stands before the filter; 0 of a text that is no query.
    pub skeleton: u64,
    /// Literals and parameters.
    pub literals: u32,
    /// See `literals`.
    pub parameters: u32,
    /// The canonical template as text; empty for a text that is no query, where what was a literal is
    /// no longer told from what was not.
    pub template: String,
    /// What is odd, in the order of the text's tree.
    pub seen: Vec<signs::Seen>,
    /// For the comparison with other queries.
    pub sequence: Sequence,
    /// Comments.
    pub comments: Vec<Span>,
    /// It is written in several lines.
    pub lines: bool,
}

impl Reader {
    /// What `text` says, whether or not it parses, with all places.
    pub fn inspect(&mut self, text: &[u8]) -> Inspection {
        match self.workspace.parse(text) {
            Ok(query) => {
                let template = template::of(&query, &mut self.scratch);
                let added = template::added_by_gateway(&query, &mut self.scratch);
                Inspection {
                    error: None,
                    shape: template.shape,
                    skeleton: template.skeleton,
                    literals: template.literals,
                    parameters: template.parameters,
                    template: template::text(&query, &mut self.scratch),
                    seen: signs::of_query(&query, added),
                    sequence: Sequence::of_query(&query, &mut self.scratch),
                    comments: query.comments().to_vec(),
                    lines: text.trim_ascii().contains(&b'\n'),
                }
            }
            Err(error) => {
                let (shape, literals) = self.before(text, error);
                Inspection {
                    error: Some(error),
                    shape,
                    skeleton: 0,
                    literals,
                    parameters: 0,
                    template: String::new(),
                    seen: signs::of_refused(
                        text,
                        self.workspace.tokens(),
                        self.workspace.comments(),
                    ),
                    sequence: Sequence::of_refused(text, &self.workspace),
                    comments: self.workspace.comments().to_vec(),
                    lines: text.trim_ascii().contains(&b'\n'),
                }
            }
        }
    }

    /// Hash and literals of what stands before an error: that is the application's, what breaks it is
    /// the input's.
    fn before(&self, text: &[u8], error: SqlError) -> (u64, u32) {
        let before = self.workspace.tokens().iter().take_while(|t| t.span.end <= error.at);
        let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(0);
        let mut literals = 0;
        for token in before {
            hash.update(&[token.kind as u8]);
            if token.kind.is_name() {
                hash.update(token.span.of(text));
            }
            literals += u32::from(token.kind.is_literal());
        }
        (hash.digest(), literals)
    }

    /// What is kept of `text`.
    pub fn read(&mut self, text: &str) -> QueryRead {
        let bytes = text.as_bytes();
        match self.workspace.parse(bytes) {
            Ok(query) => {
                let template = template::of(&query, &mut self.scratch);
                let sequence = Sequence::of_query(&query, &mut self.scratch);
                let redacted = redact::redact(bytes, query.tokens(), query.comments());
                let added = template::added_by_gateway(&query, &mut self.scratch);
                let seen = signs::of_query(&query, added);
                QueryRead {
                    language: QueryLanguage::Sql,
                    shape: template.shape,
                    skeleton: template.skeleton,
                    failure: None,
                    literals: template.literals.min(u32::from(u16::MAX)) as u16,
                    parameters: template.parameters.min(u32::from(u16::MAX)) as u16,
                    hidden: hidden(&sequence),
                    unclosed: sequence.unclosed,
                    starts: starts(&sequence, &redacted),
                    tokens: kept(&sequence),
                    marked: marked(&seen, &redacted),
                    template: cut(redacted.text),
                }
            }
            Err(error) => self.refused(bytes, error),
        }
    }

    fn refused(&self, text: &[u8], error: SqlError) -> QueryRead {
        let sequence = Sequence::of_refused(text, &self.workspace);
        let seen = signs::of_refused(text, self.workspace.tokens(), self.workspace.comments());
        let (shape, literals) = self.before(text, error);
        QueryRead {
            language: QueryLanguage::Sql,
            shape,
            skeleton: 0,
            failure: Some(Failure { offset: error.at, reason: reason(error) }),
            literals: literals.min(u32::from(u16::MAX)) as u16,
            parameters: 0,
            hidden: hidden(&sequence),
            unclosed: sequence.unclosed,
            starts: Box::default(),
            tokens: kept(&sequence),
            template: Text::from(""),
            marked: signs_of(seen.iter().map(|(sign, _)| Marked { sign: *sign, begin: 0, end: 0 })),
        }
    }
}

impl Inspection {
    /// What `self` is against a query that the application is known to send: the signs that this one
    /// does not have itself, and what was put in, if it changes what is asked.
    pub fn against(&self, known: &Inspection) -> Vec<signs::Seen> {
        let mut own: Vec<Sign> = known.seen.iter().map(|(sign, _)| *sign).collect();
        let mut out = Vec::new();
        for (sign, span) in &self.seen {
            match own.iter().position(|s| s == sign) {
                Some(at) => drop(own.swap_remove(at)),
                None => out.push((*sign, *span)),
            }
        }
        let cut = out.iter().any(|(sign, _)| *sign == Sign::CommentCutsOff);
        // A note in a text of several lines is judged by what it says.
        let new = known.comments.is_empty() && !self.lines && !cut;
        if let Some(comment) = self.comments.last().filter(|_| new) {
            out.push((Sign::CommentCutsOff, *comment));
        }
        if let Some(asked) = self.widened(known) {
            out.push((Sign::WiderProjection, asked));
        }
        let Some(put) = template::lineage(&known.sequence.tokens, &self.sequence) else {
            return out;
        };
        let new = insertion::within(&self.seen, put.span).filter(|seen| out.contains(seen));
        let within: Vec<Sign> = new.map(|(sign, _)| *sign).collect();
        // An apostrophe puts something in as well, and breaks the query: a text that is no query
        // needs more than that.
        let telling = self.error.is_none() || within.iter().any(|s| *s != Sign::Unbalanced);
        if telling && insertion::changes_logic(&self.sequence.tokens, &put, &within) {
            out.push((Sign::Insertion, put.span));
            if put.lost > 0 && self.error.is_none() {
                // It lies in what cut it off, or in a string that does not end.
                let behind = |comment: &&Span| comment.start >= put.span.start;
                let cut = self.comments.iter().find(behind).copied();
                out.push((Sign::LostCondition, cut.unwrap_or(put.span)));
            }
        }
        out
    }

    /// Where it asks for whole rows that `known` asks for some properties of. Who has no literals takes
    /// no input into the text.
    fn widened(&self, known: &Inspection) -> Option<Span> {
        if self.literals == 0 || self.error.is_some() || !self.sequence.whole {
            return None;
        }
        let asked = template::widened(&known.sequence.tokens, &self.sequence.tokens)?;
        self.sequence.spans.get(asked)?.iter().copied().reduce(Span::to)
    }
}

/// Why it does not parse, without the place.
fn reason(error: SqlError) -> Text {
    let text = error.to_string();
    Text::from(text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason))
}

fn kept(sequence: &Sequence) -> Arc<[u16]> {
    if sequence.whole && sequence.tokens.len() <= TOKENS_MAX {
        sequence.tokens.as_slice().into()
    } else {
        Arc::new([])
    }
}

fn hidden(sequence: &Sequence) -> Box<[Box<[u16]>]> {
    let mut room = HIDDEN_TOKENS_MAX;
    let fits = |reading: &&Vec<u16>| {
        let fits = reading.len() <= room;
        room = room.saturating_sub(reading.len());
        fits
    };
    let readings = sequence.hidden.iter().take(HIDDEN_READINGS_MAX).take_while(fits);
    readings.map(|reading| reading.as_slice().into()).collect()
}

fn starts(sequence: &Sequence, redacted: &redact::Redacted) -> Box<[u16]> {
    if !sequence.whole || sequence.tokens.len() > TOKENS_MAX {
        return Box::default();
    }
    let place = |span: &Span| redacted.place(*span).map(|(begin, _)| begin);
    let kept = |begin: &u32| (*begin as usize) < TEMPLATE_BYTES_MAX;
    let spans = sequence.spans.iter();
    spans.map(|span| place(span).filter(kept).map_or(u16::MAX, |begin| begin as u16)).collect()
}

/// Places are of what is kept of the text: nothing is pointed at behind it.
fn marked(seen: &[signs::Seen], redacted: &redact::Redacted) -> Box<[Marked]> {
    let kept = kept_bytes(&redacted.text) as u32;
    signs_of(seen.iter().map(|(sign, span)| {
        let place = redacted.place(*span).filter(|(begin, _)| *begin < kept);
        let (begin, end) = place.map_or((0, 0), |(begin, end)| (begin, end.min(kept)));
        Marked { sign: *sign, begin, end }
    }))
}

/// Each sign at most twice, ascending.
fn signs_of(all: impl Iterator<Item = Marked>) -> Box<[Marked]> {
    let mut sorted: Vec<Marked> = all.collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut out: Vec<Marked> = Vec::new();
    for sign in Sign::ALL {
        out.extend(sorted.iter().filter(|m| m.sign == sign).take(2));
    }
    out.truncate(SIGNS_MAX);
    out.into_boxed_slice()
}

fn cut(text: String) -> Text {
    Text::from(text.get(..kept_bytes(&text)).unwrap_or_default())
}

/// Bytes of a redacted text that are kept: whole characters.
fn kept_bytes(text: &str) -> usize {
    let most = text.len().min(TEMPLATE_BYTES_MAX);
    (0..=most).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}
