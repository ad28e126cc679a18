//! Queries that differ only in their literals are one template.
//!
//! The canonical form takes out what an application or the service may vary without meaning
//! anything by it: literals (typed places; `true` and `false` are one type), the number of elements
//! of a list and of like terms of a chain, the order of conjuncts and disjuncts, names of sources,
//! case of words and functions, parentheses, `ASC`, `["x"]` for `.x`, and the rewriting that the
//! gateway does to ordered and aggregated queries (`rewriting.rs`). What is selected is one form too:
//! `SELECT VALUE c` is `SELECT *`, and `SELECT VALUE {"a": c.a}` is `SELECT c.a`.
//!
//! Literals' values are in none of what is made here. Names of properties are no literals, but
//! hostile: hashes take them whole, texts escape and cut them.
//!
//! Whether `= true` under `OR` means anything is asked of the tree, not of the template.
mod canon;
mod hash;
mod lineage;
mod projection;
mod rewriting;
mod text;
mod tokens;

#[cfg(test)]
mod tests;

pub use lineage::{Insertion, lineage};
pub use projection::widened;
pub use text::text;
pub use tokens::Sequence;
pub(super) use tokens::{NAME, name_of};

use super::Kind;
use super::token::Span;
use super::tree::Query;

/// Buffers of the canonical form, reused from one query to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Names of the sources in scope, as places in the text.
    scopes: Vec<Span>,
    /// Hashes of operands that wait to be sorted.
    hashes: Vec<u64>,
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Self {
        Scratch::default()
    }
}

/// What stays of a query without its literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Hash of the whole canonical form.
    pub shape: u64,
    /// Hash of its `SELECT` and `FROM`.
    pub skeleton: u64,
    /// Literals in the text, names in quotes not counted.
    pub literals: u32,
    /// `@parameters` in the text. A query with parameters and no literals cannot be injected into.
    pub parameters: u32,
    /// The gateway has rewritten it, and that was undone.
    pub rewritten: bool,
    /// Its strings are obfuscated: `str1__13`.
    pub obfuscated: bool,
}

/// What a literal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LiteralKind {
    /// A number, the sign not counted in.
    Number,
    /// A string.
    String,
    /// A string that the service has replaced before it logged it.
    Obfuscated,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// `undefined`.
    Undefined,
}

/// A literal's kind and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteralPlace {
    /// What it is.
    pub kind: LiteralKind,
    /// Where it is.
    pub span: Span,
}

/// The template of a query.
pub fn of(query: &Query<'_>, scratch: &mut Scratch) -> Template {
    let view = rewriting::View::of(query, scratch);
    let (shape, skeleton) = canon::Canon::new(query, scratch).program(&view);
    let mut template = Template {
        shape,
        skeleton,
        literals: 0,
        parameters: 0,
        rewritten: view.rewritten(),
        obfuscated: false,
    };
    for node in query.nodes {
        if node.kind == Kind::Parameter {
            template.parameters += 1;
        } else if node.kind.is_literal() {
            template.literals += 1;
            template.obfuscated |=
                node.kind == Kind::String && is_obfuscated(node.span.of(query.text()));
        }
    }
    template
}

/// Conditions that the gateway, not the client, has put into `WHERE`: whoever judges what a
/// condition means leaves them out. Most queries have none.
pub fn added_by_gateway(query: &Query<'_>, scratch: &mut Scratch) -> [Option<Span>; 2] {
    rewriting::View::of(query, scratch).added
}

/// The literals of a query, as the parser came upon them.
pub fn literals<'q>(query: &Query<'q>) -> impl Iterator<Item = LiteralPlace> + use<'q> {
    let text = query.text();
    query.nodes.iter().filter_map(move |node| {
        let kind = match node.kind {
            Kind::Number => LiteralKind::Number,
            Kind::String if is_obfuscated(node.span.of(text)) => LiteralKind::Obfuscated,
            Kind::String => LiteralKind::String,
            Kind::True | Kind::False => LiteralKind::Boolean,
            Kind::Null => LiteralKind::Null,
            Kind::Undefined => LiteralKind::Undefined,
            _ => return None,
        };
        Some(LiteralPlace { kind, span: node.span })
    })
}

/// Whether a string, with its quotes, is what the service writes in place of one: `str`, its number,
/// and from ten characters on `__` and its length. Strings of one character and a dozen well-known
/// ones are never replaced.
pub(super) fn is_obfuscated(quoted: &[u8]) -> bool {
    let Some(inner) = quoted.get(1..quoted.len().max(2) - 1) else { return false };
    let Some(rest) = inner.strip_prefix(b"str") else { return false };
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = digits(rest);
    let length = rest.get(number..).unwrap_or_default();
    let replaced = match length.strip_prefix(b"__") {
        Some(length) => !length.is_empty() && digits(length) == length.len(),
        None => length.is_empty(),
    };
    number > 0 && replaced
}
