//! Answers that are not a success: the one shape of the project, in words for a person.

use serde_json::json;
use uuid::Uuid;
use warp::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use super::reply;

/// What kind of problem, as the sequencer's API numbers them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Code {
    AuthRequired,
    InvalidToken,
    InsufficientPermissions,
    RateLimitExceeded,
    Overloaded,
    InvalidFieldValue,
    MethodNotAllowed,
    ResourceNotFound,
    InternalError,
}

impl Code {
    fn parts(self) -> (&'static str, u16, StatusCode) {
        match self {
            Self::AuthRequired => ("AUTH_REQUIRED", 1001, StatusCode::UNAUTHORIZED),
            Self::InvalidToken => ("INVALID_TOKEN", 1003, StatusCode::UNAUTHORIZED),
            Self::InsufficientPermissions => {
                ("INSUFFICIENT_PERMISSIONS", 1005, StatusCode::FORBIDDEN)
            }
            Self::RateLimitExceeded => ("RATE_LIMIT_EXCEEDED", 2001, StatusCode::TOO_MANY_REQUESTS),
            Self::Overloaded => ("OVERLOADED", 2003, StatusCode::SERVICE_UNAVAILABLE),
            Self::InvalidFieldValue => ("INVALID_FIELD_VALUE", 3003, StatusCode::BAD_REQUEST),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 3010, StatusCode::METHOD_NOT_ALLOWED),
            Self::ResourceNotFound => ("RESOURCE_NOT_FOUND", 4001, StatusCode::NOT_FOUND),
            Self::InternalError => ("INTERNAL_ERROR", 8999, StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Problem {
    code: Code,
    message: String,
    retry_after_seconds: Option<u64>,
    allow: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_seconds: None, allow: None }
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    pub(super) fn allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    pub(super) fn into_response(self) -> Response {
        let (name, number, status) = self.code.parts();
        let body = json!({ "error": {
            "code": name,
            "numeric_code": number,
            "message": self.message,
            "request_id": Uuid::new_v4(),
        }});
        let mut response = reply::with_type("application/json", body.to_string());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("x-error-code", HeaderValue::from_static(name));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if status == StatusCode::UNAUTHORIZED {
            // The scheme that makes a browser ask; any user name will do.
            let ask =
                HeaderValue::from_static("Basic realm=\"StateSet sidecar\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, ask);
        }
        response
    }
}
