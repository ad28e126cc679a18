//! What rules, expectations and trusted networks have in common: how they are shown, listed, taken
//! and ended. Each is a decision of the ledger: written down, told to the running engine, and in
//! effect from the next minute of event time on.
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json as value};
use utoipa::{IntoParams, ToSchema};

use super::{blocking, json, limit, shown};
use crate::alert::rules::{
    Decision, DecisionView, Filter, FilterText, Ledger, Name, RuleError, Subject, What, hits,
    works_from,
};
use crate::live::ask::Decide;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::tokens::Role;
use crate::server::{Service, Shared};
use crate::store::decisions::{self, DecideError, Draft};
use crate::store::layout::DataDir;
use crate::time::Timestamp;

/// Longest body of a rule, bytes.
pub(super) const BODY_BYTES_MAX: usize = 32 << 10;

/// Which alerts: every condition that is given must hold, and what an alert does not say never holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterView {
    /// `alertType`s; any of them. None: every kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub kinds: Vec<String>,
    /// Pattern of account names (`*` any characters, `?` one); all accounts of an alert must fit.
    pub account: Option<String>,
    /// Pattern of a principal's object id or name.
    pub principal: Option<String>,
    /// Addresses and networks; the caller's address must lie in one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub networks: Vec<String>,
    /// The caller's country, two letters.
    pub country: Option<String>,
    /// The caller's AS.
    pub asn: Option<u32>,
    /// Pattern of user agents; all agents of an alert must fit.
    pub agent: Option<String>,
}

impl From<FilterText> for FilterView {
    fn from(text: FilterText) -> FilterView {
        let FilterText { kinds, account, principal, networks, country, asn, agent } = text;
        FilterView { kinds, account, principal, networks, country, asn, agent }
    }
}

/// A rule, an expectation or a trusted network, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleView {
    /// `S12`, `E12`, `T12`.
    pub id: String,
    /// `waiting`, `active`, `expired`, `ended`.
    pub state: &'static str,
    /// Which alerts; absent for networks.
    pub filter: Option<FilterView>,
    /// The same in words; the network.
    pub about: String,
    /// Event time from which it works; absent: from the first record on.
    pub from: Option<String>,
    /// Event time at which it stops.
    pub until: Option<String>,
    /// Who: the name of the token.
    pub author: String,
    /// When it was made, by the wall clock.
    pub made: String,
    /// Why.
    pub reason: String,
    /// Where it was announced, of expectations.
    pub ticket: Option<String>,
    /// What models learn of it: nothing but of trusted networks.
    pub teaches: bool,
    /// Alerts that it marked in the last 90 days.
    pub hits_90_days: u64,
    /// The last of them, in event time.
    pub last_hit: Option<String>,
    /// It reaches far or lasts long.
    pub notices: Vec<&'static str>,
}

impl From<DecisionView> for RuleView {
    fn from(view: DecisionView) -> RuleView {
        RuleView {
            id: view.id,
            state: view.state,
            filter: view.filter.map(FilterView::from),
            about: view.about,
            from: view.from,
            until: view.until,
            author: view.author,
            made: view.made,
            reason: view.reason,
            ticket: view.ticket,
            teaches: view.what == "trust",
            hits_90_days: view.hits_90_days,
            last_hit: view.last_hit,
            notices: view.notices,
        }
    }
}

/// A page of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleList {
    /// Newest first.
    pub items: Vec<RuleView>,
    /// `cursor` of the next page; absent at the end.
    pub next: Option<String>,
}

/// Which of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RuleQuery {
    /// `true`: such that have ended, too.
    all: Option<String>,
    /// At most so many, 1 to 200; 50 unless told.
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Why one is taken back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndQuery {
    /// Why, for the audit log.
    reason: Option<String>,
}

/// The caller may know of it: it is about accounts that they see.
fn is_seen(caller: &Caller, what: &What) -> bool {
    caller.scope().is_all()
        || filter_of(what).is_some_and(|filter| {
            filter.text().account.is_some_and(|pattern| caller.scope().holds(&pattern))
        })
}

fn filter_of(what: &What) -> Option<&Filter> {
    match what {
        What::Suppress(rule) => Some(&rule.filter),
        What::Expect(expectation) => Some(&expectation.filter),
        What::Trust(_) | What::Verdict(_) | What::End { .. } => None,
    }
}

/// Refuses a filter that reaches beyond the accounts that the caller sees.
pub(super) fn within_scope(caller: &Caller, filter: &Filter) -> Result<(), Problem> {
    if caller.scope().is_all() {
        return Ok(());
    }
    match filter.text().account {
        Some(pattern) if caller.scope().holds(&pattern) => Ok(()),
        _ => Err(Problem::forbidden(
            "`filter.account` must name accounts that your token sees, and no others",
        )),
    }
}

/// Reads `filter`: each condition by itself, so that a refusal names it.
pub(super) fn filter(fields: &Map<String, Value>) -> Result<Filter, Problem> {
    let given = match fields.get("filter") {
        None | Some(Value::Null) => return Ok(Filter::default()),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(Problem::field("filter", "not a JSON object")),
    };
    for (name, condition) in given {
        let wrong = |cause: String| Problem::field(&format!("filter.{}", shown(name)), cause);
        let one: FilterText = serde_json::from_value(value!({ name.as_str(): condition }))
            .map_err(|e| wrong(shown(&e.to_string())))?;
        Filter::parse(&one).map_err(|e| wrong(e.to_string()))?;
    }
    let whole: FilterText = serde_json::from_value(Value::Object(given.clone()))
        .map_err(|e| Problem::field("filter", shown(&e.to_string())))?;
    Filter::parse(&whole).map_err(|e| Problem::field("filter", e.to_string()))
}

/// A refusal by the ledger. `ends` is the field that says when it ends.
pub(super) fn refused(error: RuleError, ends: &str) -> Problem {
    let detail = error.to_string();
    match error {
        RuleError::Empty("reason") | RuleError::TooLong { what: "reason", .. } => {
            Problem::field("reason", detail)
        }
        RuleError::Empty("ticket") | RuleError::TooLong { what: "ticket", .. } => {
            Problem::field("ticket", detail)
        }
        RuleError::EndsBefore { .. } | RuleError::Endless => Problem::field(ends, detail),
        RuleError::Everything | RuleError::ExpectsNothing => Problem::field("filter", detail),
        RuleError::Network(_) => Problem::field("network", detail),
        RuleError::Unknown(_) | RuleError::NotAName(_) => Problem::not_found(detail),
        RuleError::Ended(_) | RuleError::TooMany => Problem::new(StatusCode::CONFLICT, detail),
        _ => Problem::field("body", detail),
    }
}

/// Takes decisions: written down and in effect when it returns.
///
/// # Errors
/// Refused, or it cannot be written down; then it was not taken.
pub(super) async fn take(
    service: &Service,
    caller: &Caller,
    drafts: Vec<(What, String)>,
    ends: &str,
) -> Result<Vec<Decision>, Problem> {
    let shared = &service.shared;
    let author = caller.name();
    let draft = |(what, reason)| Draft { what, from: None, author: author.to_owned(), reason };
    let wish = Decide {
        dir: DataDir::new(&shared.data_dir),
        store: Arc::clone(&shared.store),
        drafts: drafts.into_iter().map(draft).collect(),
        made: shared.clock.now(),
    };
    match shared.desk.decide(wish).await? {
        Ok(taken) => Ok(taken),
        Err(DecideError::Rule(error)) => Err(refused(error, ends)),
        Err(DecideError::Store(error)) => Err(error.into()),
        Err(DecideError::Audit(error)) => {
            crate::telemetry::RequestFailed { cause: &error.to_string() }.emit();
            Err(Problem::unavailable("the decision cannot be written down, so it was not taken"))
        }
    }
}

/// Everything that was decided, and the event time from which a decision of now works.
pub(super) fn ledger(shared: &Shared) -> Result<(Ledger, Timestamp), Problem> {
    let store = shared.store.as_ref();
    let now = match shared.board.read().newest {
        Some(newest) => works_from(newest),
        None => decisions::now(store)?,
    };
    Ok((decisions::load(store)?, now))
}

/// The decision that a path names, if its name begins with `letter` and the caller may know of it.
pub(super) async fn find(
    service: &Service,
    caller: &Caller,
    letter: char,
    id: &str,
) -> Result<Decision, Problem> {
    let unknown = || Problem::not_found(format!("there is no decision {}", shown(id)));
    let name = Name::parse(id).map_err(|_| unknown())?;
    let shared = service.shared.clone();
    let (ledger, _) = blocking(move || ledger(&shared)).await?;
    let found = ledger.find(name).ok().filter(|d| d.name().to_string().starts_with(letter));
    found.filter(|d| is_seen(caller, &d.what)).cloned().ok_or_else(unknown)
}

/// How decisions stand now, with their hits; the alerts are read for it, one asker at a time.
pub(super) async fn views(service: &Service, numbers: Vec<u64>) -> Result<Vec<RuleView>, Problem> {
    let subjects = subjects(service).await?;
    let shared = service.shared.clone();
    blocking(move || {
        let (ledger, now) = ledger(&shared)?;
        let met = hits(&subjects, now);
        let wanted = numbers.iter().filter_map(|n| ledger.name(*n));
        let found = wanted.filter_map(|name| ledger.find(name).ok());
        Ok(found.map(|d| RuleView::from(ledger.view(d, now, &met))).collect())
    })
    .await
}

/// The facts of all alerts that are kept. They are many: read by one asker at a time.
pub(super) async fn subjects(service: &Service) -> Result<Vec<Subject>, Problem> {
    let alone = service.scanning.acquire().await;
    let _alone = alone.map_err(|_| Problem::unavailable("the service is stopping"))?;
    let shared = service.shared.clone();
    blocking(move || Ok(decisions::subjects(shared.store.as_ref())?)).await
}

/// A page of those whose name begins with `letter`.
pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    letter: char,
    query: &RuleQuery,
) -> Result<HttpResponse, Problem> {
    let all = match query.all.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::field("all", "not `true` or `false`")),
    };
    let before = query.cursor.as_deref().map(|text| {
        let wrong = || Problem::field("cursor", "not the `next` of a page");
        text.parse::<u64>().map_err(|_| wrong())
    });
    let (before, limit) = (before.transpose()?, limit(query.limit.as_deref())?);
    let shared = service.shared.clone();
    let (ledger, now) = blocking(move || ledger(&shared)).await?;
    let stands = |d: &&Decision| all || ledger.ends(d).is_none_or(|end| now < end);
    let mut numbers: Vec<u64> = ledger
        .iter()
        .filter(|d| d.name().to_string().starts_with(letter))
        .filter(|d| before.is_none_or(|before| d.number < before))
        .filter(stands)
        .filter(|d| is_seen(caller, &d.what))
        .map(|d| d.number)
        .collect();
    numbers.reverse();
    let more = numbers.len() > limit;
    numbers.truncate(limit);
    let next = numbers.last().filter(|_| more).map(u64::to_string);
    json(&RuleList { items: views(service, numbers).await?, next })
}

/// 200 with one of them.
pub(super) async fn one(service: &Service, number: u64) -> Result<HttpResponse, Problem> {
    let view = views(service, vec![number]).await?.pop();
    json(&view.ok_or_else(|| Problem::not_found("it is gone"))?)
}

/// One that was just made: nothing has met it.
pub(super) async fn fresh(service: &Service, taken: &[Decision]) -> Result<RuleView, Problem> {
    let number = taken.last().map(|d| d.number).unwrap_or_default();
    let shared = service.shared.clone();
    blocking(move || {
        let (ledger, now) = ledger(&shared)?;
        let made = ledger.name(number).and_then(|name| ledger.find(name).ok());
        let made = made.ok_or_else(|| Problem::not_found("it is gone"))?;
        // The board may be a moment behind the engine, which says from when it works.
        Ok(RuleView::from(ledger.view(made, now.max(made.from), &Default::default())))
    })
    .await
}

/// Takes one decision; 201 with it, and where it is.
pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    (what, reason): (What, String),
    (path, ends): (&str, &str),
) -> Result<HttpResponse, Problem> {
    let taken = take(service, caller, vec![(what, reason)], ends).await?;
    let view = fresh(service, &taken).await?;
    let bytes = serde_json::to_vec(&view).map_err(anyhow::Error::from)?;
    let place = format!("{path}/{}", view.id);
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, place)).content_type("application/json");
    Ok(answer.body(bytes))
}

/// What reaches beyond one account is taken back by those who answer for all of them.
pub(super) fn may_end(caller: &Caller, decision: &Decision) -> Result<(), Problem> {
    let narrow = filter_of(&decision.what).is_some_and(Filter::is_of_one_account);
    if narrow { Ok(()) } else { caller.must(Role::Admin) }
}

/// Ends one; 200 with how it stands.
pub(super) async fn end(
    service: &Data<Service>,
    caller: &Caller,
    (letter, id): (char, &str),
    query: EndQuery,
) -> Result<HttpResponse, Problem> {
    let decision = find(service, caller, letter, id).await?;
    may_end(caller, &decision)?;
    let reason = query.reason.unwrap_or_else(|| "removed".to_owned());
    let end = What::End { of: decision.number };
    take(service, caller, vec![(end, reason)], "until").await?;
    one(service, decision.number).await
}
