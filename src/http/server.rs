//! The serve loop: accepts connections and speaks HTTP/1.1 on them, everything bounded.
//!
//! `axum::serve` has no timeout for the header of a request, so a client that sends a byte a
//! minute holds a connection for ever. This loop has no HTTP/2 either, and with it none of its
//! floods.
//!
//! When all connections are taken, the loop stops accepting: new clients wait in the kernel's
//! queue instead of being accepted and dropped, since to a sender a reset is a failure that counts
//! and a moment's wait is not. Meanwhile those are closed that say nothing, or say it very slowly:
//! whoever has something to say does so at once, and is never the one to make room.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse as _;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::answer::Refusal;

/// Bodies come in pieces of at most this size. hyper demands 8 KiB at least.
const BUFFER: usize = 64 * 1024;
/// How often connections are asked to make room while all are taken.
const MAKE_ROOM_EVERY: Duration = Duration::from_millis(100);
/// How long a connection may have said nothing at all before it has to make room for others. A
/// request is there as soon as its connection, unless its sender wants to say nothing.
const PATIENCE_WITH_SILENCE: Duration = Duration::from_millis(250);
/// How long a connection may be idle, or in the middle of a header, before it has to make room.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is said in the log that all connections are taken.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// What is read and thrown away before a connection is closed, so that the client sees our last
/// answer instead of a reset.
const LINGER_BYTES: usize = 256 * 1024;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(1);
/// The longest pause after a failed accept.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a listener grants its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// From the first byte of a request (or from the accept) to the end of its header.
    pub header_timeout: Duration,
    /// How long a connection may do nothing between two requests. More than the 60 s after which
    /// common load balancers close theirs: whoever closes first must be the other side, or a
    /// request may meet a connection that is just going away.
    pub idle_timeout: Duration,
    /// How long a client may refuse to take bytes of an answer.
    pub write_timeout: Duration,
    /// Header lines in a request.
    pub headers: usize,
    /// Bytes in a request's line and header together.
    pub header_bytes: usize,
    /// How long requests in flight may take to finish once the daemon is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            headers: 64,
            header_bytes: 16 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// The other end of the connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves `router` on `listener` until `shutdown`, then stops accepting, closes idle connections,
/// lets requests in flight finish and returns, at the latest after `limits.drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut crowd = Crowd::default();
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();

    loop {
        let slot = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            slot = crowd.free_slot(&slots) => slot,
        };
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            stream = accept(&listener) => stream,
        };
        let connection = Connection {
            router: router.clone(),
            limits,
            shutdown: shutdown.clone(),
            crowded: crowd.crowded.clone(),
        };
        let cut = cut.clone();
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = connection.run(stream) => {}
            }
            drop(slot);
        });
    }

    drop(listener);
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "{} connections did not finish within {:?} and were cut",
            connections.len(),
            limits.drain
        );
        cut.cancel();
        connections.wait().await;
    }
}

/// Makes room when all connections are taken.
#[derive(Default)]
struct Crowd {
    crowded: Arc<Notify>,
    asked: Option<Instant>,
    told: Option<Instant>,
}

impl Crowd {
    async fn free_slot(&mut self, slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        if let Ok(slot) = slots.clone().try_acquire_owned() {
            return slot;
        }
        if is_due(&mut self.told, TELL_EVERY) {
            tracing::warn!("all connections are taken; new ones wait, silent ones are closed");
        }
        loop {
            // Not for each new connection: every one that there is looks whether it is meant.
            if is_due(&mut self.asked, MAKE_ROOM_EVERY) {
                self.crowded.notify_waiters();
            }
            if let Ok(Ok(slot)) = timeout(MAKE_ROOM_EVERY, slots.clone().acquire_owned()).await {
                return slot;
            }
        }
    }
}

/// Whether it is so long ago that it may be done again, which it then is.
fn is_due(last: &mut Option<Instant>, pause: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= pause);
    if due {
        *last = Some(Instant::now());
    }
    due
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let mut pause = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => return stream,
            // The client went away between its connect and our accept: nobody's fault.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::Interrupted
                ) => {}
            // Out of files or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM). The waiting client makes
            // accept fail again at once, so a loop without a pause would burn a core.
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection: {error}; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

/// What one connection needs.
struct Connection {
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    crowded: Arc<Notify>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Answers are a single small write; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let phase = Arc::new(Phase::fresh());
        // Whoever has gone already has no address, and no use for an answer.
        let peer = stream.peer_addr().ok().map(Peer);
        let wire = Wire {
            stream,
            phase: phase.clone(),
            limits: self.limits,
            head_deadline: Some(Box::pin(sleep(self.limits.header_timeout))),
            write_deadline: None,
        };
        let service = Guarded { router: self.router, phase: phase.clone(), peer };
        // hyper's own timeout starts when it begins to wait for a request, so it is the limit for
        // idling; the limit for the header starts with its first byte and is in `Wire`.
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle_timeout.max(self.limits.header_timeout))
            .max_headers(self.limits.headers)
            .max_header_size(self.limits.header_bytes)
            .max_buf_size(BUFFER.max(self.limits.header_bytes))
            .keep_alive(true)
            .serve_connection(TokioIo::new(wire), service);

        let mut leaving = false;
        let result = loop {
            tokio::select! {
                result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
                () = self.shutdown.cancelled(), if !leaving => leaving = true,
                () = self.crowded.notified() => {
                    if phase.is_dispensable() {
                        // Nothing was asked, so there is no answer that could be lost.
                        return;
                    }
                    continue;
                }
            }
            // Closes an idle connection now, and a busy one after its answer.
            Pin::new(&mut connection).graceful_shutdown();
        };
        if let Err(error) = &result {
            tracing::debug!(%error, "a connection ended early: {error}");
        }
        linger(connection.into_parts().io.into_inner().stream).await;
    }
}

/// Closes our side, then reads what the client still sends. Closing a socket with unread bytes
/// makes the kernel send a reset, which can destroy the answer (a 413, say) before it is read.
async fn linger(mut stream: TcpStream) {
    let _ = timeout(LINGER, async {
        stream.shutdown().await?;
        let mut rest = LINGER_BYTES;
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await?;
            rest = rest.saturating_sub(read);
            if read == 0 || rest == 0 {
                return io::Result::Ok(());
            }
        }
    })
    .await;
}

/// The router, with panics turned into answers.
struct Guarded {
    router: Router,
    phase: Arc<Phase>,
    peer: Option<Peer>,
}

impl hyper::service::Service<Request<Incoming>> for Guarded {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.set(Phase::BUSY);
        let phase = self.phase.clone();
        let mut router = self.router.clone();
        let unread = Arc::new(AtomicBool::new(true));
        let mut request = request.map(|body| Body::new(Watched::new(body, unread.clone())));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        Box::pin(async move {
            let method = request.method().clone();
            let path = request.uri().path().to_owned();
            let mut response = match caught(async move { router.call(request).await }).await {
                Some(Ok(response)) => response,
                Some(Err(never)) => match never {},
                None => {
                    tracing::error!(%method, path, "a handler panicked for {method} {path:?}");
                    Refusal::internal().into_response()
                }
            };
            if unread.load(Ordering::Relaxed) {
                // What is left of the body is in the way of a next request. A client that is not
                // told would send one on a connection that is just going away.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            phase.set(Phase::IDLE);
            Ok(response)
        })
    }
}

/// A request's body that tells whether some of it was not read.
struct Watched {
    body: Incoming,
    unread: Arc<AtomicBool>,
}

impl Watched {
    fn new(body: Incoming, unread: Arc<AtomicBool>) -> Self {
        unread.store(!body.is_end_stream(), Ordering::Relaxed);
        Self { body, unread }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let is_over = matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        self.unread.store(!is_over, Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// `None` if the future panicked. Nothing of it is used afterwards, so nothing half-changed is
/// seen; what handlers share guards its own state.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_panic) => Poll::Ready(None),
    })
    .await
}

/// Where a connection is between accept and close; told by the service, read by the wire.
struct Phase {
    now: AtomicU8,
    begun: Instant,
    /// When this phase began, in microseconds after the connection.
    since: AtomicU64,
}

impl Phase {
    /// Nothing has come yet.
    const FRESH: u8 = 0;
    /// A header is being read.
    const HEAD: u8 = 1;
    /// A request is being handled.
    const BUSY: u8 = 2;
    /// An answer was given, and no byte of a next request has come.
    const IDLE: u8 = 3;

    fn fresh() -> Self {
        Self { now: AtomicU8::new(Self::FRESH), begun: Instant::now(), since: AtomicU64::new(0) }
    }

    fn awaits_header(&self) -> bool {
        matches!(self.get(), Self::FRESH | Self::HEAD)
    }

    fn get(&self) -> u8 {
        self.now.load(Ordering::Relaxed)
    }

    // One task polls both the service and the wire, so there is no order to keep.
    fn set(&self, phase: u8) {
        self.now.store(phase, Ordering::Relaxed);
        self.since.store(self.age(), Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether the connection can be closed for the sake of others: it asks for nothing.
    fn is_dispensable(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        let quiet = Duration::from_micros(self.age().saturating_sub(since));
        match self.get() {
            Self::FRESH => quiet >= PATIENCE_WITH_SILENCE,
            Self::HEAD | Self::IDLE => quiet >= PATIENCE,
            _ => false,
        }
    }
}

/// The stream, with deadlines for headers and for writes.
struct Wire {
    stream: TcpStream,
    phase: Arc<Phase>,
    limits: Limits,
    head_deadline: Option<Pin<Box<Sleep>>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Passes a write's result on, unless the client has taken nothing for too long.
    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_deadline = None;
            return result;
        }
        let limit = self.limits.write_timeout;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    match this.phase.get() {
                        Phase::FRESH => this.phase.set(Phase::HEAD),
                        Phase::IDLE => {
                            this.phase.set(Phase::HEAD);
                            let limit = this.limits.header_timeout;
                            this.head_deadline = Some(Box::pin(sleep(limit)));
                        }
                        _ => {}
                    }
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.phase.awaits_header() => {
                let late = this
                    .head_deadline
                    .as_mut()
                    .is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
                if late { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
            }
            other => other,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.progress(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.progress(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
