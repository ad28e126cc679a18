//! Numbers that hashes are made of. Hashes are stored: nothing here may change, only be added to.
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cosmos_sql::kind::{Binary, Direction, Kind, Quantifier, Selection};

/// What a hash is of.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Tag {
    Alias = 1,
    Root,
    Name,
    Field,
    Index,
    Number,
    String,
    Boolean,
    Null,
    Undefined,
    Parameter,
    Array,
    Object,
    Call,
    Udf,
    Unary,
    Binary,
    And,
    Or,
    Conditional,
    Between,
    In,
    InQuery,
    Like,
    Subquery,
    Quantified,
    Star,
    Value,
    Select,
    Top,
    Source,
    Iterator,
    Path,
    Where,
    GroupBy,
    OrderBy,
    Order,
    OffsetLimit,
    Query,
    Many,
}

pub(super) fn mix(hash: u64, value: u64) -> u64 {
    xxh3_64_with_seed(&value.to_le_bytes(), hash)
}

pub(super) fn leaf(tag: Tag, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, tag as u64)
}

pub(super) fn constant(tag: Tag) -> u64 {
    mix(tag as u64, 0)
}

/// Names of functions are the same in any case. Longer ones than any built-in function has are
/// taken as they stand.
pub(super) fn function(name: &[u8]) -> u64 {
    let mut folded = [0; 64];
    match folded.get_mut(..name.len()) {
        Some(upper) => {
            upper.copy_from_slice(name);
            upper.make_ascii_uppercase();
            leaf(Tag::Call, upper)
        }
        None => leaf(Tag::Call, name),
    }
}

pub(super) fn quantifier_code(quantifier: Quantifier) -> u64 {
    match quantifier {
        Quantifier::Exists => 1,
        Quantifier::Array => 2,
        Quantifier::All => 3,
        Quantifier::First => 4,
        Quantifier::Last => 5,
    }
}

/// Where the hash of a node begins whose children follow in order.
pub(super) fn tag(kind: Kind) -> u64 {
    let (tag, code) = match kind {
        Kind::Binary(operator) => (Tag::Binary, binary_code(operator)),
        Kind::Conditional => (Tag::Conditional, 0),
        Kind::Between { not } => (Tag::Between, u64::from(not)),
        Kind::InQuery { not } => (Tag::InQuery, u64::from(not)),
        Kind::Like { not } => (Tag::Like, u64::from(not)),
        Kind::Order(direction) => (Tag::Order, u64::from(direction == Direction::Descending)),
        Kind::Select { selection: Selection::Star, .. } => (Tag::Star, 0),
        _ => (Tag::Value, 0),
    };
    mix(tag as u64, code)
}

fn binary_code(operator: Binary) -> u64 {
    use Binary as B;
    match operator {
        B::Coalesce => 1,
        B::Concat => 2,
        B::BitOr => 3,
        B::BitXor => 4,
        B::BitAnd => 5,
        B::Equal => 6,
        B::NotEqual => 7,
        B::Less => 8,
        B::LessEqual => 9,
        B::Greater => 10,
        B::GreaterEqual => 11,
        B::ShiftLeft => 12,
        B::ShiftRight => 13,
        B::ShiftRightZero => 14,
        B::Add => 15,
        B::Subtract => 16,
        B::Multiply => 17,
        B::Divide => 18,
        B::Modulo => 19,
    }
}
