//! Records are handed over.
use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::blocking;
use crate::limits::INBOX_BATCH_BYTES_MAX;
use crate::server::Service;
use crate::server::body::{self, Packing};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::tokens::Role;
use crate::source::count;
use crate::source::inbox::{Inbox, InboxError};

/// A batch that was taken: it is on the disk.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Records in it, by their structure.
    pub accepted: u64,
    /// What in it is no record, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Where the batch lies in the inbox.
    pub mark: MarkView,
}

/// A place in the inbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarkView {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in it, bytes.
    pub offset: u64,
}

/// Seconds after which a full inbox may have room.
const FULL_SECONDS: u64 = 5;

/// Hands over records: a JSON array, `{"records": […]}`, JSON lines, or one object; plain, gzip or
/// zstd. Answered when the batch is durable. A batch that was not answered with 202 may be sent again.
#[utoipa::path(
    post,
    path = "/v1/events",
    tag = "records",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses(
        (status = 202, description = "The batch is on the disk.", body = Accepted),
        (status = "default", description = "Refused; nothing of it is kept.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post(
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must(Role::Sender)?;
    caller.whole_fleet()?;
    let Some(inbox) = service.shared.inbox.clone() else {
        // The demo lives in a time of its own: what comes from outside would be years off.
        let detail = "the demo takes no records; start `cosmoguard serve --data-dir DIR` without --demo and send them there";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let packing = Packing::of(&request)?;
    let Ok(_room) = service.unpacking.try_acquire() else {
        let detail = "too many batches at a time; send it again";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry(1));
    };
    let body = body::read(&request, payload, INBOX_BATCH_BYTES_MAX).await?;
    let accepted = blocking(move || take(&inbox, body, packing)).await?;
    let bytes = serde_json::to_vec(&accepted).map_err(anyhow::Error::from)?;
    Ok(HttpResponse::Accepted().content_type("application/json").body(bytes))
}

fn take(inbox: &Inbox, body: Vec<u8>, packing: Packing) -> Result<Accepted, Problem> {
    let batch = body::unpack(body, packing, INBOX_BATCH_BYTES_MAX)?;
    let counted = count::count(&batch);
    if counted.records == 0 {
        let reasons: Vec<String> =
            counted.refused.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let found = if reasons.is_empty() { "it is empty".to_owned() } else { reasons.join(", ") };
        return Err(Problem::field("body", format!("there is no record in it: {found}")));
    }
    let mark = inbox.submit(batch).map_err(refusal)?;
    Ok(Accepted {
        accepted: counted.records,
        refused: counted.refused,
        mark: MarkView { segment: mark.segment, offset: mark.offset },
    })
}

fn refusal(error: InboxError) -> Problem {
    let detail = error.to_string();
    match error {
        InboxError::Full { .. } => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry(FULL_SECONDS)
        }
        InboxError::TooLong { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
        InboxError::Empty => Problem::field("body", detail),
        _ => {
            crate::telemetry::RequestFailed { cause: &detail }.emit();
            let told = "the batch cannot be written to the disk and is not kept; send it again";
            Problem::unavailable(told).retry(30)
        }
    }
}
