//! Single records in native form, for tests: defaults of an everyday request, and a setter for
//! each field that a test may want to be different.
use std::net::IpAddr;

use crate::time::Timestamp;

use super::record::{Activity, DataPlane, Principal, PrincipalKind};

/// Subscription of all scenario accounts.
pub const SUBSCRIPTION: &str = "11111111-1111-4111-8111-111111111111";
/// Tenant of all scenario accounts.
pub const TENANT: u128 = 0x2222_2222_2222_4222_8222_2222_2222_2222;

/// ARM id of a scenario account in natural case.
pub fn resource_id(account: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-scenario/providers/Microsoft.DocumentDB/databaseAccounts/{account}"
    )
}

/// One `DataPlaneRequests` record.
#[derive(Clone, Debug)]
pub struct DataPlaneRecord {
    account: String,
    time: Timestamp,
    ip: IpAddr,
    agent: String,
    operation: String,
    resource_type: String,
    status: u16,
    request_bytes: u64,
    response_bytes: u64,
    key: String,
    principal: u128,
    direct: bool,
    region: String,
    database: String,
    container: String,
    activity: u128,
}

/// A query by the primary key from `20.50.2.10` (Azure, West Europe) that returned 2,000 bytes.
pub fn data_plane(account: &str, time: Timestamp) -> DataPlaneRecord {
    DataPlaneRecord {
        account: account.to_owned(),
        time,
        ip: IpAddr::from([20, 50, 2, 10]),
        agent: "cosmos-netstandard-sdk/3.49.0|2|X64|Ubuntu 22.04.5 LTS|.NET 8.0.11|L|".to_owned(),
        operation: "Query".to_owned(),
        resource_type: "Document".to_owned(),
        status: 200,
        request_bytes: 300,
        response_bytes: 2000,
        key: "PrimaryMasterKey".to_owned(),
        principal: 0,
        direct: false,
        region: "West Europe".to_owned(),
        database: "ordersdb".to_owned(),
        container: "items".to_owned(),
        activity: time.0 as u128,
    }
}

impl DataPlaneRecord {
    /// Caller's address.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = ip.into();
        self
    }
    /// User agent.
    pub fn agent(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.agent);
        self
    }
    /// Response bytes.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.response_bytes = bytes;
        self
    }
    /// Request bytes.
    pub fn request_bytes(mut self, bytes: u64) -> Self {
        self.request_bytes = bytes;
        self
    }
    /// HTTP status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
    /// Operation and resource type as the log spells them (`Read`, `DatabaseFeed`).
    pub fn operation(mut self, operation: &str, resource_type: &str) -> Self {
        operation.clone_into(&mut self.operation);
        resource_type.clone_into(&mut self.resource_type);
        self
    }
    /// Key kind as the log spells it (`SecondaryMasterKey`); also `SystemReadWrite`.
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self.principal = 0;
        self
    }
    /// Entra principal instead of a key.
    pub fn entra(mut self, principal: u128) -> Self {
        self.key = String::new();
        self.principal = principal;
        self
    }
    /// Direct instead of Gateway.
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }
    /// Serving region, display name.
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }
    /// Database and container.
    pub fn container(mut self, database: &str, container: &str) -> Self {
        database.clone_into(&mut self.database);
        container.clone_into(&mut self.container);
        self
    }
    /// Request id; by default the time, so that equal moments need one each.
    pub fn activity(mut self, id: u128) -> Self {
        self.activity = id;
        self
    }
    /// The record as one line of JSON, without the line end.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1400);
        let token = if self.principal != 0 { "AadToken" } else { &self.key };
        DataPlane {
            time: self.time,
            ticks: 0,
            resource_id: &resource_id(&self.account).to_ascii_uppercase(),
            operation: &self.operation,
            activity: self.activity,
            resource_type: &self.resource_type,
            path: format!("/dbs/{}/colls/{}/docs", self.database, self.container).as_bytes(),
            status: self.status,
            duration_us: 4348,
            agent: self.agent.as_bytes(),
            ip: self.ip,
            charge_milli: 2790,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            region: &self.region,
            partition: 0,
            role_assignment: self.principal.wrapping_add(1) * u128::from(self.principal != 0),
            principal: self.principal,
            token_type: token,
            key_type: &self.key,
            direct: self.direct,
            subscription: SUBSCRIPTION,
            database: &self.database,
            container: &self.container,
        }
        .write(&mut out);
        out
    }
}

/// One Activity-log record.
#[derive(Clone, Debug)]
pub struct ActivityRecord {
    target: String,
    operation: String,
    time: Timestamp,
    ip: IpAddr,
    result: String,
    correlation: u128,
    principal: Principal,
}

/// A successful operation (`Microsoft.DocumentDB/databaseAccounts/listKeys/action`) on an account
/// by a user with object id 1 through the portal, from `86.84.1.9` (KPN, NL).
pub fn activity(account: &str, time: Timestamp, operation: &str) -> ActivityRecord {
    ActivityRecord {
        target: resource_id(account),
        operation: operation.to_owned(),
        time,
        ip: IpAddr::from([86, 84, 1, 9]),
        result: "Success".to_owned(),
        correlation: time.0 as u128,
        principal: Principal {
            object: 1,
            app: 0xc44b_4083_3bb0_49c1_b47d_974e_53cb_df3c,
            upn: "anna@contoso.example".to_owned(),
            kind: PrincipalKind::User,
            role: "Contributor",
        },
    }
}

impl ActivityRecord {
    /// Caller's address.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = ip.into();
        self
    }
    /// ARM id of another target (a storage account, a key vault).
    pub fn target(mut self, resource_id: &str) -> Self {
        resource_id.clone_into(&mut self.target);
        self
    }
    /// A member of the tenant.
    pub fn user(mut self, object: u128, upn: &str) -> Self {
        self.principal.object = object;
        upn.clone_into(&mut self.principal.upn);
        self.principal.kind = PrincipalKind::User;
        self
    }
    /// A guest.
    pub fn guest(mut self, object: u128, email: &str) -> Self {
        self = self.user(object, email);
        self.principal.kind = PrincipalKind::Guest;
        self
    }
    /// A service principal with its own application id.
    pub fn service_principal(mut self, object: u128, app: u128) -> Self {
        self.principal.object = object;
        self.principal.app = app;
        self.principal.upn = String::new();
        self.principal.kind = PrincipalKind::ServicePrincipal;
        self
    }
    /// A managed identity.
    pub fn managed_identity(mut self, object: u128, app: u128) -> Self {
        self = self.service_principal(object, app);
        self.principal.kind = PrincipalKind::ManagedIdentity;
        self
    }
    /// Application through which the principal acts.
    pub fn app(mut self, app: u128) -> Self {
        self.principal.app = app;
        self
    }
    /// `Start`, `Accept`, `Success` or `Failure`.
    pub fn result(mut self, result: &str) -> Self {
        result.clone_into(&mut self.result);
        self
    }
    /// Correlation id, shared by Start and terminal record; by default the time.
    pub fn correlation(mut self, id: u128) -> Self {
        self.correlation = id;
        self
    }
    /// The record as one line of JSON, without the line end.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2600);
        let signature = match self.result.as_str() {
            "Start" => "Started.",
            "Accept" => "Accepted.Accepted",
            "Failure" => "Failed.Forbidden",
            _ => "Succeeded.OK",
        };
        Activity {
            time: self.time,
            ticks: 0,
            target: &self.target,
            operation: &self.operation,
            result: &self.result,
            signature,
            ip: self.ip,
            correlation: self.correlation,
            principal: &self.principal,
            tenant: TENANT,
            subscription: SUBSCRIPTION,
        }
        .write(&mut out);
        out
    }
}
