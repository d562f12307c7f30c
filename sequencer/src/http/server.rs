//! The accept loop, in place of `warp::serve`: bounded connections, a time limit for request
//! heads, bounded headers, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use warp::Filter;
use warp::reply::Response;

use super::dispatch::{Cut, Peer};
use super::socket::Socket;

/// Wait after a failed accept, so that a full descriptor table does not spin.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Bounds of one port.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub max_connections: u32,
    /// Time for a request head.
    pub header_read_timeout: Duration,
    /// Headers of a request.
    pub max_headers: usize,
    /// Bytes of a request head.
    pub max_header_bytes: usize,
    /// Time for which a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// Time for requests in flight once told to stop.
    pub shutdown_timeout: Duration,
}

/// Serves until told to stop, then finishes what is in flight.
pub async fn serve<F>(listener: TcpListener, filter: F, limits: Limits, stop: CancellationToken)
where
    F: Filter<Extract = (Response,), Error = warp::Rejection> + Clone + Send + Sync + 'static,
    F::Future: Send,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_headers(limits.max_headers)
        .max_buf_size(limits.max_header_bytes);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.max_connections as usize));
    loop {
        let accepted = stop.run_until_cancelled(accept(&listener, &room)).await;
        let Some((socket, room)) = accepted else { break };
        let peer = socket.peer_addr().ok().map(Peer);
        let socket = Socket::new(socket, limits.write_timeout);
        let cut = CancellationToken::new();
        let cut_by_request = Cut(cut.clone());
        let warp = warp::service(filter.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            request.extensions_mut().insert(cut_by_request.clone());
            warp.clone().call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
        tokio::spawn(async move {
            // An error here is the client's: it closed, was too slow, or sent no HTTP.
            let _ = cut.run_until_cancelled(connection).await;
            cut.cancel();
            drop(room);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.shutdown_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight at the end of SHUTDOWN_TIMEOUT_SECS");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed; without a permit the connection is served unbounded.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                // Answers are small and must not wait for a full segment. Failing costs speed only.
                let _ = socket.set_nodelay(true);
                return (socket, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}
