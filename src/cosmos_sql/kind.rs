//! What a node of the tree is, its operators, and how tightly they bind.
use super::token::TokenKind;

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
    /// Of a predicate: whether it is negated, the word behind what is tested, and what stands between
    /// further operands. A word that ends in a bracket asks for its closing one.
    pub fn predicate_words(self) -> Option<(bool, &'static str, &'static str)> {
        match self {
            Kind::Between { not } => Some((not, " BETWEEN ", " AND ")),
            Kind::Like { not } => Some((not, " LIKE ", " ESCAPE ")),
            Kind::In { not } | Kind::InQuery { not } => Some((not, " IN (", ", ")),
            _ => None,
        }
    }

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
