//! The accept loop, in place of `warp::serve`: bounded connections, a time limit for request
//! heads, bounded headers, and an orderly end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use warp::Filter;
use warp::reply::Response;

/// Connections at once: people, a scraper and probes.
const MAX_CONNECTIONS: usize = 64;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Longest life of a connection, so that one who takes nothing of an answer is cut off too.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// Time for requests in flight once told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Wait after a failed accept, so that a full descriptor table does not spin.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Serves until told to stop, then finishes what is in flight.
pub(super) async fn serve<F>(listener: TcpListener, filter: F, stop: CancellationToken)
where
    F: Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
    F::Future: Send,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = stop.run_until_cancelled(async {
            // The semaphore is never closed.
            let permit = Arc::clone(&room).acquire_owned().await.ok();
            (listener.accept().await, permit)
        });
        let Some((accepted, permit)) = accepted.await else { break };
        let (socket, peer) = match accepted {
            Ok((socket, address)) => (socket, Peer(address.ip())),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            }
        };
        let warp = warp::service(filter.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            warp.clone().call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
        tokio::spawn(async move {
            // An error here is the client's: it closed, was too slow, or sent no HTTP.
            let _ = tokio::time::timeout(CONNECTION_LIFETIME, connection).await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
}
