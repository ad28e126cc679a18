//! Log Analytics through the Logs Ingestion API: rows of the `SecurityAlert` shape, in batches.
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use super::super::http::Http;
use super::super::notice::Notice;
use super::super::say;
use super::super::secret::Secret;
use super::super::settings::LogAnalyticsTarget;
use super::super::{SendError, Sent, Sink, Takes};
use crate::alert::formats::Format;
use crate::time::Timestamp;

/// Largest batch, bytes before compression: the API takes 1 MB.
const BATCH_BYTES_MAX: usize = 1_000_000;
/// Rows of one batch.
const ROWS_MAX: usize = 500;
/// A token is renewed this long before it ends, milliseconds.
const RENEW_MS: i64 = 5 * 60_000;
/// Version of the API.
const API_VERSION: &str = "2023-01-01";

/// A data collection rule.
pub struct Rows {
    http: Http,
    target: LogAnalyticsTarget,
    /// A token that was asked for, and when it must be renewed.
    token: Option<(Secret, Timestamp)>,
}

/// What the login endpoint answers.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: i64,
}

impl Rows {
    /// The sink that `target` describes.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(target: &LogAnalyticsTarget, timeout: u32) -> Result<Rows, String> {
        let http = Http::new(timeout, target.allow_private, target.ca_file.as_deref())?;
        Ok(Rows { http, target: target.clone(), token: None })
    }

    fn token(&mut self, now: Timestamp) -> Result<Secret, SendError> {
        if let Some(reference) = &self.target.token {
            return reference.read().map_err(SendError::later);
        }
        if let Some((token, until)) = &self.token
            && now < *until
        {
            return Ok(token.clone());
        }
        let (token, seconds) = self.granted()?;
        let until = now.plus_ms(seconds.clamp(0, 86_400) * 1000 - RENEW_MS);
        self.token = Some((token.clone(), until));
        Ok(token)
    }

    /// Asks for a token with the application's secret (OAuth 2.0 client credentials).
    fn granted(&self) -> Result<(Secret, i64), SendError> {
        let t = &self.target;
        let secret =
            t.client_secret.as_ref().ok_or_else(|| SendError::later("no secret is set"))?;
        let secret = secret.read().map_err(SendError::later)?;
        let body = format!(
            "grant_type=client_credentials&client_id={}&scope={}&client_secret={}",
            encoded(&t.client_id),
            encoded(&t.scope),
            encoded(secret.expose()),
        );
        let url = format!("{}/{}/oauth2/v2.0/token", t.login.trim_end_matches('/'), t.tenant_id);
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let told = |error: SendError| match error {
            // That the login refuses is no fault of an alert.
            SendError::Refused(why) => SendError::later(format!("login: {why}")),
            SendError::Later { why, wait_ms } => {
                SendError::Later { why: format!("login: {why}"), wait_ms }
            }
        };
        let answer = self.http.post(&url, &headers, body.as_bytes()).map_err(told)?;
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::later("login: the answer holds no token"))?;
        if !granted.access_token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(SendError::later("login: the answer holds no token"));
        }
        Ok((Secret::of(granted.access_token), granted.expires_in))
    }

    fn post(&mut self, rows: &[String], now: Timestamp) -> Result<(), SendError> {
        let t = &self.target;
        let url = format!(
            "{}/dataCollectionRules/{}/streams/{}?api-version={API_VERSION}",
            t.endpoint.trim_end_matches('/'),
            t.rule_id,
            t.stream,
        );
        let packed = packed(&format!("[{}]", rows.join(",")))
            .map_err(|e| SendError::later(format!("gzip: {e}")))?;
        let token = self.token(now)?;
        let bearer = format!("Bearer {}", token.expose());
        let headers = [
            ("Content-Type", "application/json"),
            ("Content-Encoding", "gzip"),
            ("Authorization", bearer.as_str()),
        ];
        let sent = self.http.post(&url, &headers, &packed);
        if sent.is_err() {
            // It may have been taken back before its time.
            self.token = None;
        }
        sent.map(|_| ())
    }
}

impl Sink for Rows {
    fn takes(&self) -> Takes {
        Takes::Many(ROWS_MAX)
    }

    fn send(&mut self, notices: &[&Notice], now: Timestamp) -> Sent {
        let (mut batch, mut bytes, mut delivered) = (Vec::new(), 2, 0);
        let mut error = None;
        for notice in notices {
            let row = say::message(notice, Format::SecurityAlert);
            let row = row.and_then(|row| match row.len() + 2 > BATCH_BYTES_MAX {
                true => Err("larger than the API takes".to_owned()),
                false => Ok(row),
            });
            let row = match row {
                Ok(row) => row,
                Err(why) => {
                    error = Some(SendError::Refused(why));
                    break;
                }
            };
            if bytes + row.len() + 1 > BATCH_BYTES_MAX {
                if let Err(error) = self.post(&batch, now) {
                    return Sent { delivered, error: Some(error) };
                }
                delivered += batch.len();
                batch.clear();
                bytes = 2;
            }
            bytes += row.len() + 1;
            batch.push(row);
        }
        if !batch.is_empty() {
            if let Err(error) = self.post(&batch, now) {
                return Sent { delivered, error: Some(error) };
            }
            delivered += batch.len();
        }
        Sent { delivered, error }
    }
}

fn packed(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// Percent-encoded, as a form has it.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
