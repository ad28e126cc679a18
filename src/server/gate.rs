//! What every request passes: who asks, whether they may, how much they asked, and the headers that
//! every answer has.
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, ResponseError as _, web};

use super::Service;
use super::problem::{MEDIA_TYPE, Problem};
use super::tokens::{Role, Scope, holder};

/// Longest target of a request, bytes.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Who>);

#[derive(Debug)]
struct Who {
    name: String,
    role: Role,
    scope: Scope,
}

impl Caller {
    /// Name of the token, or `local`.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
    /// What they may do.
    pub(crate) fn role(&self) -> Role {
        self.0.role
    }
    /// Accounts that they may see.
    pub(crate) fn scope(&self) -> &Scope {
        &self.0.scope
    }
    /// Refuses whoever may not do what asks for `needed`. Handlers of the few routes that ask for more
    /// than their method say so again: a path can be written in several ways.
    pub(crate) fn must(&self, needed: Role) -> Result<(), Problem> {
        if self.0.role.allows(needed) {
            return Ok(());
        }
        let (has, needed) = (self.0.role.as_str(), needed.as_str());
        let detail = format!("your token's role is {has}; this asks for {needed}");
        Err(Problem::forbidden(detail))
    }
    /// Refuses whoever may see some accounts only.
    pub(crate) fn whole_fleet(&self) -> Result<(), Problem> {
        if self.0.scope.is_all() {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this speaks of the whole fleet; your token sees some accounts only",
        ))
    }
    /// Refuses an account that they may not see, as if it did not exist.
    pub(crate) fn account(&self, name: &str) -> Result<(), Problem> {
        if self.0.scope.sees(name) { Ok(()) } else { Err(super::api::no_account(name)) }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Caller, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A route that the gate lets pass without a caller must not ask for one.
        ready(request.extensions().get::<Caller>().cloned().ok_or_else(unauthorized))
    }
}

fn unauthorized() -> Problem {
    let detail = "send a token: `Authorization: Bearer …`; `cosmoguard token create` makes one";
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// What a route asks for; `None`: anybody may.
fn needed(method: &Method, path: &str) -> Option<Role> {
    match (method, path) {
        (_, "/healthz" | "/readyz" | "/openapi.json") => None,
        (_, "/v1/events") => Some(Role::Sender),
        (&Method::POST, "/v1/snapshots") => Some(Role::Admin),
        // Changes nothing.
        (&Method::POST, "/v1/suppressions:simulate") => Some(Role::Reader),
        (&Method::GET | &Method::HEAD, _) => Some(Role::Reader),
        _ => Some(Role::Analyst),
    }
}

/// The middleware.
pub(super) async fn gate(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(service) = request.app_data::<web::Data<Service>>().cloned() else {
        let problem = Problem::unavailable("the service is not set up");
        return Ok(request.into_response(problem.error_response()));
    };
    let mut response = match admit(&service, &request) {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.call(request).await?
        }
        Err(problem) => request.into_response(problem.error_response()),
    };
    if let Some(problem) = unsaid(&response) {
        let (request, _) = response.into_parts();
        let mut told = problem.error_response();
        let allowed = request.match_pattern().as_deref().and_then(super::openapi::methods);
        if let Some(allowed) = allowed.filter(|_| told.status() == StatusCode::METHOD_NOT_ALLOWED) {
            told.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response = ServiceResponse::new(request, told);
    }
    headers(response.headers_mut(), service.is_tls);
    Ok(response)
}

fn admit(service: &Service, request: &ServiceRequest) -> Result<Option<Caller>, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let detail = format!("the target has more than {TARGET_BYTES_MAX} bytes");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, detail));
    }
    let peer = request.peer_addr().map(|peer| peer.ip());
    let Some(needed) = needed(request.method(), request.path()) else {
        limit(service, &format!("ip {}", shown(peer)))?;
        return Ok(None);
    };
    let caller = who(service, request, peer)?;
    let client = if caller.name() == LOCAL {
        format!("ip {}", shown(peer))
    } else {
        format!("token {}", caller.name())
    };
    limit(service, &client)?;
    caller.must(needed)?;
    Ok(Some(caller))
}

/// Name of whoever asks on this machine while there are no tokens.
const LOCAL: &str = "local";

fn who(
    service: &Service,
    request: &ServiceRequest,
    peer: Option<IpAddr>,
) -> Result<Caller, Problem> {
    let keys = service.keyring.keys();
    let tokens = match keys.as_ref() {
        Ok(Some(tokens)) => tokens.as_slice(),
        Ok(None) if !service.require_token && service.is_local => {
            from_here(request)?;
            let scope = Scope::default();
            return Ok(Caller(Arc::new(Who { name: LOCAL.to_owned(), role: Role::Admin, scope })));
        }
        Ok(None) => &[],
        Err(error) => {
            crate::telemetry::RequestFailed { cause: &error.to_string() }.emit();
            return Err(Problem::unavailable("tokens cannot be read; the service's log says why"));
        }
    };
    let secret = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let Some(secret) = secret.and_then(bearer) else { return Err(unauthorized()) };
    let now = service.shared.clock.now();
    let Some(token) = holder(tokens, secret, now) else {
        limit_of(&service.failures, &shown(peer), service)?;
        return Err(unauthorized());
    };
    let (name, role, scope) = (token.name.clone(), token.role, token.accounts.clone());
    Ok(Caller(Arc::new(Who { name, role, scope })))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Without tokens a page in a browser on this machine could ask as well as its user: by a name that
/// was made to point here, or by a form. Both show in the headers.
fn from_here(request: &ServiceRequest) -> Result<(), Problem> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
    });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !name.eq_ignore_ascii_case("localhost") && !address.is_ok_and(|ip| ip.is_loopback()) {
        let detail = "without tokens only this machine's own names are answered; ask for localhost";
        return Err(Problem::forbidden(detail));
    }
    let origin = header(header::ORIGIN);
    let same = origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, h)| h == host));
    let site = header(HeaderName::from_static("sec-fetch-site"));
    if !same || matches!(site, Some("cross-site" | "same-site")) {
        return Err(Problem::forbidden("pages of other origins may not ask"));
    }
    Ok(())
}

fn shown(peer: Option<IpAddr>) -> String {
    peer.map_or_else(|| "?".to_owned(), |ip| ip.to_string())
}

fn limit(service: &Service, client: &str) -> Result<(), Problem> {
    limit_of(&service.rates, client, service)
}

fn limit_of(rates: &super::rate::Rates, client: &str, service: &Service) -> Result<(), Problem> {
    rates.take(client, service.shared.clock.monotonic_ms()).map_err(|seconds| {
        let detail = format!("too many requests; ask again in {seconds} s");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry(seconds)
    })
}

/// A refusal by the library, in our words.
fn unsaid(response: &ServiceResponse<BoxBody>) -> Option<Problem> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    if kind.is_some_and(|kind| kind.as_bytes() == MEDIA_TYPE.as_bytes()) {
        return None;
    }
    let detail = match status {
        StatusCode::NOT_FOUND => "there is nothing here; /openapi.json lists what there is".into(),
        StatusCode::METHOD_NOT_ALLOWED => "this path does not take that method".into(),
        status => status.canonical_reason().unwrap_or("refused").to_owned(),
    };
    Some(Problem::new(status, detail))
}

fn headers(headers: &mut HeaderMap, is_tls: bool) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    set("x-content-type-options", "nosniff");
    set("cache-control", "no-store");
    set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    set("referrer-policy", "no-referrer");
    if is_tls {
        set("strict-transport-security", "max-age=31536000");
    }
}
