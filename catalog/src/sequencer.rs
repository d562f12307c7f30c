//! The sequencer's metrics, one declaration each, in the order of the reference table.

use crate::label::{
    AuthFailure, BreakerState, CallOutcome, DbOperation, ErrorCategory, RejectReason, Service,
    ShedReason, VerificationOutcome,
};
use crate::metric::{self, Kind, Label, Metric, capped, closed, program};

/// Seconds; holds the bounds of the latency objectives (0.05, 0.5) and of the latency alerts.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds; holds 0.2, the bound of the slow-database alert.
const STORE_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];
/// Seconds from acceptance to commitment; holds 60, the bound of the freshness objective.
const DELAY_SECONDS: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 1800.0];
/// Events in one request or one transaction.
const EVENT_COUNTS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];
/// Bytes of a request body, 256 B to 16 MiB.
const BODY_BYTES: &[f64] =
    &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

const METHOD_ROUTE: &[Label] = &[program("method"), program("route")];
const OPERATION_TABLE: &[Label] = &[closed("operation", DbOperation::VALUES), program("table")];

use Kind::{Counter, Gauge, Histogram};

metric::declare! {
    /// Every family that a scrape of the sequencer shows.
    BUILD_INFO = Gauge, "stateset_sequencer_build_info",
        &[program("version"), program("commit"), program("store")],
        "Always 1; the labels say what is running.", "Which version runs where?";
    READY = Gauge, "stateset_sequencer_ready", &[],
        "1 while /ready answers 200.", "Does a balancer send traffic here?";
    DRAINING = Gauge, "stateset_sequencer_draining", &[],
        "1 from the stop signal until exit.", "Is it stopping on purpose?";

    REQUESTS = Counter, "stateset_sequencer_requests_total",
        &[program("method"), program("route"), program("status")],
        "Answered requests by route template and status.", "What is asked, what is answered?";
    REQUEST_DURATION = Histogram(REQUEST_SECONDS), "stateset_sequencer_request_duration_seconds",
        METHOD_ROUTE, "Time from the request head to the complete answer.",
        "Is it slow, and where?";
    REQUEST_SIZE = Histogram(BODY_BYTES), "stateset_sequencer_request_size_bytes", METHOD_ROUTE,
        "Bytes of request bodies.", "Did clients change how much they send?";
    ERRORS = Counter, "stateset_sequencer_errors_total",
        &[closed("category", ErrorCategory::VALUES)],
        "Error responses by category.", "Is it us, the database or the callers?";
    REQUESTS_SHED = Counter, "stateset_sequencer_requests_shed_total",
        &[closed("reason", ShedReason::VALUES)],
        "Requests refused to protect the process.", "Is there more load than it can take?";
    INGEST_INSIDE = Gauge, "stateset_sequencer_ingest_inside_events", &[],
        "Events between admission and answer, by announced length.",
        "How near is it to refusing requests?";
    INGEST_LIMIT = Gauge, "stateset_sequencer_ingest_limit_events", &[],
        "Bound of the events between admission and answer, from the measured rate.",
        "How much does it let in?";
    RATE_LIMITED = Counter, "stateset_sequencer_rate_limited_total", &[],
        "Requests answered 429.", "Do limits bite?";
    TENANT_RATE_LIMITED = Counter, "stateset_sequencer_tenant_rate_limited_total",
        &[capped("tenant")],
        "Requests beyond the limit of their tenant or credential.", "Who sends too much?";

    EVENTS_INGESTED = Counter, "stateset_sequencer_events_ingested_total", &[],
        "Events that were given a number.", "How much work is done?";
    EVENTS_REJECTED = Counter, "stateset_sequencer_events_rejected_total",
        &[closed("reason", RejectReason::VALUES)],
        "Events refused inside an accepted request.", "Why are agents' events refused?";
    STREAM_EVENTS_INGESTED = Counter, "stateset_sequencer_stream_events_ingested_total",
        &[capped("tenant"), capped("store")],
        "Events that were given a number, by stream.", "Whose traffic is it?";
    ENTITY_EVENTS_INGESTED = Counter, "stateset_sequencer_entity_events_ingested_total",
        &[capped("entity_type")],
        "Events that were given a number, by entity type.", "What kind of traffic is it?";
    BATCH_SIZE = Histogram(EVENT_COUNTS), "stateset_sequencer_batch_size_events", &[],
        "Events in one ingest request.", "Do agents batch?";
    INGEST_SUCCESS_DURATION = Histogram(REQUEST_SECONDS),
        "stateset_sequencer_ingest_success_duration_seconds", &[],
        "Duration of ingest requests answered 200.", "Is the latency objective met?";
    HEAD_SEQUENCE = Gauge, "stateset_sequencer_head_sequence",
        &[capped("tenant"), capped("store")],
        "Highest number given in a stream since start.", "Does the stream move?";

    QUEUE_DEPTH = Gauge, "stateset_sequencer_queue_depth_events", &[],
        "Events waiting for the committer.", "Is the store keeping up?";
    QUEUE_CAPACITY = Gauge, "stateset_sequencer_queue_capacity_events", &[],
        "Bound of the event queue.", "How far is it from shedding?";
    QUEUE_WAIT = Histogram(STORE_SECONDS), "stateset_sequencer_queue_wait_seconds", &[],
        "Time a request waited for the committer.", "Is latency spent waiting?";
    COMMIT_DURATION = Histogram(STORE_SECONDS), "stateset_sequencer_commit_duration_seconds", &[],
        "Duration of one group commit.", "Is latency spent in the store?";
    COMMIT_SIZE = Histogram(EVENT_COUNTS), "stateset_sequencer_commit_size_events", &[],
        "Events in one group commit.", "How well do commits amortise?";
    SIGNATURE_VERIFICATIONS = Counter, "stateset_sequencer_signature_verifications_total",
        &[closed("outcome", VerificationOutcome::VALUES)],
        "Agent signatures checked.", "Is somebody sending forged events?";
    RECEIPTS_SIGNED = Counter, "stateset_sequencer_receipts_signed_total", &[],
        "Receipts signed.", "Are answers backed by receipts?";

    STREAM_SUBSCRIBERS = Gauge, "stateset_sequencer_stream_subscribers", &[],
        "Open live streams.", "How many follow?";
    STREAM_EVENTS_SENT = Counter, "stateset_sequencer_stream_events_sent_total", &[],
        "Events given to the connections of live streams.", "Do followers get events?";
    STREAM_LAGGED = Counter, "stateset_sequencer_stream_lagged_total", &[],
        "Live streams cut because their reader was too slow.",
        "Are there readers that cannot follow?";
    STREAM_FIRST_BYTE = Histogram(REQUEST_SECONDS), "stateset_sequencer_stream_first_byte_seconds",
        &[], "Time from the request head to the head of a live stream.",
        "Do streams open quickly?";

    COMMITMENTS = Counter, "stateset_sequencer_commitments_total", &[],
        "Merkle batches sealed.", "Are batches sealed?";
    COMMITMENT_DURATION = Histogram(STORE_SECONDS),
        "stateset_sequencer_commitment_duration_seconds", &[],
        "Time to read, hash and store one batch.", "Is sealing slow?";
    COMMITMENT_DELAY = Histogram(DELAY_SECONDS), "stateset_sequencer_commitment_delay_seconds", &[],
        "Time from an event's acceptance to its commitment.", "Is the freshness objective met?";
    COMMITMENT_LAG = Gauge, "stateset_sequencer_commitment_lag_events", &[],
        "Accepted events not yet in a batch.", "Does the committer keep up?";
    COMMITMENT_OLDEST_AGE = Gauge, "stateset_sequencer_commitment_oldest_uncommitted_age_seconds",
        &[], "Age of the oldest event not yet in a batch; 0 when there is none.",
        "Is the committer stuck?";
    SEALER_ACTIVE = Gauge, "stateset_sequencer_sealer_active", &[],
        "1 while this process seals batches in the background.",
        "Which replica seals, and is there one?";
    PROOF_DURATION = Histogram(STORE_SECONDS), "stateset_sequencer_proof_duration_seconds", &[],
        "Time to build one inclusion proof.", "Are proofs quick?";

    DB_POOL_ACTIVE = Gauge, "stateset_sequencer_db_pool_active_connections", &[],
        "Store connections in use.", "Is the pool exhausted?";
    DB_POOL_IDLE = Gauge, "stateset_sequencer_db_pool_idle_connections", &[],
        "Store connections open and unused.", "Is the pool exhausted?";
    DB_POOL_MAX = Gauge, "stateset_sequencer_db_pool_max_connections", &[],
        "Bound of the connection pool.", "Is the pool exhausted?";
    DB_POOL_WAIT = Histogram(STORE_SECONDS), "stateset_sequencer_db_pool_wait_seconds", &[],
        "Time a read waited for a connection.", "Do reads wait for connections?";
    DB_QUERY_DURATION = Histogram(STORE_SECONDS), "stateset_sequencer_db_query_duration_seconds",
        OPERATION_TABLE, "Duration of store operations.", "Which operation is slow?";
    DB_SLOW_QUERIES = Counter, "stateset_sequencer_db_slow_queries_total",
        &[closed("operation", DbOperation::VALUES)],
        "Store operations above 200 ms.", "Which operation is slow?";

    CIRCUIT_BREAKER_STATE = Gauge, "stateset_sequencer_circuit_breaker_state",
        &[closed("service", Service::VALUES), closed("state", BreakerState::VALUES)],
        "1 for the state that the circuit breaker is in, 0 for the others.",
        "Is a dependency given up for now?";
    CIRCUIT_BREAKER_CALLS = Counter, "stateset_sequencer_circuit_breaker_calls_total",
        &[closed("service", Service::VALUES), closed("outcome", CallOutcome::VALUES)],
        "Calls of a dependency through its circuit breaker, made or rejected.",
        "Does a dependency fail, or hang?";

    AGENT_KEY_CACHE_HITS = Counter, "stateset_sequencer_agent_key_cache_hits_total", &[],
        "Agent key look-ups answered from memory.", "Does the cache work?";
    AGENT_KEY_CACHE_MISSES = Counter, "stateset_sequencer_agent_key_cache_misses_total", &[],
        "Agent key look-ups that asked the store.", "Does the cache work?";
    AGENT_KEY_CACHE_EVICTIONS = Counter, "stateset_sequencer_agent_key_cache_evictions_total", &[],
        "Agent keys dropped from memory for room.", "Is the cache too small?";
    AGENT_KEY_CACHE_ENTRIES = Gauge, "stateset_sequencer_agent_key_cache_entries", &[],
        "Agent keys in memory.", "Is the cache too small?";
    AGENT_KEY_LOOKUP_DURATION = Histogram(STORE_SECONDS),
        "stateset_sequencer_agent_key_lookup_duration_seconds", &[],
        "Time of agent key look-ups that asked the store.", "Do key look-ups slow ingest down?";
    API_KEY_CACHE_HITS = Counter, "stateset_sequencer_api_key_cache_hits_total", &[],
        "API key look-ups answered from memory.", "Does the cache work?";
    API_KEY_CACHE_MISSES = Counter, "stateset_sequencer_api_key_cache_misses_total", &[],
        "API key look-ups that asked the store.", "Does the cache work?";
    API_KEY_CACHE_EVICTIONS = Counter, "stateset_sequencer_api_key_cache_evictions_total", &[],
        "API keys dropped from memory for room.", "Is the cache too small?";
    API_KEY_CACHE_ENTRIES = Gauge, "stateset_sequencer_api_key_cache_entries", &[],
        "API keys in memory.", "Is the cache too small?";
    API_KEY_LOOKUP_DURATION = Histogram(STORE_SECONDS),
        "stateset_sequencer_api_key_lookup_duration_seconds", &[],
        "Time of API key look-ups that asked the store.", "Do key look-ups slow requests down?";
    API_KEYS_ACTIVE = Gauge, "stateset_sequencer_api_keys_active", &[],
        "API keys that are not revoked.", "How many credentials are out there?";
    API_KEY_REQUESTS = Counter, "stateset_sequencer_api_key_requests_total", &[capped("key")],
        "Authenticated requests by public key prefix.", "Which credential causes this load?";
    AUTH_FAILURES = Counter, "stateset_sequencer_auth_failures_total",
        &[closed("reason", AuthFailure::VALUES)],
        "Requests refused for their credential.", "Is somebody guessing keys?";

    TRACE_SPANS_DROPPED = Counter, "stateset_sequencer_trace_spans_dropped_total", &[],
        "Spans that were recorded and not delivered.", "Do traces have holes?";

    OPEN_FILE_DESCRIPTORS = Gauge, "stateset_sequencer_open_file_descriptors", &[],
        "Open file descriptors of the process.", "Is it leaking descriptors?";
    FILE_DESCRIPTOR_LIMIT = Gauge, "stateset_sequencer_file_descriptor_limit", &[],
        "Soft limit on file descriptors.", "How many more connections fit?";
    CGROUP_MEMORY = Gauge, "stateset_sequencer_cgroup_memory_bytes", &[],
        "Memory of the process's control group without inactive file pages, which the kernel takes \
         back first.", "Is it near its limit?";
    CGROUP_MEMORY_LIMIT = Gauge, "stateset_sequencer_cgroup_memory_limit_bytes", &[],
        "Memory limit of the control group; the machine's memory when there is none.",
        "When will the kernel kill it?";
    MEMORY_PRESSURE = Gauge, "stateset_sequencer_memory_pressure_some_avg60_ratio", &[],
        "Share of the last 60 s in which a task waited for memory (PSI); 0 without PSI.",
        "Is memory short?";

    PROCESS_CPU = Counter, "process_cpu_seconds_total", &[],
        "Total user and system CPU time spent in seconds.", "Is it busy?";
    PROCESS_OPEN_FDS = Gauge, "process_open_fds", &[],
        "Number of open file descriptors.", "Is it leaking descriptors?";
    PROCESS_MAX_FDS = Gauge, "process_max_fds", &[],
        "Maximum number of open file descriptors.", "How many more connections fit?";
    PROCESS_VIRTUAL_MEMORY = Gauge, "process_virtual_memory_bytes", &[],
        "Virtual memory size in bytes.", "Did its address space grow?";
    PROCESS_RESIDENT_MEMORY = Gauge, "process_resident_memory_bytes", &[],
        "Resident memory size in bytes.", "Does its memory grow?";
    PROCESS_START_TIME = Gauge, "process_start_time_seconds", &[],
        "Start time of the process since unix epoch in seconds.", "When was it started?";
    PROCESS_THREADS = Gauge, "process_threads", &[],
        "Number of OS threads in the process.", "Does it leak threads?";
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions() {
        crate::metric::check_conventions(super::ALL, "stateset_sequencer_");
    }
}
