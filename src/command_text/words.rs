//! Texts in the languages of the Cassandra, Gremlin and Table APIs: words apart from literals, by
//! each language's own quotes. No grammar is known here, so that nothing but a shape comes of it.
use super::{Canonical, SCALAR, Scalar, failed, shown};
use crate::event::{QueryLanguage, QueryRead};
use crate::limits;

/// Token of a parameter, and of a comment; other signs are their own byte above this.
const PARAMETER: u16 = 1;
const COMMENT: u16 = 2;
const SIGN: u16 = 256;

/// What `text` says.
pub(super) fn read(language: QueryLanguage, text: &str) -> QueryRead {
    let mut words = Words { language, text, at: 0, out: Canonical::default() };
    while words.at < text.len() {
        if words.out.tokens.len() >= limits::COMMAND_NODES_MAX {
            return failed(language, words.at, "it holds too many words");
        }
        if let Err(reason) = words.next() {
            return failed(language, words.at, reason);
        }
    }
    let first = words.out.text.split(' ').next().unwrap_or_default();
    let skeleton = xxhash_rust::xxh3::xxh3_64(first.as_bytes());
    words.out.finish(language, skeleton, None)
}

struct Words<'w> {
    language: QueryLanguage,
    text: &'w str,
    at: usize,
    out: Canonical,
}

impl Words<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Result<(), &'static str> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return Ok(()) };
        let code = self.language != QueryLanguage::Table;
        let cassandra = self.language == QueryLanguage::Cassandra;
        let gremlin = self.language == QueryLanguage::Gremlin;
        if c.is_whitespace() {
            self.at += c.len_utf8();
            return Ok(());
        }
        if code && rest.starts_with("/*") {
            let end = rest.find("*/").ok_or("a comment is not closed")?;
            self.comment(end + 2);
        } else if (code && rest.starts_with("//")) || (cassandra && rest.starts_with("--")) {
            self.comment(rest.find('\n').unwrap_or(rest.len()));
        } else if cassandra && rest.starts_with("$$") {
            let end = rest.get(2..).and_then(|r| r.find("$$")).ok_or("a text is not closed")?;
            self.literal(Scalar::String, end + 4);
        } else if cassandra && c == '"' {
            let end = doubled(rest, '"').ok_or("a name is not closed")?;
            let name = shown(rest.get(1..end - 1).unwrap_or_default());
            self.word(&name, end);
        } else if c == '\'' || (c == '"' && gremlin) {
            let end = if gremlin { escaped(rest, c) } else { doubled(rest, c) };
            self.literal(Scalar::String, end.ok_or("a text is not closed")?);
        } else if c.is_ascii_digit() {
            let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_');
            let long = |c: char| part(c) || c == '-';
            let identifier = rest.find(|c| !long(c)).unwrap_or(rest.len());
            let end = if identifier == GUID_BYTES {
                identifier
            } else {
                rest.find(|c| !part(c)).unwrap_or(rest.len())
            };
            self.literal(Scalar::Number, end);
        } else if c.is_alphabetic() || c == '_' {
            self.word_or_guid();
        } else if cassandra && c == '?' {
            self.out.parameters += 1;
            self.separate();
            self.out.put(PARAMETER, "?");
            self.at += 1;
        } else {
            let shown = if c.is_ascii_graphic() { c } else { '#' };
            self.separate();
            self.out.put(SIGN + u16::from(shown as u8), shown.encode_utf8(&mut [0; 4]));
            self.at += c.len_utf8();
        }
        Ok(())
    }

    fn word_or_guid(&mut self) {
        let rest = self.rest();
        let long = rest.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(rest.len());
        if long == GUID_BYTES {
            return self.literal(Scalar::Id, long);
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        // `datetime'…'`, `guid'…'`: the type of the literal that follows.
        if self.language == QueryLanguage::Table && rest.get(end..).is_some_and(opens) {
            self.at += end;
            return;
        }
        let name = match self.language {
            QueryLanguage::Gremlin => shown(word),
            _ => shown(word).to_ascii_lowercase(),
        };
        self.word(&name, end);
    }

    fn separate(&mut self) {
        if !self.out.text.is_empty() {
            self.out.text.push(' ');
        }
    }

    fn word(&mut self, name: &str, bytes: usize) {
        self.separate();
        self.out.name(None, name);
        self.at += bytes;
    }

    fn comment(&mut self, bytes: usize) {
        self.separate();
        self.out.put(COMMENT, "/**/");
        self.at += bytes;
    }

    /// A literal; with the one before, if only a comma lies between, it is a list.
    fn literal(&mut self, scalar: Scalar, bytes: usize) {
        self.at += bytes;
        self.out.literals += 1;
        let comma = SIGN + u16::from(b',');
        if let [.., before, last] = *self.out.tokens
            && last == comma
            && before == SCALAR + scalar as u16
            && let Some(at) = self.out.starts.pop()
        {
            self.out.tokens.pop();
            self.out.text.truncate(at.saturating_sub(1));
            return;
        }
        self.separate();
        self.out.put(SCALAR + scalar as u16, scalar.as_str());
    }
}

const GUID_BYTES: usize = 36;

fn opens(rest: &str) -> bool {
    rest.starts_with('\'')
}

/// Bytes of a quoted text in which a doubled quote stands for one.
fn doubled(rest: &str, quote: char) -> Option<usize> {
    let mut from = 1;
    loop {
        let end = from + rest.get(from..)?.find(quote)? + 1;
        if !rest.get(end..)?.starts_with(quote) {
            return Some(end);
        }
        from = end + 1;
    }
}

/// Bytes of a quoted text with backslashes.
fn escaped(rest: &str, quote: char) -> Option<usize> {
    let mut after_backslash = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if after_backslash => after_backslash = false,
            '\\' => after_backslash = true,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}
