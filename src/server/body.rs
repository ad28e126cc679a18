//! Bodies: read with a bound on bytes and time, unpacked with a bound on what comes out.
use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Payload;
use futures_core::Stream as _;

use super::problem::Problem;

/// A client that needs longer for one body is let go.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest window of a zstd frame, as its logarithm: 16 MiB, as large as what may come out.
const WINDOW_LOG_MAX: u32 = 24;

fn too_large(limit: usize, what: &str) -> Problem {
    let detail = format!("{what} has more than {limit} bytes; send it in parts");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// The whole body, at most `limit` bytes.
///
/// # Errors
/// 413, 408, or 400 where the connection broke.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit, "the body"));
    }
    match tokio::time::timeout(PATIENCE, collect(payload, limit)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("the body did not come within {} s", PATIENCE.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut payload).poll_next(cx)).await {
            None => return Ok(body),
            Some(Ok(part)) if body.len() + part.len() <= limit => body.extend_from_slice(&part),
            Some(Ok(_)) => return Err(too_large(limit, "the body")),
            Some(Err(_)) => {
                let detail = "the body broke off or is not framed as HTTP asks for";
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
        }
    }
}

/// How a body is packed: as its header says, else as its first bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// Of a request.
    ///
    /// # Errors
    /// 415 for any other.
    pub fn of(request: &HttpRequest) -> Result<Packing, Problem> {
        let mut all = request.headers().get_all(header::CONTENT_ENCODING);
        let first = all.next().map(|v| v.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match (first.as_deref(), all.next()) {
            (None | Some("" | "identity"), None) => Ok(Packing::Plain),
            (Some("gzip" | "x-gzip"), None) => Ok(Packing::Gzip),
            (Some("zstd"), None) => Ok(Packing::Zstd),
            _ => {
                let detail = "`Content-Encoding`: send gzip, zstd, or no packing";
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
            }
        }
    }
}

/// What `body` holds, at most `limit` bytes of it.
///
/// # Errors
/// 413, or 400 where it is not packed as it says.
pub fn unpack(body: Vec<u8>, packing: Packing, limit: usize) -> Result<Vec<u8>, Problem> {
    let packing = match packing {
        Packing::Plain if body.starts_with(&[0x1F, 0x8B]) => Packing::Gzip,
        Packing::Plain if body.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) => Packing::Zstd,
        packing => packing,
    };
    let (name, mut reader): (_, Box<dyn Read + '_>) = match packing {
        Packing::Plain => return Ok(body),
        Packing::Gzip => ("gzip", Box::new(flate2::read::MultiGzDecoder::new(body.as_slice()))),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(body.as_slice()).and_then(|mut d| {
                d.window_log_max(WINDOW_LOG_MAX)?;
                Ok(d)
            });
            let detail = "the body cannot be unpacked as zstd";
            let decoder = decoder.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, detail))?;
            ("zstd", Box::new(decoder))
        }
    };
    let mut out = Vec::new();
    let read = reader.by_ref().take(limit as u64 + 1).read_to_end(&mut out);
    if out.len() > limit {
        return Err(too_large(limit, "the unpacked body"));
    }
    match read {
        Ok(_) => Ok(out),
        Err(error) => {
            let detail = format!("the body cannot be unpacked as {name}: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest as _;
    use actix_web::dev;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;
    use std::task::{Context, Poll};

    /// Sends one byte and then nothing more, and does not hang up.
    struct Stalls(bool);

    impl futures_core::Stream for Stalls {
        type Item = Result<Bytes, PayloadError>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Bytes::from_static(b"{"))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_waited_for_so_long_and_no_longer() {
        let (request, _) = TestRequest::default().to_http_parts();
        let mut payload: dev::Payload = dev::Payload::Stream { payload: Box::pin(Stalls(false)) };
        let payload = Payload::from_request(&request, &mut payload).await.unwrap();
        let began = tokio::time::Instant::now();
        let refused = read(&request, payload, 100).await.unwrap_err();
        assert_eq!((refused.status, began.elapsed()), (408, PATIENCE));
    }
}
