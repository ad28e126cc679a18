//! Accounts: what is learnt of them, and what came of it.
use std::sync::{Arc, PoisonError};

use actix_web::http::header;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use sha2::{Digest, Sha256};
use tokio::time::Duration;
use utoipa::{IntoParams, ToSchema};

use super::alerts::AlertItem;
use super::service::silences_of;
use super::{account_id, blocking, json, limit, moment, no_account};
use crate::account::message::HourRecord;
use crate::account::model::AccountModel;
use crate::alert::book::Filter;
use crate::ids::AccountId;
use crate::inquiry::hour::{self, Asked};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, Shared};
use crate::snapshot::hex;
use crate::store::schema::{account, run};
use crate::store::{StateStore, display_ring, keys, untaught};
use crate::time::{MINUTE_MS, Timestamp};

/// The engine answers between two chunks of records; it may be busy for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Names are looked up again after this, milliseconds: a scan reads every model.
const NAMES_MS: u64 = 30_000;
/// Most alerts of a timeline.
const TIMELINE_MAX: usize = 200;

/// Names of the accounts that the store holds, and when they were looked up.
#[derive(Default)]
pub(crate) struct Known(Option<(u64, Arc<Vec<AccountId>>)>);

/// The model of an account that the asker may see: as the engine has it, else as it is stored.
async fn model_of(
    service: &Data<Service>,
    caller: &Caller,
    name: &str,
) -> Result<(AccountModel, Vec<u8>), Problem> {
    let id = account_id(name);
    caller.account(&id.to_string())?;
    let asked = tokio::time::timeout(PATIENCE, service.shared.desk.model(id.clone())).await;
    let sealed = match asked {
        Ok(Ok(answer)) => answer?,
        // It stops, or is busy: what was made durable last is an answer too.
        Ok(Err(_)) | Err(_) => None,
    };
    let shared = service.shared.clone();
    let name = name.to_owned();
    blocking(move || {
        let sealed = match sealed {
            Some(sealed) => Some(sealed),
            None => shared.store.get(&keys::account(&id))?,
        };
        let sealed = sealed.ok_or_else(|| no_account(&name))?;
        let model = account::open(&sealed).map_err(anyhow::Error::from)?;
        Ok((model, sealed))
    })
    .await
}

/// A page of accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountQuery {
    /// Text in the name.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items, at most 200; 50 unless told.
    limit: Option<String>,
}

/// Accounts with a line each, as `model list --json` has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountList {
    /// The accounts, by name.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Value>,
    /// `cursor` of the next page; absent at the end.
    pub next: Option<String>,
    /// Accounts of the whole list.
    pub total: usize,
}

fn names(service: &Service) -> Result<Arc<Vec<AccountId>>, Problem> {
    let now = service.shared.clock.monotonic_ms();
    let mut known = service.accounts.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, names)) = &known.0
        && now.saturating_sub(*at) < NAMES_MS
    {
        return Ok(Arc::clone(names));
    }
    let mut names = Vec::new();
    service.shared.store.scan(keys::ACCOUNT, &mut |key, _| {
        names.extend(keys::named(key, keys::ACCOUNT));
        true
    })?;
    names.sort_by_key(AccountId::key);
    let names = Arc::new(names);
    known.0 = Some((now, Arc::clone(&names)));
    Ok(names)
}

/// Lists accounts, as of the last checkpoint.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    tag = "accounts",
    params(AccountQuery),
    responses(
        (status = 200, description = "A page.", body = AccountList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    query: Query<AccountQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let query = query.into_inner();
    let list = blocking(move || {
        let text = query.q.unwrap_or_default().to_ascii_lowercase();
        let names = names(&service)?;
        let sees = |id: &&AccountId| {
            let name = id.to_string();
            caller.scope().sees(&name) && name.contains(&text)
        };
        let all: Vec<&AccountId> = names.iter().filter(sees).collect();
        let from = query.cursor.map(|cursor| account_id(&cursor).key());
        let behind = |id: &&&AccountId| from.as_ref().is_none_or(|from| id.key() > *from);
        let mut page: Vec<&AccountId> =
            all.iter().filter(behind).copied().take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let profile = &service.shared.config.config.profile;
        let mut items = Vec::with_capacity(page.len());
        for id in &page {
            let Some(sealed) = service.shared.store.get(&keys::account(id))? else { continue };
            items.push(match account::open(&sealed) {
                Ok(model) => value!(model.brief(profile)),
                Err(_) => value!({"account": id.to_string(), "state": "damaged"}),
            });
        }
        let next = page.last().filter(|_| more).map(ToString::to_string);
        Ok(AccountList { items, next, total: all.len() })
    });
    json(&list.await?)
}

/// What is learnt of an account, as `model show --json` has it.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`.")),
    responses(
        (status = 200, description = "The account.", body = Object),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (model, _) = model_of(&service, &caller, &id).await?;
    let shared = service.shared.clone();
    json(&blocking(move || detail(&shared, &model)).await?)
}

fn detail(shared: &Shared, model: &AccountModel) -> Result<Value, Problem> {
    let profile = &shared.config.config.profile;
    let lateness_ms = profile.time.lateness_minutes * MINUTE_MS;
    let state = run::load(shared.store.as_ref(), lateness_ms)?;
    Ok(value!(model.detail(profile, state.priors.before(model.now().day()))))
}

/// The model itself, sealed as in a checkpoint. `ETag` is its SHA-256; `If-None-Match` spares what is
/// known.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/model",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`.")),
    responses(
        (status = 200, description = "The model.", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "It is the one that the asker knows."),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn model(
    id: Path<String>,
    request: HttpRequest,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, sealed) = model_of(&service, &caller, &id).await?;
    let tag = format!("\"{}\"", hex(&Sha256::digest(&sealed)));
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    let known = known.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let mut known = known.map(|v| v.trim().trim_start_matches("W/"));
    if known.any(|v| v == "*" || v == tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, tag)).content_type("application/octet-stream");
    Ok(response.body(sealed))
}

/// A span of hours.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SeriesQuery {
    /// From this hour; the oldest kept unless told.
    from: Option<String>,
    /// Before this hour.
    to: Option<String>,
}

/// One hour. Absent numbers are unknown, and not zero.
#[derive(Debug, Serialize, ToSchema)]
pub struct HourView {
    /// Its start.
    pub hour: String,
    /// `logged`, `silent`, or `no logs`.
    pub status: &'static str,
    /// Bytes returned.
    pub observed: Option<f64>,
    /// 5th, 50th, 95th percentile of what was expected, bytes.
    pub expected: [Option<f64>; 3],
    /// Bytes from which it would have been Low.
    pub low_from: Option<f64>,
}

impl HourView {
    fn of(record: &HourRecord) -> HourView {
        let number = |value: f64| Some(value).filter(|v| v.is_finite());
        let status = hour::status(record);
        HourView {
            hour: Timestamp::of_hour(record.hour).to_string(),
            status,
            observed: number(record.observed).filter(|_| status != "no logs"),
            expected: record.quantiles.map(number),
            low_from: number(record.low_from),
        }
    }
}

/// Hours of an account, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// The account.
    pub account: String,
    /// Its hours; 28 days are kept.
    pub hours: Vec<HourView>,
}

/// Bytes returned an hour, beside what was expected.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/series",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`."), SeriesQuery),
    responses(
        (status = 200, description = "The hours.", body = Series),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn series(
    id: Path<String>,
    query: Query<SeriesQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let from = moment("from", query.from.as_deref())?.map_or(i64::MIN, Timestamp::hour);
    let to = moment("to", query.to.as_deref())?.map_or(i64::MAX, Timestamp::hour);
    let (model, _) = model_of(&service, &caller, &id).await?;
    let store = Arc::clone(&service.shared.store);
    let series = blocking(move || {
        let hours = ring(store.as_ref(), model.id())?;
        let hours = hours.iter().filter(|r| (from..to).contains(&r.hour)).map(HourView::of);
        Ok(Series { account: model.id().to_string(), hours: hours.collect() })
    });
    json(&series.await?)
}

fn ring(store: &dyn StateStore, id: &AccountId) -> Result<Vec<HourRecord>, Problem> {
    let (prefix, mut hours) = (keys::rings(id), Vec::new());
    store.scan(&prefix, &mut |key, bytes| {
        let day = key.get(prefix.len()..).and_then(|day| day.try_into().ok());
        if let Some(day) = day.map(i64::from_be_bytes) {
            hours.extend(display_ring::read(day, bytes));
        }
        true
    })?;
    hours.sort_by_key(|record| record.hour);
    Ok(hours)
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Happening {
    /// When, event time; of a decision, by the wall clock.
    pub at: String,
    /// `alert`, `decision`, `keys_first_read`, `keys_last_read`.
    pub what: &'static str,
    /// In words.
    pub text: String,
    /// The alert.
    pub alert: Option<String>,
    /// Its severity.
    pub severity: Option<&'static str>,
}

/// What happened to an account: its alerts, what was decided of them, and who reads its keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The account.
    pub account: String,
    /// Newest first.
    pub items: Vec<Happening>,
}

/// What happened to an account, newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/timeline",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`.")),
    responses(
        (status = 200, description = "What happened.", body = Timeline),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn timeline(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (model, _) = model_of(&service, &caller, &id).await?;
    let shared = service.shared.clone();
    let known = blocking(move || Ok((model.id().to_string(), detail(&shared, &model)?))).await?;
    let (account, detail) = known;
    let mut items = of_alerts(&service.shared, &caller, &account);
    for principal in detail["key_principals"].as_array().into_iter().flatten() {
        let text = |name: &str| principal[name].as_str().unwrap_or_default();
        let name = if text("name").is_empty() { text("principal") } else { text("name") };
        for (at, what, verb) in
            [("first_seen", "keys_first_read", "first"), ("last_seen", "keys_last_read", "last")]
        {
            items.push(Happening {
                at: text(at).to_owned(),
                what,
                text: format!("{name} read keys for the {verb} time known"),
                alert: None,
                severity: None,
            });
        }
    }
    items.sort_by(|a, b| (&b.at, b.what, &b.text).cmp(&(&a.at, a.what, &a.text)));
    items.truncate(TIMELINE_MAX);
    json(&Timeline { account, items })
}

fn of_alerts(shared: &Shared, caller: &Caller, account: &str) -> Vec<Happening> {
    let book = shared.book.read();
    let filter = Filter { accounts: vec![account.to_owned()], ..Filter::default() };
    let sees = |account: &str| caller.scope().sees(account);
    let mut items = Vec::new();
    for entry in book.matching(&filter, &sees) {
        let item = AlertItem::now(&book, entry);
        let decisions = entry.decisions.iter().map(|decision| Happening {
            at: decision.at.to_string(),
            what: "decision",
            text: format!("{} by {}", decision.status.as_str(), decision.by),
            alert: Some(item.id.clone()),
            severity: None,
        });
        items.extend(decisions);
        items.push(Happening {
            at: item.opened,
            what: "alert",
            text: item.title,
            alert: Some(item.id),
            severity: Some(item.severity),
        });
    }
    items
}

/// What an account sends, and what that leaves unjudged.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/coverage",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`.")),
    responses(
        (status = 200, description = "As `model coverage --json` has it, and what of it is silent now.", body = Object),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn coverage(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (model, _) = model_of(&service, &caller, &id).await?;
    let shared = service.shared.clone();
    let silences = silences_of(&shared.board.read().silences, model.id());
    let answer = blocking(move || {
        let untaught = untaught::load(shared.store.as_ref(), model.id())?;
        let brief = model.brief(&shared.config.config.profile);
        Ok(value!({
            "account": brief.account,
            "categories": brief.categories,
            "blind": model.blindness(),
            "not_learnt": untaught.lines(),
            "silent": silences,
        }))
    });
    json(&answer.await?)
}

/// An hour.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhyNotQuery {
    /// A time in it.
    at: Option<String>,
}

/// Why an account was silent at a time: what each test saw, and what it lacked.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/why-not",
    tag = "accounts",
    params(("id" = String, Path, description = "`name`, or `cloud/name`."), WhyNotQuery),
    responses(
        (status = 200, description = "As `why-not --json` has it.", body = Object),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn why_not(
    id: Path<String>,
    query: Query<WhyNotQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let at = moment("at", query.at.as_deref())?
        .ok_or_else(|| Problem::field("at", "say which time is asked about"))?;
    let (model, _) = model_of(&service, &caller, &id).await?;
    let shared = service.shared.clone();
    let answer = blocking(move || {
        let store = shared.store.as_ref();
        let record = hour::read(store, model.id(), at.hour())?;
        let untaught = untaught::load(store, model.id())?;
        let asked = Asked { hour: at.hour(), record, untaught: &untaught };
        Ok(hour::answer(&model, &shared.config.config.profile, &asked))
    });
    json(&answer.await?)
}

/// How many accounts the asker sees. Reads the store.
pub(crate) fn seen(service: &Service, caller: &Caller) -> Result<usize, Problem> {
    let names = names(service)?;
    Ok(names.iter().filter(|id| caller.scope().sees(&id.to_string())).count())
}
