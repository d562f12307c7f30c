//! A PrometheusRule resource, as the Prometheus operator reads it.

use serde_json::{Value, json};

use super::prometheus::{Group, PRODUCT};

/// All groups in one resource.
pub(super) fn resource(groups: &[Group]) -> Value {
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": PRODUCT,
            "labels": { "app.kubernetes.io/name": PRODUCT },
        },
        "spec": { "groups": groups },
    })
}
