//! Expressions, by precedence climbing. Above each function stands its rule of the grammar.
use super::error::{Expected, SqlError};
use super::kind::{Binary, Kind, Quantifier, Unary, level};
use super::parser::{Parsed, Parser};
use super::token::TokenKind;
use super::tree::{Children, NodeId};

impl Parser<'_> {
    /// `scalar_expression : scalar_expression '?' … | scalar_expression '??' … | … BETWEEN … | …`
    ///
    /// Reads operators that bind at least as tightly as `min`. The grammar puts `BETWEEN` outside
    /// of `AND`; the service, like everyone's queries, does not.
    pub(super) fn expression(&mut self, min: u8) -> Parsed {
        self.deeper(|parser| {
            let start = parser.span().start;
            let mut left = parser.unary()?;
            // After a predicate no operator may follow that binds more tightly: it is no operand.
            let mut max = level::PRIMARY;
            loop {
                let kind = parser.peek();
                let Some(level) = parser.infix_level(kind) else { return Ok(left) };
                if level < min || level > max {
                    return Ok(left);
                }
                left = match kind {
                    TokenKind::And => parser.chain(start, left, Kind::And, kind)?,
                    TokenKind::Or => parser.chain(start, left, Kind::Or, kind)?,
                    TokenKind::Question => parser.conditional(start, left)?,
                    _ if level == level::PREDICATE => {
                        max = level::AND;
                        parser.predicate(start, left)?
                    }
                    _ => parser.binary(start, left, kind)?,
                };
            }
        })
    }

    /// How tightly the operator here binds; none if there is none.
    fn infix_level(&self, kind: TokenKind) -> Option<u8> {
        use TokenKind::{And, Between, In, Like, Not, Or, Question};
        match kind {
            Question => Some(level::CONDITIONAL),
            Or => Some(level::OR),
            And => Some(level::AND),
            Between | In | Like => Some(level::PREDICATE),
            Not if matches!(self.peek_at(1), Between | In | Like) => Some(level::PREDICATE),
            _ => Binary::of(kind).map(Binary::level),
        }
    }

    /// `logical_scalar_expression K_AND logical_scalar_expression`, and so on with `K_AND`; the
    /// same for `K_OR`.
    fn chain(&mut self, start: u32, left: NodeId, kind: Kind, word: TokenKind) -> Parsed {
        let mut children = Children::NONE;
        self.arena.append(&mut children, left);
        while self.take(word) {
            let right = self.expression(kind.level() + 1)?;
            self.arena.append(&mut children, right);
        }
        self.node(kind, start, children)
    }

    /// `scalar_expression '?' scalar_expression ':' scalar_expression`
    fn conditional(&mut self, start: u32, condition: NodeId) -> Parsed {
        let mut children = Children::NONE;
        self.arena.append(&mut children, condition);
        self.advance();
        let then = self.expression(level::LOOSEST)?;
        self.arena.append(&mut children, then);
        self.want(TokenKind::Colon)?;
        let otherwise = self.expression(level::CONDITIONAL + 1)?;
        self.arena.append(&mut children, otherwise);
        self.node(Kind::Conditional, start, children)
    }

    /// `binary_scalar_expression operator binary_scalar_expression`
    fn binary(&mut self, start: u32, left: NodeId, kind: TokenKind) -> Parsed {
        let Some(operator) = Binary::of(kind) else {
            return Err(self.unexpected(Expected::Expression));
        };
        let mut children = Children::NONE;
        self.arena.append(&mut children, left);
        self.advance();
        let right = self.expression(operator.level() + 1)?;
        self.arena.append(&mut children, right);
        self.node(Kind::Binary(operator), start, children)
    }

    /// `binary K_NOT? K_BETWEEN binary K_AND binary`, `binary K_NOT? K_IN '(' … ')'`,
    /// `binary K_NOT? K_LIKE binary (K_ESCAPE STRING_LITERAL)?`
    fn predicate(&mut self, start: u32, tested: NodeId) -> Parsed {
        let mut children = Children::NONE;
        self.arena.append(&mut children, tested);
        let not = self.take(TokenKind::Not);
        let word = self.peek();
        self.advance();
        let kind = match word {
            TokenKind::Between => {
                self.operand(&mut children)?;
                self.want(TokenKind::And)?;
                self.operand(&mut children)?;
                Kind::Between { not }
            }
            TokenKind::Like => {
                self.operand(&mut children)?;
                if self.take(TokenKind::Escape) {
                    if self.peek() != TokenKind::String {
                        return Err(self.unexpected(Expected::Token(TokenKind::String)));
                    }
                    self.one_character()?;
                    let escape = self.leaf(Kind::String);
                    self.arena.append(&mut children, escape);
                }
                Kind::Like { not }
            }
            _ => {
                self.want(TokenKind::ParenOpen)?;
                let query = self.peek() == TokenKind::Select;
                if query {
                    let query = self.query()?;
                    self.arena.append(&mut children, query);
                } else {
                    self.expressions(&mut children)?;
                }
                self.want(TokenKind::ParenClose)?;
                if query { Kind::InQuery { not } } else { Kind::In { not } }
            }
        };
        self.node(kind, start, children)
    }

    fn operand(&mut self, children: &mut Children) -> Result<(), SqlError> {
        let operand = self.expression(level::PREDICATE + 1)?;
        self.arena.append(children, operand);
        Ok(())
    }

    /// `scalar_expression_list : scalar_expression (',' scalar_expression)*`
    fn expressions(&mut self, children: &mut Children) -> Result<(), SqlError> {
        self.list(children, |parser| parser.expression(level::LOOSEST))
    }

    /// `unary_scalar_expression : primary_expression | ('-' | '+' | '~' | K_NOT) unary…`
    fn unary(&mut self) -> Parsed {
        let operator = match self.peek() {
            TokenKind::Minus => Unary::Minus,
            TokenKind::Plus => Unary::Plus,
            TokenKind::Tilde => Unary::BitNot,
            TokenKind::Not => Unary::Not,
            _ => return self.postfix(),
        };
        self.deeper(|parser| {
            let start = parser.advance().start;
            let operand = parser.unary()?;
            parser.node_of(Kind::Unary(operator), start, operand)
        })
    }

    /// `primary_expression '.' identifier | primary_expression '[' scalar_expression ']'`, and so
    /// on: one path, also where its beginning stood in parentheses.
    fn postfix(&mut self) -> Parsed {
        let base = self.primary()?;
        let start = self.arena.span(base).start;
        if !matches!(self.peek(), TokenKind::Dot | TokenKind::BracketOpen) {
            return Ok(base);
        }
        let mut children = Children::NONE;
        if self.arena.kind(base) == Some(Kind::Path) {
            children = self.arena.reopen(base);
        } else {
            self.arena.append(&mut children, base);
        }
        loop {
            let open = self.span().start;
            let step = if self.take(TokenKind::Dot) {
                self.field()?
            } else if self.take(TokenKind::BracketOpen) {
                self.index(open)?
            } else {
                return self.node(Kind::Path, start, children);
            };
            self.arena.append(&mut children, step);
        }
    }

    /// `scalar_expression ']'`, where a string alone is a property's name.
    fn index(&mut self, start: u32) -> Parsed {
        let named = self.peek() == TokenKind::String && self.peek_at(1) == TokenKind::BracketClose;
        if named {
            let name = self.leaf(Kind::Quoted);
            self.advance();
            return Ok(name);
        }
        let index = self.expression(level::LOOSEST)?;
        self.want(TokenKind::BracketClose)?;
        self.node_of(Kind::Index, start, index)
    }

    /// `primary_expression : identifier | PARAMETER | literal | '[' … ']' | '{' … '}' | '(' … ')' |
    /// K_EXISTS '(' sql_query ')' | … | function_call_scalar_expression`
    fn primary(&mut self) -> Parsed {
        use TokenKind as T;
        let opens = self.peek_at(1) == T::ParenOpen;
        let opens_query = opens && self.peek_at(2) == T::Select;
        Ok(match self.peek() {
            T::All if opens_query => return self.quantified(Quantifier::All),
            T::First if opens_query => return self.quantified(Quantifier::First),
            T::Last if opens_query => return self.quantified(Quantifier::Last),
            T::Exists => return self.quantified(Quantifier::Exists),
            T::Array => return self.quantified(Quantifier::Array),
            T::Identifier | T::All | T::First | T::Last | T::Rank if opens => return self.call(),
            T::Udf | T::Left | T::Right => return self.call(),
            T::Identifier | T::All | T::First | T::Last | T::Rank => self.leaf(Kind::Name),
            T::Parameter => self.leaf(Kind::Parameter),
            T::String => self.leaf(Kind::String),
            T::Number => self.leaf(Kind::Number),
            T::True => self.leaf(Kind::True),
            T::False => self.leaf(Kind::False),
            T::Null => self.leaf(Kind::Null),
            T::Undefined => self.leaf(Kind::Undefined),
            T::ParenOpen => return self.parenthesised(),
            T::BracketOpen => return self.array(),
            T::BraceOpen => return self.object(),
            _ => return Err(self.unexpected(Expected::Expression)),
        })
    }

    /// `K_EXISTS '(' sql_query ')'` and its likes.
    fn quantified(&mut self, quantifier: Quantifier) -> Parsed {
        let start = self.advance().start;
        self.want(TokenKind::ParenOpen)?;
        if self.peek() != TokenKind::Select {
            return Err(self.unexpected(Expected::Subquery));
        }
        let query = self.query()?;
        self.want(TokenKind::ParenClose)?;
        self.node_of(Kind::Quantified(quantifier), start, query)
    }

    /// `'(' scalar_expression ')' | '(' sql_query ')'`
    fn parenthesised(&mut self) -> Parsed {
        let start = self.advance().start;
        if self.peek() == TokenKind::Select {
            let query = self.query()?;
            self.want(TokenKind::ParenClose)?;
            return self.node_of(Kind::Subquery, start, query);
        }
        let inner = self.expression(level::LOOSEST)?;
        self.want(TokenKind::ParenClose)?;
        Ok(inner)
    }

    /// `'[' scalar_expression_list? ']'`
    fn array(&mut self) -> Parsed {
        let start = self.advance().start;
        let mut children = Children::NONE;
        if self.peek() != TokenKind::BracketClose {
            self.expressions(&mut children)?;
        }
        self.want(TokenKind::BracketClose)?;
        self.node(Kind::Array, start, children)
    }

    /// `'{' (object_property (',' object_property)*)? '}'`
    fn object(&mut self) -> Parsed {
        let start = self.advance().start;
        let mut children = Children::NONE;
        if self.peek() != TokenKind::BraceClose {
            self.list(&mut children, Self::property)?;
        }
        self.want(TokenKind::BraceClose)?;
        self.node(Kind::Object, start, children)
    }

    /// `object_property : STRING_LITERAL ':' scalar_expression`; the service's own reference has
    /// the quotes optional.
    fn property(&mut self) -> Parsed {
        let start = self.span().start;
        let mut children = Children::NONE;
        let key = match self.peek() {
            TokenKind::String => self.leaf(Kind::Quoted),
            kind if kind.is_word() => self.leaf(Kind::Field),
            _ => return Err(self.unexpected(Expected::PropertyName)),
        };
        self.arena.append(&mut children, key);
        self.want(TokenKind::Colon)?;
        let value = self.expression(level::LOOSEST)?;
        self.arena.append(&mut children, value);
        self.node(Kind::Property, start, children)
    }

    /// `function_call_scalar_expression : (K_UDF '.')? identifier '(' scalar_expression_list? ')'
    /// | (K_LEFT | K_RIGHT) '(' scalar_expression_list? ')'`
    pub(super) fn call(&mut self) -> Parsed {
        let start = self.span().start;
        let udf = self.take(TokenKind::Udf);
        if udf {
            self.want(TokenKind::Dot)?;
        }
        let named = self.peek().is_name()
            || (!udf && matches!(self.peek(), TokenKind::Left | TokenKind::Right));
        if !named {
            return Err(self.unexpected(Expected::FunctionCall));
        }
        let mut children = Children::NONE;
        let name = self.leaf(Kind::Function);
        self.arena.append(&mut children, name);
        self.want(TokenKind::ParenOpen)?;
        if self.peek() != TokenKind::ParenClose {
            self.expressions(&mut children)?;
        }
        self.want(TokenKind::ParenClose)?;
        self.node(Kind::Call { udf }, start, children)
    }
}
