//! What is odd within a condition, and in other values' places.
use super::{Walk, dialect};
use crate::cosmos_sql::fold::{Constant, call_name};
use crate::cosmos_sql::kind::{Binary, Kind, Quantifier};
use crate::cosmos_sql::tree::NodeId;
use crate::event::Sign;

impl Walk<'_, '_> {
    /// `AND` or `OR` as an argument, an element, a bound, an order: a value's place.
    pub(super) fn logic_in_values(&mut self, node: NodeId) {
        let kind = self.query.kind(node);
        let values = match kind {
            // The one function that takes a condition.
            Kind::Call { udf: false } => !call_name(self.query, node).eq_ignore_ascii_case(b"IIF"),
            Kind::Call { udf: true } | Kind::Array | Kind::In { .. } | Kind::Between { .. } => true,
            Kind::Index
            | Kind::Like { .. }
            | Kind::Order(_)
            | Kind::GroupBy
            | Kind::OffsetLimit => true,
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

    /// Parts of a predicate.
    pub(super) fn inside(&mut self, node: NodeId) {
        self.logic_in_values(node);
        match self.query.kind(node) {
            Kind::Query => return self.query(node),
            Kind::Call { udf: true } => self.note(Sign::FunctionCallInCondition, node),
            Kind::Call { udf: false } => {
                self.dialect(node);
                self.secret_call(node);
                if call_name(self.query, node).eq_ignore_ascii_case(b"IIF") {
                    self.branches(node, 2);
                }
            }
            Kind::In { .. } => {
                self.letters(node);
                self.own_member(node);
            }
            Kind::Like { .. } => self.secret_like(node),
            Kind::Object => self.operators(node),
            Kind::Name => self.foreign_name(node),
            Kind::InQuery { .. } => self.note(Sign::SubqueryInCondition, node),
            Kind::Subquery | Kind::Quantified(_) => self.subquery(node),
            Kind::Conditional => self.branches(node, 1),
            Kind::Binary(operator) => self.operation(node, operator),
            _ => {}
        }
        for child in self.query.children(node) {
            self.inside(child);
        }
    }

    /// A subquery that asks its own source, or none, not a property of the row.
    fn subquery(&mut self, node: NodeId) {
        let query = self.query.first_child(node);
        let from = query.and_then(|q| self.query.clause(q, |kind| kind == Kind::From));
        let own = from.is_some_and(|from| {
            self.query.children(from).any(|source| self.query.kind(source) == Kind::Source)
        });
        let array = self.query.kind(node) == Kind::Quantified(Quantifier::Array);
        if own || (from.is_none() && !array) {
            self.note(Sign::SubqueryInCondition, node);
        }
    }

    /// `condition ? true : false` in a filter: what a probe asks by. `IIF` says it the same way, and is
    /// honest about other values.
    fn branches(&mut self, node: NodeId, at: usize) {
        let call = at > 1;
        let mut parts = self.query.children(node).skip(at);
        let decided = parts.all(|part| match self.folder.constant(part) {
            Some(Constant::Bool(_)) => true,
            Some(_) => !call,
            None => false,
        });
        if decided {
            self.note(Sign::BlindProbe, node);
        }
    }

    /// `SUBSTRING(x, 0, 1) IN ('a', 'b')`
    fn letters(&mut self, node: NodeId) {
        let mut parts = self.query.children(node);
        let Some(tested) = parts.next() else { return };
        let letter = |part| match self.folder.constant(part) {
            Some(Constant::Text(text)) => text.len() <= 1,
            _ => false,
        };
        if self.cuts_one(tested) && parts.all(letter) {
            self.note(Sign::BlindProbe, node);
        }
    }

    /// `{"$ne": null}`: an operator of another database.
    fn operators(&mut self, node: NodeId) {
        let operator = self.query.children(node).any(|property| {
            let key = self.query.first_child(property);
            key.is_some_and(|key| self.query.name(key).first() == Some(&b'$'))
        });
        if operator {
            self.note(Sign::OperatorForValue, node);
        }
    }

    /// Rows are put in order by their properties, and by functions of them.
    pub(super) fn order(&mut self, node: NodeId) {
        let Some(by) = self.query.first_child(node) else { return };
        if self.folder.constant(by).is_some() {
            return self.note(Sign::StrayConstant, by);
        }
        let value = matches!(
            self.query.kind(by),
            Kind::Binary(_) | Kind::Conditional | Kind::Object | Kind::Array | Kind::Subquery
        );
        if value {
            self.note(Sign::LogicInValue, by);
        }
    }

    /// `AND` and `OR` in what is selected: constants have no business there.
    pub(super) fn logic_outside(&mut self, node: NodeId) {
        for term in self.query.children(node) {
            if self.folder.constant(term).is_some() && self.is_stray(term, &[]) {
                self.note(Sign::StrayConstant, term);
            }
        }
    }

    /// More arguments than the function has, or a text in the place of a flag: another argument was
    /// put behind one.
    pub(super) fn is_called_wrongly(&self, call: NodeId, name: &[u8]) -> bool {
        let Some(form) = dialect::form_of(name) else { return false };
        let arguments = self.query.children(call).count().saturating_sub(1);
        let flag = self.query.children(call).nth(3).filter(|_| form.flag);
        arguments > form.most
            || flag.is_some_and(|flag| matches!(self.query.kind(flag), Kind::String | Kind::Number))
    }

    fn operation(&mut self, node: NodeId, operator: Binary) {
        let mut sides = self.query.children(node);
        let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return };
        let (left_constant, right_constant) =
            (self.folder.constant(left), self.folder.constant(right));
        self.secret_order(node, operator, [&left_constant, &right_constant]);
        let joins = matches!(
            operator,
            Binary::Concat | Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide
        );
        if joins && left_constant.is_some() && right_constant.is_some() {
            self.note(Sign::FragmentArithmetic, node);
            // `+` joins no texts here, and nobody joins nothing with nothing.
            let text = |side: &Option<Constant<'_>>| match side {
                Some(Constant::Text(text)) => operator == Binary::Add || text.is_empty(),
                _ => false,
            };
            if text(&left_constant) && text(&right_constant) {
                self.note(Sign::StrayConstant, node);
            }
        }
        if operator == Binary::Concat && self.compares_with_nothing(left, &right_constant) {
            self.note(Sign::StrayConstant, node);
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

    /// `x = '' || ''`, which is `(x = '') || ''`.
    fn compares_with_nothing(&self, left: NodeId, right: &Option<Constant<'_>>) -> bool {
        let empty = |constant: &Option<Constant<'_>>| matches!(constant, Some(Constant::Text(t)) if t.is_empty());
        let compares = self.query.kind(left) == Kind::Binary(Binary::Equal);
        let with = self.query.children(left).nth(1).and_then(|side| self.folder.constant(side));
        compares && empty(right) && empty(&with)
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
}
