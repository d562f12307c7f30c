//! What the sequencer says of itself.

use super::{Case, GAUGE, RATE};
use crate::baseline::{INGEST_FAILED, INGEST_OK};

pub(super) const CASES: &[Case] = &[
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
                concat!(
                    "stateset_sequencer_events_ingested_total",
                    r#"{job="stateset-sequencer",instance="seq-1"}"#
                ),
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
];
