//! Alternatives under `OR` of which one makes another idle, and those that only fill a gap.
use super::Walk;
use crate::cosmos_sql::fold::{Constant, call_name};
use crate::cosmos_sql::kind::{Binary, Kind, Unary};
use crate::cosmos_sql::tree::NodeId;
use crate::event::Sign;

/// Alternatives that are compared each with each.
const COMPARED_MAX: usize = 64;

/// What asks of a value only that it is there.
const TYPES: [&[u8]; 5] = [b"IS_STRING", b"IS_NUMBER", b"IS_BOOL", b"IS_PRIMITIVE", b"IS_INTEGER"];

impl Walk<'_, '_> {
    /// `x = k OR x != m`, `x = k OR NOT (x = m)`, `x = k OR IS_STRING(x)`, `x = true OR x = false`,
    /// `x = true OR NOT x`, `x IN (…) OR x NOT IN (…)`: the second leaves the first nothing to say.
    pub(super) fn overlaps(&mut self, children: &[NodeId]) {
        let children = children.get(..children.len().min(COMPARED_MAX)).unwrap_or_default();
        for wide in children {
            if children.iter().any(|narrow| narrow != wide && self.is_swallowed(*narrow, *wide)) {
                self.note(Sign::WideAlternatives, *wide);
            }
        }
    }

    fn is_swallowed(&self, narrow: NodeId, wide: NodeId) -> bool {
        if let (Kind::In { not: false }, Kind::In { not: true }) =
            (self.query.kind(narrow), self.query.kind(wide))
        {
            return self.first_same(narrow, wide);
        }
        let Some((path, value)) = self.equality(narrow) else { return false };
        match self.query.kind(wide) {
            Kind::Binary(Binary::NotEqual) => self.compared_with(wide, path),
            Kind::Binary(Binary::Equal) => {
                let other = self.equality(wide);
                let opposite =
                    matches!(other, Some((_, Constant::Bool(b))) if value == Constant::Bool(!b));
                opposite && self.compared_with(wide, path)
            }
            Kind::Unary(Unary::Not) => self.query.first_child(wide).is_some_and(|inner| {
                let negates = value == Constant::Bool(true) && self.folder.same(inner, path);
                let equality = self.query.kind(inner) == Kind::Binary(Binary::Equal);
                negates || (equality && self.compared_with(inner, path))
            }),
            Kind::Call { udf: false } => {
                let name = call_name(self.query, wide);
                let argument = self.query.children(wide).nth(1);
                TYPES.iter().any(|t| name.eq_ignore_ascii_case(t))
                    && argument.is_some_and(|argument| self.folder.same(argument, path))
            }
            _ => false,
        }
    }

    /// `path = constant`, in either order; a path that is not set is another matter.
    fn equality(&self, node: NodeId) -> Option<(NodeId, Constant<'_>)> {
        if self.query.kind(node) != Kind::Binary(Binary::Equal) {
            return None;
        }
        let mut sides = self.query.children(node);
        let (left, right) = (sides.next()?, sides.next()?);
        let (path, value) = match (self.folder.constant(left), self.folder.constant(right)) {
            (None, Some(value)) => (left, value),
            (Some(value), None) => (right, value),
            _ => return None,
        };
        let plain = matches!(value, Constant::Text(_) | Constant::Number(_) | Constant::Bool(_));
        (plain && self.query.kind(path) == Kind::Path).then_some((path, value))
    }

    /// A comparison of `path` with a constant that is set.
    fn compared_with(&self, node: NodeId, path: NodeId) -> bool {
        let sides: Vec<NodeId> = self.query.children(node).collect();
        let constant = |side: &NodeId| {
            self.folder
                .constant(*side)
                .is_some_and(|c| !matches!(c, Constant::Null | Constant::Undefined))
        };
        sides.iter().any(|side| self.folder.same(*side, path)) && sides.iter().any(constant)
    }

    fn first_same(&self, a: NodeId, b: NodeId) -> bool {
        let (a, b) = (self.query.first_child(a), self.query.first_child(b));
        matches!((a, b), (Some(a), Some(b)) if self.folder.same(a, b))
    }

    /// `… OR '' = 'x'` at the end of alternatives without brackets: it takes up a quote that was left
    /// over. An optional filter has its value beside it.
    pub(super) fn fillers(&mut self, children: &[NodeId]) {
        for child in children {
            if self.query.kind(*child) != Kind::Binary(Binary::Equal) {
                continue;
            }
            let text = |side| match self.folder.constant(side) {
                Some(Constant::Text(text)) => Some(text),
                _ => None,
            };
            let texts: Vec<_> = self.query.children(*child).filter_map(text).collect();
            if texts.len() == 2 && texts[0] != texts[1] && !self.is_optional(*child, children) {
                self.note(Sign::StrayConstant, *child);
            }
        }
    }

    /// Brackets stand around everything that is compared, as the gateway and query providers write
    /// them: they tell nothing of what their writer meant to hold together.
    pub(super) fn is_mechanical(&self, children: &[NodeId]) -> bool {
        children.iter().all(|child| match self.query.kind(*child) {
            Kind::And => {
                let inner: Vec<NodeId> = self.query.children(*child).collect();
                self.bracketed(*child) && self.is_mechanical(&inner)
            }
            Kind::Or | Kind::Binary(_) | Kind::Like { .. } | Kind::Between { .. } => {
                self.bracketed(*child)
            }
            _ => true,
        })
    }

    /// `x IN ('a', x)`
    pub(super) fn own_member(&mut self, node: NodeId) {
        let mut parts = self.query.children(node);
        let Some(tested) = parts.next() else { return };
        let constant = self.folder.constant(tested).is_some();
        if let Some(own) = parts.find(|part| !constant && self.folder.same(tested, *part)) {
            self.note(Sign::StrayConstant, own);
        }
    }
}
