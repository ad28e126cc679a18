//! What stands under `OR`.
use super::optional::OPTIONAL_MAX;
use super::{Place, Walk};
use crate::cosmos_sql::fold::{Constant, Truth, mirrored};
use crate::cosmos_sql::kind::{Binary, Kind, Unary};
use crate::cosmos_sql::tree::NodeId;
use crate::event::Sign;

/// Alternatives that are compared each with each.
const COMPARED_MAX: usize = 128;

impl Walk<'_, '_> {
    /// `OR`: one that always holds makes the others idle.
    pub(super) fn alternatives(&mut self, node: NodeId, place: Place) {
        let children: Vec<NodeId> = self.query.children(node).collect();
        let bracketed = self.bracketed(node);
        // A filter that is optional is a group of its own: in brackets, or the only one.
        let optional = bracketed || (place == Place::Filter && children.len() == 2);
        let beside = if optional && children.len() <= OPTIONAL_MAX { &*children } else { &[] };
        let tests = self.tests(node, &children, place);
        let idle = self.idle_alternatives(node, &children, tests, place);
        if !idle && self.complements(&children) {
            self.note(Sign::WideAlternatives, node);
        }
        self.overlaps(&children);
        let mechanical = bracketed && self.is_mechanical(&children);
        if !bracketed && children.len() > 2 {
            self.fillers(&children);
        }
        let mut loose = false;
        for (at, child) in children.iter().enumerate() {
            let and = self.query.kind(*child) == Kind::And;
            if and && (mechanical || !self.bracketed(*child)) {
                loose = true;
                self.constants_of_loose(*child, at == 0);
            }
        }
        if loose {
            self.note(Sign::LooseOr, node);
        }
        // What is left blank with its test asks for nothing.
        let left_out = children.iter().take(tests).any(|t| self.folder.truth(*t) == Truth::Always);
        let switches = bracketed && place == Place::Conjunct && children.len() <= OPTIONAL_MAX;
        for child in children.iter().skip(tests) {
            let blank = left_out && self.folder.truth(*child) == Truth::Nearly;
            let off = switches && !idle && self.is_switch_off(*child, &children);
            if !(off || blank && self.is_search(*child)) {
                self.condition(*child, Place::Alternative, beside);
            }
        }
    }

    /// Alternatives that hold for every row, or nearly every; whether there is one that says nothing.
    /// The first `tests` only ask whether there is a value.
    fn idle_alternatives(
        &mut self,
        node: NodeId,
        children: &[NodeId],
        tests: usize,
        place: Place,
    ) -> bool {
        let bracketed = self.bracketed(node);
        let mut idle = false;
        // What an application asks first is its own: input comes behind a value.
        let mut own = place != Place::Alternative;
        for child in children.iter().skip(tests) {
            let truth = self.folder.truth(*child);
            own &= truth == Truth::Nearly;
            match truth {
                Truth::Always if bracketed && self.is_left_out(*child, children) => {}
                // A thing compared with itself is written by nobody who means something.
                Truth::Always => {
                    idle = true;
                    self.note(Sign::AlwaysTrueUnderOr, *child);
                }
                Truth::Nearly if self.is_idle(*child) => {
                    idle = true;
                    self.note(Sign::AlwaysTrueUnderOr, *child);
                }
                Truth::Nearly if !own && !self.is_search(*child) => {
                    self.note(Sign::WideAlternatives, *child);
                }
                Truth::Constant => self.note(Sign::ConstantComparison, *child),
                Truth::Never | Truth::Depends | Truth::Nearly => {}
            }
        }
        idle
    }

    /// `… OR x AND 'a' = 'a'`, `… OR IS_DEFINED(c.id) AND x`: what says nothing in an `AND` without
    /// brackets beside an `OR`. Builders put theirs first of all, `1 = 1 AND …`.
    fn constants_of_loose(&mut self, and: NodeId, first: bool) {
        for (at, term) in self.query.children(and).enumerate() {
            let builder = first && at == 0;
            let idle = self.folder.constant(term).is_some()
                || match self.folder.truth(term) {
                    Truth::Always => true,
                    Truth::Nearly => self.is_idle(term),
                    _ => false,
                };
            if !builder && idle {
                self.note(Sign::StrayConstant, term);
            }
        }
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
            // `NOT x = k`, which is `(NOT x) = k`.
            if let Kind::Unary(Unary::Not) = self.query.kind(pb) {
                let negated = self.query.first_child(pb);
                let inner = negated.is_some_and(|negated| self.folder.same(pa, negated));
                return inner && oa == ob && self.folder.same(ka, kb);
            }
            if !self.folder.same(pa, pb) || parameter(ka) || parameter(kb) {
                return false;
            }
            leaves_nothing((oa, self.folder.constant(ka)), (ob, self.folder.constant(kb)))
        };
        let children = children.get(..children.len().min(COMPARED_MAX)).unwrap_or_default();
        children
            .iter()
            .enumerate()
            .any(|(i, a)| children.iter().enumerate().any(|(j, b)| i != j && pair(*a, *b)))
    }
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
