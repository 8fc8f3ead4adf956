//! Reads a request's body: whole, raw, within a size, a time and a shared amount of memory.
//!
//! Nobody has authenticated when a body is read, so everything about it is bounded. Compressed
//! bodies are refused, because the signature is over what was sent and a bomb costs its sender
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Request};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in pieces of this size.
const PIECE: usize = 4096;

/// How much memory the bodies of all requests may take together.
///
/// The cap on one body times the cap on connections would be gigabytes; this is what holds.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// At most `bytes` at a time, rounded down to whole pieces of 4 KiB.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / PIECE).min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, pieces: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(pieces).ok()?;
        self.0.clone().try_acquire_many_owned(pieces).ok()
    }
}

/// A body, and the memory that is held for it until this is dropped.
#[derive(Debug)]
pub struct RawBody {
    /// The raw bytes, exactly as sent.
    pub bytes: Bytes,
    /// Keep it as long as the bytes.
    pub held: OwnedSemaphorePermit,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is, or says that it will be, larger than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body is too slow")]
    TooSlow,
    /// It is compressed or otherwise encoded.
    #[error("the body is encoded")]
    Encoded,
    /// The bodies of all requests together take too much memory.
    #[error("the bodies of all requests together are too large")]
    NoRoom,
    /// The connection or the framing broke.
    #[error("the body broke off")]
    Broken,
}

/// Reads at most `limit` bytes within `deadline` (the total, not the pause between two bytes).
pub async fn read(
    request: Request<Body>,
    limit: usize,
    deadline: Duration,
    budget: &Budget,
) -> Result<RawBody, BodyError> {
    if !plain(request.headers()) {
        return Err(BodyError::Encoded);
    }
    let body = request.into_body();
    // What Content-Length announces. Refusing here spares a sender that waits for `100 Continue`
    // the transfer.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(deadline, collect(body, limit, budget)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(BodyError::TooSlow),
    }
}

async fn collect(mut body: Body, limit: usize, budget: &Budget) -> Result<RawBody, BodyError> {
    let mut held = budget.take(1).ok_or(BodyError::NoRoom)?;
    let mut whole = Vec::new();
    let mut only: Option<Bytes> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue; // Trailers say nothing that we need.
        };
        let so_far = whole.len() + only.as_ref().map_or(0, Bytes::len);
        let length = so_far.saturating_add(data.len());
        if length > limit {
            return Err(BodyError::TooLarge);
        }
        // Memory is taken as bytes arrive, not as they are announced: a claim costs nothing.
        let missing = length.div_ceil(PIECE).saturating_sub(held.num_permits());
        if missing > 0 {
            held.merge(budget.take(missing).ok_or(BodyError::NoRoom)?);
        }
        // Most bodies come in one piece, which then needs no copy.
        if so_far == 0 {
            only = Some(data);
        } else {
            if let Some(first) = only.take() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
    }
    let bytes = only.unwrap_or_else(|| Bytes::from(whole));
    Ok(RawBody { bytes, held })
}

/// Whether the body is sent as it is.
fn plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn read_body(body: Body, limit: usize, budget: &Budget) -> Result<RawBody, BodyError> {
        read(Request::new(body), limit, SECOND, budget).await
    }

    fn roomy() -> Budget {
        Budget::new(1 << 20)
    }

    #[tokio::test]
    async fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
        let body = |length: usize| Body::from(vec![b'x'; length]);
        let received = read_body(body(10), 10, &roomy()).await.unwrap();
        assert_eq!(received.bytes.len(), 10);
        let beyond = read_body(body(11), 10, &roomy()).await;
        assert_eq!(beyond.unwrap_err(), BodyError::TooLarge);
        assert!(read_body(Body::empty(), 0, &roomy()).await.unwrap().bytes.is_empty());
    }

    #[tokio::test]
    async fn memory_is_shared_and_comes_back() {
        let budget = Budget::new(2 * PIECE);
        let body = || Body::from(vec![b'x'; PIECE]);
        let first = read_body(body(), 1 << 20, &budget).await.unwrap();
        let second = read_body(body(), 1 << 20, &budget).await.unwrap();
        assert_eq!(read_body(body(), 1 << 20, &budget).await.unwrap_err(), BodyError::NoRoom);
        drop((first, second.bytes));
        assert!(read_body(body(), 1 << 20, &budget).await.is_ok());
        drop(second.held);
        let two = Body::from(vec![b'x'; 2 * PIECE]);
        assert_eq!(read_body(two, 1 << 20, &budget).await.unwrap().held.num_permits(), 2);
        let more = Body::from(vec![b'x'; 2 * PIECE + 1]);
        assert_eq!(read_body(more, 1 << 20, &budget).await.unwrap_err(), BodyError::NoRoom);
    }

    #[test]
    fn only_identity_is_plain() {
        for (value, expected) in [
            ("identity", true),
            ("Identity", true),
            ("", true),
            ("gzip", false),
            ("identity, gzip", false),
            ("br", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            assert_eq!(plain(&headers), expected, "{value}");
        }
        assert!(plain(&HeaderMap::new()));
    }
}
