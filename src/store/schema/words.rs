//! Persisted codes of closed vocabularies. A code, once given, never changes its meaning.
use serde::{Deserialize, Serialize};

use crate::event::{Credential, CredentialOperation, KeyKind, Outcome, PrincipalType};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::AddressClass;

macro_rules! codes {
    ($(#[$doc:meta])* $to:ident, $from:ident, $ty:ty { $($code:literal => $variant:expr),+ $(,)? }) => {
        $(#[$doc])*
        pub fn $to(value: $ty) -> u8 {
            [$(($code, $variant)),+].iter().find(|(_, v)| *v == value).map_or(0, |(c, _)| *c)
        }
        $(#[$doc])*
        pub fn $from(code: u8) -> Option<$ty> {
            [$(($code, $variant)),+].iter().find(|(c, _)| *c == code).map(|(_, v)| *v)
        }
    };
}

codes!(
    /// Address classes.
    class_code, class, AddressClass {
        1 => AddressClass::Private, 2 => AddressClass::Azure, 3 => AddressClass::Hosting,
        4 => AddressClass::Trusted, 5 => AddressClass::Residential,
    }
);
codes!(
    /// Credential operations.
    operation_code, operation, CredentialOperation {
        1 => CredentialOperation::CosmosListKeys, 2 => CredentialOperation::CosmosReadonlyKeys,
        3 => CredentialOperation::CosmosConnectionStrings, 4 => CredentialOperation::CosmosRegenerateKey,
        5 => CredentialOperation::OtherProvider,
    }
);
codes!(
    /// Outcomes.
    outcome_code, outcome, Outcome {
        1 => Outcome::Started, 2 => Outcome::Accepted, 3 => Outcome::Succeeded, 4 => Outcome::Failed, 5 => Outcome::Unknown,
    }
);
codes!(
    /// Kinds of principal.
    principal_type_code, principal_type, PrincipalType {
        1 => PrincipalType::User, 2 => PrincipalType::ServicePrincipal,
        3 => PrincipalType::ManagedIdentity, 4 => PrincipalType::Unknown,
    }
);
codes!(
    /// Account keys.
    key_kind_code, key_kind, KeyKind {
        1 => KeyKind::PrimaryMaster, 2 => KeyKind::SecondaryMaster,
        3 => KeyKind::PrimaryReadonly, 4 => KeyKind::SecondaryReadonly,
    }
);

/// How a caller authenticated: a kind, with the key's code or the principal.
#[derive(Debug, Serialize, Deserialize)]
pub struct CredentialV1 {
    kind: u8,
    key: u8,
    principal: Option<Text>,
}

impl From<&Credential> for CredentialV1 {
    fn from(c: &Credential) -> CredentialV1 {
        let (kind, key, principal) = match c {
            Credential::Key(kind) => (1, key_kind_code(*kind), None),
            Credential::Entra(principal) => (2, 0, Some(principal.text().clone())),
            Credential::ResourceToken => (3, 0, None),
            Credential::System => (4, 0, None),
            Credential::Unknown => (5, 0, None),
        };
        CredentialV1 { kind, key, principal }
    }
}

impl CredentialV1 {
    /// The credential; `None` if a code is unknown.
    pub fn restore(self) -> Option<Credential> {
        Some(match (self.kind, self.principal) {
            (1, None) => Credential::Key(key_kind(self.key)?),
            (2, Some(principal)) => Credential::Entra(PrincipalId::from_lowercase(principal)),
            (3, None) => Credential::ResourceToken,
            (4, None) => Credential::System,
            (5, None) => Credential::Unknown,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_code_and_comes_back() {
        for code in 1..=5 {
            assert_eq!(class(code).map(class_code), Some(code));
            assert_eq!(operation(code).map(operation_code), Some(code));
            assert_eq!(outcome(code).map(outcome_code), Some(code));
        }
        for code in 1..=4 {
            assert_eq!(principal_type(code).map(principal_type_code), Some(code));
            assert_eq!(key_kind(code).map(key_kind_code), Some(code));
        }
        assert_eq!(class(0), None);
        assert_eq!(outcome(77), None);
    }
}
