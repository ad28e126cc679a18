//! The keys that records use, in all their spellings, and a record's values by meaning.
//!
//! One table serves every shape: the property bags of the stream, the flat rows of Log
//! Analytics tables, and `AzureDiagnostics` rows with their type suffixes.
use std::borrow::Cow;

use crate::event::scalar::Scalar;

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// In the record itself.
    Record,
    /// In `properties`: what names the record (time, resource, category, caller) is not taken
    /// from here, because parts of a property bag are written by callers.
    Properties,
}

macro_rules! fields {
    ($($variant:ident $level:ident: $($name:literal)+;)+) => {
        /// A value's meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field { $($variant),+ }

        /// Number of meanings.
        const FIELDS: usize = [$(Field::$variant),+].len();

        const NAMES: &[(&str, Field, Level)] = &[
            $($(($name, Field::$variant, Level::$level)),+),+
        ];
    };
}

// `Level::Record` in this table: taken from the record only.
fields! {
    Time Record: "time";
    TimeGenerated Record: "TimeGenerated";
    EventTimestamp Record: "eventTimestamp";
    // `resourceIds` stands in one published capture.
    ResourceId Record: "resourceId" "_ResourceId" "resourceIds";
    Category Record: "category";
    CategoryValue Record: "CategoryValue";
    TableType Record: "Type";
    OperationName Record: "operationName";
    OperationValue Record: "OperationNameValue";
    ResultType Record: "resultType" "status" "ActivityStatus";
    ResultValue Record: "ActivityStatusValue";
    ResultSignature Record: "resultSignature";
    CallerIp Record: "callerIpAddress";
    Caller Record: "caller";
    CorrelationId Record: "correlationId";
    TenantId Record: "tenantId";
    SubscriptionId Record: "subscriptionId";
    RoleLocation Record: "RoleLocation";
    Location Record: "location";
    AccountName Record: "AccountName";
    Properties Record: "properties";
    Identity Record: "identity";
    Authorization Record: "authorization";
    Claims Record: "claims";
    HttpRequest Record: "httpRequest";

    ActivityId Properties: "activityId";
    RequestResourceType Properties: "requestResourceType";
    ResourceType Properties: "resourceType";
    StatusCode Properties: "statusCode";
    ErrorCode Properties: "errorCode";
    UserAgent Properties: "userAgent";
    ClientIp Properties: "clientIpAddress" "address";
    RequestCharge Properties: "requestCharge";
    RequestLength Properties: "requestLength";
    ResponseLength Properties: "responseLength";
    ResourceTokenPermissionId Properties: "resourceTokenPermissionId";
    ResourceTokenUserRid Properties: "resourceTokenUserRid";
    Region Properties: "region" "regionName";
    AadPrincipalId Properties: "aadPrincipalId";
    AuthTokenType Properties: "authTokenType" "authorizationTokenType";
    KeyType Properties: "keyType";
    ConnectionMode Properties: "connectionMode";
    DatabaseName Properties: "databaseName";
    CollectionName Properties: "collectionName" "collectioname" "tableName";
    RequestCount Properties: "requestCount";
    TotalRequestCharge Properties: "totalRequestCharge";
    TotalRequestLength Properties: "totalRequestLength";
    TotalResponseLength Properties: "totalResponseLength";
    MaxResponseLength Properties: "maxResponseLength";
    AvgRequestCharge Properties: "avgRequestCharge";
    AvgRequestLength Properties: "avgRequestLength";
    AvgResponseLength Properties: "avgResponseLength";
    QueryText Properties: "queryText";
    CommandText Properties: "piiCommandText";
    RowsReturned Properties: "numberOfRowsReturned";
    Signature Properties: "signature";
    ShapeSignature Properties: "shapeSignature";
    HttpStatusCode Properties: "httpStatusCode";
    SqlQueryTextTraceType Properties: "sqlQueryTextTraceType";
    DataPlaneTrace Properties: "enableDataPlaneRequestsTrace";

    // Known, and of no use to us: named so that only keys that nobody has seen count as unknown.
    Unused Properties: "requestResourceId" "documentResourceId" "collectionRid" "databaseRid"
        "duration" "durationMs" "resourceTokenPermissionMode" "partitionId"
        "aadAppliedRoleAssignmentId" "level" "partitionKeyRangeId" "subscriptionId"
        "resourceGroupName" "partialIpAddress" "authType" "queryExecutionStatus" "partitionKey"
        "sizeKb" "operationType" "result" "httpMethod" "apiKind" "apiKindResourceType"
        "resourceUri" "resourceDetails" "opCode" "retryCount" "userId"
        "estimatedDelayFromRateLimitingInMilliseconds" "retriedDueToRateLimiting"
        "rateLimitingDelayMs" "clientRequestId" "SourceSystem" "_BilledSize" "_IsBillable"
        "_SubscriptionId" "_TimeReceived" "_ItemId" "Resource" "ResourceGroup" "ResourceProvider"
        "ReleaseVersion" "Stamp" "eventCategory" "entity" "message" "hierarchy" "requestbody"
        "responseBody" "serviceRequestId" "eventDataId" "operationId" "submissionTimestamp"
        "eventName" "channels" "description" "id" "relatedEvents" "resourceProviderName"
        "subStatus" "ActivitySubstatus" "ActivitySubstatusValue" "EventSubmissionTimestamp"
        "ResourceProviderValue" "avgDurationMs" "maxDurationMs" "totalDurationMs"
        "maxRequestCharge" "maxRequestLength" "eventProperties" "callerId" "EventProcessedUtcTime" "EventEnqueuedUtcTime"
        "roleDefinitionId" "roleDefinitionName" "roleDefinitionType"
        "roleDefinitionAssignableScopes" "roleDefinitionPermissions" "roleAssignmentId"
        "associatedRoleDefinitionId" "roleAssignmentPrincipalId" "roleAssignmentPrincipalType"
        "roleAssignmentScope" "ipRangeFilter" "enableVirtualNetworkFilter"
        "virtualNetworkResourceEntries" "enablePrivateEndpointConnection"
        "privateEndpointConnections" "privateEndpointArmUrl" "defaultConsistencyLevel"
        "enableAutomaticFailover" "maxStalenessIntervalInSeconds" "maxStalenessPrefix"
        "enableMultipleWriteLocations" "multipleWriteLocations" "cors"
        "enableMongoRequestsTrace" "enableControlPlaneRequestsTrace"
        "enableCassandraRequestsTrace" "enableGremlinRequestsTrace" "acledSubnets"
        "backupIntervalInMinutes" "backupRetentionIntervalInHours" "backupStorageRedundancy"
        "currentWriteRegion" "newWriteRegion" "isServiceManagedFailover" "virtualNetworkName"
        "vnetArmUrl" "vnetDatabaseAccountEntries" "vnetLocation" "vnetResourceGroupName";
}

/// Slots of the lookup table: a power of two, sparse enough that probes are short.
const SLOTS: usize = 1024;

/// A cheap hash of a key without regard to case.
const fn slot(key: &[u8]) -> usize {
    let n = key.len();
    if n == 0 {
        return 0;
    }
    let a = (key[0] | 0x20) as usize;
    let b = (key[n / 3] | 0x20) as usize;
    let c = (key[n / 2] | 0x20) as usize;
    let d = (key[n - 1] | 0x20) as usize;
    let e = (key[n - 1 - n / 4] | 0x20) as usize;
    let mixed = n.wrapping_mul(0x9e37_79b1)
        ^ a.wrapping_mul(0x85eb_ca77)
        ^ b.wrapping_mul(0xc2b2_ae3d)
        ^ c.wrapping_mul(0x27d4_eb2f)
        ^ d.wrapping_mul(0x1656_67b1)
        ^ e.wrapping_mul(0x2c1b_3c6d);
    ((mixed ^ (mixed >> 15)) >> 3) & (SLOTS - 1)
}

/// Index + 1 into [`NAMES`] by slot; 0 is free. Built by the compiler.
const TABLE: [u8; SLOTS] = {
    let mut table = [0u8; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let mut at = slot(NAMES[i].0.as_bytes());
        while table[at] != 0 {
            at = (at + 1) & (SLOTS - 1);
        }
        table[at] = (i + 1) as u8;
        i += 1;
    }
    table
};
const _: () = assert!(NAMES.len() < 256, "the table's entries are bytes");

/// How a key stands for its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// The plain name: a repeated key's last value wins.
    Plain,
    /// `AzureDiagnostics` name with the `_g` suffix: wins over the other suffixes.
    Guid,
    /// Another `AzureDiagnostics` suffix.
    Suffixed,
}

/// What `key` means at `level`, in any case; `None` for keys that nobody has seen.
pub(super) fn lookup(key: &str, level: Level) -> Option<(Field, Spelling)> {
    let key = key.as_bytes();
    if let Some(field) = exact(key, level) {
        return Some((field, Spelling::Plain));
    }
    let (suffix, name) = (key.last()? | 0x20, key.get(..key.len().checked_sub(2)?)?);
    if key.get(key.len() - 2) != Some(&b'_') {
        return None;
    }
    let spelling = match suffix {
        b'g' => Spelling::Guid,
        b's' | b'd' | b'b' | b't' => Spelling::Suffixed,
        _ => return None,
    };
    exact(name, level).map(|field| (field, spelling))
}

fn exact(key: &[u8], level: Level) -> Option<Field> {
    let mut at = slot(key);
    let mut found = None;
    while let Some((name, field, wants)) =
        TABLE.get(at).and_then(|i| NAMES.get(usize::from(*i).wrapping_sub(1)))
    {
        let name = name.as_bytes();
        if name == key || name.eq_ignore_ascii_case(key) {
            // A name may be used at both levels with two meanings.
            if *wants == level {
                return Some(*field);
            }
            if *wants == Level::Properties {
                found = Some(*field);
            }
        }
        at = (at + 1) & (SLOTS - 1);
    }
    found
}

/// A record's values by meaning.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    values: [Scalar<'a>; FIELDS],
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Fields { values: [const { Scalar::Missing }; FIELDS] }
    }
}

impl<'a> Fields<'a> {
    /// The value of `field`.
    pub(super) fn get(&self, field: Field) -> &Scalar<'a> {
        &self.values[field as usize]
    }

    /// The text of `field`, if it says something.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.get(field).text()
    }

    /// The value of `field` in words, numbers included: for names that an exporter may have
    /// written without quotes.
    pub(super) fn words(&self, field: Field) -> Option<Cow<'_, str>> {
        self.get(field).words()
    }

    /// Notes a value. The last one wins, but nothing never replaces something: one field has
    /// several names (`ResourceId` and `_ResourceId`), and a row may leave one of them empty. Of
    /// the same property under several suffixes `_g` wins, then the first that says something,
    /// whatever their order.
    pub(super) fn set(&mut self, field: Field, spelling: Spelling, value: Scalar<'a>) {
        let slot = &mut self.values[field as usize];
        let wins = match spelling {
            Spelling::Plain => matches!(slot, Scalar::Missing) || !value.is_nothing(),
            Spelling::Guid => !value.is_nothing(),
            Spelling::Suffixed => slot.is_nothing(),
        };
        if wins {
            *slot = value;
        }
    }

    /// Takes over everything that `other` says.
    pub(super) fn absorb(&mut self, other: Fields<'_>) {
        for (slot, value) in self.values.iter_mut().zip(other.values) {
            if !value.is_nothing() {
                *slot = value.into_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (name, field, level) in NAMES {
            if *name == "subscriptionId" {
                continue; // two meanings, below
            }
            for key in [(*name).to_owned(), name.to_uppercase(), name.to_lowercase()] {
                assert_eq!(lookup(&key, *level), Some((*field, Spelling::Plain)), "{key}");
            }
        }
        let at = |level| lookup("SubscriptionID", level).map(|(field, _)| field);
        assert_eq!(at(Level::Record), Some(Field::SubscriptionId));
        assert_eq!(at(Level::Properties), Some(Field::Unused));
    }

    #[test]
    fn what_names_a_record_is_not_taken_from_its_properties() {
        for key in ["time", "resourceId", "category", "operationName", "caller", "identity"] {
            assert_eq!(lookup(key, Level::Properties), None, "{key}");
        }
    }

    #[test]
    fn suffixes_are_understood_and_strangers_are_not() {
        for (key, expected) in [
            ("activityId_g", Some((Field::ActivityId, Spelling::Guid))),
            ("statusCode_s", Some((Field::StatusCode, Spelling::Suffixed))),
            ("duration_d", Some((Field::Unused, Spelling::Suffixed))),
            ("querytext_s", Some((Field::QueryText, Spelling::Suffixed))),
            ("Claims_d", Some((Field::Claims, Spelling::Suffixed))),
            ("statusCode_x", None),
            ("_s", None),
            ("s", None),
            ("", None),
            ("é_s", None),
            ("whatever", None),
        ] {
            assert_eq!(lookup(key, Level::Record), expected, "{key}");
        }
    }

    #[test]
    fn probes_stay_short() {
        let longest = TABLE.split(|i| *i == 0).map(<[u8]>::len).max();
        assert!(longest <= Some(8), "{longest:?}");
    }
}
