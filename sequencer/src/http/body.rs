//! Request bodies: never more in memory than was reserved for them.

use bytes::{Buf, BytesMut};
use catalog::label::ShedReason;
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use std::pin::pin;
use tokio::sync::SemaphorePermit;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::app::App;
use crate::error::{ApiError, ApiResult, Code};

/// A body in memory and the room it takes; both go together.
pub(super) struct Body<'a> {
    pub(super) bytes: BytesMut,
    _room: SemaphorePermit<'a>,
}

/// Reads a body of JSON.
pub(super) async fn read<'a, B: Buf>(
    app: &'a App,
    headers: &HeaderMap,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> ApiResult<Body<'a>> {
    check_media_type(headers)?;
    let limit = app.config.max_body_size_bytes;
    let too_large = || {
        ApiError::new(Code::PayloadTooLarge, format!("the body is above {limit} bytes"))
            .with_details(serde_json::json!({ "max_bytes": limit }))
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| length > u64::from(limit)) {
        return Err(too_large());
    }
    // A chunked body does not say how long it is: it reserves what it may grow to.
    let reserve = announced.and_then(|length| u32::try_from(length).ok()).unwrap_or(limit);
    let Ok(room) = app.inflight.try_acquire_many(reserve) else {
        app.metrics.requests_shed[ShedReason::InflightBytes].inc();
        let message = "too many request bodies are in memory; repeat the request";
        return Err(ApiError::new(Code::Overloaded, message).retry_after(1));
    };
    let mut stream = pin!(stream);
    let mut bytes = BytesMut::with_capacity(announced.map_or(0, |_| reserve as usize));
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|_| {
            ApiError::new(Code::InvalidRequestBody, "the body ended before it was complete")
        })?;
        if bytes.len() + chunk.remaining() > limit as usize {
            return Err(too_large());
        }
        while chunk.has_remaining() {
            let part = chunk.chunk();
            bytes.extend_from_slice(part);
            let length = part.len();
            chunk.advance(length);
        }
    }
    Ok(Body { bytes, _room: room })
}

/// Refuses what says that it is not JSON; saying nothing is fine.
fn check_media_type(headers: &HeaderMap) -> ApiResult<()> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(Code::UnsupportedMediaType, "send `content-type: application/json`"))
}

/// Refuses a body that is no JSON object before it is read as a structure, which could also be
/// read from an array of its members' values.
///
/// # Errors
/// `INVALID_REQUEST_BODY`.
pub fn require_object(body: &[u8]) -> ApiResult<()> {
    if body.trim_ascii_start().starts_with(b"{") {
        return Ok(());
    }
    Err(ApiError::new(Code::InvalidRequestBody, "the body must be a JSON object"))
}

/// A body as an administrative request, which refuses unknown members.
///
/// # Errors
/// `INVALID_REQUEST_BODY` when it is no JSON object, `MISSING_REQUIRED_FIELD` or
/// `INVALID_FIELD_VALUE` when its members are wrong.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    require_object(body)?;
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let code = if !error.is_data() {
            Code::InvalidRequestBody
        } else if text.starts_with("missing field") {
            Code::MissingRequiredField
        } else {
            Code::InvalidFieldValue
        };
        ApiError::new(code, format!("the body is wrong: {text}"))
    })
}
