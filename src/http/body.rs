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

/// Bodies up to this size take nothing from a [`Budget`]: the connections (while they arrive) and
/// the tickets of admission (while they are worked on) bound them, and so a few senders of huge
/// bodies cannot shut out the many whose bodies are small.
pub const SMALL: usize = 8 * 1024;

/// Bodies above this size are worked on one at a time.
const HUGE: usize = 256 * 1024;

/// How much memory a delivery takes while it is worked on, in lengths of its body: parsed into
/// alerts, decided on with what is known of them, and written. Measured: 20.
const WORK_PER_BYTE: usize = 20;

/// How much memory the large bodies of all requests may take together.
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

/// How much memory deliveries may take together while they are worked on, which is many times their
/// bodies.
#[derive(Debug, Clone)]
pub struct Workspace {
    common: Budget,
    /// For one of the huge, apart, so that it keeps nobody else waiting.
    huge: Arc<Semaphore>,
}

impl Workspace {
    /// At most `bytes` for all but the huge.
    pub fn new(bytes: usize) -> Self {
        Self { common: Budget::new(bytes), huge: Arc::new(Semaphore::new(1)) }
    }

    /// Room to work on a body of so many bytes, until the permit is dropped; none if there is not so
    /// much left.
    pub fn room_for(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        match length {
            0..=SMALL => self.common.take(0),
            length if length <= HUGE => {
                self.common.take(length.saturating_mul(WORK_PER_BYTE).div_ceil(PIECE))
            }
            _ => self.huge.clone().try_acquire_owned().ok(),
        }
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
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    match tokio::time::timeout(deadline, collect(body, announced, limit, budget)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(BodyError::TooSlow),
    }
}

async fn collect(
    mut body: Body,
    announced: usize,
    limit: usize,
    budget: &Budget,
) -> Result<RawBody, BodyError> {
    let mut held = budget.take(0).ok_or(BodyError::NoRoom)?;
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
        let counted = if length > SMALL { length.div_ceil(PIECE) } else { 0 };
        let missing = counted.saturating_sub(held.num_permits());
        if missing > 0 {
            held.merge(budget.take(missing).ok_or(BodyError::NoRoom)?);
        }
        // Most bodies come in one piece, which then needs no copy.
        if so_far == 0 {
            only = Some(data);
        } else {
            if let Some(first) = only.take() {
                make_room(&mut whole, first.len(), announced);
                whole.extend_from_slice(&first);
            }
            make_room(&mut whole, data.len(), announced);
            whole.extend_from_slice(&data);
        }
    }
    let bytes = only.unwrap_or_else(|| Bytes::from(whole));
    Ok(RawBody { bytes, held })
}

/// Room for `more`. By itself a vector would end with up to twice of what it holds; the length that
/// was announced tells where the doubling may stop.
fn make_room(whole: &mut Vec<u8>, more: usize, announced: usize) {
    let needed = whole.len().saturating_add(more);
    if needed > whole.capacity() {
        let doubled = whole.len().saturating_mul(2).min(announced);
        whole.reserve_exact(doubled.max(needed) - whole.len());
    }
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
    async fn memory_for_large_bodies_is_shared_and_comes_back() {
        let budget = Budget::new(2 * SMALL + PIECE);
        let body = |length: usize| Body::from(vec![b'x'; length]);
        let large = SMALL + 1;
        let first = read_body(body(large), 1 << 20, &budget).await.unwrap();
        assert_eq!(first.held.num_permits(), SMALL / PIECE + 1);
        assert_eq!(read_body(body(large), 1 << 20, &budget).await.unwrap_err(), BodyError::NoRoom);
        drop(first.bytes);
        assert_eq!(read_body(body(large), 1 << 20, &budget).await.unwrap_err(), BodyError::NoRoom);
        drop(first.held);
        let all = read_body(body(2 * SMALL + PIECE), 1 << 20, &budget).await.unwrap();
        assert_eq!(all.held.num_permits(), 2 * SMALL / PIECE + 1);
        drop(all);
        let more = read_body(body(2 * SMALL + PIECE + 1), 1 << 20, &budget).await;
        assert_eq!(more.unwrap_err(), BodyError::NoRoom);
    }

    #[tokio::test]
    async fn a_small_body_is_read_also_when_large_ones_have_taken_all_memory() {
        let budget = Budget::new(1);
        let body = |length: usize| Body::from(vec![b'x'; length]);
        assert!(read_body(body(SMALL), 1 << 20, &budget).await.is_ok());
        let large = read_body(body(SMALL + 1), 1 << 20, &budget).await;
        assert_eq!(large.unwrap_err(), BodyError::NoRoom);
    }

    #[test]
    fn a_body_that_arrives_in_pieces_ends_in_no_more_memory_than_was_announced() {
        let (piece, announced) = (1000, 1_000_000);
        let mut whole = Vec::new();
        for _ in 0..announced / piece {
            make_room(&mut whole, piece, announced);
            whole.extend(std::iter::repeat_n(b'x', piece));
        }
        assert_eq!(whole.capacity(), announced);
        // Whoever announced nothing, or lied, gets what is needed.
        make_room(&mut whole, 10, 0);
        assert_eq!(whole.capacity(), announced + 10);
    }

    #[test]
    fn a_workspace_is_shared_by_the_large_and_the_huge_go_one_by_one() {
        let workspace = Workspace::new(HUGE * WORK_PER_BYTE + PIECE);
        let large = workspace.room_for(HUGE);
        assert!(large.is_some() && workspace.room_for(SMALL + 1).is_none());
        assert!(workspace.room_for(SMALL).is_some(), "the small need none");
        let huge = workspace.room_for(HUGE + 1);
        assert!(huge.is_some() && workspace.room_for(HUGE + 1).is_none());
        drop((large, huge));
        assert!(workspace.room_for(HUGE).is_some() && workspace.room_for(HUGE + 1).is_some());
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
