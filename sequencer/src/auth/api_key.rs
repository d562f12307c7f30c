//! API keys: their form, their making, and the check of a request's credential.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog::SequencerMetrics;
use catalog::label::AuthFailure;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use ves::bytes::encode_base64url;
use ves::{Hash32, Timestamp};
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use super::cache::LookupCache;
use super::principal::Principal;
use super::strangers::Strangers;
use crate::clock;
use crate::config::Config;
use crate::error::{ApiError, ApiResult, Code};
use crate::store::{ApiKeyRecord, Store, StoreError};

/// Every key begins with it.
const PREFIX: &str = "ss_";
/// Fewest characters behind the prefix.
const MIN_LENGTH: usize = 32;
/// Longest key that is looked at.
const MAX_LENGTH: usize = 256;
/// An unknown credential is not looked up again for this long.
const FRESH_MISSING: Duration = Duration::from_secs(1);
/// Oldest answer about a credential that lets a stream go on: asked every 2 s, a revocation made
/// elsewhere ends the stream within 5 s.
const FRESH_FOR_OPEN_STREAMS: Duration = Duration::from_secs(2);
/// Credentials whose last use is remembered between two flushes; later ones wait for the next.
const MAX_REMEMBERED_USES: usize = 10_000;

/// True for `^ss_[A-Za-z0-9_-]{32,}$`.
#[must_use]
pub fn is_well_formed(key: &str) -> bool {
    let body = key.strip_prefix(PREFIX).filter(|body| body.len() >= MIN_LENGTH);
    key.len() <= MAX_LENGTH
        && body.is_some_and(|body| {
            body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        })
}

/// A new key for a tenant: `ss_`, eight hex digits of the tenant, 24 random bytes.
///
/// # Errors
/// When the system has no randomness.
pub fn generate(tenant_id: Uuid) -> anyhow::Result<String> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)?;
    let tenant = tenant_id.simple().to_string();
    Ok(format!("{PREFIX}{}{}", &tenant[..8], encode_base64url(&random)))
}

/// SHA-256 of a key: all that is stored of it.
#[must_use]
pub fn hash(key: &str) -> Hash32 {
    Hash32(Sha256::digest(key.as_bytes()).into())
}

/// Public identifier of a key: 16 hex digits of its hash.
#[must_use]
pub fn public_prefix(key_hash: &Hash32) -> String {
    let mut hex = key_hash.to_string();
    hex.truncate(16);
    hex
}

/// Checks credentials against the store, through a cache.
pub struct Authenticator {
    store: Arc<dyn Store>,
    cache: LookupCache<Hash32, Arc<ApiKeyRecord>>,
    strangers: Strangers,
    metrics: Arc<SequencerMetrics>,
    /// Last uses since the last flush. Held for a map operation only.
    uses: Mutex<HashMap<Hash32, Timestamp>>,
}

impl Authenticator {
    /// An authenticator with the bounds of this configuration.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: Arc<SequencerMetrics>, config: &Config) -> Self {
        let capacity = config.credential_cache_entries;
        let cache = LookupCache::new(capacity, metrics.api_key_cache.clone(), FRESH_MISSING);
        let per_minute = config.unknown_credentials_per_minute;
        let strangers = Strangers::new(per_minute, config.rate_limit_max_entries);
        Self { store, cache, strangers, metrics, uses: Mutex::default() }
    }

    /// The caller of a request with these headers from this address.
    ///
    /// # Errors
    /// `AUTH_REQUIRED`, `INVALID_API_KEY`, `RATE_LIMIT_EXCEEDED` when the address has shown too
    /// many unknown credentials, or the store's failure.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> ApiResult<Principal> {
        let Some(key) = credential(headers) else {
            self.metrics.auth_failures[AuthFailure::Missing].inc();
            return Err(ApiError::new(
                Code::AuthRequired,
                "send a credential: `Authorization: ApiKey ss_...`",
            ));
        };
        if !is_well_formed(key) {
            return Err(self.refuse(AuthFailure::Malformed));
        }
        let key_hash = hash(key);
        if !self.cache.has_answer(&key_hash) {
            self.strangers.allow(address).inspect_err(|_| {
                self.metrics.rate_limited.inc();
                self.metrics.auth_failures[AuthFailure::Limited].inc();
            })?;
        }
        let look_up = async {
            let found = self.store.api_key(&key_hash).await?;
            if found.is_none() {
                self.strangers.count(address);
            }
            Ok(found.map(Arc::new))
        };
        let Some(record) = self.cache.get(&key_hash, look_up).await? else {
            return Err(self.refuse(AuthFailure::Unknown));
        };
        if !bool::from(record.key_hash.0.ct_eq(&key_hash.0)) {
            return Err(self.refuse(AuthFailure::Unknown));
        }
        if record.revoked_at.is_some() {
            return Err(self.refuse(AuthFailure::Revoked));
        }
        self.remember_use(key_hash);
        self.metrics.api_key_requests.with(&[&record.key_prefix]).inc();
        Ok(Principal::new(record))
    }

    /// The caller as its credential is now, at most 2 s old: for what goes on after the request.
    ///
    /// # Errors
    /// `INVALID_API_KEY` when it ended, or the store's failure.
    pub async fn recheck(&self, caller: &Principal) -> ApiResult<Principal> {
        let key_hash = caller.key_hash();
        let look_up = async { Ok(self.store.api_key(&key_hash).await?.map(Arc::new)) };
        match self.cache.get_within(&key_hash, FRESH_FOR_OPEN_STREAMS, look_up).await? {
            None => Err(self.refuse(AuthFailure::Unknown)),
            Some(record) if record.revoked_at.is_some() => Err(self.refuse(AuthFailure::Revoked)),
            Some(record) => Ok(Principal::new(record)),
        }
    }

    /// Forgets a credential that was just revoked here.
    pub fn forget(&self, key_hash: &Hash32) {
        self.cache.forget(key_hash);
    }

    /// Writes the last uses since the previous call into the store.
    ///
    /// # Errors
    /// The store's failure; those uses are not written.
    pub async fn flush_uses(&self) -> Result<(), StoreError> {
        let uses = std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return Ok(());
        }
        let uses: Vec<_> = uses.into_iter().collect();
        self.store.touch_api_keys(&uses).await
    }

    /// Brings the gauges up to date, for a scrape.
    pub fn sample(&self) {
        self.cache.sample();
    }

    fn remember_use(&self, key_hash: Hash32) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MAX_REMEMBERED_USES || uses.contains_key(&key_hash) {
            uses.insert(key_hash, clock::now());
        }
    }

    fn refuse(&self, reason: AuthFailure) -> ApiError {
        self.metrics.auth_failures[reason].inc();
        ApiError::new(Code::InvalidApiKey, "this credential is not known here or was revoked")
    }
}

/// The credential in `Authorization: ApiKey|Bearer …` or `X-API-Key: …`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        let known = ["apikey", "bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        return known.then_some(key.trim());
    }
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_keys() {
        let good = generate(Uuid::from_u128(0xabcd)).unwrap();
        let long = format!("ss_{}", "a".repeat(MAX_LENGTH));
        let cases = [
            (good.as_str(), true),
            ("ss_0123456789abcdefABCDEF-_01234567", true),
            ("ss_0123456789abcdefABCDEF-_0123456", false),
            ("sk_0123456789abcdefABCDEF-_01234567", false),
            ("ss_0123456789abcdefABCDEF-_0123456+", false),
            ("", false),
            (long.as_str(), false),
        ];
        for (key, expect) in cases {
            assert_eq!(is_well_formed(key), expect, "{key}");
        }
    }
}
