//! What the API says when it refuses: `application/problem+json` (RFC 9457), naming the field.
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::live::ask::Gone;
use crate::store::StoreError;

/// Media type of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The parameter or the field of the body.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says it all.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Name of the status.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What went wrong, and what to do.
    pub detail: String,
    /// The fields that are wrong, where it was a field.
    pub errors: Vec<FieldError>,
    /// Seconds to wait, where waiting helps.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A refusal with `status`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }
    /// 400 for one field.
    pub fn field(field: &str, message: impl Into<String>) -> Problem {
        let message = message.into();
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, format!("`{field}`: {message}"));
        problem.errors.push(FieldError { field: field.to_owned(), message });
        problem
    }
    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, detail)
    }
    /// To be tried again after so many seconds.
    #[must_use]
    pub fn retry(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }
    /// 503: not the asker's fault, and over soon.
    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry(5)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"cosmoguard\""));
        }
        response.body(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl From<Gone> for Problem {
    fn from(gone: Gone) -> Problem {
        Problem::unavailable(gone.to_string())
    }
}

/// The store's own words name places of the machine: they are for its log, not for the asker.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        crate::telemetry::RequestFailed { cause: &error.to_string() }.emit();
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the store does not answer; the service's log says why",
        )
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        crate::telemetry::RequestFailed { cause: &format!("{error:#}") }.emit();
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this could not be done; the service's log says why",
        )
    }
}
