//! Whether a query asks for whole rows where a known one, the same otherwise, asks for some of their
//! properties.
use std::ops::Range;

use super::tokens::{NAME, name_of};
use crate::cosmos_sql::token::TokenKind;

/// What gives one number for many rows: to ask for the rows besides is another question.
const AGGREGATES: [&[u8]; 5] = [b"COUNT", b"SUM", b"AVG", b"MIN", b"MAX"];

/// The tokens of `query` that ask for whole rows, if `template` has other ones there and is the same
/// from `FROM` on.
pub fn widened(template: &[u16], query: &[u16]) -> Option<Range<usize>> {
    let asked = whole_row(query)?;
    let rest = query.get(asked.end..)?;
    let from = template.len().checked_sub(rest.len())?;
    let before = template.get(..from)?;
    let aggregate = before.iter().any(|t| AGGREGATES.iter().any(|name| *t == name_of(name)));
    let same = template.get(from..) == Some(rest);
    (same && !before.is_empty() && !aggregate && whole_row(template).is_none()).then_some(asked)
}

/// What stands between `SELECT` and `FROM` where that is `*`, or the source's name alone.
fn whole_row(tokens: &[u16]) -> Option<Range<usize>> {
    let is = |at: usize, kind: TokenKind| tokens.get(at) == Some(&(kind as u16));
    if !is(0, TokenKind::Select) {
        return None;
    }
    let mut start = 1;
    start += usize::from(is(start, TokenKind::Distinct));
    start += if is(start, TokenKind::Top) { 2 } else { 0 };
    let at = start + usize::from(is(start, TokenKind::Value));
    let end = at + 1;
    if !is(end, TokenKind::From) {
        return None;
    }
    // `FROM c`, `FROM root c`
    let source = tokens.get(end + 1)?;
    let alias = tokens.get(end + 2).filter(|t| **t >= NAME).unwrap_or(source);
    let row = tokens.get(at).is_some_and(|token| *token >= NAME && token == alias);
    (row || is(at, TokenKind::Star)).then_some(start..end)
}
