//! An example for Prometheus: what it scrapes, which rules it loads, and whom it tells.

use catalog::{JOB_LOADGEN, JOB_SEQUENCER, JOB_SIDECAR};
use serde_json::{Value, json};

/// Where everything listens on one machine by default.
const JOBS: &[(&str, &str)] = &[
    (JOB_SEQUENCER, "127.0.0.1:8081"),
    (JOB_SIDECAR, "127.0.0.1:9091"),
    (JOB_LOADGEN, "127.0.0.1:9092"),
];
const ALERTMANAGER: &str = "127.0.0.1:9093";

/// The example; rule files are looked for beside it.
pub(super) fn example() -> Value {
    let jobs: Vec<Value> = JOBS.iter().map(|(job, target)| scrape(job, target)).collect();
    json!({
        "global": { "scrape_interval": "15s", "evaluation_interval": "15s" },
        "rule_files": ["*.rules.yaml"],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [ALERTMANAGER] }] }] },
        "scrape_configs": jobs,
    })
}

/// A target that is given a `service` label, as the operator does, renames the breaker's own label;
/// the rules and boards read it under its own name.
fn scrape(job: &str, target: &str) -> Value {
    json!({
        "job_name": job,
        "static_configs": [{ "targets": [target] }],
        "metric_relabel_configs": [
            { "source_labels": ["exported_service"], "regex": "(.+)", "target_label": "service" },
            { "regex": "exported_service", "action": "labeldrop" },
        ],
    })
}
