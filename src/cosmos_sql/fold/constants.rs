//! Values that need no row.
use std::borrow::Cow;

use super::{Constant, Folder};
use crate::cosmos_sql::kind::{Binary, Kind, Quantifier, Unary};
use crate::cosmos_sql::tree::{NodeId, Query};

/// Longest text that folding makes, bytes.
const TEXT_MAX: usize = 4096;

/// The name of a call, as it stands.
pub(in crate::cosmos_sql) fn call_name<'q>(query: &Query<'q>, call: NodeId) -> &'q [u8] {
    query.first_child(call).map_or(&[], |name| query.slice(name))
}

/// The bytes that a string's text stands for; escapes that are none stay as they are.
fn unescaped(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inside = quoted.get(1..quoted.len().max(2) - 1).unwrap_or_default();
    if !inside.contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escape, tail)) = rest.split_first() else { break };
        rest = tail;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let digits = rest.get(..4).and_then(|d| std::str::from_utf8(d).ok());
                let unit = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                if let Some(character) = unit.and_then(char::from_u32) {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                rest = rest.get(4..).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

fn number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|n| n as f64),
        None => text.parse().ok(),
    }
}

impl<'q> Folder<'_, 'q> {
    /// The value of `node` where no row and no parameter has a say; `None` where one has.
    pub(in crate::cosmos_sql) fn constant(&self, node: NodeId) -> Option<Constant<'q>> {
        let query = self.query;
        match query.kind(node) {
            Kind::True => Some(Constant::Bool(true)),
            Kind::False => Some(Constant::Bool(false)),
            Kind::Null => Some(Constant::Null),
            Kind::Undefined => Some(Constant::Undefined),
            Kind::Number => {
                Some(number(query.slice(node)).map_or(Constant::Something, Constant::Number))
            }
            Kind::String => Some(Constant::Text(unescaped(query.slice(node)))),
            Kind::Unary(operator) => {
                let child = self.constant(query.first_child(node)?)?;
                Some(unary(operator, child))
            }
            Kind::Binary(operator) => self.binary(node, operator),
            Kind::And => self.and_or(node, false),
            Kind::Or => self.and_or(node, true),
            Kind::Between { not } => self.constant_between(node, not),
            Kind::In { not } => self.constant_in(node, not),
            Kind::Like { not } => self.constant_like(node, not),
            Kind::Conditional => self.constant_conditional(node),
            Kind::Call { udf: false } => self.constant_call(node),
            Kind::Array | Kind::Object => self.all_constant(node).then_some(Constant::Something),
            Kind::Subquery | Kind::Quantified(Quantifier::First | Quantifier::Last) => {
                self.constant_query(node)
            }
            _ => None,
        }
    }

    /// Nothing below asks a row or a parameter.
    fn all_constant(&self, node: NodeId) -> bool {
        self.query.children(node).all(|child| match self.query.kind(child) {
            Kind::Property => {
                self.query.children(child).skip(1).all(|v| self.constant(v).is_some())
            }
            _ => self.constant(child).is_some(),
        })
    }

    fn binary(&self, node: NodeId, operator: Binary) -> Option<Constant<'q>> {
        let (first, right) = self.pair(node)?;
        let left = self.constant(first)?;
        if operator == Binary::Coalesce
            && left != Constant::Undefined
            && left != Constant::Something
        {
            return Some(left);
        }
        let constant = self.constant(right)?;
        // What lists and objects hold is not looked at, but one is equal to itself.
        let listed = matches!(self.query.kind(right), Kind::Array | Kind::Object);
        if operator == Binary::Equal && listed && self.same(first, right) {
            return Some(Constant::Bool(true));
        }
        Some(binary(operator, &left, &constant))
    }

    /// `AND` and `OR` over constants alone; one that decides needs no other.
    fn and_or(&self, node: NodeId, deciding: bool) -> Option<Constant<'q>> {
        let mut known = Some(Constant::Bool(!deciding));
        for child in self.query.children(node) {
            match self.constant(child) {
                Some(Constant::Bool(value)) if value == deciding => {
                    return Some(Constant::Bool(deciding));
                }
                Some(Constant::Bool(_)) => {}
                Some(Constant::Something) => known = known.map(|_| Constant::Something),
                Some(_) => known = known.map(|_| Constant::Undefined),
                None => known = None,
            }
        }
        known
    }

    fn constant_between(&self, node: NodeId, not: bool) -> Option<Constant<'q>> {
        let mut parts = self.query.children(node).map(|part| self.constant(part));
        let (tested, low, high) = (parts.next()??, parts.next()??, parts.next()??);
        let within = match (
            binary(Binary::GreaterEqual, &tested, &low),
            binary(Binary::LessEqual, &tested, &high),
        ) {
            (Constant::Bool(a), Constant::Bool(b)) => Constant::Bool((a && b) != not),
            _ => Constant::Something,
        };
        Some(within)
    }

    fn constant_in(&self, node: NodeId, not: bool) -> Option<Constant<'q>> {
        let mut parts = self.query.children(node);
        let tested = self.constant(parts.next()?)?;
        let mut found = false;
        for part in parts {
            let equal = binary(Binary::Equal, &tested, &self.constant(part)?);
            found |= equal == Constant::Bool(true);
        }
        Some(Constant::Bool(found != not))
    }

    fn constant_like(&self, node: NodeId, not: bool) -> Option<Constant<'q>> {
        let (tested, pattern) = self.pair(node)?;
        let (tested, pattern) = (self.constant(tested)?, self.constant(pattern)?);
        let (Constant::Text(tested), Constant::Text(pattern)) = (tested, pattern) else {
            return Some(Constant::Undefined);
        };
        if pattern.iter().any(|b| matches!(b, b'[' | b'^')) || self.query.children(node).count() > 2
        {
            return Some(Constant::Something);
        }
        Some(Constant::Bool(matches_like(&tested, &pattern) != not))
    }

    fn constant_conditional(&self, node: NodeId) -> Option<Constant<'q>> {
        let mut parts = self.query.children(node);
        let (condition, then, otherwise) = (parts.next()?, parts.next()?, parts.next()?);
        match self.constant(condition)? {
            Constant::Bool(true) => self.constant(then),
            Constant::Something => {
                self.constant(then)?;
                self.constant(otherwise)?;
                Some(Constant::Something)
            }
            _ => self.constant(otherwise),
        }
    }

    /// `(SELECT VALUE 1)`.
    fn constant_query(&self, node: NodeId) -> Option<Constant<'q>> {
        let query = self.query.first_child(node)?;
        let mut clauses = self.query.children(query);
        let select = clauses.next()?;
        if clauses.next().is_some() {
            return None;
        }
        let mut values = self.query.children(select);
        let value = values.next()?;
        if values.next().is_some() || self.query.kind(value) == Kind::Top {
            return None;
        }
        match self.query.kind(value) {
            Kind::Item => {
                let inside = self.query.first_child(value)?;
                self.constant(inside).map(|_| Constant::Something)
            }
            _ => self.constant(value),
        }
    }

    fn constant_call(&self, node: NodeId) -> Option<Constant<'q>> {
        let mut arguments = Vec::new();
        for argument in self.query.children(node).skip(1) {
            arguments.push(self.constant(argument)?);
        }
        Some(called(call_name(self.query, node), &arguments).unwrap_or(Constant::Something))
    }
}

fn unary(operator: Unary, value: Constant<'_>) -> Constant<'_> {
    match (operator, value) {
        (Unary::Minus, Constant::Number(n)) => Constant::Number(-n),
        (Unary::Plus, Constant::Number(n)) => Constant::Number(n),
        (Unary::BitNot, Constant::Number(n)) => Constant::Number(f64::from(!(n as i32))),
        (Unary::Not, Constant::Bool(b)) => Constant::Bool(!b),
        (_, Constant::Something) => Constant::Something,
        _ => Constant::Undefined,
    }
}

pub(super) fn binary<'q>(
    operator: Binary,
    left: &Constant<'q>,
    right: &Constant<'q>,
) -> Constant<'q> {
    use Constant::{Bool, Null, Number, Something, Text, Undefined};
    match (left, right) {
        (Undefined, _) | (_, Undefined) if operator != Binary::Coalesce => Undefined,
        (Something, _) | (_, Something) => Something,
        (Number(a), Number(b)) => numbers(operator, *a, *b),
        (Text(a), Text(b)) if matches!(operator, Binary::Concat | Binary::Add) => {
            joined(a, b).map_or(Something, Text)
        }
        (Text(a), Text(b)) => ordered(operator, a.cmp(b)),
        (Bool(a), Bool(b)) => ordered(operator, a.cmp(b)),
        (Null, Null) => ordered(operator, std::cmp::Ordering::Equal),
        // Values of two types are never equal and have no order.
        _ => match operator {
            Binary::Coalesce => right.clone(),
            Binary::Equal => Bool(false),
            Binary::NotEqual => Bool(true),
            _ => Undefined,
        },
    }
}

fn joined<'q>(a: &[u8], b: &[u8]) -> Option<Cow<'q, [u8]>> {
    (a.len() + b.len() <= TEXT_MAX).then(|| Cow::Owned([a, b].concat()))
}

fn ordered<'q>(operator: Binary, order: std::cmp::Ordering) -> Constant<'q> {
    Constant::Bool(match operator {
        Binary::Equal => order.is_eq(),
        Binary::NotEqual => order.is_ne(),
        Binary::Less => order.is_lt(),
        Binary::LessEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        Binary::GreaterEqual => order.is_ge(),
        _ => return Constant::Undefined,
    })
}

fn numbers<'q>(operator: Binary, a: f64, b: f64) -> Constant<'q> {
    let whole = |f: fn(i32, i32) -> i32| Constant::Number(f64::from(f(a as i32, b as i32)));
    match operator {
        Binary::Add => Constant::Number(a + b),
        Binary::Subtract => Constant::Number(a - b),
        Binary::Multiply => Constant::Number(a * b),
        Binary::Divide => Constant::Number(a / b),
        Binary::Modulo => Constant::Number(a % b),
        Binary::BitAnd => whole(|a, b| a & b),
        Binary::BitOr => whole(|a, b| a | b),
        Binary::BitXor => whole(|a, b| a ^ b),
        Binary::ShiftLeft => whole(|a, b| a.wrapping_shl(b as u32)),
        Binary::ShiftRight => whole(|a, b| a.wrapping_shr(b as u32)),
        Binary::ShiftRightZero => whole(|a, b| (a as u32).wrapping_shr(b as u32) as i32),
        Binary::Coalesce => Constant::Number(a),
        Binary::Concat => Constant::Undefined,
        _ => match a.partial_cmp(&b) {
            Some(order) => ordered(operator, order),
            None => Constant::Bool(operator == Binary::NotEqual),
        },
    }
}

/// `%` is any text, `_` one character; greedy with one place to go back to, so linear in practice
/// and at worst the product of the lengths, which are bounded.
fn matches_like(text: &[u8], pattern: &[u8]) -> bool {
    let (text, pattern) =
        (&text[..text.len().min(TEXT_MAX)], &pattern[..pattern.len().min(TEXT_MAX)]);
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'%') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(b'_') => (t, p) = (t + 1, p + 1),
            Some(byte) if *byte == text[t] => (t, p) = (t + 1, p + 1),
            _ => {
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|b| *b == b'%')
}

/// What a call with constant arguments gives, for the functions that payloads use.
fn called<'q>(name: &[u8], arguments: &[Constant<'q>]) -> Option<Constant<'q>> {
    use Constant::{Bool, Null, Number, Text, Undefined};
    let mut upper = [0_u8; 24];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    Some(match (&*upper, arguments) {
        (b"LENGTH", [Text(t)]) => Number(String::from_utf8_lossy(t).chars().count() as f64),
        (b"UPPER", [Text(t)]) => Text(Cow::Owned(t.to_ascii_uppercase())),
        (b"LOWER", [Text(t)]) => Text(Cow::Owned(t.to_ascii_lowercase())),
        (b"TRIM", [Text(t)]) => Text(Cow::Owned(t.trim_ascii().to_vec())),
        (b"REVERSE", [Text(t)]) => Text(Cow::Owned(t.iter().rev().copied().collect())),
        (b"CONCAT", [Text(a), Text(b)]) => Text(joined(a, b)?),
        (b"ABS", [Number(n)]) => Number(n.abs()),
        (b"FLOOR", [Number(n)]) => Number(n.floor()),
        (b"CEILING", [Number(n)]) => Number(n.ceil()),
        (b"SIGN", [Number(n)]) => Number(if *n == 0.0 { 0.0 } else { n.signum() }),
        (b"PI", []) => Number(std::f64::consts::PI),
        (b"CONTAINS", [Text(a), Text(b)]) if a.len().max(b.len()) <= TEXT_MAX => {
            Bool(b.is_empty() || a.windows(b.len()).any(|part| part == &**b))
        }
        (b"STARTSWITH", [Text(a), Text(b)]) => Bool(a.starts_with(b)),
        (b"ENDSWITH", [Text(a), Text(b)]) => Bool(a.ends_with(b)),
        (b"IIF", [Bool(true), value, _] | [Bool(false), _, value]) => value.clone(),
        (b"STRINGEQUALS", [Text(a), Text(b)]) => Bool(a == b),
        (b"STRINGEQUALS", [Text(a), Text(b), Bool(true)]) => Bool(a.eq_ignore_ascii_case(b)),
        (b"IS_DEFINED", [value]) => Bool(*value != Undefined),
        (b"IS_NULL", [value]) => Bool(*value == Null),
        (b"IS_STRING", [value]) => Bool(matches!(value, Text(_))),
        (b"IS_NUMBER", [value]) => Bool(matches!(value, Number(_))),
        (b"IS_BOOL", [value]) => Bool(matches!(value, Bool(_))),
        (b"TOSTRING", [Text(t)]) => Text(t.clone()),
        (b"TOSTRING", [Number(n)]) => Text(Cow::Owned(n.to_string().into_bytes())),
        _ => return None,
    })
}
