//! Conditions that say nothing, and constants that no program writes.
use super::Walk;
use crate::cosmos_sql::fold::call_name;
use crate::cosmos_sql::kind::{Binary, Kind, Unary};
use crate::cosmos_sql::token::TokenKind;
use crate::cosmos_sql::tree::NodeId;

/// Longest text that is looked for beside a comparison, bytes: values of optional filters are short.
const BESIDE_MAX: usize = 256;

impl Walk<'_, '_> {
    /// Constants that no program compares: two texts of which none is empty and none stands `beside` it
    /// as well (an optional filter compares its value), a bare number or text, a function of
    /// constants.
    pub(super) fn is_stray(&self, node: NodeId, beside: &[NodeId]) -> bool {
        match self.query.kind(node) {
            Kind::Number | Kind::String | Kind::Null | Kind::Undefined => true,
            Kind::True | Kind::False => false,
            Kind::InQuery { .. } => true,
            Kind::Unary(operator) => self.query.first_child(node).is_some_and(|child| {
                let known = matches!(self.query.kind(child), Kind::True | Kind::False);
                (operator == Unary::Not && known) || self.is_stray(child, beside)
            }),
            Kind::And | Kind::Or => {
                self.query.children(node).any(|child| self.is_stray(child, &[]))
            }
            kind => {
                let texts: Vec<&[u8]> =
                    self.query.children(node).filter_map(|side| self.written(side)).collect();
                let equal = matches!(kind, Kind::Binary(Binary::Equal | Binary::NotEqual));
                let optional = |text: &&[u8]| equal && self.is_beside(node, text, beside);
                let compared = texts.len() >= 2
                    && texts.iter().all(|t| t.len() > 2)
                    && !texts.iter().any(optional);
                compared || self.calls(node)
            }
        }
    }

    /// `('x' = '' OR c.n = 'x')`: a filter that is optional compares its value with the one for all.
    pub(super) fn is_optional(&self, node: NodeId, beside: &[NodeId]) -> bool {
        let equal = matches!(self.query.kind(node), Kind::Binary(Binary::Equal | Binary::NotEqual));
        let number_beside = |side: NodeId| {
            beside.iter().any(|other| {
                *other != node
                    && !matches!(self.query.kind(*other), Kind::And | Kind::Or)
                    && self.query.children(*other).any(|child| self.folder.same(child, side))
            })
        };
        equal
            && self.query.children(node).any(|side| match self.query.kind(side) {
                Kind::String => self.is_beside(node, self.query.slice(side), beside),
                Kind::Number => number_beside(side),
                _ => false,
            })
    }

    /// A text as it is written, `NOT` before it or not.
    fn written(&self, side: NodeId) -> Option<&[u8]> {
        match self.query.kind(side) {
            Kind::String => Some(self.query.slice(side)),
            Kind::Unary(Unary::Not) => self.written(self.query.first_child(side)?),
            _ => None,
        }
    }

    /// Another alternative, itself one condition, has the same text.
    fn is_beside(&self, node: NodeId, text: &[u8], beside: &[NodeId]) -> bool {
        text.len() <= BESIDE_MAX
            && beside.iter().any(|other| {
                *other != node
                    && !matches!(self.query.kind(*other), Kind::And | Kind::Or)
                    && contains(self.query.slice(*other), text)
            })
    }

    /// A function of constants is called in it.
    fn calls(&self, node: NodeId) -> bool {
        let call = matches!(self.query.kind(node), Kind::Call { udf: false })
            && self.query.children(node).count() > 1;
        call || self.query.children(node).any(|child| self.calls(child))
    }

    /// Brackets stand around it, and around all of it: not `(a) AND (b)`.
    pub(super) fn bracketed(&self, node: NodeId) -> bool {
        let span = self.query.node(node).span;
        let tokens = self.query.tokens();
        let first = tokens.partition_point(|token| token.span.start < span.start);
        let opens = |at: usize| tokens.get(at).is_some_and(|t| t.kind == TokenKind::ParenOpen);
        if !first.checked_sub(1).is_some_and(opens) {
            return false;
        }
        let mut depth = 0_i32;
        let inside = tokens.get(first..).unwrap_or_default();
        inside.iter().take_while(|token| token.span.end <= span.end).all(|token| {
            depth += match token.kind {
                TokenKind::ParenOpen => 1,
                TokenKind::ParenClose => -1,
                _ => 0,
            };
            depth >= 0
        })
    }

    /// It says nothing at all: `x = x`, `x IN (x)`, `NOT x != x`, `LENGTH(x) >= 0`.
    pub(super) fn is_idle(&self, node: NodeId) -> bool {
        match self.query.kind(node) {
            Kind::Binary(operator) => {
                let mut sides = self.query.children(node);
                let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return false };
                let compares =
                    matches!(operator, Binary::Equal | Binary::LessEqual | Binary::GreaterEqual);
                let length = matches!(self.query.kind(left), Kind::Call { .. } | Kind::Subquery);
                let same = || self.folder.same(self.folder.core(left), self.folder.core(right));
                compares && (length || same())
            }
            Kind::In { not: false } | Kind::InQuery { not: false } => true,
            Kind::Call { .. } => {
                let mut arguments = self.query.children(node).skip(1);
                matches!((arguments.next(), arguments.next()), (Some(a), Some(b)) if self.folder.same(a, b))
            }
            Kind::Like { .. } => {
                let mut sides = self.query.children(node);
                matches!((sides.next(), sides.next()), (Some(a), Some(b)) if self.folder.same(a, b))
            }
            Kind::Unary(Unary::Not) => {
                self.query.first_child(node).is_some_and(|child| match self.query.kind(child) {
                    Kind::Binary(Binary::NotEqual | Binary::Less | Binary::Greater) => true,
                    _ => self.is_idle(child),
                })
            }
            Kind::And | Kind::Or => self.query.children(node).any(|child| self.is_idle(child)),
            _ => false,
        }
    }

    /// A search with an empty text, as a form that is left blank makes it.
    pub(super) fn is_search(&self, node: NodeId) -> bool {
        matches!(self.query.kind(node), Kind::Call { .. } | Kind::Like { .. })
            && !call_name(self.query, node).eq_ignore_ascii_case(b"IS_DEFINED")
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
