//! The handles with which the sequencer records: made once, held, never looked up on a hot path.

use std::collections::HashMap;

use prometheus::{
    Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder,
    process_collector::ProcessCollector,
};

use crate::capped::{CappedCounter, CappedGauge};
use crate::handles::ByLabel;
use crate::label::{
    AuthFailure, BreakerState, CallOutcome, DbOperation, ErrorCategory, HttpMethod, RejectReason,
    Service, ShedReason, UNMATCHED_ROUTE, VerificationOutcome,
};
use crate::metric::{self, SERIES_CAP};
use crate::sequencer as decl;

/// A route as the metrics know it.
#[derive(Clone, Copy, Debug)]
pub struct RouteSpec {
    /// Method it serves.
    pub method: HttpMethod,
    /// Path template.
    pub template: &'static str,
    /// Statuses it may answer with; their counters exist from the start.
    pub statuses: &'static [u16],
}

/// The handles of one route.
pub struct RouteMetrics {
    /// Duration of answered requests, seconds.
    pub duration: Histogram,
    /// Size of request bodies, bytes.
    pub size: Histogram,
    statuses: HashMap<u16, IntCounter>,
    labels: (&'static str, &'static str),
}

/// State and calls of one circuit breaker.
pub struct BreakerMetrics {
    /// Calls by outcome.
    pub calls: ByLabel,
    states: Vec<IntGauge>,
}

impl BreakerMetrics {
    /// A closed one.
    fn new(registry: &Registry, service: Service) -> Self {
        let calls = metric::counter_vec(registry, &decl::CIRCUIT_BREAKER_CALLS);
        let states = metric::gauge_vec(registry, &decl::CIRCUIT_BREAKER_STATE);
        let service = service.as_str();
        let call = |outcome: &&str| calls.with_label_values(&[service, outcome]);
        let state = |state: &&str| states.with_label_values(&[service, state]);
        let new = Self {
            calls: ByLabel::of(CallOutcome::VALUES.iter().map(call)),
            states: BreakerState::VALUES.iter().map(state).collect(),
        };
        new.show(BreakerState::Closed);
        new
    }

    /// Shows the state, for a scrape.
    pub fn show(&self, now: BreakerState) {
        for state in BreakerState::ALL {
            self.states[*state as usize].set(i64::from(*state == now));
        }
    }
}

/// Hits, misses, evictions, entries and look-up time of one credential cache.
#[derive(Clone)]
pub struct CacheMetrics {
    /// Answered from memory.
    pub hits: IntCounter,
    /// Asked the store.
    pub misses: IntCounter,
    /// Dropped for room.
    pub evictions: IntCounter,
    /// Entries now.
    pub entries: IntGauge,
    /// Seconds of look-ups that asked the store.
    pub lookup_duration: Histogram,
}

/// The handles of live streams.
pub struct LiveMetrics {
    /// Open streams now.
    pub subscribers: IntGauge,
    /// Events given to their connections.
    pub events_sent: IntCounter,
    /// Streams cut because their reader was too slow.
    pub lagged: IntCounter,
    /// Seconds to the head of the answer.
    pub first_byte: Histogram,
}

/// All handles of the sequencer and the registry that encodes them.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct SequencerMetrics {
    registry: Registry,
    routes: Vec<RouteMetrics>,
    unmatched: HashMap<&'static str, [IntCounter; 2]>,
    preflights: IntCounter,
    requests: IntCounterVec,
    pub ready: IntGauge,
    pub draining: IntGauge,
    pub errors: ByLabel,
    pub requests_shed: ByLabel,
    pub ingest_inside: IntGauge,
    pub ingest_limit: IntGauge,
    pub rate_limited: IntCounter,
    pub tenant_rate_limited: CappedCounter,
    pub events_ingested: IntCounter,
    pub events_rejected: ByLabel,
    pub stream_events_ingested: CappedCounter,
    pub entity_events_ingested: CappedCounter,
    pub batch_size: Histogram,
    pub ingest_success_duration: Histogram,
    pub head_sequence: CappedGauge,
    pub queue_depth: IntGauge,
    pub queue_capacity: IntGauge,
    pub queue_wait: Histogram,
    pub commit_duration: Histogram,
    pub commit_size: Histogram,
    pub signature_verifications: ByLabel,
    pub receipts_signed: IntCounter,
    pub live: LiveMetrics,
    pub commitments: IntCounter,
    pub commitment_duration: Histogram,
    pub commitment_delay: Histogram,
    pub commitment_lag: IntGauge,
    pub sealer_active: IntGauge,
    pub commitment_oldest_age: Gauge,
    pub proof_duration: Histogram,
    pub db_pool_active: IntGauge,
    pub db_pool_idle: IntGauge,
    pub db_pool_max: IntGauge,
    pub db_pool_wait: Histogram,
    db_query_duration: Vec<Histogram>,
    pub db_slow_queries: ByLabel,
    pub database_breaker: BreakerMetrics,
    pub agent_key_cache: CacheMetrics,
    pub api_key_cache: CacheMetrics,
    pub api_keys_active: IntGauge,
    pub api_key_requests: CappedCounter,
    pub auth_failures: ByLabel,
    pub trace_spans_dropped: IntCounter,
    pub open_file_descriptors: IntGauge,
    pub file_descriptor_limit: IntGauge,
    pub cgroup_memory: IntGauge,
    pub cgroup_memory_limit: IntGauge,
    pub memory_pressure: Gauge,
}

/// Facts about the running program, the labels of `build_info`.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo<'a> {
    /// Released version.
    pub version: &'a str,
    /// Commit it was built from, or `unknown`.
    pub commit: &'a str,
    /// Store driver in use.
    pub store: &'a str,
}

impl SequencerMetrics {
    /// Registers every family; counters and histograms with known labels start at zero.
    #[must_use]
    pub fn new(build: BuildInfo<'_>, routes: &[RouteSpec]) -> Self {
        let r = &Registry::new();
        let info = metric::gauge_vec(r, &decl::BUILD_INFO);
        info.with_label_values(&[build.version, build.commit, build.store]).set(1);
        r.register(Box::new(ProcessCollector::for_self())).expect("registered once");
        let requests = metric::counter_vec(r, &decl::REQUESTS);
        let cap = |metric| CappedCounter::new(metric::counter_vec(r, metric), SERIES_CAP);
        let queries = metric::histogram_vec(r, &decl::DB_QUERY_DURATION);
        Self {
            routes: route_handles(r, &requests, routes),
            unmatched: unmatched_handles(&requests),
            preflights: requests.with_label_values(&["OPTIONS", UNMATCHED_ROUTE, "200"]),
            requests,
            ready: metric::gauge(r, &decl::READY),
            draining: metric::gauge(r, &decl::DRAINING),
            errors: ByLabel::new(r, &decl::ERRORS, ErrorCategory::VALUES),
            requests_shed: ByLabel::new(r, &decl::REQUESTS_SHED, ShedReason::VALUES),
            ingest_inside: metric::gauge(r, &decl::INGEST_INSIDE),
            ingest_limit: metric::gauge(r, &decl::INGEST_LIMIT),
            rate_limited: metric::counter(r, &decl::RATE_LIMITED),
            tenant_rate_limited: cap(&decl::TENANT_RATE_LIMITED),
            events_ingested: metric::counter(r, &decl::EVENTS_INGESTED),
            events_rejected: ByLabel::new(r, &decl::EVENTS_REJECTED, RejectReason::VALUES),
            stream_events_ingested: cap(&decl::STREAM_EVENTS_INGESTED),
            entity_events_ingested: cap(&decl::ENTITY_EVENTS_INGESTED),
            batch_size: metric::histogram(r, &decl::BATCH_SIZE),
            ingest_success_duration: metric::histogram(r, &decl::INGEST_SUCCESS_DURATION),
            head_sequence: CappedGauge::new(metric::gauge_vec(r, &decl::HEAD_SEQUENCE), SERIES_CAP),
            queue_depth: metric::gauge(r, &decl::QUEUE_DEPTH),
            queue_capacity: metric::gauge(r, &decl::QUEUE_CAPACITY),
            queue_wait: metric::histogram(r, &decl::QUEUE_WAIT),
            commit_duration: metric::histogram(r, &decl::COMMIT_DURATION),
            commit_size: metric::histogram(r, &decl::COMMIT_SIZE),
            signature_verifications: ByLabel::new(
                r,
                &decl::SIGNATURE_VERIFICATIONS,
                VerificationOutcome::VALUES,
            ),
            receipts_signed: metric::counter(r, &decl::RECEIPTS_SIGNED),
            live: live_streams(r),
            commitments: metric::counter(r, &decl::COMMITMENTS),
            commitment_duration: metric::histogram(r, &decl::COMMITMENT_DURATION),
            commitment_delay: metric::histogram(r, &decl::COMMITMENT_DELAY),
            commitment_lag: metric::gauge(r, &decl::COMMITMENT_LAG),
            sealer_active: metric::gauge(r, &decl::SEALER_ACTIVE),
            commitment_oldest_age: metric::float_gauge(r, &decl::COMMITMENT_OLDEST_AGE),
            proof_duration: metric::histogram(r, &decl::PROOF_DURATION),
            db_pool_active: metric::gauge(r, &decl::DB_POOL_ACTIVE),
            db_pool_idle: metric::gauge(r, &decl::DB_POOL_IDLE),
            db_pool_max: metric::gauge(r, &decl::DB_POOL_MAX),
            db_pool_wait: metric::histogram(r, &decl::DB_POOL_WAIT),
            db_query_duration: DbOperation::ALL
                .iter()
                .map(|op| queries.with_label_values(&[op.as_str(), op.table()]))
                .collect(),
            db_slow_queries: ByLabel::new(r, &decl::DB_SLOW_QUERIES, DbOperation::VALUES),
            database_breaker: BreakerMetrics::new(r, Service::Database),
            agent_key_cache: agent_key_cache(r),
            api_key_cache: api_key_cache(r),
            api_keys_active: metric::gauge(r, &decl::API_KEYS_ACTIVE),
            api_key_requests: cap(&decl::API_KEY_REQUESTS),
            auth_failures: ByLabel::new(r, &decl::AUTH_FAILURES, AuthFailure::VALUES),
            trace_spans_dropped: metric::counter(r, &decl::TRACE_SPANS_DROPPED),
            open_file_descriptors: metric::gauge(r, &decl::OPEN_FILE_DESCRIPTORS),
            file_descriptor_limit: metric::gauge(r, &decl::FILE_DESCRIPTOR_LIMIT),
            cgroup_memory: metric::gauge(r, &decl::CGROUP_MEMORY),
            cgroup_memory_limit: metric::gauge(r, &decl::CGROUP_MEMORY_LIMIT),
            memory_pressure: metric::float_gauge(r, &decl::MEMORY_PRESSURE),
            registry: r.clone(),
        }
    }

    /// Handles of the route at this place of the list given to [`SequencerMetrics::new`].
    #[must_use]
    pub fn route(&self, index: usize) -> &RouteMetrics {
        &self.routes[index]
    }

    /// Counts an answer of a route.
    pub fn count_answer(&self, index: usize, status: u16) {
        let route = &self.routes[index];
        if let Some(counter) = route.statuses.get(&status) {
            counter.inc();
        } else {
            let (method, template) = route.labels;
            self.requests.with_label_values(&[method, template, &status.to_string()]).inc();
        }
    }

    /// Counts the answer to a request that no route serves: 405, 200 for what a browser asks
    /// before, or, by default, 404.
    pub fn count_unmatched(&self, method: HttpMethod, status: u16) {
        if status == 200 {
            self.preflights.inc();
        } else if let Some(counters) = self.unmatched.get(method.as_str()) {
            counters[usize::from(status == 405)].inc();
        }
    }

    /// Duration histogram of a store operation, seconds.
    #[must_use]
    pub fn db_query_duration(&self, operation: DbOperation) -> &Histogram {
        &self.db_query_duration[operation as usize]
    }

    /// The scrape, in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

fn route_handles(
    registry: &Registry,
    requests: &IntCounterVec,
    routes: &[RouteSpec],
) -> Vec<RouteMetrics> {
    let durations = metric::histogram_vec(registry, &decl::REQUEST_DURATION);
    let sizes = metric::histogram_vec(registry, &decl::REQUEST_SIZE);
    let handles = |route: &RouteSpec| {
        let labels = (route.method.as_str(), route.template);
        let series = [labels.0, labels.1];
        let counter = |status: &u16| {
            let text = status.to_string();
            (*status, requests.with_label_values(&[labels.0, labels.1, &text]))
        };
        RouteMetrics {
            duration: durations.with_label_values(&series),
            size: sizes.with_label_values(&series),
            statuses: route.statuses.iter().map(counter).collect(),
            labels,
        }
    };
    routes.iter().map(handles).collect()
}

fn unmatched_handles(requests: &IntCounterVec) -> HashMap<&'static str, [IntCounter; 2]> {
    let counter =
        |method: &str, status| requests.with_label_values(&[method, UNMATCHED_ROUTE, status]);
    HttpMethod::VALUES
        .iter()
        .map(|method| (*method, [counter(method, "404"), counter(method, "405")]))
        .collect()
}

fn live_streams(registry: &Registry) -> LiveMetrics {
    LiveMetrics {
        subscribers: metric::gauge(registry, &decl::STREAM_SUBSCRIBERS),
        events_sent: metric::counter(registry, &decl::STREAM_EVENTS_SENT),
        lagged: metric::counter(registry, &decl::STREAM_LAGGED),
        first_byte: metric::histogram(registry, &decl::STREAM_FIRST_BYTE),
    }
}

fn agent_key_cache(registry: &Registry) -> CacheMetrics {
    CacheMetrics {
        hits: metric::counter(registry, &decl::AGENT_KEY_CACHE_HITS),
        misses: metric::counter(registry, &decl::AGENT_KEY_CACHE_MISSES),
        evictions: metric::counter(registry, &decl::AGENT_KEY_CACHE_EVICTIONS),
        entries: metric::gauge(registry, &decl::AGENT_KEY_CACHE_ENTRIES),
        lookup_duration: metric::histogram(registry, &decl::AGENT_KEY_LOOKUP_DURATION),
    }
}

fn api_key_cache(registry: &Registry) -> CacheMetrics {
    CacheMetrics {
        hits: metric::counter(registry, &decl::API_KEY_CACHE_HITS),
        misses: metric::counter(registry, &decl::API_KEY_CACHE_MISSES),
        evictions: metric::counter(registry, &decl::API_KEY_CACHE_EVICTIONS),
        entries: metric::gauge(registry, &decl::API_KEY_CACHE_ENTRIES),
        lookup_duration: metric::histogram(registry, &decl::API_KEY_LOOKUP_DURATION),
    }
}
