//! How a feed comes over the network: one GET, bounded in time and size.
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{ETAG, IF_NONE_MATCH};

/// Longest time that one fetch may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest time until the other side speaks.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest `ETag` that is kept.
const ETAG_BYTES_MAX: usize = 512;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The server says that it is what was there before.
    Unchanged,
    /// Bytes, and the server's name for them.
    Body {
        /// The feed.
        bytes: Vec<u8>,
        /// The `ETag` header.
        etag: Option<String>,
    },
}

/// Gets things by URL. The tests have another.
pub trait Fetch {
    /// Gets `url`, at most `most` bytes, unless it still has `etag`.
    ///
    /// # Errors
    /// Words for a person: it cannot be reached, refuses, or is larger than `most`.
    fn get(&self, url: &str, etag: Option<&str>, most: usize) -> Result<Fetched, String>;
}

/// Over HTTPS, or plain HTTP where the URL says so.
#[derive(Clone, Debug)]
pub struct Http(Agent);

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(CONNECT))
            .max_redirects(3)
            .http_status_as_error(false)
            .user_agent(concat!("cosmoguard/", env!("CARGO_PKG_VERSION")))
            .build();
        Http(config.new_agent())
    }
}

impl Fetch for Http {
    fn get(&self, url: &str, etag: Option<&str>, most: usize) -> Result<Fetched, String> {
        let mut request = self.0.get(url);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut answer = request.call().map_err(|e| e.to_string())?;
        match answer.status().as_u16() {
            304 if etag.is_some() => return Ok(Fetched::Unchanged),
            200 => {}
            status => return Err(format!("the server answered {status}")),
        }
        let etag = answer.headers().get(ETAG).and_then(|v| v.to_str().ok());
        let etag = etag.filter(|e| e.len() <= ETAG_BYTES_MAX).map(str::to_owned);
        let bytes = answer.body_mut().with_config().limit(most as u64).read_to_vec();
        match bytes {
            Ok(bytes) => Ok(Fetched::Body { bytes, etag }),
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                Err(format!("it is larger than {} MiB", most >> 20))
            }
            Err(cause) => Err(cause.to_string()),
        }
    }
}
