//! Answers.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use warp::Reply as _;
use warp::http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::error::{ApiError, ApiResult, Code};
use crate::stream::Parts;

/// A successful answer, or one with a status of its own such as readiness.
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Body,
}

enum Body {
    Whole(Bytes),
    /// Parts as they come; the answer ends when their sender is gone.
    Parts(Parts),
}

impl Reply {
    /// 200 with JSON.
    ///
    /// # Errors
    /// When the value has no JSON, which is a bug.
    pub fn json<T: Serialize>(value: &T) -> ApiResult<Self> {
        let body = serde_json::to_vec(value).map_err(|error| ApiError {
            cause: Some(error.into()),
            ..ApiError::new(Code::InternalError, "the answer could not be written")
        })?;
        Ok(Self::raw_json(body))
    }

    /// 200 with JSON that is written already.
    pub fn raw_json(body: impl Into<Bytes>) -> Self {
        let body = Body::Whole(body.into());
        Self { status: StatusCode::OK, content_type: "application/json", body }
    }

    /// 200 with a Prometheus scrape.
    pub fn metrics(body: String) -> Self {
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        Self { status: StatusCode::OK, content_type, body: Body::Whole(body.into()) }
    }

    /// 200 with a body that is made while it is read. Its connection serves nothing else.
    #[must_use]
    pub fn stream(content_type: &'static str, parts: Parts) -> Self {
        Self { status: StatusCode::OK, content_type, body: Body::Parts(parts) }
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.body, Body::Parts(_))
    }

    /// The same answer with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn into_response(self) -> Response {
        let is_stream = self.is_stream();
        let mut response = match self.body {
            Body::Whole(bytes) => Response::new(bytes.into()),
            Body::Parts(parts) => {
                warp::reply::stream(parts.map(Ok::<_, Infallible>)).into_response()
            }
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if is_stream {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            // Or nginx collects events until its buffer is full.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        response
    }
}

/// The one error shape, with its headers.
pub(super) fn error_response(error: &ApiError, request_id: &str) -> Response {
    let body = error.to_json(request_id).to_string();
    let reply = Reply::raw_json(body).with_status(error.code.status());
    let mut response = reply.into_response();
    let headers = response.headers_mut();
    headers.insert("x-error-code", HeaderValue::from_static(error.code.as_str()));
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = error.allow.as_deref().and_then(|allow| allow.parse().ok()) {
        headers.insert(ALLOW, allow);
    }
    if error.code.status() == StatusCode::UNAUTHORIZED {
        headers.insert("www-authenticate", HeaderValue::from_static("ApiKey"));
    }
    response
}
