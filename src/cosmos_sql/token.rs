//! The words and signs of the query language, and where they stand in a text.

/// A stretch of bytes of the query text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of `text` here; empty where the span does not lie within it.
    pub fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The smallest span around both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One token with its place. 12 bytes: a query has dozens, and they are kept for lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is, quotes and the sign of a parameter included.
    pub span: Span,
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a token is. The order is part of stored token sequences: append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum TokenKind {
            $($(#[$doc])* $name,)*
        }

        impl TokenKind {
            /// How messages name it. Never the text itself.
            pub fn text(self) -> &'static str {
                match self { $(TokenKind::$name => $text,)* }
            }
        }
    };
}

tokens! {
    /// The end of the text; the last token of every sequence.
    End = "the end",
    /// A name that is no keyword.
    Identifier = "a name",
    /// `@name`.
    Parameter = "a parameter",
    /// A number, without its sign.
    Number = "a number",
    /// A string with its quotes.
    String = "a string",
    /// `true`, in lower case only.
    True = "`true`",
    /// `false`, in lower case only.
    False = "`false`",
    /// `null`, in lower case only.
    Null = "`null`",
    /// `undefined`, in lower case only.
    Undefined = "`undefined`",
    /// `udf`, in lower case only.
    Udf = "`udf`",
    /// Keyword, in any case; so are those that follow.
    All = "`ALL`",
    /// Keyword.
    And = "`AND`",
    /// Keyword.
    Array = "`ARRAY`",
    /// Keyword.
    As = "`AS`",
    /// Keyword.
    Asc = "`ASC`",
    /// Keyword.
    Between = "`BETWEEN`",
    /// Keyword.
    By = "`BY`",
    /// Keyword.
    Desc = "`DESC`",
    /// Keyword.
    Distinct = "`DISTINCT`",
    /// Keyword.
    Escape = "`ESCAPE`",
    /// Keyword.
    Exists = "`EXISTS`",
    /// Keyword.
    First = "`FIRST`",
    /// Keyword.
    From = "`FROM`",
    /// Keyword.
    Group = "`GROUP`",
    /// Keyword.
    In = "`IN`",
    /// Keyword.
    Join = "`JOIN`",
    /// Keyword.
    Last = "`LAST`",
    /// Keyword.
    Left = "`LEFT`",
    /// Keyword.
    Like = "`LIKE`",
    /// Keyword.
    Limit = "`LIMIT`",
    /// Keyword.
    Not = "`NOT`",
    /// Keyword.
    Offset = "`OFFSET`",
    /// Keyword.
    Or = "`OR`",
    /// Keyword.
    Order = "`ORDER`",
    /// Keyword.
    Rank = "`RANK`",
    /// Keyword.
    Right = "`RIGHT`",
    /// Keyword.
    Select = "`SELECT`",
    /// Keyword.
    Top = "`TOP`",
    /// Keyword.
    Value = "`VALUE`",
    /// Keyword.
    Where = "`WHERE`",
    /// Sign; so are those that follow.
    Comma = "`,`",
    /// Sign.
    Dot = "`.`",
    /// Sign.
    Colon = "`:`",
    /// Sign.
    Question = "`?`",
    /// Sign.
    Coalesce = "`??`",
    /// Sign.
    ParenOpen = "`(`",
    /// Sign.
    ParenClose = "`)`",
    /// Sign.
    BracketOpen = "`[`",
    /// Sign.
    BracketClose = "`]`",
    /// Sign.
    BraceOpen = "`{`",
    /// Sign.
    BraceClose = "`}`",
    /// Sign.
    Star = "`*`",
    /// Sign.
    Slash = "`/`",
    /// Sign.
    Percent = "`%`",
    /// Sign.
    Plus = "`+`",
    /// Sign.
    Minus = "`-`",
    /// Sign.
    Tilde = "`~`",
    /// Sign.
    Less = "`<`",
    /// Sign.
    LessEqual = "`<=`",
    /// Sign.
    Greater = "`>`",
    /// Sign.
    GreaterEqual = "`>=`",
    /// Sign.
    Equal = "`=`",
    /// `!=` or `<>`.
    NotEqual = "`!=`",
    /// Sign.
    Ampersand = "`&`",
    /// Sign.
    Caret = "`^`",
    /// Sign.
    Pipe = "`|`",
    /// `||`, which joins strings.
    Concat = "`||`",
    /// Sign.
    ShiftLeft = "`<<`",
    /// Sign.
    ShiftRight = "`>>`",
    /// Sign.
    ShiftRightZero = "`>>>`",
    /// `;`, which the language does not have.
    Semicolon = "`;`",
    /// `/* … */`, which the service refuses.
    BlockComment = "a block comment",
    /// A string that is not closed; it reaches to the end of the text.
    UnterminatedString = "a string that is not closed",
    /// A string with an escape that the language does not have.
    BadEscape = "a string with an unknown escape",
    /// A string with a control character in it.
    ControlCharacter = "a string with a control character",
    /// A byte that begins nothing.
    Unknown = "a character that begins nothing",
}

impl TokenKind {
    /// Whether it is a literal whose value an application may have put there.
    pub fn is_literal(self) -> bool {
        use TokenKind::{False, Null, Number, String, True, Undefined};
        matches!(self, Number | String | True | False | Null | Undefined)
    }

    /// Whether it may stand where a name is wanted: names, and the words that became keywords
    /// after containers had properties of that name.
    pub fn is_name(self) -> bool {
        use TokenKind::{All, First, Identifier, Last, Rank};
        matches!(self, Identifier | All | First | Last | Rank)
    }

    /// Whether it is written as a word, and may so follow a dot: `c.order` is a property.
    pub fn is_word(self) -> bool {
        use TokenKind::{Identifier, Null, True, Udf, Where};
        self == Identifier
            || (True..=Null).contains(&self)
            || (Udf..=Where).contains(&self)
            || self == TokenKind::Undefined
    }
}

/// Up to eight bytes, lower-cased, as one number: keywords are compared as such.
const fn packed(word: &[u8]) -> u64 {
    let mut value = 0;
    let mut i = 0;
    while i < word.len() {
        value = value << 8 | (word[i] | 0x20) as u64;
        i += 1;
    }
    value
}

/// What a word is. `true`, `false`, `null`, `undefined` and `udf` are keywords in lower case only,
/// as the published grammar has it; all others in any case.
pub(super) fn word(bytes: &[u8]) -> TokenKind {
    use TokenKind as T;
    if bytes.len() > 8 {
        return if bytes == b"undefined" { T::Undefined } else { T::Identifier };
    }
    macro_rules! keywords {
        ($($text:literal => $kind:expr,)*) => {
            match packed(bytes) {
                $(value if value == const { packed($text) } => $kind,)*
                _ => return T::Identifier,
            }
        };
    }
    let kind = match bytes.len() {
        2 => keywords! { b"as" => T::As, b"by" => T::By, b"in" => T::In, b"or" => T::Or, },
        3 => keywords! {
            b"and" => T::And, b"all" => T::All, b"asc" => T::Asc, b"not" => T::Not,
            b"top" => T::Top, b"udf" => T::Udf,
        },
        4 => keywords! {
            b"from" => T::From, b"desc" => T::Desc, b"join" => T::Join, b"true" => T::True,
            b"null" => T::Null, b"like" => T::Like, b"last" => T::Last, b"left" => T::Left,
            b"rank" => T::Rank,
        },
        5 => keywords! {
            b"where" => T::Where, b"value" => T::Value, b"order" => T::Order,
            b"false" => T::False, b"limit" => T::Limit, b"group" => T::Group,
            b"array" => T::Array, b"first" => T::First, b"right" => T::Right,
        },
        6 => keywords! {
            b"select" => T::Select, b"offset" => T::Offset, b"exists" => T::Exists,
            b"escape" => T::Escape,
        },
        7 => keywords! { b"between" => T::Between, },
        8 => keywords! { b"distinct" => T::Distinct, },
        _ => return T::Identifier,
    };
    let lower_only = matches!(kind, T::True | T::False | T::Null | T::Udf);
    if lower_only && bytes.iter().any(u8::is_ascii_uppercase) { T::Identifier } else { kind }
}
