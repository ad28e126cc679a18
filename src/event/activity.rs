//! The subscription's Activity log in its three forms: the stream to Event Hubs and storage, the
//! REST and portal form, and `AzureActivity` rows.
use crate::event::account::ResourceRef;
use crate::event::decoder::Context;
use crate::event::fields::Field;
use crate::event::identity::Who;
use crate::event::record::Record;
use crate::event::scalar::{cut, normal_id, present};
use crate::event::{
    ActivityOperation, CredentialOperation, Outcome, PrincipalType, credential_action,
    log_analytics,
};
use crate::ids::{Cloud, PrincipalId, SubscriptionId, TenantId, Text};
use crate::limits;

/// What marks a record of the Activity log: an operation of a resource provider
/// (`provider/type/action`), and somebody's identity or a correlation.
pub(super) fn is_activity(record: &Record<'_>) -> bool {
    let fields = &record.fields;
    operation_name(record).is_some_and(|name| name.contains('/'))
        && (!fields.get(Field::CorrelationId).is_nothing()
            || record.has_identity
            || (!fields.get(Field::Caller).is_nothing() && record.has_authorization))
}

/// The operation's name. Rows hold a localised sentence beside the value; a name without a slash
/// is such a sentence, and then the authorization says what was done.
fn operation_name<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    let value = record.fields.text(Field::OperationValue);
    let name = value.or_else(|| record.fields.text(Field::OperationName));
    let action = record.who.as_ref().and_then(|who| who.action.as_deref()).and_then(present);
    match name {
        Some(name) if name.contains('/') => Some(name),
        other => action.filter(|action| action.contains('/')).or(other),
    }
}

/// What an operation was done to: the resource, else the scope it was authorised for.
pub(super) fn target<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    record
        .fields
        .text(Field::ResourceId)
        .or_else(|| record.who.as_ref().and_then(|who| who.scope.as_deref()).and_then(present))
}

/// The cloud, where the record tells it. Activity records name the place that processed them, if
/// any: only a Chinese or government region says something, because the public cloud's own
/// records often say `global`.
pub(super) fn cloud(record: &Record<'_>) -> Option<Cloud> {
    [Field::RoleLocation, Field::Location]
        .into_iter()
        .filter_map(|field| record.fields.text(field))
        .map(|place| Cloud::of_region(&place.replace(' ', "")))
        .find(|cloud| *cloud != Cloud::Public)
}

/// The operation in lower case, and what kind of credential operation it is, if any.
pub(super) fn operation(record: &Record<'_>) -> (String, Option<CredentialOperation>) {
    let operation = lower(operation_name(record));
    let credential = credential_action::of(&operation);
    (operation, credential)
}

/// One operation on `resource`.
pub(super) fn decode(
    cx: &mut Context<'_>,
    record: &Record<'_>,
    (operation, credential): (&str, Option<CredentialOperation>),
    resource: &ResourceRef,
) -> ActivityOperation {
    let fields = &record.fields;
    let nobody = Who::default();
    let who = record.who.as_deref().unwrap_or(&nobody);
    let caller = Caller::of(who, fields.text(Field::Caller));
    let (target, subscription) = match resource {
        ResourceRef::Account(account) => (account.full_id.clone(), account.subscription.clone()),
        ResourceRef::Other { id, subscription } => (Some(id.clone()), subscription.clone()),
        ResourceRef::Nothing => (None, None),
    };
    // The workspace's id stands under `TenantId` in rows.
    let stream_tenant = match log_analytics::is_row(fields) {
        true => None,
        false => fields.text(Field::TenantId),
    };
    let address = fields
        .text(Field::CallerIp)
        .or(who.request_ip.as_deref())
        .or(who.client_ip.as_deref())
        .and_then(present);
    ActivityOperation {
        credential,
        operation: cx.tables.text(Some(operation)),
        outcome: outcome(record),
        correlation_id: short(&lower(fields.words(Field::CorrelationId).as_deref())),
        target: target.unwrap_or_else(|| cx.tables.empty()),
        subscription: subscription
            .or_else(|| fields.text(Field::SubscriptionId).map(SubscriptionId::new)),
        tenant: who.tenant.as_deref().or(stream_tenant).map(|id| TenantId::new(&normal_id(id))),
        principal: caller.principal(),
        principal_name: short(caller.name().unwrap_or_default()),
        principal_type: caller.kind(),
        guest: caller.is_guest(),
        app_id: short(&who.app_id.as_deref().map(normal_id).unwrap_or_default()),
        role: cx.tables.text(who.role.as_deref()),
        client_ip: cx.address(address),
    }
}

fn lower(text: Option<&str>) -> String {
    text.unwrap_or_default().to_ascii_lowercase()
}

fn short(text: &str) -> Text {
    Text::from(cut(text, limits::STRING_BYTES_MAX))
}

/// How the operation stands. The words differ by form and by year; where the field is missing
/// the signature begins with the word (`Succeeded.OK`).
fn outcome(record: &Record<'_>) -> Outcome {
    let fields = &record.fields;
    let signature = fields.text(Field::ResultSignature);
    let word = fields
        .text(Field::ResultValue)
        .or_else(|| fields.text(Field::ResultType))
        .or_else(|| signature.and_then(|s| s.split('.').next()));
    match lower(word).as_str() {
        "start" | "started" | "begin" | "beginrequest" => Outcome::Started,
        "accept" | "accepted" => Outcome::Accepted,
        "success" | "succeeded" => Outcome::Succeeded,
        "failure" | "failed" => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}

/// Who called, out of what claims, evidence and the `caller` field say.
struct Caller<'r> {
    who: &'r Who,
    /// `caller`: a UPN, or the object or application id of a service principal.
    caller: Option<&'r str>,
}

impl<'r> Caller<'r> {
    fn of(who: &'r Who, caller: Option<&'r str>) -> Caller<'r> {
        Caller { who, caller: caller.or(who.plain.as_deref()) }
    }

    /// Object id, else sign-in name, else application id. GUIDs with and without dashes are one.
    fn principal(&self) -> Option<PrincipalId> {
        let who = self.who;
        let id = who
            .object_id
            .as_deref()
            .or(who.evidence_principal_id.as_deref())
            .or(who.upn.as_deref())
            .or(self.caller)
            .or(who.sign_in_name.as_deref())
            .or(who.email.as_deref())
            .or(who.app_id.as_deref())?;
        Some(PrincipalId::from_lowercase(short(&normal_id(id))))
    }

    /// A name for people.
    fn name(&self) -> Option<&'r str> {
        let who = self.who;
        let spoken = self.caller.filter(|caller| !is_guid(caller));
        who.upn
            .as_deref()
            .or(who.sign_in_name.as_deref())
            .or(who.email.as_deref())
            .or(spoken)
            .or(who.display_name.as_deref())
            .or(who.app_id.as_deref())
            .or(self.caller)
    }

    /// Whether any claim names a person.
    fn has_person(&self) -> bool {
        self.who.upn.is_some()
            || self.who.email.is_some()
            || self.caller.is_some_and(|caller| caller.contains('@'))
    }

    fn kind(&self) -> PrincipalType {
        let who = self.who;
        let is = |text: &Option<String>, word: &str| {
            text.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let evidence = &who.evidence_principal_type;
        if who.managed_identity.is_some() || is(evidence, "ManagedIdentity") {
            return PrincipalType::ManagedIdentity;
        }
        if is(&who.token_kind, "user") {
            return PrincipalType::User;
        }
        if is(&who.token_kind, "app") || is(evidence, "ServicePrincipal") {
            return PrincipalType::ServicePrincipal;
        }
        // A role given to a group says nothing of its member.
        if is(evidence, "User") || self.has_person() {
            return PrincipalType::User;
        }
        // An application proved itself by secret or certificate, and no person is named.
        let proven = is(&who.app_credential, "1") || is(&who.app_credential, "2");
        if proven || self.caller.is_some_and(is_guid) {
            return PrincipalType::ServicePrincipal;
        }
        PrincipalType::Unknown
    }

    /// A person of another tenant or of no tenant at all.
    fn is_guest(&self) -> bool {
        if matches!(self.kind(), PrincipalType::ServicePrincipal | PrincipalType::ManagedIdentity) {
            return false;
        }
        let who = self.who;
        let external = |name: Option<&str>| {
            name.is_some_and(|name| name.to_ascii_lowercase().contains("#ext#"))
        };
        // Only identities from elsewhere need a second security id.
        external(who.upn.as_deref())
            || external(who.sign_in_name.as_deref())
            || external(self.caller)
            || who.external_id.is_some()
            || self.is_foreign()
            || (who.upn.is_none() && who.email.is_some())
    }

    /// The identity provider is not the tenant's own token service.
    fn is_foreign(&self) -> bool {
        let Some(provider) = self.who.identity_provider.as_deref() else { return false };
        let provider = provider.to_ascii_lowercase();
        match (&self.who.tenant, &self.who.issuer) {
            (Some(tenant), _) => !provider.contains(&tenant.to_ascii_lowercase()),
            (None, Some(issuer)) => {
                let ends = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
                ends(&provider) != ends(issuer)
            }
            (None, None) => false,
        }
    }
}

fn is_guid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}
