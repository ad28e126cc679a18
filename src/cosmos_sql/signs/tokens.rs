//! Signs of a text that is no query, and of comments: from tokens alone.
use super::super::token::{Span, Token, TokenKind};
use super::{SEEN_MAX, Seen, closes, dialect};
use crate::event::Sign;

/// The signs of a text that was refused.
pub(in crate::cosmos_sql) fn of_refused(
    text: &[u8],
    tokens: &[Token],
    comments: &[Span],
) -> Vec<Seen> {
    let mut out = Vec::new();
    let mut note = |sign: Sign, span: Span| {
        if out.len() < SEEN_MAX && !out.contains(&(sign, span)) {
            out.push((sign, span));
        }
    };
    for (at, token) in tokens.iter().enumerate() {
        let next = |n: usize| tokens.get(at + n).copied();
        match token.kind {
            TokenKind::BlockComment | TokenKind::Semicolon => note(Sign::PayloadSyntax, token.span),
            TokenKind::Select if at > 0 && !opens_subquery(tokens, at) => {
                note(Sign::PayloadSyntax, token.span);
            }
            TokenKind::Or => {
                if let (Some(a), Some(op), Some(b)) = (next(1), next(2), next(3))
                    && op.kind == TokenKind::Equal
                    && a.kind.is_literal()
                    && b.kind.is_literal()
                    && same_value(a.span.of(text), b.span.of(text))
                {
                    note(Sign::AlwaysTrueUnderOr, a.span.to(b.span));
                } else if let Some(a) = next(1)
                    && a.kind == TokenKind::True
                {
                    note(Sign::AlwaysTrueUnderOr, a.span);
                }
            }
            TokenKind::Identifier => {
                let word = token.span.of(text);
                if dialect::is_payload_word(word) {
                    note(Sign::PayloadSyntax, token.span);
                } else if dialect::is_foreign_name(word)
                    || (next(1).is_some_and(|t| t.kind == TokenKind::ParenOpen)
                        && dialect::is_foreign_function(word))
                {
                    note(Sign::ForeignDialect, token.span);
                }
            }
            _ => {}
        }
    }
    if let Some(span) = unbalanced(tokens) {
        note(Sign::Unbalanced, span);
    }
    if let Some(comment) = comments.last()
        && cuts_off(comment.of(text), CommentPlace { last: true, behind_code: true, lines: false })
    {
        note(Sign::CommentCutsOff, *comment);
    }
    out
}

fn opens_subquery(tokens: &[Token], at: usize) -> bool {
    use TokenKind::ParenOpen;
    at.checked_sub(1).and_then(|at| tokens.get(at)).is_some_and(|t| t.kind == ParenOpen)
}

/// `1` and `1`, `'a'` and `"a"`.
fn same_value(a: &[u8], b: &[u8]) -> bool {
    let inside = |text: &[u8]| match text.first() {
        Some(b'\'' | b'"') => text.get(1..text.len().max(2) - 1).unwrap_or_default().to_vec(),
        _ => text.to_vec(),
    };
    inside(a) == inside(b)
}

/// The first quote or bracket that has no other half.
fn unbalanced(tokens: &[Token]) -> Option<Span> {
    let mut open: Vec<(TokenKind, Span)> = Vec::new();
    for token in tokens {
        if token.kind == TokenKind::UnterminatedString {
            return Some(token.span);
        }
        if let Some(close) = closes(token.kind) {
            open.push((close, token.span));
        } else if matches!(
            token.kind,
            TokenKind::ParenClose | TokenKind::BracketClose | TokenKind::BraceClose
        ) {
            match open.pop() {
                Some((close, _)) if close == token.kind => {}
                _ => return Some(token.span),
            }
        }
    }
    open.last().map(|(_, span)| *span)
}

/// Where a comment stands.
#[derive(Clone, Copy)]
pub(super) struct CommentPlace {
    /// Nothing follows.
    pub(super) last: bool,
    /// Its line has code.
    pub(super) behind_code: bool,
    /// The text has several lines: it was written by a hand that may leave notes in it.
    pub(super) lines: bool,
}

/// What a comment holds was a part of the query: it has a quote or closes a bracket, it is code, or it
/// is empty behind code and nothing follows. Notes of programmers are words.
pub(super) fn cuts_off(comment: &[u8], place: CommentPlace) -> bool {
    let said = comment.get(2..).unwrap_or_default().trim_ascii();
    let said = match said.iter().position(|b| !matches!(b, b'-' | b'+' | b' ')) {
        Some(at) => said.get(at..).unwrap_or_default(),
        // What stands on the next line is not cut off.
        None => return place.behind_code && place.last,
    };
    let quotes = |quote: u8| said.iter().filter(|b| **b == quote).count() % 2 == 1;
    let begins = |with: &[u8]| said.first().is_some_and(|b| with.contains(b));
    // In a note, "1) first" and 'a word' stand; what is left of a query begins with what ends its value.
    let note = place.lines && !is_condition(said);
    let quoted = begins(b"'\"") && !(note && is_quoted_word(said));
    let closed = closes_more(said) && (!note || begins(b")'\""));
    if quotes(b'"') || closed || quoted || begins(b"%") {
        return true;
    }
    // An apostrophe in a note of a programmer stands between letters.
    let apostrophe = said.iter().position(|b| *b == b'\'').is_some_and(|at| {
        let letter =
            |i: Option<usize>| i.and_then(|i| said.get(i)).is_some_and(u8::is_ascii_alphabetic);
        !(letter(at.checked_sub(1)) && letter(Some(at + 1)))
    });
    if quotes(b'\'') && apostrophe {
        return true;
    }
    let code = if place.lines { is_condition(said) } else { is_code(said) };
    place.last && place.behind_code && (code || said.len() <= 1)
}

/// A bracket is closed that it does not open.
fn closes_more(said: &[u8]) -> bool {
    let mut depth = 0_i32;
    said.iter().any(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        depth < 0
    })
}

/// `'open' ones only`: the first quote is closed around something, and no code follows.
fn is_quoted_word(said: &[u8]) -> bool {
    let Some((quote, rest)) = said.split_first() else { return false };
    let Some(end) = rest.iter().position(|b| b == quote) else { return false };
    end > 0 && !is_code(rest.get(end + 1..).unwrap_or_default().trim_ascii())
}

/// The words that go on behind a value.
const CLAUSES: [&[u8]; 6] = [b"AND", b"OR", b"ORDER", b"OFFSET", b"LIMIT", b"GROUP"];

fn is_among(list: &[&[u8]], word: &[u8]) -> bool {
    list.iter().any(|other| word.eq_ignore_ascii_case(other))
}

fn words(said: &[u8]) -> impl Iterator<Item = &[u8]> {
    said.split(|b| !b.is_ascii_alphabetic()).filter(|w| !w.is_empty())
}

fn compares(said: &[u8]) -> bool {
    said.iter().any(|b| matches!(b, b'=' | b'<' | b'>'))
}

/// It begins with a clause.
fn is_clause(said: &[u8]) -> bool {
    said.first().is_some_and(u8::is_ascii_alphabetic)
        && words(said).next().is_some_and(|word| is_among(&CLAUSES, word))
}

/// It begins with a clause, or has a word of conditions and a comparison.
fn is_code(said: &[u8]) -> bool {
    is_clause(said)
        || (compares(said) && words(said).any(|w| is_among(&[b"AND", b"OR", b"LIKE"], w)))
}

/// It begins with a clause and compares, or asks of a property: not "and the rest".
fn is_condition(said: &[u8]) -> bool {
    let property = || {
        said.windows(3).any(
            |w| matches!(w, [a, b'.', b] if a.is_ascii_alphanumeric() && b.is_ascii_alphabetic()),
        )
    };
    is_clause(said) && (compares(said) || property())
}
