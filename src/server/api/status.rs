//! Decisions on alerts.
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::alerts::{self, DecisionView};
use super::{blocking, json};
use crate::alert::book::{Status, Verdict};
use crate::server::decisions::{self, UNDO_MS, Wish};
use crate::server::gate::Caller;
use crate::server::problem::{FieldError, Problem};
use crate::server::{Service, body};

/// Longest body of a decision, bytes.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Longest reason, bytes.
const REASON_BYTES_MAX: usize = 2000;

/// A decision.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct DecisionRequest {
    /// Active, InProgress, Resolved or Dismissed.
    status: String,
    /// Why; Dismissed asks for it.
    reason: Option<String>,
    /// What it was: malicious, expected or benign.
    verdict: Option<String>,
}

/// Takes a decision back.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct UndoRequest {
    /// The word that came with the decision.
    undo: String,
}

/// A decision that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    /// The alert.
    pub id: String,
    /// The decision.
    pub decision: DecisionView,
    /// Takes it back; absent if it took back another.
    pub undo: Option<String>,
    /// Until when.
    pub undo_until: Option<String>,
}

/// The fields of a JSON object, each of them known.
fn object(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let wrong = |message: String| Problem::field("body", message);
    let value: Value = serde_json::from_slice(body).map_err(|e| wrong(format!("not JSON: {e}")))?;
    let Value::Object(fields) = value else { return Err(wrong("not a JSON object".into())) };
    let unknown: Vec<FieldError> = fields
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| FieldError {
            field: super::shown(name),
            message: format!("not known; known are {}", known.join(", ")),
        })
        .collect();
    let Some(first) = unknown.first() else { return Ok(fields) };
    let mut problem = Problem::field(&first.field, first.message.clone());
    problem.errors = unknown;
    Err(problem)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::field(name, "not a text")),
    }
}

fn wish(fields: &Map<String, Value>) -> Result<(Status, String, Option<Verdict>), Problem> {
    let status = text(fields, "status")?.unwrap_or_default();
    let wrong = "not Active, InProgress, Resolved or Dismissed";
    let status = Status::parse(status).ok_or_else(|| Problem::field("status", wrong))?;
    let reason = text(fields, "reason")?.unwrap_or_default().trim().to_owned();
    if reason.len() > REASON_BYTES_MAX {
        let detail = format!("longer than {REASON_BYTES_MAX} bytes");
        return Err(Problem::field("reason", detail));
    }
    if status == Status::Dismissed && reason.is_empty() {
        return Err(Problem::field("reason", "Dismissed asks for a reason"));
    }
    let wrong = "not malicious, expected or benign";
    let verdict = text(fields, "verdict")?
        .map(|word| Verdict::parse(word).ok_or_else(|| Problem::field("verdict", wrong)))
        .transpose()?;
    Ok((status, reason, verdict))
}

/// Says where an alert stands. Can be taken back for ten minutes.
#[utoipa::path(
    post,
    path = "/v1/alerts/{id}/status",
    tag = "alerts",
    params(("id" = String, Path, description = "The alert's id, or its first digits.")),
    request_body = DecisionRequest,
    responses(
        (status = 200, description = "The decision, in the audit log.", body = Decided),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = alerts::find(&service.shared, &caller, &id)?;
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let (status, reason, verdict) = wish(&object(&body, &["status", "reason", "verdict"])?)?;
    let before = {
        let book = service.shared.book.read();
        let entry = book.get(id);
        let said = entry.and_then(|e| e.decisions.last().and_then(|d| d.verdict));
        (entry.map_or(Status::Active, |e| e.status()), said)
    };
    let wish = Wish {
        id,
        by: caller.name().to_owned(),
        role: caller.role().as_str(),
        status,
        reason,
        verdict,
        undoes: None,
    };
    let shared = service.shared.clone();
    let decision = blocking(move || decisions::decide(&shared, wish)).await?;
    let now = service.shared.clock.now();
    let undo = service.undo.word((id, decision.number), before, now)?;
    json(&Decided {
        id: id.to_string(),
        decision: DecisionView::from(&decision),
        undo: Some(undo),
        undo_until: Some(now.plus_ms(UNDO_MS).to_string()),
    })
}

/// Takes a decision back.
#[utoipa::path(
    post,
    path = "/v1/alerts/{id}/status:undo",
    tag = "alerts",
    params(("id" = String, Path, description = "The alert's id, or its first digits.")),
    request_body = UndoRequest,
    responses(
        (status = 200, description = "The alert stands where it stood.", body = Decided),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn undo(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = alerts::find(&service.shared, &caller, &id)?;
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let fields = object(&body, &["undo"])?;
    let word = text(&fields, "undo")?.unwrap_or_default();
    let undoable = service.undo.take(word, id, service.shared.clock.now()).ok_or_else(|| {
        Problem::field(
            "undo",
            "it takes nothing back: it is unknown, used, or older than ten minutes",
        )
    })?;
    let wish = Wish {
        id,
        by: caller.name().to_owned(),
        role: caller.role().as_str(),
        status: undoable.was,
        reason: "taken back".to_owned(),
        verdict: undoable.verdict,
        undoes: Some(undoable.number),
    };
    let shared = service.shared.clone();
    let decision = blocking(move || decisions::decide(&shared, wish)).await?;
    let decision = DecisionView::from(&decision);
    json(&Decided { id: id.to_string(), decision, undo: None, undo_until: None })
}
