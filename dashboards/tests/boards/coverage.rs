//! Nothing that is measured is forgotten, and nothing that was asked for is missing.

use std::collections::BTreeSet;

use catalog::{loadgen, sequencer, sidecar};
use dashboards::boards::NOT_SHOWN;

use crate::{Target, parse, targets, walk};

/// Names of the series that a board asks for, without the suffixes of histograms.
fn shown() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for Target { expr, .. } in targets() {
        let parsed = parse(&expr);
        for selector in alerts::selectors::selectors(&parsed.to_string()).unwrap() {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| selector.metric.strip_suffix(part));
            names.insert(base.unwrap_or(&selector.metric).to_owned());
            names.insert(selector.metric);
        }
    }
    names
}

#[test]
fn every_metric_is_on_a_board_or_says_why_not() {
    let shown = shown();
    for metric in sequencer::ALL.iter().chain(sidecar::ALL).chain(loadgen::ALL) {
        let excused =
            NOT_SHOWN.iter().any(|(name, reason)| *name == metric.name && !reason.is_empty());
        let is_shown = shown.contains(metric.name);
        assert!(is_shown || excused, "{} is on no board", metric.name);
        assert!(!(is_shown && excused), "{} is excused and shown", metric.name);
    }
    for (name, _) in NOT_SHOWN {
        let mut all = sequencer::ALL.iter().chain(sidecar::ALL).chain(loadgen::ALL);
        assert!(all.any(|metric| metric.name == *name), "{name} does not exist any more");
    }
}

/// What operators were promised: board, look, and what the expression must hold.
const PROMISED: &[(&str, &str, &[&str])] = &[
    ("overview", "stat", &["up{"]),
    ("overview", "stat", &["sum(rate(", "requests_total"]),
    ("overview", "stat", &["sum(rate(", "events_ingested_total"]),
    ("overview", "stat", &["errors_total", "[1m]"]),
    ("overview", "stat", &["errors_total", "[5m]"]),
    ("overview", "timeseries", &["request_duration_seconds_sum", "request_duration_seconds_count"]),
    ("overview", "stat", &["histogram_quantile(0.5,", "request_duration"]),
    ("overview", "stat", &["histogram_quantile(0.95,", "request_duration"]),
    ("overview", "stat", &["histogram_quantile(0.99,", "request_duration"]),
    ("overview", "timeseries", &["request_size_bytes"]),
    ("overview", "gauge", &["db_pool_active_connections", "/", "db_pool_max_connections"]),
    ("overview", "timeseries", &["head_sequence"]),
    ("overview", "stat", &["witness_open_violations"]),
    ("requests", "timeseries", &["requests_total", "route"]),
    ("requests", "heatmap", &["request_duration_seconds_bucket"]),
    ("requests", "timeseries", &["histogram_quantile(0.9,", "request_duration"]),
    ("requests", "heatmap", &["request_size_bytes_bucket"]),
    ("requests", "timeseries", &["errors_total", "category"]),
    ("requests", "timeseries", &["requests_total", "status=~\"5..\"", "route"]),
    ("events", "stat", &["events_ingested_total", "* 60"]),
    ("events", "stat", &["events_ingested_total", "/", "events_rejected_total"]),
    ("events", "timeseries", &["stream_events_ingested_total", "tenant, store"]),
    ("events", "timeseries", &["entity_events_ingested_total", "entity_type"]),
    ("events", "heatmap", &["batch_size_events_bucket"]),
    ("events", "timeseries", &["commitments_total", "* 60"]),
    ("events", "timeseries", &["commitment_lag_events"]),
    ("events", "timeseries", &["queue_depth_events"]),
    ("database", "timeseries", &["db_pool_idle_connections"]),
    ("database", "timeseries", &["db_pool_wait_seconds_bucket"]),
    ("database", "timeseries", &["db_pool_active_connections", "/"]),
    ("database", "timeseries", &["histogram_quantile(0.99,", "operation"]),
    ("database", "timeseries", &["db_slow_queries_total"]),
    ("database", "heatmap", &["db_query_duration_seconds_bucket"]),
    ("database", "timeseries", &["sqlite_wal_bytes"]),
    ("database", "timeseries", &["postgres_connections", "state"]),
    ("resilience", "state-timeline", &["circuit_breaker_state"]),
    ("resilience", "timeseries", &["outcome=\"failure\"", "/"]),
    ("resilience", "timeseries", &["outcome=\"slow\"", "/"]),
    ("resilience", "timeseries", &["rate_limited_total"]),
    ("resilience", "timeseries", &["requests_shed_total", "reason"]),
    ("resilience", "stat", &["sequencer_restarts_total"]),
    ("resilience", "state-timeline", &["draining"]),
    ("agents", "timeseries", &["agent_key_cache_hits_total"]),
    ("agents", "timeseries", &["api_key_cache_misses_total"]),
    ("agents", "stat", &["api_keys_active"]),
    ("agents", "stat", &["auth_failures_total", "[1m]"]),
    ("agents", "stat", &["auth_failures_total", "[5m]"]),
    ("agents", "timeseries", &["agent_key_lookup_duration_seconds_bucket"]),
    ("agents", "bargauge", &["api_key_requests_total", "key"]),
    ("sidecar", "state-timeline", &["check_status"]),
    ("sidecar", "timeseries", &["disk_used_ratio"]),
    ("sidecar", "timeseries", &["sequencer_open_file_descriptors"]),
    ("sidecar", "timeseries", &["cgroup_memory_bytes"]),
    ("sidecar", "timeseries", &["canary_duration_seconds_bucket", "step"]),
    ("sidecar", "timeseries", &["witness_lag_events"]),
    ("sidecar", "timeseries", &["witness_violations_total"]),
    ("slo", "stat", &["1 - sum(sum_over_time(job_instance:availability_bad", "[30d]"]),
    ("slo", "stat", &["/ 0.0005", "job_instance:reachability_bad"]),
    ("slo", "timeseries", &["[3d]", "job_instance:freshness_bad"]),
    ("load", "timeseries", &["requests_total", "status=~\"2..\""]),
    ("load", "timeseries", &["ingest_success_duration_seconds_bucket"]),
    ("load", "timeseries", &["queue_depth_events", "/", "queue_capacity_events"]),
    ("load", "timeseries", &["loadgen_requests_offered_total"]),
    ("load", "timeseries", &["histogram_quantile(0.99,", "loadgen_response_duration"]),
    ("load", "timeseries", &["histogram_quantile(0.99,", "loadgen_lateness_seconds_bucket"]),
];

#[test]
fn every_promised_panel_is_there() {
    let targets = targets();
    for (board, kind, parts) in PROMISED {
        let board = format!("stateset-{board} / ");
        let found = targets.iter().any(|target| {
            target.at.starts_with(&board)
                && target.kind == *kind
                && parts.iter().all(|part| target.expr.contains(part))
        });
        assert!(found, "{board}: no {kind} with {parts:?}");
    }
}

/// The walk of these tests and that of `alerts` see the same selectors.
#[test]
fn no_selector_hides() {
    for Target { expr, at, .. } in targets() {
        let mut seen = 0;
        walk(&parse(&expr), &mut Vec::new(), &mut |node, _| {
            use promql_parser::parser::Expr;
            seen += usize::from(matches!(node, Expr::VectorSelector(_) | Expr::MatrixSelector(_)));
        });
        let written = expr.matches("job=~\"$job\"").count();
        assert_eq!(seen, written, "{at}: {expr}");
    }
}
