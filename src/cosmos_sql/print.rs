//! A tree back to text, with the parentheses that its shape needs and no others.
use super::kind::{Direction, Kind, Selection, level};
use super::tree::{NodeId, Query};

/// The query as text in one line, keywords in upper case, names and literals as they stood. Parsing
/// it gives the same tree.
pub fn print(query: &Query<'_>) -> Vec<u8> {
    let mut printer = Printer { query, out: Vec::with_capacity(query.text().len() + 16) };
    printer.query(query.root());
    printer.out
}

struct Printer<'p, 'q> {
    query: &'p Query<'q>,
    out: Vec<u8>,
}

impl Printer<'_, '_> {
    fn word(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn slice(&mut self, node: NodeId) {
        self.out.extend_from_slice(self.query.slice(node));
    }

    fn query(&mut self, node: NodeId) {
        for (i, clause) in self.query.children(node).enumerate() {
            if i > 0 {
                self.word(" ");
            }
            self.clause(clause);
        }
    }

    fn clause(&mut self, node: NodeId) {
        match self.query.kind(node) {
            Kind::Select { distinct, selection } => self.select(node, distinct, selection),
            Kind::From => {
                self.word("FROM ");
                self.list(node, " JOIN ", Self::source);
            }
            Kind::Where => {
                self.word("WHERE ");
                self.list(node, " ", Self::loosest);
            }
            Kind::GroupBy => {
                self.word("GROUP BY ");
                self.list(node, ", ", Self::loosest);
            }
            Kind::OrderBy { rank } => {
                self.word(if rank { "ORDER BY RANK " } else { "ORDER BY " });
                self.list(node, ", ", Self::order);
            }
            Kind::OffsetLimit => {
                self.word("OFFSET ");
                self.list(node, " LIMIT ", Self::loosest);
            }
            _ => {}
        }
    }

    fn list(&mut self, node: NodeId, between: &str, mut each: impl FnMut(&mut Self, NodeId)) {
        for (i, child) in self.query.children(node).enumerate() {
            if i > 0 {
                self.word(between);
            }
            each(self, child);
        }
    }

    fn select(&mut self, node: NodeId, distinct: bool, selection: Selection) {
        self.word(if distinct { "SELECT DISTINCT" } else { "SELECT" });
        let mut items = self.query.children(node).peekable();
        if let Some(top) = items.next_if(|&child| self.query.kind(child) == Kind::Top) {
            self.word(" TOP ");
            self.list(top, " ", Self::loosest);
        }
        match selection {
            Selection::Star => self.word(" *"),
            Selection::Value => self.word(" VALUE "),
            Selection::List => self.word(" "),
        }
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.word(", ");
            }
            if self.query.kind(item) == Kind::Item {
                self.list(item, " AS ", Self::loosest);
            } else {
                self.loosest(item);
            }
        }
    }

    fn source(&mut self, node: NodeId) {
        let between = if self.query.kind(node) == Kind::Iterator { " IN " } else { " AS " };
        self.list(node, between, Self::loosest);
    }

    fn order(&mut self, node: NodeId) {
        self.list(node, " ", Self::loosest);
        match self.query.kind(node) {
            Kind::Order(Direction::Ascending) => self.word(" ASC"),
            Kind::Order(Direction::Descending) => self.word(" DESC"),
            _ => {}
        }
    }

    fn loosest(&mut self, node: NodeId) {
        self.expression(node, level::LOOSEST);
    }

    /// An expression, in parentheses if it binds less tightly than `min`.
    fn expression(&mut self, node: NodeId, min: u8) {
        let parenthesised = self.query.kind(node).level() < min;
        if parenthesised {
            self.word("(");
        }
        self.bare(node);
        if parenthesised {
            self.word(")");
        }
    }

    fn bare(&mut self, node: NodeId) {
        let kind = self.query.kind(node);
        match kind {
            Kind::Unary(operator) => {
                self.word(operator.text());
                let operand = self.query.first_child(node);
                // `--` would begin a comment.
                if operand.is_some_and(|operand| self.query.kind(operand) == kind) {
                    self.word(" ");
                }
                self.list(node, " ", |printer, child| printer.expression(child, level::UNARY));
            }
            Kind::Binary(operator) => self.operators(node, kind.level(), operator.text()),
            Kind::And => self.chain(node, " AND "),
            Kind::Or => self.chain(node, " OR "),
            Kind::Conditional => self.conditional(node),
            Kind::Between { .. } | Kind::In { .. } | Kind::InQuery { .. } | Kind::Like { .. } => {
                self.predicate(node, kind);
            }
            _ => self.primary(node, kind),
        }
    }

    fn operators(&mut self, node: NodeId, level: u8, text: &str) {
        for (i, operand) in self.query.children(node).enumerate() {
            if i > 0 {
                self.word(" ");
                self.word(text);
                self.word(" ");
            }
            self.expression(operand, level + u8::from(i > 0));
        }
    }

    fn chain(&mut self, node: NodeId, between: &str) {
        let level = self.query.kind(node).level() + 1;
        self.list(node, between, |printer, child| printer.expression(child, level));
    }

    fn conditional(&mut self, node: NodeId) {
        const PARTS: [(&str, u8); 3] =
            [("", level::CONDITIONAL), (" ? ", level::LOOSEST), (" : ", level::CONDITIONAL + 1)];
        for ((text, level), child) in PARTS.into_iter().zip(self.query.children(node)) {
            self.word(text);
            self.expression(child, level);
        }
    }

    fn predicate(&mut self, node: NodeId, kind: Kind) {
        let mut operands = self.query.children(node);
        if let Some(tested) = operands.next() {
            self.expression(tested, level::PREDICATE + 1);
        }
        let Some((not, word, betweens)) = kind.predicate_words() else { return };
        self.word(if not { " NOT" } else { "" });
        self.word(word);
        let list = word.ends_with('(');
        for (i, operand) in operands.enumerate() {
            self.word(if i > 0 { betweens } else { "" });
            match kind {
                Kind::InQuery { .. } => self.query(operand),
                _ if list => self.loosest(operand),
                _ => self.expression(operand, level::PREDICATE + 1),
            }
        }
        self.word(if list { ")" } else { "" });
    }

    fn primary(&mut self, node: NodeId, kind: Kind) {
        match kind {
            Kind::Array => self.enclosed("[", node, "]"),
            Kind::Object => self.enclosed("{", node, "}"),
            Kind::Property => self.list(node, ": ", Self::loosest),
            Kind::Path | Kind::Collection => self.path(node),
            Kind::Call { udf } => {
                let mut children = self.query.children(node);
                self.word(if udf { "udf." } else { "" });
                if let Some(name) = children.next() {
                    self.slice(name);
                }
                self.word("(");
                for (i, argument) in children.enumerate() {
                    self.word(if i > 0 { ", " } else { "" });
                    self.loosest(argument);
                }
                self.word(")");
            }
            Kind::Quantified(quantifier) => {
                self.word(quantifier.text());
                self.subquery(node);
            }
            Kind::Subquery => self.subquery(node),
            _ => self.slice(node),
        }
    }

    fn enclosed(&mut self, open: &str, node: NodeId, close: &str) {
        self.word(open);
        self.list(node, ", ", Self::loosest);
        self.word(close);
    }

    fn subquery(&mut self, node: NodeId) {
        self.word("(");
        self.list(node, " ", Self::query);
        self.word(")");
    }

    fn path(&mut self, node: NodeId) {
        for (i, step) in self.query.children(node).enumerate() {
            match self.query.kind(step) {
                // `1.x` would be a number and a name.
                Kind::Number if i == 0 => self.enclosed_slice("(", step, ")"),
                _ if i == 0 => self.expression(step, level::PRIMARY),
                Kind::Field => {
                    self.word(".");
                    self.slice(step);
                }
                Kind::Quoted => self.enclosed_slice("[", step, "]"),
                _ => self.index(step),
            }
        }
    }

    fn enclosed_slice(&mut self, open: &str, node: NodeId, close: &str) {
        self.word(open);
        self.slice(node);
        self.word(close);
    }

    /// A string that stood in parentheses is an expression, not a name, and stays one.
    fn index(&mut self, node: NodeId) {
        let string = self.query.first_child(node).map(|child| self.query.kind(child));
        let string = string == Some(Kind::String);
        self.word(if string { "[(" } else { "[" });
        self.list(node, " ", Self::loosest);
        self.word(if string { ")]" } else { "]" });
    }
}
