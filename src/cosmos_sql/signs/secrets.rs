//! Properties that programs compare whole or not at all: who asks how a password begins wants to
//! learn it.
use super::Walk;
use crate::cosmos_sql::fold::{Constant, call_name};
use crate::cosmos_sql::kind::{Binary, Kind};
use crate::cosmos_sql::tree::NodeId;
use crate::event::Sign;

/// Parts of names of secrets, in small letters without `_` and `-`.
const PARTS: [&[u8]; 9] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"apikey",
    b"accesskey",
    b"privatekey",
    b"creditcard",
    b"cardnumber",
];
/// Whole names, or their ends.
const ENDS: [&[u8]; 6] = [b"token", b"pwd", b"pwhash", b"passhash", b"cvv", b"ssn"];

/// Longest name that is looked at, bytes.
const NAME_MAX: usize = 64;

/// Functions that tell a part of a text.
const TELLING: [&[u8]; 9] = [
    b"STARTSWITH",
    b"ENDSWITH",
    b"CONTAINS",
    b"SUBSTRING",
    b"LEFT",
    b"RIGHT",
    b"LENGTH",
    b"INDEX_OF",
    b"REGEXMATCH",
];

impl Walk<'_, '_> {
    /// `STARTSWITH(c.password, 'a')`, `LENGTH(c.token)`
    pub(super) fn secret_call(&mut self, call: NodeId) {
        let name = call_name(self.query, call);
        if !TELLING.iter().any(|t| name.eq_ignore_ascii_case(t)) {
            return;
        }
        let mut arguments = self.query.children(call).skip(1);
        let secret = arguments.next().is_some_and(|first| self.is_secret(first));
        // What a parameter says comes from the program.
        if secret && arguments.all(|argument| self.folder.constant(argument).is_some()) {
            self.note(Sign::BlindProbe, call);
        }
    }

    /// `c.password LIKE 'a%'`
    pub(super) fn secret_like(&mut self, node: NodeId) {
        let mut sides = self.query.children(node);
        let (Some(tested), Some(pattern)) = (sides.next(), sides.next()) else { return };
        if self.is_secret(tested) && self.folder.constant(pattern).is_some() {
            self.note(Sign::BlindProbe, node);
        }
    }

    /// `c.password < 'm'`
    pub(super) fn secret_order(
        &mut self,
        node: NodeId,
        operator: Binary,
        constants: [&Option<Constant<'_>>; 2],
    ) {
        use Binary::{Greater, GreaterEqual, Less, LessEqual};
        let orders = matches!(operator, Less | LessEqual | Greater | GreaterEqual);
        let text = |c: &Option<Constant<'_>>| matches!(c, Some(Constant::Text(t)) if !t.is_empty());
        if orders
            && constants.into_iter().any(text)
            && self.query.children(node).any(|side| self.is_secret(side))
        {
            self.note(Sign::BlindProbe, node);
        }
    }

    /// The last name of a path is that of a secret; `LOWER(…)` around it or not.
    fn is_secret(&self, node: NodeId) -> bool {
        match self.query.kind(node) {
            Kind::Path => {
                let last = self.query.children(node).last().map(|step| self.query.name(step));
                last.is_some_and(is_secret_name)
            }
            Kind::Call { udf: false } => {
                let name = call_name(self.query, node);
                let same =
                    name.eq_ignore_ascii_case(b"LOWER") || name.eq_ignore_ascii_case(b"UPPER");
                same && self.query.children(node).nth(1).is_some_and(|inner| self.is_secret(inner))
            }
            _ => false,
        }
    }
}

fn is_secret_name(name: &[u8]) -> bool {
    if name.len() > NAME_MAX {
        return false;
    }
    let plain: Vec<u8> =
        name.iter().filter(|b| !matches!(b, b'_' | b'-')).map(u8::to_ascii_lowercase).collect();
    ENDS.iter().any(|end| plain.ends_with(end))
        || PARTS.iter().any(|part| plain.windows(part.len()).any(|window| window == *part))
}
