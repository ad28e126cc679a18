//! The text of a query without its literals, as it was written: for pointing at a spot of it.
use super::token::{Span, Token, TokenKind};
use crate::limits;

/// A redacted text, and where the original's tokens stand in it.
#[derive(Debug, Default)]
pub(super) struct Redacted {
    pub(super) text: String,
    /// For each token: where it stood, and where it begins and ends now.
    places: Vec<(Span, u32, u32)>,
}

/// Writes tokens with one blank where there was any; strings as `'…'`, numbers as `#`, names cut and
/// harmless. Comments are left out but for their dashes. At most
/// [`limits::TEMPLATE_TEXT_BYTES_MAX`] bytes; a longer text ends in `…`.
pub(super) fn redact(text: &[u8], tokens: &[Token], comments: &[Span]) -> Redacted {
    let mut out = Redacted::default();
    let mut end = 0;
    let mut comments = comments.iter().peekable();
    for token in tokens {
        while comments.next_if(|comment| comment.start < token.span.start).is_some() {
            out.push(" --…", Span::default());
            end = u32::MAX;
        }
        if token.kind == TokenKind::End {
            break;
        }
        if token.span.start != end && !out.text.is_empty() {
            out.push(" ", Span::default());
        }
        end = token.span.end;
        out.token(text, *token);
        if out.text.ends_with('…') && out.text.len() >= limits::TEMPLATE_TEXT_BYTES_MAX - 8 {
            break;
        }
    }
    out
}

impl Redacted {
    fn token(&mut self, text: &[u8], token: Token) {
        use TokenKind as T;
        let raw = token.span.of(text);
        match token.kind {
            T::String | T::BadEscape | T::ControlCharacter => self.push("'…'", token.span),
            T::UnterminatedString => self.push("'…", token.span),
            T::Number => self.push("#", token.span),
            T::BlockComment => self.push("/*…*/", token.span),
            T::Unknown => self.push("?", token.span),
            _ => {
                let cut = raw.get(..raw.len().min(limits::TEMPLATE_NAME_BYTES_MAX)).unwrap_or(raw);
                let word = String::from_utf8_lossy(cut);
                self.push(&word, token.span);
            }
        }
    }

    fn push(&mut self, word: &str, span: Span) {
        let room = limits::TEMPLATE_TEXT_BYTES_MAX - '…'.len_utf8();
        if self.text.len() + word.len() > room {
            if !self.text.ends_with('…') {
                self.text.push('…');
            }
            return;
        }
        let begin = self.text.len() as u32;
        self.text.push_str(word);
        if !span.is_empty() {
            self.places.push((span, begin, self.text.len() as u32));
        }
    }

    /// Where a stretch of the original stands in the redacted text; nothing where it was cut off.
    pub(super) fn place(&self, span: Span) -> Option<(u32, u32)> {
        let inside = |(at, _, _): &&(Span, u32, u32)| span.start <= at.start && at.end <= span.end;
        let first = self.places.iter().find(inside)?;
        let last = self.places.iter().rev().find(inside)?;
        Some((first.1, last.2))
    }
}
