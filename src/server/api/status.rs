//! Decisions on alerts.
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::alerts::{self, DecisionView};
use super::fields::{object, text};
use super::{blocking, json, judge};
use crate::alert::book::{Status, Verdict};
use crate::alert::rules::{REASON_CHARS_MAX, Ruling};
use crate::server::decisions::{self, Before, UNDO_MS, Wish};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, body};

/// Longest body of a decision, bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// A decision.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field")]
pub struct DecisionRequest {
    /// Active, InProgress, Resolved or Dismissed.
    status: String,
    /// Why; Dismissed and every verdict ask for it.
    reason: Option<String>,
    /// What it was: malicious, expected or benign.
    verdict: Option<String>,
    /// `once`: the models learn nothing of it. `from now on`: what was held back of it is learnt and
    /// its like is expected; of malicious, it is never learnt. Without it: `once`, and of malicious
    /// `from now on`.
    scope: Option<String>,
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

/// What is wanted, as the body says it.
struct Wanted {
    status: Status,
    reason: String,
    verdict: Option<(Verdict, Ruling)>,
}

fn wanted(fields: &Map<String, Value>) -> Result<Wanted, Problem> {
    let status = text(fields, "status")?.unwrap_or_default();
    let wrong = "not Active, InProgress, Resolved or Dismissed";
    let status = Status::parse(status).ok_or_else(|| Problem::field("status", wrong))?;
    let reason = text(fields, "reason")?.unwrap_or_default().trim().to_owned();
    if reason.chars().count() > REASON_CHARS_MAX {
        let detail = format!("longer than {REASON_CHARS_MAX} characters");
        return Err(Problem::field("reason", detail));
    }
    if status == Status::Dismissed && reason.is_empty() {
        return Err(Problem::field("reason", "Dismissed asks for a reason"));
    }
    let wrong = "not malicious, expected or benign";
    let scope = text(fields, "scope")?;
    let read = |word: &str| -> Result<(Verdict, Ruling), Problem> {
        let word = Verdict::parse(word).ok_or_else(|| Problem::field("verdict", wrong))?;
        Ok((word, judge::ruling(word, scope)?))
    };
    let verdict = text(fields, "verdict")?.map(read).transpose()?;
    if verdict.is_none() && scope.is_some() {
        return Err(Problem::field("scope", "it is of a verdict, and there is none"));
    }
    if verdict.is_some() && reason.is_empty() {
        return Err(Problem::field("reason", "a verdict asks for a reason"));
    }
    Ok(Wanted { status, reason, verdict })
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
    let known = ["status", "reason", "verdict", "scope"];
    let Wanted { status, reason, verdict } = wanted(&object(&body, &known)?)?;
    let (was, said) = {
        let book = service.shared.book.read();
        let entry = book.get(id);
        let said = entry.and_then(|e| e.decisions.last().and_then(|d| d.verdict));
        (entry.map_or(Status::Active, |e| e.status()), said)
    };
    let ruled = match verdict {
        Some((_, ruling)) => Some(judge::rule(&service, &caller, id, (ruling, &reason)).await?),
        None => None,
    };
    let wish = Wish {
        id,
        by: caller.name().to_owned(),
        role: caller.role().as_str(),
        status,
        reason,
        verdict: verdict.map(|(word, _)| word),
        undoes: None,
    };
    let shared = service.shared.clone();
    let decision = blocking(move || decisions::decide(&shared, wish)).await?;
    let now = service.shared.clock.now();
    let before = Before { was, verdict: said, ruled };
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
        status: undoable.before.was,
        reason: "taken back".to_owned(),
        verdict: undoable.before.verdict,
        undoes: Some(undoable.number),
    };
    let shared = service.shared.clone();
    let decision = blocking(move || decisions::decide(&shared, wish)).await?;
    if let Some(ruled) = undoable.before.ruled {
        judge::take_back(&service, &caller, id, ruled).await?;
    }
    let decision = DecisionView::from(&decision);
    json(&Decided { id: id.to_string(), decision, undo: None, undo_until: None })
}
