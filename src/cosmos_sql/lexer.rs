//! Bytes to tokens. Never fails: what begins nothing becomes a token that the parser refuses, so
//! that a refused query still has its tokens.
use super::token::{Span, Token, TokenKind, word};

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Other,
    Space,
    Letter,
    Digit,
    Quote,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' | b'\n' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'"' | b'\'' => Class::Quote,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[byte as usize]
}

/// Splits `text` into `tokens`, the last of which is [`TokenKind::End`], and `comments`. Stops
/// at `tokens_max` tokens and says whether all of the text was read.
pub(super) fn lex(
    text: &[u8],
    tokens: &mut Vec<Token>,
    comments: &mut Vec<Span>,
    tokens_max: usize,
) -> bool {
    let mut lexer = Lexer { text, at: 0 };
    loop {
        lexer.skip_space();
        let start = lexer.at;
        let kind = lexer.token();
        let span = Span { start: start as u32, end: lexer.at as u32 };
        match kind {
            Some(kind) => {
                let full = tokens.len() >= tokens_max;
                tokens.push(Token { kind: if full { TokenKind::End } else { kind }, span });
                if full || kind == TokenKind::End {
                    return kind == TokenKind::End;
                }
            }
            None => comments.push(span),
        }
    }
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
}

impl Lexer<'_> {
    /// The byte `ahead` of here; 0, which begins nothing, past the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.text.get(self.at).is_some_and(|&byte| wanted(byte)) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        self.skip_while(|byte| class(byte) == Class::Space);
    }

    /// The token that begins here; none for a comment. Goes past it.
    fn token(&mut self) -> Option<TokenKind> {
        let Some(&byte) = self.text.get(self.at) else { return Some(TokenKind::End) };
        Some(match class(byte) {
            Class::Letter => self.word(),
            Class::Digit => self.number(),
            Class::Quote => self.string(byte),
            _ => match byte {
                b'@' => self.parameter(),
                b'.' if self.peek(1).is_ascii_digit() => self.number(),
                b'-' if self.peek(1) == b'-' => {
                    self.skip_while(|byte| byte != b'\n' && byte != b'\r');
                    return None;
                }
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                _ => {
                    let (kind, length) = sign(byte, self.peek(1), self.peek(2));
                    self.at += length;
                    kind
                }
            },
        })
    }

    fn word(&mut self) -> TokenKind {
        let start = self.at;
        self.skip_while(|byte| matches!(class(byte), Class::Letter | Class::Digit));
        word(self.text.get(start..self.at).unwrap_or_default())
    }

    /// `PARAMETER : '@' LEX_IDENTIFIER`
    fn parameter(&mut self) -> TokenKind {
        self.at += 1;
        let start = self.at;
        self.skip_while(|byte| matches!(class(byte), Class::Letter | Class::Digit));
        if self.at == start { TokenKind::Unknown } else { TokenKind::Parameter }
    }

    /// `DIGIT+ ('.' DIGIT*)? EXPONENT? | '.' DIGIT+ EXPONENT?`, and `0x` with hexadecimal digits.
    /// The sign is an operator of its own, so that `c.x-1` is a difference as the service has it.
    fn number(&mut self) -> TokenKind {
        let hexadecimal = self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X');
        if hexadecimal && self.peek(2).is_ascii_hexdigit() {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_hexdigit());
            return TokenKind::Number;
        }
        self.skip_while(|byte| byte.is_ascii_digit());
        if self.peek(0) == b'.' {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let signed = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + signed).is_ascii_digit() {
                self.at += 1 + signed;
                self.skip_while(|byte| byte.is_ascii_digit());
            }
        }
        TokenKind::Number
    }

    /// A string in either kind of quotes. Escapes begin with a backslash only: a doubled quote
    /// ends one string and begins another, which no rule of the grammar allows.
    fn string(&mut self, quote: u8) -> TokenKind {
        let mut kind = TokenKind::String;
        self.at += 1;
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                return TokenKind::UnterminatedString;
            };
            self.at += 1;
            if byte == quote {
                return kind;
            }
            if byte == b'\\' {
                if !self.escape() {
                    kind = TokenKind::BadEscape;
                }
            } else if byte < 0x20 {
                kind = TokenKind::ControlCharacter;
            }
        }
    }

    /// `ESC : '\\' (["'\\/bfnrt] | 'u' HEX HEX HEX HEX)`
    fn escape(&mut self) -> bool {
        let byte = self.peek(0);
        if byte == b'u' {
            let known = (1..=4).all(|ahead| self.peek(ahead).is_ascii_hexdigit());
            self.at += if known { 5 } else { 1 };
            return known;
        }
        // An unknown escape is passed over too: `'\'` must not end where the service goes on.
        self.at = (self.at + 1).min(self.text.len());
        matches!(byte, b'"' | b'\'' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
    }

    fn block_comment(&mut self) -> TokenKind {
        self.at += 2;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.windows(2).position(|pair| pair == b"*/");
        self.at = end.map_or(self.text.len(), |end| self.at + end + 2);
        TokenKind::BlockComment
    }
}

/// The sign that begins with `byte`, and its length: the longest that fits.
fn sign(byte: u8, second: u8, third: u8) -> (TokenKind, usize) {
    use TokenKind as T;
    match (byte, second) {
        (b'?', b'?') => (T::Coalesce, 2),
        (b'<', b'<') => (T::ShiftLeft, 2),
        (b'<', b'=') => (T::LessEqual, 2),
        (b'<', b'>') | (b'!', b'=') => (T::NotEqual, 2),
        (b'>', b'>') if third == b'>' => (T::ShiftRightZero, 3),
        (b'>', b'>') => (T::ShiftRight, 2),
        (b'>', b'=') => (T::GreaterEqual, 2),
        (b'|', b'|') => (T::Concat, 2),
        (b',', _) => (T::Comma, 1),
        (b'.', _) => (T::Dot, 1),
        (b':', _) => (T::Colon, 1),
        (b'?', _) => (T::Question, 1),
        (b'(', _) => (T::ParenOpen, 1),
        (b')', _) => (T::ParenClose, 1),
        (b'[', _) => (T::BracketOpen, 1),
        (b']', _) => (T::BracketClose, 1),
        (b'{', _) => (T::BraceOpen, 1),
        (b'}', _) => (T::BraceClose, 1),
        (b'*', _) => (T::Star, 1),
        (b'/', _) => (T::Slash, 1),
        (b'%', _) => (T::Percent, 1),
        (b'+', _) => (T::Plus, 1),
        (b'-', _) => (T::Minus, 1),
        (b'~', _) => (T::Tilde, 1),
        (b'<', _) => (T::Less, 1),
        (b'>', _) => (T::Greater, 1),
        (b'=', _) => (T::Equal, 1),
        (b'&', _) => (T::Ampersand, 1),
        (b'^', _) => (T::Caret, 1),
        (b'|', _) => (T::Pipe, 1),
        (b';', _) => (T::Semicolon, 1),
        _ => (T::Unknown, 1),
    }
}
