//! The accept loop. Our own, because a handler must be able to cut its connection without an
//! answer, which axum's server does not offer, and because headers need a time limit.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::routes::{self, Cut, Ends};
use super::vendor::Vendor;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits for requests that are running.
const GRACE: Duration = Duration::from_secs(5);

/// The reason for which hyper cuts a connection: we told it so.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct CutOnPurpose;

/// Serves until `stopping`, then lets what is running end.
pub(super) async fn serve(listener: TcpListener, vendor: Arc<Vendor>, stopping: CancellationToken) {
    let router = routes::router(Arc::clone(&vendor));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    talk(stream, router.clone(), Arc::clone(&vendor), stopping.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                // Mostly a client that left, or no file descriptors: neither is worth an end.
                tracing::warn!(%error, "the sandbox could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    vendor.work.close();
    let ending = async {
        while connections.join_next().await.is_some() {}
        // Work can outlive the connection that it came through.
        vendor.work.wait().await;
    };
    if tokio::time::timeout(GRACE, ending).await.is_err() {
        tracing::warn!("the sandbox stopped with requests still running");
    }
    connections.shutdown().await;
}

async fn talk(stream: TcpStream, router: Router, vendor: Arc<Vendor>, stopping: CancellationToken) {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let ends = Ends { server, client };
    let service = service_fn(|request: Request<Incoming>| {
        let router = router.clone();
        let vendor = Arc::clone(&vendor);
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ends);
            let answered: Result<Response, Infallible> = router.oneshot(request).await;
            let Ok(mut response) = answered;
            if response.extensions().get::<Cut>().is_some() {
                return Err(CutOnPurpose);
            }
            date(&mut response, &vendor);
            Ok(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        // Hyper's would tell the system's time; ours tells the vendor's.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the sandbox ended: {error}");
    }
}

fn date(response: &mut Response, vendor: &Vendor) {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&vendor.now());
    if let Some(value) = text.ok().and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::DATE, value);
    }
}
