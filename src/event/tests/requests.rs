//! Meaning of requests: access, credentials, the service's own traffic, aggregates, other APIs.
use super::*;
use crate::ids::PrincipalId;

#[test]
fn a_captured_record_decodes_field_by_field() {
    let event = event(DATA_PLANE);
    assert_eq!(event.category(), Some(Category::DataPlaneRequests));
    assert_eq!(event.time.to_string(), "2023-06-26T12:03:57.043Z");
    let Body::Request(request) = event.body else { panic!("a request") };
    let expected = Request {
        category: Category::DataPlaneRequests,
        command: crate::event::QueryText::Absent,
        count: 1,
        interval_ms: 0,
        activity_id: Some(0xd2f8_8e2c_6559_4244_9d82_beef_b699_fef8),
        operation: Operation::Write,
        operation_name: "Create".into(),
        resource: Resource::Document,
        access: Access::Success,
        status: 201,
        client_ip: "117.216.254.41".parse().ok(),
        user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36".into(),
        client_family: "browser".into(),
        credential: Credential::Key(KeyKind::PrimaryMaster),
        connection: ConnectionMode::Gateway,
        request_bytes: 281,
        response_bytes: 493,
        response_bytes_max: 493,
        charge_milli: 7810,
        region: "centralindia".into(),
        database: "cosmosDatabse".into(),
        container: "cosmosContainer".into(),
        change_feed: false,
        internal: false,
    };
    assert_eq!(*request, expected);
}

#[test]
fn statuses_tell_whether_the_credential_was_accepted() {
    for (access, statuses) in [
        (Access::Success, &["200", "201", "202", "204", "207", "304"][..]),
        (Access::Authenticated, &["404", "409", "412", "413", "429", "449"]),
        (Access::Refused, &["401", "403"]),
        (Access::Unknown, &["400", "405", "408", "410", "423", "424", "500", "503", "0", "-7"]),
    ] {
        for status in statuses {
            assert_eq!(request(&data_plane(&[("statusCode", status)])).access, access, "{status}");
        }
    }
    assert_eq!(reason(&data_plane(&[("statusCode", "abc")])), RefusalReason::BadNumber);
    assert_eq!(reason(&data_plane(&[("responseLength", "-5")])), RefusalReason::BadNumber);
    let mut decoder = Decoder::new();
    assert!(decoder.decode(data_plane(&[("requestCharge", "NaN")]).as_bytes()).is_ok());
    assert_eq!(decoder.counters.bad_numbers, 1);
}

#[test]
fn credentials_are_told_apart() {
    let entra = |id: &str| Credential::Entra(PrincipalId::new(id));
    for (changes, expected) in [
        (&[("keyType", "PrimaryReadOnlyMasterKey")][..], Credential::Key(KeyKind::PrimaryReadonly)),
        (&[("keyType", "SecondaryMasterKey")], Credential::Key(KeyKind::SecondaryMaster)),
        (&[("keyType", "SECONDARYREADONLYMASTERKEY")], Credential::Key(KeyKind::SecondaryReadonly)),
        (&[("keyType", "")], Credential::Key(KeyKind::PrimaryMaster)),
        (&[("keyType", ""), ("authTokenType", "")], Credential::Unknown),
        (&[("authTokenType", "SystemReadWrite")], Credential::System),
        (&[("authTokenType", ""), ("keyType", "SystemReadOnly")], Credential::System),
        (&[("authTokenType", "AadToken"), ("keyType", "")], entra("unknown")),
        (
            &[("aadPrincipalId", "\"2D2A524FA5894577BF29D88C19DA732F\"")],
            entra("2d2a524f-a589-4577-bf29-d88c19da732f"),
        ),
        (
            &[("aadPrincipalId", "2d2a524f-a589-4577-bf29-d88c19da732g")],
            entra("2d2a524f-a589-4577-bf29-d88c19da732g"),
        ),
        (&[("resourceTokenPermissionId", "perm-prescriber-app")], Credential::ResourceToken),
        (&[("resourceTokenUserRid", "rid")], Credential::ResourceToken),
        (&[("authTokenType", "ResourceToken"), ("keyType", "")], Credential::ResourceToken),
    ] {
        assert_eq!(request(&data_plane(changes)).credential, expected, "{changes:?}");
    }
}

#[test]
fn the_service_is_believed_only_by_token_or_private_address() {
    let agent = ("userAgent", "Microsoft.Azure.Documents.Common/2.14.0RoutingGateway");
    for (changes, internal) in [
        (&[agent][..], false),
        (&[agent, ("clientIpAddress", "10.0.1.4")], true),
        (&[agent, ("clientIpAddress", "")], true),
        (&[("clientIpAddress", "10.0.1.4")], false),
        (&[("authTokenType", "SystemReadWrite")], true),
    ] {
        assert_eq!(request(&data_plane(changes)).internal, internal, "{changes:?}");
    }
}

#[test]
fn the_change_feed_is_told_by_operation_or_reader_name_only() {
    let reader = ("userAgent", "documentdb-dotnet-sdk/2.9.2 Host/64-bit changefeed-2.2.6");
    for (changes, expected) in [
        (&[reader, ("operationName", "ReadFeed")][..], true),
        (&[reader, ("operationName", "Create")], false),
        (
            &[reader, ("operationName", "ReadFeed"), ("requestResourceType", "PartitionKeyRange")],
            false,
        ),
        (&[("operationName", "ReadFeed")], false),
        (&[("operationName", "ReadChangeFeed")], true),
    ] {
        assert_eq!(request(&data_plane(changes)).change_feed, expected, "{changes:?}");
    }
}

#[test]
fn long_strings_are_cut_at_a_character() {
    let long = "é".repeat(2000);
    let request = request(&data_plane(&[("userAgent", &long), ("databaseName", &long)]));
    assert_eq!(request.user_agent.len(), crate::limits::USER_AGENT_BYTES_MAX);
    assert_eq!(request.database.len(), crate::limits::STRING_BYTES_MAX);
}

fn aggregate(keys: &str) -> String {
    format!(
        r#"{{"Type":"CDBDataPlaneRequests5M","TimeGenerated":"2026-03-14T02:10:00Z","_ResourceId":"/subscriptions/s/resourcegroups/r/providers/microsoft.documentdb/databaseaccounts/acc","OperationName":"Query","RequestResourceType":"Document","StatusCode":200,"ActivityId":"d2f88e2c-6559-4244-9d82-beefb699fef8",{keys}}}"#
    )
}

#[test]
fn aggregated_rows_stand_for_many_requests() {
    let row = request(&aggregate(
        r#""RequestCount":40,"TotalResponseLength":8000.0,"MaxResponseLength":900.0,"AvgResponseLength":200.0,"TotalRequestLength":400.0,"TotalRequestCharge":99.5,"TotalDurationMs":3.0"#,
    ));
    assert_eq!((row.count, row.interval_ms, row.activity_id), (40, 300_000, None));
    assert_eq!((row.response_bytes, row.response_bytes_max), (8000, 900));
    assert_eq!((row.request_bytes, row.charge_milli), (400, 99_500));
    assert_eq!(row.category, Category::DataPlaneRequests5M);
    let averages = request(&aggregate(
        r#""RequestCount":3,"AvgResponseLength":33.5,"AvgRequestLength":"2","AvgRequestCharge":1.5"#,
    ));
    assert_eq!((averages.response_bytes, averages.response_bytes_max), (101, 34));
    assert_eq!((averages.request_bytes, averages.charge_milli), (6, 4500));
    let empty = request(&aggregate(r#""RequestCount":0,"TotalResponseLength":0.0"#));
    assert_eq!((empty.count, empty.response_bytes_max), (0, 0));
    assert_eq!(reason(&aggregate(r#""RequestCount":"many""#)), RefusalReason::BadNumber);
}

#[test]
fn aggregated_rows_are_read_in_camel_case_too() {
    let raw = r#"{"time":"2026-03-14T02:15:00Z","resourceId":"acc","category":"DataPlaneRequests15M","operationName":"Read","properties":{"requestResourceType":"Document","statusCode":"200","requestCount":"7","totalResponseLength":"700","maxResponseLength":"150"}}"#;
    let row = request(raw);
    assert_eq!((row.count, row.interval_ms, row.response_bytes), (7, 900_000, 700));
    assert_eq!(row.response_bytes_max, 150);
}

fn api(category: &str, operation: &str, properties: &str) -> Request {
    request(&format!(
        r#"{{"time":"2021-01-06T19:36:58Z","resourceId":"acc","category":"{category}","operationName":"{operation}","properties":{{{properties}}}}}"#
    ))
}

#[test]
fn other_apis_speak_with_their_own_codes_and_names() {
    let mongo = api(
        "MongoRequests",
        "find",
        r#""activityId":"823cae64-0000-0000-0000-000000000000","errorCode":"16500","databaseName":"shop","collectionName":"orders","address":"98.225.2.189:5000","authorizationTokenType":"PrimaryMasterKey","retryCount":"<empty>","responseLength":"10","requestCharge":"9.059999999999999""#,
    );
    assert_eq!((mongo.operation, mongo.resource), (Operation::Query, Resource::Document));
    assert_eq!((mongo.access, mongo.status, mongo.activity_id), (Access::Authenticated, 429, None));
    assert_eq!(mongo.client_ip.map(|ip| ip.to_string()).as_deref(), Some("98.225.2.189"));
    assert_eq!(mongo.credential, Credential::Key(KeyKind::PrimaryMaster));
    assert_eq!(mongo.charge_milli, 9060);
    let cassandra = api(
        "CassandraRequests",
        "QuerySelect",
        r#""errorCode":"-1","databaseName":"shop","collectionName":"orders","userAgent":"\"\"""#,
    );
    assert_eq!((cassandra.access, cassandra.operation), (Access::Success, Operation::Query));
    assert_eq!(&*cassandra.user_agent, "");
    let gremlin = api("GremlinRequests", "eval", r#""errorCode":"200","databaseName":"g""#);
    assert_eq!((gremlin.access, gremlin.resource), (Access::Success, Resource::Document));
    let table = api("TableApiRequests", "Query", r#""statusCode":"403","tableName":"people""#);
    assert_eq!((table.access, &*table.container), (Access::Refused, "people"));
    let silent = api("MongoRequests", "find", r#""errorCode":"<empty>""#);
    assert_eq!((silent.access, silent.status), (Access::Unknown, 0));
}

#[test]
fn a_row_of_the_api_tables_decodes_like_the_stream() {
    let row = r#"{"Type":"CDBMongoRequests","TimeGenerated":"2021-01-06T19:36:58Z","AccountName":"ACC","OperationName":"insert","Address":"1.2.3.4","AuthorizationTokenType":"PrimaryMasterKey","ErrorCode":"0","DatabaseName":"shop","CollectionName":"orders","RegionName":"USGov Virginia","RequestLength":5.0,"ResponseLength":7.0,"PIICommandText":"","UserId":""}"#;
    let mut decoder = Decoder::new();
    let Ok(Decoded::Event(event)) = decoder.decode(row.as_bytes()) else { panic!("an event") };
    assert_eq!(event.account.map(|a| a.key()).as_deref(), Some("usgov/acc"));
    let Body::Request(request) = event.body else { panic!("a request") };
    assert_eq!((request.operation, request.response_bytes), (Operation::Write, 7));
    assert_eq!(decoder.counters.unknown_keys, 0);
}

#[test]
fn query_texts_are_parsed_twice_or_kept_raw_and_never_printed() {
    let record = |text: &str| {
        format!(
            r#"{{"time":"2023-07-10T05:44:14Z","resourceId":"acc","category":"QueryRuntimeStatistics","properties":{{"activityId":"533510e0-184e-434c-aaa0-cfd88cf737eb","databasename":"db","collectionname":"c","numberofrowsreturned":"x","signature":"-4576541951102199744","shapesignature":"8235320023077058687","querytext":{text}}}}}"#
        )
    };
    let mut decoder = Decoder::new();
    let parsed = query(&record(
        r#""{\"query\":\"SELECT * FROM c WHERE c.ssn = '123'\",\"parameters\":[]}""#,
    ));
    assert_eq!(parsed.text, QueryText::Parsed("SELECT * FROM c WHERE c.ssn = '123'".into()));
    assert!(!format!("{parsed:?}").contains("ssn"));
    assert_eq!(parsed.signature, Some(-4_576_541_951_102_199_744));
    assert_eq!(parsed.shape_signature, Some(8_235_320_023_077_058_687));
    assert_eq!((&*parsed.database, &*parsed.container, parsed.rows), ("db", "c", None));
    let broken = record(r#""{\"query\":\"it\\'s\"""#);
    assert!(decoder.decode(broken.as_bytes()).is_ok());
    assert_eq!(decoder.counters.raw_query_texts, 1);
    assert_eq!(query(&broken).text, QueryText::Raw(r#"{"query":"it\'s""#.into()));
    assert_eq!(query(&record("\"\"")).text, QueryText::Absent);
    let long =
        format!(r#""{{\"query\":\"{}\"}}""#, "é".repeat(crate::limits::QUERY_TEXT_BYTES_MAX));
    let QueryText::Parsed(text) = query(&record(&long)).text else { panic!("parsed") };
    assert_eq!(text.len(), crate::limits::QUERY_TEXT_BYTES_MAX);
}

#[test]
fn commands_are_carried_for_data_only_and_never_shown() {
    let record = |category: &str, operation: &str, text: &str| {
        format!(
            r#"{{"time":"2021-01-06T19:36:58Z","resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/A","category":"{category}","operationName":"{operation}","properties":{{"errorCode":"0","databaseName":"shop","collectionName":"c","piiCommandText":"{text}"}}}}"#
        )
    };
    let text = r#"{\"find\":\"sEcReT\"}"#;
    for (category, operation, carried) in [
        ("MongoRequests", "find", true),
        ("MongoRequests", "OP_MSG", true),
        ("MongoRequests", "OP_QUERY", true),
        ("MongoRequests", "OP_REPLY", true),
        ("MongoRequests", "saslStart", false),
        ("CassandraRequests", "QuerySelect", true),
        ("GremlinRequests", "eval", true),
        ("TableApiRequests", "QueryEntities", true),
        ("DataPlaneRequests", "Query", false),
    ] {
        let json = record(category, operation, text);
        let event = event(&json);
        assert!(!format!("{event:?}").contains("sEcReT"), "{event:?}");
        let Body::Request(request) = event.body else { panic!("a request") };
        let expected = carried.then(|| QueryText::Parsed(r#"{"find":"sEcReT"}"#.into()));
        assert_eq!(
            request.command,
            expected.unwrap_or(QueryText::Absent),
            "{category} {operation}"
        );
        let shown = crate::event::redact::redacted(json.as_bytes()).expect("a record");
        assert!(!shown.contains("sEcReT") && shown.contains("piiCommandText"), "{shown}");
    }
    let json = record("MongoRequests", "find", "<empty>");
    let Body::Request(request) = event(&json).body else { panic!("a request") };
    assert_eq!(request.command, QueryText::Absent);
}
