//! Filters that are optional, written by applications that put values into the text:
//! `(null = null OR c.n = @n)`, `(LENGTH('') = 0 OR CONTAINS(c.n, ''))`, `(true OR c.n = 'x')`. A value
//! is asked whether it is one, first of all and in brackets with the condition that it switches off.
//!
//! What is put in at a literal's place stands behind what is compared with that literal, and so never
//! first in brackets that hold a whole condition, unless it has opened them itself: under `OR` they
//! are taken for that.
use super::{Place, Walk};
use crate::cosmos_sql::fold::{Constant, Truth, call_name};
use crate::cosmos_sql::kind::{Binary, Kind, Unary};
use crate::cosmos_sql::tree::NodeId;

/// Most alternatives of a group that is one optional filter.
pub(super) const OPTIONAL_MAX: usize = 8;

/// What applications have for "any".
const ALL: [&[u8]; 9] = [b"", b"*", b"%", b"-", b"all", b"any", b"none", b"null", b"undefined"];

/// What the first alternative of an optional filter asks.
enum Tested {
    /// `true`, `false`: it was answered before the text was written.
    Answered,
    /// Whether this value is one.
    Value(NodeId),
}

impl Walk<'_, '_> {
    /// How many of the first alternatives only ask whether there is a value to compare with; none
    /// where these are not an optional filter.
    pub(super) fn tests(&self, node: NodeId, children: &[NodeId], place: Place) -> usize {
        if place == Place::Alternative || children.len() > OPTIONAL_MAX || !self.bracketed(node) {
            return 0;
        }
        let asks = |child: &&NodeId| self.is_test(**child, children) || self.is_off(**child);
        let tests = children.iter().take_while(asks).count();
        if tests < children.len() { tests } else { 0 }
    }

    /// `0 = 1`, `'a' = 'b'`: a switch that is off lets nothing through.
    fn is_off(&self, node: NodeId) -> bool {
        matches!(self.query.kind(node), Kind::Binary(_))
            && self.folder.constant(node).is_some()
            && self.folder.truth(node) == Truth::Never
    }

    /// `AND (c.a = 'x' OR 1 = 0)`: a release's switch that is off, behind what it would let through. It
    /// says nothing, and who puts in a condition that others follow gains nothing by it. Two texts
    /// that no program compares stay evidence.
    pub(super) fn is_switch_off(&self, node: NodeId, group: &[NodeId]) -> bool {
        self.is_off(node)
            && !self.is_stray(node, group)
            && group.iter().any(|other| *other != node && self.is_filter(*other))
    }

    /// Filters that are all left out: `('' = '' OR c.n = '') AND (null = null OR c.k = null)`.
    pub(super) fn is_left_open(&self, node: NodeId, place: Place) -> bool {
        let children: Vec<NodeId> = self.query.children(node).collect();
        match self.query.kind(node) {
            Kind::Or => self.tests(node, &children, place) > 0,
            Kind::And => children.iter().all(|child| {
                self.query.kind(*child) == Kind::True || self.is_left_open(*child, Place::Conjunct)
            }),
            _ => false,
        }
    }

    /// It asks whether a value is one that stands in another alternative as well.
    pub(super) fn is_test(&self, node: NodeId, group: &[NodeId]) -> bool {
        let mut filters = group.iter().filter(|other| **other != node && self.is_filter(**other));
        match self.tested(node) {
            Some(Tested::Answered) => filters.next().is_some(),
            Some(Tested::Value(value)) => filters.any(|filter| self.belongs(value, *filter)),
            None => false,
        }
    }

    /// A condition on the row that is one, with the row on its left.
    fn is_filter(&self, node: NodeId) -> bool {
        let left = match self.query.kind(node) {
            Kind::Binary(_) | Kind::Like { .. } | Kind::In { .. } | Kind::Between { .. } => {
                self.query.first_child(node)
            }
            Kind::Call { .. } => Some(node),
            _ => None,
        };
        left.is_some_and(|left| self.folder.constant(left).is_none())
            && self.folder.truth(node) < Truth::Always
    }

    /// The condition has this value, `%` around it or not, an element of it, or a parameter; of none,
    /// any that is none.
    fn belongs(&self, value: NodeId, filter: NodeId) -> bool {
        let none = self.is_none(value);
        let text = self.folder.constant(value);
        self.any_below(filter, &|part| {
            let element = self.query.kind(value) == Kind::Array
                && self.query.children(value).any(|element| self.folder.same(part, element));
            if self.query.kind(part) == Kind::Parameter || self.folder.same(part, value) || element
            {
                return true;
            }
            match (&text, self.folder.constant(part)) {
                _ if none => self.is_none(part),
                (Some(Constant::Text(text)), Some(Constant::Text(part))) => {
                    part.trim_ascii() == &**text || without_wildcards(&part) == &**text
                }
                _ => false,
            }
        })
    }

    fn any_below(&self, node: NodeId, holds: &dyn Fn(NodeId) -> bool) -> bool {
        holds(node) || self.query.children(node).any(|child| self.any_below(child, holds))
    }

    /// The value that is tested for being none, if that is what `node` does.
    fn tested(&self, node: NodeId) -> Option<Tested> {
        match self.query.kind(node) {
            Kind::True | Kind::False => Some(Tested::Answered),
            Kind::Unary(Unary::Not) => match self.tested(self.query.first_child(node)?)? {
                Tested::Answered => None,
                value => Some(value),
            },
            Kind::Call { .. } => self.argument_of(node, &[b"IS_NULL", b"IS_DEFINED"]),
            Kind::Binary(operator) => {
                let mut sides = self.query.children(node);
                let (left, right) = (self.affirmed(sides.next()?), sides.next()?);
                match operator {
                    Binary::Equal | Binary::NotEqual => self
                        .counted(left, right)
                        .or_else(|| self.said(left, right))
                        .or_else(|| self.compared_with_none(left, right)),
                    // `0 <= 0`, `-1 < 0`: no limit was given.
                    Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
                        self.counted(left, right).or_else(|| self.number_for_all(left, right))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `NOT x = k` is `(NOT x) = k`.
    fn affirmed(&self, side: NodeId) -> NodeId {
        match self.query.kind(side) {
            Kind::Unary(Unary::Not) => self.query.first_child(side).unwrap_or(side),
            _ => side,
        }
    }

    /// `LENGTH('') = 0`, `ARRAY_LENGTH([]) < 1`
    fn counted(&self, left: NodeId, right: NodeId) -> Option<Tested> {
        let few = matches!(self.folder.constant(right), Some(Constant::Number(n)) if n == 0.0 || n == 1.0);
        if few { self.argument_of(left, &[b"LENGTH", b"ARRAY_LENGTH"]) } else { None }
    }

    /// `IS_NULL(null) = true`
    fn said(&self, left: NodeId, right: NodeId) -> Option<Tested> {
        let known = matches!(self.query.kind(right), Kind::True | Kind::False);
        if known { self.argument_of(left, &[b"IS_NULL", b"IS_DEFINED"]) } else { None }
    }

    /// `'' = ''`, `'x' = 'all'`, `null = 5`
    fn compared_with_none(&self, left: NodeId, right: NodeId) -> Option<Tested> {
        let (value, none) = if self.stands_for_all(right) { (left, right) } else { (right, left) };
        (self.stands_for_all(none) && self.is_value(value)).then_some(Tested::Value(value))
    }

    /// `0 <= 0`, `25 < 0`, of numbers only: texts are not ordered by who asks whether there is one.
    fn number_for_all(&self, left: NodeId, right: NodeId) -> Option<Tested> {
        let number = |side| matches!(self.folder.constant(side), Some(Constant::Number(_)));
        if number(left) && number(right) { self.compared_with_none(left, right) } else { None }
    }

    /// The one argument of one of `functions`, if it is a value in the text.
    fn argument_of(&self, call: NodeId, functions: &[&[u8]]) -> Option<Tested> {
        if self.query.kind(call) != (Kind::Call { udf: false }) {
            return None;
        }
        let name = call_name(self.query, call);
        let mut arguments = self.query.children(call).skip(1);
        let (value, more) = (arguments.next()?, arguments.next());
        let asks = functions.iter().any(|function| name.eq_ignore_ascii_case(function));
        (asks && more.is_none() && self.is_value(value)).then_some(Tested::Value(value))
    }

    fn is_value(&self, node: NodeId) -> bool {
        let kind = self.query.kind(node);
        (kind.is_literal() || matches!(kind, Kind::Array | Kind::Unary(Unary::Minus)))
            && self.folder.constant(node).is_some()
    }

    /// No value: `null`, `''`, `'%%'`, `[]`, `0`.
    fn is_none(&self, node: NodeId) -> bool {
        match self.folder.constant(node) {
            Some(Constant::Null | Constant::Undefined) => true,
            Some(Constant::Text(text)) => text.iter().all(|b| *b == b'%'),
            Some(Constant::Number(n)) => n == 0.0,
            Some(Constant::Something) => {
                self.query.kind(node) == Kind::Array && self.query.first_child(node).is_none()
            }
            _ => false,
        }
    }

    /// What an application has for "any", or none.
    fn stands_for_all(&self, node: NodeId) -> bool {
        match self.folder.constant(node) {
            Some(Constant::Text(text)) => ALL.iter().any(|all| text.eq_ignore_ascii_case(all)),
            Some(Constant::Number(n)) => n == 0.0 || n == -1.0,
            _ => self.is_none(node),
        }
    }

    /// `(c.x = '' OR '' = '')`, `('*' = '*' OR c.x = '*')`: a filter that is optional and left out, its
    /// value the one that stands for all, wherever it stands in its brackets.
    pub(super) fn is_left_out(&self, node: NodeId, group: &[NodeId]) -> bool {
        if self.query.kind(node) != Kind::Binary(Binary::Equal) || group.len() > OPTIONAL_MAX {
            return false;
        }
        let mut sides = self.query.children(node);
        let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return false };
        let value = |side| {
            matches!(self.folder.constant(side), Some(Constant::Text(_) | Constant::Number(_)))
        };
        let empty =
            |side| matches!(self.folder.constant(side), Some(Constant::Text(t)) if t.is_empty());
        if empty(left) && empty(right) {
            return true;
        }
        let beside = |other: &&NodeId| {
            **other != node
                && !matches!(self.query.kind(**other), Kind::And | Kind::Or)
                && self.query.children(**other).any(|side| self.folder.same(side, left))
        };
        value(left)
            && self.stands_for_all(left)
            && self.folder.same(left, right)
            && group.iter().find(beside).is_some()
    }
}

/// The text of a pattern that looks for it anywhere.
fn without_wildcards(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"%").unwrap_or(text);
    text.strip_suffix(b"%").unwrap_or(text)
}
