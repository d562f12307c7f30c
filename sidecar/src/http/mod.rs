//! What the sidecar shows. Every answer is a cheap read of what the rooms produced.

mod access;
mod guesses;
mod problem;
mod reply;
mod server;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::http::header::{CONTENT_DISPOSITION, HeaderMap};
use warp::http::{HeaderValue, Method, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;

use self::access::Access;
use self::problem::{Code, Problem};
use self::server::Peer;
use crate::app::App;
use crate::bundle::{self, Bundles};
use crate::page::runbooks::{Missing, Runbooks};
use crate::page::{Document, Page};
use crate::status;

/// The port and what only it needs.
struct Site {
    app: Arc<App>,
    access: Access,
    page: Page,
    runbooks: Arc<Runbooks>,
    bundles: Bundles,
}

/// One request; no route reads a body.
struct Request {
    method: Method,
    path: FullPath,
    headers: HeaderMap,
    query: String,
    peer: IpAddr,
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    let config = &app.core.config;
    let site = Arc::new(Site {
        access: Access::new(config),
        page: Page::new(),
        runbooks: Arc::new(Runbooks::new(config.runbooks_dir.clone())),
        bundles: Bundles::default(),
        app,
    });
    server::serve(listener, routes(site), stop).await;
}

fn routes(
    site: Arc<Site>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::ext::optional())
        .map(|method, path, headers, query, peer: Option<Peer>| {
            // The accept loop gives every request its peer.
            let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(address)| address);
            Request { method, path, headers, query, peer }
        })
        .then(move |request| {
            let site = Arc::clone(&site);
            async move { answer(&site, &request).await }
        })
}

async fn answer(site: &Site, request: &Request) -> Response {
    let mut response = match route(site, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    reply::secure(response.headers_mut());
    response
}

/// Open routes first; the rest is for those who may see it, and so is what does not exist.
async fn route(site: &Site, request: &Request) -> Result<Response, Problem> {
    let app = &site.app;
    let path = request.path.as_str();
    let open = matches!(path, "/metrics" | "/health" | "/ready");
    if !open {
        site.access.check(&request.headers, request.peer)?;
    }
    // Pages link to each other as files.
    let runbook =
        path.strip_prefix("/runbooks/").map(|name| name.strip_suffix(".md").unwrap_or(name));
    let known = ["/", "/api/status", "/api/history", "/bundle"].contains(&path);
    if !open && !known && runbook.is_none() {
        let message = "no such path; `/` is the status page, and it links to everything else";
        return Err(Problem::new(Code::ResourceNotFound, message));
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let message = "everything here is only read: GET";
        return Err(Problem::new(Code::MethodNotAllowed, message).allow("GET, HEAD"));
    }
    match path {
        "/metrics" => Ok(metrics(app)),
        "/health" | "/ready" => Ok(health(app)),
        "/" => Ok(page(site.page.status())),
        "/api/status" => Ok(reply::json(&status::of(app, &site.runbooks).await)),
        "/api/history" => history(app, &request.query),
        "/bundle" => incident(site).await,
        _ => runbook_page(site, runbook.unwrap_or_default().to_owned()).await,
    }
}

fn metrics(app: &App) -> Response {
    reply::with_type("text/plain; version=0.0.4; charset=utf-8", app.core.metrics.encode())
}

/// Whether the sidecar itself makes progress. It never speaks for the sequencer: a dead sequencer
/// is no reason to restart its sidecar.
fn health(app: &App) -> Response {
    let stuck = app.core.progress.stuck();
    let status = if stuck.is_empty() { "healthy" } else { "stuck" };
    let loops: Vec<_> = stuck.iter().map(|stuck| &stuck.name).collect();
    let mut response = reply::json(&serde_json::json!({
        "status": status,
        "service": "stateset-sidecar",
        "version": crate::VERSION,
        "timestamp": crate::clock::now(),
        "stuck_loops": loops,
    }));
    if !stuck.is_empty() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

fn page(document: Document) -> Response {
    reply::html(document.html, &document.policy)
}

/// `since` is the time of the last point that the caller has.
fn history(app: &App, query: &str) -> Result<Response, Problem> {
    let mut since = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let value = pair.strip_prefix("since=").and_then(|value| value.parse().ok());
        let Some(value) = value.filter(|value: &f64| value.is_finite()) else {
            let message = "the only parameter is `since`: the time of a point, in Unix seconds";
            return Err(Problem::new(Code::InvalidFieldValue, message));
        };
        since = Some(value);
    }
    Ok(reply::json(&app.history.view(since)))
}

async fn runbook_page(site: &Site, alert: String) -> Result<Response, Problem> {
    let (runbooks, name) = (Arc::clone(&site.runbooks), alert.clone());
    let read = tokio::task::spawn_blocking(move || runbooks.read(&name)).await;
    let read = read.unwrap_or_else(|error| Err(Missing::Unreadable(error.to_string())));
    let code = match read {
        Ok(markdown) => return Ok(page(site.page.runbook(&alert, &markdown))),
        Err(Missing::Unreadable(_)) => Code::InternalError,
        Err(_) => Code::ResourceNotFound,
    };
    Err(Problem::new(code, read.err().map_or(String::new(), |missing| missing.to_string())))
}

async fn incident(site: &Site) -> Result<Response, Problem> {
    match site.bundles.take(&site.app, &site.runbooks).await {
        Ok(archive) => {
            let name = format!("attachment; filename=\"{}\"", archive.file_name);
            let mut response = reply::with_type("application/gzip", archive.bytes);
            if let Ok(name) = HeaderValue::from_str(&name) {
                response.headers_mut().insert(CONTENT_DISPOSITION, name);
            }
            Ok(response)
        }
        Err(busy @ bundle::Failure::Busy) => {
            let seconds = bundle::LIMIT.as_secs();
            Err(Problem::new(Code::Overloaded, busy.to_string()).retry_after(seconds))
        }
        Err(failure) => Err(Problem::new(Code::InternalError, failure.to_string())),
    }
}
