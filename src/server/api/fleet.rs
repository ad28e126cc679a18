//! What many alerts say together.
use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::AlertItem;
use super::{json, limit, moment, shown};
use crate::alert::book::{self, AlertBook, Filter, HeatBy};
use crate::detect::Severity;
use crate::server::Service;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::severity;
use crate::time::{DAY_MS, Timestamp};

/// Alerts named of a principal or a caller.
const ALERTS_MAX: usize = 100;
/// Longest span of the heat.
const HEAT_DAYS_MAX: i64 = 366;
/// Rows of the heat, unless told otherwise.
const HEAT_ROWS: usize = 12;

/// Alerts of one principal or caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Named {
    /// Who.
    pub name: String,
    /// Alerts that name them.
    pub total: usize,
    /// Of these, not done with.
    pub open: usize,
    /// Accounts named together with them.
    pub accounts: Vec<String>,
    /// Their addresses, or the principals behind the address.
    pub with: Vec<String>,
    /// First moment.
    pub first: String,
    /// Last one.
    pub last: String,
    /// The newest alerts; not more than a hundred.
    pub alerts: Vec<AlertItem>,
}

fn named(
    book: &AlertBook,
    filter: &Filter,
    caller: &Caller,
    name: &str,
    with: impl Fn(&book::Entry) -> Option<String>,
) -> Option<Named> {
    let sees = |account: &str| caller.scope().sees(account);
    let mut entries: Vec<&book::Entry> = book.matching(filter, &sees).collect();
    entries.sort_by_key(|e| std::cmp::Reverse((e.first().at, e.first().number)));
    let sorted = |texts: &mut Vec<String>| {
        texts.sort();
        texts.dedup();
    };
    let mut accounts: Vec<String> =
        entries.iter().flat_map(|e| book.accounts_of(e)).map(str::to_owned).collect();
    let mut others: Vec<String> = entries.iter().filter_map(|e| with(e)).collect();
    sorted(&mut accounts);
    sorted(&mut others);
    Some(Named {
        name: name.to_owned(),
        total: entries.len(),
        open: entries.iter().filter(|e| e.is_open()).count(),
        accounts,
        with: others,
        first: entries.iter().map(|e| e.start).min()?.to_string(),
        last: entries.iter().map(|e| e.end).max()?.to_string(),
        alerts: entries.iter().take(ALERTS_MAX).map(|e| AlertItem::now(book, e)).collect(),
    })
}

/// The alerts of a principal, by name or object id.
#[utoipa::path(
    get,
    path = "/v1/principals/{id}",
    tag = "fleet",
    params(("id" = String, Path, description = "Name or object id.")),
    responses(
        (status = 200, description = "The principal.", body = Named),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn principal(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let book = service.shared.book.read();
    let filter = Filter { principal: Some(id.as_str().to_owned()), ..Filter::default() };
    let found = (!id.is_empty())
        .then(|| named(&book, &filter, &caller, &id, |e| e.ip.map(|ip| ip.to_string())))
        .flatten();
    let none = || Problem::not_found(format!("no alert names the principal `{}`", shown(&id)));
    json(&found.ok_or_else(none)?)
}

/// The alerts of a caller's address.
#[utoipa::path(
    get,
    path = "/v1/callers/{ip}",
    tag = "fleet",
    params(("ip" = String, Path, description = "An address.")),
    responses(
        (status = 200, description = "The caller.", body = Named),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn caller(
    ip: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let address: IpAddr = ip.parse().map_err(|_| Problem::field("ip", "not an address"))?;
    let book = service.shared.book.read();
    let filter = Filter { ip: Some(address), ..Filter::default() };
    let with = |e: &book::Entry| Some(book.principal(e).to_owned()).filter(|p| !p.is_empty());
    let found = named(&book, &filter, &caller, &address.to_string(), with);
    json(&found.ok_or_else(|| Problem::not_found(format!("no alert names {address}")))?)
}

/// What the heat is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HeatQuery {
    /// From here; a day before `to` unless told.
    from: Option<String>,
    /// Up to here; the newest alert unless told.
    to: Option<String>,
    /// `account`, `kind` or `principal`.
    by: Option<String>,
    /// Most rows; 12 unless told.
    limit: Option<String>,
}

/// A cell with alerts in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatCell {
    /// Alerts.
    pub alerts: u64,
    /// The gravest one's severity.
    pub severity: &'static str,
    /// The rarest one's rate on an innocent account, a day.
    pub per_day: Option<f64>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatLine {
    /// What.
    pub name: String,
    /// Alerts in it.
    pub alerts: u64,
    /// A cell a column; absent without alerts.
    pub cells: Vec<Option<HeatCell>>,
}

/// Where and when it was odd.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatView {
    /// Start of the first column.
    pub from: String,
    /// Seconds a column.
    pub step_seconds: i64,
    /// Columns.
    pub columns: usize,
    /// Rows, the gravest first.
    pub rows: Vec<HeatLine>,
    /// Rows that the limit left out.
    pub left_out: usize,
}

fn newest(book: &AlertBook) -> Timestamp {
    book.entries().iter().map(|e| e.newest().at).max().unwrap_or_default()
}

/// Alerts by row and time, at most 28 columns.
#[utoipa::path(
    get,
    path = "/v1/fleet/heat",
    tag = "fleet",
    params(HeatQuery),
    responses(
        (status = 200, description = "The rows.", body = HeatView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn heat(
    query: Query<HeatQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let by = match query.by.as_deref() {
        None | Some("account") => HeatBy::Account,
        Some("kind") => HeatBy::Kind,
        Some("principal") => HeatBy::Principal,
        Some(_) => return Err(Problem::field("by", "not account, kind or principal")),
    };
    let rows = match query.limit.as_deref() {
        None => HEAT_ROWS,
        given => limit(given)?,
    };
    let book = service.shared.book.read();
    let to = moment("to", query.to.as_deref())?.unwrap_or_else(|| newest(&book).plus_ms(1));
    let from = moment("from", query.from.as_deref())?.unwrap_or_else(|| to.plus_ms(-DAY_MS));
    if from >= to || to.since(from) > HEAT_DAYS_MAX * DAY_MS {
        let wrong = format!("from lies before to, by at most {HEAT_DAYS_MAX} days");
        return Err(Problem::field("from", wrong));
    }
    let sees = |account: &str| caller.scope().sees(account);
    let heat = book.heat((from, to), by, rows, &sees);
    let cell = |(alerts, severity, rarest): (u64, Severity, f64)| HeatCell {
        alerts,
        severity: severity.as_str(),
        per_day: Some(rarest).filter(|p| p.is_finite()),
    };
    let rows = heat.rows.into_iter().map(|row| HeatLine {
        name: row.name,
        alerts: row.alerts,
        cells: row.cells.into_iter().map(|c| c.map(cell)).collect(),
    });
    json(&HeatView {
        from: heat.from.to_string(),
        step_seconds: heat.step_ms / 1000,
        columns: heat.columns,
        rows: rows.collect(),
        left_out: heat.left_out,
    })
}

/// A span and a number.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CallersQuery {
    /// Alerts opened at or after this.
    from: Option<String>,
    /// Alerts opened before this.
    to: Option<String>,
    /// Most items, at most 200; 50 unless told.
    limit: Option<String>,
}

/// A caller's address.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallerView {
    /// The address.
    pub ip: String,
    /// Alerts that name it.
    pub alerts: u64,
    /// Of these, not done with.
    pub open: u64,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Highest severity.
    pub severity: &'static str,
    /// First moment.
    pub first: String,
    /// Last one.
    pub last: String,
}

/// Callers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallerList {
    /// The gravest first.
    pub items: Vec<CallerView>,
    /// How many there are.
    pub total: usize,
}

/// Addresses that alerts name, the gravest first.
#[utoipa::path(
    get,
    path = "/v1/fleet/callers",
    tag = "fleet",
    params(CallersQuery),
    responses(
        (status = 200, description = "The callers.", body = CallerList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn callers(
    query: Query<CallersQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let filter = Filter {
        from: moment("from", query.from.as_deref())?,
        to: moment("to", query.to.as_deref())?,
        ..Filter::default()
    };
    let sees = |account: &str| caller.scope().sees(account);
    let callers = service.shared.book.read().callers(&filter, &sees);
    let total = callers.len();
    let items = callers.into_iter().take(limit).map(|c| CallerView {
        ip: c.ip.to_string(),
        alerts: c.alerts,
        open: c.open,
        accounts: c.accounts,
        severity: c.severity.as_str(),
        first: c.first.to_string(),
        last: c.last.to_string(),
    });
    json(&CallerList { items: items.collect(), total })
}

/// Which stories.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StoryQuery {
    /// `true`: only those with an alert that is not done with.
    open: Option<String>,
    /// Most items, at most 200; 50 unless told.
    limit: Option<String>,
}

/// Alerts of one principal, or of one caller on one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoryView {
    /// What its alerts share.
    pub story: String,
    /// Highest severity.
    pub severity: &'static str,
    /// Accounts.
    pub accounts: Vec<String>,
    /// First moment.
    pub start: String,
    /// Last one.
    pub end: String,
    /// Alerts that are not done with.
    pub open: usize,
    /// Its alerts, first opened first; not more than a hundred.
    pub alerts: Vec<AlertItem>,
    /// How many it has.
    pub total: usize,
}

/// Stories.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoryList {
    /// The gravest first.
    pub items: Vec<StoryView>,
}

/// Alerts that belong together, the gravest story first.
#[utoipa::path(
    get,
    path = "/v1/stories",
    tag = "fleet",
    params(StoryQuery),
    responses(
        (status = 200, description = "The stories.", body = StoryList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stories(
    query: Query<StoryQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let open = match query.open.as_deref() {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(_) => return Err(Problem::field("open", "not true or false")),
    };
    let limit = limit(query.limit.as_deref())?;
    let book = service.shared.book.read();
    let sees = |account: &str| caller.scope().sees(account);
    let items = book.stories(open, limit, &sees).into_iter().map(|story| StoryView {
        severity: story.severity.as_str(),
        start: story.start.to_string(),
        end: story.end.to_string(),
        open: story.open,
        total: story.alerts.len(),
        alerts: story
            .alerts
            .iter()
            .take(ALERTS_MAX)
            .filter_map(|id| Some(AlertItem::now(&book, book.get(*id)?)))
            .collect(),
        story: story.key,
        accounts: story.accounts,
    });
    json(&StoryList { items: items.collect() })
}

/// What innocent life brings at most, and what came.
#[derive(Debug, Serialize, ToSchema)]
pub struct Budget {
    /// Accounts that count.
    pub accounts: usize,
    /// Days that are looked at, up to the newest event.
    pub days: i64,
    /// Alerts that innocent life brings at most in that time: Low, Medium, High.
    pub allowed: [f64; 3],
    /// Alerts that were opened in that time.
    pub opened: [u64; 3],
    /// Of these, by rule and not by rarity.
    pub by_rule: [u64; 3],
    /// What they were nominally expected to number: the sum of their rates.
    pub nominal: f64,
}

/// Days of the budget.
const BUDGET_DAYS: i64 = 7;

/// The budgets of false alerts, and what was opened in the last seven days.
#[utoipa::path(
    get,
    path = "/v1/budget",
    tag = "fleet",
    responses(
        (status = 200, description = "The budget.", body = Budget),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn budget(
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let known = service.shared.board.read();
    let scoped = service.clone();
    let asker = caller.clone();
    let accounts = super::blocking(move || super::accounts::seen(&scoped, &asker)).await?;
    let book = service.shared.book.read();
    let to = known.newest.unwrap_or_else(|| newest(&book));
    let from = to.plus_ms(-BUDGET_DAYS * DAY_MS);
    let filter = Filter { from: Some(from), ..Filter::default() };
    let sees = |account: &str| caller.scope().sees(account);
    let (mut opened, mut by_rule, mut nominal) = ([0; 3], [0; 3], 0.0);
    for entry in book.matching(&filter, &sees) {
        let at = entry.newest().severity as usize;
        opened[at] += 1;
        by_rule[at] += u64::from(entry.by_rule);
        nominal += Some(entry.newest().per_day).filter(|p| p.is_finite()).unwrap_or(0.0);
    }
    let days = accounts as f64 * BUDGET_DAYS as f64;
    let profile = &service.shared.config.config.profile.severity;
    let allowed = severity::expected_false_alerts(profile, days);
    json(&Budget { accounts, days: BUDGET_DAYS, allowed, opened, by_rule, nominal })
}
