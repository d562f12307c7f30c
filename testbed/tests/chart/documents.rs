//! Each document is one object of its Kubernetes type, with no field that the type does not have.

use std::collections::HashSet;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cases::{KUBERNETES, renders, title};
use crate::operator::{PrometheusRule, ServiceMonitor};

#[test]
fn every_document_fits_its_type() {
    let mut kinds = HashSet::new();
    for kubernetes in KUBERNETES {
        for (case, documents) in renders(kubernetes) {
            let mut titles = HashSet::new();
            for document in &documents {
                let title = title(document);
                assert!(document.is_object(), "{case}: an empty document after {titles:?}");
                assert!(titles.insert(title.clone()), "{case}: {title} is there twice");
                fits(document).unwrap_or_else(|error| panic!("{case}: {title}: {error}"));
                kinds.insert(document["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    // What only some values bring was there too.
    for kind in ["HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "Job", "Pod"] {
        assert!(kinds.contains(kind), "no case renders a {kind}: {kinds:?}");
    }
}

#[test]
fn an_unknown_field_is_seen() {
    let wrong = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 1, "targetport": 2}]},
    });
    let error = fits(&wrong).unwrap_err();
    assert!(error.contains("targetport"), "{error}");
}

fn fits(document: &Value) -> Result<(), String> {
    let version = document["apiVersion"].as_str().unwrap_or_default();
    match (version, document["kind"].as_str().unwrap_or_default()) {
        ("v1", "ConfigMap") => again::<ConfigMap>(document),
        ("v1", "Pod") => again::<Pod>(document),
        ("v1", "Secret") => again::<Secret>(document),
        ("v1", "Service") => again::<Service>(document),
        ("v1", "ServiceAccount") => again::<ServiceAccount>(document),
        ("apps/v1", "Deployment") => again::<Deployment>(document),
        ("apps/v1", "StatefulSet") => again::<StatefulSet>(document),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => again::<HorizontalPodAutoscaler>(document),
        ("batch/v1", "Job") => again::<Job>(document),
        ("networking.k8s.io/v1", "Ingress") => again::<Ingress>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => again::<NetworkPolicy>(document),
        ("policy/v1", "PodDisruptionBudget") => again::<PodDisruptionBudget>(document),
        ("monitoring.coreos.com/v1", "PrometheusRule") => again::<PrometheusRule>(document),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => again::<ServiceMonitor>(document),
        other => Err(format!("{other:?} is no kind that the chart brings")),
    }
}

/// Reads it as the type and writes it again: the types ignore a field that they do not know, so it
/// is what is missing then.
fn again<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let read: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let written = serde_json::to_value(&read).map_err(|error| error.to_string())?;
    match difference(document, &written) {
        Some(place) => Err(format!("{place} is not of its type")),
        None => Ok(()),
    }
}

/// Where a value is not in the other.
fn difference(value: &Value, other: &Value) -> Option<String> {
    match (value, other) {
        (Value::Object(members), Value::Object(_)) => members.iter().find_map(|(key, value)| {
            difference(value, &other[key]).map(|at| format!("{key}.{at}"))
        }),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let pairs = items.iter().zip(others).enumerate();
            pairs.into_iter().find_map(|(place, (value, other))| {
                difference(value, other).map(|at| format!("{place}.{at}"))
            })
        }
        _ => (value != other).then(|| value.to_string()),
    }
}
