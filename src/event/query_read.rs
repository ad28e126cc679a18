//! What reading the text of a query gave: its shape and what is odd about it, without its literals.
//! The text itself goes no further than the thread that read it.
use std::sync::Arc;

use crate::ids::Text;

/// Most tokens kept of a query, for comparison with the account's own.
pub const TOKENS_MAX: usize = 256;
/// Most tokens kept of what a comment hides, over all ways to read it, and most such ways.
pub const HIDDEN_TOKENS_MAX: usize = 96;
/// See [`HIDDEN_TOKENS_MAX`].
pub const HIDDEN_READINGS_MAX: usize = 3;
/// Most bytes kept of a template's text.
pub const TEMPLATE_BYTES_MAX: usize = 512;
/// Most signs kept of a query.
pub const SIGNS_MAX: usize = 8;

/// The text of a query. Held only until the templates room has read it; never printed.
#[derive(Clone, PartialEq)]
pub enum QueryText {
    /// None in the log.
    Absent,
    /// The inner JSON parsed; this is the query.
    Parsed(Text),
    /// The inner JSON was broken: kept raw and counted.
    Raw(Text),
}

impl std::fmt::Debug for QueryText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryText::Absent => f.write_str("Absent"),
            QueryText::Parsed(t) => write!(f, "Parsed({} bytes)", t.len()),
            QueryText::Raw(t) => write!(f, "Raw({} bytes)", t.len()),
        }
    }
}

/// In which language a query was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are the APIs'
pub enum QueryLanguage {
    Sql = 0,
    Mongo = 1,
    Cassandra = 2,
    Gremlin = 3,
    Table = 4,
}

impl QueryLanguage {
    /// All, in the order of their numbers.
    pub const ALL: [QueryLanguage; 5] = [
        QueryLanguage::Sql,
        QueryLanguage::Mongo,
        QueryLanguage::Cassandra,
        QueryLanguage::Gremlin,
        QueryLanguage::Table,
    ];
}

/// Something about a query that injections have and programs rarely write. What each is worth is
/// said in the profile, learnt on development data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sign {
    /// A condition that is always true stands under OR: every row matches.
    AlwaysTrueUnderOr = 0,
    /// The whole filter is always true.
    AlwaysTrueFilter = 1,
    /// A comparison between constants, or of a thing with itself, that decides nothing.
    ConstantComparison = 2,
    /// A comment cuts off what follows.
    CommentCutsOff = 3,
    /// Alternatives under OR that together match nearly everything.
    WideAlternatives = 4,
    /// A pattern or range that matches everything.
    MatchesEverything = 5,
    /// A subquery inside of a condition.
    SubqueryInCondition = 6,
    /// A user-defined function inside of a condition.
    FunctionCallInCondition = 7,
    /// Characters of a value are probed one by one.
    BlindProbe = 8,
    /// A function or keyword of another database's language.
    ForeignDialect = 9,
    /// Arithmetic on or joining of quoted fragments.
    FragmentArithmetic = 10,
    /// It equals a known query with something put in at the place of a literal.
    Insertion = 11,
    /// A condition of the known query is gone.
    LostCondition = 12,
    /// It returns more properties than the known query.
    WiderProjection = 13,
    /// A condition operator where the account's commands have a plain value.
    OperatorForValue = 14,
    /// Code that is executed by the server.
    ServerSideCode = 15,
    /// Quotes or brackets do not match: text broke out of a literal, or nearly so.
    Unbalanced = 16,
    /// Syntax that is refused here and that injection payloads carry (`UNION`, `;`, `/* */`).
    PayloadSyntax = 17,
    /// An OR stands beside an AND without brackets.
    LooseOr = 18,
    /// AND or OR stands where a value belongs: in an argument, a list, an order.
    LogicInValue = 19,
    /// A condition of constants that nobody writes: two texts compared, a bare number, a function of
    /// constants.
    StrayConstant = 20,
}

impl Sign {
    /// All, in the order of their numbers.
    pub const ALL: [Sign; 21] = [
        Sign::AlwaysTrueUnderOr,
        Sign::AlwaysTrueFilter,
        Sign::ConstantComparison,
        Sign::CommentCutsOff,
        Sign::WideAlternatives,
        Sign::MatchesEverything,
        Sign::SubqueryInCondition,
        Sign::FunctionCallInCondition,
        Sign::BlindProbe,
        Sign::ForeignDialect,
        Sign::FragmentArithmetic,
        Sign::Insertion,
        Sign::LostCondition,
        Sign::WiderProjection,
        Sign::OperatorForValue,
        Sign::ServerSideCode,
        Sign::Unbalanced,
        Sign::PayloadSyntax,
        Sign::LooseOr,
        Sign::LogicInValue,
        Sign::StrayConstant,
    ];

    /// The name in output and in the profile.
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::AlwaysTrueUnderOr => "always-true-under-or",
            Sign::AlwaysTrueFilter => "always-true-filter",
            Sign::ConstantComparison => "constant-comparison",
            Sign::CommentCutsOff => "comment-cuts-off",
            Sign::WideAlternatives => "wide-alternatives",
            Sign::MatchesEverything => "matches-everything",
            Sign::SubqueryInCondition => "subquery-in-condition",
            Sign::FunctionCallInCondition => "function-call-in-condition",
            Sign::BlindProbe => "blind-probe",
            Sign::ForeignDialect => "foreign-dialect",
            Sign::FragmentArithmetic => "fragment-arithmetic",
            Sign::Insertion => "insertion",
            Sign::LostCondition => "lost-condition",
            Sign::WiderProjection => "wider-projection",
            Sign::OperatorForValue => "operator-for-value",
            Sign::ServerSideCode => "server-side-code",
            Sign::Unbalanced => "unbalanced",
            Sign::PayloadSyntax => "payload-syntax",
            Sign::LooseOr => "loose-or",
            Sign::LogicInValue => "logic-in-value",
            Sign::StrayConstant => "stray-constant",
        }
    }
    /// Bit in a set of signs.
    pub fn bit(self) -> u32 {
        1 << self as u32
    }
    /// The signs of a set, in the order of their numbers.
    pub fn of_bits(bits: u32) -> impl Iterator<Item = Sign> {
        Sign::ALL.into_iter().filter(move |s| bits & s.bit() != 0)
    }
}

/// A sign and the bytes of the query that show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marked {
    /// Which.
    pub sign: Sign,
    /// First byte.
    pub begin: u32,
    /// Byte after the last.
    pub end: u32,
}

/// Why a text is no query, without a byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Byte at which reading stopped.
    pub offset: u32,
    /// What was wrong, in our words.
    pub reason: Text,
}

/// What the text of one query says. Holds no literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRead {
    /// Its language.
    pub language: QueryLanguage,
    /// Hash of the template: the query with its literals blanked, written canonically.
    pub shape: u64,
    /// Hash of what stands before the filter.
    pub skeleton: u64,
    /// Why it does not parse; its shape is then that of its tokens.
    pub failure: Option<Failure>,
    /// Literals that stand in the text; none where all values are parameters.
    pub literals: u16,
    /// Parameters.
    pub parameters: u16,
    /// The canonical query as numbers, one a token, at most [`TOKENS_MAX`]; none of a longer one.
    pub tokens: Arc<[u16]>,
    /// Where each of `tokens` begins in `template`; [`u16::MAX`] where that does not reach.
    pub starts: Box<[u16]>,
    /// Ways to read what its last comment hides, as `tokens`; together at most
    /// [`HIDDEN_TOKENS_MAX`].
    pub hidden: Box<[Box<[u16]>]>,
    /// It ends in a string that is not closed.
    pub unclosed: bool,
    /// The template's text, at most [`TEMPLATE_BYTES_MAX`] bytes.
    pub template: Text,
    /// What is odd, ascending, at most [`SIGNS_MAX`]. Bytes are of `template` where it has them.
    pub marked: Box<[Marked]>,
}

impl QueryRead {
    /// Its signs as a set.
    pub fn signs(&self) -> u32 {
        self.marked.iter().fold(0, |bits, m| bits | m.sign.bit())
    }
    /// Heap bytes, the template's text included.
    pub fn heap_bytes(&self) -> usize {
        let hidden = self.hidden.iter().map(|h| size_of::<Box<[u16]>>() + size_of_val(&**h));
        size_of_val(&*self.tokens)
            + size_of_val(&*self.starts)
            + hidden.sum::<usize>()
            + self.template.len()
            + size_of_val(&*self.marked)
    }
    /// Most of [`QueryRead::heap_bytes`].
    pub const HEAP_MAX: usize = TOKENS_MAX * 4
        + HIDDEN_TOKENS_MAX * 2
        + HIDDEN_READINGS_MAX * size_of::<Box<[u16]>>()
        + TEMPLATE_BYTES_MAX
        + SIGNS_MAX * size_of::<Marked>();
}
