//! Whether a query is a known template with something put in the place of one of its literals: what
//! happens to a query that is concatenated from input, and to no other.
use std::ops::Range;

use super::tokens::{Sequence, is_literal};
use crate::cosmos_sql::token::{Span, TokenKind};

/// What was put in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Which token of the template it replaces: a literal.
    pub place: usize,
    /// That literal's type.
    pub literal: u16,
    /// The tokens of the query that stand there, what is left of the literal included.
    pub tokens: Range<usize>,
    /// The bytes of the query that these are, with the brackets that belong to them.
    pub span: Span,
    /// In how many places the same was put in.
    pub times: usize,
    /// Tokens of the template that are gone from the query's end: behind a comment, or in a string
    /// that is not closed.
    pub lost: usize,
}

/// Most places that one input goes to, as in a search over several properties.
const TIMES_MAX: usize = 4;

/// How `query` comes from `template`, if one is the other with more tokens in one literal's place,
/// or with the same tokens in several; none if it does not. The last literal that explains it is
/// taken, as later ones explain less.
///
/// A string's place is left only through its quotes: what is put there begins with a string, and
/// ends with one unless the rest is lost. Linear in both lengths, in at most `TIMES_MAX` passes.
pub fn lineage(template: &[u16], query: &Sequence) -> Option<Insertion> {
    if !query.whole {
        return None;
    }
    let tokens = query.tokens.as_slice();
    let same = template.iter().zip(tokens).take_while(|(a, b)| a == b).count();
    let candidates = template.get(..template.len().min(same + 1))?;
    let place = candidates.iter().rposition(|&token| is_literal(token))?;
    let (end, times, lost) = (1..=TIMES_MAX)
        .find_map(|times| repeated(template, tokens, place, times))
        .or_else(|| cut(template, query, place))?;
    let span = around(query, place..end)?;
    let literal = *template.get(place)?;
    Some(Insertion { place, literal, tokens: place..end, span, times, lost })
}

/// The bytes of some of a query's tokens, with the brackets that these open. Sequences have none, so
/// of brackets in front of the first it can only be told that no application puts a value that it
/// compares in brackets of its own.
fn around(query: &Sequence, tokens: Range<usize>) -> Option<Span> {
    let mut span = query.spans.get(tokens.clone())?.iter().copied().reduce(Span::to)?;
    let before = tokens.start.checked_sub(1).and_then(|before| query.spans.get(before));
    let compared = tokens.start.checked_sub(1).and_then(|before| query.tokens.get(before));
    if compared.is_some_and(|&token| compares(token)) {
        let from = before.map_or(0, |before| before.end);
        let opened = query.brackets.iter().find(|(at, _)| (from..span.start).contains(at));
        span.start = opened.map_or(span.start, |(at, _)| *at);
    }
    let next = query.spans.get(tokens.end).map_or(u32::MAX, |next| next.start);
    let mut open = 0_i32;
    for &(at, opens) in query.brackets.iter().filter(|(at, _)| (span.start..next).contains(at)) {
        if at < span.end {
            open += if opens { 1 } else { -1 };
        } else if opens || open <= 0 {
            break;
        } else {
            open -= 1;
            span.end = at + 1;
        }
    }
    Some(span)
}

/// An operator whose right side is a value.
fn compares(token: u16) -> bool {
    use TokenKind::{Equal, Greater, GreaterEqual, Less, LessEqual, Like, NotEqual};
    [Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, Like]
        .iter()
        .any(|&kind| token == kind as u16)
}

/// The same tokens in the place of `times` literals, the first at `place`; the end of the first.
fn repeated(
    template: &[u16],
    tokens: &[u16],
    place: usize,
    times: usize,
) -> Option<(usize, usize, usize)> {
    let more = tokens.len().checked_sub(template.len()).filter(|&more| more > 0)?;
    if more % times != 0 {
        return None;
    }
    let end = place + 1 + more / times;
    let put = tokens.get(place..end)?;
    if !leaves(*template.get(place)?, put, true) {
        return None;
    }
    let mut rest = tokens.get(end..)?;
    let mut left = times - 1;
    for (i, &token) in template.iter().enumerate().skip(place + 1) {
        let again = left > 0 && is_literal(token) && rest.starts_with(put);
        let length = if again { put.len() } else { 1 };
        if !again && rest.first() != template.get(i) {
            return None;
        }
        left -= usize::from(again);
        rest = rest.get(length..)?;
    }
    (left == 0 && rest.is_empty()).then_some((end, times, 0))
}

/// Tokens in the place of a literal up to the query's end, where the template's rest is lost. Behind
/// a comment it is still to be seen: after a string's closing quote it is all that follows, after
/// another literal's place it is the last that does. In a string that is not closed it is not.
fn cut(template: &[u16], query: &Sequence, place: usize) -> Option<(usize, usize, usize)> {
    let put = query.tokens.get(place..)?;
    let rest = template.get(place + 1..)?;
    let literal = *template.get(place)?;
    let hides = if literal == TokenKind::String as u16 {
        query.hidden.iter().skip(1).any(|hidden| hidden == rest)
    } else {
        !rest.is_empty() && query.hidden.first().is_some_and(|hidden| hidden.ends_with(rest))
    };
    let lost = hides || (query.unclosed && put.len() > 1);
    (lost && leaves(literal, put, false)).then_some((query.tokens.len(), 1, rest.len()))
}

/// Whether `put` can be what a literal's place became.
fn leaves(literal: u16, put: &[u16], closed: bool) -> bool {
    use TokenKind::{BadEscape, ControlCharacter, String, UnterminatedString};
    if literal != String as u16 {
        return !put.is_empty();
    }
    let strings = [String, BadEscape, ControlCharacter, UnterminatedString];
    let string = |token: Option<&u16>| {
        token.is_some_and(|&token| strings.iter().any(|&kind| kind as u16 == token))
    };
    string(put.first()) && (!closed || string(put.last()))
}
