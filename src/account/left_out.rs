//! What of an account's records was left out of its model by hand. Whatever rebuilds the model
//! later leaves it out again; without this, forgetting one thing would bring back the one before.
use crate::event::{Body, Credential, Event};
use crate::ids::PrincipalId;
use crate::limits;
use crate::time::Timestamp;

/// Why a part was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `model forget`: for good.
    Forgotten,
    /// `snapshot revert` without the records since: until they are fed again.
    Reverted,
}

/// A part of an account's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// First event time.
    pub from: Timestamp,
    /// First event time behind it.
    pub until: Timestamp,
    /// Of these only what this principal did.
    pub principal: Option<PrincipalId>,
    /// Why.
    pub why: Why,
}

impl Part {
    /// The record belongs to it.
    pub fn covers(&self, event: &Event) -> bool {
        let inside = self.from <= event.time && event.time < self.until;
        inside && self.principal.as_ref().is_none_or(|wanted| acts(wanted, event))
    }
}

/// Who did this, as [`Part::principal`] may name them.
pub fn names(event: &Event) -> impl Iterator<Item = &str> {
    let (id, name) = match &event.body {
        Body::Activity(a) => (a.principal.as_ref(), Some(&*a.principal_name)),
        Body::Request(r) => match &r.credential {
            Credential::Entra(who) => (Some(who), None),
            _ => (None, None),
        },
        Body::Query(_) | Body::Control(_) | Body::Coverage(_) => (None, None),
    };
    id.map(PrincipalId::as_str).into_iter().chain(name)
}

/// `principal` did this, by object id, or by the name that the Activity log gives.
fn acts(principal: &PrincipalId, event: &Event) -> bool {
    match &event.body {
        Body::Activity(a) => {
            a.principal.as_ref() == Some(principal)
                || a.principal_name.eq_ignore_ascii_case(principal.as_str())
        }
        Body::Request(r) => matches!(&r.credential, Credential::Entra(who) if who == principal),
        Body::Query(_) | Body::Control(_) | Body::Coverage(_) => false,
    }
}

/// All that was left out of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Records that came to the account and are not in its model.
    pub records: u64,
    /// What they are.
    pub parts: Vec<Part>,
}

impl LeftOut {
    /// The record belongs to a part.
    pub fn covers(&self, event: &Event) -> bool {
        self.parts.iter().any(|part| part.covers(event))
    }

    /// Adds a part, unless it is there; false if there is no room for one more.
    pub fn add(&mut self, part: Part) -> bool {
        if self.parts.contains(&part) {
            return true;
        }
        let room = self.parts.len() < limits::LEFT_OUT_PARTS_MAX;
        if room {
            self.parts.push(part);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_once_and_within_a_bound() {
        let part = |n: usize| Part {
            from: Timestamp(0),
            until: Timestamp(n as i64),
            principal: None,
            why: Why::Forgotten,
        };
        let mut left_out = LeftOut::default();
        for n in 0..limits::LEFT_OUT_PARTS_MAX {
            assert!(left_out.add(part(n)) && left_out.add(part(n)));
        }
        assert!(!left_out.add(part(usize::MAX)) && left_out.add(part(0)));
        assert_eq!(left_out.parts.len(), limits::LEFT_OUT_PARTS_MAX);
    }
}
