//! Records exactly as Azure writes them, by hand into a byte vector: no tree, no allocation.
use std::io::Write;
use std::net::IpAddr;

use crate::time::Timestamp;

/// Writes `text` as the inside of a JSON string.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &b in text {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                let hex = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(hex[usize::from(b >> 4)]);
                out.push(hex[usize::from(b & 15)]);
            }
            _ => out.push(b),
        }
    }
}

/// Writes 128 bits as a dashed UUID.
pub(crate) fn uuid(id: u128, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for place in 0..32u32 {
        if matches!(place, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(HEX[(id >> (124 - 4 * place)) as usize & 15]);
    }
}

/// [`uuid`] as text.
pub(crate) fn uuid_text(id: u128) -> String {
    let mut out = Vec::with_capacity(36);
    uuid(id, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes a time as Azure does; `ticks` (0–9999) fills the digits below a millisecond.
pub(crate) fn time(at: Timestamp, ticks: u32, out: &mut Vec<u8>) {
    let (y, m, d) = civil(at.day());
    let ms = at.0.rem_euclid(crate::time::DAY_MS) as u64;
    digits(y as u64, 4, out);
    out.push(b'-');
    digits(m, 2, out);
    out.push(b'-');
    digits(d, 2, out);
    out.push(b'T');
    digits(ms / 3_600_000, 2, out);
    out.push(b':');
    digits(ms / 60_000 % 60, 2, out);
    out.push(b':');
    digits(ms / 1000 % 60, 2, out);
    out.push(b'.');
    digits(ms % 1000, 3, out);
    digits(u64::from(ticks % 10_000), 4, out);
    out.push(b'Z');
}

fn digits(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut at = text.len();
    while value > 0 && at > 0 {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let from = at.min(text.len().saturating_sub(width));
    out.extend_from_slice(&text[from..]);
}

/// Writes thousandths as a decimal with six places, as the log does.
fn milli(value: u64, out: &mut Vec<u8>) {
    digits(value / 1000, 1, out);
    out.push(b'.');
    digits(value % 1000, 3, out);
    out.extend_from_slice(b"000");
}

/// Year, month and day of a day since the epoch (Howard Hinnant, "chrono-compatible low-level
/// date algorithms", civil_from_days).
pub(crate) fn civil(day: i64) -> (i64, u64, u64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month as u64, (doy - (153 * mp + 2) / 5 + 1) as u64)
}

/// `,"name":"` … `"` around an escaped value.
fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    open(name, out);
    escape(value, out);
    out.push(b'"');
}

fn open(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
}

/// One row of `DataPlaneRequests`.
#[derive(Clone, Debug)]
pub(crate) struct DataPlane<'a> {
    pub(crate) time: Timestamp,
    pub(crate) ticks: u32,
    /// Upper-case ARM id.
    pub(crate) resource_id: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) activity: u128,
    pub(crate) resource_type: &'a str,
    pub(crate) path: &'a [u8],
    pub(crate) status: u16,
    /// Microseconds at the server.
    pub(crate) duration_us: u64,
    pub(crate) agent: &'a [u8],
    pub(crate) ip: IpAddr,
    /// Request units × 1000.
    pub(crate) charge_milli: u64,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) region: &'a str,
    /// Physical partition; 0 for none.
    pub(crate) partition: u128,
    pub(crate) role_assignment: u128,
    pub(crate) principal: u128,
    pub(crate) token_type: &'a str,
    pub(crate) key_type: &'a str,
    pub(crate) direct: bool,
    /// Lower-case subscription id.
    pub(crate) subscription: &'a str,
    pub(crate) database: &'a str,
    pub(crate) container: &'a str,
}

fn uuid_field(name: &str, id: u128, out: &mut Vec<u8>) {
    open(name, out);
    if id != 0 {
        uuid(id, out);
    }
    out.push(b'"');
}

impl DataPlane<'_> {
    /// Appends the record, without a line end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        time(self.time, self.ticks, out);
        out.push(b'"');
        field("resourceId", self.resource_id.as_bytes(), out);
        field("category", b"DataPlaneRequests", out);
        field("operationName", self.operation.as_bytes(), out);
        out.extend_from_slice(b",\"properties\":{\"activityId\":\"");
        uuid(self.activity, out);
        out.push(b'"');
        field("requestResourceType", self.resource_type.as_bytes(), out);
        field("requestResourceId", self.path, out);
        out.extend_from_slice(b",\"collectionRid\":\"\",\"databaseRid\":\"\",\"statusCode\":\"");
        digits(u64::from(self.status), 1, out);
        out.extend_from_slice(b"\",\"duration\":\"");
        milli(self.duration_us, out);
        out.push(b'"');
        field("userAgent", self.agent, out);
        // Writing to a vector cannot fail.
        let _ = write!(out, ",\"clientIpAddress\":\"{}\"", self.ip);
        self.write_sizes(out);
        field("region", self.region.as_bytes(), out);
        uuid_field("partitionId", self.partition, out);
        uuid_field("aadAppliedRoleAssignmentId", self.role_assignment, out);
        uuid_field("aadPrincipalId", self.principal, out);
        field("authTokenType", self.token_type.as_bytes(), out);
        field("keyType", self.key_type.as_bytes(), out);
        let mode: &[u8] = if self.direct { b"Direct" } else { b"Gateway" };
        field("connectionMode", mode, out);
        field("subscriptionId", self.subscription.as_bytes(), out);
        field("databaseName", self.database.as_bytes(), out);
        field("collectionName", self.container.as_bytes(), out);
        out.extend_from_slice(b"}}");
    }

    fn write_sizes(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"requestCharge\":\"");
        milli(self.charge_milli, out);
        out.extend_from_slice(b"\",\"requestLength\":\"");
        digits(self.request_bytes, 1, out);
        out.extend_from_slice(b"\",\"responseLength\":\"");
        digits(self.response_bytes, 1, out);
        out.extend_from_slice(
            b"\",\"resourceTokenPermissionId\":\"\",\"resourceTokenPermissionMode\":\"\",\"resourceTokenUserRid\":\"\"",
        );
    }
}

/// One row of `QueryRuntimeStatistics`.
#[derive(Clone, Debug)]
pub(crate) struct QueryRun<'a> {
    pub(crate) time: Timestamp,
    pub(crate) ticks: u32,
    pub(crate) resource_id: &'a str,
    pub(crate) activity: u128,
    pub(crate) database: &'a str,
    pub(crate) container: &'a str,
    pub(crate) subscription: &'a str,
    pub(crate) resource_group: &'a str,
    pub(crate) region: &'a str,
    /// Number of the physical partition.
    pub(crate) partition: u64,
    pub(crate) rows: u64,
    /// Hash of the query and of its shape, as the service would give them.
    pub(crate) signature: i64,
    pub(crate) shape: i64,
    /// Query, escaped twice on the way out.
    pub(crate) text: &'a str,
}

impl QueryRun<'_> {
    /// Appends the record, without a line end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        time(self.time, self.ticks, out);
        out.push(b'"');
        field("resourceId", self.resource_id.as_bytes(), out);
        field("category", b"QueryRuntimeStatistics", out);
        out.extend_from_slice(b",\"properties\":{\"activityId\":\"");
        uuid(self.activity, out);
        out.push(b'"');
        field("databasename", self.database.as_bytes(), out);
        field("collectionname", self.container.as_bytes(), out);
        open("partitionkeyrangeid", out);
        digits(self.partition, 1, out);
        out.push(b'"');
        field("useragent", b"Microsoft.Azure.Documents.Common/2.14.0RoutingGateway", out);
        field("subscriptionid", self.subscription.as_bytes(), out);
        field("resourcegroupname", self.resource_group.as_bytes(), out);
        field("partialipaddress", b"10.0.1.4", out);
        field("regionname", self.region.as_bytes(), out);
        field("authtype", b"1", out);
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            ",\"numberofrowsreturned\":\"{}\",\"signature\":\"{}\",\"shapesignature\":\"{}\",\"queryexecutionstatus\":\"Finished\"",
            self.rows, self.signature, self.shape
        );
        let mut inner = Vec::with_capacity(self.text.len() + 48);
        inner.extend_from_slice(b"{\"query\":\"");
        escape(self.text.as_bytes(), &mut inner);
        inner.extend_from_slice(b"\",\"parameters\":[]}");
        field("querytext", &inner, out);
        out.extend_from_slice(b"}}");
    }
}

/// Who acts in the Activity log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) object: u128,
    pub(crate) app: u128,
    /// UPN or e-mail of a person, empty for an application.
    pub(crate) upn: String,
    pub(crate) kind: PrincipalKind,
    pub(crate) role: &'static str,
}

/// Kinds of principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalKind {
    User,
    Guest,
    ServicePrincipal,
    ManagedIdentity,
}

impl PrincipalKind {
    /// The word the log uses in `evidence.principalType`.
    fn evidence(self) -> &'static str {
        match self {
            PrincipalKind::User | PrincipalKind::Guest => "User",
            PrincipalKind::ServicePrincipal | PrincipalKind::ManagedIdentity => "ServicePrincipal",
        }
    }
}

/// One operation of the Activity log, in the streaming schema.
#[derive(Clone, Debug)]
pub(crate) struct Activity<'a> {
    pub(crate) time: Timestamp,
    pub(crate) ticks: u32,
    /// ARM id in its natural case.
    pub(crate) target: &'a str,
    /// `Microsoft.DocumentDB/databaseAccounts/listKeys/action`.
    pub(crate) operation: &'a str,
    pub(crate) result: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) ip: IpAddr,
    pub(crate) correlation: u128,
    pub(crate) principal: &'a Principal,
    pub(crate) tenant: u128,
    pub(crate) subscription: &'a str,
}

impl Activity<'_> {
    /// Appends the record, without a line end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"{\"RoleLocation\":\"West Europe\",\"Stamp\":\"FDWeb\",\"ReleaseVersion\":\"6.2026.40.4+a1b2c3d.release_2026w40\",\"time\":\"",
        );
        time(self.time, self.ticks, out);
        out.push(b'"');
        field("resourceId", self.target.to_ascii_uppercase().as_bytes(), out);
        field("operationName", self.operation.to_ascii_uppercase().as_bytes(), out);
        field("category", b"Administrative", out);
        field("resultType", self.result.as_bytes(), out);
        field("resultSignature", self.signature.as_bytes(), out);
        // Writing to a vector cannot fail.
        let _ = write!(out, ",\"durationMs\":\"0\",\"callerIpAddress\":\"{}\"", self.ip);
        uuid_field("correlationId", self.correlation, out);
        out.extend_from_slice(b",\"identity\":{\"authorization\":{\"scope\":\"");
        escape(self.target.as_bytes(), out);
        out.push(b'"');
        field("action", self.operation.as_bytes(), out);
        let p = self.principal;
        let _ = write!(
            out,
            ",\"evidence\":{{\"role\":\"{}\",\"roleAssignmentScope\":\"/subscriptions/{}\",\"roleAssignmentId\":\"{:032x}\",\"roleDefinitionId\":\"{:032x}\",\"principalId\":\"{:032x}\",\"principalType\":\"{}\"}}}},\"claims\":{{",
            p.role,
            self.subscription,
            p.object ^ 0x5a5a,
            u128::from(p.role.len() as u64) << 96 | 0x8e3a_f657,
            p.object,
            p.kind.evidence()
        );
        self.write_claims(out);
        out.extend_from_slice(
            b"}},\"level\":\"Informational\",\"properties\":{\"eventCategory\":\"Administrative\"",
        );
        field("entity", self.target.as_bytes(), out);
        field("message", self.operation.as_bytes(), out);
        let _ =
            write!(out, ",\"hierarchy\":\"{}/{}\"}}", uuid_text(self.tenant), self.subscription);
        uuid_field("tenantId", self.tenant, out);
        out.push(b'}');
    }

    fn write_claims(&self, out: &mut Vec<u8>) {
        let (p, tenant) = (self.principal, uuid_text(self.tenant));
        let issued = self.time.0.div_euclid(1000) - 600;
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "\"aud\":\"https://management.core.windows.net/\",\"iss\":\"https://sts.windows.net/{tenant}/\",\"iat\":\"{issued}\",\"nbf\":\"{issued}\",\"exp\":\"{}\"",
            issued + 4500
        );
        uuid_field("appid", p.app, out);
        uuid_field("http://schemas.microsoft.com/identity/claims/objectidentifier", p.object, out);
        field("http://schemas.microsoft.com/identity/claims/tenantid", tenant.as_bytes(), out);
        let _ = write!(out, ",\"ipaddr\":\"{}\"", self.ip);
        const NAMES: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
        match p.kind {
            PrincipalKind::User => {
                out.extend_from_slice(b",\"appidacr\":\"0\",\"idtyp\":\"user\",\"http://schemas.microsoft.com/claims/authnmethodsreferences\":\"pwd,mfa\"");
                field(&format!("{NAMES}upn"), p.upn.as_bytes(), out);
                field(&format!("{NAMES}name"), p.upn.as_bytes(), out);
                field("name", p.upn.as_bytes(), out);
            }
            PrincipalKind::Guest => {
                out.extend_from_slice(b",\"appidacr\":\"0\",\"idtyp\":\"user\"");
                field(&format!("{NAMES}emailaddress"), p.upn.as_bytes(), out);
                field(
                    "http://schemas.microsoft.com/identity/claims/identityprovider",
                    b"live.com",
                    out,
                );
                field("name", p.upn.as_bytes(), out);
            }
            PrincipalKind::ServicePrincipal => {
                out.extend_from_slice(b",\"appidacr\":\"1\",\"idtyp\":\"app\"");
            }
            PrincipalKind::ManagedIdentity => {
                out.extend_from_slice(b",\"appidacr\":\"2\",\"idtyp\":\"app\"");
                let mirid = format!(
                    "/subscriptions/{}/resourcegroups/rg-ops/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ops",
                    self.subscription
                );
                field("xms_mirid", mirid.as_bytes(), out);
            }
        }
        field("ver", b"1.0", out);
    }
}
