//! Rules that silence.
use std::collections::BTreeMap;

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::fields::{moment, needed, object, text};
use super::json;
use super::rules::{self, BODY_BYTES_MAX, EndQuery, FilterView, RuleList, RuleQuery, RuleView};
use crate::alert::rules::{Rule, RuleError, What, simulate as held_against};
use crate::detect::Severity;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, body};
use crate::time::Timestamp;

/// Where they are.
const PATH: &str = "/v1/suppressions";
const UNTIL: &str = "nothing is silenced for ever: say when it ends";

/// A rule that is wanted.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct SuppressionRequest {
    /// Which alerts; at least one condition.
    filter: FilterView,
    /// Up to this severity only: Low, Medium or High.
    up_to: Option<String>,
    /// Event time at which it ends, at most two years ahead.
    until: String,
    /// Why, at most 1000 characters.
    reason: String,
}

/// A rule to be tried.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct SimulationRequest {
    /// Which alerts; at least one condition.
    filter: FilterView,
    /// Up to this severity only: Low, Medium or High.
    up_to: Option<String>,
    /// Event time at which it ends.
    until: Option<String>,
    /// Taken for the same body as a rule's, and not looked at.
    reason: Option<String>,
}

/// What a rule would have silenced.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationView {
    /// Alerts that were looked at: all that are kept and that the token sees.
    pub of: u64,
    /// Alerts of which every revision is covered.
    pub alerts: u64,
    /// These by kind.
    pub kinds: BTreeMap<String, u64>,
    /// By severity.
    pub severities: BTreeMap<String, u64>,
    /// By account; one alert may name several.
    pub accounts: BTreeMap<String, u64>,
    /// Newest first, at most 200.
    pub ids: Vec<String>,
    /// It would reach far.
    pub notices: Vec<&'static str>,
}

fn rule(fields: &Map<String, Value>, until: Timestamp) -> Result<Rule, Problem> {
    let filter = rules::filter(fields)?;
    let wrong = || Problem::field("up_to", "not Low, Medium or High");
    let up_to = text(fields, "up_to")?.map(|w| Severity::parse(w).ok_or_else(wrong)).transpose()?;
    if filter.is_everything() {
        return Err(rules::refused(RuleError::Everything, "until"));
    }
    Ok(Rule { filter, up_to, until })
}

/// The rule of a body, and why.
async fn wanted(
    request: &HttpRequest,
    payload: Payload,
    caller: &Caller,
) -> Result<(What, String), Problem> {
    let body = body::read(request, payload, BODY_BYTES_MAX).await?;
    let fields = object(&body, &["filter", "up_to", "until", "reason"])?;
    let rule = rule(&fields, moment(&fields, "until", UNTIL)?)?;
    let reason = needed(&fields, "reason", "it hides alerts, so say why")?;
    rules::within_scope(caller, &rule.filter)?;
    Ok((What::Suppress(rule), reason.to_owned()))
}

/// Lists the rules that silence, newest first.
#[utoipa::path(
    get,
    path = "/v1/suppressions",
    tag = "rules",
    params(RuleQuery),
    responses(
        (status = 200, description = "A page.", body = RuleList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    query: Query<RuleQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    rules::list(&service, &caller, 'S', &query).await
}

/// Makes a rule: alerts that fit it from the next minute of event time on are kept, counted and not
/// notified. One that reaches beyond one account or lasts longer than 90 days says so in `notices`.
#[utoipa::path(
    post,
    path = "/v1/suppressions",
    tag = "rules",
    request_body = SuppressionRequest,
    responses(
        (status = 201, description = "The rule, in effect and in the audit log.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let wanted = wanted(&request, payload, &caller).await?;
    rules::create(&service, &caller, wanted, (PATH, "until")).await
}

/// Holds a rule against all alerts that are kept. Nothing is stored.
#[utoipa::path(
    post,
    path = "/v1/suppressions:simulate",
    tag = "rules",
    request_body = SimulationRequest,
    responses(
        (status = 200, description = "What it would have silenced.", body = SimulationView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn simulate(
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let fields = object(&body, &["filter", "up_to", "until", "reason"])?;
    let until = match fields.get("until") {
        None | Some(Value::Null) => Timestamp::MAX,
        Some(_) => moment(&fields, "until", UNTIL)?,
    };
    let rule = rule(&fields, until)?;
    rules::within_scope(&caller, &rule.filter)?;
    let mut subjects = rules::subjects(&service).await?;
    // An alert that names a stranger's account, too, is none of the caller's.
    subjects.retain(|s| s.accounts.iter().all(|account| caller.scope().sees(account)));
    let would = held_against(&rule, &subjects);
    json(&SimulationView {
        of: would.of,
        alerts: would.alerts,
        kinds: would.kinds,
        severities: would.severities,
        accounts: would.accounts,
        ids: would.ids.iter().map(ToString::to_string).collect(),
        notices: rule.is_broad().then_some("reaches beyond one account").into_iter().collect(),
    })
}

/// Tells one rule.
#[utoipa::path(
    get,
    path = "/v1/suppressions/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as S12.")),
    responses(
        (status = 200, description = "The rule.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let decision = rules::find(&service, &caller, 'S', &id).await?;
    rules::one(&service, decision.number).await
}

/// Puts another rule in the place of one. The old one ends where the new one begins and stays in the
/// list of all; the new one has a name of its own.
#[utoipa::path(
    put,
    path = "/v1/suppressions/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Name of the rule to be replaced.")),
    request_body = SuppressionRequest,
    responses(
        (status = 200, description = "The new rule.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn replace(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let old = rules::find(&service, &caller, 'S', &id).await?;
    rules::may_end(&caller, &old)?;
    let wanted = wanted(&request, payload, &caller).await?;
    // The end first: it refuses a rule that has ended, and then there is no second one.
    let end = (What::End { of: old.number }, format!("replaced: {}", wanted.1));
    let end = (end.0, end.1.chars().take(crate::alert::rules::REASON_CHARS_MAX).collect());
    let taken = rules::take(&service, &caller, vec![end, wanted], "until").await?;
    json(&rules::fresh(&service, &taken).await?)
}

/// Ends a rule. One that reaches beyond one account is ended by an admin.
#[utoipa::path(
    delete,
    path = "/v1/suppressions/{id}",
    tag = "rules",
    params(("id" = String, Path, description = "Its name, such as S12."), EndQuery),
    responses(
        (status = 200, description = "It has ended.", body = RuleView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn end(
    id: Path<String>,
    query: Query<EndQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    rules::end(&service, &caller, ('S', &id), query.into_inner()).await
}
