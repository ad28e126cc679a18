//! Identities: a string becomes a type once, at the edge.
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Shared, immutable text. Cloning costs an atomic increment.
pub type Text = Arc<str>;

/// The Azure cloud an account lives in. Account names are unique inside one cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cloud {
    /// The public cloud (`documents.azure.com`).
    #[default]
    Public,
    /// Azure operated by 21Vianet (`documents.azure.cn`).
    China,
    /// Azure Government (`documents.azure.us`).
    UsGov,
}

impl Cloud {
    /// Short lower-case name, used in keys and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Cloud::Public => "public",
            Cloud::China => "china",
            Cloud::UsGov => "usgov",
        }
    }

    /// The cloud in which Azure region `region` (display or squeezed form) lies.
    pub fn of_region(region: &str) -> Cloud {
        let starts = |p: &str| {
            region.len() >= p.len()
                && region.as_bytes()[..p.len()].eq_ignore_ascii_case(p.as_bytes())
        };
        if starts("china") {
            Cloud::China
        } else if starts("usgov") || starts("usdod") || starts("usnat") || starts("ussec") {
            Cloud::UsGov
        } else {
            Cloud::Public
        }
    }
}

/// A Cosmos DB account: lower-cased account name and cloud. The ARM id is an attribute, so a
/// move between resource groups keeps the model and 2017 records (name only) join it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId {
    name: Text,
    cloud: Cloud,
}

impl AccountId {
    /// Takes the last segment of an ARM id, or a bare name, in any case.
    pub fn new(resource_id_or_name: &str, cloud: Cloud) -> AccountId {
        let last = resource_id_or_name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        AccountId { name: Text::from(last.to_ascii_lowercase()), cloud }
    }
    /// From an already lower-cased, shared name (the decoder's cache).
    pub fn from_lowercase(name: Text, cloud: Cloud) -> AccountId {
        AccountId { name, cloud }
    }
    /// The lower-cased account name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The cloud.
    pub fn cloud(&self) -> Cloud {
        self.cloud
    }
    /// `cloud/name`: sorts like the id itself inside one cloud; used as store key and in output
    /// where the cloud matters.
    pub fn key(&self) -> String {
        format!("{}/{}", self.cloud.as_str(), self.name)
    }
    /// Reads what [`AccountId::key`] wrote, or a bare name in the public cloud.
    pub fn parse(key: &str) -> AccountId {
        match key.split_once('/') {
            Some(("china", n)) => AccountId::new(n, Cloud::China),
            Some(("usgov", n)) => AccountId::new(n, Cloud::UsGov),
            _ => AccountId::new(key, Cloud::Public),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cloud {
            Cloud::Public => f.write_str(&self.name),
            other => write!(f, "{}/{}", other.as_str(), self.name),
        }
    }
}
impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! lowercase_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Text);
        impl $name {
            /// Lower-cases and trims `raw`.
            pub fn new(raw: &str) -> Self { $name(Text::from(raw.trim().to_ascii_lowercase())) }
            /// From text that is lower-case already.
            pub fn from_lowercase(text: Text) -> Self { $name(text) }
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
            /// The shared text.
            pub fn text(&self) -> &Text { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
    };
}
lowercase_id!(
    /// An Azure subscription id.
    SubscriptionId
);
lowercase_id!(
    /// A Microsoft Entra tenant id (never the workspace id that Log Analytics calls `TenantId`).
    TenantId
);
lowercase_id!(
    /// Who acted: object id where known, else user principal name, else application id.
    PrincipalId
);
