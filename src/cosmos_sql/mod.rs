//! The query language of Cosmos DB for NoSQL: text to tokens to a tree, and back to text.
//!
//! Built from the grammar that Microsoft publishes with its .NET client
//! (`Microsoft.Azure.Cosmos/src/Query/Core/Parser/sql.g4`), and from what the service takes beyond
//! it: `IN (subquery)`, `<>`, shifts, hexadecimal numbers, comments from `--` to the end of the
//! line, object keys and aliases without quotes and `AS`. What the service refuses is refused:
//! `/* */`, `;`, `UNION`, a doubled quote inside of a string.
//!
//! It is more lenient in two things: any word may follow a dot, `c.order` too, and `rank` is a name
//! except before a function behind `ORDER BY`, as it was before it became a keyword; the published
//! grammar has neither. Whether a query was answered is known from its status, not from here.
//!
//! Pure, without allocation once a [`Workspace`] is warm, and bounded: texts, tokens and nesting
//! beyond `limits.rs` are refused. Nothing here prints a literal's value: errors have places and
//! kinds, `Debug` has counts.
mod error;
mod expression;
mod fold;
mod insertion;
mod kind;
mod lexer;
mod parser;
mod print;
mod read;
mod redact;
mod signs;
pub mod template;
#[cfg(test)]
mod tests;
mod token;
mod tree;

pub use error::{Expected, Reason, SqlError};
pub use insertion::{changes_logic, within};
pub use kind::{Binary, Direction, Kind, Quantifier, Selection, Unary};
pub use print::print;
pub use read::{Inspection, Reader};
pub use signs::Seen;
pub use token::{Span, Token, TokenKind};
pub use tree::{ChildIter, Node, NodeId, Query};

use crate::limits;

/// Buffers that are reused from one query to the next.
#[derive(Default)]
pub struct Workspace {
    tokens: Vec<Token>,
    comments: Vec<Span>,
    arena: tree::Arena,
}

impl Workspace {
    /// An empty one; it grows to the largest query that it sees, within the limits.
    pub fn new() -> Self {
        Workspace::default()
    }

    /// Parses `text`, any bytes.
    ///
    /// # Errors
    ///
    /// When it is no query, or too large to be looked at: the place and the reason. [`tokens`] and
    /// [`comments`] hold what there is of it even then.
    ///
    /// [`tokens`]: Workspace::tokens
    /// [`comments`]: Workspace::comments
    pub fn parse<'q>(&'q mut self, text: &'q [u8]) -> Result<Query<'q>, SqlError> {
        self.tokens.clear();
        self.comments.clear();
        self.arena.nodes.clear();
        if text.len() > limits::QUERY_TEXT_BYTES_MAX {
            return Err(SqlError { at: 0, reason: Reason::TooLong });
        }
        let whole =
            lexer::lex(text, &mut self.tokens, &mut self.comments, limits::QUERY_TOKENS_MAX);
        if !whole {
            let at = self.tokens.last().map_or(0, |token| token.span.start);
            return Err(SqlError { at, reason: Reason::TooManyTokens });
        }
        let root = parser::Parser::new(text, &self.tokens, &mut self.arena).program()?;
        Ok(Query {
            text,
            tokens: &self.tokens,
            comments: &self.comments,
            nodes: &self.arena.nodes,
            root,
        })
    }

    /// The tokens of the last text, whether it was a query or not.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The comments of the last text, whether it was a query or not.
    pub fn comments(&self) -> &[Span] {
        &self.comments
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}
