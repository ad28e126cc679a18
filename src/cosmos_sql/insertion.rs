//! What was put into a query at a literal's place: does it change what is asked?
//!
//! Programmers put conditions behind a literal as well. One more condition under `AND` only narrows,
//! an order or a page changes nothing of what is asked, and one more value of the same property
//! under `OR` is what a filter grows by. All else that is put in at a literal's place widens it,
//! asks another thing, or takes away what followed.
use super::signs::Seen;
use super::template::Insertion;
use super::token::{Span, TokenKind};
use crate::event::Sign;

/// The signs that show in what was put in at `put`. Where what is compared with the literal itself
/// matches everything, that is a search left blank, which looks for nothing wherever it looks.
pub fn within(seen: &[Seen], put: Span) -> impl Iterator<Item = &Seen> {
    let inside = move |span: &Span| span.start < put.end && put.start < span.end;
    let blank = seen.iter().any(|(sign, span)| {
        *sign == Sign::MatchesEverything && inside(span) && span.start < put.start
    });
    seen.iter()
        .filter(move |(sign, span)| inside(span) && !(blank && *sign == Sign::MatchesEverything))
}

/// Whether what was put in changes what is asked, told from the tokens of the query and from the signs
/// that show [`within`] it.
pub fn changes_logic(tokens: &[u16], put: &Insertion, within: &[Sign]) -> bool {
    let Some(inserted) = tokens.get(put.tokens.clone()) else { return false };
    let has = |kind: TokenKind| inserted.contains(&(kind as u16));
    // What matches everything narrows nothing under AND, and is all that is asked under OR.
    let alternative = has(TokenKind::Or) && !has(TokenKind::And);
    let builder = is_built(inserted);
    let telling = |sign: &Sign| match sign {
        Sign::Unbalanced => false,
        Sign::MatchesEverything => alternative,
        Sign::ConstantComparison => !builder,
        _ => true,
    };
    if put.lost > 0 || within.iter().any(telling) {
        return true;
    }
    let before = tokens.get(..put.tokens.start).unwrap_or_default();
    if is_of_program(before, inserted, put.literal) || is_property(before, inserted) {
        return false;
    }
    // A subquery that asks another source than the row shows as a sign within.
    if has(TokenKind::Udf) || has(TokenKind::Question) {
        return true;
    }
    let clause = [TokenKind::Order, TokenKind::Offset, TokenKind::Group];
    let end = inserted.iter().position(|t| clause.iter().any(|kind| *kind as u16 == *t));
    let condition = inserted.get(..end.unwrap_or(inserted.len())).unwrap_or_default();
    let mut alternatives = condition.split(|t| *t == TokenKind::Or as u16);
    // The first is what stands behind the literal without an OR: it narrows, or calculates. ORs that
    // belong to what narrows are in brackets, or else LooseOr shows within.
    let narrows = alternatives.next().is_none_or(is_narrowing);
    let several = condition.contains(&(TokenKind::And as u16));
    let logic = several || condition.contains(&(TokenKind::Or as u16));
    if logic && !is_in_filter(before) {
        return true;
    }
    let ordinary = |other: &[u16]| {
        !is_range_of_same(before, other)
            && (is_same_property(before, other) || is_ordinary(other) || is_absence(before, other))
    };
    !narrows || !(several || alternatives.all(ordinary))
}

/// The literal at the place is one that programs write themselves, not input: `c.paid = true`,
/// `c.price * 1.2`, `c.stock ?? 0`. A release changes such an expression as it likes, and asks the row in
/// each alternative that it adds; what attacks put there shows by its signs.
fn is_of_program(before: &[u16], inserted: &[u16], literal: u16) -> bool {
    use TokenKind::{Coalesce, Minus, Null, Percent, Plus, Slash, Star, True, Undefined};
    let is_one_of = |kinds: &[TokenKind], token| kinds.iter().any(|kind| *kind as u16 == token);
    let calculates = &[Coalesce, Minus, Percent, Plus, Slash, Star];
    let own = is_one_of(&[True, Null, Undefined], literal)
        || before.last().is_some_and(|operator| is_one_of(calculates, *operator));
    // That another property is not there holds for every row, if none has it.
    let absent = [TokenKind::Not as u16, super::template::name_of(b"IS_DEFINED")];
    let asks_row = |other: &[u16]| {
        other.iter().any(|token| *token >= super::template::NAME)
            && (!other.starts_with(&absent) || is_absence(before, other))
    };
    own && inserted.split(|token| *token == TokenKind::Or as u16).skip(1).all(asks_row)
}

/// `TOP 10 c.name, …`: one more property, first in the list.
fn is_property(before: &[u16], inserted: &[u16]) -> bool {
    let has = |kind: TokenKind| inserted.contains(&(kind as u16));
    before.last() == Some(&(TokenKind::Top as u16))
        && !has(TokenKind::Select)
        && !has(TokenKind::Udf)
        && !has(TokenKind::Star)
}

/// `'x' AND 1 = 1 AND path = 'y'`: what a builder of filters leaves where it joins two of its own.
/// A probe in a text's place has to open the quote again, and does so with constants.
fn is_built(inserted: &[u16]) -> bool {
    let (and, number) = (TokenKind::And as u16, TokenKind::Number as u16);
    let idle = [number, TokenKind::Equal as u16, number];
    let mut conditions = inserted.split(|token| *token == and);
    let text = conditions.next().is_some_and(|first| first == [TokenKind::String as u16]);
    let (built, own): (Vec<&[u16]>, Vec<&[u16]>) = conditions.partition(|one| *one == idle);
    let compared = |one: &&[u16]| is_ordinary(one) && !one.contains(&(TokenKind::Or as u16));
    text && built.len() == 1 && !own.is_empty() && own.iter().all(compared)
}

/// The literal alone, or with conditions under `AND`.
fn is_narrowing(tokens: &[u16]) -> bool {
    let after = tokens.get(1).copied();
    after.is_none_or(|token| token == TokenKind::And as u16 || token == TokenKind::Comma as u16)
}

/// `path = literal`, `path LIKE literal`, `CONTAINS(path, literal)`: what a search grows by.
fn is_ordinary(alternative: &[u16]) -> bool {
    let odd = [TokenKind::NotEqual, TokenKind::Not, TokenKind::Undefined, TokenKind::Coalesce];
    let begins = |t: &u16| *t >= super::template::NAME || *t == TokenKind::Exists as u16;
    let starts_with_name = alternative.first().is_some_and(begins);
    starts_with_name && !alternative.iter().any(|t| odd.iter().any(|kind| *kind as u16 == *t))
}

/// The last clause before the place is the filter.
fn is_in_filter(before: &[u16]) -> bool {
    let clauses = [TokenKind::Select, TokenKind::Where, TokenKind::Order, TokenKind::Group];
    let last = before.iter().rev().find(|t| clauses.iter().any(|kind| *kind as u16 == **t));
    last == Some(&(TokenKind::Where as u16))
}

/// `NOT IS_DEFINED(path)` for the path that is compared before the place: what is not there counts
/// as unset.
fn is_absence(before: &[u16], alternative: &[u16]) -> bool {
    let [not, function, path @ ..] = alternative else { return false };
    let asks =
        *not == TokenKind::Not as u16 && *function == super::template::name_of(b"IS_DEFINED");
    let compared = before.split_last().map_or(&[][..], |(_, path)| path);
    asks && !path.is_empty() && compared.ends_with(path)
}

/// `path = literal` for the path that stands before the place.
fn is_same_property(before: &[u16], alternative: &[u16]) -> bool {
    let Some((path, _literal)) = alternative.split_last().map(|(last, path)| (path, last)) else {
        return false;
    };
    let compares = path.last() == Some(&(TokenKind::Equal as u16));
    compares && path.len() > 1 && before.ends_with(path)
}

/// `x > …` beside the `x = …` that stands before the place: the range takes the value in.
fn is_range_of_same(before: &[u16], alternative: &[u16]) -> bool {
    let ranges =
        [TokenKind::Less, TokenKind::LessEqual, TokenKind::Greater, TokenKind::GreaterEqual];
    let is_range = |t: &u16| ranges.iter().any(|kind| *kind as u16 == *t);
    let Some(at) = alternative.iter().position(is_range) else { return false };
    let path = alternative.get(..at).unwrap_or_default();
    let Some((&operator, compared)) = before.split_last() else { return false };
    operator == TokenKind::Equal as u16 && !path.is_empty() && compared.ends_with(path)
}
