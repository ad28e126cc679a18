//! What of a condition can be said without a row: constants are folded, and what holds for every row
//! or nearly every one is told from what a row decides.
//!
//! Not a list of strings: `1=1`, `'a' LIKE 'a'`, `NOT false`, `c.id = c["id"]`, `LENGTH('x') < 2`
//! and whatever else comes to the same are found by their meaning.
use std::borrow::Cow;

use super::kind::{Binary, Kind, Quantifier, Selection, Unary};
use super::tree::{NodeId, Query};

mod constants;

#[cfg(test)]
mod tests;

pub(super) use constants::call_name;

/// A value that needs no row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant<'q> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'q, [u8]>),
    /// It needs no row, but what it is cannot be said: a call, an array.
    Something,
}

/// For which rows a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// For none, whatever is in them.
    Never,
    /// A row or a parameter decides.
    Depends,
    /// No row and no parameter decides, but it cannot be said which way.
    Constant,
    /// For every row that has what is asked for: `c.x = c.x`, `c.x LIKE '%'`, `IS_DEFINED(c.x)`.
    Nearly,
    /// For every row: of what every item has.
    Always,
}

/// Seconds: the service is younger than this.
const BEFORE_ANY_ITEM: f64 = 1.4e9;

/// Properties that every item has.
const ALWAYS_THERE: [&[u8]; 5] = [b"id", b"_rid", b"_ts", b"_etag", b"_self"];

/// The folder of one query's tree.
#[derive(Clone, Copy)]
pub(super) struct Folder<'f, 'q> {
    pub(super) query: &'f Query<'q>,
}

impl<'q> Folder<'_, 'q> {
    fn pair(&self, node: NodeId) -> Option<(NodeId, NodeId)> {
        let mut children = self.query.children(node);
        Some((children.next()?, children.next()?))
    }

    /// For which rows `node` holds. By the published grammar `NOT a = b` is `(NOT a) = b`; its writer
    /// meant `NOT (a = b)`. Where the two differ, the one that lets more through is taken.
    pub(super) fn truth(&self, node: NodeId) -> Truth {
        self.as_parsed(node).max(self.as_meant(node))
    }

    /// `NOT a = b` read as `NOT (a = b)`; nothing is said of other nodes.
    fn as_meant(&self, node: NodeId) -> Truth {
        let Kind::Binary(operator) = self.query.kind(node) else { return Truth::Never };
        let Some((left, right)) = self.pair(node) else { return Truth::Never };
        if self.query.kind(left) != Kind::Unary(Unary::Not) {
            return Truth::Never;
        }
        let Some(negated) = self.query.first_child(left) else { return Truth::Never };
        match (self.constant(negated), self.constant(right)) {
            (Some(a), Some(b)) => match constants::binary(operator, &a, &b) {
                Constant::Bool(false) => Truth::Always,
                _ => Truth::Never,
            },
            _ if operator == Binary::Equal => self.compared(negated, right, Binary::NotEqual),
            _ => match self.compared(negated, right, operator) {
                Truth::Never => Truth::Nearly,
                _ => Truth::Never,
            },
        }
    }

    fn as_parsed(&self, node: NodeId) -> Truth {
        if let Some(constant) = self.constant(node) {
            return match constant {
                Constant::Bool(true) => Truth::Always,
                Constant::Something => Truth::Constant,
                _ => Truth::Never,
            };
        }
        let truths = || self.query.children(node).map(|child| self.truth(child));
        match self.query.kind(node) {
            Kind::And => truths().min().unwrap_or(Truth::Depends),
            Kind::Or => truths().max().unwrap_or(Truth::Depends),
            Kind::Unary(Unary::Not) => self.negated(node),
            Kind::Binary(operator) => self.comparison(node, operator),
            Kind::Conditional => self.conditional(self.query.children(node)),
            Kind::Between { not: false } => self.between(node),
            Kind::In { not: false } => self.among(node),
            Kind::InQuery { not: false } => self.among_query(node),
            Kind::Like { not: false } => self.like(node),
            Kind::Call { udf: false } => self.call(node),
            Kind::Quantified(Quantifier::Exists) => self.exists(node),
            _ => Truth::Depends,
        }
    }

    fn negated(&self, node: NodeId) -> Truth {
        let Some(child) = self.query.first_child(node) else { return Truth::Depends };
        match self.query.kind(child) {
            // NOT IS_NULL(c.id), NOT (c.id = null), NOT NOT x.
            Kind::Unary(Unary::Not) => {
                self.query.first_child(child).map_or(Truth::Depends, |inner| self.truth(inner))
            }
            Kind::Call { udf: false }
                if call_name(self.query, child).eq_ignore_ascii_case(b"IS_NULL") =>
            {
                self.argument(child).map_or(Truth::Depends, |path| self.presence(path))
            }
            Kind::Binary(Binary::Equal) => self.comparison(child, Binary::NotEqual),
            _ => match self.truth(child) {
                Truth::Never => Truth::Nearly,
                Truth::Constant => Truth::Constant,
                Truth::Nearly | Truth::Always => Truth::Never,
                Truth::Depends => Truth::Depends,
            },
        }
    }

    /// How many rows have `path`.
    fn presence(&self, path: NodeId) -> Truth {
        if self.query.kind(path) == Kind::Name {
            return Truth::Always;
        }
        if self.query.kind(path) != Kind::Path {
            return Truth::Depends;
        }
        let mut steps = self.query.children(path).skip(1);
        let first = steps.next().map(|step| self.query.name(step));
        let there = first.is_some_and(|name| ALWAYS_THERE.contains(&name));
        if there && steps.next().is_none() { Truth::Always } else { Truth::Nearly }
    }

    fn comparison(&self, node: NodeId, operator: Binary) -> Truth {
        self.pair(node).map_or(Truth::Depends, |(left, right)| self.compared(left, right, operator))
    }

    fn compared(&self, left: NodeId, right: NodeId, operator: Binary) -> Truth {
        use Binary::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        let (left, right) = (self.core(left), self.core(right));
        if self.same(left, right) {
            return match operator {
                Equal | LessEqual | GreaterEqual => self.self_equal(left),
                NotEqual | Less | Greater => Truth::Never,
                _ => Truth::Depends,
            };
        }
        let (path, constant, operator) = match (self.constant(left), self.constant(right)) {
            (None, Some(constant)) => (left, constant, operator),
            (Some(constant), None) => (right, constant, mirrored(operator)),
            _ => return Truth::Depends,
        };
        match (operator, constant) {
            (NotEqual, Constant::Null | Constant::Undefined) => self.presence(path),
            // No text is less than the empty one.
            (GreaterEqual | Greater, Constant::Text(text)) if text.is_empty() => Truth::Nearly,
            (Less, Constant::Text(text)) if text.is_empty() => Truth::Never,
            (GreaterEqual, Constant::Number(n)) if n <= 0.0 && self.is_never_negative(path) => {
                Truth::Nearly
            }
            (Greater, Constant::Number(n)) if n < 0.0 && self.is_never_negative(path) => {
                Truth::Nearly
            }
            (Greater | GreaterEqual, Constant::Number(n))
                if n < BEFORE_ANY_ITEM && self.is_timestamp(path) =>
            {
                Truth::Nearly
            }
            // `(x ?? 'k') = 'k'`, of an x that is not there. Flags have such defaults.
            (Equal, Constant::Text(text)) if !text.is_empty() && self.defaults_to(path, right) => {
                Truth::Nearly
            }
            (Less, Constant::Number(n)) if n <= 0.0 && self.is_never_negative(path) => Truth::Never,
            _ => Truth::Depends,
        }
    }

    /// What an expression comes to that is written longer than it must be: `x || ''`, `x + 0`,
    /// `x * 1`, `(SELECT VALUE x)`.
    pub(super) fn core(&self, node: NodeId) -> NodeId {
        let mut node = node;
        while let Some(inside) = self.longer_than(node) {
            node = inside;
        }
        node
    }

    fn longer_than(&self, node: NodeId) -> Option<NodeId> {
        match self.query.kind(node) {
            Kind::Binary(operator) => {
                let (left, right) = self.pair(node)?;
                let idle = |side| match (operator, self.constant(side)) {
                    (Binary::Concat | Binary::Add, Some(Constant::Text(text))) => text.is_empty(),
                    (Binary::Add | Binary::Subtract, Some(Constant::Number(n))) => n == 0.0,
                    (Binary::Multiply | Binary::Divide, Some(Constant::Number(n))) => n == 1.0,
                    _ => false,
                };
                let both_ways = !matches!(operator, Binary::Subtract | Binary::Divide);
                if idle(right) {
                    return Some(left);
                }
                (both_ways && idle(left)).then_some(right)
            }
            Kind::Subquery => self.lone_value(self.query.first_child(node)?),
            _ => None,
        }
    }

    /// The value of `SELECT VALUE x` without a source.
    fn lone_value(&self, query: NodeId) -> Option<NodeId> {
        let mut clauses = self.query.children(query);
        let select = clauses.next()?;
        let value = self.selected(select)?;
        clauses.next().is_none().then_some(value)
    }

    /// The one value that is selected.
    fn selected(&self, select: NodeId) -> Option<NodeId> {
        let Kind::Select { selection: Selection::Value, .. } = self.query.kind(select) else {
            return None;
        };
        let value = self.query.first_child(select)?;
        (self.query.kind(value) != Kind::Top).then_some(value)
    }

    /// Lengths, counts and times.
    fn is_never_negative(&self, node: NodeId) -> bool {
        let named = |call: NodeId, names: &[&str]| {
            let name = call_name(self.query, call);
            matches!(self.query.kind(call), Kind::Call { udf: false })
                && names.iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
        };
        if self.query.kind(node) == Kind::Subquery {
            let query = self.query.first_child(node);
            let select = query.and_then(|query| self.query.first_child(query));
            return select
                .and_then(|select| self.selected(select))
                .is_some_and(|value| named(value, &["COUNT"]));
        }
        named(node, &["LENGTH", "ARRAY_LENGTH", "ABS"]) || self.is_timestamp(node)
    }

    /// `x ?? k` for this k.
    fn defaults_to(&self, node: NodeId, value: NodeId) -> bool {
        self.query.kind(node) == Kind::Binary(Binary::Coalesce)
            && self.pair(node).is_some_and(|(_, default)| self.same(default, value))
    }

    /// `c._ts`
    fn is_timestamp(&self, node: NodeId) -> bool {
        let mut steps = self.query.children(node).skip(1);
        self.query.kind(node) == Kind::Path
            && steps.next().is_some_and(|step| self.query.name(step) == b"_ts")
            && steps.next().is_none()
    }

    /// `x = x`: true where there is an x.
    fn self_equal(&self, node: NodeId) -> Truth {
        match self.query.kind(node) {
            Kind::Path | Kind::Name => self.presence(node).max(Truth::Nearly),
            _ => Truth::Nearly,
        }
    }

    fn conditional(&self, mut parts: impl Iterator<Item = NodeId>) -> Truth {
        let (Some(condition), Some(then), Some(otherwise)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Truth::Depends;
        };
        let (then, otherwise) = (self.truth(then), self.truth(otherwise));
        match self.truth(condition) {
            Truth::Always => then,
            Truth::Never => otherwise,
            _ if then == otherwise => then,
            _ => Truth::Depends,
        }
    }

    fn between(&self, node: NodeId) -> Truth {
        let mut parts = self.query.children(node);
        let (Some(tested), Some(low), Some(high)) = (parts.next(), parts.next(), parts.next())
        else {
            return Truth::Depends;
        };
        match (self.constant(low), self.constant(high)) {
            (Some(Constant::Text(low)), Some(Constant::Text(high))) => {
                let all = low.first().is_none_or(|b| *b <= b' ')
                    && high.first().is_some_and(|b| *b >= b'~' || high.starts_with(b"zzz"));
                if all { Truth::Nearly } else { Truth::Depends }
            }
            (Some(Constant::Number(low)), Some(Constant::Number(high))) => {
                // Seconds: until long after this program.
                let ever = self.is_timestamp(tested) && low <= 0.0 && high >= 4e9;
                let all = ever || (low <= -1e9 && high >= 1e9);
                if all { Truth::Nearly } else { Truth::Depends }
            }
            _ => Truth::Depends,
        }
    }

    fn among(&self, node: NodeId) -> Truth {
        let mut parts = self.query.children(node);
        let Some(tested) = parts.next() else { return Truth::Depends };
        if parts.any(|part| self.same(tested, part)) {
            return self.self_equal(tested);
        }
        Truth::Depends
    }

    /// `x IN (SELECT VALUE x)`
    fn among_query(&self, node: NodeId) -> Truth {
        let Some((tested, query)) = self.pair(node) else { return Truth::Depends };
        match self.lone_value(query) {
            Some(value) if self.same(tested, value) => self.self_equal(tested),
            _ => Truth::Depends,
        }
    }

    fn like(&self, node: NodeId) -> Truth {
        let Some((tested, pattern)) = self.pair(node) else { return Truth::Depends };
        match self.constant(pattern) {
            Some(Constant::Text(text)) if !text.is_empty() && text.iter().all(|b| *b == b'%') => {
                Truth::Nearly
            }
            _ if self.same(tested, pattern) => Truth::Nearly,
            _ => Truth::Depends,
        }
    }

    fn argument(&self, call: NodeId) -> Option<NodeId> {
        self.query.children(call).nth(1)
    }

    fn call(&self, node: NodeId) -> Truth {
        let name = call_name(self.query, node);
        let is = |names: &[&str]| names.iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()));
        let (first, second) = (self.argument(node), self.query.children(node).nth(2));
        let Some(first) = first else { return Truth::Depends };
        if is(&["IIF"]) {
            return self.conditional(self.query.children(node).skip(1));
        }
        if is(&["IS_DEFINED"]) {
            return self.presence(first);
        }
        if is(&["IS_STRING", "IS_PRIMITIVE"]) {
            let id = self.presence(first) == Truth::Always;
            return if id { Truth::Always } else { Truth::Depends };
        }
        if is(&["STARTSWITH", "ENDSWITH", "CONTAINS"])
            && let Some(second) = second
        {
            let empty = self.constant(second) == Some(Constant::Text(Cow::Borrowed(b"")));
            return if empty || self.same(first, second) { Truth::Nearly } else { Truth::Depends };
        }
        if is(&["REGEXMATCH"])
            && let Some(second) = second
            && let Some(Constant::Text(pattern)) = self.constant(second)
        {
            let all: [&[u8]; 8] = [b"", b".*", b"^", b"$", b"^.*$", b".*?", b"^.*", b".*$"];
            return if all.contains(&&*pattern) { Truth::Nearly } else { Truth::Depends };
        }
        Truth::Depends
    }

    /// `EXISTS(SELECT VALUE 1)`: a subquery without a source has one row; one over an array of the row
    /// has some nearly always.
    fn exists(&self, node: NodeId) -> Truth {
        let Some(query) = self.query.first_child(node) else { return Truth::Depends };
        let from = self.query.clause(query, |kind| kind == Kind::From);
        let condition = self.query.clause(query, |kind| kind == Kind::Where);
        match (from, condition.and_then(|c| self.query.first_child(c))) {
            (None, None) => Truth::Always,
            (None, Some(condition)) => self.truth(condition),
            (Some(from), None) => {
                let mut sources = self.query.children(from);
                match (sources.next().map(|source| self.query.kind(source)), sources.next()) {
                    (Some(Kind::Iterator), None) => Truth::Nearly,
                    _ => Truth::Depends,
                }
            }
            (Some(_), Some(_)) => Truth::Depends,
        }
    }

    /// The same expression, however it is written: `c.id`, `c["id"]`.
    pub(super) fn same(&self, a: NodeId, b: NodeId) -> bool {
        let (ka, kb) = (self.query.kind(a), self.query.kind(b));
        let names = |k: Kind| matches!(k, Kind::Field | Kind::Quoted | Kind::Property);
        if names(ka) && names(kb) && ka != Kind::Property {
            return self.query.name(a) == self.query.name(b);
        }
        if ka != kb {
            return false;
        }
        let (mut left, mut right) = (self.query.children(a), self.query.children(b));
        match ka {
            Kind::Index => {
                // c["id"] may be an index with a string.
            }
            Kind::Function => {
                return self.query.slice(a).eq_ignore_ascii_case(self.query.slice(b));
            }
            _ if self.query.first_child(a).is_none() => {
                return self.query.slice(a) == self.query.slice(b);
            }
            _ => {}
        }
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(l), Some(r)) if self.same(l, r) => {}
                _ => return false,
            }
        }
    }
}

/// The operator with its sides exchanged.
pub(super) fn mirrored(operator: Binary) -> Binary {
    match operator {
        Binary::Less => Binary::Greater,
        Binary::LessEqual => Binary::GreaterEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterEqual => Binary::LessEqual,
        other => other,
    }
}
