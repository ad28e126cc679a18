//! What the commands of the Mongo, Cassandra, Gremlin and Table APIs say, without their literals.
//!
//! Mongo commands are documents: `mongo` writes them canonically (names sorted, a scalar as its
//! type, lists collapsed), notes what injections have, and [`operators`] tells whether a command is
//! a known one with operators in the places of scalars. Of the other three only the words are told
//! from the literals (`words`): that gives shapes and nothing else. No grammar stands behind it,
//! so no sign is ever claimed of them and no detector alerts on them.
//!
//! Pure and bounded. What it returns holds no literal: names that look like data are blanked too.
mod json;
mod mongo;
pub mod operators;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use crate::event::{Failure, Marked, QueryLanguage, QueryRead, SIGNS_MAX, Sign};
use crate::event::{TEMPLATE_BYTES_MAX, TOKENS_MAX};
use crate::ids::Text;

/// Types of scalars; as a token, that much more than [`SCALAR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scalar {
    String = 0,
    Number = 1,
    Bool = 2,
    Null = 3,
    Date = 4,
    Id = 5,
    Binary = 6,
    Regex = 7,
    Code = 8,
    /// Values to be stored, of whatever shape.
    Data = 9,
}

impl Scalar {
    fn as_str(self) -> &'static str {
        match self {
            Scalar::String => "string",
            Scalar::Number => "number",
            Scalar::Bool => "bool",
            Scalar::Null => "null",
            Scalar::Date => "date",
            Scalar::Id => "id",
            Scalar::Binary => "binary",
            Scalar::Regex => "regex",
            Scalar::Code => "code",
            Scalar::Data => "data",
        }
    }
}

/// First token of scalars.
const SCALAR: u16 = 16;
/// First token of the operators that are known by name.
const OPERATOR: u16 = 64;
/// First token of names: from here on 15 bits of a hash.
const NAME: u16 = 0x8000;
/// Longest name that is shown and told apart, bytes.
const NAME_BYTES_MAX: usize = 64;

/// Reads commands, with buffers that are reused.
#[derive(Default)]
pub struct CommandReader {
    tree: json::Tree,
}

impl CommandReader {
    /// What `text` says. SQL is not read here: it says nothing.
    pub fn read(&mut self, language: QueryLanguage, text: &str) -> QueryRead {
        match language {
            QueryLanguage::Mongo => match self.enclosed(text, &["request"]) {
                Some(inner) => mongo::read(&mut self.tree, &inner),
                None => mongo::read(&mut self.tree, text),
            },
            _ => match self.enclosed(text, &["request", "query", "gremlin", "$filter"]) {
                Some(inner) => words::read(language, &inner),
                None => words::read(language, text),
            },
        }
    }

    /// The text inside of `{"request": "…"}`, as Cassandra's is logged.
    fn enclosed(&mut self, text: &str, names: &[&str]) -> Option<String> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let root = self.tree.read(text, &[]).ok()?;
        let mut children = self.tree.children(root).filter_map(|at| self.tree.node(at));
        let found = children.find(|n| names.contains(&n.key.of(text)))?;
        let string = found.kind == json::Kind::Scalar(Scalar::String);
        string.then(|| json::unescaped(found.value.of(text)).into_owned())
    }
}

/// A text under construction, with its tokens.
#[derive(Default)]
struct Canonical {
    text: String,
    tokens: Vec<u16>,
    /// Where each of `tokens` begins in `text`.
    starts: Vec<usize>,
    marks: Vec<(Sign, usize, usize)>,
    literals: usize,
    parameters: usize,
}

impl Canonical {
    fn put(&mut self, token: u16, text: &str) {
        self.tokens.push(token);
        self.starts.push(self.text.len());
        self.text.push_str(text);
    }

    fn name(&mut self, token: Option<u16>, text: &str) {
        let token = token.unwrap_or_else(|| {
            NAME | (xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u16 & (NAME - 1))
        });
        self.put(token, text);
    }

    fn mark(&mut self, sign: Sign, from: usize) {
        self.marks.push((sign, from, self.text.len()));
    }

    fn finish(self, language: QueryLanguage, skeleton: u64, failure: Option<Failure>) -> QueryRead {
        let whole = self.tokens.len() <= TOKENS_MAX;
        let (tokens, starts) = if whole { (self.tokens, self.starts) } else { Default::default() };
        let reaches = |at: usize| if at <= TEMPLATE_BYTES_MAX { at } else { 0 };
        let marked = self.marks.iter().map(|(sign, begin, end)| {
            let (begin, end) = (reaches(*begin), reaches((*end).min(TEMPLATE_BYTES_MAX)));
            Marked { sign: *sign, begin: begin as u32, end: end as u32 }
        });
        QueryRead {
            language,
            shape: xxhash_rust::xxh3::xxh3_64_with_seed(self.text.as_bytes(), language as u64),
            skeleton,
            failure,
            literals: self.literals.min(usize::from(u16::MAX)) as u16,
            parameters: self.parameters.min(usize::from(u16::MAX)) as u16,
            tokens: Arc::from(tokens),
            starts: starts
                .into_iter()
                .map(|at| if at <= TEMPLATE_BYTES_MAX { at as u16 } else { u16::MAX })
                .collect(),
            hidden: Box::default(),
            unclosed: false,
            template: cut(&self.text),
            marked: kept(marked.collect()),
        }
    }
}

fn cut(text: &str) -> Text {
    let end = (0..=text.len().min(TEMPLATE_BYTES_MAX)).rev().find(|i| text.is_char_boundary(*i));
    Text::from(text.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// Each sign at most twice, ascending.
fn kept(mut all: Vec<Marked>) -> Box<[Marked]> {
    all.sort_unstable();
    all.dedup();
    let mut out: Vec<Marked> = Vec::new();
    for sign in Sign::ALL {
        out.extend(all.iter().filter(|m| m.sign == sign).take(2));
    }
    out.truncate(SIGNS_MAX);
    out.into_boxed_slice()
}

fn failed(language: QueryLanguage, at: usize, reason: &'static str) -> QueryRead {
    let failure = Failure { offset: at.min(u32::MAX as usize) as u32, reason: Text::from(reason) };
    Canonical::default().finish(language, 0, Some(failure))
}

/// A name as it may be shown: what looks like data rather than like a name is `#`, and so is a
/// number inside of a path.
fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
        return "#".to_owned();
    }
    let part = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let hexadecimal = part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let number = digits > 0 && digits == part.len();
        let data = number || digits > 4 || (part.len() >= 12 && digits > 0 && hexadecimal);
        if data { "#".to_owned() } else { part.to_owned() }
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}
