//! What is odd about a query by itself, by meaning and with the bytes that show it. What each sign is
//! worth is said elsewhere: this room only sees.
use super::fold::{Folder, Truth, call_name};
use super::kind::{Binary, Kind, Unary};
use super::token::{Span, TokenKind};
use super::tree::{NodeId, Query};
use crate::event::Sign;

mod alternatives;
mod dialect;
mod optional;
mod overlap;
mod secrets;
mod stray;
mod tokens;
mod values;

#[cfg(test)]
mod tests;

use tokens::CommentPlace;
pub(super) use tokens::of_refused;

/// A sign and where it shows.
pub type Seen = (Sign, Span);

/// Most signs looked for in one query.
const SEEN_MAX: usize = 64;

/// The signs of a query that parses, in the order of the walk. `added` is what the gateway, not the
/// client, has put into its filter.
pub(super) fn of_query(query: &Query<'_>, added: [Option<Span>; 2]) -> Vec<Seen> {
    let mut walk = Walk { query, folder: Folder { query }, added, out: Vec::new() };
    walk.query(query.root());
    walk.comments();
    told_once(walk.out)
}

/// Of what one place shows of constants, the strongest: each of these is a comparison of constants.
fn told_once(seen: Vec<Seen>) -> Vec<Seen> {
    let stronger = |sign| match sign {
        Sign::ConstantComparison => &[Sign::AlwaysTrueUnderOr, Sign::StrayConstant][..],
        Sign::StrayConstant => &[Sign::AlwaysTrueUnderOr],
        _ => &[],
    };
    let said = |(sign, span): &Seen| stronger(*sign).iter().any(|s| seen.contains(&(*s, *span)));
    seen.iter().filter(|one| !said(one)).copied().collect()
}

struct Walk<'w, 'q> {
    query: &'w Query<'q>,
    folder: Folder<'w, 'q>,
    added: [Option<Span>; 2],
    out: Vec<Seen>,
}

/// Where a condition stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is the whole filter.
    Filter,
    /// Below `AND` alone.
    Conjunct,
    /// Below `OR` somewhere, or `NOT`.
    Alternative,
}

impl Walk<'_, '_> {
    fn note(&mut self, sign: Sign, node: NodeId) {
        self.note_span(sign, self.query.node(node).span);
    }

    fn note_span(&mut self, sign: Sign, span: Span) {
        if self.out.len() < SEEN_MAX && !self.out.contains(&(sign, span)) {
            self.out.push((sign, span));
        }
    }

    fn query(&mut self, node: NodeId) {
        for clause in self.query.children(node) {
            match self.query.kind(clause) {
                Kind::Where => {
                    if let Some(condition) = self.query.first_child(clause) {
                        self.condition(condition, Place::Filter, &[]);
                    }
                }
                _ => self.anywhere(clause),
            }
        }
    }

    /// What is odd wherever it stands: outside of conditions as well.
    fn anywhere(&mut self, node: NodeId) {
        self.logic_in_values(node);
        match self.query.kind(node) {
            Kind::Query => return self.query(node),
            Kind::Call { udf: false } => self.dialect(node),
            Kind::Name => self.foreign_name(node),
            Kind::Order(_) => self.order(node),
            Kind::And | Kind::Or => self.logic_outside(node),
            _ => {}
        }
        for child in self.query.children(node) {
            self.anywhere(child);
        }
    }

    /// `beside` are the alternatives of the group that it stands in by itself, if it does.
    fn condition(&mut self, node: NodeId, place: Place, beside: &[NodeId]) {
        if self.added.contains(&Some(self.query.node(node).span)) {
            return;
        }
        let always = place == Place::Filter && self.folder.truth(node) == Truth::Always;
        if always && !self.is_left_open(node, place) {
            self.note(Sign::AlwaysTrueFilter, node);
        }
        match self.query.kind(node) {
            Kind::Or => return self.alternatives(node, place),
            Kind::And => {
                let below = if place == Place::Filter { Place::Conjunct } else { place };
                for child in self.query.children(node) {
                    self.condition(child, below, &[]);
                }
                return;
            }
            Kind::Unary(Unary::Not) => {
                if self.folder.constant(node).is_none()
                    && let Some(child) = self.query.first_child(node)
                {
                    return self.condition(child, Place::Alternative, beside);
                }
            }
            _ => {}
        }
        self.predicate(node, beside);
    }

    /// One condition without `AND`, `OR` and `NOT` around it.
    fn predicate(&mut self, node: NodeId, beside: &[NodeId]) {
        let kind = self.query.kind(node);
        let constant = self.folder.constant(node).is_some();
        // The test of an optional filter whose value is one.
        let never = constant && self.folder.truth(node) == Truth::Never;
        if never && self.is_test(node, beside) {
            return self.inside(node);
        }
        // A builder of filters begins with `true`; anything else that needs no row was put there.
        if constant && kind != Kind::True && !self.is_optional(node, beside) {
            self.note(Sign::ConstantComparison, node);
        }
        let asked = matches!(kind, Kind::InQuery { .. })
            && self.query.first_child(node).is_some_and(|t| self.folder.constant(t).is_some());
        if (constant || asked) && self.is_stray(node, beside) {
            self.note(Sign::StrayConstant, node);
        }
        if !constant && self.folder.truth(node) == Truth::Nearly {
            let sign = match kind {
                _ if self.is_idle(node) => Some(Sign::ConstantComparison),
                Kind::Like { .. } | Kind::Between { .. } => Some(Sign::MatchesEverything),
                Kind::Call { .. } if self.is_search(node) => Some(Sign::MatchesEverything),
                Kind::Binary(
                    Binary::GreaterEqual | Binary::Greater | Binary::Less | Binary::LessEqual,
                ) => Some(Sign::MatchesEverything),
                _ => None,
            };
            if let Some(sign) = sign {
                self.note(sign, node);
            }
        }
        self.inside(node);
    }

    fn dialect(&mut self, call: NodeId) {
        let name = call_name(self.query, call);
        if dialect::is_foreign_function(name) || self.is_called_wrongly(call, name) {
            self.note(Sign::ForeignDialect, call);
        }
    }

    fn foreign_name(&mut self, name: NodeId) {
        if dialect::is_foreign_name(self.query.slice(name)) {
            self.note(Sign::ForeignDialect, name);
        }
    }

    /// A comment at the text's end whose words were a part of the query, or may have been.
    fn comments(&mut self) {
        let text = self.query.text();
        for comment in self.query.comments().iter().rev().take(8) {
            let after = text.get(comment.end as usize..).unwrap_or_default();
            let last = after.trim_ascii().is_empty();
            let before = text.get(..comment.start as usize).unwrap_or_default();
            let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
            let place = CommentPlace {
                last,
                behind_code: !line.trim_ascii().is_empty(),
                lines: text.trim_ascii().contains(&b'\n'),
            };
            if tokens::cuts_off(comment.of(text), place) {
                return self.note_span(Sign::CommentCutsOff, *comment);
            }
        }
    }
}

/// Names of kinds of tokens that open and close.
pub(super) fn closes(open: TokenKind) -> Option<TokenKind> {
    match open {
        TokenKind::ParenOpen => Some(TokenKind::ParenClose),
        TokenKind::BracketOpen => Some(TokenKind::BracketClose),
        TokenKind::BraceOpen => Some(TokenKind::BraceClose),
        _ => None,
    }
}
