//! The canonical form, hashed. [`super::text`] writes the same form for people.
use super::Scratch;
use super::hash::{Tag, constant, function, leaf, mix, quantifier_code, tag};
use super::rewriting::{Filter, Projection, View, aggregate};
use crate::cosmos_sql::kind::{Kind, Unary};
use crate::cosmos_sql::token::Span;
use crate::cosmos_sql::tree::{NodeId, Query};
use crate::limits;

/// Walks a tree and hashes it.
pub(super) struct Canon<'c, 'q> {
    pub(super) query: &'c Query<'q>,
    pub(super) scratch: &'c mut Scratch,
}

impl<'c, 'q> Canon<'c, 'q> {
    pub(super) fn new(query: &'c Query<'q>, scratch: &'c mut Scratch) -> Self {
        scratch.scopes.clear();
        scratch.hashes.clear();
        Canon { query, scratch }
    }

    /// Hashes of the whole and of its skeleton.
    pub(super) fn program(&mut self, view: &View) -> (u64, u64) {
        self.select_query(self.query.root(), view)
    }

    fn subquery(&mut self, node: NodeId) -> u64 {
        let view = View::as_written(self.query, node);
        self.select_query(node, &view).0
    }

    /// Sources first: they name what the other clauses refer to.
    fn select_query(&mut self, node: NodeId, view: &View) -> (u64, u64) {
        let outer = self.scratch.scopes.len();
        let mut from = constant(Tag::Query);
        for source in self.sources(node) {
            let hash = self.source(source);
            from = mix(from, hash);
            self.enter(source);
        }
        let skeleton = mix(self.select(node, view), from);
        let mut whole = skeleton;
        if let Some(filter) = view.filter {
            whole = mix(whole, mix(constant(Tag::Where), self.filter(filter)));
        }
        for clause in self.query.children(node) {
            let (tag, code) = match self.query.kind(clause) {
                Kind::GroupBy => (Tag::GroupBy, 0),
                Kind::OrderBy { rank } => (Tag::OrderBy, u64::from(rank)),
                Kind::OffsetLimit => (Tag::OffsetLimit, 0),
                _ => continue,
            };
            let hash = self.fold(mix(tag as u64, code), clause);
            whole = mix(whole, hash);
        }
        self.scratch.scopes.truncate(outer);
        (whole, skeleton)
    }

    /// The sources of a query.
    pub(super) fn sources(&self, query: NodeId) -> impl Iterator<Item = NodeId> + use<'q> {
        let from = self.query.clause(query, |kind| kind == Kind::From);
        let query = *self.query;
        from.into_iter().flat_map(move |from| query.children(from))
    }

    /// The name that a source gives to its elements: its alias, or the last name of its path.
    pub(super) fn source_name(&self, source: NodeId) -> Option<Span> {
        let alias = self.query.clause(source, |kind| kind == Kind::Alias);
        if let Some(alias) = alias {
            return Some(self.query.node(alias).span);
        }
        let collection = self.query.first_child(source)?;
        if self.query.kind(collection) != Kind::Collection {
            return None;
        }
        let last = self.query.children(collection).last()?;
        let span = self.query.node(last).span;
        match self.query.kind(last) {
            Kind::Index => None,
            Kind::Quoted => Some(Span { start: span.start + 1, end: span.end.saturating_sub(1) }),
            _ => Some(span),
        }
    }

    /// Brings a source's name into scope.
    pub(super) fn enter(&mut self, source: NodeId) {
        let room = self.scratch.scopes.len() < limits::QUERY_SOURCES_MAX;
        if let Some(name) = self.source_name(source).filter(|_| room) {
            self.scratch.scopes.push(name);
        }
    }

    /// Which source in scope is called `name`, the innermost first.
    pub(super) fn bound(&self, name: &[u8]) -> Option<usize> {
        let text = self.query.text();
        self.scratch.scopes.iter().rposition(|span| span.of(text) == name)
    }

    fn source(&mut self, source: NodeId) -> u64 {
        let iterator = self.query.kind(source) == Kind::Iterator;
        let tag = if iterator { Tag::Iterator } else { Tag::Source };
        let collection = self.query.children(source).nth(usize::from(iterator));
        mix(tag as u64, collection.map_or(0, |collection| self.expression(collection)))
    }

    fn select(&mut self, query: NodeId, view: &View) -> u64 {
        let select = self.query.first_child(query);
        let kind = select.map(|select| self.query.kind(select));
        let distinct = matches!(kind, Some(Kind::Select { distinct: true, .. }));
        let mut hash = mix(Tag::Select as u64, u64::from(distinct));
        let top = select.and_then(|select| self.query.first_child(select));
        if let Some(top) = top.filter(|&top| self.query.kind(top) == Kind::Top) {
            hash = self.fold(mix(hash, Tag::Top as u64), top);
        }
        let projection = self.projection(query, view);
        mix(hash, projection)
    }

    fn projection(&mut self, query: NodeId, view: &View) -> u64 {
        match view.projection {
            Projection::Star => constant(Tag::Star),
            Projection::Value(value) if self.is_whole_item(query, value) => constant(Tag::Star),
            Projection::Value(value) => self.value(value),
            Projection::List(select) => self.items(select),
        }
    }

    /// Whether a value is the only source itself: `SELECT VALUE c FROM c`.
    pub(super) fn is_whole_item(&self, query: NodeId, value: NodeId) -> bool {
        let mut sources = self.sources(query);
        let (Some(source), None) = (sources.next(), sources.next()) else { return false };
        let name = self.source_name(source).map(|span| span.of(self.query.text()));
        self.query.kind(value) == Kind::Name && name == Some(self.query.slice(value))
    }

    fn value(&mut self, value: NodeId) -> u64 {
        if let Some(call) = aggregate(self.query, value) {
            return mix(Tag::Value as u64, self.call_as(call.name, call.call));
        }
        if self.query.kind(value) == Kind::Object {
            return self.object(value);
        }
        mix(Tag::Value as u64, self.expression(value))
    }

    /// A list is the object that it makes.
    fn items(&mut self, select: NodeId) -> u64 {
        let mut hash = constant(Tag::Object);
        let mut unnamed = 0u32;
        for item in self.query.children(select) {
            if self.query.kind(item) != Kind::Item {
                continue;
            }
            let Some(value) = self.query.first_child(item) else { continue };
            let alias = self.query.children(item).nth(1);
            let named = alias.or_else(|| implied_name(self.query, value));
            let name = match named {
                Some(name) => self.member_name(name, value),
                None => {
                    unnamed += 1;
                    leaf(Tag::Field, format_unnamed(unnamed, &mut [0; 11]))
                }
            };
            hash = mix(mix(hash, name), self.expression(value));
        }
        hash
    }

    fn object(&mut self, object: NodeId) -> u64 {
        let mut hash = constant(Tag::Object);
        for property in self.query.children(object) {
            let mut parts = self.query.children(property);
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let name = self.member_name(key, value);
            let value = match aggregate(self.query, value) {
                Some(call) => self.call_as(call.name, call.call),
                None => self.expression(value),
            };
            hash = mix(mix(hash, name), value);
        }
        hash
    }

    /// A member's name; that of a source where the member is the source itself and called by it.
    fn member_name(&self, name: NodeId, value: NodeId) -> u64 {
        let text = self.query.name(name);
        if self.query.kind(value) == Kind::Name
            && self.query.slice(value) == text
            && let Some(bound) = self.bound(text)
        {
            return mix(Tag::Alias as u64, bound as u64);
        }
        leaf(Tag::Field, text)
    }

    pub(super) fn filter(&mut self, filter: Filter) -> u64 {
        let from = self.scratch.hashes.len();
        self.operands(filter, Kind::And);
        let tag = if self.scratch.hashes.len() - from > 1 { Some(Tag::And) } else { None };
        self.sorted(from, tag)
    }

    /// Pushes the hashes of the operands of a chain, those of inner chains of its kind included.
    fn operands(&mut self, filter: Filter, chain: Kind) {
        if self.query.kind(filter.node) != chain {
            let hash = self.expression(filter.node);
            self.scratch.hashes.push(hash);
            return;
        }
        for operand in self.query.children(filter.node).take(filter.take) {
            self.operands(Filter::whole(operand), chain);
        }
    }

    /// Folds the hashes from `from` on without regard to their order and to how often each comes,
    /// but for once or more.
    fn sorted(&mut self, from: usize, tag: Option<Tag>) -> u64 {
        let Some(tag) = tag else { return self.scratch.hashes.pop().unwrap_or_default() };
        let mut hash = constant(tag);
        if let Some(operands) = self.scratch.hashes.get_mut(from..) {
            operands.sort_unstable();
            for like in operands.chunk_by(|a, b| a == b) {
                let many = if like.len() > 1 { Tag::Many as u64 } else { 0 };
                hash = mix(mix(hash, like.first().copied().unwrap_or_default()), many);
            }
        }
        self.scratch.hashes.truncate(from);
        hash
    }

    /// Folds a node's children in their order.
    fn fold(&mut self, mut hash: u64, node: NodeId) -> u64 {
        for child in self.query.children(node) {
            hash = mix(hash, self.expression(child));
        }
        hash
    }

    /// Hash of an expression, or of what stands where one can.
    pub(super) fn expression(&mut self, node: NodeId) -> u64 {
        let kind = self.query.kind(node);
        match kind {
            Kind::Name => self.name(self.query.slice(node), Tag::Name),
            Kind::Path => self.path(node),
            Kind::Collection => self.collection(node),
            Kind::Number => constant(Tag::Number),
            Kind::String => constant(Tag::String),
            Kind::True | Kind::False => constant(Tag::Boolean),
            Kind::Null => constant(Tag::Null),
            Kind::Undefined => constant(Tag::Undefined),
            Kind::Parameter => constant(Tag::Parameter),
            Kind::Array => self.array(node),
            Kind::Object => self.object(node),
            Kind::Call { udf } => self.call(node, udf),
            Kind::Unary(operator) => self.unary(node, operator),
            Kind::And | Kind::Or => self.chain(node, kind),
            Kind::In { not } => self.in_list(node, not),
            Kind::Subquery => mix(Tag::Subquery as u64, self.only_query(node)),
            Kind::Quantified(quantifier) => {
                let tag = mix(Tag::Quantified as u64, quantifier_code(quantifier));
                mix(tag, self.only_query(node))
            }
            Kind::Query => self.subquery(node),
            _ => self.fold(tag(kind), node),
        }
    }

    fn only_query(&mut self, node: NodeId) -> u64 {
        self.query.first_child(node).map_or(0, |query| self.subquery(query))
    }

    fn name(&self, name: &[u8], free: Tag) -> u64 {
        match self.bound(name) {
            Some(bound) => mix(Tag::Alias as u64, bound as u64),
            None => leaf(free, name),
        }
    }

    fn path(&mut self, node: NodeId) -> u64 {
        let mut steps = self.query.children(node);
        let base = steps.next().map_or(0, |base| self.expression(base));
        self.steps(mix(Tag::Path as u64, base), steps)
    }

    /// Whatever the container is called, outside of any source it is the container.
    fn collection(&mut self, node: NodeId) -> u64 {
        let mut steps = self.query.children(node);
        let name = steps.next().map_or(&[][..], |name| self.query.slice(name));
        let base = match self.bound(name) {
            Some(bound) => mix(Tag::Alias as u64, bound as u64),
            None => constant(Tag::Root),
        };
        self.steps(mix(Tag::Path as u64, base), steps)
    }

    fn steps(&mut self, mut hash: u64, steps: impl Iterator<Item = NodeId>) -> u64 {
        for step in steps {
            hash = match self.query.kind(step) {
                Kind::Field | Kind::Quoted => mix(hash, leaf(Tag::Field, self.query.name(step))),
                _ => self.fold(mix(hash, Tag::Index as u64), step),
            };
        }
        hash
    }

    /// Neighbours that are the same count once.
    fn array(&mut self, node: NodeId) -> u64 {
        let mut hash = constant(Tag::Array);
        let mut last = None;
        for element in self.query.children(node) {
            let element = self.expression(element);
            if last != Some(element) {
                hash = mix(hash, element);
            }
            last = Some(element);
        }
        hash
    }

    /// What is tested, and the set of what it may be.
    fn in_list(&mut self, node: NodeId, not: bool) -> u64 {
        let mut children = self.query.children(node);
        let tested = children.next().map_or(0, |tested| self.expression(tested));
        let from = self.scratch.hashes.len();
        for element in children {
            let hash = self.expression(element);
            self.scratch.hashes.push(hash);
        }
        let mut hash = mix(mix(Tag::In as u64, u64::from(not)), tested);
        if let Some(elements) = self.scratch.hashes.get_mut(from..) {
            elements.sort_unstable();
            for like in elements.chunk_by(|a, b| a == b) {
                hash = mix(hash, like.first().copied().unwrap_or_default());
            }
        }
        self.scratch.hashes.truncate(from);
        hash
    }

    fn chain(&mut self, node: NodeId, kind: Kind) -> u64 {
        let from = self.scratch.hashes.len();
        self.operands(Filter::whole(node), kind);
        self.sorted(from, Some(if kind == Kind::And { Tag::And } else { Tag::Or }))
    }

    fn call(&mut self, node: NodeId, udf: bool) -> u64 {
        let name = self.query.first_child(node).map_or(&[][..], |name| self.query.slice(name));
        if udf {
            return self.arguments(leaf(Tag::Udf, name), node);
        }
        self.call_as(name, node)
    }

    /// A built-in function's call, under another name where the service has split it.
    fn call_as(&mut self, name: &[u8], call: NodeId) -> u64 {
        self.arguments(function(name), call)
    }

    fn arguments(&mut self, mut hash: u64, call: NodeId) -> u64 {
        for argument in self.query.children(call).skip(1) {
            hash = mix(hash, self.expression(argument));
        }
        hash
    }

    /// A signed number is a number.
    fn unary(&mut self, node: NodeId, operator: Unary) -> u64 {
        let code = match operator {
            Unary::Minus => 1,
            Unary::Plus => 2,
            Unary::BitNot => 3,
            Unary::Not => 4,
        };
        let number = constant(Tag::Number);
        let operand = self.query.first_child(node).map_or(0, |operand| self.expression(operand));
        if matches!(operator, Unary::Minus | Unary::Plus) && operand == number {
            return number;
        }
        mix(mix(Tag::Unary as u64, code), operand)
    }
}

/// The name that a select item has without `AS`.
pub(super) fn implied_name(query: &Query<'_>, value: NodeId) -> Option<NodeId> {
    match query.kind(value) {
        Kind::Name => Some(value),
        Kind::Path => {
            let last = query.children(value).last()?;
            matches!(query.kind(last), Kind::Field | Kind::Quoted).then_some(last)
        }
        _ => None,
    }
}

/// `$1`, `$2`, …: what the service calls items without a name.
pub(super) fn format_unnamed(number: u32, buffer: &mut [u8; 11]) -> &[u8] {
    let mut rest = number;
    let mut at = buffer.len();
    loop {
        at = at.saturating_sub(1);
        if let Some(byte) = buffer.get_mut(at) {
            *byte = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at = at.saturating_sub(1);
    if let Some(byte) = buffer.get_mut(at) {
        *byte = b'$';
    }
    buffer.get(at..).unwrap_or_default()
}
