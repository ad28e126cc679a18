//! The canonical form as text for people: literals as `#`, `'…'` and `bool`, and nothing of what was
//! in their place. A function of the shape: the same shape gives the same text.
use std::fmt::Write as _;

use super::Scratch;
use super::canon::{Canon, format_unnamed, implied_name};
use super::rewriting::{Filter, Projection, View, aggregate};
use crate::cosmos_sql::kind::{Direction, Kind, Unary, level};
use crate::cosmos_sql::tree::{NodeId, Query};
use crate::limits;

/// The template of a query as text, at most [`limits::TEMPLATE_TEXT_BYTES_MAX`] bytes; a longer one
/// ends in `…`. Names are cut and escaped: they are as hostile as the rest of the query.
pub fn text(query: &Query<'_>, scratch: &mut Scratch) -> String {
    let view = View::of(query, scratch);
    let canon = Canon::new(query, scratch);
    let mut writer = Writer { canon, out: String::new(), depth: 0, full: false };
    writer.query(query.root(), &view);
    if writer.full {
        writer.out.push('…');
    }
    writer.out
}

/// Nesting that is written out. Each level hashes what is below it once more, so this also bounds
/// the work.
const DEPTH_MAX: usize = 32;

struct Writer<'w, 'q> {
    canon: Canon<'w, 'q>,
    out: String,
    /// Expressions that are open.
    depth: usize,
    /// No more is written.
    full: bool,
}

impl Writer<'_, '_> {
    fn word(&mut self, text: &str) {
        let room = limits::TEMPLATE_TEXT_BYTES_MAX - '…'.len_utf8();
        self.full |= self.out.len() + text.len() > room;
        if !self.full {
            self.out.push_str(text);
        }
    }

    /// A name, escaped and cut.
    fn name(&mut self, name: &[u8]) {
        let cut = name.get(..limits::TEMPLATE_NAME_BYTES_MAX);
        let mut escaped = String::new();
        for char in String::from_utf8_lossy(cut.unwrap_or(name)).chars() {
            if char == '"'
                || char == '\\'
                || !(char == ' ' || char.is_alphanumeric() || char.is_ascii_graphic())
            {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(char));
            } else {
                escaped.push(char);
            }
        }
        self.word(&escaped);
        if cut.is_some_and(|cut| cut.len() < name.len()) {
            self.word("…");
        }
    }

    fn kind(&self, node: NodeId) -> Kind {
        self.canon.query.kind(node)
    }

    fn query(&mut self, node: NodeId, view: &View) {
        let outer = self.canon.scratch.scopes.len();
        for source in self.canon.sources(node) {
            self.canon.enter(source);
        }
        self.select(node, view);
        self.canon.scratch.scopes.truncate(outer);
        for (i, source) in self.canon.sources(node).enumerate() {
            self.word(if i > 0 { " JOIN " } else { " FROM " });
            self.source(source);
            self.canon.enter(source);
        }
        if let Some(filter) = view.filter {
            self.word(" WHERE ");
            self.operands(filter, Kind::And, level::LOOSEST);
        }
        for clause in self.canon.query.children(node) {
            let (word, between) = match self.kind(clause) {
                Kind::GroupBy => (" GROUP BY ", ", "),
                Kind::OrderBy { rank: true } => (" ORDER BY RANK ", ", "),
                Kind::OrderBy { rank: false } => (" ORDER BY ", ", "),
                Kind::OffsetLimit => (" OFFSET ", " LIMIT "),
                _ => continue,
            };
            self.word(word);
            self.list(self.canon.query.children(clause), between);
        }
        self.canon.scratch.scopes.truncate(outer);
    }

    fn select(&mut self, query: NodeId, view: &View) {
        let select = self.canon.query.first_child(query).unwrap_or(query);
        let distinct = matches!(self.kind(select), Kind::Select { distinct: true, .. });
        self.word(if distinct { "SELECT DISTINCT " } else { "SELECT " });
        let top = self.canon.query.first_child(select);
        if let Some(top) = top.filter(|&top| self.kind(top) == Kind::Top) {
            self.word("TOP ");
            self.list(self.canon.query.children(top), " ");
            self.word(" ");
        }
        match view.projection {
            Projection::Value(value) if !self.canon.is_whole_item(query, value) => {
                self.value(value)
            }
            Projection::List(select) => self.items(select),
            _ => self.word("*"),
        }
    }

    /// A value; an object as the list that makes it, where there is one: names of lists are plain.
    fn value(&mut self, value: NodeId) {
        let query = self.canon.query;
        let mut keys = query.children(value).filter_map(|property| query.first_child(property));
        let listed = self.kind(value) == Kind::Object
            && query.first_child(value).is_some()
            && keys.all(|key| is_plain(query.name(key)) || is_number_of_unnamed(query.name(key)));
        if listed && aggregate(query, value).is_none() {
            for (i, property) in query.children(value).enumerate() {
                self.word(if i > 0 { ", " } else { "" });
                let mut parts = query.children(property);
                let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
                self.aggregate_or_expression(value);
                self.named(value, query.name(key));
            }
            return;
        }
        self.word("VALUE ");
        self.aggregate_or_expression(value);
    }

    fn aggregate_or_expression(&mut self, value: NodeId) {
        match aggregate(self.canon.query, value) {
            Some(split) => self.call(split.name, split.call),
            None => self.expression(value, level::LOOSEST),
        }
    }

    fn items(&mut self, select: NodeId) {
        let query = self.canon.query;
        let mut unnamed = 0;
        let items = query.children(select).filter(|&item| query.kind(item) == Kind::Item);
        for (i, item) in items.enumerate() {
            self.word(if i > 0 { ", " } else { "" });
            let Some(value) = query.first_child(item) else { continue };
            self.expression(value, level::LOOSEST);
            let alias = query.children(item).nth(1).or_else(|| implied_name(query, value));
            match alias {
                Some(alias) => self.named(value, query.name(alias)),
                None => {
                    unnamed += 1;
                    self.named(value, format_unnamed(unnamed, &mut [0; 11]));
                }
            }
        }
    }

    /// `AS name`, where the value does not have that name of itself.
    fn named(&mut self, value: NodeId, name: &[u8]) {
        let query = self.canon.query;
        let implied = implied_name(query, value).is_some_and(|implied| query.name(implied) == name);
        if implied || name.starts_with(b"$") {
            return;
        }
        self.word(" AS ");
        self.name(name);
    }

    fn source(&mut self, source: NodeId) {
        let iterator = self.kind(source) == Kind::Iterator;
        let mut children = self.canon.query.children(source);
        let collection = children.nth(usize::from(iterator));
        let binds = self.canon.source_name(source).is_some();
        let own = alias(self.canon.scratch.scopes.len());
        if iterator {
            self.word(&own);
            self.word(" IN ");
        }
        let Some(collection) = collection else { return };
        let named = self.kind(collection) == Kind::Collection;
        let container = named && self.canon.query.children(collection).nth(1).is_none();
        let unbound = named && {
            let name = self.canon.query.first_child(collection);
            name.is_some_and(|name| self.canon.bound(self.canon.query.slice(name)).is_none())
        };
        if unbound && container && !iterator {
            self.word(&own);
            return;
        }
        self.expression(collection, level::LOOSEST);
        if binds && !iterator {
            self.word(" AS ");
            self.word(&own);
        }
    }

    fn list(&mut self, nodes: impl Iterator<Item = NodeId>, between: &str) {
        for (i, node) in nodes.enumerate() {
            self.word(if i > 0 { between } else { "" });
            self.expression(node, level::LOOSEST);
        }
    }

    /// Neighbours that are the same once, with what follows them.
    fn array(&mut self, node: NodeId) {
        let mut last = None;
        for element in self.canon.query.children(node) {
            let hash = self.canon.expression(element);
            if last != Some(hash) {
                self.word(if last.is_some() { ", " } else { "" });
                self.expression(element, level::LOOSEST);
            }
            last = Some(hash);
        }
    }

    fn expression(&mut self, node: NodeId, min: u8) {
        if self.full {
            return;
        }
        if self.depth >= DEPTH_MAX {
            return self.word("…");
        }
        self.depth += 1;
        self.written(node, min);
        self.depth -= 1;
    }

    fn written(&mut self, node: NodeId, min: u8) {
        let kind = self.kind(node);
        let parenthesised = kind.level() < min;
        self.word(if parenthesised { "(" } else { "" });
        match kind {
            Kind::And | Kind::Or => self.operands(Filter::whole(node), kind, kind.level() + 1),
            Kind::Binary(operator) => {
                let text = format!(" {} ", operator.text());
                for (i, operand) in self.canon.query.children(node).enumerate() {
                    self.word(if i > 0 { &text } else { "" });
                    self.expression(operand, kind.level() + u8::from(i > 0));
                }
            }
            Kind::Unary(operator) => self.unary(node, operator),
            Kind::Conditional => {
                for (word, operand) in
                    ["", " ? ", " : "].into_iter().zip(self.canon.query.children(node))
                {
                    self.word(word);
                    self.expression(operand, level::CONDITIONAL + 1);
                }
            }
            Kind::Between { .. } | Kind::In { .. } | Kind::InQuery { .. } | Kind::Like { .. } => {
                self.predicate(node, kind);
            }
            _ => self.primary(node, kind),
        }
        self.word(if parenthesised { ")" } else { "" });
    }

    /// Operands in the order of their hashes, each once; `OR …` after one that comes more often.
    fn operands(&mut self, filter: Filter, chain: Kind, min: u8) {
        let mut operands = Vec::new();
        self.gather(filter, chain, &mut operands);
        operands.sort_unstable();
        let word = if chain == Kind::And { " AND " } else { " OR " };
        let one = operands.len() == 1;
        for (i, like) in operands.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let Some(&(_, operand)) = like.first() else { continue };
            self.word(if i > 0 { word } else { "" });
            self.expression(operand, if one { min } else { chain.level() + 1 });
            if like.len() > 1 {
                self.word(word);
                self.word("…");
            }
        }
    }

    fn gather(&mut self, filter: Filter, chain: Kind, out: &mut Vec<(u64, NodeId)>) {
        if self.kind(filter.node) != chain {
            out.push((self.canon.expression(filter.node), filter.node));
            return;
        }
        for operand in self.canon.query.children(filter.node).take(filter.take) {
            self.gather(Filter::whole(operand), chain, out);
        }
    }

    fn unary(&mut self, node: NodeId, operator: Unary) {
        let operand = self.canon.query.first_child(node);
        let Some(operand) = operand else { return };
        let signed = matches!(operator, Unary::Minus | Unary::Plus);
        if !(signed && self.is_number(operand)) {
            self.word(operator.text());
        }
        self.expression(operand, level::UNARY);
    }

    /// A number, however many signs it has.
    fn is_number(&self, node: NodeId) -> bool {
        match self.kind(node) {
            Kind::Unary(Unary::Minus | Unary::Plus) => {
                self.canon.query.first_child(node).is_some_and(|operand| self.is_number(operand))
            }
            kind => kind == Kind::Number,
        }
    }

    fn predicate(&mut self, node: NodeId, kind: Kind) {
        let mut operands = self.canon.query.children(node);
        if let Some(tested) = operands.next() {
            self.expression(tested, level::PREDICATE + 1);
        }
        let Some((not, word, between)) = kind.predicate_words() else { return };
        self.word(if not { " NOT" } else { "" });
        self.word(word);
        match kind {
            Kind::In { .. } => {
                let mut elements: Vec<_> =
                    operands.map(|element| (self.canon.expression(element), element)).collect();
                elements.sort_unstable();
                elements.dedup_by_key(|(hash, _)| *hash);
                self.list(elements.into_iter().map(|(_, element)| element), between);
                self.word(")");
            }
            Kind::InQuery { .. } => {
                self.list(operands, between);
                self.word(")");
            }
            _ => {
                for (i, operand) in operands.enumerate() {
                    self.word(if i > 0 { between } else { "" });
                    self.expression(operand, level::PREDICATE + 1);
                }
            }
        }
    }

    fn primary(&mut self, node: NodeId, kind: Kind) {
        match kind {
            Kind::Number => self.word("#"),
            Kind::String => self.word("'…'"),
            Kind::True | Kind::False => self.word("bool"),
            Kind::Null => self.word("null"),
            Kind::Undefined => self.word("undefined"),
            Kind::Parameter => self.word("@…"),
            Kind::Name => self.reference(node),
            Kind::Path | Kind::Collection => self.path(node),
            Kind::Array => {
                self.word("[");
                self.array(node);
                self.word("]");
            }
            Kind::Object => self.object(node),
            Kind::Call { udf } => self.call_of(node, udf),
            Kind::Order(direction) => {
                self.list(self.canon.query.children(node), " ");
                self.word(if direction == Direction::Descending { " DESC" } else { "" });
            }
            Kind::Subquery | Kind::Quantified(_) => {
                if let Kind::Quantified(quantifier) = kind {
                    self.word(quantifier.text());
                }
                self.word("(");
                self.list(self.canon.query.children(node), " ");
                self.word(")");
            }
            Kind::Query => {
                let view = View::as_written(self.canon.query, node);
                self.query(node, &view);
            }
            _ => {}
        }
    }

    /// What a name refers to: a source by the name that all templates have for it.
    fn reference(&mut self, node: NodeId) {
        let name = self.canon.query.slice(node);
        match self.canon.bound(name) {
            Some(bound) => self.word(&alias(bound)),
            None => self.name(name),
        }
    }

    fn path(&mut self, node: NodeId) {
        for (i, step) in self.canon.query.children(node).enumerate() {
            match self.kind(step) {
                Kind::Name if i == 0 && self.kind(node) == Kind::Collection => {
                    let name = self.canon.query.slice(step);
                    match self.canon.bound(name) {
                        Some(bound) => self.word(&alias(bound)),
                        None => self.word("container"),
                    }
                }
                _ if i == 0 => self.expression(step, level::PRIMARY),
                Kind::Field | Kind::Quoted => self.member(self.canon.query.name(step)),
                _ => {
                    self.word("[");
                    self.list(self.canon.query.children(step), " ");
                    self.word("]");
                }
            }
        }
    }

    /// A name that no program's identifier has may be data, as in a map from addresses: it is blanked.
    fn member(&mut self, name: &[u8]) {
        if is_plain(name) {
            self.word(".");
            self.name(name);
        } else {
            self.word("['…']");
        }
    }

    fn object(&mut self, node: NodeId) {
        let query = self.canon.query;
        self.word("{");
        for (i, property) in query.children(node).enumerate() {
            self.word(if i > 0 { ", " } else { "" });
            let mut parts = query.children(property);
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            match query.name(key) {
                key if is_plain(key) => self.name(key),
                _ => self.word("'…'"),
            }
            self.word(": ");
            self.aggregate_or_expression(value);
        }
        self.word("}");
    }

    fn call_of(&mut self, node: NodeId, udf: bool) {
        let name = self.canon.query.first_child(node);
        let name = name.map_or(&[][..], |name| self.canon.query.slice(name));
        if udf {
            self.word("udf.");
            self.name(name);
            self.arguments(node);
        } else {
            self.call(name, node);
        }
    }

    fn call(&mut self, name: &[u8], call: NodeId) {
        self.name(&name.to_ascii_uppercase());
        self.arguments(call);
    }

    fn arguments(&mut self, call: NodeId) {
        self.word("(");
        self.list(self.canon.query.children(call).skip(1), ", ");
        self.word(")");
    }
}

/// An identifier.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && name.first().is_some_and(|byte| !byte.is_ascii_digit())
}

/// `$1`, as the gateway calls what has no name.
fn is_number_of_unnamed(name: &[u8]) -> bool {
    name.strip_prefix(b"$").is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

/// What the source at this place in its scopes is called: `c`, `c2`, …
fn alias(place: usize) -> String {
    if place == 0 { "c".to_owned() } else { format!("c{}", place + 1) }
}
