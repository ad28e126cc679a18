//! HTTP POST. The body is the alert; who sent it and when is in a signature over both, so that a
//! receiver can refuse forgeries and replays.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::http::Http;
use super::super::notice::Notice;
use super::super::say;
use super::super::settings::WebhookTarget;
use super::super::{SendError, Sent, Sink, Takes};
use crate::alert::formats::Format;
use crate::time::Timestamp;

/// A webhook.
pub struct Webhook {
    http: Http,
    target: WebhookTarget,
}

impl Webhook {
    /// The sink that `target` describes.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(target: &WebhookTarget, timeout: u32) -> Result<Webhook, String> {
        let http = Http::new(timeout, target.allow_private, target.ca_file.as_deref())?;
        Ok(Webhook { http, target: target.clone() })
    }

    fn post(&self, notice: &Notice, now: Timestamp) -> Result<(), SendError> {
        let format = self.target.format.0;
        let body = say::message(notice, format).map_err(SendError::Refused)?;
        let url = self.target.url.read().map_err(SendError::later)?;
        let kind =
            if format == Format::Cef { "text/plain; charset=utf-8" } else { "application/json" };
        let seconds = now.millis().div_euclid(1000).to_string();
        let mut headers = vec![
            ("Content-Type", kind.to_owned()),
            ("Idempotency-Key", notice.key.clone()),
            ("X-Cosmoguard-Event", notice.word().to_owned()),
            ("X-Cosmoguard-Format", format.as_str().to_owned()),
            ("X-Cosmoguard-Timestamp", seconds.clone()),
        ];
        if let Some(key) = &self.target.secret {
            let key = key.read().map_err(SendError::later)?;
            let signed = signature(key.expose().as_bytes(), &seconds, body.as_bytes());
            headers.push(("X-Cosmoguard-Signature", signed.map_err(SendError::later)?));
        }
        if let Some(token) = &self.target.bearer {
            let token = token.read().map_err(SendError::later)?;
            headers.push(("Authorization", format!("Bearer {}", token.expose())));
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.http.post(url.expose(), &headers, body.as_bytes())?;
        Ok(())
    }
}

impl Sink for Webhook {
    fn takes(&self) -> Takes {
        Takes::One
    }
    fn send(&mut self, notices: &[&Notice], now: Timestamp) -> Sent {
        for (at, notice) in notices.iter().enumerate() {
            if let Err(error) = self.post(notice, now) {
                return Sent { delivered: at, error: Some(error) };
            }
        }
        Sent { delivered: notices.len(), error: None }
    }
}

/// `v1=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a dot, and the body.
fn signature(key: &[u8], seconds: &str, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "the secret is no key")?;
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("v1={hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_another_tool_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature(b"key", "1700000000", b"{\"a\":1}").as_deref(),
            Ok("v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03")
        );
    }
}
