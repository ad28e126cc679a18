//! A query as a short sequence of small numbers, for asking whether one query is another with
//! something put in the place of a literal.
//!
//! Made of tokens, not of the tree, so that refused texts have one too. Parentheses and `AS` are
//! left out (a rewritten query has more of them), a literal is its type, lists of like literals are
//! one, `["x"]` is `.x`, a number's sign is left out, names are 15 bits of a hash.
use xxhash_rust::xxh3::xxh3_64;

use super::Scratch;
use super::rewriting::View;
use crate::cosmos_sql::Workspace;
use crate::cosmos_sql::lexer::lex;
use crate::cosmos_sql::token::{Span, Token, TokenKind};
use crate::cosmos_sql::tree::Query;
use crate::limits;

/// One number of a sequence: below [`NAME`] a kind of token, from there on a name.
pub(in crate::cosmos_sql) const NAME: u16 = 0x8000;

/// The number of a name; functions in capitals.
pub(in crate::cosmos_sql) fn name_of(name: &[u8]) -> u16 {
    NAME | (xxh3_64(name) >> 49) as u16
}

/// The tokens of a text, and where each stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    /// One number a token. What is kept of a template.
    pub tokens: Vec<u16>,
    /// Where they stand in the text; of a list, all of it.
    pub spans: Vec<Span>,
    /// Ways to read what the last comment hides: from its beginning, and from behind each of its
    /// first quotes. Empty without a comment.
    pub hidden: Vec<Vec<u16>>,
    /// Brackets that are no token here: where each stands, and whether it opens.
    pub brackets: Vec<(u32, bool)>,
    /// The text ends in a string that is not closed.
    pub unclosed: bool,
    /// All tokens are here: there were not more than [`limits::TEMPLATE_TOKENS_MAX`].
    pub whole: bool,
}

impl Sequence {
    /// That of a query, without what the gateway has put into its `WHERE`.
    pub fn of_query(query: &Query<'_>, scratch: &mut Scratch) -> Sequence {
        let added = View::of(query, scratch).added;
        sequence(query.text(), query.tokens(), query.comments(), added)
    }

    /// That of the text that `workspace` was last asked to parse, and refused.
    pub fn of_refused(text: &[u8], workspace: &Workspace) -> Sequence {
        sequence(text, workspace.tokens(), workspace.comments(), [None; 2])
    }
}

/// Whether a number of a sequence is a literal's type.
pub(super) fn is_literal(token: u16) -> bool {
    use TokenKind::{Null, Number, String, True, Undefined};
    [Number, String, True, Null, Undefined].iter().any(|&kind| token == kind as u16)
}

fn sequence(
    text: &[u8],
    tokens: &[Token],
    comments: &[Span],
    added: [Option<Span>; 2],
) -> Sequence {
    let mut writer = Writer { text, tokens, out: Sequence::default() };
    writer.all(added);
    let last = tokens.iter().rev().find(|token| token.kind != TokenKind::End);
    let last = last.map_or(0, |token| token.span.end);
    if let Some(comment) = comments.last().filter(|comment| comment.start >= last) {
        writer.out.hidden = hidden(comment.of(text).get(2..).unwrap_or_default());
    }
    writer.out
}

/// Quotes of a comment behind which it is read: input seldom has more.
const HIDDEN_QUOTES_MAX: usize = 4;

fn hidden(comment: &[u8]) -> Vec<Vec<u16>> {
    let quotes = comment.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\''));
    let starts = quotes.map(|(at, _)| at + 1).take(HIDDEN_QUOTES_MAX);
    let readings = std::iter::once(0).chain(starts).map(|start| {
        let text = comment.get(start..).unwrap_or_default();
        let mut tokens = Vec::new();
        lex(text, &mut tokens, &mut Vec::new(), limits::TEMPLATE_TOKENS_MAX);
        let mut writer = Writer { text, tokens: &tokens, out: Sequence::default() };
        writer.all([None; 2]);
        writer.out.tokens
    });
    readings.collect()
}

struct Writer<'w> {
    text: &'w [u8],
    tokens: &'w [Token],
    out: Sequence,
}

impl Writer<'_> {
    fn kind(&self, at: Option<usize>) -> TokenKind {
        at.and_then(|at| self.tokens.get(at)).map_or(TokenKind::End, |token| token.kind)
    }

    fn all(&mut self, added: [Option<Span>; 2]) {
        self.out.whole = true;
        for at in 0..self.tokens.len() {
            if !self.out.whole {
                return;
            }
            self.token(at, added);
        }
    }

    fn token(&mut self, at: usize, added: [Option<Span>; 2]) {
        use TokenKind as T;
        let Some(&token) = self.tokens.get(at) else { return };
        let inside = |span: Span| span.start <= token.span.start && token.span.end <= span.end;
        if let Some(span) = added.into_iter().flatten().find(|&span| inside(span)) {
            self.forget_word_before(token.span.start == span.start);
            return;
        }
        let before = at.checked_sub(1);
        let next = self.kind(Some(at + 1));
        match token.kind {
            T::End | T::As => {}
            T::ParenOpen | T::ParenClose => self.bracket(token),
            T::UnterminatedString => {
                self.out.unclosed = true;
                self.push(T::UnterminatedString as u16, token.span);
            }
            T::True | T::False => self.literal(T::True, token.span),
            T::Number | T::Null | T::Undefined => self.literal(token.kind, token.span),
            T::String if self.is_key(before, next) || self.is_member(before, next) => {
                let span = token.span;
                let inner = Span { start: span.start + 1, end: span.end.saturating_sub(1) };
                self.name(inner.of(self.text), span);
            }
            T::String => self.literal(T::String, token.span),
            T::BracketOpen
                if self.kind(Some(at + 1)) == T::String
                    && self.is_member(Some(at), self.kind(Some(at + 2))) =>
            {
                self.bracket(token);
                self.push(T::Dot as u16, token.span);
            }
            T::BracketClose
                if self.kind(before) == T::String
                    && self.is_member(at.checked_sub(2), T::BracketClose) =>
            {
                self.bracket(token);
            }
            T::Minus | T::Plus if next == T::Number && !self.ends_operand(before) => {}
            T::Identifier if next == T::ParenOpen => {
                let folded = token.span.of(self.text).to_ascii_uppercase();
                self.name(&folded, token.span);
            }
            kind if kind.is_name() => self.name(token.span.of(self.text), token.span),
            T::Parameter => self.push(T::Parameter as u16, token.span),
            kind => self.push(kind as u16, token.span),
        }
    }

    /// The `AND` or `WHERE` before a condition that is left out.
    fn forget_word_before(&mut self, first: bool) {
        let word = self.out.tokens.last().copied();
        let forgotten = [TokenKind::And, TokenKind::Where].map(|kind| Some(kind as u16));
        if first && forgotten.contains(&word) {
            self.out.tokens.pop();
            self.out.spans.pop();
        }
    }

    fn bracket(&mut self, token: Token) {
        let opens = matches!(token.kind, TokenKind::ParenOpen | TokenKind::BracketOpen);
        self.out.brackets.push((token.span.start, opens));
    }

    fn push(&mut self, token: u16, span: Span) {
        if self.out.tokens.len() >= limits::TEMPLATE_TOKENS_MAX {
            self.out.whole = false;
            return;
        }
        self.out.tokens.push(token);
        self.out.spans.push(span);
    }

    fn name(&mut self, name: &[u8], span: Span) {
        self.push(name_of(name), span);
    }

    /// A literal; the next one of its type in a list is one with it.
    fn literal(&mut self, kind: TokenKind, span: Span) {
        let listed = [kind as u16, TokenKind::Comma as u16];
        if self.out.tokens.ends_with(&listed) {
            self.out.tokens.pop();
            self.out.spans.pop();
            if let Some(last) = self.out.spans.last_mut() {
                *last = last.to(span);
            }
            return;
        }
        self.push(kind as u16, span);
    }

    /// `{"x": …`
    fn is_key(&self, before: Option<usize>, next: TokenKind) -> bool {
        next == TokenKind::Colon
            && matches!(self.kind(before), TokenKind::BraceOpen | TokenKind::Comma)
    }

    /// `c["x"]`, where `open` is the place of the bracket.
    fn is_member(&self, open: Option<usize>, close: TokenKind) -> bool {
        close == TokenKind::BracketClose
            && self.kind(open) == TokenKind::BracketOpen
            && self.ends_operand(open.and_then(|open| open.checked_sub(1)))
    }

    /// Whether an operand ends here: what follows is an operator, not a sign or a list.
    fn ends_operand(&self, at: Option<usize>) -> bool {
        use TokenKind as T;
        let kind = self.kind(at);
        kind.is_name()
            || kind.is_literal()
            || matches!(kind, T::Parameter | T::ParenClose | T::BracketClose | T::BraceClose)
    }
}
