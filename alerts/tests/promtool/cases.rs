//! What makes each alert fire, in literals: nothing here is read from the rules.

use crate::baseline::{INGEST_FAILED, INGEST_OK};

/// A fault by its series, at three strengths.
pub(crate) struct Case {
    pub(crate) alert: &'static str,
    pub(crate) severity: &'static str,
    /// Minutes for which the fault must last.
    pub(crate) minutes: u32,
    /// Seconds after which the strong fault is seen: two samples, where a rate is asked for.
    pub(crate) seen_after: u32,
    /// Minutes at which the weak strengths are looked at.
    pub(crate) late_minutes: u32,
    /// Labels of the alert that come from its expression.
    pub(crate) labels: &'static [(&'static str, &'static str)],
    /// The value as the description shows it, of the strong fault at the moment of firing.
    pub(crate) value: &'static str,
    /// Series, and their values: not enough, just enough, strong.
    pub(crate) fault: &'static [(&'static str, [&'static str; 3])],
}

const SEQUENCER: &[(&str, &str)] = &[("job", "stateset-sequencer"), ("instance", "seq-0")];
const SIDECAR: &[(&str, &str)] = &[("job", "stateset-sidecar"), ("instance", "seq-0")];

const GAUGE: Case = Case {
    alert: "",
    severity: "warning",
    minutes: 5,
    seen_after: 0,
    late_minutes: 12,
    labels: SEQUENCER,
    value: "",
    fault: &[],
};
/// A rate over five minutes passes a near threshold only when its window is full.
const RATE: Case = Case { seen_after: 15, late_minutes: 15, ..GAUGE };

/// Every alert but the burn rates, which follow from numbers: see `slo`.
pub(crate) const CASES: &[Case] = &[
    Case {
        alert: "SequencerDown",
        severity: "critical",
        minutes: 1,
        labels: &[],
        fault: &[("up{S}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerInstanceDown",
        fault: &[
            (r#"up{job="stateset-sequencer",instance="seq-1"}"#, ["1xN", "1xN", "1xN"]),
            (
                r#"stateset_sequencer_ready{job="stateset-sequencer",instance="seq-1"}"#,
                ["1xN", "1xN", "1xN"],
            ),
            (
                r#"stateset_sequencer_events_ingested_total{job="stateset-sequencer",instance="seq-1"}"#,
                ["1xN", "1xN", "1xN"],
            ),
            ("up{S}", ["1xN", "0xN", "0xN"]),
        ],
        labels: &[("job", "stateset-sequencer"), ("instance", "seq-0")],
        ..GAUGE
    },
    Case {
        alert: "SequencerNotReady",
        severity: "critical",
        minutes: 2,
        fault: &[("stateset_sequencer_ready{S}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerMetricsAbsent",
        severity: "critical",
        minutes: 2,
        fault: &[("stateset_sequencer_ready{S}", ["1xN", "_xN", "_xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerRestartingOften",
        minutes: 0,
        seen_after: 60,
        value: "4",
        fault: &[(
            "process_start_time_seconds{S}",
            [
                "1000x80 1200 1300 1400x20",
                "1000x80 1200 1300 1400 1500x20",
                "1000 1100 1200 1300 1400xN",
            ],
        )],
        late_minutes: 21,
        ..GAUGE
    },
    Case {
        alert: "SequencerHighErrorRate",
        labels: &[],
        value: "23.33/s",
        fault: &[(
            r#"stateset_sequencer_errors_total{S,category="database"}"#,
            ["0+1.47xN", "0+1.53xN", "0+350xN"],
        )],
        ..RATE
    },
    Case {
        alert: "SequencerErrorRatioHigh",
        labels: &[("job", "stateset-sequencer")],
        value: "20%",
        fault: &[
            (INGEST_OK, ["0+990.1xN", "0+989.8xN", "0+120xN"]),
            (INGEST_FAILED, ["0+9.9xN", "0+10.2xN", "0+30xN"]),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerHighLatency",
        value: "2.421s",
        fault: &[
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.25"}"#,
                ["0+90xN", "0+90xN", "0+0xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.5"}"#,
                ["0+90xN", "0+90xN", "0+0xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="1"}"#,
                ["0+95.1xN", "0+94.9xN", "0+5xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="2.5"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="+Inf"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerLatencyAboveSla",
        value: "983.9ms",
        fault: &[
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.25"}"#,
                ["0+90xN", "0+90xN", "0+90xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="0.5"}"#,
                ["0+99.1xN", "0+98.98xN", "0+90xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="1"}"#,
                ["0+100xN", "0+100xN", "0+99.3xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="2.5"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
            (
                r#"stateset_sequencer_request_duration_seconds_bucket{S,route="R",le="+Inf"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerAuthFailureSpike",
        labels: &[],
        value: "66.53%",
        fault: &[
            (INGEST_OK, ["0+150xN", "0+150xN", "0+1500xN"]),
            (
                r#"stateset_sequencer_auth_failures_total{S,reason="unknown"}"#,
                ["0+30.5xN", "0+30.8xN", "0+1000xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerLowThroughput",
        minutes: 10,
        late_minutes: 25,
        labels: &[],
        value: "100m/s",
        fault: &[(
            "stateset_sequencer_events_ingested_total{S}",
            ["0+153xN", "0+147xN", "0+1.5xN"],
        )],
        ..RATE
    },
    Case {
        alert: "SequencerQueueSaturated",
        minutes: 2,
        value: "95%",
        fault: &[("stateset_sequencer_queue_depth_events{S}", ["8000xN", "8100xN", "9500xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerCacheHitRateLow",
        severity: "info",
        minutes: 10,
        late_minutes: 25,
        value: "10%",
        fault: &[
            ("stateset_sequencer_agent_key_cache_hits_total{S}", ["0+61xN", "0+59xN", "0+100xN"]),
            ("stateset_sequencer_agent_key_cache_misses_total{S}", ["0+39xN", "0+41xN", "0+900xN"]),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerRateLimitedHeavily",
        severity: "info",
        minutes: 10,
        late_minutes: 25,
        labels: &[],
        value: "32.68%",
        fault: &[
            ("stateset_sequencer_rate_limited_total{S}", ["0+4.5xN", "0+4.8xN", "0+20xN"]),
            (
                r#"stateset_sequencer_requests_shed_total{S,reason="admission"}"#,
                ["0+3xN", "0+3xN", "0+30xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerCommitmentLagging",
        labels: &[("job", "stateset-sequencer")],
        value: "16m 40s",
        fault: &[(
            "stateset_sequencer_commitment_oldest_uncommitted_age_seconds{S}",
            ["300xN", "301xN", "1000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerFileDescriptorsNearLimit",
        value: "95%",
        fault: &[("stateset_sequencer_open_file_descriptors{S}", ["900xN", "910xN", "950xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDatabasePoolExhausted",
        severity: "critical",
        value: "100%",
        fault: &[("stateset_sequencer_db_pool_active_connections{S}", ["90xN", "91xN", "100xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDatabasePoolNearlyExhausted",
        value: "88%",
        fault: &[("stateset_sequencer_db_pool_active_connections{S}", ["85xN", "86xN", "88xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDatabaseSlow",
        value: "485ms",
        fault: &[
            (
                r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.1"}"#,
                ["0+90xN", "0+90xN", "0+0xN"],
            ),
            (
                r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.2"}"#,
                ["0+95.1xN", "0+94.9xN", "0+0xN"],
            ),
            (
                r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="0.5"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
            (
                r#"stateset_sequencer_db_query_duration_seconds_bucket{S,operation="o",le="+Inf"}"#,
                ["0+100xN", "0+100xN", "0+100xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerCircuitBreakerOpen",
        severity: "critical",
        minutes: 1,
        labels: &[
            ("job", "stateset-sequencer"),
            ("instance", "seq-0"),
            ("service", "database"),
            ("state", "closed"),
        ],
        fault: &[(
            r#"stateset_sequencer_circuit_breaker_state{S,service="database",state="closed"}"#,
            ["1xN", "0xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerMemoryPressure",
        value: "95%",
        fault: &[(
            "stateset_sequencer_cgroup_memory_bytes{S}",
            ["900000000xN", "910000000xN", "950000000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerMemoryStalled",
        value: "50%",
        fault: &[(
            "stateset_sequencer_memory_pressure_some_avg60_ratio{S}",
            ["0.1xN", "0.103xN", "0.5xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskFilling",
        severity: "info",
        labels: SIDECAR,
        value: "88%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.85xN", "0.86xN", "0.88xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskAlmostFull",
        minutes: 2,
        labels: SIDECAR,
        value: "93%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.9xN", "0.91xN", "0.93xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskFull",
        severity: "critical",
        minutes: 1,
        labels: SIDECAR,
        value: "99%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.95xN", "0.96xN", "0.99xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskFullSoon",
        minutes: 30,
        late_minutes: 90,
        labels: SIDECAR,
        value: "-1.082GiB",
        fault: &[
            ("stateset_sidecar_disk_used_ratio{C}", ["0.8xN", "0.8xN", "0.8xN"]),
            (
                "stateset_sidecar_disk_available_bytes{C}",
                ["1000000000-830000xN", "1000000000-834000xN", "1000000000-2000000xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerDataDirectoryNotWritable",
        severity: "critical",
        minutes: 1,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("check", "data_directory")],
        fault: &[(
            r#"stateset_sidecar_check_status{C,check="data_directory"}"#,
            ["1xN", "0xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerWalGrowing",
        minutes: 10,
        late_minutes: 25,
        labels: SIDECAR,
        value: "381.5MiB",
        fault: &[(
            "stateset_sidecar_store_sqlite_wal_bytes{C}",
            ["268435456xN", "270000000xN", "400000000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresConnectionsHigh",
        labels: SIDECAR,
        value: "95%",
        fault: &[(
            r#"stateset_sidecar_store_postgres_connections{C,state="idle"}"#,
            ["75xN", "76xN", "90xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresLongTransaction",
        minutes: 1,
        labels: SIDECAR,
        value: "16m 40s",
        fault: &[(
            "stateset_sidecar_store_postgres_longest_transaction_seconds{C}",
            ["300xN", "301xN", "1000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresReplicationLagging",
        labels: SIDECAR,
        value: "1m 40s",
        fault: &[(
            "stateset_sidecar_store_postgres_replication_lag_seconds{C}",
            ["30xN", "31xN", "100xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SidecarDown",
        minutes: 2,
        labels: &[],
        fault: &[("up{C}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "SidecarMetricsAbsent",
        minutes: 2,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0")],
        fault: &[(
            r#"stateset_sidecar_check_status{C,check="data_directory"}"#,
            ["1xN", "_xN", "_xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SidecarChecksStale",
        minutes: 2,
        seen_after: 75,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("check", "disk")],
        value: "3m 15s",
        fault: &[(
            r#"stateset_sidecar_check_last_run_timestamp_seconds{C,check="disk"}"#,
            ["-60+15xN", "-61+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerTlsCertificateExpiring",
        labels: SIDECAR,
        value: "11d 13h 41m 40s",
        // Two weeks are 1,209,600 s, at 12 minutes 720 s more.
        fault: &[(
            "stateset_sidecar_tls_certificate_expiry_timestamp_seconds{C}",
            ["1210320xN", "1209000xN", "1000000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerTlsCertificateEnding",
        severity: "critical",
        labels: SIDECAR,
        value: "1d 3h 41m 40s",
        fault: &[(
            "stateset_sidecar_tls_certificate_expiry_timestamp_seconds{C}",
            ["173520xN", "172800xN", "100000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerClockSkew",
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("source", "sequencer")],
        value: "5s",
        fault: &[(
            r#"stateset_sidecar_clock_skew_seconds{C,source="sequencer"}"#,
            ["-1xN", "-1.03xN", "-5xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "CanaryFailing",
        severity: "critical",
        minutes: 2,
        labels: SIDECAR,
        fault: &[("stateset_sidecar_canary_success{C}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "CanaryStale",
        severity: "critical",
        minutes: 2,
        seen_after: 195,
        labels: SIDECAR,
        value: "5m 15s",
        fault: &[(
            "stateset_sidecar_canary_last_success_timestamp_seconds{C}",
            ["-180+15xN", "-181+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessViolation",
        severity: "critical",
        minutes: 0,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("kind", "root")],
        value: "2",
        fault: &[(
            r#"stateset_sidecar_witness_open_violations{C,kind="root"}"#,
            ["0xN", "0.4xN", "2xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessHeadRolledBack",
        severity: "critical",
        minutes: 0,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("kind", "rollback")],
        value: "1",
        fault: &[(
            r#"stateset_sidecar_witness_open_violations{C,kind="rollback"}"#,
            ["0xN", "0.4xN", "1xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessStale",
        severity: "critical",
        minutes: 2,
        seen_after: 135,
        labels: SIDECAR,
        value: "4m 15s",
        fault: &[(
            "stateset_sidecar_witness_last_poll_timestamp_seconds{C}",
            ["-120+15xN", "-121+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessLagging",
        labels: SIDECAR,
        value: "16m 40s",
        fault: &[(
            "stateset_sidecar_witness_oldest_unverified_age_seconds{C}",
            ["300xN", "301xN", "1000xN"],
        )],
        ..GAUGE
    },
];
