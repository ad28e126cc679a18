//! The Activity log in its three forms, and who acted.
use super::*;
use crate::ids::Cloud;

const CLAIM: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
const MS_CLAIM: &str = "http://schemas.microsoft.com/identity/claims";
const TENANT: &str = "22222222-2222-2222-2222-222222222222";
const OBJECT: &str = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb";
const ACCOUNT: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg/providers/microsoft.documentdb/databaseaccounts/acc";

/// A stream record of one operation with the given claims and further keys.
fn stream(operation: &str, resource: &str, claims: &str, keys: &str) -> String {
    format!(
        r#"{{"time":"2025-04-15T10:20:32.9873441Z","resourceId":"{}","operationName":"{}","category":"Administrative","resultType":"Success","callerIpAddress":"203.0.113.10","correlationId":"AAAA","identity":{{"authorization":{{"evidence":{{"role":"Owner","principalId":"55555555555555555555555555555555","principalType":"User"}}}},"claims":{{{claims}}}}},"tenantId":"{TENANT}"{keys}}}"#,
        resource.to_uppercase(),
        operation.to_uppercase(),
    )
}

fn list_keys(claims: &str) -> ActivityOperation {
    activity(&stream("Microsoft.DocumentDB/databaseAccounts/listKeys/action", ACCOUNT, claims, ""))
}

#[test]
fn a_stream_record_decodes_field_by_field() {
    let claims = format!(
        r#""{CLAIM}/upn":" Dev1@contoso.example","{MS_CLAIM}/objectidentifier":"{OBJECT}","{MS_CLAIM}/tenantid":"{TENANT}","appid":"04b07795-8ddb-461a-bbee-02f9e1bf7b46","appidacr":"0","ipaddr":"198.51.100.1""#
    );
    let record =
        stream("microsoft.documentdb/databaseaccounts/listkeys/action", ACCOUNT, &claims, "");
    let event = event(&record);
    assert_eq!(event.account.as_ref().map(|a| a.key()).as_deref(), Some("public/acc"));
    assert_eq!(event.resource_id.as_deref(), Some(ACCOUNT));
    let expected = ActivityOperation {
        operation: "microsoft.documentdb/databaseaccounts/listkeys/action".into(),
        credential: Some(CredentialOperation::CosmosListKeys),
        outcome: Outcome::Succeeded,
        correlation_id: "aaaa".into(),
        target: ACCOUNT.into(),
        subscription: Some(SubscriptionId::new("11111111-1111-1111-1111-111111111111")),
        tenant: Some(TenantId::new(TENANT)),
        principal: Some(PrincipalId::new(OBJECT)),
        principal_name: "Dev1@contoso.example".into(),
        principal_type: PrincipalType::User,
        guest: false,
        app_id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46".into(),
        role: "Owner".into(),
        client_ip: "203.0.113.10".parse().ok(),
    };
    assert_eq!(event.body, Body::Activity(Box::new(expected)));
}

#[test]
fn the_principal_is_the_object_id_else_the_name_else_the_application() {
    let evidence = list_keys("");
    let dashed = "55555555-5555-5555-5555-555555555555";
    assert_eq!(evidence.principal, Some(PrincipalId::new(dashed)));
    let object = list_keys(&format!(
        r#""{MS_CLAIM}/objectidentifier":"55555555-5555-5555-5555-555555555555""#
    ));
    assert_eq!(object.principal, evidence.principal);
    let bare = |claims: &str, keys: &str| {
        activity(&format!(
            r#"{{"time":"2025-04-15T10:20:32Z","resourceId":"{ACCOUNT}","operationName":"Microsoft.DocumentDB/databaseAccounts/listKeys/action","correlationId":"c","identity":{{"claims":{{{claims}}}}}{keys}}}"#
        ))
    };
    let upn = bare(&format!(r#""{CLAIM}/upn":"A@b.c","appid":"x""#), "");
    assert_eq!(upn.principal, Some(PrincipalId::new("a@b.c")));
    let caller = bare("", r#","caller":" Someone@contoso.example""#);
    assert_eq!(caller.principal, Some(PrincipalId::new("someone@contoso.example")));
    assert_eq!(caller.principal_type, PrincipalType::User);
    let app = bare(r#""appid":"CCCCCCCC-0000-0000-0000-000000000003","appidacr":"1""#, "");
    assert_eq!(app.principal, Some(PrincipalId::new("cccccccc-0000-0000-0000-000000000003")));
    assert_eq!(app.principal_type, PrincipalType::ServicePrincipal);
    let nobody = bare("", "");
    assert_eq!((nobody.principal, &*nobody.principal_name), (None, ""));
    assert_eq!((nobody.principal_type, nobody.guest), (PrincipalType::Unknown, false));
}

#[test]
fn people_applications_and_managed_identities_are_told_apart() {
    for (claims, expected) in [
        (r#""idtyp":"user""#, PrincipalType::User),
        (r#""idtyp":"app""#, PrincipalType::ServicePrincipal),
        (
            r#""idtyp":"app","xms_mirid":"/subscriptions/s/providers/microsoft.managedidentity/x""#,
            PrincipalType::ManagedIdentity,
        ),
    ] {
        assert_eq!(list_keys(claims).principal_type, expected, "{claims}");
    }
    let group = stream(
        "microsoft.documentdb/databaseaccounts/listkeys/action",
        ACCOUNT,
        r#""appid":"x","appidacr":"2""#,
        "",
    )
    .replace(r#""principalType":"User""#, r#""principalType":"Group""#);
    assert_eq!(activity(&group).principal_type, PrincipalType::ServicePrincipal);
}

#[test]
fn guests_are_told_by_name_by_provider_and_by_a_missing_upn() {
    let own = format!(r#""{MS_CLAIM}/tenantid":"{TENANT}","{CLAIM}/upn":"a@b.c""#);
    for (claims, guest) in [
        (own.clone(), false),
        (
            format!(r#"{own},"{MS_CLAIM}/identityprovider":"https://sts.windows.net/{TENANT}/""#),
            false,
        ),
        (format!(r#"{own},"{MS_CLAIM}/identityprovider":"https://sts.windows.net/other/""#), true),
        (format!(r#"{own},"{MS_CLAIM}/identityprovider":"live.com""#), true),
        (format!(r#"{own},"altsecid":"5::10032001EEC259BA""#), true),
        (format!(r#""{CLAIM}/upn":"a_b.c#EXT#@contoso.example""#), true),
        (format!(r#""{CLAIM}/emailaddress":"user@example.com""#), true),
        (
            format!(
                r#""idtyp":"app","{MS_CLAIM}/identityprovider":"https://sts.windows.net/other/""#
            ),
            false,
        ),
    ] {
        assert_eq!(list_keys(&claims).guest, guest, "{claims}");
    }
}

#[test]
fn the_rest_form_decodes_to_the_same() {
    let record = format!(
        r#"{{"authorization":{{"action":"Microsoft.DocumentDB/databaseAccounts/delete","scope":"{ACCOUNT}"}},"caller":"attacker@contoso.example","claims":{{"{CLAIM}/upn":"attacker@contoso.example","{MS_CLAIM}/objectidentifier":"{OBJECT}","appid":"04b07795-8ddb-461a-bbee-02f9e1bf7b46"}},"correlationId":"485d787d","category":{{"value":"Administrative","localizedValue":"Administrative"}},"eventTimestamp":"2022-07-06T13:46:02.4077635Z","submissionTimestamp":"2022-07-06T13:48:04Z","httpRequest":{{"clientRequestId":"x","clientIpAddress":"203.0.113.9","method":"DELETE"}},"operationName":{{"value":"Microsoft.DocumentDB/databaseAccounts/delete","localizedValue":"Delete database accounts"}},"resourceId":"{ACCOUNT}/sqlDatabases/db","status":{{"value":"Succeeded","localizedValue":"Succeeded"}},"subStatus":{{"value":""}},"tenantId":"{TENANT}","properties":{{"eventCategory":"Administrative"}},"relatedEvents":[]}}"#
    );
    let event = event(&record);
    assert_eq!(event.time.to_string(), "2022-07-06T13:46:02.407Z");
    assert_eq!(event.resource_id.as_deref(), Some(ACCOUNT));
    let Body::Activity(operation) = event.body else { panic!("an activity") };
    assert_eq!(&*operation.operation, "microsoft.documentdb/databaseaccounts/delete");
    assert_eq!((operation.credential, operation.outcome), (None, Outcome::Succeeded));
    assert_eq!(&*operation.target, format!("{ACCOUNT}/sqldatabases/db"));
    assert_eq!(operation.principal, Some(PrincipalId::new(OBJECT)));
    assert_eq!(operation.client_ip.map(|ip| ip.to_string()).as_deref(), Some("203.0.113.9"));
    assert_eq!(operation.tenant, Some(TenantId::new(TENANT)));
}

#[test]
fn rows_hold_identity_as_json_in_strings_and_the_workspace_as_tenant() {
    let claims = format!(
        r#"{{\"{MS_CLAIM}/objectidentifier\":\"{OBJECT}\",\"{MS_CLAIM}/tenantid\":\"{TENANT}\",\"{CLAIM}/upn\":\"a@b.c\"}}"#
    );
    let row = |claims: &str| {
        format!(
            r#"{{"Type":"AzureActivity","TenantId":"99999999-9999-9999-9999-999999999999","TimeGenerated":"2025-04-15T10:20:32Z","OperationName":"List Keys","OperationNameValue":"MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/LISTKEYS/ACTION","ActivityStatus":"Erfolgreich","ActivityStatusValue":"Success","CategoryValue":"Administrative","Category":"Verwaltung","Caller":"a@b.c","CallerIpAddress":"203.0.113.10","CorrelationId":"x","Authorization":"{{\"scope\":\"s\",\"evidence\":{{\"role\":\"Contributor\",\"principalType\":\"User\"}}}}",{claims}"_ResourceId":"{ACCOUNT}","Properties":"{{}}"}}"#
        )
    };
    let operation = activity(&row(&format!(r#""Claims":"{claims}","#)));
    assert_eq!(operation.credential, Some(CredentialOperation::CosmosListKeys));
    assert_eq!(operation.outcome, Outcome::Succeeded);
    assert_eq!(operation.principal, Some(PrincipalId::new(OBJECT)));
    assert_eq!(operation.tenant, Some(TenantId::new(TENANT)));
    assert_eq!((&*operation.role, &*operation.principal_name), ("Contributor", "a@b.c"));
    let without = activity(&row(""));
    assert_eq!((without.tenant, without.principal), (None, Some(PrincipalId::new("a@b.c"))));
    let dynamic =
        activity(&row(&format!(r#""Claims_d":{{"{MS_CLAIM}/objectidentifier":"{OBJECT}"}},"#)));
    assert_eq!(dynamic.principal, Some(PrincipalId::new(OBJECT)));
}

#[test]
fn credential_operations_of_other_providers_are_events_and_the_rest_is_not() {
    let storage =
        "/subscriptions/s1/resourcegroups/r/providers/microsoft.storage/storageaccounts/st";
    let keys = event(&stream("Microsoft.Storage/storageAccounts/listKeys/action", storage, "", ""));
    assert_eq!((&keys.account, keys.resource_id.as_deref()), (&None, Some(storage)));
    let Body::Activity(operation) = keys.body else { panic!("an activity") };
    assert_eq!(operation.credential, Some(CredentialOperation::OtherProvider));
    assert_eq!(operation.subscription, Some(SubscriptionId::new("s1")));
    let write = stream("Microsoft.Storage/storageAccounts/write", storage, "", "");
    assert_eq!(decode(&write), Ok(Decoded::OtherResource));
}

#[test]
fn the_cloud_comes_from_the_place_of_processing_where_it_names_one() {
    for (keys, cloud) in [
        ("", Cloud::Public),
        (r#","location":"global""#, Cloud::Public),
        (r#","RoleLocation":"France South""#, Cloud::Public),
        (r#","RoleLocation":"China East 2""#, Cloud::China),
        (r#","location":"usgovvirginia""#, Cloud::UsGov),
        (r#","RoleLocation":"US Gov Arizona""#, Cloud::UsGov),
    ] {
        let record = stream("microsoft.documentdb/databaseaccounts/write", ACCOUNT, "", keys);
        assert_eq!(event(&record).account.map(|a| a.cloud()), Some(cloud), "{keys}");
    }
}

#[test]
fn a_decoder_for_another_cloud_joins_records_that_name_none() {
    let mut china = Decoder::in_cloud(Cloud::China);
    let mut cloud = |record: &str| match china.decode(record.as_bytes()) {
        Ok(Decoded::Event(event)) => event.account.map(|account| account.cloud()),
        other => panic!("{other:?}"),
    };
    let keys = stream("microsoft.documentdb/databaseaccounts/listkeys/action", ACCOUNT, "", "");
    assert_eq!(cloud(&keys), Some(Cloud::China));
    assert_eq!(cloud(&data_plane(&[("region", "")])), Some(Cloud::China));
    assert_eq!(cloud(&data_plane(&[("region", "China East 2")])), Some(Cloud::China));
    assert_eq!(cloud(&data_plane(&[("region", "East US")])), Some(Cloud::Public));
}

#[test]
fn a_bare_name_is_no_account_in_the_activity_log() {
    let keys = stream("microsoft.documentdb/databaseaccounts/listkeys/action", "acc", "", "");
    let named = event(&keys);
    assert_eq!((named.account, named.resource_id), (None, None));
    let write = stream("microsoft.documentdb/databaseaccounts/write", "acc", "", "");
    assert_eq!(decode(&write), Ok(Decoded::OtherResource));
}

#[test]
fn records_of_other_kinds_are_named_or_refused() {
    let other = r#"{"time":"2025-01-01T00:00:00Z","category":"AuditEvent","operationName":"SecretGet","correlationId":"c","identity":{},"resourceId":"/subscriptions/s/resourcegroups/r/providers/microsoft.keyvault/vaults/v"}"#;
    assert_eq!(decode(other), Ok(Decoded::OtherResource));
    let new = format!(r#"{{"category":"BrandNewRequests","resourceId":"{ACCOUNT}"}}"#);
    assert_eq!(decode(&new), Ok(Decoded::UnknownCategory("BrandNewRequests".into())));
    for record in
        ["{}", r#"{"a":1}"#, r#"{"category":"AuditEvent"}"#, r#"{"time":"2025-01-01T00:00:00Z"}"#]
    {
        assert_eq!(reason(record), RefusalReason::NotALogRecord, "{record}");
    }
}

#[test]
fn a_property_bag_cannot_pose_as_the_record() {
    let keys = r#","properties":{"category":"DataPlaneRequests","caller":"x","resourceId":"other","operationName":"a/b/c","time":"2030-01-01T00:00:00Z"}"#;
    let event =
        event(&stream("microsoft.documentdb/databaseaccounts/listkeys/action", ACCOUNT, "", keys));
    assert_eq!(event.resource_id.as_deref(), Some(ACCOUNT));
    assert_eq!(event.time.to_string(), "2025-04-15T10:20:32.987Z");
    assert_eq!(event.category(), Some(Category::Activity));
}
