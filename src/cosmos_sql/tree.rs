//! The tree of a query: nodes in one arena, each with its first child and its next sibling.
//!
//! Parentheses that only group are not in the tree. Chains of `AND` and of `OR` are one node with
//! many children; a chain that stood in parentheses inside of another stays a node of its own.
use super::token::{Span, TokenKind};

/// Place of a node in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

const NONE: u32 = u32::MAX;

/// What a node is; its children in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `Select`, then what there is of `From`, `Where`, `GroupBy`, `OrderBy`, `OffsetLimit`.
    Query,
    /// `Top` if there is one, then nothing, one expression, or `Item`s.
    Select {
        /// `DISTINCT`.
        distinct: bool,
        /// What is selected.
        selection: Selection,
    },
    /// A count.
    Top,
    /// An expression, and its `Alias` if it has one.
    Item,
    /// A name that is given to something.
    Alias,
    /// `Source`s and `Iterator`s, joined.
    From,
    /// `Collection` or `Subquery`, and its `Alias` if it has one.
    Source,
    /// `Alias`, then `Collection` or `Subquery`: `x IN c.children`.
    Iterator,
    /// `Name`, then `Field`, `Quoted` and `Index` steps.
    Collection,
    /// An expression.
    Where,
    /// Expressions.
    GroupBy,
    /// `Order`s.
    OrderBy {
        /// `ORDER BY RANK`.
        rank: bool,
    },
    /// An expression.
    Order(Direction),
    /// Two counts.
    OffsetLimit,
    /// A name that refers to something.
    Name,
    /// `@name`.
    Parameter,
    /// A number without a sign.
    Number,
    /// A string.
    String,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// `undefined`.
    Undefined,
    /// Expressions.
    Array,
    /// `Property`s.
    Object,
    /// `Field` or `Quoted`, then an expression.
    Property,
    /// An expression, then `Field`, `Quoted` and `Index` steps.
    Path,
    /// A property's name without quotes.
    Field,
    /// A property's name as a string; the span includes the quotes.
    Quoted,
    /// An expression between brackets.
    Index,
    /// `Function`, then its arguments.
    Call {
        /// A function of the container's own: `udf.name(…)`.
        udf: bool,
    },
    /// A function's name.
    Function,
    /// One operand.
    Unary(Unary),
    /// Two operands.
    Binary(Binary),
    /// Two or more operands.
    And,
    /// Two or more operands.
    Or,
    /// Condition, then, else.
    Conditional,
    /// What is tested, from, to.
    Between {
        /// `NOT BETWEEN`.
        not: bool,
    },
    /// What is tested, then the list.
    In {
        /// `NOT IN`.
        not: bool,
    },
    /// What is tested, then a `Query`.
    InQuery {
        /// `NOT IN`.
        not: bool,
    },
    /// What is tested, the pattern, and the `String` after `ESCAPE` if there is one.
    Like {
        /// `NOT LIKE`.
        not: bool,
    },
    /// A `Query` in parentheses.
    Subquery,
    /// A `Query` after one of the words.
    Quantified(Quantifier),
}

/// What a query selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selection {
    /// `*`
    Star,
    /// `VALUE` and an expression.
    Value,
    /// A list.
    List,
}

/// Direction of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// None was written; it is ascending.
    Unsaid,
    /// `ASC`.
    Ascending,
    /// `DESC`.
    Descending,
}

/// Words that take a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// `EXISTS`.
    Exists,
    /// `ARRAY`.
    Array,
    /// `ALL`.
    All,
    /// `FIRST`.
    First,
    /// `LAST`.
    Last,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `~`
    BitNot,
    /// `NOT`
    Not,
}

/// Operators with two operands, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `??`
    Coalesce,
    /// `||`
    Concat,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `&`
    BitAnd,
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `>>>`
    ShiftRightZero,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// How tightly operators bind; the higher, the tighter. The order is that of the alternatives in
/// the published grammar, with the service's shifts where C and JavaScript have them.
pub(super) mod level {
    pub const LOOSEST: u8 = 0;
    pub const COALESCE: u8 = 1;
    pub const CONDITIONAL: u8 = 2;
    pub const OR: u8 = 3;
    pub const AND: u8 = 4;
    /// `BETWEEN`, `IN`, `LIKE`: none of them takes another as its operand.
    pub const PREDICATE: u8 = 5;
    pub const CONCAT: u8 = 6;
    pub const UNARY: u8 = 15;
    pub const PRIMARY: u8 = 16;
}

impl Binary {
    /// The operator that a token is.
    pub(super) fn of(kind: TokenKind) -> Option<Binary> {
        use TokenKind as T;
        Some(match kind {
            T::Coalesce => Binary::Coalesce,
            T::Concat => Binary::Concat,
            T::Pipe => Binary::BitOr,
            T::Caret => Binary::BitXor,
            T::Ampersand => Binary::BitAnd,
            T::Equal => Binary::Equal,
            T::NotEqual => Binary::NotEqual,
            T::Less => Binary::Less,
            T::LessEqual => Binary::LessEqual,
            T::Greater => Binary::Greater,
            T::GreaterEqual => Binary::GreaterEqual,
            T::ShiftLeft => Binary::ShiftLeft,
            T::ShiftRight => Binary::ShiftRight,
            T::ShiftRightZero => Binary::ShiftRightZero,
            T::Plus => Binary::Add,
            T::Minus => Binary::Subtract,
            T::Star => Binary::Multiply,
            T::Slash => Binary::Divide,
            T::Percent => Binary::Modulo,
            _ => return None,
        })
    }

    /// How tightly it binds.
    pub(super) fn level(self) -> u8 {
        use Binary as B;
        match self {
            B::Coalesce => level::COALESCE,
            B::Concat => level::CONCAT,
            B::BitOr => 7,
            B::BitXor => 8,
            B::BitAnd => 9,
            B::Equal | B::NotEqual => 10,
            B::Less | B::LessEqual | B::Greater | B::GreaterEqual => 11,
            B::ShiftLeft | B::ShiftRight | B::ShiftRightZero => 12,
            B::Add | B::Subtract => 13,
            B::Multiply | B::Divide | B::Modulo => 14,
        }
    }

    /// How it is written.
    pub fn text(self) -> &'static str {
        use Binary as B;
        match self {
            B::Coalesce => "??",
            B::Concat => "||",
            B::BitOr => "|",
            B::BitXor => "^",
            B::BitAnd => "&",
            B::Equal => "=",
            B::NotEqual => "!=",
            B::Less => "<",
            B::LessEqual => "<=",
            B::Greater => ">",
            B::GreaterEqual => ">=",
            B::ShiftLeft => "<<",
            B::ShiftRight => ">>",
            B::ShiftRightZero => ">>>",
            B::Add => "+",
            B::Subtract => "-",
            B::Multiply => "*",
            B::Divide => "/",
            B::Modulo => "%",
        }
    }
}

impl Unary {
    /// How it is written, with the blank that a word needs.
    pub fn text(self) -> &'static str {
        match self {
            Unary::Minus => "-",
            Unary::Plus => "+",
            Unary::BitNot => "~",
            Unary::Not => "NOT ",
        }
    }
}

impl Quantifier {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Quantifier::Exists => "EXISTS",
            Quantifier::Array => "ARRAY",
            Quantifier::All => "ALL",
            Quantifier::First => "FIRST",
            Quantifier::Last => "LAST",
        }
    }
}

impl Kind {
    /// How tightly an expression of this kind binds.
    pub(super) fn level(self) -> u8 {
        match self {
            Kind::Conditional => level::CONDITIONAL,
            Kind::Or => level::OR,
            Kind::And => level::AND,
            Kind::Between { .. } | Kind::In { .. } | Kind::InQuery { .. } | Kind::Like { .. } => {
                level::PREDICATE
            }
            Kind::Binary(operator) => operator.level(),
            Kind::Unary(_) => level::UNARY,
            _ => level::PRIMARY,
        }
    }

    /// Whether it is a literal with a value of its own.
    pub fn is_literal(self) -> bool {
        use Kind::{False, Null, Number, String, True, Undefined};
        matches!(self, Number | String | True | False | Null | Undefined)
    }
}

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Levels below it, itself included.
    pub(super) height: u16,
    /// Where it stands in the text; parentheses around it are not counted in.
    pub span: Span,
    first: u32,
    next: u32,
}

/// The nodes of one query.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) nodes: Vec<Node>,
}

/// Children of a node while they are gathered.
#[derive(Clone, Copy)]
pub(super) struct Children {
    first: u32,
    last: u32,
    height: u16,
}

impl Children {
    pub(super) const NONE: Children = Children { first: NONE, last: NONE, height: 0 };
}

impl Arena {
    /// Appends `node` to `children`. It must not be a child of anything yet.
    pub(super) fn append(&mut self, children: &mut Children, node: NodeId) {
        if let Some(last) = self.nodes.get_mut(children.last as usize) {
            last.next = node.0;
        } else {
            children.first = node.0;
        }
        children.last = node.0;
        let height = self.nodes.get(node.0 as usize).map_or(0, |node| node.height);
        children.height = children.height.max(height);
    }

    /// A new node, and the levels below it.
    pub(super) fn push(&mut self, kind: Kind, span: Span, children: Children) -> (NodeId, u16) {
        let id = NodeId(self.nodes.len() as u32);
        let height = children.height.saturating_add(1);
        self.nodes.push(Node { kind, height, span, first: children.first, next: NONE });
        (id, height)
    }

    pub(super) fn span(&self, node: NodeId) -> Span {
        self.nodes.get(node.0 as usize).map_or(Span::default(), |node| node.span)
    }

    pub(super) fn kind(&self, node: NodeId) -> Option<Kind> {
        self.nodes.get(node.0 as usize).map(|node| node.kind)
    }

    /// The children of `node`, to which others may be appended.
    pub(super) fn reopen(&self, node: NodeId) -> Children {
        let Some(parent) = self.nodes.get(node.0 as usize) else { return Children::NONE };
        let mut last = parent.first;
        while let Some(child) = self.nodes.get(last as usize)
            && child.next != NONE
        {
            last = child.next;
        }
        Children { first: parent.first, last, height: parent.height.saturating_sub(1) }
    }
}

/// A parsed query: its text, tokens, comments and tree. Its `Debug` shows none of the text.
#[derive(Clone, Copy)]
pub struct Query<'q> {
    pub(super) text: &'q [u8],
    pub(super) tokens: &'q [super::Token],
    pub(super) comments: &'q [Span],
    pub(super) nodes: &'q [Node],
    pub(super) root: NodeId,
}

impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("bytes", &self.text.len())
            .field("tokens", &self.tokens.len())
            .field("nodes", &self.nodes.len())
            .field("comments", &self.comments.len())
            .finish_non_exhaustive()
    }
}

const NO_NODE: Node = Node {
    kind: Kind::Undefined,
    height: 0,
    span: Span { start: 0, end: 0 },
    first: NONE,
    next: NONE,
};

impl<'q> Query<'q> {
    /// The text that was parsed.
    pub fn text(&self) -> &'q [u8] {
        self.text
    }

    /// All tokens, the end included.
    pub fn tokens(&self) -> &'q [super::Token] {
        self.tokens
    }

    /// Comments to the end of a line, each with its dashes.
    pub fn comments(&self) -> &'q [Span] {
        self.comments
    }

    /// The whole query's node.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &'q Node {
        self.nodes.get(id.0 as usize).unwrap_or(&NO_NODE)
    }

    /// What a node is.
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind
    }

    /// The text of a node.
    pub fn slice(&self, id: NodeId) -> &'q [u8] {
        self.node(id).span.of(self.text)
    }

    /// The children of a node, in order.
    pub fn children(&self, id: NodeId) -> ChildIter<'q> {
        ChildIter { nodes: self.nodes, next: self.node(id).first }
    }

    /// The first child of a node.
    pub fn first_child(&self, id: NodeId) -> Option<NodeId> {
        self.children(id).next()
    }

    /// The clause of a query that `wanted` picks.
    pub fn clause(&self, query: NodeId, wanted: impl Fn(Kind) -> bool) -> Option<NodeId> {
        self.children(query).find(|&child| wanted(self.kind(child)))
    }

    /// The name that a `Field` or `Quoted` step, or an object's key, is: raw, without its quotes.
    pub fn name(&self, id: NodeId) -> &'q [u8] {
        let slice = self.slice(id);
        match self.kind(id) {
            Kind::Quoted | Kind::String => slice.get(1..slice.len().max(2) - 1).unwrap_or_default(),
            _ => slice,
        }
    }
}

/// The children of a node.
#[derive(Clone)]
pub struct ChildIter<'q> {
    nodes: &'q [Node],
    next: u32,
}

impl Iterator for ChildIter<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let id = self.next;
        self.next = self.nodes.get(id as usize)?.next;
        Some(NodeId(id))
    }
}
