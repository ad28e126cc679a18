//! One credential operation of any provider, as the tenant sees it.
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::event::{Body, CredentialOperation, Event, Outcome, Place, PrincipalType};
use crate::ids::{AccountId, PrincipalId, SubscriptionId, TenantId, Text};
use crate::intel::view::AddressInfo;
use crate::time::Timestamp;

/// One record. Ordered by (time, digest), so that bounded cells do not depend on arrival order.
#[derive(Clone, Debug)]
pub struct TenantOperation {
    /// Event time.
    pub time: Timestamp,
    /// Hash of the record.
    pub digest: u128,
    /// Where it was read.
    pub place: Place,
    /// Entra tenant, where logged.
    pub tenant: Option<TenantId>,
    /// Subscription of the target.
    pub subscription: Option<SubscriptionId>,
    /// The Cosmos DB account, if it is one.
    pub account: Option<AccountId>,
    /// ARM id of the target, lower-cased.
    pub target: Text,
    /// Operation, lower-cased (`microsoft.storage/storageaccounts/listkeys/action`).
    pub operation: Text,
    /// What kind.
    pub kind: CredentialOperation,
    /// How it stands.
    pub outcome: Outcome,
    /// Who.
    pub principal: PrincipalId,
    /// Name for people.
    pub principal_name: Text,
    /// Kind of principal.
    pub principal_type: PrincipalType,
    /// Application.
    pub app_id: Text,
    /// Joins the records of one operation.
    pub correlation_id: Text,
    /// Address.
    pub ip: Option<IpAddr>,
    /// What the address is.
    pub address: AddressInfo,
}

impl TenantOperation {
    /// From an Activity-log event; `None` if it is no credential operation or nobody did it.
    pub fn of(event: &Event, address: &AddressInfo, place: Place) -> Option<TenantOperation> {
        let Body::Activity(activity) = &event.body else { return None };
        Some(TenantOperation {
            time: event.time,
            digest: event.digest,
            place,
            tenant: activity.tenant.clone(),
            subscription: activity.subscription.clone(),
            account: event.account.clone(),
            target: activity.target.clone(),
            operation: activity.operation.clone(),
            kind: activity.credential?,
            outcome: activity.outcome,
            principal: activity.principal.clone()?,
            principal_name: activity.principal_name.clone(),
            principal_type: activity.principal_type,
            app_id: activity.app_id.clone(),
            correlation_id: activity.correlation_id.clone(),
            ip: activity.client_ip,
            address: address.clone(),
        })
    }
    /// The provider's namespace (`microsoft.storage`).
    pub fn provider(&self) -> &str {
        self.operation.split('/').next().unwrap_or_default()
    }
    /// The Cosmos DB account whose credentials it concerns.
    pub fn cosmos_account(&self) -> Option<&AccountId> {
        self.account.as_ref().filter(|_| self.kind.is_cosmos())
    }
    /// Identity of the operation over its Start, Accept and Success records. The correlation id
    /// alone is not enough: some clients use one for a whole run.
    pub fn identity(&self) -> u64 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for part in
            [&*self.correlation_id, &*self.operation, &*self.target, self.principal.as_str()]
        {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        if self.correlation_id.is_empty() {
            hash.update(&self.digest.to_le_bytes());
        }
        hash.digest()
    }
}

impl PartialEq for TenantOperation {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.digest) == (other.time, other.digest)
    }
}
impl Eq for TenantOperation {}
impl PartialOrd for TenantOperation {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TenantOperation {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.digest).cmp(&(other.time, other.digest))
    }
}

/// Finished operations of one minute, once each, ascending: Success, else Accept. Refused ones handed
/// out no key.
pub fn finished<'a>(
    operations: impl IntoIterator<Item = &'a TenantOperation>,
) -> Vec<&'a TenantOperation> {
    let mut last: BTreeMap<u64, &TenantOperation> = BTreeMap::new();
    for operation in operations {
        if !matches!(operation.outcome, Outcome::Succeeded | Outcome::Accepted) {
            continue;
        }
        let known = last.entry(operation.identity()).or_insert(operation);
        if known.outcome == Outcome::Accepted && operation.outcome == Outcome::Succeeded {
            *known = operation;
        }
    }
    let mut finished: Vec<&TenantOperation> = last.into_values().collect();
    finished.sort();
    finished
}
