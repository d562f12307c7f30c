//! `/metrics` while a run lasts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::Filter as _;

use crate::recorder::Recorder;

/// Connections at once: a scraper and somebody with curl.
const MAX_CONNECTIONS: usize = 16;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest life of a connection.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Listens, and serves until told to stop; gives the address.
///
/// # Errors
/// When the port is taken.
pub async fn serve(
    address: SocketAddr,
    recorder: Arc<Recorder>,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
    let bound = listener.local_addr().context("the address of the metrics is not known")?;
    tokio::spawn(stop.run_until_cancelled_owned(accept(listener, recorder)));
    Ok(bound)
}

async fn accept(listener: TcpListener, recorder: Arc<Recorder>) {
    let metrics = warp::path("metrics").and(warp::path::end()).and(warp::get()).map(move || {
        let body = recorder.metrics().encode();
        warp::reply::with_header(body, "content-type", CONTENT_TYPE)
    });
    let missing = warp::any().map(|| {
        let body = "only /metrics is here\n".to_owned();
        warp::reply::with_status(body, warp::http::StatusCode::NOT_FOUND)
    });
    let routes = metrics.or(missing);
    let service = TowerToHyperService::new(warp::service(routes));
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    loop {
        // The semaphore is never closed.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let Ok((socket, _)) = listener.accept().await else {
            // A full descriptor table must not spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = http.serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_LIFETIME, connection).await;
            drop(permit);
        });
    }
}
