//! Why a text is no query, and where. No error carries any of the text.
use std::fmt;

use super::token::TokenKind;
use crate::limits;

/// Why a text was refused, and the place of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlError {
    /// Offset of the first byte that is wrong; the text's length where the end came too soon.
    pub at: u32,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The text is longer than what is looked at.
    TooLong,
    /// More tokens than what is looked at.
    TooManyTokens,
    /// Nested deeper than what is looked at.
    TooDeep,
    /// A string after `ESCAPE` that is not one character.
    EscapeLength,
    /// A token that cannot stand there.
    Unexpected {
        /// What stands there.
        found: TokenKind,
        /// What could have stood there.
        expected: Expected,
    },
}

/// What could have stood at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This token.
    Token(TokenKind),
    /// An expression.
    Expression,
    /// A name.
    Name,
    /// A number or a parameter.
    Count,
    /// The name of a property, in quotes or without.
    PropertyName,
    /// A call of a function.
    FunctionCall,
    /// A subquery.
    Subquery,
    /// A container or a subquery to select from.
    Collection,
    /// A number or a string between brackets.
    Step,
    /// The end of the text, or a clause that follows.
    EndOfQuery,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::Token(kind) => kind.text(),
            Expected::Expression => "an expression",
            Expected::Name => "a name",
            Expected::Count => "a number or a parameter",
            Expected::PropertyName => "the name of a property",
            Expected::FunctionCall => "a call of a function",
            Expected::Subquery => "a subquery",
            Expected::Collection => "a container or a subquery",
            Expected::Step => "a number or a string",
            Expected::EndOfQuery => "the end of the query or its next clause",
        })
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: ", self.at)?;
        match self.reason {
            Reason::TooLong => {
                write!(f, "not looked at: over {} bytes", limits::QUERY_TEXT_BYTES_MAX)
            }
            Reason::TooManyTokens => {
                write!(f, "not looked at: over {} tokens", limits::QUERY_TOKENS_MAX)
            }
            Reason::TooDeep => {
                write!(f, "not looked at: nested over {} deep", limits::QUERY_DEPTH_MAX)
            }
            Reason::EscapeLength => f.write_str("the escape character must be one character"),
            Reason::Unexpected { found, expected } => {
                write!(f, "expected {expected}, found {}", found.text())
            }
        }
    }
}

impl std::error::Error for SqlError {}

impl SqlError {
    /// The text was not looked at, or not to its end: nothing says that it is no query.
    pub fn is_beyond_limits(&self) -> bool {
        !matches!(self.reason, Reason::Unexpected { .. } | Reason::EscapeLength)
    }

    /// Line and column of the place, both from 1; columns count characters.
    pub fn line_column(&self, text: &[u8]) -> (u32, u32) {
        let before = text.get(..self.at as usize).unwrap_or(text);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .filter(|&&byte| byte & 0xc0 != 0x80)
            .count();
        (line as u32, column as u32)
    }
}
