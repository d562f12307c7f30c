//! One healthy system: every series that a rule reads, a quarter of a minute apart.
//!
//! `S` stands for the labels of the sequencer's scrape, `C` for the sidecar's. `N` stands for as
//! many samples as a case needs, `T` for the seconds between two.

/// Labels of the sequencer's scrape.
pub(crate) const SEQUENCER: &str = r#"job="stateset-sequencer",instance="seq-0""#;
/// Labels of the sidecar's scrape.
pub(crate) const SIDECAR: &str = r#"job="stateset-sidecar",instance="seq-0""#;

/// Series and their values in promtool's notation.
pub(crate) const HEALTHY: &[(&str, &str)] = &[
    ("up{S}", "1xN"),
    ("up{C}", "1xN"),
    ("stateset_sequencer_ready{S}", "1xN"),
    (INGEST_OK, "0+150xN"),
    (INGEST_FAILED, "0+0xN"),
    (r#"stateset_sequencer_requests_total{S,method="GET",route="/ready",status="200"}"#, "0+3xN"),
    (r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.25"}"#, "0+150xN"),
    (r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.5"}"#, "0+150xN"),
    (r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="1"}"#, "0+150xN"),
    (r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="2.5"}"#, "0+150xN"),
    (r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="+Inf"}"#, "0+150xN"),
    (r#"stateset_sequencer_errors_total{S,category="database"}"#, "0+0xN"),
    (r#"stateset_sequencer_errors_total{S,category="internal"}"#, "0+0xN"),
    (r#"stateset_sequencer_errors_total{S,category="validation"}"#, "0+30xN"),
    ("stateset_sequencer_events_ingested_total{S}", "0+3000xN"),
    (r#"stateset_sequencer_auth_failures_total{S,reason="unknown"}"#, "0+0xN"),
    ("stateset_sequencer_rate_limited_total{S}", "0+0xN"),
    (r#"stateset_sequencer_requests_shed_total{S,reason="admission"}"#, "0+0xN"),
    ("stateset_sequencer_agent_key_cache_hits_total{S}", "0+149xN"),
    ("stateset_sequencer_agent_key_cache_misses_total{S}", "0+1xN"),
    ("stateset_sequencer_queue_depth_events{S}", "10xN"),
    ("stateset_sequencer_queue_capacity_events{S}", "10000xN"),
    ("stateset_sequencer_commitment_oldest_uncommitted_age_seconds{S}", "5xN"),
    ("stateset_sequencer_open_file_descriptors{S}", "100xN"),
    ("stateset_sequencer_file_descriptor_limit{S}", "1000xN"),
    ("process_start_time_seconds{S}", "1000xN"),
    ("stateset_sequencer_db_pool_active_connections{S}", "2xN"),
    ("stateset_sequencer_db_pool_max_connections{S}", "100xN"),
    (r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.1"}"#, "0+150xN"),
    (r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.2"}"#, "0+150xN"),
    (r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.5"}"#, "0+150xN"),
    (
        r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="+Inf"}"#,
        "0+150xN",
    ),
    (r#"stateset_sequencer_db_query_duration_seconds_count{S,operation="o"}"#, "0+150xN"),
    (r#"stateset_sequencer_circuit_breaker_state{S,service="database",state="closed"}"#, "1xN"),
    (r#"stateset_sequencer_circuit_breaker_state{S,service="database",state="open"}"#, "0xN"),
    ("stateset_sequencer_cgroup_memory_bytes{S}", "200000000xN"),
    ("stateset_sequencer_cgroup_memory_limit_bytes{S}", "1000000000xN"),
    ("stateset_sequencer_memory_pressure_some_avg60_ratio{S}", "0xN"),
    (INGEST_COUNT, "0+150xN"),
    (r#"stateset_sequencer_ingest_success_duration_seconds_bucket{S,le="0.05"}"#, "0+150xN"),
    (r#"stateset_sequencer_ingest_success_duration_seconds_bucket{S,le="0.5"}"#, "0+150xN"),
    (r#"stateset_sequencer_commitment_delay_seconds_bucket{S,le="60.0"}"#, "0+150xN"),
    ("stateset_sequencer_commitment_delay_seconds_count{S}", "0+150xN"),
    ("stateset_sidecar_disk_used_ratio{C}", "0.4xN"),
    ("stateset_sidecar_disk_available_bytes{C}", "60000000000xN"),
    (r#"stateset_sidecar_check_status{C,check="data_directory"}"#, "1xN"),
    (r#"stateset_sidecar_check_last_run_timestamp_seconds{C,check="disk"}"#, "0+TxN"),
    (r#"stateset_sidecar_clock_skew_seconds{C,source="sequencer"}"#, "-0.01xN"),
    ("stateset_sidecar_tls_certificate_expiry_timestamp_seconds{C}", "25920000xN"),
    ("stateset_sidecar_store_sqlite_wal_bytes{C}", "4000000xN"),
    (r#"stateset_sidecar_store_postgres_connections{C,state="active"}"#, "5xN"),
    (r#"stateset_sidecar_store_postgres_connections{C,state="idle"}"#, "5xN"),
    ("stateset_sidecar_store_postgres_max_connections{C}", "100xN"),
    ("stateset_sidecar_store_postgres_longest_transaction_seconds{C}", "0xN"),
    ("stateset_sidecar_store_postgres_replication_lag_seconds{C}", "0xN"),
    ("stateset_sidecar_canary_success{C}", "1xN"),
    ("stateset_sidecar_canary_last_success_timestamp_seconds{C}", "0+TxN"),
    (r#"stateset_sidecar_canary_attempts_total{C,outcome="success"}"#, "0+1xN"),
    (r#"stateset_sidecar_canary_attempts_total{C,outcome="failure"}"#, "0+0xN"),
    (r#"stateset_sidecar_witness_open_violations{C,kind="root"}"#, "0xN"),
    (r#"stateset_sidecar_witness_open_violations{C,kind="rollback"}"#, "0xN"),
    ("stateset_sidecar_witness_last_poll_timestamp_seconds{C}", "0+TxN"),
    ("stateset_sidecar_witness_oldest_unverified_age_seconds{C}", "0xN"),
    ("stateset_sidecar_witness_catching_up{C}", "0xN"),
];

/// Good ingest requests.
pub(crate) const INGEST_OK: &str = concat!(
    "stateset_sequencer_requests_total{S,method=\"POST\",",
    "route=\"/api/v1/ves/events/ingest\",status=\"200\"}"
);
/// Failed ones.
pub(crate) const INGEST_FAILED: &str = concat!(
    "stateset_sequencer_requests_total{S,method=\"POST\",",
    "route=\"/api/v1/ves/events/ingest\",status=\"500\"}"
);
/// Ingest requests of the latency objectives.
pub(crate) const INGEST_COUNT: &str = "stateset_sequencer_ingest_success_duration_seconds_count{S}";

/// The label shorthands written out.
pub(crate) fn written_out(series: &str) -> String {
    for (short, labels) in [("{S", SEQUENCER), ("{C", SIDECAR)] {
        if let Some((name, rest)) = series.split_once(short)
            && (rest.starts_with('}') || rest.starts_with(','))
        {
            return format!("{name}{{{labels}{rest}");
        }
    }
    series.to_owned()
}
