//! The one error shape of the API, and which status each error has.
//!
//! 4xx tells the caller what to change, 503 is load or a dependency, 500 is our bug. No message
//! carries SQL, a path or a stack; the cause is logged once, where the answer is made.

use catalog::label::ErrorCategory;
use serde_json::{Value, json};
use uuid::Uuid;
use warp::http::StatusCode;

use crate::store::StoreError;

/// Declares the codes with their stable number, status and category.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $variant:ident => $name:literal, $number:literal, $status:ident, $category:ident;
    )+) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// The code's text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
            /// The code's number.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)+ }
            }
            /// The status it is answered with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }
            /// How it is counted.
            #[must_use]
            pub fn category(self) -> ErrorCategory {
                match self { $(Self::$variant => ErrorCategory::$category,)+ }
            }
        }
    };
}

codes! {
    /// No credential.
    AuthRequired => "AUTH_REQUIRED", 1001, UNAUTHORIZED, Auth;
    /// Unknown, revoked or malformed credential.
    InvalidApiKey => "INVALID_API_KEY", 1002, UNAUTHORIZED, Auth;
    /// The credential lacks the right.
    InsufficientPermissions => "INSUFFICIENT_PERMISSIONS", 1005, FORBIDDEN, Auth;
    /// More requests than the caller may send.
    RateLimitExceeded => "RATE_LIMIT_EXCEEDED", 2001, TOO_MANY_REQUESTS, RateLimit;
    /// More load than the process takes.
    Overloaded => "OVERLOADED", 2003, SERVICE_UNAVAILABLE, Internal;
    /// The body cannot be read as what the route takes.
    InvalidRequestBody => "INVALID_REQUEST_BODY", 3001, BAD_REQUEST, Validation;
    /// Something required is not there.
    MissingRequiredField => "MISSING_REQUIRED_FIELD", 3002, BAD_REQUEST, Validation;
    /// Something is there and wrong.
    InvalidFieldValue => "INVALID_FIELD_VALUE", 3003, BAD_REQUEST, Validation;
    /// The body is too large.
    PayloadTooLarge => "PAYLOAD_TOO_LARGE", 3004, PAYLOAD_TOO_LARGE, Validation;
    /// Too many events.
    BatchTooLarge => "BATCH_TOO_LARGE", 3005, PAYLOAD_TOO_LARGE, Validation;
    /// The route does not take this method.
    MethodNotAllowed => "METHOD_NOT_ALLOWED", 3010, METHOD_NOT_ALLOWED, Validation;
    /// The body is not JSON by its media type.
    UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE", 3011, UNSUPPORTED_MEDIA_TYPE, Validation;
    /// No such path or thing.
    ResourceNotFound => "RESOURCE_NOT_FOUND", 4001, NOT_FOUND, Validation;
    /// No such event.
    EventNotFound => "EVENT_NOT_FOUND", 4002, NOT_FOUND, Validation;
    /// No such commitment, or none yet.
    BatchNotFound => "BATCH_NOT_FOUND", 4003, NOT_FOUND, Validation;
    /// No such agent key.
    AgentKeyNotFound => "AGENT_KEY_NOT_FOUND", 4005, NOT_FOUND, Validation;
    /// Something with that identity exists.
    AlreadyExists => "ALREADY_EXISTS", 5004, CONFLICT, Conflict;
    /// A signature does not verify.
    InvalidSignature => "INVALID_SIGNATURE", 6001, BAD_REQUEST, Validation;
    /// Not a usable public key.
    InvalidPublicKey => "INVALID_PUBLIC_KEY", 6003, BAD_REQUEST, Validation;
    /// Numbers do not fit the stream.
    SequenceGap => "SEQUENCE_GAP", 7003, CONFLICT, Conflict;
    /// The store holds something impossible.
    DatabaseError => "DATABASE_ERROR", 8001, INTERNAL_SERVER_ERROR, Database;
    /// The store does not answer, or the disk is full.
    ServiceUnavailable => "SERVICE_UNAVAILABLE", 8002, SERVICE_UNAVAILABLE, Database;
    /// The request took too long.
    Timeout => "TIMEOUT", 8003, GATEWAY_TIMEOUT, Internal;
    /// A bug of ours.
    InternalError => "INTERNAL_ERROR", 8999, INTERNAL_SERVER_ERROR, Internal;
}

/// An answer that is not a success.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct ApiError {
    /// What kind.
    pub code: Code,
    /// What is wrong and what to do.
    pub message: String,
    /// Figures the caller can act on.
    pub details: Option<Value>,
    /// Seconds after which the same request may succeed.
    pub retry_after_seconds: Option<u32>,
    /// Methods that the path takes, for 405.
    pub allow: Option<String>,
    /// For the log.
    #[source]
    pub cause: Option<anyhow::Error>,
}

/// A result whose error is an answer.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with a message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, details: None, retry_after_seconds: None, allow: None, cause: None }
    }

    /// A wrong value of a named field or parameter.
    #[must_use]
    pub fn field(name: &str, problem: &str) -> Self {
        Self::new(Code::InvalidFieldValue, format!("`{name}` {problem}"))
    }

    /// With figures.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Asks the caller to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Value {
        let mut error = json!({
            "code": self.code.as_str(),
            "numeric_code": self.code.number(),
            "message": self.message,
            "request_id": request_id,
        });
        if let Some(details) = &self.details {
            error["details"] = details.clone();
        }
        json!({ "error": error })
    }
}

/// The answer while the disk has too little room for a write.
#[must_use]
pub fn disk_full() -> ApiError {
    let message = "the disk of the store is nearly full; writes resume by themselves when there \
                   is room again, reads go on";
    ApiError::new(Code::ServiceUnavailable, message)
        .with_details(json!({ "reason": "disk_full" }))
        .retry_after(10)
}

/// The answer to something that belongs to nobody the caller may see.
#[must_use]
pub fn batch_not_found(batch_id: Uuid) -> ApiError {
    ApiError::new(Code::BatchNotFound, format!("there is no commitment {batch_id}"))
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => disk_full(),
            StoreError::DiskRefuses(cause) => {
                let message = "the disk of the store refuses to write, reads go on; repeat the \
                               request, that is safe";
                let error = Self::new(Code::ServiceUnavailable, message)
                    .with_details(json!({ "reason": "disk_error" }))
                    .retry_after(10);
                Self { cause: Some(cause), ..error }
            }
            StoreError::Unavailable { retry_after } => {
                let seconds = u32::try_from(retry_after.as_millis().div_ceil(1_000));
                let message = "the store does not answer and is left alone for a moment; repeat \
                               the request, that is safe";
                Self::new(Code::ServiceUnavailable, message)
                    .with_details(json!({ "reason": "circuit_breaker_open" }))
                    .retry_after(seconds.unwrap_or(u32::MAX).max(1))
            }
            StoreError::Gap { missing, head } => Self::new(
                Code::SequenceGap,
                format!("number {missing} is missing below the head {head}: the log is damaged"),
            )
            .with_details(json!({ "missing_sequence": missing, "head_sequence": head })),
            StoreError::Failed(cause) => Self {
                cause: Some(cause),
                ..Self::new(
                    Code::ServiceUnavailable,
                    "the store does not answer; repeat the request, that is safe",
                )
                .retry_after(1)
            },
            StoreError::Corrupt(_) => Self {
                cause: Some(error.into()),
                ..Self::new(Code::DatabaseError, "the store holds a malformed value")
            },
        }
    }
}
