//! Requests a minute, counted over the sixty seconds that just passed.
//!
//! The window slides by whole seconds and is exact to one: never more than the limit within any
//! minute, and `retry-after` is the moment at which a counted request leaves. A ready-made limiter
//! (GCRA) spreads requests evenly instead and has no such window to show in the headers.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use catalog::SequencerMetrics;
use quick_cache::sync::Cache;
use uuid::Uuid;
use ves::Hash32;

use crate::auth::Principal;
use crate::config::Config;
use crate::error::{ApiError, Code};

/// Length of the window, seconds.
const WINDOW_SECONDS: u64 = 60;

/// Where a caller stands, for the headers of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Requests a minute.
    pub limit: u32,
    /// How many are left now.
    pub remaining: u32,
    /// Seconds until there is one more than now.
    pub reset_seconds: u32,
}

/// What was counted in the last minute.
#[derive(Debug, Default)]
pub struct Window {
    /// Second and count, oldest first; at most sixty.
    counts: VecDeque<(u64, u32)>,
    total: u32,
}

impl Window {
    fn forget(&mut self, now: u64) {
        while let Some((second, count)) = self.counts.front().copied()
            && second + WINDOW_SECONDS <= now
        {
            self.total -= count;
            self.counts.pop_front();
        }
    }

    /// Counts one.
    fn add(&mut self, now: u64) {
        match self.counts.back_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => self.counts.push_back((now, 1)),
        }
        self.total += 1;
    }

    fn standing(&self, limit: u32, now: u64) -> Standing {
        let oldest = self.counts.front().map_or(now, |(second, _)| *second);
        let reset = (oldest + WINDOW_SECONDS).saturating_sub(now).clamp(1, WINDOW_SECONDS);
        Standing {
            limit,
            remaining: limit.saturating_sub(self.total),
            reset_seconds: u32::try_from(reset).unwrap_or(u32::MAX),
        }
    }
}

/// Windows by whom they count, bounded: beyond its capacity those of the least active are
/// forgotten, which lets them begin anew.
pub struct Windows<K> {
    windows: Cache<K, Arc<Mutex<Window>>>,
    began: Instant,
}

impl<K: Hash + Eq + Clone> Windows<K> {
    /// Windows for at most so many.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { windows: Cache::new(capacity), began: Instant::now() }
    }

    /// The window of one of them.
    fn of(&self, holder: &K) -> Arc<Mutex<Window>> {
        let new = || Ok::<_, Infallible>(Arc::default());
        match self.windows.get_or_insert_with(holder, new) {
            Ok(window) => window,
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// Where one of them stands; nothing is counted.
    pub fn look(&self, holder: &K, limit: u32) -> Standing {
        let now = self.now();
        let Some(window) = self.windows.get(holder) else {
            return Window::default().standing(limit, now);
        };
        let mut window = lock(&window);
        window.forget(now);
        window.standing(limit, now)
    }

    /// Counts one for it.
    pub fn count(&self, holder: &K) {
        let (window, now) = (self.of(holder), self.now());
        let mut window = lock(&window);
        window.forget(now);
        window.add(now);
    }
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Holder {
    Tenant(Uuid),
    Credential(Hash32),
}

/// The limits of tenants and of credentials that have their own.
pub struct RateLimits {
    /// Requests a minute of one tenant; 0 is no limit.
    per_tenant: u32,
    windows: Windows<Holder>,
    metrics: Arc<SequencerMetrics>,
}

impl RateLimits {
    /// The limits of this configuration.
    #[must_use]
    pub fn new(config: &Config, metrics: Arc<SequencerMetrics>) -> Self {
        let windows = Windows::new(config.rate_limit_max_entries);
        Self { per_tenant: config.rate_limit_per_minute, windows, metrics }
    }

    /// Counts a request. `None`: the caller has no limit. The platform has that of its credential
    /// only.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`, in the second place; such a request is not counted.
    pub fn count(&self, caller: &Principal) -> (Option<Standing>, Result<(), ApiError>) {
        let tenant = Holder::Tenant(caller.tenant_id());
        let tenant_limit =
            Some(self.per_tenant).filter(|limit| *limit > 0 && !caller.is_platform());
        let own = Holder::Credential(caller.key_hash());
        let limits = [(own, caller.rate_limit()), (tenant, tenant_limit)];
        let now = self.windows.now();
        let (standing, counted) = self.count_at(&limits, now);
        if counted {
            return (standing, Ok(()));
        }
        self.metrics.rate_limited.inc();
        let tenant = caller.tenant_id().to_string();
        self.metrics.tenant_rate_limited.with(&[&tenant]).inc();
        let Standing { limit, reset_seconds, .. } = standing.unwrap_or_default();
        let message = format!("more than {limit} requests within a minute; wait, then repeat");
        (standing, Err(ApiError::new(Code::RateLimitExceeded, message).retry_after(reset_seconds)))
    }

    /// Counts one request for all of these or for none; the standing is the tightest.
    fn count_at(&self, limits: &[(Holder, Option<u32>)], now: u64) -> (Option<Standing>, bool) {
        let limited = limits.iter().filter_map(|(holder, limit)| Some((holder, (*limit)?)));
        let windows: Vec<_> =
            limited.map(|(holder, limit)| (self.windows.of(holder), limit)).collect();
        // Always in this order, credential before tenant, so two requests cannot wait in a circle.
        let mut held: Vec<_> =
            windows.iter().map(|(window, limit)| (lock(window), *limit)).collect();
        for (window, _) in &mut held {
            window.forget(now);
        }
        let counted = held.iter().all(|(window, limit)| window.total < *limit);
        if counted {
            held.iter_mut().for_each(|(window, _)| window.add(now));
        }
        let standings = held.iter().map(|(window, limit)| window.standing(*limit, now));
        let tightest =
            standings.min_by_key(|standing| (standing.remaining, Reverse(standing.reset_seconds)));
        (tightest, counted)
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self { limit: 0, remaining: 0, reset_seconds: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(capacity: usize) -> RateLimits {
        let metrics = crate::server::metrics("none");
        RateLimits { per_tenant: 0, windows: Windows::new(capacity), metrics }
    }

    #[test]
    fn the_window_slides_by_seconds() {
        let limits = limits(10);
        let tenant = [(Holder::Tenant(Uuid::nil()), Some(3))];
        let cases = [
            // Second, counted, remaining, reset.
            (100, true, 2, 60),
            (130, true, 1, 30),
            (131, true, 0, 29),
            (131, false, 0, 29),
            (159, false, 0, 1),
            (160, true, 0, 30),
            (189, false, 0, 1),
            (190, true, 0, 1),
            (191, true, 0, 29),
            (1000, true, 2, 60),
        ];
        for (now, counted, remaining, reset_seconds) in cases {
            let standing = Standing { limit: 3, remaining, reset_seconds };
            assert_eq!(limits.count_at(&tenant, now), (Some(standing), counted), "at {now}");
        }
    }

    #[test]
    fn a_request_counts_for_all_limits_or_for_none() {
        let limits = limits(10);
        let tenant = (Holder::Tenant(Uuid::nil()), Some(3));
        let first = (Holder::Credential(Hash32([1; 32])), Some(1));
        let second = (Holder::Credential(Hash32([2; 32])), Some(9));
        let unlimited = (Holder::Credential(Hash32([3; 32])), None);
        for (own, counted, limit, remaining) in [
            (first, true, 1, 0),
            // Refused by its own limit, and the tenant has as many left as before.
            (first, false, 1, 0),
            (second, true, 3, 1),
            (unlimited, true, 3, 0),
            (second, false, 3, 0),
        ] {
            let (standing, now_counted) = limits.count_at(&[own, tenant], 7);
            let standing = standing.unwrap();
            assert_eq!((now_counted, standing.limit), (counted, limit));
            assert_eq!(standing.remaining, remaining);
        }
        assert_eq!(limits.count_at(&[unlimited], 7), (None, true));
    }

    #[test]
    fn memory_is_bounded() {
        let limits = limits(100);
        for number in 0..10_000 {
            limits.count_at(&[(Holder::Tenant(Uuid::from_u128(number)), Some(1))], 5);
        }
        assert!(limits.windows.windows.len() <= 100);
        let busy = [(Holder::Tenant(Uuid::nil()), Some(u32::MAX))];
        for now in 0..10_000 {
            limits.count_at(&busy, now);
        }
        assert_eq!(lock(&limits.windows.of(&busy[0].0)).counts.len(), 60);
    }
}
