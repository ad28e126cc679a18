//! Alerts are listed and told.
use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{blocking, json, limit, moment, shown};
use crate::alert::AlertId;
use crate::alert::book::{
    self, AlertBook, Cursor, Decision, Entry, Filter, Found, Order, Revision, Status,
};
use crate::detect::Severity;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, Shared};
use crate::store::keys;

/// Longest text that is looked for.
const TEXT_MAX: usize = 200;

/// What a list is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Accounts, with commas between.
    account: Option<String>,
    /// `alertType`s, with commas between.
    kind: Option<String>,
    /// Low, Medium, High, with commas between.
    severity: Option<String>,
    /// Active, InProgress, Resolved, Dismissed, with commas between.
    status: Option<String>,
    /// Name or object id of a principal.
    principal: Option<String>,
    /// The caller's address.
    ip: Option<String>,
    /// What alerts of one story share.
    story: Option<String>,
    /// Opened at or after this.
    from: Option<String>,
    /// Opened before this.
    to: Option<String>,
    /// Text in title, account or principal.
    q: Option<String>,
    /// `time`: opened last first; `rank`: gravest first.
    order: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items, at most 200; 50 unless told.
    limit: Option<String>,
}

fn list_of<T>(
    field: &'static str,
    text: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    known: &str,
) -> Result<Vec<T>, Problem> {
    let words = text.into_iter().flat_map(|text| text.split(',')).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let wrong = || Problem::field(field, format!("`{}` is none of {known}", shown(word)));
            read(word.trim()).ok_or_else(wrong)
        })
        .collect()
}

impl AlertQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let accounts = |word: &str| Some(super::account_id(word).to_string());
        let text = self.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
        if text.is_some_and(|text| text.len() > TEXT_MAX) {
            return Err(Problem::field("q", format!("longer than {TEXT_MAX} bytes")));
        }
        let ip = self
            .ip
            .as_deref()
            .map(|ip| ip.parse().map_err(|_| Problem::field("ip", "not an address")));
        let severities = "Low, Medium, High";
        let statuses = "Active, InProgress, Resolved, Dismissed";
        Ok(Filter {
            accounts: list_of("account", self.account.as_deref(), accounts, "the accounts")?,
            kinds: list_of("kind", self.kind.as_deref(), |w| Some(w.to_owned()), "the kinds")?,
            severities: list_of("severity", self.severity.as_deref(), Severity::parse, severities)?,
            statuses: list_of("status", self.status.as_deref(), Status::parse, statuses)?,
            principal: self.principal.clone(),
            ip: ip.transpose()?,
            story: self.story.clone(),
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            text: text.map(str::to_owned),
        })
    }

    fn order(&self) -> Result<Order, Problem> {
        match self.order.as_deref() {
            None | Some("time") => Ok(Order::Time),
            Some("rank") => Ok(Order::Rank),
            Some(_) => Err(Problem::field("order", "not `time` or `rank`")),
        }
    }

    fn cursor(&self, order: Order) -> Result<Option<Cursor>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let cursor = Cursor::parse(text)
            .ok_or_else(|| Problem::field("cursor", "not the `next` of a page"))?;
        if self.order.is_some() && cursor.order() != order {
            return Err(Problem::field("cursor", "it is of a page in another order"));
        }
        Ok(Some(cursor))
    }
}

/// One alert of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertItem {
    /// 32 hexadecimal digits.
    pub id: String,
    /// 1 at opening, one more at each rise of severity.
    pub revision: usize,
    /// `alertType`.
    pub kind: String,
    /// Title for people.
    pub title: String,
    /// What happened, in a sentence.
    pub why: String,
    /// The account it is filed under; `cloud/name` outside the public cloud.
    pub account: String,
    /// All accounts that it names.
    pub accounts: Vec<String>,
    /// Low, Medium or High.
    pub severity: &'static str,
    /// The severity follows a rule and no rarity.
    pub by_rule: bool,
    /// Where it stands.
    pub status: &'static str,
    /// False alerts like this that an innocent account brings a day.
    pub per_day: Option<f64>,
    /// When it was opened, event time.
    pub opened: String,
    /// When the newest line was generated, event time.
    pub updated: String,
    /// First moment that it speaks of.
    pub start: String,
    /// Last one.
    pub end: String,
    /// Name of the principal.
    pub principal: Option<String>,
    /// Its object id.
    pub principal_id: Option<String>,
    /// The caller's address.
    pub ip: Option<String>,
    /// What alerts of one story share.
    pub story: String,
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl AlertItem {
    /// `entry` as its line `revision` has it.
    pub(crate) fn of(book: &AlertBook, entry: &Entry, revision: Revision) -> AlertItem {
        let number = entry.revisions.iter().filter(|r| r.number <= revision.number).count();
        AlertItem {
            id: entry.id.to_string(),
            revision: number,
            kind: book.kind(entry).to_owned(),
            title: book.title(entry).to_owned(),
            why: entry.why.to_string(),
            account: book.account(entry).to_owned(),
            accounts: book.accounts_of(entry).map(str::to_owned).collect(),
            severity: revision.severity.as_str(),
            by_rule: entry.by_rule,
            status: entry.status().as_str(),
            per_day: Some(revision.per_day).filter(|p| p.is_finite()),
            opened: entry.first().at.to_string(),
            updated: revision.at.to_string(),
            start: entry.start.to_string(),
            end: entry.end.to_string(),
            principal: given(book.principal(entry)),
            principal_id: given(book.principal_id(entry)),
            ip: entry.ip.map(|ip| ip.to_string()),
            story: book.story(entry).to_owned(),
        }
    }
    /// As it is now.
    pub(crate) fn now(book: &AlertBook, entry: &Entry) -> AlertItem {
        AlertItem::of(book, entry, entry.newest())
    }
}

/// How many have a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FacetCount {
    /// The value.
    pub value: String,
    /// Alerts of the list that have it.
    pub count: u64,
}

/// Counts over the whole list.
#[derive(Debug, Serialize, ToSchema)]
pub struct FacetsView {
    /// By `alertType`.
    pub kind: Vec<FacetCount>,
    /// By severity.
    pub severity: Vec<FacetCount>,
    /// By status.
    pub status: Vec<FacetCount>,
    /// The accounts that most alerts name; one alert may name several.
    pub account: Vec<FacetCount>,
}

fn counts(pairs: impl IntoIterator<Item = (String, u64)>) -> Vec<FacetCount> {
    pairs.into_iter().map(|(value, count)| FacetCount { value, count }).collect()
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertList {
    /// The alerts.
    pub items: Vec<AlertItem>,
    /// `cursor` of the next page; absent at the end.
    pub next: Option<String>,
    /// Alerts of the whole list.
    pub total: usize,
    /// Counts over the whole list.
    pub facets: FacetsView,
    /// Alert lines that the page knows of; later ones are not on it, nor on the pages behind it.
    pub as_of: u64,
}

/// Lists alerts. Pages do not move while new alerts come.
#[utoipa::path(
    get,
    path = "/v1/alerts",
    tag = "alerts",
    params(AlertQuery),
    responses(
        (status = 200, description = "A page.", body = AlertList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    query: Query<AlertQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let filter = query.filter()?;
    let order = query.order()?;
    let (cursor, limit) = (query.cursor(order)?, limit(query.limit.as_deref())?);
    let book = service.shared.book.read();
    let sees = |account: &str| caller.scope().sees(account);
    let page = book.page(&book::Query { filter: &filter, order, cursor, limit, sees: &sees });
    let severities = [Severity::Low, Severity::Medium, Severity::High].map(Severity::as_str);
    let statuses = Status::ALL.map(Status::as_str);
    let named = |names: &[&str], counts: &[u64]| -> Vec<(String, u64)> {
        names.iter().zip(counts).map(|(name, n)| ((*name).to_owned(), *n)).collect()
    };
    let list = AlertList {
        items: page.items.iter().map(|i| AlertItem::of(&book, i.entry, i.revision)).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
        total: page.total,
        facets: FacetsView {
            kind: counts(page.facets.kinds),
            severity: counts(named(&severities, &page.facets.severities)),
            status: counts(named(&statuses, &page.facets.statuses)),
            account: counts(page.facets.accounts),
        },
        as_of: page.as_of,
    };
    json(&list)
}

/// One line of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionView {
    /// 1 at opening.
    pub revision: usize,
    /// Number of its line.
    pub line: u64,
    /// When it was generated, event time.
    pub at: String,
    /// Its severity.
    pub severity: &'static str,
    /// False alerts like this that an innocent account brings a day.
    pub per_day: Option<f64>,
}

/// One decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// Number of its entry in the audit log.
    pub number: u64,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// Where the alert stands from then on.
    pub status: &'static str,
    /// Why.
    pub reason: String,
    /// What it was.
    pub verdict: Option<&'static str>,
    /// It takes the decision of that number back.
    pub undoes: Option<u64>,
}

impl From<&Decision> for DecisionView {
    fn from(decision: &Decision) -> DecisionView {
        DecisionView {
            number: decision.number,
            at: decision.at.to_string(),
            by: decision.by.clone(),
            status: decision.status.as_str(),
            reason: decision.reason.clone(),
            verdict: decision.verdict.map(|verdict| verdict.as_str()),
            undoes: decision.undoes,
        }
    }
}

/// An alert with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertDetail {
    /// As lists have it.
    pub summary: AlertItem,
    /// The newest line, in Defender's shape, with the status of now.
    #[schema(value_type = Object)]
    pub alert: Value,
    /// Its lines, first to newest.
    pub revisions: Vec<RevisionView>,
    /// What people decided, first to newest.
    pub history: Vec<DecisionView>,
}

/// The alert that a path names.
pub(crate) fn find(shared: &Shared, caller: &Caller, id: &str) -> Result<AlertId, Problem> {
    let sees = |account: &str| caller.scope().sees(account);
    match shared.book.read().find(id, &sees) {
        Found::One(id) => Ok(id),
        Found::None => {
            let least = book::PREFIX_MIN;
            Err(Problem::not_found(format!(
                "no alert `{}`; give an id, or at least {least} of its first digits",
                shown(id)
            )))
        }
        Found::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(AlertId::to_string).collect();
            let detail = format!("several alerts begin so: {}; give more digits", ids.join(", "));
            Err(Problem::field("id", detail))
        }
    }
}

/// The newest line of an alert.
pub(crate) async fn line(service: &Data<Service>, number: u64) -> Result<Value, Problem> {
    let store = std::sync::Arc::clone(&service.shared.store);
    blocking(move || {
        let line = store.get(&keys::alert(number))?.unwrap_or_default();
        Ok(serde_json::from_slice(&line).map_err(anyhow::Error::from)?)
    })
    .await
}

/// Tells one alert. The id may be its first digits, at least four, if no other alert begins so.
#[utoipa::path(
    get,
    path = "/v1/alerts/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The alert's id, or its first digits.")),
    responses(
        (status = 200, description = "The alert.", body = AlertDetail),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = find(&service.shared, &caller, &id)?;
    let gone = || Problem::not_found("the alert is gone");
    let (summary, revisions, history, number) = {
        let book = service.shared.book.read();
        let entry = book.get(id).ok_or_else(gone)?;
        let revisions = entry.revisions.iter().zip(1..).map(|(r, n)| RevisionView {
            revision: n,
            line: r.number,
            at: r.at.to_string(),
            severity: r.severity.as_str(),
            per_day: Some(r.per_day).filter(|p| p.is_finite()),
        });
        let history: Vec<DecisionView> = entry.decisions.iter().map(DecisionView::from).collect();
        (AlertItem::now(&book, entry), revisions.collect(), history, entry.newest().number)
    };
    let mut alert = line(&service, number).await?;
    if let Some(status) = alert.pointer_mut("/properties/status") {
        *status = Value::from(summary.status);
    }
    json(&AlertDetail { summary, alert, revisions, history })
}

/// What an alert rests on, as it was when it was judged.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// The alert.
    pub id: String,
    /// What happened.
    pub verdict: String,
    /// How rare that is.
    pub rarity: String,
    /// Why this severity, and not the next one.
    pub reason: String,
    /// What would have kept it silent.
    pub silent: String,
    /// What to find out next.
    pub check_next: Vec<String>,
    /// Numbers: hours with their bands and thresholds, the story, operations.
    #[schema(value_type = Object)]
    pub frozen: Value,
    /// The observation beside the baseline that it broke.
    #[schema(value_type = Object)]
    pub table: Value,
}

/// The evidence that is frozen in an alert.
#[utoipa::path(
    get,
    path = "/v1/alerts/{id}/evidence",
    tag = "alerts",
    params(("id" = String, Path, description = "The alert's id, or its first digits.")),
    responses(
        (status = 200, description = "The evidence.", body = EvidenceView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn evidence(
    id: Path<String>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = find(&service.shared, &caller, &id)?;
    let number = service.shared.book.read().get(id).map(|entry| entry.newest().number);
    let alert = line(&service, number.unwrap_or_default()).await?;
    let text = |name: &str| {
        let value = alert.pointer("/properties/extendedProperties").and_then(|e| e.get(name));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let next = text("Check next");
    json(&EvidenceView {
        id: id.to_string(),
        verdict: text("Verdict"),
        rarity: text("Rarity"),
        reason: text("Severity reason"),
        silent: text("Silent"),
        check_next: next.split("; ").filter(|p| !p.is_empty()).map(str::to_owned).collect(),
        frozen: serde_json::from_str(&text("Evidence")).unwrap_or_default(),
        table: alert.pointer("/properties/supportingEvidence").cloned().unwrap_or_default(),
    })
}
