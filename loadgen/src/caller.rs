//! One request and its whole answer, or the named reason why there is none.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use catalog::label::LoadError;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::environment::{Environment, Key};

/// Longest wait for a whole answer: that of a request at the server plus a margin.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait that an answer may ask for before the next attempt.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Sends requests to one target with one credential.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Shot {
    /// GET or POST.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// JSON; empty for none.
    pub body: Bytes,
}

impl Shot {
    /// A GET.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new() }
    }

    /// A POST.
    #[must_use]
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.into() }
    }
}

/// A whole answer with a good status, or one that the caller wants to judge.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Requests a minute that the target allows this credential, where it says so.
    pub rate_limit: Option<u64>,
}

/// Why a request failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", class.as_str())]
pub struct Failure {
    /// In which way.
    pub class: LoadError,
    /// In words, without secrets.
    pub message: String,
    /// Whether a whole answer came.
    pub is_answered: bool,
    /// What the target asks to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A good status with a body that is not what was asked for.
    #[must_use]
    pub fn bad_answer(message: impl Into<String>) -> Self {
        let (class, message) = (LoadError::BadAnswer, message.into());
        Self { class, message, is_answered: true, retry_after: None }
    }

    /// Whether the same bytes may do better later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self.class,
            LoadError::Connect
                | LoadError::ConnectionLost
                | LoadError::HalfAnswer
                | LoadError::Timeout
                | LoadError::Overloaded
                | LoadError::RateLimited
                | LoadError::ServerError
        )
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
    message: String,
}

impl Caller {
    /// A client of this target.
    ///
    /// # Errors
    /// When a certificate file or the key cannot be used.
    pub fn new(environment: &Environment, key: Option<&Key>) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("ApiKey {}", key.expose()));
            let mut value = value.ok().context("the API key holds characters no key has")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(usize::MAX)
            .tcp_nodelay(true)
            // A redirect would carry the credential and the load to wherever it points.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &environment.ca_file {
            let name = file.display();
            let pem = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{name} holds no certificate"))?;
            for root in roots {
                builder = builder.add_root_certificate(root);
            }
        }
        let http = builder.build().context("the HTTP client cannot start")?;
        Ok(Self { http, base: environment.url.trim_end_matches('/').to_owned() })
    }

    /// Sends and reads the whole answer; statuses in `also` are as good as 2xx.
    ///
    /// # Errors
    /// The named reason.
    pub async fn send(&self, shot: &Shot, also: &[u16]) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.base, shot.path);
        let mut request = self.http.request(shot.method.clone(), url);
        if !shot.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(shot.body.clone());
        }
        let response = request.send().await.map_err(|error| unanswered(&error, false))?;
        let status = response.status();
        let rate_limit = header(response.headers(), "ratelimit-limit");
        let retry_after = header(response.headers(), RETRY_AFTER.as_str())
            .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        let location = response.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(|error| unanswered(&error, true))?;
        if status.is_success() || also.contains(&status.as_u16()) {
            return Ok(Answer { status: status.as_u16(), body, rate_limit });
        }
        Err(refused(status, &body, location.as_deref(), retry_after))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn refused(
    status: StatusCode,
    body: &[u8],
    location: Option<&str>,
    retry_after: Option<Duration>,
) -> Failure {
    let class = match status.as_u16() {
        300..=399 => LoadError::Redirect,
        401 | 403 => LoadError::Unauthorized,
        429 => LoadError::RateLimited,
        503 => LoadError::Overloaded,
        400..=499 => LoadError::ClientError,
        _ => LoadError::ServerError,
    };
    let said = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => format!(" {}: {}", error.code, error.message),
        Err(_) => String::new(),
    };
    let to = location.map(|to| format!(" to {to}")).unwrap_or_default();
    let message = format!("{}{to}{said}", status.as_u16());
    Failure { class, message, is_answered: true, retry_after }
}

fn unanswered(error: &reqwest::Error, has_begun: bool) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    let mut chain = String::new();
    while let Some(inner) = cause.source() {
        cause = inner;
        chain.push_str(&cause.to_string());
        chain.push(' ');
    }
    let chain = chain.to_lowercase();
    let is_tls = ["certificate", "tls", "handshake"].iter().any(|word| chain.contains(word));
    let class = if error.is_connect() && is_tls {
        LoadError::Tls
    } else if error.is_timeout() && !error.is_connect() {
        LoadError::Timeout
    } else if error.is_connect() {
        LoadError::Connect
    } else if has_begun {
        LoadError::HalfAnswer
    } else {
        LoadError::ConnectionLost
    };
    let message = if class == LoadError::Timeout {
        format!("no whole answer within {} s", REQUEST_TIMEOUT.as_secs())
    } else {
        cause.to_string()
    };
    Failure { class, message, is_answered: false, retry_after: None }
}

/// What a class means, in one sentence, for reports.
#[must_use]
pub fn meaning(class: LoadError) -> &'static str {
    match class {
        LoadError::Connect => "No connection: nobody listens there, or a firewall drops it.",
        LoadError::Tls => "No TLS session: certificate expired, unknown, or for another name.",
        LoadError::Timeout => "No whole answer came within the request timeout.",
        LoadError::ConnectionLost => "The connection ended before the answer began.",
        LoadError::HalfAnswer => "The connection ended within the answer.",
        LoadError::Redirect => "The target sends callers elsewhere; it was not followed.",
        LoadError::Unauthorized => "The target refuses the credential (401 or 403).",
        LoadError::RateLimited => "The credential's own rate limit (429).",
        LoadError::Overloaded => "The target answered 503: overloaded, or a dependency is away.",
        LoadError::ClientError => "The target refuses the request (another 4xx).",
        LoadError::ServerError => "The target failed (another 5xx).",
        LoadError::BadAnswer => "A good status with a body that is not what was asked for.",
        LoadError::RefusedEvent => "An event was refused inside a good answer.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_class() {
        for (status, expect) in [
            (301, LoadError::Redirect),
            (401, LoadError::Unauthorized),
            (403, LoadError::Unauthorized),
            (409, LoadError::ClientError),
            (429, LoadError::RateLimited),
            (500, LoadError::ServerError),
            (503, LoadError::Overloaded),
        ] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let body = br#"{"error":{"code":"X","message":"y"}}"#;
            let failure = refused(status, body, Some("http://b/"), None);
            assert_eq!(failure.class, expect);
            assert_eq!(failure.message, format!("{} to http://b/ X: y", status.as_u16()));
        }
        assert!(LoadError::ALL.iter().all(|class| meaning(*class).ends_with('.')));
        assert!(!Failure::bad_answer("x").is_passing());
    }
}
