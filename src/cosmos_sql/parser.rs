//! Clauses. Above each function stands its rule of the grammar.
use super::error::{Expected, Reason, SqlError};
use super::kind::{Direction, Kind, Selection, level};
use super::token::{Span, Token, TokenKind};
use super::tree::{Arena, Children, NodeId};
use crate::limits;

pub(super) type Parsed = Result<NodeId, SqlError>;

/// A recursive descent over tokens, into an arena.
pub(super) struct Parser<'p> {
    text: &'p [u8],
    tokens: &'p [Token],
    at: usize,
    pub(super) arena: &'p mut Arena,
    /// Calls that are open, whether or not they leave a node: parentheses leave none.
    depth: usize,
}

/// What is read past the last token; the lexer always ends with [`TokenKind::End`].
const END: Token = Token { kind: TokenKind::End, span: Span { start: 0, end: 0 } };

impl<'p> Parser<'p> {
    pub(super) fn new(text: &'p [u8], tokens: &'p [Token], arena: &'p mut Arena) -> Self {
        Parser { text, tokens, at: 0, arena, depth: 0 }
    }

    /// The token `ahead` of here.
    pub(super) fn peek_at(&self, ahead: usize) -> TokenKind {
        self.tokens.get(self.at + ahead).map_or(TokenKind::End, |token| token.kind)
    }

    pub(super) fn peek(&self) -> TokenKind {
        self.peek_at(0)
    }

    /// The place of the token here.
    pub(super) fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(END.span, |token| token.span)
    }

    /// The end of the token before this one.
    pub(super) fn end(&self) -> u32 {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(0, |token| token.span.end)
    }

    /// Goes past the token here, and gives its place.
    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        self.at += 1;
        span
    }

    /// Goes past the token here if it is `kind`.
    pub(super) fn take(&mut self, kind: TokenKind) -> bool {
        let here = self.peek() == kind;
        self.at += usize::from(here);
        here
    }

    pub(super) fn want(&mut self, kind: TokenKind) -> Result<Span, SqlError> {
        if self.peek() == kind {
            return Ok(self.advance());
        }
        Err(self.unexpected(Expected::Token(kind)))
    }

    pub(super) fn unexpected(&self, expected: Expected) -> SqlError {
        let reason = Reason::Unexpected { found: self.peek(), expected };
        SqlError { at: self.span().start, reason }
    }

    /// Runs `rule` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= limits::QUERY_DEPTH_MAX {
            return Err(SqlError { at: self.span().start, reason: Reason::TooDeep });
        }
        self.depth += 1;
        let parsed = rule(self);
        self.depth -= 1;
        parsed
    }

    /// The string here is one character, escaped or not.
    pub(super) fn one_character(&self) -> Result<(), SqlError> {
        let raw = self.span().of(self.text);
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        let one = match inner {
            [b'\\', b'u', hex @ ..] => hex.len() == 4,
            [b'\\', rest @ ..] => rest.len() == 1,
            _ => inner.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() == 1,
        };
        if one {
            return Ok(());
        }
        Err(SqlError { at: self.span().start, reason: Reason::EscapeLength })
    }

    /// A node from `start` to the token before this one.
    pub(super) fn node(&mut self, kind: Kind, start: u32, children: Children) -> Parsed {
        let span = Span { start, end: self.end() };
        let (node, height) = self.arena.push(kind, span, children);
        if usize::from(height) > limits::QUERY_DEPTH_MAX {
            return Err(SqlError { at: start, reason: Reason::TooDeep });
        }
        Ok(node)
    }

    /// A node of the token here, without children; goes past it.
    pub(super) fn leaf(&mut self, kind: Kind) -> NodeId {
        let span = self.advance();
        self.arena.push(kind, span, Children::NONE).0
    }

    pub(super) fn node_of(&mut self, kind: Kind, start: u32, child: NodeId) -> Parsed {
        let mut children = Children::NONE;
        self.arena.append(&mut children, child);
        self.node(kind, start, children)
    }

    /// `rule ( ',' rule )*`
    pub(super) fn list(
        &mut self,
        children: &mut Children,
        mut rule: impl FnMut(&mut Self) -> Parsed,
    ) -> Result<(), SqlError> {
        loop {
            let item = rule(self)?;
            self.arena.append(children, item);
            if !self.take(TokenKind::Comma) {
                return Ok(());
            }
        }
    }

    /// `program : sql_query EOF`
    pub(super) fn program(mut self) -> Parsed {
        let query = self.query()?;
        if self.peek() != TokenKind::End {
            return Err(self.unexpected(Expected::EndOfQuery));
        }
        Ok(query)
    }

    /// `sql_query : select_clause from_clause? where_clause? group_by_clause? order_by_clause?
    /// offset_limit_clause?`
    pub(super) fn query(&mut self) -> Parsed {
        self.deeper(|parser| {
            let start = parser.span().start;
            let mut clauses = Children::NONE;
            let select = parser.select()?;
            parser.arena.append(&mut clauses, select);
            parser.clause(TokenKind::From, &mut clauses, Self::from)?;
            parser.clause(TokenKind::Where, &mut clauses, Self::where_clause)?;
            parser.clause(TokenKind::Group, &mut clauses, Self::group_by)?;
            parser.clause(TokenKind::Order, &mut clauses, Self::order_by)?;
            parser.clause(TokenKind::Offset, &mut clauses, Self::offset_limit)?;
            parser.node(Kind::Query, start, clauses)
        })
    }

    /// `clause?`, known by the word that begins it.
    fn clause(
        &mut self,
        word: TokenKind,
        clauses: &mut Children,
        rule: impl FnOnce(&mut Self) -> Parsed,
    ) -> Result<(), SqlError> {
        if self.peek() == word {
            let clause = rule(self)?;
            self.arena.append(clauses, clause);
        }
        Ok(())
    }

    /// `select_clause : K_SELECT K_DISTINCT? top_spec? selection`,
    /// `top_spec : K_TOP (NUMERIC_LITERAL | PARAMETER)`,
    /// `selection : '*' | K_VALUE scalar_expression | select_item (',' select_item)*`
    fn select(&mut self) -> Parsed {
        let start = self.want(TokenKind::Select)?.start;
        let distinct = self.take(TokenKind::Distinct);
        let mut children = Children::NONE;
        if self.peek() == TokenKind::Top {
            let start = self.advance().start;
            let count = self.count()?;
            let top = self.node_of(Kind::Top, start, count)?;
            self.arena.append(&mut children, top);
        }
        let selection = if self.take(TokenKind::Star) {
            Selection::Star
        } else if self.take(TokenKind::Value) {
            let value = self.expression(level::LOOSEST)?;
            self.arena.append(&mut children, value);
            Selection::Value
        } else {
            self.list(&mut children, Self::item)?;
            Selection::List
        };
        self.node(Kind::Select { distinct, selection }, start, children)
    }

    /// `select_item : scalar_expression (K_AS identifier)?`; the service's own reference has the
    /// `AS` optional.
    fn item(&mut self) -> Parsed {
        let start = self.span().start;
        let mut children = Children::NONE;
        let value = self.expression(level::LOOSEST)?;
        self.arena.append(&mut children, value);
        self.alias(&mut children)?;
        self.node(Kind::Item, start, children)
    }

    /// `(K_AS? identifier)?`
    fn alias(&mut self, children: &mut Children) -> Result<(), SqlError> {
        if self.take(TokenKind::As) && !self.peek().is_name() {
            return Err(self.unexpected(Expected::Name));
        }
        if self.peek().is_name() {
            let alias = self.leaf(Kind::Alias);
            self.arena.append(children, alias);
        }
        Ok(())
    }

    /// `NUMERIC_LITERAL | PARAMETER`. The published grammar has signed numbers here; the service
    /// refuses them ("incorrect syntax near '-'").
    fn count(&mut self) -> Parsed {
        match self.peek() {
            TokenKind::Number => Ok(self.leaf(Kind::Number)),
            TokenKind::Parameter => Ok(self.leaf(Kind::Parameter)),
            _ => Err(self.unexpected(Expected::Count)),
        }
    }

    /// `from_clause : K_FROM collection_expression`,
    /// `collection_expression : … | collection_expression K_JOIN collection_expression`
    fn from(&mut self) -> Parsed {
        let start = self.advance().start;
        let mut sources = Children::NONE;
        loop {
            let source = self.source()?;
            self.arena.append(&mut sources, source);
            if !self.take(TokenKind::Join) {
                return self.node(Kind::From, start, sources);
            }
        }
    }

    /// `collection (K_AS? identifier)? | identifier K_IN collection`
    fn source(&mut self) -> Parsed {
        let start = self.span().start;
        let mut children = Children::NONE;
        if self.peek().is_name() && self.peek_at(1) == TokenKind::In {
            let alias = self.leaf(Kind::Alias);
            self.arena.append(&mut children, alias);
            self.advance();
            let collection = self.collection()?;
            self.arena.append(&mut children, collection);
            return self.node(Kind::Iterator, start, children);
        }
        let collection = self.collection()?;
        self.arena.append(&mut children, collection);
        self.alias(&mut children)?;
        self.node(Kind::Source, start, children)
    }

    /// `collection : identifier path_expression? | '(' sql_query ')'`
    fn collection(&mut self) -> Parsed {
        let start = self.span().start;
        let mut children = Children::NONE;
        if self.take(TokenKind::ParenOpen) {
            let query = self.query()?;
            self.want(TokenKind::ParenClose)?;
            return self.node_of(Kind::Subquery, start, query);
        }
        if !self.peek().is_name() {
            return Err(self.unexpected(Expected::Collection));
        }
        let name = self.leaf(Kind::Name);
        self.arena.append(&mut children, name);
        while let Some(step) = self.path_step()? {
            self.arena.append(&mut children, step);
        }
        self.node(Kind::Collection, start, children)
    }

    /// `'.' identifier | '[' NUMERIC_LITERAL ']' | '[' STRING_LITERAL ']'`
    fn path_step(&mut self) -> Result<Option<NodeId>, SqlError> {
        if self.take(TokenKind::Dot) {
            return self.field().map(Some);
        }
        let start = self.span().start;
        if !self.take(TokenKind::BracketOpen) {
            return Ok(None);
        }
        let step = match self.peek() {
            TokenKind::String => {
                let step = self.leaf(Kind::Quoted);
                self.want(TokenKind::BracketClose)?;
                step
            }
            TokenKind::Number => {
                let number = self.leaf(Kind::Number);
                self.want(TokenKind::BracketClose)?;
                self.node_of(Kind::Index, start, number)?
            }
            _ => return Err(self.unexpected(Expected::Step)),
        };
        Ok(Some(step))
    }

    /// The name after a dot: any word.
    pub(super) fn field(&mut self) -> Parsed {
        if self.peek().is_word() {
            return Ok(self.leaf(Kind::Field));
        }
        Err(self.unexpected(Expected::PropertyName))
    }

    /// `where_clause : K_WHERE scalar_expression`
    fn where_clause(&mut self) -> Parsed {
        let start = self.advance().start;
        let filter = self.expression(level::LOOSEST)?;
        self.node_of(Kind::Where, start, filter)
    }

    /// `group_by_clause : K_GROUP K_BY scalar_expression_list`
    fn group_by(&mut self) -> Parsed {
        let start = self.advance().start;
        self.want(TokenKind::By)?;
        let mut children = Children::NONE;
        self.list(&mut children, |parser| parser.expression(level::LOOSEST))?;
        self.node(Kind::GroupBy, start, children)
    }

    /// `order_by_clause : K_ORDER K_BY order_by_items | K_ORDER K_BY K_RANK score_items`
    fn order_by(&mut self) -> Parsed {
        let start = self.advance().start;
        self.want(TokenKind::By)?;
        // A property may be called `rank`; the keyword is followed by the name of a function.
        let rank = self.peek() == TokenKind::Rank
            && (self.peek_at(1).is_name()
                || matches!(self.peek_at(1), TokenKind::Udf | TokenKind::Left | TokenKind::Right));
        let mut children = Children::NONE;
        if rank {
            self.advance();
            self.list(&mut children, Self::score_item)?;
        } else {
            self.list(&mut children, Self::order_item)?;
        }
        self.node(Kind::OrderBy { rank }, start, children)
    }

    /// `order_by_item : scalar_expression sort_order?`
    fn order_item(&mut self) -> Parsed {
        let start = self.span().start;
        let value = self.expression(level::LOOSEST)?;
        self.direction(start, value)
    }

    /// `score_expression_order_by_item : function_call_scalar_expression sort_order?`
    fn score_item(&mut self) -> Parsed {
        let start = self.span().start;
        let call = self.call()?;
        self.direction(start, call)
    }

    /// `sort_order : K_ASC | K_DESC`
    fn direction(&mut self, start: u32, value: NodeId) -> Parsed {
        let direction = if self.take(TokenKind::Asc) {
            Direction::Ascending
        } else if self.take(TokenKind::Desc) {
            Direction::Descending
        } else {
            Direction::Unsaid
        };
        self.node_of(Kind::Order(direction), start, value)
    }

    /// `offset_limit_clause : K_OFFSET offset_count K_LIMIT limit_count`
    fn offset_limit(&mut self) -> Parsed {
        let start = self.advance().start;
        let mut counts = Children::NONE;
        let offset = self.count()?;
        self.arena.append(&mut counts, offset);
        self.want(TokenKind::Limit)?;
        let limit = self.count()?;
        self.arena.append(&mut counts, limit);
        self.node(Kind::OffsetLimit, start, counts)
    }
}
