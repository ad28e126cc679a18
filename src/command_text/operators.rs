//! Whether a Mongo command is a known one with conditions where that has values: what happens to a
//! program that puts a caller's JSON into its filter without looking at its type.
use std::ops::Range;

use super::{OPERATOR, SCALAR};

pub(super) const OPEN: u16 = 1;
pub(super) const CLOSE: u16 = 2;
pub(super) const LIST_OPEN: u16 = 3;
pub(super) const LIST_CLOSE: u16 = 4;

/// Operators that stand in the place of a value, ascending. Stored models know them by their place
/// in this list: new ones go to its end.
const OPERATORS: [&str; 18] = [
    "$all",
    "$elemMatch",
    "$eq",
    "$exists",
    "$gt",
    "$gte",
    "$in",
    "$lt",
    "$lte",
    "$mod",
    "$ne",
    "$nin",
    "$not",
    "$options",
    "$regex",
    "$size",
    "$type",
    "$where",
];
/// Those that say no more than a value does, or that a search grows by: a choice of values, and
/// what only goes with another one.
const HARMLESS: [&str; 4] = ["$all", "$eq", "$in", "$options"];

/// The token of an operator.
pub(super) fn token(name: &str) -> Option<u16> {
    OPERATORS.iter().position(|o| *o == name).map(|at| OPERATOR + at as u16)
}

fn operator(token: u16) -> Option<&'static str> {
    OPERATORS.get(usize::from(token.checked_sub(OPERATOR)?)).copied()
}

fn is_scalar(token: u16) -> bool {
    (SCALAR..OPERATOR).contains(&token)
}

/// Where `command` has a condition that widens and `known` a value, if they are equal otherwise: the
/// tokens of these conditions. Choices of values and closed ranges may differ as well, without
/// counting: searches grow by them. Linear.
pub fn for_values(known: &[u16], command: &[u16]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for &token in known {
        let Some(&next) = command.get(at) else { return Vec::new() };
        if next == token || (is_scalar(next) && is_scalar(token)) {
            at += 1;
            continue;
        }
        let condition = (is_scalar(token) && next == OPEN).then(|| condition(command, at));
        let Some((end, widens)) = condition.flatten() else { return Vec::new() };
        if widens {
            found.push(at..end);
        }
        at = end;
    }
    if at == command.len() { found } else { Vec::new() }
}

/// `known` has the same operator under the same name as `command` at `condition`: it is usual there.
pub fn is_usual(known: &[u16], command: &[u16], condition: &Range<usize>) -> bool {
    let begin = condition.start.saturating_sub(1);
    let asked = command.get(begin..begin + 3);
    asked.is_some_and(|asked| known.windows(3).any(|known| known == asked))
}

/// The end of an object that holds nothing but operators, and whether it is one that lets more
/// through than a value.
fn condition(command: &[u16], open: usize) -> Option<(usize, bool)> {
    let mut depth = 0_usize;
    let mut telling = 0;
    let mut any = false;
    for (at, &token) in command.iter().enumerate().skip(open) {
        match token {
            OPEN | LIST_OPEN => depth += 1,
            CLOSE | LIST_CLOSE => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return any.then_some((at + 1, telling == 1));
                }
            }
            token if depth == 1 && !is_scalar(token) => {
                let name = operator(token)?;
                any = true;
                telling += usize::from(!HARMLESS.contains(&name));
            }
            _ => {}
        }
    }
    None
}
