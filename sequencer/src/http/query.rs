//! Query strings, with errors that name the parameter.

use std::collections::HashMap;

use uuid::Uuid;
use ves::Stream;
use ves::bytes::parse_uuid;

use crate::error::{ApiError, ApiResult, Code};

/// Default page length.
const DEFAULT_LIMIT: u32 = 100;
/// Longest page.
pub const MAX_LIMIT: u32 = 1000;

/// The decoded parameters of a request.
pub struct Query(HashMap<String, String>);

impl Query {
    /// Decodes a raw query string.
    ///
    /// # Errors
    /// When a parameter is given twice.
    pub fn parse(raw: &str) -> ApiResult<Self> {
        let mut values = HashMap::new();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            if values.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(ApiError::field(&name, "is given twice"));
            }
        }
        Ok(Self(values))
    }

    /// A parameter's text, when given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A UUID, when given.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn optional_uuid(&self, name: &str) -> ApiResult<Option<Uuid>> {
        self.text(name).map(|text| uuid(name, text)).transpose()
    }

    /// A UUID.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn uuid(&self, name: &str) -> ApiResult<Uuid> {
        self.optional_uuid(name)?.ok_or_else(|| {
            let message = format!("the query parameter `{name}` is missing");
            ApiError::new(Code::MissingRequiredField, message)
        })
    }

    /// `tenant_id` and `store_id`.
    ///
    /// # Errors
    /// When one is missing or malformed.
    pub fn stream(&self) -> ApiResult<Stream> {
        Ok(Stream { tenant_id: self.uuid("tenant_id")?, store_id: self.uuid("store_id")? })
    }

    /// A number up to 2^63 − 1, or the default.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn number(&self, name: &str, default: u64) -> ApiResult<u64> {
        self.text(name).map_or(Ok(default), |text| number(name, text))
    }

    /// `limit`: 1 to 1000, 100 unless given.
    ///
    /// # Errors
    /// When it is malformed or out of range.
    pub fn limit(&self) -> ApiResult<u32> {
        let limit = self.number("limit", DEFAULT_LIMIT.into())?;
        match u32::try_from(limit) {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
            _ => Err(ApiError::field("limit", &format!("must be 1 to {MAX_LIMIT}"))),
        }
    }

    /// `true` or `false`, when given.
    ///
    /// # Errors
    /// When it is neither.
    pub fn optional_flag(&self, name: &str) -> ApiResult<Option<bool>> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::field(name, "must be true or false")),
        }
    }
}

/// A UUID in the one form that is taken.
///
/// # Errors
/// When it is malformed.
pub(super) fn uuid(name: &str, text: &str) -> ApiResult<Uuid> {
    parse_uuid(text)
        .ok_or_else(|| ApiError::field(name, "must be a UUID in lower-case hyphenated form"))
}

/// Requires a number of a body to be at most 2^63 − 1, as everywhere.
///
/// # Errors
/// When it is larger.
pub fn check_number(name: &str, value: u64) -> ApiResult<()> {
    i64::try_from(value).map(|_| ()).map_err(|_| bad_number(name))
}

fn bad_number(name: &str) -> ApiError {
    ApiError::field(name, "must be a whole number from 0 to 2^63 - 1")
}

/// A number up to 2^63 − 1: digits only.
///
/// # Errors
/// When it is malformed.
pub fn number(name: &str, text: &str) -> ApiResult<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits { text.parse::<i64>().ok() } else { None };
    value.and_then(|value| u64::try_from(value).ok()).ok_or_else(|| bad_number(name))
}
