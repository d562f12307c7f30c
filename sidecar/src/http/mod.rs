//! What the sidecar shows. Every answer is a cheap read of what the rooms produced.

mod server;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::http::StatusCode;
use warp::reply::{Reply as _, Response};
use warp::{Filter, Rejection};

use crate::app::App;

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    server::serve(listener, routes(app), stop).await;
}

fn routes(
    app: Arc<App>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let with_app = warp::any().map(move || Arc::clone(&app));
    let metrics = warp::path!("metrics").and(with_app.clone()).map(|app: Arc<App>| {
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        warp::reply::with_header(app.core.metrics.encode(), "content-type", content_type)
            .into_response()
    });
    let alive = warp::path!("health").and(with_app.clone()).map(|app: Arc<App>| health(&app));
    let ready = warp::path!("ready").and(with_app).map(|app: Arc<App>| health(&app));
    warp::get().and(metrics.or(alive).unify().or(ready).unify())
}

/// Whether the sidecar itself makes progress. It never speaks for the sequencer: a dead sequencer
/// is no reason to restart its sidecar.
fn health(app: &App) -> Response {
    let stuck = app.core.progress.stuck();
    let status = if stuck.is_empty() { "healthy" } else { "stuck" };
    let loops: Vec<_> = stuck.iter().map(|stuck| &stuck.name).collect();
    let body = serde_json::json!({
        "status": status,
        "service": "stateset-sidecar",
        "version": crate::VERSION,
        "timestamp": crate::clock::now(),
        "stuck_loops": loops,
    });
    let code = if stuck.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    warp::reply::with_status(warp::reply::json(&body), code).into_response()
}
