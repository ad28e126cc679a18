//! The documents that commands are written as: JSON, extended JSON, and what the Mongo shell prints
//! (names without quotes, single quotes, `ObjectId("…")`, `/pattern/`).
use std::borrow::Cow;

use super::Scalar;
use crate::limits;

/// A part of the text, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) begin: u32,
    pub(super) end: u32,
}

impl Part {
    pub(super) fn of(self, text: &str) -> &str {
        text.get(self.begin as usize..self.end as usize).unwrap_or_default()
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(Scalar),
    Object,
    List,
}

/// One value, with its name where it stands in an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Its name, without quotes.
    pub(super) key: Part,
    /// A scalar's text, without quotes.
    pub(super) value: Part,
    /// Its first child, and the value after it; [`NONE`] where there is none.
    first: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;

/// Where and why a text is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) reason: &'static str,
}

/// The values of one text.
#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Reads all of `text` as one object and gives its number; fields of that object with a name in
    /// `skipped` are passed over.
    ///
    /// # Errors
    /// It is none, or beyond the limits: the place and the reason.
    pub(super) fn read(&mut self, text: &str, skipped: &[&str]) -> Result<u32, Broken> {
        self.nodes.clear();
        let mut parser = Parser { bytes: text.as_bytes(), at: 0, nodes: &mut self.nodes, skipped };
        parser.space();
        if parser.peek() != Some(b'{') {
            return Err(parser.broken("it does not begin with a brace"));
        }
        let root = parser.value(Part::default(), 0)?;
        parser.space();
        match parser.peek() {
            None => Ok(root),
            Some(_) => Err(parser.broken("text follows the command")),
        }
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// The values inside of a value, in the order of the text.
    pub(super) fn children(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.node(at).map(|n| n.first).filter(|n| *n != NONE);
        std::iter::successors(first, |at| self.node(*at).map(|n| n.next).filter(|n| *n != NONE))
    }
}

struct Parser<'p> {
    bytes: &'p [u8],
    at: usize,
    nodes: &'p mut Vec<Node>,
    skipped: &'p [&'p str],
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken { at: self.at, reason }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn add(&mut self, kind: Kind, key: Part, value: Part) -> Result<u32, Broken> {
        if self.nodes.len() >= limits::COMMAND_NODES_MAX {
            return Err(self.broken("it holds too many values"));
        }
        self.nodes.push(Node { kind, key, value, first: NONE, next: NONE });
        Ok((self.nodes.len() - 1) as u32)
    }

    fn value(&mut self, key: Part, depth: usize) -> Result<u32, Broken> {
        if depth >= limits::COMMAND_DEPTH_MAX {
            return Err(self.broken("it is nested too deeply"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.inside(Kind::Object, b'}', key, depth),
            Some(b'[') => self.inside(Kind::List, b']', key, depth),
            Some(quote @ (b'"' | b'\'')) => {
                let part = self.quoted(quote)?;
                self.add(Kind::Scalar(Scalar::String), key, part)
            }
            Some(b'/') => {
                let part = self.quoted(b'/')?;
                self.word();
                self.add(Kind::Scalar(Scalar::Regex), key, part)
            }
            Some(_) => self.bare(key, depth),
            None => Err(self.broken("it ends where a value belongs")),
        }
    }

    /// An object or a list, at its opening bracket.
    fn inside(&mut self, kind: Kind, close: u8, key: Part, depth: usize) -> Result<u32, Broken> {
        let node = self.add(kind, key, Part::default())?;
        self.at += 1;
        let mut last = NONE;
        loop {
            self.space();
            match self.peek() {
                Some(b) if b == close => {
                    self.at += 1;
                    return Ok(node);
                }
                Some(b',') if last != NONE => self.at += 1,
                _ if last != NONE => return Err(self.broken("a comma or a bracket is missing")),
                _ => {}
            }
            self.space();
            if self.peek() == Some(close) {
                continue;
            }
            let key = if kind == Kind::Object { self.key()? } else { Part::default() };
            let child = self.child(key, depth)?;
            let link = if last == NONE { node } else { last };
            if let Some(before) = self.nodes.get_mut(link as usize) {
                let slot = if last == NONE { &mut before.first } else { &mut before.next };
                *slot = child;
            }
            last = child;
        }
    }

    fn child(&mut self, key: Part, depth: usize) -> Result<u32, Broken> {
        let nodes = self.nodes.len();
        let name = self.bytes.get(key.begin as usize..key.end as usize).unwrap_or_default();
        if depth == 0 && self.skipped.iter().any(|s| s.as_bytes() == name) {
            self.skip()?;
            return self.add(Kind::Scalar(Scalar::Data), key, Part::default());
        }
        let child = self.value(key, depth + 1)?;
        match self.extended(child) {
            Some((scalar, value)) => {
                self.nodes.truncate(nodes);
                self.add(Kind::Scalar(scalar), key, value)
            }
            None => Ok(child),
        }
    }

    /// The scalar that an object of extended JSON stands for, and its text: `{"$oid": "…"}`.
    fn extended(&self, object: u32) -> Option<(Scalar, Part)> {
        let node = self.nodes.get(object as usize).filter(|n| n.kind == Kind::Object)?;
        let child = self.nodes.get(node.first as usize)?;
        let key = self.bytes.get(child.key.begin as usize..child.key.end as usize)?;
        let scalar = match key {
            b"$oid" | b"$uuid" => Scalar::Id,
            b"$date" | b"$timestamp" => Scalar::Date,
            b"$numberInt" | b"$numberLong" | b"$numberDouble" | b"$numberDecimal" => Scalar::Number,
            b"$binary" => Scalar::Binary,
            b"$regularExpression" => Scalar::Regex,
            b"$code" => Scalar::Code,
            b"$undefined" | b"$minKey" | b"$maxKey" => Scalar::Null,
            b"$symbol" => Scalar::String,
            _ => return None,
        };
        let only = child.next == NONE
            || (matches!(key, b"$code" | b"$binary")
                && self.nodes.get(child.next as usize).is_some_and(|n| n.next == NONE));
        // Of a pattern `{"pattern": "…", "options": "…"}` the first.
        let value = match self.nodes.get(child.first as usize) {
            Some(inner) => inner.value,
            None => child.value,
        };
        only.then_some((scalar, value))
    }

    fn key(&mut self) -> Result<Part, Broken> {
        let key = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote)?,
            _ => self.word(),
        };
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.broken("a name or its colon is missing"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Passes over one value without looking into it.
    fn skip(&mut self) -> Result<(), Broken> {
        self.space();
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(quote @ (b'"' | b'\'')) => {
                    self.quoted(quote)?;
                    continue;
                }
                Some(b'{' | b'[' | b'(') => open += 1,
                Some(b'}' | b']' | b')' | b',') if open == 0 => return Ok(()),
                Some(b'}' | b']' | b')') => open -= 1,
                Some(_) => {}
                None => return Err(self.broken("it ends inside of a value")),
            }
            self.at += 1;
        }
    }

    /// What stands between the quotes; leaves off behind the second.
    fn quoted(&mut self, quote: u8) -> Result<Part, Broken> {
        self.at += 1;
        let begin = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match memchr::memchr2(b'\\', quote, rest) {
                None => {
                    self.at = self.bytes.len();
                    return Err(self.broken("a text is not closed"));
                }
                Some(next) if rest.get(next) == Some(&quote) => {
                    let part = Part { begin: begin as u32, end: (self.at + next) as u32 };
                    self.at += next + 1;
                    return Ok(part);
                }
                Some(next) => self.at += next + 2,
            }
        }
    }

    fn word(&mut self) -> Part {
        let begin = self.at;
        let part = |b: u8| b.is_ascii_alphanumeric() || b"_$.+-".contains(&b) || b >= 0x80;
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
        Part { begin: begin as u32, end: self.at as u32 }
    }

    /// A value without quotes, or a call that makes one.
    fn bare(&mut self, key: Part, depth: usize) -> Result<u32, Broken> {
        let value = self.word();
        let text = self.bytes.get(value.begin as usize..value.end as usize).unwrap_or_default();
        if text == b"new" {
            return self.value(key, depth + 1);
        }
        let called = self.peek() == Some(b'(');
        let scalar = match text {
            b"" => return Err(self.broken("this is no value")),
            b"true" | b"false" => Scalar::Bool,
            b"null" | b"undefined" | b"MinKey" | b"MaxKey" => Scalar::Null,
            b"ObjectId" | b"UUID" if called => Scalar::Id,
            b"ISODate" | b"Date" | b"Timestamp" if called => Scalar::Date,
            b"NumberInt" | b"NumberLong" | b"NumberDecimal" if called => Scalar::Number,
            b"BinData" | b"HexData" if called => Scalar::Binary,
            b"RegExp" if called => Scalar::Regex,
            b"Code" if called => Scalar::Code,
            b"Infinity" | b"-Infinity" | b"NaN" => Scalar::Number,
            _ if matches!(text.first(), Some(b'0'..=b'9' | b'-' | b'+' | b'.')) => Scalar::Number,
            _ => return Err(self.broken("this is no value")),
        };
        if called {
            self.at += 1;
            self.arguments()?;
        }
        self.add(Kind::Scalar(scalar), key, value)
    }

    /// The rest of a call's arguments, its closing bracket included.
    fn arguments(&mut self) -> Result<(), Broken> {
        loop {
            self.skip()?;
            let end = self.peek();
            self.at += 1;
            match end {
                Some(b')') => return Ok(()),
                Some(b',') => {}
                _ => return Err(self.broken("a bracket is missing")),
            }
        }
    }
}

/// A text between quotes without its escapes.
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, escaped) = rest.split_at(at);
        out.push_str(before);
        let mut chars = escaped.chars();
        let _backslash = chars.next();
        let next = chars.next();
        rest = chars.as_str();
        match next {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let code = rest.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                out.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                rest = rest.get(4..).unwrap_or_default();
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}
