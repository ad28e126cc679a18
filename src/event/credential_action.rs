//! Which operations of the Activity log hand out or change credentials.
use crate::event::CredentialOperation;

const COSMOS_ACCOUNT: &str = "microsoft.documentdb/databaseaccounts/";

/// Account-level operations of Cosmos DB, after `microsoft.documentdb/databaseaccounts/`. The
/// GET form of read-only keys may be logged as a read.
const COSMOS: [(&str, CredentialOperation); 6] = [
    ("listkeys/action", CredentialOperation::CosmosListKeys),
    ("readonlykeys/action", CredentialOperation::CosmosReadonlyKeys),
    ("readonlykeys/read", CredentialOperation::CosmosReadonlyKeys),
    ("listreadonlykeys/action", CredentialOperation::CosmosReadonlyKeys),
    ("listconnectionstrings/action", CredentialOperation::CosmosConnectionStrings),
    ("regeneratekey/action", CredentialOperation::CosmosRegenerateKey),
];

/// Ends of operations that hand out or change a credential whoever the provider is: the actions
/// of Azure's public resource-provider operations list that key-collecting tools call.
const ANY_PROVIDER_ENDS: [&str; 28] = [
    // keys and connection strings: storage, functions, search, Event Hubs, cognitive services …
    "/listkeys/action",
    "/listkey/action",
    "/listadminkeys/action",
    "/listquerykeys/action",
    "/listauthkeys/action",
    "/listapikeys/action",
    "/listconnectionstrings/action",
    "/listconnectionstring/action",
    "/regeneratekey/action",
    "/regeneratekeys/action",
    "/regenerateadminkey/action",
    // shared access signatures: storage accounts and services, managed disks, workflow triggers
    "/listaccountsas/action",
    "/listservicesas/action",
    "/listsas/action",
    "/begingetaccess/action",
    "/listcallbackurl/action",
    // credentials: container registries, clusters, sites
    "/listcredentials/action",
    "/listcredential/action",
    "/regeneratecredential/action",
    "/generatecredentials/action",
    "/listclusteradmincredential/action",
    "/listclusterusercredential/action",
    "/publishxml/action",
    "/publishxml/read",
    "/config/list/action",
    "/publishingcredentials/list/action",
    // secrets of API management, app configuration, container apps, automation
    "/listsecrets/action",
    "/listsecret/action",
];

/// Parts of operations that touch stored secrets, whatever the verb.
const ANY_PROVIDER_PARTS: [&str; 5] = [
    "microsoft.keyvault/vaults/secrets/",
    "microsoft.keyvault/vaults/keys/",
    "microsoft.keyvault/vaults/accesspolicies/",
    "microsoft.automation/automationaccounts/credentials/",
    "microsoft.automation/automationaccounts/certificates/",
];

/// The credential operation that a lower-cased operation is, if it is one.
pub(super) fn of(operation: &str) -> Option<CredentialOperation> {
    if let Some(action) = operation.strip_prefix(COSMOS_ACCOUNT) {
        return COSMOS.iter().find(|(name, _)| *name == action).map(|(_, kind)| *kind);
    }
    (ANY_PROVIDER_ENDS.iter().any(|end| operation.ends_with(end))
        || ANY_PROVIDER_PARTS.iter().any(|part| operation.starts_with(part)))
    .then_some(CredentialOperation::OtherProvider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_operations_of_all_providers_are_known() {
        for (operation, expected) in [
            (
                "microsoft.documentdb/databaseaccounts/listkeys/action",
                Some(CredentialOperation::CosmosListKeys),
            ),
            (
                "microsoft.documentdb/databaseaccounts/readonlykeys/action",
                Some(CredentialOperation::CosmosReadonlyKeys),
            ),
            (
                "microsoft.documentdb/databaseaccounts/listconnectionstrings/action",
                Some(CredentialOperation::CosmosConnectionStrings),
            ),
            (
                "microsoft.documentdb/databaseaccounts/regeneratekey/action",
                Some(CredentialOperation::CosmosRegenerateKey),
            ),
            ("microsoft.documentdb/databaseaccounts/write", None),
            ("microsoft.documentdb/databaseaccounts/sqldatabases/write", None),
            (
                "microsoft.documentdb/mongoclusters/listconnectionstrings/action",
                Some(CredentialOperation::OtherProvider),
            ),
            (
                "microsoft.storage/storageaccounts/listkeys/action",
                Some(CredentialOperation::OtherProvider),
            ),
            (
                "microsoft.storage/storageaccounts/listaccountsas/action",
                Some(CredentialOperation::OtherProvider),
            ),
            ("microsoft.web/sites/publishxml/action", Some(CredentialOperation::OtherProvider)),
            ("microsoft.web/sites/config/list/action", Some(CredentialOperation::OtherProvider)),
            ("microsoft.web/sites/host/listkeys/action", Some(CredentialOperation::OtherProvider)),
            (
                "microsoft.web/sites/functions/listkeys/action",
                Some(CredentialOperation::OtherProvider),
            ),
            (
                "microsoft.containerregistry/registries/listcredentials/action",
                Some(CredentialOperation::OtherProvider),
            ),
            (
                "microsoft.containerservice/managedclusters/listclusteradmincredential/action",
                Some(CredentialOperation::OtherProvider),
            ),
            ("microsoft.keyvault/vaults/secrets/write", Some(CredentialOperation::OtherProvider)),
            (
                "microsoft.automation/automationaccounts/credentials/write",
                Some(CredentialOperation::OtherProvider),
            ),
            ("microsoft.insights/diagnosticsettings/write", None),
            ("microsoft.support/supporttickets/write", None),
            ("", None),
        ] {
            assert_eq!(of(operation), expected, "{operation}");
        }
    }
}
