//! The decoder as a whole: documented quirks, real records, hostile bytes.
mod activity_log;
pub(in crate::event) mod fixtures;
mod hostile;
mod quirks;
mod requests;

use super::*;

/// A `DataPlaneRequests` record of today, captured; its values may be replaced by name.
const DATA_PLANE: &str = r#"{"time": "2023-06-26T12:03:57.0436924Z", "resourceId": "/SUBSCRIPTIONS/083DE1FB-CD2D-4B7C-895A-2B5AF1D091E8/RESOURCEGROUPS/COSMOS-RESOURCE-DEV/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/COSMOSDEV", "category": "DataPlaneRequests", "operationName": "Create", "properties": {"activityId": "d2f88e2c-6559-4244-9d82-beefb699fef8", "requestResourceType": "DocumentFeed", "requestResourceId": "/dbs/cosmosDatabse/colls/cosmosContainer/docs", "collectionRid": "", "databaseRid": "", "statusCode": "201", "duration": "4.347800", "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36", "clientIpAddress": "117.216.254.41", "requestCharge": "7.810000", "requestLength": "281", "responseLength": "493", "resourceTokenPermissionId": "", "resourceTokenPermissionMode": "", "resourceTokenUserRid": "", "region": "Central India", "partitionId": "", "aadAppliedRoleAssignmentId": "", "aadPrincipalId": "", "authTokenType": "PrimaryMasterKey", "keyType": "PrimaryMasterKey", "connectionMode": "Gateway", "subscriptionId": "083de1fb-cd2d-4b7c-895a-2b5af1d091e8", "databaseName": "cosmosDatabse", "collectionName": "cosmosContainer"}}"#;

/// [`DATA_PLANE`] with the values of some keys replaced, at either level.
fn data_plane(changes: &[(&str, &str)]) -> String {
    let mut record: serde_json::Value = serde_json::from_str(DATA_PLANE).expect("valid JSON");
    for (key, value) in changes {
        let place = match record.get(*key) {
            Some(_) => &mut record[*key],
            None => &mut record["properties"][*key],
        };
        *place = serde_json::from_str(value).unwrap_or_else(|_| (*value).into());
    }
    record.to_string()
}

fn decode(record: &str) -> Result<Decoded, Refusal> {
    Decoder::new().decode(record.as_bytes())
}

fn event(record: &str) -> Event {
    match decode(record) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{other:?}\n{record}"),
    }
}

fn request(record: &str) -> Request {
    match event(record).body {
        Body::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn activity(record: &str) -> ActivityOperation {
    match event(record).body {
        Body::Activity(operation) => *operation,
        other => panic!("{other:?}"),
    }
}

fn query(record: &str) -> QueryRun {
    match event(record).body {
        Body::Query(query) => *query,
        other => panic!("{other:?}"),
    }
}

fn reason(record: &str) -> RefusalReason {
    decode(record).expect_err("must be refused").reason
}
