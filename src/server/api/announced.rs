//! What is announced: work that is expected, and networks that are ours for a time.
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;
use utoipa::ToSchema;

use super::fields::{bytes, moment, needed, object};
use super::rules::{self, BODY_BYTES_MAX, EndQuery, FilterView, RuleList, RuleQuery, RuleView};
use crate::alert::rules::{Expectation, Trust, What};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, body};

/// Something that is expected.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct ExpectationRequest {
    /// Who and where; a principal, a place or `volume_bytes` must be given.
    filter: Option<FilterView>,
    /// Volume alerts are expected up to this many bytes in the window that was judged.
    volume_bytes: Option<u64>,
    /// Event time from which it is expected.
    start: String,
    /// First event time behind it.
    end: String,
    /// Where it was announced.
    ticket: String,
    /// Why.
    reason: String,
    /// `false`: an expectation marks alerts and teaches nothing. Who wants one of them learnt says
    /// so of it: `POST /v1/alerts/{id}/status` with a verdict and the scope `from now on`.
    teaches: Option<bool>,
}

/// A network that is ours.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct TrustRequest {
    /// An address or a network, not wider than /8 or, of IPv6, /16.
    network: String,
    /// Event time at which it no longer is, at most two years ahead.
    until: String,
    /// Why.
    reason: String,
}

/// Lists what is expected, newest first.
#[utoipa::path(
    get,
    path = "/v1/expectations",
    tag = "rules",
    params(RuleQuery),
    responses(
        (status = 200, description = "A page.", body = RuleList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn expected(
    query: Query<RuleQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    rules::list(&service, &caller, 'E', &query).await
}

/// Announces work by a principal, from a place or network, or of a volume. Alerts that it covers are
/// kept, counted and not notified.
#[utoipa::path(
    post,
    path = "/v1/expectations",
    tag = "rules",
    request_body = ExpectationRequest,
    responses(
        (status = 201, description = "It is expected, in effect and in the audit log.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn expect(
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let known = ["filter", "volume_bytes", "start", "end", "ticket", "reason", "teaches"];
    let fields = object(&body, &known)?;
    match fields.get("teaches") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::Bool(true)) => {
            let detail = "an expectation marks alerts and teaches nothing; give one of them a verdict with the scope `from now on`";
            return Err(Problem::field("teaches", detail));
        }
        Some(_) => return Err(Problem::field("teaches", "not true or false")),
    }
    let filter = rules::filter(&fields)?;
    rules::within_scope(&caller, &filter)?;
    let ticket = needed(&fields, "ticket", "say where it was announced")?;
    let what = What::Expect(Expectation {
        filter,
        bytes_max: bytes(&fields, "volume_bytes")?,
        start: moment(&fields, "start", "say when it begins")?,
        end: moment(&fields, "end", "nothing is expected for ever: say when it ends")?,
        ticket: Expectation::ticket(ticket).map_err(|e| rules::refused(e, "end"))?,
    });
    let reason = needed(&fields, "reason", "it hides alerts, so say why")?.to_owned();
    rules::create(&service, &caller, (what, reason), ("/v1/expectations", "end")).await
}

/// Tells one expectation.
#[utoipa::path(
    get,
    path = "/v1/expectations/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as E12.")),
    responses(
        (status = 200, description = "The expectation.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn expectation(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let decision = rules::find(&service, &caller, 'E', &id).await?;
    rules::one(&service, decision.number).await
}

/// Ends an expectation. One that reaches beyond one account is ended by an admin.
#[utoipa::path(
    delete,
    path = "/v1/expectations/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as E12."), EndQuery),
    responses(
        (status = 200, description = "It has ended.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unexpect(
    id: Path<String>,
    query: Query<EndQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    rules::end(&service, &caller, ('E', &id), query.into_inner()).await
}

/// Lists networks that are trusted by decision, newest first; those of the configuration are not
/// among them.
#[utoipa::path(
    get,
    path = "/v1/trusted-networks",
    tag = "rules",
    params(RuleQuery),
    responses(
        (status = 200, description = "A page.", body = RuleList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn trusted(
    query: Query<RuleQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    rules::list(&service, &caller, 'T', &query).await
}

/// Trusts a network on all accounts: requests from it teach and are never tested as places.
#[utoipa::path(
    post,
    path = "/v1/trusted-networks",
    tag = "rules",
    request_body = TrustRequest,
    responses(
        (status = 201, description = "It is trusted, in effect and in the audit log.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn trust(
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let fields = object(&body, &["network", "until", "reason"])?;
    let network = needed(&fields, "network", "write 203.0.113.7 or 203.0.113.0/24")?;
    let until = moment(&fields, "until", "nothing is trusted for ever: say when it ends")?;
    let trust = Trust::parse(network, until).map_err(|e| rules::refused(e, "until"))?;
    let reason = needed(&fields, "reason", "it hides and teaches, so say why")?.to_owned();
    let taken = (What::Trust(trust), reason);
    rules::create(&service, &caller, taken, ("/v1/trusted-networks", "until")).await
}

/// Tells one trusted network.
#[utoipa::path(
    get,
    path = "/v1/trusted-networks/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as T12.")),
    responses(
        (status = 200, description = "The network.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn network(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    let decision = rules::find(&service, &caller, 'T', &id).await?;
    rules::one(&service, decision.number).await
}

/// Ends the trust in a network, which is an admin's to do: it is on all accounts.
#[utoipa::path(
    delete,
    path = "/v1/trusted-networks/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as T12."), EndQuery),
    responses(
        (status = 200, description = "It has ended.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn distrust(
    id: Path<String>,
    query: Query<EndQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    rules::end(&service, &caller, ('T', &id), query.into_inner()).await
}
