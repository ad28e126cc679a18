//! From a text to what is kept of it: [`QueryRead`].
use std::sync::Arc;

use super::template::{self, Scratch, Sequence};
use super::token::Span;
use super::{SqlError, Workspace, redact, signs};
use crate::event::{
    Failure, Marked, QueryLanguage, QueryRead, SIGNS_MAX, Sign, TEMPLATE_BYTES_MAX, TOKENS_MAX,
};
use crate::ids::Text;

/// Reads texts, with buffers that are reused.
#[derive(Default)]
pub struct Reader {
    workspace: Workspace,
    scratch: Scratch,
}

impl Reader {
    /// What `text` says, whether or not it parses.
    pub fn read(&mut self, text: &str) -> QueryRead {
        let bytes = text.as_bytes();
        match self.workspace.parse(bytes) {
            Ok(query) => {
                let template = template::of(&query, &mut self.scratch);
                let sequence = Sequence::of_query(&query, &mut self.scratch);
                let redacted = redact::redact(bytes, query.tokens(), query.comments());
                let seen = signs::of_query(&query);
                QueryRead {
                    language: QueryLanguage::Sql,
                    shape: template.shape,
                    skeleton: template.skeleton,
                    failure: None,
                    literals: template.literals.min(u32::from(u16::MAX)) as u16,
                    parameters: template.parameters.min(u32::from(u16::MAX)) as u16,
                    cut: sequence.cut,
                    starts: starts(&sequence, &redacted),
                    tokens: kept(&sequence),
                    marked: marked(&seen, &redacted),
                    template: cut(redacted.text),
                }
            }
            Err(error) => self.refused(bytes, error),
        }
    }

    fn refused(&self, bytes: &[u8], error: SqlError) -> QueryRead {
        let sequence = Sequence::of_refused(bytes, &self.workspace);
        let (tokens, comments) = (self.workspace.tokens(), self.workspace.comments());
        let seen = signs::of_refused(bytes, tokens, comments);
        // What stands before the error is the application's; what breaks it is the input's.
        let before = tokens.iter().take_while(|t| t.span.end <= error.at);
        let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(0);
        let mut count = 0_u16;
        for token in before {
            hash.update(&[token.kind as u8]);
            if token.kind.is_name() {
                hash.update(token.span.of(bytes));
            }
            count += u16::from(token.kind.is_literal());
        }
        QueryRead {
            language: QueryLanguage::Sql,
            shape: hash.digest(),
            skeleton: 0,
            failure: Some(Failure { offset: error.at, reason: reason(error) }),
            literals: count,
            parameters: 0,
            cut: sequence.cut,
            starts: Box::default(),
            tokens: kept(&sequence),
            // What was a literal is no longer told from what was not.
            template: Text::from(""),
            marked: signs_of(seen.iter().map(|(sign, _)| Marked { sign: *sign, begin: 0, end: 0 })),
        }
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

fn starts(sequence: &Sequence, redacted: &redact::Redacted) -> Box<[u16]> {
    if !sequence.whole || sequence.tokens.len() > TOKENS_MAX {
        return Box::default();
    }
    let place = |span: &Span| redacted.place(*span).map_or(u16::MAX, |(begin, _)| begin as u16);
    sequence.spans.iter().map(place).collect()
}

fn marked(seen: &[signs::Seen], redacted: &redact::Redacted) -> Box<[Marked]> {
    signs_of(seen.iter().map(|(sign, span)| {
        let (begin, end) = redacted.place(*span).unwrap_or((0, 0));
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
    let end = (0..=text.len().min(TEMPLATE_BYTES_MAX)).rev().find(|i| text.is_char_boundary(*i));
    Text::from(text.get(..end.unwrap_or(0)).unwrap_or_default())
}
