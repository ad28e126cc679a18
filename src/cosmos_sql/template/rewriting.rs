//! What the gateway does to a query before a partition sees it, undone.
//!
//! An ordered query arrives as `SELECT c._rid, [{"item": c.ts}] AS orderByItems, c AS payload …
//! WHERE ((…) AND (true)) ORDER BY c.ts`, where `true` is replaced on later pages by comparisons of
//! what is ordered by, and `IS_DEFINED(payload)` is added to the queries of one value. Grouped
//! queries have `groupByItems` in its place; aggregates are split into what partitions can add up:
//! `AVG(c.x)` is `{"item": {"sum": SUM(c.x), "count": COUNT(c.x)}}`. (From the query plan baselines
//! of the .NET client.)
//!
//! What the rewriting loses stays lost: `DISTINCT` of ordered queries, `TOP` of aggregates, the
//! numbers of `OFFSET`.
use super::Scratch;
use super::canon::Canon;
use crate::cosmos_sql::kind::{Binary, Kind, Selection, Unary};
use crate::cosmos_sql::token::Span;
use crate::cosmos_sql::tree::{NodeId, Query};

/// A condition, or the first operands of a chain of `AND`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    pub(super) node: NodeId,
    /// Operands that count, if `node` is a chain.
    pub(super) take: usize,
}

impl Filter {
    pub(super) fn whole(node: NodeId) -> Filter {
        Filter { node, take: usize::MAX }
    }
}

/// What is selected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Projection {
    Star,
    Value(NodeId),
    /// The node of the `SELECT`.
    List(NodeId),
}

/// A query's clauses as its client wrote them.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) projection: Projection,
    pub(super) filter: Option<Filter>,
    /// What the gateway has put into `WHERE`: at most its filter and its `IS_DEFINED`.
    pub(super) added: [Option<Span>; 2],
    payload: Option<NodeId>,
}

impl View {
    /// Whether anything was undone.
    pub(super) fn rewritten(&self) -> bool {
        self.payload.is_some()
    }

    /// The clauses as they stand.
    pub(super) fn as_written(query: &Query<'_>, node: NodeId) -> View {
        let select = query.first_child(node).unwrap_or(node);
        let projection = match query.kind(select) {
            Kind::Select { selection: Selection::Value, .. } => {
                query.children(select).last().map_or(Projection::Star, Projection::Value)
            }
            Kind::Select { selection: Selection::List, .. } => Projection::List(select),
            _ => Projection::Star,
        };
        let filter = query.clause(node, |kind| kind == Kind::Where);
        let filter = filter.and_then(|filter| query.first_child(filter)).map(Filter::whole);
        View { projection, filter, added: [None; 2], payload: None }
    }

    /// The whole query's clauses, the gateway's work undone.
    pub(super) fn of(query: &Query<'_>, scratch: &mut Scratch) -> View {
        let mut view = View::as_written(query, query.root());
        match view.projection {
            Projection::List(select) => {
                let Some((payload, ordered)) = payload(query, select) else { return view };
                view.payload = Some(payload);
                view.projection = Projection::Value(payload);
                if ordered {
                    view.undo_filter(query, scratch, payload);
                }
            }
            Projection::Value(value) if aggregate(query, value).is_some() => {
                view.payload = Some(value);
            }
            _ => {}
        }
        view
    }

    fn undo_filter(&mut self, query: &Query<'_>, scratch: &mut Scratch, payload: NodeId) {
        let mut canon = Canon::new(query, scratch);
        let is_payload = |call: NodeId, canon: &mut Canon<'_, '_>| {
            is_call(query, call, |name| name.eq_ignore_ascii_case(b"IS_DEFINED"))
                && query
                    .children(call)
                    .nth(1)
                    .is_some_and(|argument| canon.expression(argument) == canon.expression(payload))
        };
        if let Some(last) = self.last_operand(query)
            && is_payload(last, &mut canon)
        {
            self.drop_last(query, 0);
        }
        let Some(last) = self.last_operand(query).or(self.filter.map(|filter| filter.node)) else {
            return;
        };
        let ordered = query.clause(query.root(), |kind| matches!(kind, Kind::OrderBy { .. }));
        if let Some(ordered) = ordered
            && is_page_filter(query, last, ordered, &mut canon)
        {
            self.drop_last(query, 1);
        }
    }

    /// The last operand of the filter, if that is a chain of `AND`.
    fn last_operand(&self, query: &Query<'_>) -> Option<NodeId> {
        let filter = self.filter.filter(|filter| query.kind(filter.node) == Kind::And)?;
        query.children(filter.node).take(filter.take).last()
    }

    /// Takes the last operand off the filter, or the whole filter if it is one condition.
    fn drop_last(&mut self, query: &Query<'_>, slot: usize) {
        let Some(filter) = self.filter else { return };
        let dropped = self.last_operand(query).unwrap_or(filter.node);
        if let Some(added) = self.added.get_mut(slot) {
            *added = Some(query.node(dropped).span);
        }
        let operands = match query.kind(filter.node) {
            Kind::And => query.children(filter.node).take(filter.take).count(),
            _ => 1,
        };
        self.filter = match operands.saturating_sub(1) {
            0 => None,
            1 => query.first_child(filter.node).map(Filter::whole),
            take => Some(Filter { node: filter.node, take }),
        };
    }
}

/// The payload of a rewritten `SELECT`, and whether it is that of an ordered query.
fn payload(query: &Query<'_>, select: NodeId) -> Option<(NodeId, bool)> {
    let items = || query.children(select).filter(|&item| query.kind(item) == Kind::Item);
    let part = |item: NodeId| {
        let mut parts = query.children(item);
        let value = parts.next();
        (value, parts.next().map_or(&[][..], |alias| query.slice(alias)))
    };
    let last = items().last()?;
    let (Some(payload), b"payload") = part(last) else { return None };
    let (mut ordered, mut wrapped) = (false, false);
    for item in items().filter(|&item| item != last) {
        let (value, alias) = part(item);
        let value = value?;
        let is_array = query.kind(value) == Kind::Array;
        match alias {
            b"orderByItems" if is_array => ordered = true,
            b"groupByItems" if is_array => wrapped = true,
            b"" if is_item_id(query, value) => {}
            _ => return None,
        }
    }
    let splits = || {
        query.kind(payload) == Kind::Object
            && query.children(payload).any(|property| {
                let value = query.children(property).nth(1);
                value.is_some_and(|value| aggregate(query, value).is_some())
            })
    };
    (ordered || wrapped || splits()).then_some((payload, ordered))
}

/// Whether a value is `c._rid`, however it is written.
fn is_item_id(query: &Query<'_>, value: NodeId) -> bool {
    let mut steps = query.children(value).skip(1);
    let last = steps.next().map(|step| query.name(step));
    query.kind(value) == Kind::Path && last == Some(b"_rid".as_slice()) && steps.next().is_none()
}

/// An aggregate that the gateway has split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aggregate<'q> {
    /// What the client called.
    pub(super) name: &'q [u8],
    /// A call with the arguments that the client gave.
    pub(super) call: NodeId,
}

/// What `{"item": SUM(x)}`, `{"item": {"sum": …, "count": …}}`, `{"item": MIN(x), "item2": {…}}` or
/// an array of one of them was.
pub(super) fn aggregate<'q>(query: &Query<'q>, value: NodeId) -> Option<Aggregate<'q>> {
    let mut value = value;
    if query.kind(value) == Kind::Array {
        let mut elements = query.children(value);
        value = elements.next()?;
        if elements.next().is_some() {
            return None;
        }
    }
    let (item, second) = members(query, value, [b"item", b"item2"])?;
    if query.kind(item) == Kind::Object {
        let (sum, count) = members(query, item, [b"sum", b"count"])?;
        let split = is_call(query, sum, |name| name.eq_ignore_ascii_case(b"SUM"))
            && is_call(query, count?, |name| name.eq_ignore_ascii_case(b"COUNT"));
        return split.then_some(Aggregate { name: b"AVG", call: sum });
    }
    let whole = match second {
        Some(second) => query.kind(second) == Kind::Object && is_call(query, item, is_extreme),
        None => is_call(query, item, is_aggregate),
    };
    let name = query.first_child(item).map(|name| query.slice(name))?;
    whole.then_some(Aggregate { name, call: item })
}

/// The values of an object with the first key, or with both, and no others.
fn members(
    query: &Query<'_>,
    object: NodeId,
    keys: [&[u8]; 2],
) -> Option<(NodeId, Option<NodeId>)> {
    if query.kind(object) != Kind::Object {
        return None;
    }
    let mut values = [None; 2];
    let mut properties = query.children(object);
    for (slot, key) in values.iter_mut().zip(keys) {
        let Some(property) = properties.next() else { break };
        let mut parts = query.children(property);
        if query.name(parts.next()?) != key {
            return None;
        }
        *slot = parts.next();
    }
    let [first, second] = values;
    if properties.next().is_some() { None } else { Some((first?, second)) }
}

fn is_extreme(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"MIN") || name.eq_ignore_ascii_case(b"MAX")
}

fn is_aggregate(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] =
        [b"COUNT", b"SUM", b"MIN", b"MAX", b"MAKELIST", b"MAKESET", b"COUNTIF"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_call(query: &Query<'_>, node: NodeId, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
    query.kind(node) == Kind::Call { udf: false }
        && query.first_child(node).is_some_and(|name| wanted(query.slice(name)))
}

/// Expressions ordered by up to which a page's filter is looked for: each is compared with each
/// condition. Indexes that serve more than a few do not exist.
const ORDERS_MAX: usize = 16;

/// Whether a condition can be the gateway's own: `true`, or nothing but comparisons of what is
/// ordered by with literals and questions for its type. A condition that asks anything else stays.
fn is_page_filter(
    query: &Query<'_>,
    node: NodeId,
    ordered: NodeId,
    canon: &mut Canon<'_, '_>,
) -> bool {
    if query.kind(node) == Kind::True {
        return true;
    }
    let mut orders = [0; ORDERS_MAX];
    let mut values = query.children(ordered).filter_map(|order| query.first_child(order));
    for (hash, value) in orders.iter_mut().zip(&mut values) {
        *hash = canon.expression(value);
    }
    values.next().is_none() && pages(query, node, &orders, canon)
}

fn pages(
    query: &Query<'_>,
    node: NodeId,
    orders: &[u64; ORDERS_MAX],
    canon: &mut Canon<'_, '_>,
) -> bool {
    let mut children = query.children(node);
    let mut is_ordered = |value: Option<NodeId>| {
        value.is_some_and(|value| orders.contains(&canon.expression(value)))
    };
    match query.kind(node) {
        Kind::And | Kind::Or | Kind::Unary(Unary::Not) => {
            children.all(|child| pages(query, child, orders, canon))
        }
        Kind::Binary(
            Binary::Less
            | Binary::LessEqual
            | Binary::Greater
            | Binary::GreaterEqual
            | Binary::Equal
            | Binary::NotEqual,
        ) => {
            is_ordered(children.next())
                && children.next().is_some_and(|bound| is_bound(query, bound))
        }
        Kind::Call { udf: false } => {
            let asks = children.next().is_some_and(|name| {
                query.slice(name).get(..3).is_some_and(|is| is.eq_ignore_ascii_case(b"IS_"))
            });
            asks && is_ordered(children.next())
        }
        _ => false,
    }
}

fn is_bound(query: &Query<'_>, node: NodeId) -> bool {
    match query.kind(node) {
        Kind::Unary(Unary::Minus) => {
            query.first_child(node).is_some_and(|number| query.kind(number) == Kind::Number)
        }
        kind => kind.is_literal(),
    }
}
