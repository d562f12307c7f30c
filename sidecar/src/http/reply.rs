//! Answers and the headers that all of them carry.

use bytes::Bytes;
use serde::Serialize;
use warp::http::HeaderValue;
use warp::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap};
use warp::reply::Response;

/// For what is no page: nothing may be loaded, and nobody may frame it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// 200 with a body of this type.
pub(super) fn with_type(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// 200 with JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    // What the rooms show are plain structures with text keys: they always have a JSON.
    with_type("application/json", serde_json::to_vec(value).unwrap_or_default())
}

/// 200 with a page under its own policy.
pub(super) fn html(page: Bytes, policy: &HeaderValue) -> Response {
    let mut response = with_type("text/html; charset=utf-8", page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.clone());
    response
}

/// What every answer carries: it is not kept, not guessed at, not framed, and not read by others.
pub(super) fn secure(headers: &mut HeaderMap) {
    let mut set = |name: &'static str, value| headers.insert(name, HeaderValue::from_static(value));
    set(CACHE_CONTROL.as_str(), "no-store");
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "no-referrer");
    set("cross-origin-resource-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
}
