//! One request from head to answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use catalog::label::{AuthFailure, HttpMethod};
use futures_util::Stream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warp::Filter;
use warp::http::header::CONNECTION;
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;

use super::body::{self, Arriving};
use super::cors::{self, Cors};
use super::reply::{Reply, error_response};
use super::routes::{Access, Endpoint, Matched, ROUTES, Route, Surface, Table};
use super::{Query, query};
use crate::api;
use crate::app::App;
use crate::auth::Principal;
use crate::error::{ApiError, ApiResult, Code};
use crate::rate_limit::Standing;
use crate::telemetry::trace::{self, Incoming};

/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 64;
/// Answers slower than this are logged.
const SLOW_ANSWER: Duration = Duration::from_secs(1);

/// Address of the client, put into each request by the accept loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Cuts the connection of a request; cancelled too when the connection ends by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(pub(super) CancellationToken);

/// What a handler sees of a request.
pub struct Request<'a> {
    /// Headers as they came.
    pub headers: &'a HeaderMap,
    /// Cuts the connection, and is cancelled when that ends: for answers that go on.
    pub connection: &'a CancellationToken,
    /// Decoded parameters of the path.
    parameters: HashMap<&'static str, String>,
    /// Decoded query string.
    pub query: Query,
    /// The body; empty unless the route takes one.
    pub body: &'a [u8],
    /// The caller; `None` on open routes.
    caller: Option<Principal>,
}

impl Request<'_> {
    /// The authenticated caller.
    ///
    /// # Errors
    /// `AUTH_REQUIRED` on a route that was declared open.
    pub fn caller(&self) -> ApiResult<&Principal> {
        let missing = || ApiError::new(Code::AuthRequired, "send a credential");
        self.caller.as_ref().ok_or_else(missing)
    }

    /// A parameter of the path.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A UUID in the path.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn uuid_parameter(&self, name: &str) -> ApiResult<Uuid> {
        query::uuid(name, self.parameter(name))
    }
}

/// The filter that serves one port.
pub fn service(
    app: Arc<App>,
    surface: Surface,
) -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone {
    let table = Arc::new(Table::new(surface));
    // The operations port is not for browsers.
    let origins = app.config.cors_allow_origins.as_deref().filter(|_| surface == Surface::Api);
    let cors = Arc::new(Cors::new(origins));
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let cut = warp::ext::optional().map(|cut: Option<Cut>| cut.unwrap_or_default().0);
    warp::method()
        .and(warp::path::full())
        .and(raw_query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(cut)
        .and(warp::body::stream())
        .then(move |method: Method, path: FullPath, query: String, headers, peer, cut, body| {
            let (app, table, cors) = (Arc::clone(&app), Arc::clone(&table), Arc::clone(&cors));
            async move {
                let head = Head { method, path, query, headers, peer, connection: cut };
                let matched = table.find(head.method.as_str(), head.path.as_str());
                let span = begin_span(&app, &head, &matched);
                trace::within(span, answer(&app, matched, &cors, head, Arriving::new(body))).await
            }
        })
}

struct Head {
    method: Method,
    path: FullPath,
    query: String,
    headers: HeaderMap,
    peer: Option<Peer>,
    connection: CancellationToken,
}

async fn answer<B, S>(
    app: &App,
    matched: Matched,
    cors: &Cors,
    head: Head,
    mut body: Arriving<S>,
) -> Response
where
    B: Buf,
    S: Stream<Item = Result<B, warp::Error>> + Unpin + Send + 'static,
{
    let started = Instant::now();
    let request_id = request_id(&head.headers);
    let place = place(&matched);
    let limit = Duration::from_secs(app.config.request_timeout_secs);
    let mut standing = None;
    let mut preflight = None;
    let result = match matched {
        Matched::Route(place, parameters) => {
            let served = serve(app, place, parameters, &head, &mut body, &mut standing);
            tokio::time::timeout(limit, served).await.unwrap_or_else(|_| {
                let message = format!("no answer within {} s", limit.as_secs());
                Err(ApiError::new(Code::Timeout, message).retry_after(1))
            })
        }
        Matched::WrongMethod(methods) if cors.is_preflight(head.method.as_str(), &head.headers) => {
            preflight = Some(methods);
            Ok(Reply::raw_json("{}"))
        }
        Matched::WrongMethod(allow) => {
            let message = format!("this path takes {allow}");
            let error = ApiError::new(Code::MethodNotAllowed, message);
            Err(ApiError { allow: Some(allow), ..error })
        }
        Matched::Nothing => Err(ApiError::new(Code::ResourceNotFound, "there is no such path")),
    };
    let is_stream = result.as_ref().is_ok_and(Reply::is_stream);
    let (mut response, error) = match result {
        Ok(reply) => (reply.into_response(), None),
        Err(error) => {
            app.metrics.errors[error.code.category()].inc();
            (error_response(&error, &request_id), Some(error))
        }
    };
    let headers = response.headers_mut();
    cors.mark(&head.headers, headers);
    if let Some(methods) = preflight {
        cors::answer_preflight(&methods, headers);
    }
    if let Some(standing) = standing {
        show_standing(standing, headers);
    }
    let must_close = body.leave(&head.headers);
    finish(app, must_close, &mut response, &request_id);
    let status = response.status();
    match place {
        Some(place) => {
            app.metrics.count_answer(place, status.as_u16());
            let metrics = &app.metrics;
            let duration =
                if is_stream { &metrics.live.first_byte } else { &metrics.route(place).duration };
            duration.observe(started.elapsed().as_secs_f64());
        }
        None => {
            let method = HttpMethod::from_text(head.method.as_str());
            app.metrics.count_unmatched(method, status.as_u16());
        }
    }
    app.tracing.answered(status.as_u16(), &request_id, error.as_ref().map(|e| e.code.as_str()));
    log(&head, place, status, started.elapsed(), &request_id, error.as_ref());
    response
}

/// The place of a route in the table.
fn place(matched: &Matched) -> Option<usize> {
    if let Matched::Route(place, _) = matched { Some(*place) } else { None }
}

/// The span of a request, except of those that machines repeat every few seconds for ever.
fn begin_span(app: &App, head: &Head, matched: &Matched) -> Option<opentelemetry::Context> {
    let route = place(matched).map(|place| ROUTES[place]);
    let polled = |route: Route| match route.endpoint {
        Endpoint::Health | Endpoint::HealthLive => true,
        Endpoint::Ready | Endpoint::HealthReady => true,
        endpoint => endpoint == Endpoint::Metrics,
    };
    if route.is_some_and(polled) {
        return None;
    }
    app.tracing.begin(&Incoming {
        method: HttpMethod::from_text(head.method.as_str()),
        route: route.map(|route| route.spec.template),
        path: head.path.as_str(),
        headers: &head.headers,
        client: head.peer.map(|Peer(address)| address.ip()),
    })
}

/// Checks the credential and the limits, then reads the body, then calls the handler.
async fn serve<B, S>(
    app: &App,
    place: usize,
    parameters: HashMap<&'static str, String>,
    head: &Head,
    body: &mut Arriving<S>,
    standing: &mut Option<Standing>,
) -> ApiResult<Reply>
where
    B: Buf,
    S: Stream<Item = Result<B, warp::Error>> + Unpin,
{
    let Route { endpoint, access, spec, .. } = ROUTES[place];
    let caller = match access {
        Access::Open => None,
        Access::Authenticated | Access::With(_) => {
            let address = head.peer.map(|Peer(address)| address.ip());
            let caller = app.authenticator.authenticate(&head.headers, address).await?;
            let (now, allowed) = app.rate_limits.count(&caller);
            *standing = now;
            allowed?;
            Some(caller)
        }
    };
    let refused = |error: ApiError| {
        app.metrics.auth_failures[AuthFailure::Forbidden].inc();
        error
    };
    if let (Access::With(right), Some(caller)) = (access, &caller) {
        caller.require(right).map_err(refused)?;
    }
    let query = Query::parse(&head.query)?;
    let Head { headers, connection, .. } = head;
    let request = Request { headers, connection, parameters, query, body: &[], caller };
    let result = if spec.method == HttpMethod::Post {
        let ingest = endpoint == Endpoint::Ingest;
        let admit = || app.admission.admit(body::announced(headers));
        let admitted = ingest.then(admit).transpose()?;
        let body = body::read(app, headers, body).await?;
        app.metrics.route(place).size.observe(body.bytes.len() as f64);
        let result = api::call(app, endpoint, Request { body: &body.bytes, ..request }).await;
        // What failed for want of a store was no work done.
        let is_done = |error: &ApiError| !error.code.status().is_server_error();
        if let Some(admitted) = admitted.filter(|_| result.as_ref().err().is_none_or(is_done)) {
            admitted.finish();
        }
        result
    } else {
        app.metrics.route(place).size.observe(0.0);
        api::call(app, endpoint, request).await
    };
    result.map_err(
        |error| {
            if error.code == Code::InsufficientPermissions { refused(error) } else { error }
        },
    )
}

/// The headers of a caller that has a limit.
fn show_standing(standing: Standing, headers: &mut HeaderMap) {
    headers.insert("ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(standing.reset_seconds));
}

/// The client's id when it is short and printable, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    given
        .filter(|id| (1..=MAX_REQUEST_ID).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Headers that every answer carries.
fn finish(app: &App, must_close: bool, response: &mut Response, request_id: &str) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    if let Some(value) = app.tracing.response_header() {
        headers.insert("traceresponse", value);
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if must_close || app.lifecycle.is_draining() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// One line where the answer is made: failures of ours as errors with their causes, refusals and
/// slow answers as information, the rest for whoever debugs. Requests that were shed are among the
/// rest: they come by the thousand when there is least time to write lines, and are counted.
fn log(
    head: &Head,
    place: Option<usize>,
    status: StatusCode,
    elapsed: Duration,
    request_id: &str,
    error: Option<&ApiError>,
) {
    let method = head.method.as_str();
    let route = place.map_or(catalog::label::UNMATCHED_ROUTE, |place| ROUTES[place].spec.template);
    let peer = head.peer.map(|Peer(address)| tracing::field::display(address));
    let (status, seconds) = (status.as_u16(), elapsed.as_secs_f64());
    let code = error.map(|error| error.code.as_str());
    let detail = error.map(|error| error.message.as_str());
    let cause = error.and_then(|error| error.cause.as_ref()).map(|cause| format!("{cause:#}"));
    let was_shed =
        matches!(error.map(|error| error.code), Some(Code::Overloaded | Code::RateLimitExceeded));
    if was_shed {
        tracing::debug!(request_id, method, route, status, seconds, code, detail, peer, "shed");
    } else if error.is_some_and(|error| error.code.status().is_server_error()) {
        tracing::error!(
            request_id, method, route, status, seconds, code, detail, cause, peer, "failed"
        );
    } else if error.is_some() || elapsed > SLOW_ANSWER {
        tracing::info!(request_id, method, route, status, seconds, code, detail, peer, "answered");
    } else {
        tracing::debug!(request_id, method, route, status, seconds, peer, "answered");
    }
}
