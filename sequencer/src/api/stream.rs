//! Following a stream live.

use warp::http::header::ACCEPT;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::http::{Reply, Request, number};
use crate::stream::{Format, Subscription};

/// Header with which a client of server-sent events says what it has.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn follow(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    let caller = request.caller()?;
    caller.require_stream(&stream)?;
    let accept = request.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let wanted = Subscription {
        stream,
        format,
        from: first_wanted(request)?,
        caller: caller.clone(),
        connection: request.connection.clone(),
    };
    Ok(Reply::stream(format.content_type(), app.live.open(wanted).await?))
}

/// `Last-Event-ID` counts before `from`: a client that connects again by itself repeats its query.
fn first_wanted(request: &Request<'_>) -> ApiResult<u64> {
    let from = request.query.number("from", 1)?.max(1);
    let Some(last) = request.headers.get(LAST_EVENT_ID) else {
        return Ok(from);
    };
    let last = last.to_str().map_err(|_| ApiError::field(LAST_EVENT_ID, "must be a number"))?;
    Ok(number(LAST_EVENT_ID, last)? + 1)
}
