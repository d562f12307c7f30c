//! Which web pages may call the API from a browser: none, unless the operator names them.
//!
//! A page sends its credential as a header, so `access-control-allow-credentials`, which is about
//! cookies, is never sent.

use catalog::label::HttpMethod;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use warp::http::{HeaderMap, HeaderValue};

/// Request headers that the API reads.
const ALLOWED: &str = "authorization, content-type, x-api-key, x-request-id, last-event-id, \
                       traceparent, tracestate";
/// Answer headers that a page may see.
const EXPOSED: &str = "x-request-id, x-error-code, retry-after, ratelimit-limit, \
                       ratelimit-remaining, ratelimit-reset, traceresponse";
/// Seconds for which a browser remembers a preflight.
const MAX_AGE: &str = "600";

/// The origins that are allowed.
#[derive(Debug, Default)]
pub(super) struct Cors {
    any: bool,
    origins: Vec<String>,
}

impl Cors {
    /// From a checked configuration: nothing, `*`, or origins with commas between them.
    pub(super) fn new(configured: Option<&str>) -> Self {
        let origins = configured.map(origins).unwrap_or_default();
        Self { any: origins.iter().any(|origin| origin == "*"), origins }
    }

    /// True for the question of a browser whether a page may send a request.
    pub(super) fn is_preflight(&self, method: &str, headers: &HeaderMap) -> bool {
        method == HttpMethod::Options.as_str()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && self.allowed(headers).is_some()
    }

    /// Adds what a browser wants to see to any answer.
    pub(super) fn mark(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if !self.any && self.origins.is_empty() {
            return;
        }
        answer.insert(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed(request) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// The origin to answer with.
    fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        let known = self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }
}

/// Adds the answer to a preflight of a path that takes these methods.
pub(super) fn answer_preflight(methods: &str, answer: &mut HeaderMap) {
    if let Ok(methods) = HeaderValue::from_str(methods) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
}

/// The parts of a configured list.
pub(crate) fn origins(list: &str) -> Vec<String> {
    list.split(',').map(|origin| origin.trim().to_owned()).filter(|o| !o.is_empty()).collect()
}

/// True for what a browser sends as an origin: scheme, host and perhaps a port, nothing behind.
pub(crate) fn is_origin(text: &str) -> bool {
    let host = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    host.is_some_and(|host| {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte)
        };
        !host.is_empty() && host.bytes().all(allowed)
    })
}
