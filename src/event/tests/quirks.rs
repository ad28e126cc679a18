//! The ten known ways in which records differ from what one would expect.
use super::*;
use crate::ids::Cloud;
use crate::time::Timestamp;

#[test]
fn quirk_01_extra_envelope_keys_line_ends_and_byte_order_marks_do_not_matter() {
    let plain = event(DATA_PLANE);
    let pretty: serde_json::Value = serde_json::from_str(DATA_PLANE).expect("valid JSON");
    let pretty = serde_json::to_string_pretty(&pretty).expect("valid JSON").replace('\n', "\r\n");
    for record in [
        format!("\u{feff}{DATA_PLANE}\r\n"),
        format!("  {pretty}  "),
        DATA_PLANE.replacen(
            '{',
            r#"{"EventProcessedUtcTime": "2023-06-26T12:11:13.8Z", "PartitionId": 0, "#,
            1,
        ),
    ] {
        let Event { time, account, body, .. } = event(&record);
        assert_eq!((time, account, body), (plain.time, plain.account.clone(), plain.body.clone()));
    }
    let mut decoder = Decoder::new();
    let extra = DATA_PLANE.replacen('{', r#"{"neverSeen": {"a": [1, {}]}, "#, 1);
    assert!(decoder.decode(extra.as_bytes()).is_ok());
    assert_eq!(decoder.counters.unknown_keys, 1);
}

#[test]
fn quirk_02_keys_resource_ids_operations_and_key_types_ignore_case() {
    let lower = {
        let mut record: serde_json::Value = serde_json::from_str(DATA_PLANE).expect("valid JSON");
        let object = record.as_object_mut().expect("an object");
        let bag = object.remove("properties").expect("properties");
        let fold = |object: &serde_json::Map<String, serde_json::Value>, up: bool| {
            object
                .iter()
                .map(|(k, v)| (if up { k.to_uppercase() } else { k.to_lowercase() }, v.clone()))
                .collect::<serde_json::Map<_, _>>()
        };
        let mut folded = fold(object, true);
        folded.insert("PROPERTIES".into(), fold(bag.as_object().expect("a bag"), false).into());
        serde_json::Value::Object(folded).to_string()
    };
    assert_eq!(event(&lower).body, event(DATA_PLANE).body);
    assert_eq!(event(&lower).account, event(DATA_PLANE).account);

    let spelled = data_plane(&[
        ("category", "dataplanerequests"),
        ("operationName", "CREATE"),
        ("requestResourceType", "documentfeed"),
        ("keyType", "primaryreadonlymasterkey"),
        ("connectionMode", "DIRECT"),
    ]);
    let request = request(&spelled);
    assert_eq!((request.operation, request.resource), (Operation::Write, Resource::Document));
    assert_eq!(request.credential, Credential::Key(KeyKind::PrimaryReadonly));
    assert_eq!(request.connection, ConnectionMode::Direct);
}

#[test]
fn quirk_03_every_scalar_may_be_a_string_and_nothing_has_four_spellings() {
    let strings = request(DATA_PLANE);
    let numbers = request(&data_plane(&[
        ("statusCode", "201"),
        ("requestCharge", "7.81"),
        ("requestLength", "281"),
        ("responseLength", "493.0"),
    ]));
    assert_eq!(strings, numbers);
    assert_eq!((strings.charge_milli, strings.response_bytes), (7810, 493));
    for nothing in ["", "<empty>", "\"\\\"\\\"\"", "null"] {
        let request = request(&data_plane(&[
            ("statusCode", nothing),
            ("responseLength", nothing),
            ("userAgent", nothing),
            ("clientIpAddress", nothing),
            ("databaseName", nothing),
            ("activityId", nothing),
        ]));
        assert_eq!((request.status, request.access), (0, Access::Unknown), "{nothing}");
        assert_eq!((&*request.user_agent, &*request.client_family), ("", ""), "{nothing}");
        assert_eq!((request.client_ip, request.activity_id), (None, None), "{nothing}");
        assert_eq!((&*request.database, request.response_bytes), ("", 0), "{nothing}");
    }
    let named = request(&data_plane(&[("databaseName", "2024"), ("collectionName", "true")]));
    assert_eq!((&*named.database, &*named.container), ("2024", "true"));
    let control = |value: &str| {
        let record = format!(
            r#"{{"time":"2023-06-26T12:03:57Z","resourceId":"acc","category":"ControlPlaneRequests","operationName":"DiagnosticLogUpdateComplete","properties":{{"httpstatusCode":"200","enableDataPlaneRequestsTrace":{value}}}}}"#
        );
        match event(&record).body {
            Body::Control(control) => control.diagnostics.and_then(|d| d.data_plane),
            other => panic!("{other:?}"),
        }
    };
    for (value, expected) in [
        ("\"False\"", Some(false)),
        ("\"true\"", Some(true)),
        ("false", Some(false)),
        ("\"\"", None),
    ] {
        assert_eq!(control(value), expected, "{value}");
    }
}

#[test]
fn quirk_04_the_duration_of_2017_in_ticks_and_its_other_names_do_no_harm() {
    let record = r#"{"time":"Fri, 23 Jun 2017 19:29:50.266 GMT","resourceId":"ContosoCosmosDb","category":"DataPlaneRequests","operationName":"Query","resourceType":"Database","properties":{"activityId":"05fcf607-6f64-48fe-81a5-f13ac13dd1eb","userAgent":"documentdb-dotnet-sdk/1.12.0 Host/64-bit MicrosoftWindowsNT/6.2.9200.0 AzureSearchIndexer/1.0.0","resourceType":"Database","statusCode":"200","documentResourceId":"","clientIpAddress":"13.92.241.0","requestCharge":"2.260","collectionRid":"","duration":"9250","requestLength":"72","responseLength":"209","resourceTokenUserRid":""}}"#;
    let event = event(record);
    assert_eq!(Some(event.time), Timestamp::parse("2017-06-23T19:29:50.266Z"));
    assert_eq!(event.account.as_ref().map(|a| a.name()), Some("contosocosmosdb"));
    assert_eq!(event.resource_id, None);
    let Body::Request(request) = event.body else { panic!("a request") };
    assert_eq!((request.operation, request.resource), (Operation::Query, Resource::Structure));
    assert_eq!((request.charge_milli, request.response_bytes), (2260, 209));
    assert_eq!(request.credential, Credential::Unknown);
    assert_eq!(&*request.client_family, "documentdb-dotnet-sdk azuresearchindexer");
}

#[test]
fn quirk_05_addresses_come_with_ports_zones_mapped_and_masked_and_garbage_is_counted() {
    for (text, expected) in [
        ("117.216.254.41", "117.216.254.41"),
        ("117.216.254.41:1234", "117.216.254.41"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("13.92.241.0", "13.92.241.0"),
    ] {
        let ip = request(&data_plane(&[("clientIpAddress", text)])).client_ip;
        assert_eq!(ip.map(|ip| ip.to_string()).as_deref(), Some(expected), "{text}");
    }
    let mut decoder = Decoder::new();
    let record = data_plane(&[("clientIpAddress", "somewhere")]);
    assert!(matches!(
        decoder.decode(record.as_bytes()),
        Ok(Decoded::Event(Event { body: Body::Request(r), .. })) if r.client_ip.is_none()
    ));
    assert_eq!(decoder.counters.bad_addresses, 1);
}

#[test]
fn quirk_06_the_account_is_the_lowered_account_segment_and_never_the_tenant() {
    let upper = event(DATA_PLANE);
    assert_eq!(upper.account.as_ref().map(|a| a.name()), Some("cosmosdev"));
    assert_eq!(
        upper.resource_id.as_deref(),
        Some(
            "/subscriptions/083de1fb-cd2d-4b7c-895a-2b5af1d091e8/resourcegroups/cosmos-resource-dev/providers/microsoft.documentdb/databaseaccounts/cosmosdev"
        )
    );
    let row = |keys: &str| {
        format!(
            r#"{{"Type":"CDBDataPlaneRequests","TimeGenerated":"2023-06-26T12:03:57Z","TenantId":"workspace",{keys}"OperationName":"Read","RequestResourceType":"Document","StatusCode":200,"RegionName":"China North 2"}}"#
        )
    };
    let by_name = event(&row(r#""AccountName":"CosmosDev","#));
    let id = "/subscriptions/s/resourcegroups/r/providers/microsoft.documentdb/databaseaccounts/CosmosDev";
    let by_id = event(&row(&format!(r#""_ResourceId":"{id}","#)));
    for event in [&by_name, &by_id] {
        let account = event.account.as_ref().expect("an account");
        assert_eq!((account.name(), account.cloud()), ("cosmosdev", Cloud::China));
    }
    assert_eq!(
        (by_name.resource_id, by_id.resource_id.as_deref()),
        (None, Some(&*id.to_lowercase()))
    );
    assert_eq!(reason(&row("")), RefusalReason::NoAccount);
    let nameless = data_plane(&[(
        "resourceId",
        "/subscriptions/s/resourceGroups/r/providers/Microsoft.DocumentDB/databaseAccounts/",
    )]);
    assert_eq!(reason(&nameless), RefusalReason::NoAccount);
    let vcore = "/subscriptions/s/resourceGroups/r/providers/Microsoft.DocumentDB/mongoClusters/m";
    assert_eq!(decode(&data_plane(&[("resourceId", vcore)])), Ok(Decoded::OtherResource));
}

#[test]
fn quirk_07_the_operation_may_be_absent_and_a_feed_suffix_turns_a_read_into_a_list() {
    let query = r#"{"time":"2023-07-10T05:44:14.4Z","resourceId":"acc","category":"QueryRuntimeStatistics","properties":{"activityId":"533510e0-184e-434c-aaa0-cfd88cf737eb","numberofrowsreturned":"3"}}"#;
    assert_eq!(super::query(query).rows, Some(3));
    for (operation, kind, expected) in [
        ("Read", "DatabaseFeed", (Operation::ReadFeed, Resource::Structure)),
        ("ReadFeed", "Database", (Operation::ReadFeed, Resource::Structure)),
        ("Read", "Container", (Operation::Read, Resource::Structure)),
        ("Read", "DocumentFeed", (Operation::ReadFeed, Resource::Document)),
        ("Create", "DocumentFeed", (Operation::Write, Resource::Document)),
        ("Query", "Document", (Operation::Query, Resource::Document)),
        ("JSQuery", "Document", (Operation::Query, Resource::Document)),
        ("Update", "Attachment", (Operation::Write, Resource::Document)),
        ("Delete", "Document", (Operation::Delete, Resource::Document)),
        ("CollectionTruncate", "Collection", (Operation::Delete, Resource::Structure)),
        ("ExecuteJavaScript", "StoredProcedure", (Operation::Execute, Resource::Administration)),
        ("ReadFeed", "PermissionFeed", (Operation::ReadFeed, Resource::Administration)),
        ("ReadFeed", "PartitionKeyRange", (Operation::ReadFeed, Resource::Internal)),
        ("Read", "DatabaseAccount", (Operation::Read, Resource::Internal)),
        ("HeadFeed", "Feed", (Operation::Other, Resource::Internal)),
        ("QueryPlan", "Document", (Operation::Other, Resource::Document)),
        ("SomethingNew", "SomethingNew", (Operation::Other, Resource::Internal)),
    ] {
        let record = data_plane(&[("operationName", operation), ("requestResourceType", kind)]);
        let request = request(&record);
        assert_eq!((request.operation, request.resource), expected, "{operation} {kind}");
        assert_eq!(&*request.operation_name, operation);
    }
}

#[test]
fn quirk_08_event_time_comes_from_the_record_in_every_form() {
    let expected = Timestamp::parse("2023-06-26T12:03:57Z");
    for time in [
        "2023-06-26T12:03:57.0000000Z",
        "2023-06-26T12:03:57.000000000Z",
        "2023-06-26T13:03:57+01:00",
        "Mon, 26 Jun 2023 12:03:57 GMT",
        "6/26/2023 12:03:57 PM",
    ] {
        assert_eq!(Some(event(&data_plane(&[("time", time)])).time), expected, "{time}");
    }
    for time in ["", "null", "yesterday", "1687781037"] {
        assert_eq!(reason(&data_plane(&[("time", time)])), RefusalReason::BadTime, "{time}");
    }
}

#[test]
fn quirk_09_activity_records_vary_in_status_words_category_duration_and_identity() {
    let record = |keys: &str| {
        format!(
            r#"{{"time":"2025-04-15T10:20:32Z","resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/ACC","operationName":"MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/LISTKEYS/ACTION","correlationId":"C","durationMs":0,{keys}}}"#
        )
    };
    for (keys, expected) in [
        (r#""category":"Action","resultType":"Start""#, Outcome::Started),
        (r#""category":"Administrative","status":{"value":"Started"}"#, Outcome::Started),
        (r#""resultType":"Accept""#, Outcome::Accepted),
        (r#""status":"Accepted","durationMs":"0""#, Outcome::Accepted),
        (r#""resultType":"Success""#, Outcome::Succeeded),
        (r#""ActivityStatusValue":"Succeeded","ActivityStatus":"x""#, Outcome::Succeeded),
        (r#""resultSignature":"Succeeded.OK""#, Outcome::Succeeded),
        (r#""resultType":"Failure""#, Outcome::Failed),
        (r#""resultType":"Failed""#, Outcome::Failed),
        (r#""resultType":"Updated""#, Outcome::Unknown),
        (r#""identity":"somebody""#, Outcome::Unknown),
        (r#""identity":{}"#, Outcome::Unknown),
        (r#""identity":[1,{"a":2}],"properties":{"requestbody":{"a":[1]}}"#, Outcome::Unknown),
        (r#""identity":7,"properties":"{\"requestbody\":\"{}\"}""#, Outcome::Unknown),
    ] {
        let operation = activity(&record(keys));
        assert_eq!(operation.outcome, expected, "{keys}");
        assert_eq!(operation.credential, Some(CredentialOperation::CosmosListKeys), "{keys}");
        assert_eq!(&*operation.correlation_id, "c");
    }
}

#[test]
fn quirk_10_azure_diagnostics_suffixes_are_coalesced() {
    let record = r#"{"Type":"AzureDiagnostics","TimeGenerated":"2023-06-26T12:03:57Z","TenantId":"workspace","Category":"DataPlaneRequests","OperationName":"Read","Resource":"COSMOSDEV","ResourceProvider":"MICROSOFT.DOCUMENTDB","ResourceType":"DATABASEACCOUNTS","ResourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/COSMOSDEV","activityId_g":"d2f88e2c-6559-4244-9d82-beefb699fef8","requestResourceType_s":"Document","statusCode_s":"200","duration_d":4.3,"responseLength_s":"493","requestCharge_s":"7.81","clientIpAddress_s":"117.216.254.41","aadPrincipalId_g":"2d2a524f-a589-4577-bf29-d88c19da732f","aadPrincipalId_s":"","partitionId_g":"x","partitionId_s":"","keyType_s":"PrimaryMasterKey","region_s":"Central India","databaseName_s":"db","collectionName_s":"c"}"#;
    let request = request(record);
    assert_eq!((request.operation, request.resource), (Operation::Read, Resource::Document));
    assert_eq!((request.status, request.response_bytes, request.charge_milli), (200, 493, 7810));
    assert_eq!(request.activity_id, Some(0xd2f8_8e2c_6559_4244_9d82_beef_b699_fef8));
    assert_eq!(
        request.credential,
        Credential::Entra(crate::ids::PrincipalId::new("2d2a524f-a589-4577-bf29-d88c19da732f"))
    );
    let swapped = record
        .replace("aadPrincipalId_g", "aadPrincipalId_x")
        .replace("aadPrincipalId_s", "aadPrincipalId_g")
        .replace("aadPrincipalId_x", "aadPrincipalId_s");
    assert_eq!(super::request(&swapped).credential, request.credential);
}
