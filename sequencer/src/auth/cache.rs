//! A bounded cache of look-ups with bounded staleness.

use std::hash::Hash;
use std::time::{Duration, Instant};

use catalog::CacheMetrics;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, sync::Cache};

use crate::store::StoreError;

/// What was found is believed this long: a revocation made elsewhere works within five seconds,
/// and one of them is left for a slow answer.
const FRESH_FOUND: Duration = Duration::from_secs(4);

/// Answers of the store by key, found or not.
pub(super) struct LookupCache<K, V> {
    entries: Cache<K, Entry<V>, UnitWeighter, DefaultHashBuilder, CountEvictions>,
    metrics: CacheMetrics,
    /// What was not found is believed this long.
    fresh_missing: Duration,
}

#[derive(Clone)]
struct Entry<V> {
    value: Option<V>,
    read_at: Instant,
}

#[derive(Clone)]
struct CountEvictions(catalog::IntCounter);

impl<K, V> Lifecycle<K, V> for CountEvictions {
    type RequestState = ();

    // `on_evict` is called for a value that a newer one replaces, too.
    fn before_evict(&self, (): &mut Self::RequestState, _key: &K, _value: &mut V) {
        self.0.inc();
    }
}

impl<K: Eq + Hash + Clone, V: Clone> LookupCache<K, V> {
    pub(super) fn new(capacity: usize, metrics: CacheMetrics, fresh_missing: Duration) -> Self {
        let evictions = CountEvictions(metrics.evictions.clone());
        let (weight, hash) = (UnitWeighter, DefaultHashBuilder::default());
        let entries = Cache::with(capacity, capacity as u64, weight, hash, evictions);
        Self { entries, metrics, fresh_missing }
    }

    /// The cached answer, or the store's. Errors are not remembered.
    pub(super) async fn get<F>(&self, key: &K, look_up: F) -> Result<Option<V>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        self.get_within(key, FRESH_FOUND, look_up).await
    }

    /// The same, but what was found may only be this old.
    pub(super) async fn get_within<F>(
        &self,
        key: &K,
        fresh_found: Duration,
        look_up: F,
    ) -> Result<Option<V>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        let is_fresh = |entry: &Entry<V>| self.is_fresh(entry, fresh_found);
        if let Some(entry) = self.entries.get(key).filter(is_fresh) {
            self.metrics.hits.inc();
            return Ok(entry.value);
        }
        self.metrics.misses.inc();
        // Taken before asking: a revocation during the look-up must not gain time by it.
        let read_at = Instant::now();
        let value = look_up.await?;
        self.metrics.lookup_duration.observe(read_at.elapsed().as_secs_f64());
        self.entries.insert(key.clone(), Entry { value: value.clone(), read_at });
        Ok(value)
    }

    fn is_fresh(&self, entry: &Entry<V>, fresh_found: Duration) -> bool {
        let limit = if entry.value.is_some() { fresh_found } else { self.fresh_missing };
        entry.read_at.elapsed() < limit
    }

    /// True when the store need not be asked, or it once knew this: a fresh answer, or a find of
    /// any age.
    pub(super) fn has_answer(&self, key: &K) -> bool {
        let answers = |entry: Entry<V>| self.is_fresh(&entry, FRESH_FOUND) || entry.value.is_some();
        self.entries.peek(key).is_some_and(answers)
    }

    /// Forgets an answer that this process has just changed.
    pub(super) fn forget(&self, key: &K) {
        self.entries.remove(key);
    }

    /// Brings the gauge up to date, for a scrape.
    pub(super) fn sample(&self) {
        self.metrics.entries.set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_eviction_is_one_for_room_and_no_refreshed_answer() {
        let cache = crate::server::metrics("sqlite").api_key_cache.clone();
        let entries = LookupCache::new(8, cache.clone(), Duration::from_secs(1));
        for _ in 0..100 {
            let found = entries.get_within(&1, Duration::ZERO, async { Ok(Some(1)) }).await;
            assert!(found.is_ok_and(|value| value == Some(1)));
        }
        assert_eq!((cache.misses.get(), cache.evictions.get()), (100, 0));
        for key in 0..100 {
            assert!(entries.get(&key, async { Ok(Some(key)) }).await.is_ok());
        }
        let kept = u64::try_from(entries.entries.len()).unwrap_or_default();
        assert!(kept <= 8 && cache.evictions.get() == 100 - kept, "{}", cache.evictions.get());
    }
}
