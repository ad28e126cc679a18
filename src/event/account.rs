//! Which account a record concerns.
use crate::event::scalar::present;
use crate::ids::{AccountId, Cloud, SubscriptionId, Text};

/// What a resource id refers to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ResourceRef {
    /// A Cosmos DB account, or something below one.
    Account(AccountRef),
    /// An ARM id of another kind.
    Other {
        /// Lower-cased ARM id.
        id: Text,
        /// Its subscription.
        subscription: Option<SubscriptionId>,
    },
    /// Empty, or an id of an account without a name.
    Nothing,
}

/// A Cosmos DB account as one resource id names it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AccountRef {
    /// Lower-cased account name.
    pub(super) name: Text,
    /// Lower-cased ARM id of the account itself; `None` where only the bare name is logged.
    pub(super) id: Option<Text>,
    /// Lower-cased ARM id as logged, which may be a child of the account.
    pub(super) full_id: Option<Text>,
    /// Its subscription.
    pub(super) subscription: Option<SubscriptionId>,
}

impl AccountRef {
    /// The account in `cloud`.
    pub(super) fn in_cloud(&self, cloud: Cloud) -> AccountId {
        AccountId::from_lowercase(self.name.clone(), cloud)
    }
}

/// What precedes the account's name in an ARM id.
const ACCOUNTS: &str = "/providers/microsoft.documentdb/databaseaccounts/";

impl ResourceRef {
    /// Reads an ARM id in any case, or a bare account name as in 2017 records.
    pub(super) fn of(raw: &str) -> ResourceRef {
        let Some(raw) = present(raw) else { return ResourceRef::Nothing };
        let lower = raw.to_ascii_lowercase();
        let lower = lower.trim_end_matches('/');
        if lower.is_empty() {
            return ResourceRef::Nothing;
        }
        if !lower.contains('/') {
            let name = Text::from(lower);
            return ResourceRef::Account(AccountRef {
                name,
                id: None,
                full_id: None,
                subscription: None,
            });
        }
        let subscription = subscription_of(lower);
        let Some(start) = lower.find(ACCOUNTS).map(|at| at + ACCOUNTS.len()) else {
            // `…/databaseAccounts` itself: the account's name is missing.
            return if lower.ends_with(ACCOUNTS.trim_end_matches('/')) {
                ResourceRef::Nothing
            } else {
                ResourceRef::Other { id: Text::from(lower), subscription }
            };
        };
        let rest = lower.get(start..).unwrap_or_default();
        let name = rest.split('/').next().unwrap_or_default();
        if name.is_empty() {
            return ResourceRef::Nothing;
        }
        let id = lower.get(..start + name.len()).unwrap_or_default();
        ResourceRef::Account(AccountRef {
            name: Text::from(name),
            id: Some(Text::from(id)),
            full_id: Some(Text::from(lower)),
            subscription,
        })
    }
}

/// The subscription of a lower-cased ARM id.
fn subscription_of(lower: &str) -> Option<SubscriptionId> {
    let rest = lower.strip_prefix("/subscriptions/")?;
    let id = rest.split('/').next().filter(|id| !id.is_empty())?;
    Some(SubscriptionId::from_lowercase(Text::from(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(raw: &str) -> AccountRef {
        match ResourceRef::of(raw) {
            ResourceRef::Account(account) => account,
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn the_account_segment_names_the_account_in_any_case_and_depth() {
        let upper = "/SUBSCRIPTIONS/083D/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/COSMOSDEV";
        let child = "/subscriptions/083d/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/cosmosdev/sqlDatabases/db1/";
        assert_eq!(&*account(upper).name, "cosmosdev");
        assert_eq!(account(upper).id, account(child).id);
        assert_ne!(account(upper).full_id, account(child).full_id);
        assert_eq!(account(upper).subscription, Some(SubscriptionId::new("083d")));
        assert_eq!(&*account("ContosoCosmosDb").name, "contosocosmosdb");
        assert_eq!(account("contosocosmosdb").id, None);
    }

    #[test]
    fn other_resources_and_nothing_are_told_apart() {
        let storage =
            "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st";
        assert!(matches!(
            ResourceRef::of(storage),
            ResourceRef::Other { subscription: Some(s), .. } if s.as_str() == "s1"
        ));
        let nameless =
            "/subscriptions/s/resourceGroups/r/providers/Microsoft.DocumentDB/databaseAccounts/";
        for raw in ["", "/", "<empty>", nameless] {
            assert_eq!(ResourceRef::of(raw), ResourceRef::Nothing, "{raw}");
        }
    }
}
