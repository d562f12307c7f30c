//! Request bodies: never more in memory than was reserved for them.

use bytes::{Buf, BytesMut};
use catalog::label::ShedReason;
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};

use crate::app::App;
use crate::error::{ApiError, ApiResult, Code};

/// A client that sends a body this fast is never cut off for its slowness, however long it is.
const BYTES_PER_SECOND: u64 = 64 << 10;
/// A body up to this size is read and forgotten when it is not wanted; above, closing is cheaper.
const MAX_FORGOTTEN_BYTES: u64 = 64 << 10;
/// Time for that.
const FORGETTING: Duration = Duration::from_secs(1);

/// A body in memory and the room it takes; both go together.
pub(super) struct Body<'a> {
    pub(super) bytes: BytesMut,
    _room: SemaphorePermit<'a>,
}

/// The body of a request while it comes.
pub(super) struct Arriving<S> {
    stream: S,
    at_end: bool,
}

/// Reads a body of JSON.
pub(super) async fn read<'a, B, S>(
    app: &'a App,
    headers: &HeaderMap,
    arriving: &mut Arriving<S>,
) -> ApiResult<Body<'a>>
where
    B: Buf,
    S: Stream<Item = Result<B, warp::Error>> + Unpin,
{
    check_media_type(headers)?;
    let limit = app.config.max_body_size_bytes;
    let too_large = || {
        ApiError::new(Code::PayloadTooLarge, format!("the body is above {limit} bytes"))
            .with_details(serde_json::json!({ "max_bytes": limit }))
    };
    let announced = announced(headers);
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
    let seconds = app.config.body_read_timeout_secs;
    let began = Instant::now();
    let mut bytes = BytesMut::with_capacity(announced.map_or(0, |_| reserve as usize));
    loop {
        // Every received piece buys time; a client that trickles runs out of it.
        let bought = bytes.len() as u64 / BYTES_PER_SECOND;
        let deadline = began + Duration::from_secs(seconds.saturating_add(bought));
        let chunk = tokio::time::timeout_at(deadline, arriving.stream.next()).await;
        let chunk = chunk.map_err(|_| {
            let message = format!("the body did not come within {seconds} s; send it faster");
            ApiError::new(Code::InvalidRequestBody, message)
        })?;
        let Some(chunk) = chunk else { break };
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
    arriving.at_end = true;
    Ok(Body { bytes, _room: room })
}

/// Bytes that a request says its body has.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<B, S> Arriving<S>
where
    B: Buf,
    S: Stream<Item = Result<B, warp::Error>> + Unpin + Send + 'static,
{
    pub(super) fn new(stream: S) -> Self {
        Self { stream, at_end: false }
    }

    /// Leaves a request that was answered, perhaps without its body. What is left of a small body
    /// is read and forgotten behind the answer, so that the connection can be used again. True:
    /// there may be more of it, and the connection is to be closed.
    pub(super) fn leave(mut self, headers: &HeaderMap) -> bool {
        let announced = announced(headers);
        let none = announced.unwrap_or(0) == 0 && !headers.contains_key(TRANSFER_ENCODING);
        if self.at_end || none {
            return false;
        }
        let small = announced.is_some_and(|length| length <= MAX_FORGOTTEN_BYTES);
        // Who expects to be asked before it sends has not sent.
        if !small || headers.contains_key(EXPECT) {
            return true;
        }
        tokio::spawn(tokio::time::timeout(FORGETTING, async move {
            while self.stream.next().await.is_some_and(|chunk| chunk.is_ok()) {}
        }));
        false
    }
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
