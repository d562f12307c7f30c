//! An answer of the API, and what all of them have in common.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// The numeric code, the code and the status of every error a test may meet.
pub(crate) const CODES: [(&str, u64, u16); 24] = [
    ("AUTH_REQUIRED", 1001, 401),
    ("INVALID_API_KEY", 1002, 401),
    ("INSUFFICIENT_PERMISSIONS", 1005, 403),
    ("RATE_LIMIT_EXCEEDED", 2001, 429),
    ("OVERLOADED", 2003, 503),
    ("INVALID_REQUEST_BODY", 3001, 400),
    ("MISSING_REQUIRED_FIELD", 3002, 400),
    ("INVALID_FIELD_VALUE", 3003, 400),
    ("PAYLOAD_TOO_LARGE", 3004, 413),
    ("BATCH_TOO_LARGE", 3005, 413),
    ("METHOD_NOT_ALLOWED", 3010, 405),
    ("UNSUPPORTED_MEDIA_TYPE", 3011, 415),
    ("RESOURCE_NOT_FOUND", 4001, 404),
    ("EVENT_NOT_FOUND", 4002, 404),
    ("BATCH_NOT_FOUND", 4003, 404),
    ("AGENT_KEY_NOT_FOUND", 4005, 404),
    ("ALREADY_EXISTS", 5004, 409),
    ("INVALID_SIGNATURE", 6001, 400),
    ("INVALID_PUBLIC_KEY", 6003, 400),
    ("SEQUENCE_GAP", 7003, 409),
    ("DATABASE_ERROR", 8001, 500),
    ("SERVICE_UNAVAILABLE", 8002, 503),
    ("TIMEOUT", 8003, 504),
    ("INTERNAL_ERROR", 8999, 500),
];

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        self.check_conventions();
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Asserts the error, its status, number and headers, and returns its `error` member.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str) -> Value {
        self.check_conventions();
        assert_eq!(self.code(), code, "{}", self.text);
        self.json()["error"].clone()
    }

    /// The code of an error; empty for a success.
    pub(crate) fn code(&self) -> String {
        if self.status < 300 {
            return String::new();
        }
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What the contract says about every answer.
    #[track_caller]
    pub(crate) fn check_conventions(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let request_id = self.header("x-request-id").unwrap();
        assert!((1..=64).contains(&request_id.len()));
        let body = self.json();
        if self.status == 200 || body.get("error").is_none() {
            assert!(matches!(self.status, 200 | 503), "{self:?}");
            return;
        }
        let error = &body["error"];
        assert_eq!(body.as_object().unwrap().len(), 1, "only `error`: {body}");
        for name in error.as_object().unwrap().keys() {
            let known = ["code", "numeric_code", "message", "request_id", "details"];
            assert!(known.contains(&name.as_str()), "unknown member {name}: {body}");
        }
        let code = error["code"].as_str().unwrap();
        let known = CODES.iter().find(|(name, ..)| *name == code);
        let (_, number, status) = known.unwrap_or_else(|| panic!("unknown code {code}"));
        assert_eq!(error["numeric_code"], *number, "{body}");
        assert_eq!(self.status, *status, "{body}");
        assert_eq!(self.header("x-error-code"), Some(code));
        assert_eq!(error["request_id"], request_id);
        let message = error["message"].as_str().unwrap();
        assert!(message.len() > 10, "says what is wrong: {body}");
        for leak in ["SELECT", "INSERT", "sqlite", ".rs:", "/tmp", "panicked"] {
            assert!(!message.contains(leak), "the message leaks {leak}: {message}");
        }
        if matches!(self.status, 429 | 503) {
            let seconds: u32 = self.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{self:?}");
        }
        if self.status == 405 {
            assert!(!self.header("allow").unwrap().is_empty());
        }
    }
}

/// Waits until `done` gives a value; fails after `limit`.
pub(crate) async fn eventually<T, F>(limit: Duration, mut done: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = std::time::Instant::now();
    loop {
        if let Some(value) = done().await {
            return value;
        }
        assert!(started.elapsed() < limit, "did not happen within {limit:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
