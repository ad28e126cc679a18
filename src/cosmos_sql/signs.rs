//! What is odd about a query by itself, by meaning and with the bytes that show it. What each sign is
//! worth is said elsewhere: this room only sees.
use super::fold::{Constant, Folder, Truth, call_name, mirrored};
use super::kind::{Binary, Kind, Quantifier, Unary};
use super::token::{Span, TokenKind};
use super::tree::{NodeId, Query};
use crate::event::Sign;

mod dialect;
mod tokens;

pub(super) use tokens::of_refused;

/// A sign and where it shows.
pub type Seen = (Sign, Span);

/// Most signs looked for in one query.
const SEEN_MAX: usize = 64;

/// The signs of a query that parses, in the order of the walk.
pub(super) fn of_query(query: &Query<'_>) -> Vec<Seen> {
    let mut walk = Walk { query, folder: Folder { query }, out: Vec::new() };
    walk.query(query.root());
    walk.comments();
    walk.out
}

struct Walk<'w, 'q> {
    query: &'w Query<'q>,
    folder: Folder<'w, 'q>,
    out: Vec<Seen>,
}

/// Where a condition stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is the whole filter.
    Filter,
    /// Below `AND` alone.
    Conjunct,
    /// Below `OR` somewhere, or `NOT`.
    Alternative,
}

impl Walk<'_, '_> {
    fn note(&mut self, sign: Sign, node: NodeId) {
        self.note_span(sign, self.query.node(node).span);
    }

    fn note_span(&mut self, sign: Sign, span: Span) {
        if self.out.len() < SEEN_MAX {
            self.out.push((sign, span));
        }
    }

    fn query(&mut self, node: NodeId) {
        for clause in self.query.children(node) {
            match self.query.kind(clause) {
                Kind::Where => {
                    if let Some(condition) = self.query.first_child(clause) {
                        self.condition(condition, Place::Filter, &[]);
                    }
                }
                _ => self.anywhere(clause),
            }
        }
    }

    /// `AND` or `OR` as an argument, an element, a bound, an order: a value's place.
    fn logic_in_values(&mut self, node: NodeId) {
        let kind = self.query.kind(node);
        let values = match kind {
            // The one function that takes a condition.
            Kind::Call { udf: false } => !call_name(self.query, node).eq_ignore_ascii_case(b"IIF"),
            Kind::Call { udf: true } | Kind::Array | Kind::In { .. } | Kind::Between { .. } => true,
            Kind::Like { .. } | Kind::Order(_) | Kind::GroupBy | Kind::OffsetLimit => true,
            _ => false,
        };
        if !values {
            return;
        }
        for child in self.query.children(node) {
            if matches!(self.query.kind(child), Kind::And | Kind::Or) {
                self.note(Sign::LogicInValue, child);
            }
        }
    }

    /// What is odd wherever it stands: outside of conditions as well.
    fn anywhere(&mut self, node: NodeId) {
        self.logic_in_values(node);
        match self.query.kind(node) {
            Kind::Query => return self.query(node),
            Kind::Call { udf: false } => self.dialect(node),
            Kind::Name => self.foreign_name(node),
            _ => {}
        }
        for child in self.query.children(node) {
            self.anywhere(child);
        }
    }

    fn condition(&mut self, node: NodeId, place: Place, siblings: &[NodeId]) {
        if place == Place::Filter && self.folder.truth(node) == Truth::Always {
            self.note(Sign::AlwaysTrueFilter, node);
        }
        match self.query.kind(node) {
            Kind::Or => return self.alternatives(node),
            Kind::And => {
                let below = if place == Place::Filter { Place::Conjunct } else { place };
                for child in self.query.children(node) {
                    self.condition(child, below, siblings);
                }
                return;
            }
            Kind::Unary(Unary::Not) => {
                if self.folder.constant(node).is_none()
                    && let Some(child) = self.query.first_child(node)
                {
                    return self.condition(child, Place::Alternative, siblings);
                }
            }
            _ => {}
        }
        self.predicate(node, siblings);
    }

    /// `OR`: one that always holds makes the others idle.
    fn alternatives(&mut self, node: NodeId) {
        let children: Vec<NodeId> = self.query.children(node).collect();
        let mut idle = false;
        for child in &children {
            match self.folder.truth(*child) {
                // `(c.x = '' OR '' = '')` is an optional filter that is left out.
                Truth::Always if self.bracketed(node) && self.compares_nothing(*child) => {
                    self.note(Sign::ConstantComparison, *child);
                }
                Truth::Always => {
                    idle = true;
                    self.note(Sign::AlwaysTrueUnderOr, *child);
                }
                // A thing compared with itself is written by nobody who means something.
                Truth::Nearly if self.is_idle(*child) => {
                    idle = true;
                    self.note(Sign::AlwaysTrueUnderOr, *child);
                }
                Truth::Nearly if !self.is_search(*child) => {
                    self.note(Sign::WideAlternatives, *child);
                }
                Truth::Constant => self.note(Sign::ConstantComparison, *child),
                Truth::Never | Truth::Depends | Truth::Nearly => {}
            }
        }
        if !idle && self.complements(&children) {
            self.note(Sign::WideAlternatives, node);
        }
        if children
            .iter()
            .any(|child| self.query.kind(*child) == Kind::And && !self.bracketed(*child))
        {
            self.note(Sign::LooseOr, node);
        }
        for child in &children {
            self.condition(*child, Place::Alternative, &children);
        }
    }

    /// Two empty texts are compared.
    fn compares_nothing(&self, node: NodeId) -> bool {
        let empty =
            |side| matches!(self.folder.constant(side), Some(Constant::Text(t)) if t.is_empty());
        self.query.kind(node) == Kind::Binary(Binary::Equal) && self.query.children(node).all(empty)
    }

    /// Constants that no program compares: two texts of which none is empty and none stands beside
    /// it as well (an optional filter compares its value), a bare number or text, a function of
    /// constants.
    fn is_stray(&self, node: NodeId, siblings: &[NodeId]) -> bool {
        match self.query.kind(node) {
            Kind::Number | Kind::String | Kind::Null | Kind::Undefined => true,
            Kind::True | Kind::False => false,
            Kind::InQuery { .. } => true,
            Kind::Unary(_) => {
                self.query.first_child(node).is_some_and(|child| self.is_stray(child, siblings))
            }
            Kind::And | Kind::Or => {
                self.query.children(node).any(|child| self.is_stray(child, siblings))
            }
            _ => {
                let texts: Vec<&[u8]> = self
                    .query
                    .children(node)
                    .filter(|side| self.query.kind(*side) == Kind::String)
                    .map(|side| self.query.slice(side))
                    .collect();
                let beside = |text: &&[u8]| {
                    siblings
                        .iter()
                        .any(|other| *other != node && contains(self.query.slice(*other), text))
                };
                let compared = texts.len() == 2
                    && texts.iter().all(|t| t.len() > 2)
                    && !texts.iter().any(beside);
                compared || self.calls(node)
            }
        }
    }

    /// A function of constants is called in it.
    fn calls(&self, node: NodeId) -> bool {
        let call = matches!(self.query.kind(node), Kind::Call { udf: false })
            && self.query.children(node).count() > 1;
        call || self.query.children(node).any(|child| self.calls(child))
    }

    /// Brackets stand around it.
    fn bracketed(&self, node: NodeId) -> bool {
        let start = self.query.node(node).span.start as usize;
        let before = self.query.text().get(..start).unwrap_or_default();
        before.trim_ascii_end().last() == Some(&b'(')
    }

    /// It says nothing at all: `x = x`, `x IN (x)`, `NOT x != x`, `LENGTH(x) >= 0`.
    fn is_idle(&self, node: NodeId) -> bool {
        match self.query.kind(node) {
            Kind::Binary(operator) => {
                let mut sides = self.query.children(node);
                let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return false };
                let compares =
                    matches!(operator, Binary::Equal | Binary::LessEqual | Binary::GreaterEqual);
                let length = matches!(self.query.kind(left), Kind::Call { .. });
                compares && (self.folder.same(left, right) || length)
            }
            Kind::In { not: false } => true,
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
    fn is_search(&self, node: NodeId) -> bool {
        matches!(self.query.kind(node), Kind::Call { .. } | Kind::Like { .. })
            && !call_name(self.query, node).eq_ignore_ascii_case(b"IS_DEFINED")
    }

    /// Two alternatives that leave nothing between them: `x < k OR x >= k`, `x = k OR x != k`,
    /// `a OR NOT a`.
    fn complements(&self, children: &[NodeId]) -> bool {
        let compared = |node: NodeId| -> Option<(NodeId, Binary, NodeId)> {
            let Kind::Binary(operator) = self.query.kind(node) else { return None };
            let mut sides = self.query.children(node);
            let (left, right) = (sides.next()?, sides.next()?);
            if self.folder.constant(left).is_some() {
                return Some((right, mirrored(operator), left));
            }
            Some((left, operator, right))
        };
        let parameter = |node: NodeId| self.query.kind(node) == Kind::Parameter;
        let pair = |a: NodeId, b: NodeId| {
            if self.query.kind(b) == Kind::Unary(Unary::Not) {
                return self.query.first_child(b).is_some_and(|inner| self.folder.same(a, inner));
            }
            let (Some((pa, oa, ka)), Some((pb, ob, kb))) = (compared(a), compared(b)) else {
                return false;
            };
            if !self.folder.same(pa, pb) || parameter(ka) || parameter(kb) {
                return false;
            }
            leaves_nothing((oa, self.folder.constant(ka)), (ob, self.folder.constant(kb)))
        };
        children
            .iter()
            .enumerate()
            .any(|(i, a)| children.iter().enumerate().any(|(j, b)| i != j && pair(*a, *b)))
    }

    /// One condition without `AND`, `OR` and `NOT` around it.
    fn predicate(&mut self, node: NodeId, siblings: &[NodeId]) {
        let kind = self.query.kind(node);
        let constant = self.folder.constant(node).is_some();
        // A builder of filters begins with `true`; anything else that needs no row was put there.
        if constant && kind != Kind::True {
            self.note(Sign::ConstantComparison, node);
        }
        let asked = matches!(kind, Kind::InQuery { .. })
            && self.query.first_child(node).is_some_and(|t| self.folder.constant(t).is_some());
        if (constant || asked) && self.is_stray(node, siblings) {
            self.note(Sign::StrayConstant, node);
        }
        if !constant && self.folder.truth(node) == Truth::Nearly {
            let sign = match kind {
                _ if self.is_idle(node) => Some(Sign::ConstantComparison),
                Kind::Like { .. } | Kind::Between { .. } => Some(Sign::MatchesEverything),
                Kind::Call { .. } if self.is_search(node) => Some(Sign::MatchesEverything),
                Kind::Binary(
                    Binary::GreaterEqual | Binary::Greater | Binary::Less | Binary::LessEqual,
                ) => Some(Sign::MatchesEverything),
                _ => None,
            };
            if let Some(sign) = sign {
                self.note(sign, node);
            }
        }
        self.inside(node);
    }

    /// Parts of a predicate.
    fn inside(&mut self, node: NodeId) {
        self.logic_in_values(node);
        match self.query.kind(node) {
            Kind::Query => return self.query(node),
            Kind::Call { udf: true } => self.note(Sign::FunctionCallInCondition, node),
            Kind::Call { udf: false } => self.dialect(node),
            Kind::Name => self.foreign_name(node),
            Kind::InQuery { .. } => self.note(Sign::SubqueryInCondition, node),
            Kind::Subquery | Kind::Quantified(_) => self.subquery(node),
            Kind::Conditional => self.branches(node),
            Kind::Binary(operator) => self.operation(node, operator),
            _ => {}
        }
        for child in self.query.children(node) {
            self.inside(child);
        }
    }

    /// A subquery that asks its own source, not a property of the row.
    fn subquery(&mut self, node: NodeId) {
        let query = self.query.first_child(node);
        let from = query.and_then(|q| self.query.clause(q, |kind| kind == Kind::From));
        let own = from.is_some_and(|from| {
            self.query.children(from).any(|source| self.query.kind(source) == Kind::Source)
        });
        let exists = self.query.kind(node) == Kind::Quantified(Quantifier::Exists);
        if own || (from.is_none() && exists) {
            self.note(Sign::SubqueryInCondition, node);
        }
    }

    /// `condition ? true : false` in a filter: what a probe asks by.
    fn branches(&mut self, node: NodeId) {
        let mut parts = self.query.children(node).skip(1);
        let constants = parts.all(|part| self.folder.constant(part).is_some());
        if constants {
            self.note(Sign::BlindProbe, node);
        }
    }

    fn operation(&mut self, node: NodeId, operator: Binary) {
        let mut sides = self.query.children(node);
        let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return };
        let (left_constant, right_constant) =
            (self.folder.constant(left), self.folder.constant(right));
        let joins = matches!(
            operator,
            Binary::Concat | Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide
        );
        if joins && left_constant.is_some() && right_constant.is_some() {
            self.note(Sign::FragmentArithmetic, node);
        }
        let probed = match (&left_constant, &right_constant) {
            (None, Some(Constant::Text(value))) => Some((left, value.len())),
            (Some(Constant::Text(value)), None) => Some((right, value.len())),
            _ => None,
        };
        if let Some((call, length)) = probed
            && length <= 1
            && self.cuts_one(call)
        {
            self.note(Sign::BlindProbe, node);
        }
    }

    /// `SUBSTRING(x, n, 1)`, `LEFT(x, n)`, `RIGHT(x, n)`.
    fn cuts_one(&self, node: NodeId) -> bool {
        if !matches!(self.query.kind(node), Kind::Call { udf: false }) {
            return false;
        }
        let name = call_name(self.query, node);
        let is = |n: &str| name.eq_ignore_ascii_case(n.as_bytes());
        let last = self.query.children(node).skip(1).last();
        let one =
            last.is_some_and(|last| self.folder.constant(last) == Some(Constant::Number(1.0)));
        let inner = self.query.children(node).nth(1);
        ((is("SUBSTRING") || is("LEFT") || is("RIGHT")) && one)
            || ((is("LOWER") || is("UPPER")) && inner.is_some_and(|inner| self.cuts_one(inner)))
    }

    fn dialect(&mut self, call: NodeId) {
        if dialect::is_foreign_function(call_name(self.query, call)) {
            self.note(Sign::ForeignDialect, call);
        }
    }

    fn foreign_name(&mut self, name: NodeId) {
        if dialect::is_foreign_name(self.query.slice(name)) {
            self.note(Sign::ForeignDialect, name);
        }
    }

    /// A comment at the text's end whose words were a part of the query, or may have been.
    fn comments(&mut self) {
        let text = self.query.text();
        for comment in self.query.comments().iter().rev().take(8) {
            let after = text.get(comment.end as usize..).unwrap_or_default();
            let last = after.trim_ascii().is_empty();
            let before = text.get(..comment.start as usize).unwrap_or_default();
            let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
            let behind_code = !line.trim_ascii().is_empty();
            if tokens::cuts_off(comment.of(text), last, behind_code) {
                return self.note_span(Sign::CommentCutsOff, *comment);
            }
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// Two comparisons of one thing with constants hold together for everything.
fn leaves_nothing(a: (Binary, Option<Constant<'_>>), b: (Binary, Option<Constant<'_>>)) -> bool {
    let (Some(ka), Some(kb)) = (&a.1, &b.1) else { return false };
    let at_most = |low: &Constant<'_>, high: &Constant<'_>| match (low, high) {
        (Constant::Number(low), Constant::Number(high)) => low <= high,
        (Constant::Text(low), Constant::Text(high)) => low <= high,
        _ => false,
    };
    match (a.0, b.0) {
        (Binary::Equal, Binary::NotEqual) | (Binary::NotEqual, Binary::Equal) => ka == kb,
        (Binary::NotEqual, Binary::NotEqual) => ka != kb,
        (Binary::Greater | Binary::GreaterEqual, Binary::Less | Binary::LessEqual) => {
            at_most(ka, kb)
        }
        (Binary::Less | Binary::LessEqual, Binary::Greater | Binary::GreaterEqual) => {
            at_most(kb, ka)
        }
        _ => false,
    }
}

/// Names of kinds of tokens that open and close.
pub(super) fn closes(open: TokenKind) -> Option<TokenKind> {
    match open {
        TokenKind::ParenOpen => Some(TokenKind::ParenClose),
        TokenKind::BracketOpen => Some(TokenKind::BracketClose),
        TokenKind::BraceOpen => Some(TokenKind::BraceClose),
        _ => None,
    }
}
