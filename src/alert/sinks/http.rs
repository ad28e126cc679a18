//! One POST. No redirect is followed, no proxy of the environment is used, and nothing of an
//! address but its host appears in an error.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

use super::SendError;
use super::guard::GuardedResolver;
use super::settings::check_url;

/// Most of an answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Posts.
pub struct Http {
    agent: Agent,
    allow_private: bool,
}

/// What came back of a success.
pub struct Answer {
    /// The body, cut.
    pub body: Vec<u8>,
}

impl Http {
    /// A client that takes at most `timeout_seconds` for one POST, and trusts the authorities in
    /// `ca_file` instead of the public ones.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn new(
        timeout_seconds: u32,
        allow_private: bool,
        ca_file: Option<&Path>,
    ) -> Result<Http, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = ca_file {
            tls = tls.root_certs(authorities(path)?);
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(Duration::from_secs(u64::from(timeout_seconds))))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("cosmoguard/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = GuardedResolver { allow_private };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Ok(Http { agent, allow_private })
    }

    /// Posts `body`.
    ///
    /// # Errors
    /// It did not arrive, or was refused.
    pub fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, SendError> {
        // An address by reference is read at each use, and checked as one that is written out.
        check_url(url, self.allow_private).map_err(SendError::later)?;
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).map_err(|e| SendError::later(words(&e)))?;
        let status = response.status().as_u16();
        let asked = response.headers().get("retry-after").and_then(|v| v.to_str().ok());
        let asked =
            asked.and_then(|v| v.trim().parse::<i64>().ok()).map(|s| s.saturating_mul(1000));
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        match status {
            200..=299 => Ok(Answer { body: body.unwrap_or_default() }),
            // What was sent is at fault; it will be the next time, too.
            400 | 413 | 415 | 422 => {
                Err(SendError::Refused(format!("the receiver refused the message ({status})")))
            }
            300..=399 => Err(SendError::later(format!("redirects are not followed ({status})"))),
            401 | 403 => Err(SendError::Later {
                why: format!("the receiver does not accept our credentials ({status})"),
                wait_ms: asked,
            }),
            _ => Err(SendError::Later {
                why: format!("the receiver answered {status}"),
                wait_ms: asked,
            }),
        }
    }
}

fn authorities(path: &Path) -> Result<RootCerts, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    let found: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(format!("{shown} holds no certificate in PEM form"));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

/// An error without the address that led to it.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(cause) => format!("no connection: {cause}"),
        ureq::Error::Tls(cause) => format!("TLS: {cause}"),
        ureq::Error::Rustls(cause) => format!("TLS: {cause}"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the address is none".to_owned(),
        _ => "the request failed".to_owned(),
    }
}
