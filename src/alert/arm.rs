//! Parts of an Azure Resource Manager id, taken apart without trust.

/// Longest id that is taken apart, bytes: ARM's own limit is below.
const ID_BYTES_MAX: usize = 1024;

/// A resource id that has the shape of a Cosmos DB account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmId<'a> {
    /// The whole id.
    pub id: &'a str,
    /// Subscription.
    pub subscription: &'a str,
    /// Resource group.
    pub resource_group: &'a str,
}

impl<'a> ArmId<'a> {
    /// Takes `id` apart; `None` unless it is
    /// `/subscriptions/S/resourceGroups/G/providers/Microsoft.DocumentDB/databaseAccounts/A`, any
    /// case, with the characters that ARM allows.
    pub fn parse(id: &'a str) -> Option<ArmId<'a>> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
        if id.len() > ID_BYTES_MAX {
            return None;
        }
        let parts: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
        let [subscriptions, subscription, groups, group, providers, provider, accounts, account] =
            parts[..]
        else {
            return None;
        };
        let words = [
            (subscriptions, "subscriptions"),
            (groups, "resourcegroups"),
            (providers, "providers"),
            (provider, "microsoft.documentdb"),
            (accounts, "databaseaccounts"),
        ];
        let shaped = words.iter().all(|(found, word)| found.eq_ignore_ascii_case(word));
        let named = [subscription, group, account]
            .iter()
            .all(|name| !name.is_empty() && name.chars().all(allowed));
        (shaped && named).then_some(ArmId { id, subscription, resource_group: group })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_accounts_id_is_taken_apart() {
        let id = "/subscriptions/00000000-0000-0000-0000-00000000c0de/resourcegroups/rg-data\
                  /providers/microsoft.documentdb/databaseaccounts/contoso-orders";
        let arm = ArmId::parse(id).unwrap();
        assert_eq!(
            (arm.subscription, arm.resource_group),
            ("00000000-0000-0000-0000-00000000c0de", "rg-data")
        );
        for bad in [
            "",
            "contoso-orders",
            "/subscriptions//resourcegroups/rg/providers/microsoft.documentdb/databaseaccounts/a",
            "/subscriptions/s/resourcegroups/r\u{1b}/providers/microsoft.documentdb/databaseaccounts/a",
            "/subscriptions/s/resourcegroups/r/providers/microsoft.storage/storageaccounts/a",
        ] {
            assert_eq!(ArmId::parse(bad), None, "{bad}");
        }
    }
}
